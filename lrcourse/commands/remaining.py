"""How long the chapters that are left will take: from measured times and what this run shows."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path


def measured(table: Path, scale: str) -> dict[str, float]:
    """Seconds of each notebook from nothing on a CPU, as `results/run-times.csv` has them."""
    try:
        with table.open(encoding="utf-8", newline="") as lines:
            rows = [row for row in csv.DictReader(lines) if row["scale"] == scale]
        return {row["chapter"]: float(row["seconds"]) for row in rows if row["device"] == "CPU"}
    except (OSError, ValueError, KeyError, csv.Error):
        return {}


class Remaining:
    """An estimate that becomes better with each chapter that is done.

    A notebook without a measurement counts as the mean of those that have one.
    """

    def __init__(self, names: Iterable[str], seconds: Mapping[str, float]) -> None:
        here = {name: seconds.get(name) for name in names}
        known = [one for one in here.values() if one is not None]
        mean = sum(known) / len(known) if known else 0.0
        self._left = {name: mean if one is None else one for name, one in here.items()}
        self._planned = self._taken = 0.0

    def done(self, name: str, taken: float) -> None:
        """Note that a chapter took so many seconds."""
        self._planned += self._left.pop(name, 0.0)
        self._taken += taken

    @property
    def seconds(self) -> float | None:
        """Of all chapters that are left, on this machine; None where nothing is known or left."""
        slowness = self._taken / self._planned if self._planned else 1.0
        return slowness * sum(self._left.values()) or None
