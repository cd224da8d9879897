"""A record of a loop's learning rates that can be compared with what was intended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self, cast

import numpy as np

from lrcourse.recorder import OptimizerLike, Recorder, peak_of
from lrcourse.recorder.groups import base_of
from lrcourse.recorder.protocols import Group
from lrcourse.schedules.base import Schedule
from lrcourse.support.checks import (
    COUNT_FROM_1,
    POSITIVE,
    arguments,
    each,
    optional,
    plain_number,
    shown,
)
from lrcourse.tracing.compare import compare
from lrcourse.tracing.findings import Findings
from lrcourse.tracing.result import Trace

MOST_BEYOND = 1_000_000  # updates of a shape that are known beyond a record

Intended = Schedule | Trace | Recorder | Sequence[float] | np.ndarray


def _intended(owner: str, name: str, value: Any) -> Schedule | Trace | Recorder | np.ndarray:
    """Rule: a shape, a trace, a record, or finite rates, which become (updates, 1 or groups)."""
    if isinstance(value, Schedule | Trace | Recorder):
        return value
    try:
        rates = np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        rates = np.empty(0)
    if rates.ndim not in (1, 2) or not rates.size or not np.isfinite(rates).all():
        raise TypeError(
            f"{owner}: {name} must be a shape, a trace, a record, or rates of shape (updates,) or "
            f"(updates, groups); got {shown(value)}"
        )
    return rates[:, None] if rates.ndim == 1 else rates


def _peak(owner: str, name: str, value: Any) -> float | list[float]:
    """Rule: one rate, or one for each group."""
    if plain_number(value) is not None or not isinstance(value, Iterable):
        return POSITIVE(owner, name, value)
    return each(POSITIVE)(owner, name, value)


class Log(Recorder):
    """A `Recorder` that also remembers each group's peak, to compare shapes with.

    The peak is the LR that the group has when recording begins, or that its scheduler started from
    (`initial_lr`; 1cycle's `max_lr`). Of a group that is added later it is read at its first
    update.

    Example:
        >>> import torch
        >>> from lrcourse.tracing import Log
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> with Log(optimizer) as log:
        ...     optimizer.step()
        >>> log.peaks, log.lr.tolist()
        ((0.1,), [[0.1]])
    """

    def __init__(self, optimizer: OptimizerLike) -> None:
        super().__init__(optimizer)
        # By optimizer and place there, as the columns: (peak, base).
        self._firsts: dict[tuple[int, int], tuple[float, float]] = {}
        self._meet_all()
        self._used = False

    def __enter__(self) -> Self:
        if not len(self):
            optimizers = [one.optimizer for one in self._stepping]
            self._used = any(o.state or getattr(o, "_opt_called", False) for o in optimizers)
        return super().__enter__()

    def _meet_all(self) -> None:
        for k, stepper in enumerate(self._stepping):
            self._meet(k, stepper.groups)

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

    @arguments(intended=_intended, peak=optional(_peak), updates_per_epoch=COUNT_FROM_1)
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
            ValueError: for one that has another number of groups; a peak that is not positive.
        """
        applied = self.lr
        wanted = self._wanted(cast(Any, intended), peak, updates_per_epoch)
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
        self,
        intended: Schedule | Trace | Recorder | np.ndarray,
        peak: float | Sequence[float] | None,
        updates_per_epoch: int,
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
        return intended if isinstance(intended, np.ndarray) else intended.lr
