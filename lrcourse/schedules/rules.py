"""Rules: rates that follow a run's progress. Their values are frozen, their states are per run."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

from lrcourse.schedules.base import short_repr
from lrcourse.support.checks import (
    BELOW_1,
    BETWEEN_0_AND_1,
    COUNT,
    FRACTION,
    check,
    of_kind,
    one_of,
    optional,
    plain_number,
    shown,
)

# What may be watched, and which way is better.
_MODE_OF = {"train_loss": "min", "valid_loss": "min", "valid_acc": "max"}


class RuleState(Protocol):
    """One run's progress under a rule: the factor of the peak rate, which metrics may change."""

    factor: float

    def observe(self, metric: float) -> float:
        """Take in one `metric` and give the factor from here on."""
        ...


class Rule(ABC):
    """What decides the factor of the peak LR from a metric after each epoch.

    A rule is a frozen value; `start()` gives the state of one training run, which has a `factor`
    and is told each metric with `observe(metric)`. `watch` names the column of the history.
    """

    watch: str | None

    @abstractmethod
    def start(self) -> RuleState:
        """The state for one training run."""

    def __repr__(self) -> str:
        return short_repr(self)


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

    Raises:
        ValueError: an argument out of its range (`factor` between 0 and 1, `threshold` from 0 to
            below 1, `floor` from 0 to 1, the counts >= 0), or a `watch` that does not go with the
            `mode`.

    Source: common practice (He et al. 2016 divide by 10 "when the error plateaus"). Counts as
    torch's ReduceLROnPlateau with its relative threshold (and eps=0), and so as transformers'
    `reduce_lr_on_plateau` and timm's PlateauLRScheduler; but torch moves the bar the wrong way
    for a negative metric, `best * (1 - threshold)`, and this rule does not.

    Example:
        >>> from lrcourse import schedules as s
        >>> state = s.plateau(factor=0.5, patience=1).start()
        >>> [state.observe(loss) for loss in (1.0, 0.5, 0.5, 0.5)]
        [1.0, 1.0, 1.0, 0.5]
    """

    factor: float = 0.5
    patience: int = 3
    threshold: float = 1e-4
    floor: float = 0.0
    cooldown: int = 0
    mode: str = "min"
    watch: str | None = None

    def __post_init__(self) -> None:
        check(self, factor=BETWEEN_0_AND_1, patience=COUNT, threshold=BELOW_1, floor=FRACTION)
        check(self, cooldown=COUNT, mode=one_of("min", "max"))
        if isinstance(self.watch, str) and self.watch.startswith("test"):
            raise ValueError(
                f"plateau: watch={self.watch!r}: the test split is never watched, for then it "
                f"would choose the learning rate; watch one of {', '.join(map(repr, _MODE_OF))}"
            )
        check(self, watch=optional(one_of(*_MODE_OF)))
        if self.watch is not None and self.mode != _MODE_OF[self.watch]:
            raise ValueError(
                f"plateau: watch={self.watch!r} needs mode={_MODE_OF[self.watch]!r}; "
                f"got mode={self.mode!r}, which takes every improvement for a plateau"
            )

    def start(self) -> PlateauState:
        """The state for one training run, with factor 1."""
        return PlateauState(self, best=math.inf if self.mode == "min" else -math.inf)


@dataclass
class PlateauState:
    """One run's progress under a plateau rule: its factor of the peak rate, and what it counted.

    Attributes:
        rule: whose progress it is.
        best: the best metric so far.
        factor: of the peak rate.
        bad: observations without progress since the last progress or cut.
        cooling: observations that the next cut has to wait for.

    Example:
        >>> from lrcourse import schedules as s
        >>> state = s.plateau().start()
        >>> state.observe(0.7), state.best
        (1.0, 0.7)
    """

    rule: plateau
    best: float
    factor: float = 1.0
    bad: int = 0
    cooling: int = 0

    def observe(self, metric: float) -> float:
        """Take in one `metric` and give the factor from here on; TypeError unless a number."""
        value = _metric(metric)
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


@dataclass(frozen=True, repr=False)
class warm_until(Rule):
    """A low rate until the training accuracy is reached, then the peak, for good.

        factor(epoch) = factor   until an epoch ends with train_acc > accuracy
                        1        in all later epochs

    `accuracy` and `factor` lie between 0 and 1, both excluded. The length of this warmup is not
    known before: it is a rule and not a schedule. The accuracy is that of an epoch, measured on the
    batches while the net is changing. NaN never reaches it.

    Source: He et al. 2015 (arXiv 1512.03385), section 4.2, for ResNet-110: 0.01 until the training
    error is below 80 % (about 400 updates, there about one epoch), then 0.1. That is
    `warm_until(accuracy=0.2, factor=0.1)` with a peak of 0.1.

    Example:
        >>> from lrcourse import schedules as s
        >>> state = s.warm_until(accuracy=0.5).start()
        >>> [state.observe(accuracy) for accuracy in (0.3, 0.6, 0.4)]
        [0.1, 1.0, 1.0]
    """

    accuracy: float = 0.2
    factor: float = 0.1

    watch = "train_acc"

    def __post_init__(self) -> None:
        check(self, accuracy=BETWEEN_0_AND_1, factor=BETWEEN_0_AND_1)

    def __repr__(self) -> str:
        return f"warm_until({self.accuracy!r}, factor={self.factor!r})"

    def start(self) -> WarmState:
        """The state for one training run, with the low factor."""
        return WarmState(self, self.factor)


@dataclass
class WarmState:
    """One run's progress under `warm_until`: its factor of the peak rate."""

    rule: warm_until
    factor: float

    def observe(self, metric: float) -> float:
        """Take in one epoch's accuracy and give the factor from here on; TypeError if no number."""
        value = _metric(metric)
        if value > self.rule.accuracy:
            self.factor = 1.0
        return self.factor


def _metric(value: object) -> float:
    metric = plain_number(value)
    if metric is None:
        raise TypeError(
            f"observe takes a number as metric, such as loss.item(); got {shown(value)}, "
            f"{of_kind(value)}"
        )
    return metric
