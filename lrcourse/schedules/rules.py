"""Rules: rates that follow a run's progress. Their values are frozen, their states are per run."""

from __future__ import annotations

from dataclasses import dataclass

from lrcourse.support.checks import Number, check, plain_number

_SHARE = Number("a number between 0 and 1, both excluded", lambda v: 0 < v < 1)


class Rule:
    """What decides the factor of the peak LR from a metric after each epoch.

    A rule is a frozen value; ``start()`` gives the state of one training run, which has a
    ``factor`` and is told each metric with ``observe(metric)``. ``watch`` names the column of the
    history.
    """

    watch: str | None


@dataclass(frozen=True, repr=False)
class warm_until(Rule):
    """A low rate until the training accuracy is reached, then the peak, for good.

        factor(epoch) = factor   until an epoch ends with train_acc > accuracy
                        1        in all later epochs

    ``accuracy`` and ``factor`` lie between 0 and 1, both excluded. The length of this warmup is not
    known before: it is a rule and not a schedule. The accuracy is that of an epoch, measured on the
    batches while the net is changing. NaN never reaches it.

    Source: He et al. 2015 (arXiv 1512.03385), section 4.2, for ResNet-110: 0.01 until the training
    error is below 80 % (about 400 updates, there about one epoch), then 0.1. That is
    ``warm_until(accuracy=0.2, factor=0.1)`` with a peak of 0.1.
    """

    accuracy: float = 0.2
    factor: float = 0.1

    watch = "train_acc"

    def __post_init__(self) -> None:
        check(self, accuracy=_SHARE, factor=_SHARE)

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
        value = plain_number(metric)
        if value is None:
            raise TypeError(f"observe takes a number, such as 0.35; got {metric!r}")
        if value > self.rule.accuracy:
            self.factor = 1.0
        return self.factor
