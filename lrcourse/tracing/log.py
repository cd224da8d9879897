"""A record of a loop's learning rates that can be compared with what was intended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from lrcourse.recorder import OptimizerLike, Recorder, peak_of
from lrcourse.recorder.groups import base_of
from lrcourse.recorder.protocols import Group
from lrcourse.schedules.base import Schedule
from lrcourse.support.checks import COUNT_FROM_1, arguments, shown
from lrcourse.tracing.compare import compare
from lrcourse.tracing.findings import Findings
from lrcourse.tracing.result import Trace

MOST_BEYOND = 1_000_000  # updates of a shape that are known beyond a record

Intended = Schedule | Trace | Recorder | Sequence[float] | np.ndarray


class Log(Recorder):
    """A `Recorder` that also remembers each group's peak, to compare shapes with.

    The peak is the LR that the group has when recording begins, or that its scheduler started from
    (`initial_lr`; 1cycle's `max_lr`). Of a group that is added later it is read at its first
    update.
    """

    def __init__(self, optimizer: OptimizerLike) -> None:
        super().__init__(optimizer)
        # By optimizer and place there, as the columns: (peak, base).
        self._firsts: dict[tuple[int, int], tuple[float, float]] = {}
        self._meet_all()
        self._used = False

    def __enter__(self) -> Self:
        if not len(self):
            optimizers = [each.optimizer for each in self._stepping]
            self._used = any(o.state or getattr(o, "_opt_called", False) for o in optimizers)
        return super().__enter__()

    def _meet_all(self) -> None:
        for k, each in enumerate(self._stepping):
            self._meet(k, each.groups)

    def _meet(self, k: int, groups: list[Group]) -> None:
        super()._meet(k, groups)
        for g, group in enumerate(groups):
            self._firsts.setdefault((k, g), (peak_of(group), base_of(group)))

    @property
    def peaks(self) -> tuple[float, ...]:
        """The peak of each group, in the order of `lr`."""
        return tuple(peak for peak, _ in self._ordered())

    @property
    def bases(self) -> tuple[float, ...]:
        """The LR that each group's schedule started from, in the order of `lr`."""
        return tuple(base for _, base in self._ordered())

    def _ordered(self) -> list[tuple[float, float]]:
        self._meet_all()  # a group may have been added after the last update
        columns = self._columns()
        return [self._firsts[place] for place in sorted(columns, key=columns.__getitem__)]

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
        added = self._added()
        return compare(
            applied, self.absent, wanted, self.names, every, added=added, used=self._used
        )

    def _added(self) -> list[bool]:
        """For each group, in the order of `lr`, whether its optimizer made updates without it."""
        columns = self._columns()
        stepped = {k for row in self._rows for k in row}
        there = {(k, g) for row in self._rows for k in row for g in range(len(row[k]))}
        order = sorted(columns, key=columns.__getitem__)
        return [place[0] in stepped and place not in there for place in order]

    def _wanted(
        self, intended: Intended, peak: float | Sequence[float] | None, updates_per_epoch: int
    ) -> np.ndarray:
        if isinstance(intended, Schedule):
            groups = self.lr.shape[1]
            peaks = np.asarray(self.peaks if peak is None else peak, float)
            if peaks.shape not in ((), (1,), (groups,)):
                raise ValueError(
                    f"against: peak must be one number or one for each of the {groups} groups of "
                    f"the record; got {shown(peak)}"
                )
            peaks = np.broadcast_to(peaks, (groups,))
            # Beyond the record, too: it may have begun later, and updates may have been left out.
            whole = 9 * len(self) if intended.length is None else intended.length
            more = max(len(self) // 2, min(int(whole * updates_per_epoch), MOST_BEYOND))
            times = np.arange(len(self) + more)
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
