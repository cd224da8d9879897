"""A record of a loop's learning rates that can be compared with what was intended."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from lrcourse.recorder import Recorder
from lrcourse.schedules.base import Schedule
from lrcourse.tracing.drift import compare
from lrcourse.tracing.findings import Findings
from lrcourse.tracing.result import Trace


class Log(Recorder):
    """A ``Recorder`` that also remembers each group's peak, to compare shapes with.

    The peak is the LR that the group has when recording begins, or that its scheduler started from
    (``initial_lr``; 1cycle's ``max_lr``).
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        super().__init__(optimizer)
        self.peaks = tuple(
            float(group.get("max_lr", group.get("initial_lr", group["lr"])))
            for group in optimizer.param_groups
        )

    def against(
        self,
        intended: Schedule | Trace | Recorder | Sequence[float] | np.ndarray,
        *,
        peak: float | Sequence[float] | None = None,
        updates_per_epoch: int = 1,
    ) -> Findings:
        """Where the LR applied differs from the one intended: "nothing found" where it does not.

        ``intended`` is a shape, a trace, another record, or the rates themselves, of shape
        (updates,) or (updates, groups). A shape counts updates, or epochs of
        ``updates_per_epoch``; ``peak`` is what it multiplies, one number or one for each group
        (default: ``self.peaks``).
        """
        if updates_per_epoch < 1:
            raise ValueError(f"updates_per_epoch is a number from 1 on, not {updates_per_epoch!r}")
        wanted = self._wanted(intended, peak, updates_per_epoch)
        if wanted.ndim != 2 or wanted.shape[1] not in (1, self.lr.shape[1]):
            raise ValueError(
                f"the record has {self.lr.shape[1]} groups, and what was intended has the shape "
                f"{wanted.shape}; give (updates,) or (updates, groups)"
            )
        wanted = np.broadcast_to(wanted, (len(wanted), self.lr.shape[1]))
        every = intended.every if isinstance(intended, Trace) else updates_per_epoch
        return compare(self.lr, wanted, self.names, every)

    def _wanted(self, intended, peak, updates_per_epoch: int) -> np.ndarray:
        if isinstance(intended, Schedule):
            peaks = np.broadcast_to(
                np.asarray(self.peaks if peak is None else peak, float), (self.lr.shape[1],)
            )
            factors = intended(np.arange(len(self)) // updates_per_epoch)
            return factors[:, None] * peaks
        if isinstance(intended, Trace | Recorder):
            return intended.lr
        wanted = np.asarray(intended, np.float64)
        return wanted[:, None] if wanted.ndim == 1 else wanted
