"""Schedules that fall from the peak: in steps, by a power of t, along a line or half a cosine."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from lrcourse.schedules.base import Endless, Fall, Timed, blend, remaining
from lrcourse.support.checks import FRACTION, POSITIVE, Number, check, each, such

_NOT_POSITIVE = Number("a finite number <= 0", lambda v: v <= 0)
_MILESTONES = such(
    each(POSITIVE, least=0, into=tuple),
    lambda places: places and all(earlier < later for earlier, later in pairwise(places)),
    "strictly increasing numbers > 0, such as (15, 30)",
)


class _TimedFall(Timed, Fall):
    """A fall from 1 to a floor that takes a time known before."""

    floor: float

    def __post_init__(self) -> None:
        check(self, total=POSITIVE, floor=FRACTION)

    def _at(self, t: float) -> float:
        return self.floor if t >= self.total else blend(self.floor, self._left(t / self.total))

    @abstractmethod
    def _left(self, progress: float) -> float:
        """What is left of the fall, from 1 to 0, at a progress from 0 to 1."""


@dataclass(frozen=True, repr=False)
class step(Endless, Fall):
    """Multiplied by `gamma` after every `every` t's.

        factor(t) = gamma ** floor(t / every)

    every > 0; gamma is finite and > 0. Goes on for ever: length None. t < 0 is refused. t counts
    updates or epochs, as the training loop is told. Equals torch's StepLR and timm's
    StepLRScheduler.

    Example:
        >>> from lrcourse import schedules as s
        >>> s.step(10, gamma=0.5)([0, 9, 10, 25]).tolist()
        [1.0, 1.0, 0.5, 0.25]
    """

    every: float
    gamma: float

    def __post_init__(self) -> None:
        check(self, every=POSITIVE, gamma=POSITIVE)

    @property
    def holds_until(self) -> float:
        return self.every

    def _at(self, t: float) -> float:
        return self.gamma ** (t // self.every)


@dataclass(frozen=True, repr=False)
class multistep(Fall):
    """Multiplied by `gamma` at each milestone.

        factor(t) = gamma ** (number of milestones <= t)

    The milestones are strictly increasing and > 0; gamma is finite and > 0. Length: the last
    milestone, from which on it holds. t < 0 is refused. t counts updates or epochs, as the
    training loop is told.

    Source: He et al. 2016 (arXiv 1512.03385), 0.1 at two milestones. Equals torch's MultiStepLR,
    and timm's MultiStepLRScheduler with every milestone one later (timm acts one t early).

    Example:
        >>> from lrcourse import schedules as s
        >>> s.multistep([15, 30], gamma=0.5)([0, 15, 30]).tolist()
        [1.0, 0.5, 0.25]
    """

    milestones: Sequence[float]
    gamma: float

    def __post_init__(self) -> None:
        check(self, milestones=_MILESTONES, gamma=POSITIVE)

    @property
    def length(self) -> float:
        return self.milestones[-1]

    @property
    def holds_until(self) -> float:
        return self.milestones[0]

    def _at(self, t: float) -> float:
        return self.gamma ** sum(milestone <= t for milestone in self.milestones)


@dataclass(frozen=True, repr=False)
class exponential(Fall):
    """Multiplied by `gamma` at every t, down to a floor: the factor schedule.

        factor(t) = max(floor, gamma ** t)

    gamma is finite and > 0, floor from 0 to 1. Length: the first whole t at the floor; None where
    there is no floor to reach (floor 0, or gamma > 1). t < 0 is refused. t counts updates or
    epochs, as the training loop is told.

    Equals torch's ExponentialLR at floor 0. D2L's FactorScheduler multiplies before its first
    answer, so its value at t is this one's at t + 1.

    Example:
        >>> from lrcourse import schedules as s
        >>> s.exponential(0.5, floor=0.1)([0, 1, 2, 100]).tolist()
        [1.0, 0.5, 0.25, 0.1]
    """

    gamma: float
    floor: float = 0.0

    def __post_init__(self) -> None:
        check(self, gamma=POSITIVE, floor=FRACTION)

    @property
    def length(self) -> int | None:
        if self.gamma == 1 or (self.gamma < 1 and self.floor == 1):
            return 0
        if self.gamma > 1 or self.floor == 0:
            return None
        reached = math.ceil(math.log(self.floor) / math.log(self.gamma))
        # The quotient of two logarithms may land on the wrong side of a whole number.
        if self.gamma ** (reached - 1) <= self.floor:
            return reached - 1
        return reached if self.gamma**reached <= self.floor else reached + 1

    def _at(self, t: float) -> float:
        return max(self.floor, self.gamma**t)


@dataclass(frozen=True, repr=False)
class power(Fall):
    """A power of time: with the defaults 1 / sqrt(t + 1).

        factor(t) = ((t + timescale) / timescale) ** exponent

    exponent <= 0, timescale > 0. Never quite still: length None (0 for exponent 0). t < 0 is
    refused. t counts updates or epochs, as the training loop is told.

    Source: Robbins & Monro 1951 for exponents from -1 up to, without, -1/2; Vaswani et al. 2017
    (arXiv 1706.03762) for the inverse square root after a warmup. Equals D2L's
    SquareRootScheduler; `warmup(W, start=0).then(power(timescale=W))` is transformers'
    `inverse_sqrt`.

    Example:
        >>> from lrcourse import schedules as s
        >>> s.power()([0, 3, 15]).tolist()
        [1.0, 0.5, 0.25]
    """

    exponent: float = -0.5
    timescale: float = 1

    def __post_init__(self) -> None:
        check(self, exponent=_NOT_POSITIVE, timescale=POSITIVE)

    @property
    def length(self) -> int | None:
        return 0 if self.exponent == 0 else None

    def _at(self, t: float) -> float:
        return ((t + self.timescale) / self.timescale) ** self.exponent


@dataclass(frozen=True, repr=False)
class polynomial(_TimedFall):
    """A fall from 1 to `floor` along a power of the time that is left.

        factor(t) = floor + (1 - floor) (1 - t / total) ** exponent    for t < total
                    floor                                              for t >= total

    total > 0, exponent > 0, floor from 0 to 1. Length: total. t < 0 is refused. t counts updates
    or epochs, as the training loop is told.

    Source: the "poly" policy of Caffe. Equals torch's PolynomialLR at floor 0, timm's
    PolyLRScheduler (whose exponent is 0.5 unless told otherwise) and transformers' `polynomial`
    after its warmup.

    Example:
        >>> from lrcourse import schedules as s
        >>> s.polynomial(10, exponent=2)([0, 5, 10]).tolist()
        [1.0, 0.25, 0.0]
    """

    total: float
    exponent: float = 1
    floor: float = 0.0

    def __post_init__(self) -> None:
        check(self, total=POSITIVE, exponent=POSITIVE, floor=FRACTION)

    def _left(self, progress: float) -> float:
        return remaining(progress, "linear") ** self.exponent


@dataclass(frozen=True, repr=False)
class linear(_TimedFall):
    """A straight fall from 1 to `floor`.

        factor(t) = floor + (1 - floor) (1 - t / total)    for t < total
                    floor                                  for t >= total

    total > 0, floor from 0 to 1. Length: total. t < 0 is refused. t counts updates or epochs, as
    the training loop is told. Equals torch's LinearLR with start_factor=1, end_factor=floor,
    transformers' `linear` after its warmup, fastai's SchedLin.

    Example:
        >>> from lrcourse import schedules as s
        >>> s.linear(10, floor=0.5)([0, 5, 10]).tolist()
        [1.0, 0.75, 0.5]
    """

    total: float
    floor: float = 0.0

    def _left(self, progress: float) -> float:
        return remaining(progress, "linear")


@dataclass(frozen=True, repr=False)
class cosine(_TimedFall):
    """A fall from 1 to `floor` along half a cosine wave.

        factor(t) = floor + (1 - floor) (1 + cos(pi t / total)) / 2    for t < total
                    floor                                              for t >= total

    total > 0, floor from 0 to 1. Length: total. t < 0 is refused. t counts updates or epochs, as
    the training loop is told.

    Source: Loshchilov & Hutter 2017 (arXiv 1608.03983), without the restarts. Equals, up to
    t = total, torch's CosineAnnealingLR and transformers' `cosine` after its warmup, which both
    rise again past it; D2L's CosineScheduler, timm's CosineLRScheduler and fastai's SchedCos.

    Example:
        >>> from lrcourse import schedules as s
        >>> s.cosine(25, floor=0.25)([0, 12.5, 25, 99]).tolist()
        [1.0, 0.625, 0.25, 0.25]
    """

    total: float
    floor: float = 0.0

    def _left(self, progress: float) -> float:
        return remaining(progress, "cosine")
