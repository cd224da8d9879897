"""The result of a trace: the LR and the momentum of each update, as arrays and as a table."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lrcourse.tracing.findings import Finding
from lrcourse.tracing.parts import Anatomy

if TYPE_CHECKING:
    import os

SHOWN_GROUPS = 5
FIRST_ROWS = 3


@dataclass(frozen=True, eq=False, repr=False)
class Trace:
    """What each parameter group's LR and momentum will be at each update.

    Attributes:
        lr: float64, shape (updates, groups); row t belongs to the update before which t were made.
        momentum: the same for the momentum (beta 1 for Adam and its kin); NaN where there is none.
        names: of the groups.
        error: that error as text, else None.
        notes: what torch (or others) warned of on the way, each once.
        asked: the updates asked for.
        every: updates from one step of the scheduler to the next.
        title: scheduler and optimizer in words.
    """

    lr: np.ndarray
    momentum: np.ndarray
    names: tuple[str, ...]
    error: str | None = None
    notes: tuple[str, ...] = ()
    asked: int = 0
    every: int = 1
    title: str = ""
    changes_at: int | None = None  # for rates that never change: when they would have
    anatomy: Anatomy = field(default_factory=lambda: Anatomy("", ()))
    bases: tuple[float, ...] = ()  # the LR that each group starts from
    before: tuple[Finding, ...] = ()  # what was wrong before the first update

    @property
    def stopped_at(self) -> int | None:
        """The number of updates made when the scheduler raised an error; None where it did not."""
        return None if self.error is None else self.updates

    @property
    def updates(self) -> int:
        """The number of updates traced."""
        return len(self.lr)

    def rows(self) -> list[dict[str, Any]]:
        """One mapping an update: update, and LR and momentum of each group."""
        keys = [f"lr {name}" for name in self.names] + [f"momentum {name}" for name in self.names]
        table = np.hstack([self.lr, self.momentum]).tolist()
        return [{"update": t, **dict(zip(keys, row, strict=True))} for t, row in enumerate(table)]

    def plot(self, path: str | os.PathLike[str] | None = None, *, name: str = "trace") -> None:
        """Draw LR and momentum over the updates; with a path, save that PNG instead of showing.

        `name` is the figure's, where a headless run keeps it.
        """
        from lrcourse.tracing.figure import draw  # matplotlib takes its time

        before_the_end = self.stopped_at is not None and self.stopped_at < self.asked
        stopped_at = self.stopped_at if before_the_end else None
        arrays = self.lr, self.momentum, self.names
        draw(*arrays, self.title, stopped_at=stopped_at, path=path, name=name)

    def __repr__(self) -> str:
        return f"<Trace: {self.title}, {self.updates} updates, {len(self.names)} groups>"

    def __str__(self) -> str:
        per = "update" if self.every == 1 else f"{self.every} updates"
        lines = [f"{self.title}: {self.updates} updates, a step of the scheduler after each {per}"]
        if self.updates:
            lines += ["", *self._table()]
        hidden = len(self.names) - SHOWN_GROUPS
        if hidden > 0:
            lines.append(f"({hidden} more groups in .lr)")
        if self.error is not None:
            lines += ["", f"stopped after {self.stopped_at} updates: {self.error}"]
        lines += [textwrap.shorten(f"warned: {note}", 100) for note in self.notes]
        return "\n".join(lines)

    def _table(self) -> list[str]:
        shown = self._shown_updates()
        names = self.names[:SHOWN_GROUPS]
        columns = [["update", *map(str, shown)]]
        for g, name in enumerate(names):
            columns.append([name, *(f"{self.lr[t, g]:.4g}" for t in shown)])
        for g, name in enumerate(names):
            momentum = self.momentum[:, g]
            if np.isfinite(momentum).any() and np.ptp(momentum) > 0:
                columns.append([f"momentum, {name}", *(f"{momentum[t]:.4g}" for t in shown)])
        columns.append(["", *shown.values()])
        widths = [max(map(len, column)) for column in columns]
        return [
            "  ".join(
                cell.ljust(width) if k == len(columns) - 1 else cell.rjust(width)
                for k, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in zip(*columns, strict=True)
        ]

    def _shown_updates(self) -> dict[int, str]:
        """The updates of the table, each with the words for it."""
        last = self.updates - 1
        words = {t: "" for t in range(min(FIRST_ROWS, self.updates))}
        words |= {last * part // 4: "" for part in (1, 2, 3)}
        lr = np.where(np.isfinite(self.lr), self.lr, -np.inf)
        peaks = {int(t) for t in lr[:, :SHOWN_GROUPS].argmax(0)}
        words |= {t: "peak" for t in peaks}
        words[last] = "peak, last" if last in peaks else "last"
        return dict(sorted(words.items()))
