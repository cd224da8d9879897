"""When a schedule's length does not fit its training: one rule for fit's warning and for lint."""

from __future__ import annotations

LONG = 0.5  # of the training: a schedule that is over by then leaves too much behind it
LONG_MILESTONES = 0.1  # the same of a staircase, whose last rate is often held for long
LATE = 1.2  # times the training: a schedule that takes longer is meant for another one
FEWEST_STEPS = 4  # of the training; with fewer there is little to say about lengths


def ends_early(length: float, total: int, *, stepwise: bool = False) -> bool:
    """Whether a decay of `length` steps is over long before a training of `total` steps."""
    return total >= FEWEST_STEPS and length <= (LONG_MILESTONES if stepwise else LONG) * total


def ends_late(length: float, total: int) -> bool:
    """Whether a schedule of `length` steps ends long after a training of `total` steps."""
    return length > LATE * max(total, FEWEST_STEPS)
