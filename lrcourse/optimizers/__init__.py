"""Optimizers: from scratch as pairs of pure functions, and torch's own by the same names."""

from lrcourse.optimizers.by_name import PURE, TORCH, pure, torch_optimizer, update_source
from lrcourse.optimizers.from_scratch import (
    Optimizer,
    adadelta,
    adagrad,
    adam,
    adamw,
    momentum,
    nesterov,
    rmsprop,
    sgd,
)

__all__ = [
    "PURE",
    "TORCH",
    "Optimizer",
    "adadelta",
    "adagrad",
    "adam",
    "adamw",
    "momentum",
    "nesterov",
    "pure",
    "rmsprop",
    "sgd",
    "torch_optimizer",
    "update_source",
]
