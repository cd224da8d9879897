"""Lower the rate when progress stalls: not a function of t, so a rule and not a schedule."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lrcourse.schedules.base import short_repr
from lrcourse.schedules.rules import Rule
from lrcourse.support.checks import COUNT, FRACTION, Number, check, check_choice, plain_number

WATCHABLE = ("train_loss", "valid_loss", "valid_acc")

_SHRINKING = Number("a number between 0 and 1, both excluded", lambda v: 0 < v < 1)
_THRESHOLD = Number("a number from 0 to below 1", lambda v: 0 <= v < 1)


@dataclass(frozen=True, repr=False)
class plateau(Rule):
    """Multiply the factor by `factor` after more than `patience` observations without progress.

        progress, mode "min":   metric < best - threshold |best|
        progress, mode "max":   metric > best + threshold |best|
        otherwise bad += 1, and once bad > patience:
            factor <- max(floor, factor * self.factor), bad <- 0

    The rule itself is a frozen value; `start()` gives the state of one training run, which begins
    at factor 1 and is told each metric with `observe(metric)`. The first observation is always
    progress, NaN never is. After a cut, the next `cooldown` observations are not counted as bad.
    The factor never falls below `floor`, a fraction of the peak learning rate.

    `watch` is what the training loop observes after each epoch: "train_loss", "valid_loss" or
    "valid_acc" (with mode="max"); None leaves it to the loop. The test split is never watched: a
    rate that was chosen by it would have seen the test.

    Source: common practice (He et al. 2016 divide by 10 "when the error plateaus"). Counts as
    torch's ReduceLROnPlateau with its relative threshold (and eps=0), and so as transformers'
    `reduce_lr_on_plateau` and timm's PlateauLRScheduler; but torch moves the bar the wrong way
    for a negative metric, `best * (1 - threshold)`, and this rule does not.
    """

    factor: float = 0.5
    patience: int = 3
    threshold: float = 1e-4
    floor: float = 0.0
    cooldown: int = 0
    mode: str = "min"
    watch: str | None = None

    def __post_init__(self) -> None:
        check(self, factor=_SHRINKING, patience=COUNT, threshold=_THRESHOLD)
        check(self, floor=FRACTION, cooldown=COUNT)
        check_choice(self, "mode", ("min", "max"))
        if isinstance(self.watch, str) and self.watch.startswith("test"):
            raise ValueError(
                f"plateau: watch={self.watch!r}: the test split is never watched, for then it "
                f"would choose the learning rate; watch one of {', '.join(map(repr, WATCHABLE))}"
            )
        check_choice(self, "watch", (None, *WATCHABLE))
        if self.watch is not None and self.mode != _MODE_OF[self.watch]:
            raise ValueError(
                f"plateau: watch={self.watch!r} needs mode={_MODE_OF[self.watch]!r}; "
                f"got mode={self.mode!r}, which takes every improvement for a plateau"
            )

    def __repr__(self) -> str:
        return short_repr(self)

    def start(self) -> PlateauState:
        """The state for one training run, with factor 1."""
        return PlateauState(self, best=math.inf if self.mode == "min" else -math.inf)


_MODE_OF = {"train_loss": "min", "valid_loss": "min", "valid_acc": "max"}


@dataclass
class PlateauState:
    """One run's progress under a plateau rule: its factor of the peak rate, and what it counted."""

    rule: plateau
    best: float
    factor: float = 1.0
    bad: int = 0
    cooling: int = 0

    def observe(self, metric: float) -> float:
        """Take in one metric and give the factor from here on; TypeError unless a number."""
        value = plain_number(metric)
        if value is None:
            raise TypeError(
                f"observe takes a number, such as loss.item(); got {metric!r}, "
                f"a {type(metric).__name__}"
            )
        if self._is_progress(value):
            self.best = value
            self.bad = 0
        else:
            self.bad += 1
        if self.cooling:
            self.cooling -= 1
            self.bad = 0
        if self.bad > self.rule.patience:
            self.factor = max(self.rule.floor, self.factor * self.rule.factor)
            self.bad = 0
            self.cooling = self.rule.cooldown
        return self.factor

    def _is_progress(self, value: float) -> bool:
        margin = math.copysign(self.rule.threshold, self.best)
        if self.rule.mode == "min":
            return value < self.best * (1 - margin)
        return value > self.best * (1 + margin)
