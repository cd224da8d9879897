"""Optimizer and scheduler as they are before the first update, read off and left as they are."""

from __future__ import annotations

import contextlib
import math

import numpy as np

from lrcourse.recorder import OptimizerLike, SchedulerLike, groups_of
from lrcourse.recorder.groups import base_of, group_names, rate_of
from lrcourse.schedules import Schedule
from lrcourse.schedules.rules import plateau
from lrcourse.tracing.anatomy import inside_of, leaves
from lrcourse.tracing.findings import Finding
from lrcourse.tracing.parts import Anatomy
from lrcourse.tracing.readers import TORCH

_REWRITERS = ("OneCycleLR", "CyclicLR")
FAR, FAR_BELOW = 0.1, 1e-3  # from the closed form: of what it gives, and of the base


class Condition:
    """Optimizer and scheduler as they are when the trace begins.

    `momentum`, of shape (updates, groups), is what the trace has come to.
    """

    def __init__(
        self,
        optimizer: OptimizerLike,
        scheduler: SchedulerLike | Schedule | plateau,
        built: Anatomy,
        momentum: np.ndarray,
    ) -> None:
        self.optimizer, self.scheduler = optimizer, inside_of(scheduler)
        self.built, self.moved = built, momentum
        self.groups = groups_of(optimizer)
        self.names = group_names(self.groups)
        self.rates = [rate_of(group) for group in self.groups]
        known = leaves(self.scheduler)
        self.inside = [leaf for leaf in known if type(leaf).__module__ == TORCH]
        self.rewriters = [leaf for leaf in self.inside if type(leaf).__name__ in _REWRITERS]
        self.others = [
            leaf for leaf in self.inside if leaf not in self.rewriters and hasattr(leaf, "base_lrs")
        ]
        self.defaults = getattr(optimizer, "defaults", {})
        self.used = any(getattr(optimizer, "state", {}).values())
        self.stepped = getattr(optimizer, "_opt_called", False)

    def finding(self, code: str, group: int, message: str, mend: str) -> Finding:
        """At update 0, with the rate that the group has now."""
        return Finding(code, 0, group, self.rates[group], message, mend)

    def unlike_closed(self) -> dict[int, float]:
        """Groups whose rate is not that of the closed form, and what this gives."""
        leaf = self.scheduler
        said, closed = (getattr(leaf, n, None) for n in ("_last_lr", "_get_closed_form_lr"))
        if not self.built.position or leaf not in self.inside or said is None or closed is None:
            return {}
        rows: list[list[float]] = []
        with contextlib.suppress(Exception):  # a formula may divide by a length of 0
            rows = [self.rates, [float(lr) for lr in said], [float(lr) for lr in closed()]]
        if len({len(row) for row in rows}) != 1:
            return {}
        return {
            g: due
            for g, (lr, last, due) in enumerate(zip(*rows, strict=True))
            if same(lr, last)
            and abs(lr - due) > FAR * abs(due) + FAR_BELOW * abs(base_of(self.groups[g]))
        }


def same(one: float, other: float) -> bool:
    """Whether two rates are alike; so are two NaN."""
    return math.isclose(one, other, rel_tol=1e-6) or (math.isnan(one) and math.isnan(other))
