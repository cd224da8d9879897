"""Schedules that rise again: restarts, cyclical rates, one cycle."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lrcourse.schedules.base import Endless, Fall, Schedule, blend, remaining, short_repr
from lrcourse.schedules.functions import keep_function, rebuilt, whole_as_int
from lrcourse.support.checks import (
    AT_LEAST_1,
    COUNT_FROM_1,
    FRACTION,
    NOT_NEGATIVE,
    POSITIVE,
    Number,
    check,
    one_of,
    whole,
)

WINDOWS = ("triangle", "welch", "hann")

_DECAY = Number("a number above 0 and up to 1", lambda v: 0 < v <= 1)
_BELOW_ONE = Number("a number from 0 to below 1 (base_lr / max_lr)", lambda v: 0 <= v < 1)


@dataclass(frozen=True, repr=False)
class restarts(Endless, Fall):
    """Cosine falls that start again: SGDR, "warm restarts".

        cycle i = 0, 1, 2 ... lasts first * multiply**i and begins at b_i
        peak_i    = max(floor, decay**i)
        factor(t) = floor + (peak_i - floor) (1 + cos(pi (t - b_i) / (b_{i+1} - b_i))) / 2
                    for b_i <= t < b_{i+1}

    Exactly the peak at a restart that falls on a whole t; `floor` itself is approached and never
    reached, as each next cycle begins where it would be. It goes on for ever: length None; end it
    with `then(..., after=n)`. first > 0, multiply >= 1, floor from 0 to 1, 0 < decay <= 1. t < 0
    is refused. t counts updates or epochs, as the training loop is told.

    Source: Loshchilov & Hutter 2017 (arXiv 1608.03983), `decay` as timm has it. Equals torch's
    CosineAnnealingWarmRestarts stepped without an argument (its `step(epoch)` loses a restart to
    rounding, at 121 for T_0=1, T_mult=3), timm's CosineLRScheduler within its cycle_limit,
    transformers' `cosine_with_restarts` before its end, fastai's fit_sgdr.

    Example:
        >>> from lrcourse import schedules as s
        >>> s.restarts(4, multiply=2, decay=0.5)([0, 2, 4, 8, 12]).tolist()
        [1.0, 0.5, 0.5, 0.25, 0.25]
    """

    first: float
    multiply: float = 1
    floor: float = 0.0
    decay: float = 1

    def __post_init__(self) -> None:
        check(self, first=POSITIVE, multiply=AT_LEAST_1, floor=FRACTION, decay=_DECAY)

    @property
    def holds_until(self) -> float:
        return self.first

    def _begin(self, cycle: int) -> float:
        """The t at which a cycle begins, free of rounding where it is whole."""
        if self.multiply == 1:
            begin = self.first * cycle
        elif self.multiply == int(self.multiply):
            multiply = int(self.multiply)
            begin = self.first * ((multiply**cycle - 1) // (multiply - 1))
        else:
            growth = self.multiply - 1
            begin = self.first * math.expm1(cycle * math.log1p(growth)) / growth
        nearest = round(begin)
        return nearest if abs(begin - nearest) <= min(1e-12 * nearest, 1e-6) else begin

    def _cycle(self, t: float) -> int:
        growth = self.multiply - 1
        if growth == 0:
            cycle = int(t // self.first)
        else:
            cycle = int(math.log1p(t / self.first * growth) / math.log1p(growth))
        # The estimate may be one off next to a restart, where only `_begin` decides.
        if cycle > 0 and self._begin(cycle) > t:
            return cycle - 1
        return cycle + 1 if self._begin(cycle + 1) <= t else cycle

    def _at(self, t: float) -> float:
        cycle = self._cycle(t)
        begin, end = self._begin(cycle), self._begin(cycle + 1)
        peak = max(self.floor, self.decay**cycle)
        if t == begin:
            return peak
        return self.floor + (peak - self.floor) * remaining((t - begin) / (end - begin), "cosine")


@dataclass(frozen=True, repr=False)
class cyclical(Endless):
    """Up and down between `base` and 1, for ever.

        s         = half_cycle
        cycle     = floor(1 + t / (2 s)), counting from 1
        x         = |t / s - 2 cycle + 1|, 1 at the ends of a cycle and 0 in its middle
        w         = 1 - x  |  1 - x**2  |  (1 + cos(pi x)) / 2      triangle | welch | hann
        factor(t) = base + (1 - base) w scale(cycle, t)             scale is 1 where not given

    base = base_lr / max_lr, from 0 to below 1, so that the peak learning rate is max_lr.
    `half_cycle` is above 0; `window` is "triangle", "welch" or "hann". `scale` gives the height of
    the cycles: `triangular2`, `exp_range(gamma)`, a function of (cycle, t) with a finite result
    from 0 on, or the name of one as "module:function". Goes on for ever: length None. t < 0 is
    refused. t counts updates or epochs, as the training loop is told.

    Source: Smith 2017 (arXiv 1506.01186). Equals bckenstler/CLR and torch's CyclicLR with equal
    halves: "triangular" is scale=None, "triangular2" is scale=triangular2, "exp_range" is
    scale=exp_range(gamma). Neither has the windows welch and hann. Torch's also overwrites the
    momentum by default; this touches nothing.

    Example:
        >>> from lrcourse import schedules as s
        >>> s.cyclical(2, base=0.25)(range(5)).tolist()
        [0.25, 0.625, 1.0, 0.625, 0.25]
        >>> s.cyclical(2, base=0, scale=s.triangular2)([2, 6, 10]).tolist()
        [1.0, 0.5, 0.25]
    """

    half_cycle: float
    base: float
    window: str = "triangle"
    scale: Callable[[int, float], float] | str | None = None
    _call: Callable[[int, float], float] | None = field(default=None, init=False, compare=False)

    def __post_init__(self) -> None:
        check(self, half_cycle=POSITIVE, base=_BELOW_ONE, window=one_of(*WINDOWS))
        if self.scale is not None:
            keep_function(self, "scale", "_call")

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuilt(self)

    @property
    def peak_at(self) -> float | None:
        known = self.scale is None or isinstance(self.scale, exp_range | _Triangular2)
        return self.half_cycle if known else None

    def _at(self, t: float) -> float:
        cycle = math.floor(1 + t / (2 * self.half_cycle))
        x = min(1.0, abs(t / self.half_cycle - 2 * cycle + 1))
        if self.window == "triangle":
            height = 1 - x
        elif self.window == "welch":
            height = 1 - x * x
        else:
            height = remaining(x, "cosine")
        if self._call is None:
            return blend(self.base, height)
        asked = whole_as_int(t)
        scale = NOT_NEGATIVE("cyclical", f"scale({cycle}, {asked!r})", self._call(cycle, asked))
        return blend(self.base, height * scale)


class _Triangular2:
    """The scale of a cyclical rate whose height halves with every cycle: 1, 1/2, 1/4 ..."""

    def __call__(self, cycle: int, t: float) -> float:
        NOT_NEGATIVE("triangular2", "t", t)
        return 2.0 ** (1 - COUNT_FROM_1("triangular2", "cycle", cycle))

    def __repr__(self) -> str:
        return "triangular2"

    def __reduce__(self) -> str:
        return "triangular2"  # pickled by name: there is only one


triangular2 = _Triangular2()
"""The scale of a cyclical rate whose height halves at each cycle: 1, 1/2, 1/4 ..."""


@dataclass(frozen=True, repr=False)
class exp_range:
    """The scale of a cyclical rate whose height is gamma**t, `gamma` finite and > 0.

    t is the absolute t, counted from the start of training: so do bckenstler/CLR and torch in
    their code, though both their docstrings say "since cycle start".

    Example:
        >>> from lrcourse import schedules as s
        >>> s.cyclical(2, base=0, scale=s.exp_range(0.5))([2, 6]).tolist()
        [0.25, 0.015625]
    """

    gamma: float

    def __post_init__(self) -> None:
        check(self, gamma=POSITIVE)

    def __call__(self, cycle: int, t: float) -> float:
        return self.gamma**t

    def __repr__(self) -> str:
        return short_repr(self)


@dataclass(frozen=True, repr=False)
class one_cycle(Schedule):
    """One rise from `start` to 1 and one fall to `end`: the 1cycle policy.

        p         = round(warmup * total) - 1, at least 1 and at most total - 2;
                    0 where warmup is 0 or total is 2
        factor(t) = start + (1 - start) r(t / p)                    for t < p
                    end + (1 - end) (1 - r((t - p) / (total-1-p)))  for p <= t < total - 1
                    end                                             for t >= total - 1
        r(q)      = (1 - cos(pi q)) / 2  |  q                       cosine | linear

    Exactly `start` at t = 0 (where p > 0), exactly 1 at the whole t = p whatever the total, and
    exactly `end` at the last update, t = total - 1. `total` is a whole number >= 2 and includes the
    rise; `warmup`, `start` and `end` are from 0 to 1, `anneal` is "cosine" or "linear". Length:
    total, so `then` starts the next schedule one after the last update of the cycle. t < 0 is
    refused. t counts updates, or epochs if the training loop is told so.

    Source: Smith & Topin 2018 (arXiv 1708.07120); the cosine form is fastai's. Equals torch's
    OneCycleLR with two phases where pct_start * total is whole; elsewhere torch never reaches its
    max_lr, divides by zero at pct_start * total = 1, and raises the rate again after the end.
    fastai's fit_one_cycle over N updates is one_cycle(N + 1, warmup=(N / 4 + 1) / (N + 1),
    end=1e-5). The momentum is left alone.

    Example:
        >>> from lrcourse import schedules as s
        >>> s.one_cycle(10)([0, 2, 9]).tolist()
        [0.04, 1.0, 4e-06]
    """

    total: int
    warmup: float = 0.3
    start: float = 1 / 25
    end: float = 4e-6
    anneal: str = "cosine"

    def __post_init__(self) -> None:
        check(self, total=whole(2), warmup=FRACTION, start=FRACTION, end=FRACTION)
        check(self, anneal=one_of("cosine", "linear"))

    @property
    def length(self) -> int:
        return self.total

    @property
    def peak_at(self) -> int:
        """The t at which the factor is exactly 1."""
        if self.warmup == 0 or self.total == 2:
            return 0
        return min(max(round(self.warmup * self.total) - 1, 1), self.total - 2)

    def _at(self, t: float) -> float:
        peak_at, last = self.peak_at, self.total - 1
        if t >= last:
            return self.end
        if t < peak_at:
            return blend(self.start, 1 - remaining(t / peak_at, self.anneal))
        return blend(self.end, remaining((t - peak_at) / (last - peak_at), self.anneal))
