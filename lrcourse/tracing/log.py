"""A record of a loop's learning rates that can be compared with what was intended."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lrcourse.recorder import OptimizerLike, Recorder, base_of, groups_of, peak_of
from lrcourse.schedules.base import Schedule
from lrcourse.support.checks import COUNT_FROM_1, arguments, shown
from lrcourse.tracing.compare import compare
from lrcourse.tracing.findings import Findings
from lrcourse.tracing.result import Trace

Intended = Schedule | Trace | Recorder | Sequence[float] | np.ndarray


class Log(Recorder):
    """A `Recorder` that also remembers each group's peak, to compare shapes with.

    The peak is the LR that the group has when recording begins, or that its scheduler started from
    (`initial_lr`; 1cycle's `max_lr`).
    """

    def __init__(self, optimizer: OptimizerLike) -> None:
        super().__init__(optimizer)
        groups = groups_of(optimizer)
        self.peaks = tuple(map(peak_of, groups))
        self.bases = tuple(map(base_of, groups))

    @arguments(updates_per_epoch=COUNT_FROM_1)
    def against(
        self,
        intended: Intended,
        *,
        peak: float | Sequence[float] | None = None,
        updates_per_epoch: int = 1,
    ) -> Findings:
        """Where the LR applied differs from the one intended: "nothing found" where it does not.

        Args:
            intended: a shape, a trace, another record, or the rates themselves, of shape
                (updates,) or (updates, groups).
            peak: what a shape multiplies, one number or one for each group; left out, `peaks`.
            updates_per_epoch: 1 for a shape that counts updates, else it counts epochs of so many.

        Raises:
            TypeError: for an intention of another kind.
            ValueError: for one that has another number of groups.
        """
        applied = self.lr
        wanted = self._wanted(intended, peak, updates_per_epoch)
        if wanted.ndim != 2 or wanted.shape[1] not in (1, applied.shape[1]):
            raise ValueError(
                f"the record has {applied.shape[1]} groups, and what was intended has the shape "
                f"{wanted.shape}; give (updates,) or (updates, groups)"
            )
        wanted = np.broadcast_to(wanted, (len(wanted), applied.shape[1]))
        every = intended.every if isinstance(intended, Trace) else updates_per_epoch
        return compare(applied, self.absent, wanted, self.names, every)

    def _wanted(
        self, intended: Intended, peak: float | Sequence[float] | None, updates_per_epoch: int
    ) -> np.ndarray:
        if isinstance(intended, Schedule):
            peaks = np.broadcast_to(
                np.asarray(self.peaks if peak is None else peak, float), (self.lr.shape[1],)
            )
            # Beyond the record, too: updates may have been left out.
            times = np.arange(len(self) + len(self) // 2 if updates_per_epoch == 1 else len(self))
            return intended(times // updates_per_epoch)[:, None] * peaks
        if isinstance(intended, Trace | Recorder):
            return intended.lr
        try:
            wanted = np.asarray(intended, np.float64)
        except (TypeError, ValueError):
            raise TypeError(
                f"against: intended must be a shape, a trace, a record or rates; got "
                f"{shown(intended)}"
            ) from None
        return wanted[:, None] if wanted.ndim == 1 else wanted
