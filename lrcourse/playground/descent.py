"""The playground's numbers: one descent over the plane, told by ten settings.

    run = simulate(Setting(surface="ravine", optimizer="momentum", peak_lr=0.12, updates=200))
    run.losses[-1], run.lr[0], run.diverged_at
    print(verdict(run))

The optimizers are those of `lrcourse.optimizers`, the schedules those of `lrcourse.schedules`,
and `page.js`, which draws the page, gives the same numbers (a test compares the two).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, cast

import numpy as np
import torch

from lrcourse import optimizers
from lrcourse import schedules as s
from lrcourse.landscapes import descend
from lrcourse.playground.places import PLACES, Place
from lrcourse.support.checks import Number, Rule, arguments, check, kind, one_of, together

OPTIMIZERS = {
    "sgd": "SGD",
    "momentum": "Momentum",
    "nesterov": "Nesterov",
    "adagrad": "AdaGrad",
    "rmsprop": "RMSProp",
    "adam": "Adam",
}

# From the length of what follows the warmup; one_cycle alone has a rise of its own.
SCHEDULES: dict[str, Callable[[int], s.Schedule]] = {
    "constant": lambda rest: s.constant(),
    "step": lambda rest: s.step(math.ceil(rest / 3), 0.1),
    "linear": s.linear,
    "cosine": s.cosine,
    "restarts": lambda rest: s.restarts(math.ceil(rest / 3)),
    "triangular": lambda rest: s.cyclical(rest / 6, base=0.1),
    "one-cycle": s.one_cycle,
}

LIMIT = 1e9  # a loss above it, or NaN, ends the run
FIELD = 5.0  # a start lies within this distance of 0 along each axis

# Lowest, highest (whole numbers where the setting is one), and what it is.
RANGES: dict[str, tuple[float, float, str]] = {
    "peak_lr": (1e-4, 10.0, "the highest learning rate"),
    "momentum": (0.0, 0.99, "the share of the last step that is kept (beta 1 in Adam)"),
    "warmup": (0, 2000, "the number of updates of the rise"),
    "updates": (10, 2000, "the number of updates"),
    "noise": (0.0, 3.0, "the standard deviation that a batch adds to a number of the gradient"),
    "seed": (0, 2**31 - 1, "the seed of the noise"),
}


def _number(low: float, high: float, meaning: str) -> Rule:
    whole = isinstance(high, int)
    told = f"{meaning}, {'a whole number' if whole else 'a number'} from {low:g} to {high:g}"
    rule = Number(told, lambda value: low <= value <= high, whole)
    return rule if whole else lambda *given: float(rule(*given))


_AXIS = _number(-FIELD, FIELD, "the place along an axis")

# What each setting takes, in the order of the page.
RULES: dict[str, Rule] = {
    "surface": one_of(*PLACES),
    "start": together("two numbers x, y", _AXIS, _AXIS),
    "optimizer": one_of(*OPTIMIZERS),
    "schedule": one_of(*SCHEDULES),
    **{name: _number(*told) for name, told in RANGES.items()},
}


@dataclass(frozen=True)
class Setting:
    """What the playground is set to; start and peak LR are the surface's own where not given.

    Attributes:
        surface: a name in `PLACES`.
        start: x and y, each from -5 to 5.
        optimizer, schedule: names in `OPTIMIZERS` and `SCHEDULES`.
        peak_lr: from 1e-4 to 10.
        momentum: from 0 to 0.99; beta 1 of Adam; the other adaptive ones do not use it.
        warmup: updates of a linear rise (t + 1) / W before the schedule, which takes the rest. In
            "one-cycle" the updates that its own rise takes.
        updates: from 10 to 2000.
        noise: standard deviation of what a batch adds to each number of the gradient, from 0 to 3.
        seed: of the noise.

    Raises:
        TypeError: for a setting of another kind.
        ValueError: for one that is out of its range.

    >>> from lrcourse.playground import Setting
    >>> Setting(surface="saddle").peak_lr
    0.2
    """

    surface: str = "ravine"
    start: tuple[float, float] = cast("tuple[float, float]", None)  # the surface's own
    optimizer: str = "sgd"
    schedule: str = "constant"
    peak_lr: float = cast(float, None)  # the surface's own
    momentum: float = 0.9
    warmup: int = 0
    updates: int = 100
    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        check(self, surface=RULES["surface"])
        for name in ("start", "peak_lr"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, getattr(self.place, name))
        check(self, **RULES)

    @property
    def place(self) -> Place:
        """The surface, and where one begins on it."""
        return PLACES[self.surface]

    @property
    def shape(self) -> s.Schedule:
        """The schedule, warmup included. Past a warmup longer than the run nothing is left."""
        if self.schedule == "one-cycle":
            return s.one_cycle(self.updates, warmup=min(1.0, self.warmup / self.updates))
        rest = max(1, self.updates - self.warmup)
        return s.warmup(self.warmup).then(SCHEDULES[self.schedule](rest))

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain data; `start` is a list."""
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        return told | {"start": list(self.start)}


