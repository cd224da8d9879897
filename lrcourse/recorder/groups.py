"""What a parameter group says of its learning rate and momentum."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lrcourse.recorder.protocols import Group
from lrcourse.support.checks import shown


def check_rate(group: Group, optimizer: object) -> None:
    """ValueError where the group of an optimizer holds no learning rate."""
    try:
        float(group["lr"])
    except (KeyError, TypeError, ValueError):
        raise ValueError(
            f"{type(optimizer).__name__} has no learning rate to record: 'lr' of a parameter "
            f"group is {shown(group.get('lr'))}, so it sets its step by itself"
        ) from None


def is_schedule_free(group: Group) -> bool:
    """Whether a group belongs to a schedule-free optimizer, which scales its LR by itself."""
    return "scheduled_lr" in group or {"weight_sum", "lr_max"} <= group.keys()


def rate_of(group: Group) -> float:
    """The LR that stands in a group."""
    return float(group["lr"])


def rate_used(group: Group) -> float:
    """The LR that an update has just used: a schedule-free one has scaled its own."""
    if "scheduled_lr" in group:
        return float(group["scheduled_lr"])
    # pytorch_optimizer's keep the highest rate so far, which a warmup is still below.
    return (
        min(rate_of(group), float(group["lr_max"])) if is_schedule_free(group) else rate_of(group)
    )


def base_of(group: Group) -> float:
    """The LR that a group's schedule starts from: `initial_lr`, where a scheduler keeps one."""
    return float(group.get("initial_lr", group["lr"]))


def peak_of(group: Group) -> float:
    """The LR that a group's schedule leads to: 1cycle's `max_lr`, else what it starts from.

    Example:
        >>> from lrcourse.recorder import peak_of
        >>> peak_of({"lr": 0.004, "initial_lr": 0.004, "max_lr": 0.1})
        0.1

    Raises:
        TypeError: for what is no parameter group.
    """
    if not isinstance(group, dict) or "lr" not in group:
        raise TypeError(
            f"peak_of: group must be a parameter group, a dictionary with 'lr'; got {shown(group)}"
        )
    return float(group.get("max_lr", base_of(group)))


def momentum_of(group: Group) -> float:
    """A parameter group's momentum, or its first beta; NaN where it has neither."""
    momentum = group.get("momentum")
    if momentum is None:
        betas = group.get("betas")
        momentum = betas[0] if betas else math.nan
    return float(momentum)


def group_names(groups: Sequence[Group]) -> tuple[str, ...]:
    """A name for each parameter group: its own `name` if it has one."""
    return tuple(str(group.get("name", f"group {g}")) for g, group in enumerate(groups))
