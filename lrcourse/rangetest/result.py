"""What a range test gives: curves over the learning rate, and what can be said of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lrcourse.rangetest.sweep import Curve

if TYPE_CHECKING:
    from lrcourse.rangetest.calibration import Calibration
    from lrcourse.rangetest.suggestion import Suggestion
    from lrcourse.sweeps.reading import BestRate

QUANTITIES = ("loss", "accuracy", "held_out_loss", "held_out_accuracy")


@dataclass(frozen=True, eq=False)
class Band:
    """One quantity over the rate: lowest, median and highest of the repeats that got there."""

    lr: np.ndarray
    low: np.ndarray
    median: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, eq=False)
class RangeTest:
    """The result of a range test. ``print`` it for one line, ``suggest()`` for what it says.

    Attributes:
        curves: one ``Curve`` a repeat.
        start, end, updates, scale: the sweep that was asked for.
        smoothing, diverged: how losses are smoothed, and what counts as diverged.
        consumed: batches that were taken from an iterator for good, or None: a loader, a list or
            tensors give afterwards what they would have given.
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
        return self.table("loss")

    @property
    def accuracy(self) -> np.ndarray | None:
        """Training accuracy, as ``loss``; None where there is none."""
        return self.table("accuracy")

    @property
    def held_out_loss(self) -> np.ndarray | None:
        """Held-out loss, as ``loss``; None without held-out batches."""
        return self.table("held_out_loss")

    @property
    def held_out_accuracy(self) -> np.ndarray | None:
        """Held-out accuracy, as ``loss``; None where there is none."""
        return self.table("held_out_accuracy")

    @property
    def cost(self) -> int:
        """Updates made, by all repeats together."""
        return sum(map(len, self.curves))

    def table(self, quantity: str) -> np.ndarray | None:
        """One of "loss", "accuracy", "held_out_loss", "held_out_accuracy" of all repeats."""
        if quantity not in QUANTITIES:
            raise ValueError(f"no quantity {quantity!r}; there are {', '.join(QUANTITIES)}")
        rows = [getattr(curve, quantity) for curve in self.curves]
        if any(row is None for row in rows):
            return None
        table = np.full((len(rows), len(self.lr)), np.nan)
        for line, row in zip(table, rows, strict=True):
            line[: len(row)] = row
        return table

    def band(self, quantity: str = "loss") -> Band | None:
        """Median and range over the repeats at each rate where one of them was measured."""
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

    def suggest(self, on: str = "training") -> Suggestion:
        """Every rule side by side, and whether to trust them; ``on`` "training" or "held_out"."""
        from lrcourse.rangetest.suggestion import suggest

        return suggest(self, on)

    def calibrate(self, best: float | BestRate, on: str = "training") -> Calibration:
        """How far each rule is from the best rate of a real sweep; see ``Calibration``."""
        from lrcourse.rangetest.calibration import calibrate

        return calibrate(self, best, on)

    def plot(self, title: str = "", name: str = "range-test", path: Path | None = None) -> None:
        """Draw the curves and the suggestions; ``path`` keeps the figure as a PNG."""
        from lrcourse.rangetest.figure import plot

        plot(self, title=title, name=name, path=path)

    def __repr__(self) -> str:
        ends = [c.why or "went to the end" for c in self.curves]
        said = ", ".join(f"{ends.count(e)} x {e}" for e in dict.fromkeys(ends))
        return (
            f"RangeTest({self.start:g} to {self.end:g} in {self.updates} updates, {self.scale} "
            f"scale, repeats: {said}"
            + ("" if self.consumed is None else f"; {self.consumed} batches were consumed")
            + ")"
        )