@dataclass(frozen=True, eq=False)
class Run:
    """A descent, up to its end or its divergence.

    Attributes:
        setting: what it was made with.
        path: points, the start included, shape (updates made + 1, 2), float64.
        losses: heights of these points, without noise, shape (updates made + 1,).
        lr: the rate that each update used, shape (updates made,).
        planned: the rates of all updates that were asked for, shape (updates,).
        diverged_at: the number of updates after which the loss was NaN or above 1e9; None.
    """

    setting: Setting
    path: np.ndarray
    losses: np.ndarray
    lr: np.ndarray
    planned: np.ndarray
    diverged_at: int | None


@arguments(setting=kind("a Setting", Setting))
def simulate(setting: Setting) -> Run:
    """Descend as `setting` says. The gradient is the surface's plus noise; the losses have none.

    TypeError for what is no `Setting`.

    >>> from lrcourse.playground import Setting, simulate
    >>> run = simulate(Setting(surface="bowl", peak_lr=0.5, updates=20))
    >>> bool(run.losses[-1] < run.losses[0]), len(run.lr)
    (True, 20)
    """
    place = setting.place
    spread = place.noise + setting.noise
    draws = iter(torch.from_numpy(spread * normals(setting.seed, setting.updates)))

    def gradient(w: torch.Tensor) -> torch.Tensor:
        slope = place.surface.gradient(w)
        return slope + next(draws) if spread else slope

    start = torch.tensor(setting.start, dtype=torch.float64)
    made = descend(
        gradient, start, _optimizer(setting), setting.peak_lr, setting.updates, setting.shape
    )
    path, planned = made.path.numpy(), made.lr.numpy()
    losses = place.surface(made.path).numpy()
    broken = np.flatnonzero(~(losses[1:] <= LIMIT))
    diverged_at = int(broken[0]) + 1 if len(broken) else None
    updates = setting.updates if diverged_at is None else diverged_at
    return Run(
        setting=setting,
        path=path[: updates + 1],
        losses=losses[: updates + 1],
        lr=planned[:updates],
        planned=planned,
        diverged_at=diverged_at,
    )


def _optimizer(setting: Setting) -> optimizers.Optimizer:
    name, momentum = setting.optimizer, setting.momentum
    if name == "adam":
        return optimizers.adam(beta1=momentum)
    if name == "momentum" or (name == "nesterov" and momentum > 0):
        return optimizers.pure(name, momentum=momentum)
    return optimizers.pure("sgd" if name == "nesterov" else name)


# -- noise ------------------------------------------------------------------------------------


def normals(seed: int, updates: int) -> np.ndarray:
    """Nearly normal numbers of mean 0 and variance 1, shape (updates, 2).

    Number n is the sum of twelve uniform ones minus 6, the k-th of which is

        mix(mix(12 n + k) XOR mix(seed + 1)) / 2^32

    with `mix` of 32 bits. Not Box and Muller's formula: this one needs no logarithm and no
    cosine, whose last bits differ between languages, and on some surfaces a last bit decides.
    """
    count = 24 * updates
    words = _mix(_mix(np.arange(count, dtype=np.uint32)) ^ _mix(np.array([seed + 1], np.uint32)))
    sums = words.reshape(updates, 2, 12).sum(axis=2, dtype=np.uint64)
    return sums.astype(np.float64) / 2**32 - 6


def _mix(words: np.ndarray) -> np.ndarray:
    """The last step of Austin Appleby's MurmurHash3, which mixes 32 bits."""
    words = words ^ (words >> np.uint32(16))
    words = words * np.uint32(0x85EBCA6B)
    words = words ^ (words >> np.uint32(13))
    words = words * np.uint32(0xC2B2AE35)
    return words ^ (words >> np.uint32(16))
