"""Schedules as values: the factor of the peak LR as a function of the update number t.

    from lrcourse import schedules as s

    shape = s.warmup(5).then(s.cosine(25, floor=1 / 30))
    shape(7)

t counts the updates already made, or the epochs: the training loop is told which. Schedules are
values, see `lrcourse.schedules.base`: they print, compare, hash and pickle, `a.then(b)` joins two
and `a * b` multiplies them. Past its end each one holds its last value.
"""

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
)
from lrcourse.schedules.for_torch import to_torch
from lrcourse.schedules.formulas import NoSpelling
from lrcourse.schedules.functions import from_function
from lrcourse.schedules.reading_torch import from_torch
from lrcourse.schedules.rules import PlateauState, plateau, warm_until
from lrcourse.schedules.spelling import spell
from lrcourse.schedules.warmups import warmup, wsd

__all__ = [
    "NoSpelling",
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
    "from_torch",
    "linear",
    "multistep",
    "one_cycle",
    "plateau",
    "polynomial",
    "power",
    "restarts",
    "spell",
    "step",
    "to_torch",
    "triangular2",
    "warm_until",
    "warmup",
    "wsd",
]
