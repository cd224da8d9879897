"""The curves of a range test: plain data, from which rules and figures read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lrcourse.support.checks import arguments, one_of

QUANTITIES = ("loss", "accuracy", "held_out_loss", "held_out_accuracy")


@dataclass(frozen=True, eq=False)
class Curve:
    """One repeat. Arrays have one entry an update.

    Attributes:
        lr: the rate of the parameter group with the largest one, read inside the update, float64.
        group_lr: the same of every group, shape (updates, groups).
        loss: training loss, measured just before the update that used this rate.
        accuracy: training accuracy likewise, or None where there is none.
        held_out_loss, held_out_accuracy: on the held-out batches, just after that update, NaN at
            updates between two measurements and at the one that diverged; None without them.
        diverged_at: the update at which the sweep stopped, its last entry, or None.
        why: "NaN", "infinite" or "rose" where it diverged, "out of batches" where an iterator
            ended before the sweep did, else None.
        skipped: updates that the gradient scaler left out (float16 only).
        seed: of this repeat.
        bad_batch: the update whose batch held NaN or infinity itself, or, for a cross-entropy, no
            target that counts, where it diverged for that: at this update or the next; else None.
        passed_over: batches for which the step gave None.
    """

    lr: np.ndarray
    group_lr: np.ndarray
    loss: np.ndarray
    accuracy: np.ndarray | None
    held_out_loss: np.ndarray | None
    held_out_accuracy: np.ndarray | None
    diverged_at: int | None
    why: str | None
    skipped: tuple[int, ...]
    seed: int
    bad_batch: int | None = None
    passed_over: int = 0

    def __len__(self) -> int:
        return len(self.lr)


@dataclass(frozen=True, eq=False)
class Band:
    """One quantity over the rate: lowest, median and highest of the repeats that got there."""

    lr: np.ndarray
    low: np.ndarray
    median: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, eq=False)
class Curves:
    """Loss and accuracy over the rate, one `Curve` a repeat, and the sweep that gave them.

    Attributes:
        curves: one `Curve` a repeat.
        start, end, updates, scale: the sweep that was asked for.
        smoothing, diverged: how losses are smoothed, and what counts as diverged.
        consumed: batches that were taken for good from a generator, or an iterator whose place
            cannot be put back, or from one inside a loader; None where all is as it was.
        state_before: whether the optimizer had state from earlier updates; the sweep begins with
            it as it was.
        provenance: what was tested, with which versions, on which device; plain data.
    """

    curves: tuple[Curve, ...]
    start: float
    end: float
    updates: int
    scale: str
    smoothing: float
    diverged: float
    consumed: int | None = None
    state_before: bool = False
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def lr(self) -> np.ndarray:
        """The rates of the repeat that went furthest; the others used the first of these."""
        return max(self.curves, key=len).lr

    @property
    def loss(self) -> np.ndarray:
        """Training loss, shape (repeats, updates), NaN where a repeat had stopped."""
        table = self.table("loss")
        assert table is not None  # every curve has one
        return table

    @property
    def accuracy(self) -> np.ndarray | None:
        """Training accuracy, as `loss`; None where there is none."""
        return self.table("accuracy")

    @property
    def held_out_loss(self) -> np.ndarray | None:
        """Held-out loss, as `loss`; None without held-out batches."""
        return self.table("held_out_loss")

    @property
    def held_out_accuracy(self) -> np.ndarray | None:
        """Held-out accuracy, as `loss`; None where there is none."""
        return self.table("held_out_accuracy")

    @property
    def cost(self) -> int:
        """Updates made, by all repeats together."""
        return sum(map(len, self.curves))

    @arguments(quantity=one_of(*QUANTITIES))
    def table(self, quantity: str) -> np.ndarray | None:
        """A `quantity` of all repeats, shape (repeats, updates); None where it was not measured.

        "loss", "accuracy", "held_out_loss" or "held_out_accuracy"; NaN where a repeat had stopped.
        ValueError for another one.
        """
        rows = [getattr(curve, quantity) for curve in self.curves]
        if any(row is None for row in rows):
            return None
        table = np.full((len(rows), len(self.lr)), np.nan)
        for line, row in zip(table, rows, strict=True):
            line[: len(row)] = row
        return table

    def band(self, quantity: str = "loss") -> Band | None:
        """Median and range over the repeats at each rate where one of them was measured.

        `quantity` as for `table`; None where it was not measured.
        """
        table = self.table(quantity)
        if table is None:
            return None
        there = np.isfinite(table).any(0)
        kept = np.where(np.isfinite(table[:, there]), table[:, there], np.nan)
        return Band(
            lr=self.lr[there],
            low=np.nanmin(kept, 0),
            median=np.nanmedian(kept, 0),
            high=np.nanmax(kept, 0),
        )

    def __repr__(self) -> str:
        ends = [
            (c.why or "went to the end") + " (from the batch)" * (c.bad_batch is not None)
            for c in self.curves
        ]
        said = ", ".join(f"{ends.count(e)} x {e}" for e in dict.fromkeys(ends))
        passed = sum(curve.passed_over for curve in self.curves)
        return (
            f"{type(self).__name__}({self.start:g} to {self.end:g} in {self.updates} updates, "
            f"{self.scale} scale, repeats: {said}"
            + ("" if self.consumed is None else f"; {self.consumed} batches were consumed")
            + (f"; the step passed over {passed} batches" if passed else "")
            + ")"
        )
