"""Warmup: a rise to the peak in the first updates, alone or before a plateau and a fall (wsd)."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

from lrcourse.schedules.base import Schedule, Timed, blend, remaining
from lrcourse.support.checks import FRACTION, NOT_NEGATIVE, POSITIVE, check, one_of, optional

RAMPS = ("linear", "constant", "exponential", "geometric", "power")
DEFAULT_EXPONENT = 4  # YOLO's burn-in
TINY = sys.float_info.min  # a fifth of a length may round to 0
_START_NEEDED = ("constant", "geometric")


@dataclass(frozen=True, repr=False)
class warmup(Schedule):
    """A rise to 1 over the first W = `length` t's; 1 from t = W on, never above 1.

        factor(t), t < W:
            linear                  min(1, (t + 1) / W)
            linear, start = a       a + (1 - a) t / W
            constant, start = a     a
            power                   min(1, (t + 1) / W) ** exponent
            power, start = a        a + (1 - a) (t / W) ** exponent
            geometric, start = a    a ** (1 - t / W)
            exponential             1 - exp(-(t + 1) / tau)
        factor(t), t >= W:          1

    Without `start` the first update is not wasted on a rate of 0, and update W - 1 is at the peak.
    With it the ramp leaves from `start` at t = 0 and is at the peak at t = W: the textbook's form
    (start=0) and torch's LinearLR.

    W = 0 is the identity: `warmup(0).then(b)` is b. `start` is from 0 to 1 (above 0 for
    geometric), `exponent` is 4 and `tau` is W/5 where not given. W may be None (or math.inf) for
    the exponential ramp with `tau`: it then approaches 1 for ever and has no length. An argument
    that the ramp does not use is refused. t < 0 is refused. t counts updates or epochs, as the
    training loop is told.

    Sources: linear and constant, Goyal et al. 2017 (arXiv 1706.02677); constant also He et al.
    2016 for ResNet-110; exponential, Ma & Yarats 2021 (arXiv 1910.04209); power 4 from 0, the
    "burn-in" of YOLO's darknet. Equals: without start, pytorch_warmup's LinearWarmup and
    ExponentialWarmup; start=0, the ramps of transformers, timm and D2L; start=a, torch's LinearLR,
    and with ramp="constant" torch's ConstantLR.

    Example:
        >>> from lrcourse import schedules as s
        >>> s.warmup(4)(range(6)).tolist()
        [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
        >>> s.warmup(4, start=0)(range(6)).tolist()
        [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    """

    length: float | None  # pyright: ignore[reportIncompatibleMethodOverride]: a field
    start: float | None = None
    ramp: str = "linear"
    exponent: float | None = None
    tau: float | None = None

    def __post_init__(self) -> None:
        check(self, ramp=one_of(*RAMPS))
        self._check_length()
        self._check_use()
        check(self, start=optional(FRACTION), exponent=optional(POSITIVE), tau=optional(POSITIVE))
        if self.ramp == "geometric" and self.start == 0:
            raise ValueError("warmup: start must be > 0 for ramp='geometric'; got 0")
        # The defaults are stored as None, so that two spellings of one value are equal.
        if self.exponent == DEFAULT_EXPONENT:
            object.__setattr__(self, "exponent", None)
        if self.length is not None and self.tau == self.length / 5:
            object.__setattr__(self, "tau", None)

    def _check_length(self) -> None:
        endless = self.length is None or (
            isinstance(self.length, float) and self.length == math.inf
        )
        if not endless:
            check(self, length=NOT_NEGATIVE)
        elif self.ramp != "exponential" or self.tau is None:
            raise ValueError(
                f"warmup: length must be a finite number >= 0; got {self.length!r}, which needs "
                f"ramp='exponential' and tau"
            )
        else:
            object.__setattr__(self, "length", None)

    def _check_use(self) -> None:
        users = {
            "start": ("linear", "constant", "geometric", "power"),
            "exponent": ("power",),
            "tau": ("exponential",),
        }
        for name, ramps in users.items():
            if getattr(self, name) is not None and self.ramp not in ramps:
                raise ValueError(
                    f"warmup: ramp={self.ramp!r} does not use {name}; got "
                    f"{name}={getattr(self, name)!r}: leave it out, or use ramp="
                    f"{' or '.join(map(repr, ramps))}"
                )
        if self.start is None and self.ramp in _START_NEEDED:
            raise ValueError(
                f"warmup: ramp={self.ramp!r} needs start, the factor at t = 0, such as start=0.1"
            )

    @property
    def peak_at(self) -> float | None:
        if not self.length:
            return 0 if self.length == 0 else None
        if self.ramp == "exponential":  # approaches it
            return None
        return max(self.length - 1, 0) if self.start is None else self.length

    def _needs_after(self) -> bool:
        return self.length is None

    def _at(self, t: float) -> float:
        if self.ramp == "exponential" and (self.length is None or t < self.length):
            tau = max((self.length or 0) / 5, TINY) if self.tau is None else self.tau
            return -math.expm1(-(t + 1) / tau)
        if self.length is None or t >= self.length:
            return 1.0
        exponent = 1 if self.ramp == "linear" else self.exponent or DEFAULT_EXPONENT
        if self.start is None:
            return min(1.0, (t + 1) / self.length) ** exponent
        if self.ramp == "constant":
            return self.start
        if self.ramp == "geometric":
            return self.start ** (1 - t / self.length)
        return blend(self.start, (t / self.length) ** exponent)


@dataclass(frozen=True, repr=False)
class wsd(Timed):
    """Warmup, stable, decay: a rise, a long stretch at the peak, a fall over the last t's.

        p         = (t - (total - decay)) / decay
        factor(t) = min(1, (t + 1) / warmup)       for t < warmup
                    1                              until t = total - decay
                    floor + (1 - floor) left(p)    for total - decay <= t < total
                    floor                          for t >= total
        left(p)   = 1 - p  |  (1 + cos(pi p)) / 2  |  1 - sqrt(p)      linear | cosine | sqrt

    `total` includes both warmup and decay, warmup + decay <= total; either may be 0. floor from 0
    to 1. Length: total. t < 0 is refused. t counts updates or epochs, as the training loop is
    told.

    Source: Hu et al. 2024 (MiniCPM, arXiv 2404.06395); the tail "sqrt" (elsewhere "1-sqrt"),
    Hagele et al. 2024 (arXiv 2405.18392). Equals transformers' `warmup_stable_decay` and timm's
    WSDLRScheduler from the end of their warmup, which starts at 0 or at the floor: that is
    `warmup(W, start=floor).then(wsd(total - W, 0, decay, floor))`.

    Example:
        >>> from lrcourse import schedules as s
        >>> s.wsd(10, warmup=2, decay=4)([0, 1, 6, 8, 10]).tolist()
        [0.5, 1.0, 1.0, 0.5, 0.0]
    """

    total: float
    warmup: float
    decay: float
    floor: float = 0.0
    tail: str = "linear"

    def __post_init__(self) -> None:
        check(self, total=POSITIVE, warmup=NOT_NEGATIVE, decay=NOT_NEGATIVE, floor=FRACTION)
        check(self, tail=one_of("linear", "cosine", "sqrt"))
        if self.warmup + self.decay > self.total:
            raise ValueError(
                f"wsd: warmup + decay must be at most total, which includes both; got "
                f"warmup={self.warmup!r}, decay={self.decay!r}, total={self.total!r}"
            )

    @property
    def peak_at(self) -> float:
        return max(self.warmup - 1, 0)

    def _at(self, t: float) -> float:
        if t >= self.total:
            return self.floor
        if t < self.warmup:
            return min(1.0, (t + 1) / self.warmup)
        into_decay = t - (self.total - self.decay)
        if into_decay <= 0:
            return 1.0
        return blend(self.floor, remaining(min(1.0, into_decay / self.decay), self.tail))
