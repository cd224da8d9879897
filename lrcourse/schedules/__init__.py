"""Schedules as values: the factor of the peak LR as a function of the update number t."""

from lrcourse.schedules.base import Product, Schedule, Then, constant
from lrcourse.schedules.cycles import cyclical, exp_range, one_cycle, restarts, triangular2
from lrcourse.schedules.decays import (
    cosine,
    exponential,
    linear,
    multistep,
    polynomial,
    power,
    step,
    to_torch,
)
from lrcourse.schedules.functions import from_function
from lrcourse.schedules.plateau import PlateauState, plateau
from lrcourse.schedules.rules import warm_until
from lrcourse.schedules.warmups import warmup, wsd

__all__ = [
    "PlateauState",
    "Product",
    "Schedule",
    "Then",
    "constant",
    "cosine",
    "cyclical",
    "exp_range",
    "exponential",
    "from_function",
    "linear",
    "multistep",
    "one_cycle",
    "plateau",
    "polynomial",
    "power",
    "restarts",
    "step",
    "to_torch",
    "triangular2",
    "warm_until",
    "warmup",
    "wsd",
]
