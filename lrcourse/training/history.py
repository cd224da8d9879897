"""The record of one training run: plain numbers, with the LR of every update as applied."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lrcourse.support.paths import write_atomically

if TYPE_CHECKING:
    import pandas

FORMAT = 1  # of the JSON; a reader refuses what it does not know


@dataclass(eq=False)
class History:
    """What one run did.

    Attributes:
        lr: the LR that each update really used, float64. Shape (updates,) for an optimizer with
            one parameter group, (updates, groups) for several. Read inside the update.
        loss: training loss of each update's batch, measured just before the update, float32,
            shape (updates,).
        epochs: one value per finished epoch in each column; arrays of shape (epochs,). ``update``
            counts the updates made so far. ``train_loss`` and ``train_acc`` are means over the
            epoch while the net was changing (as D2L has them), ``valid_*`` and ``test_*`` are
            measured at the end of the epoch (NaN where ``evaluate`` left it out), ``norm`` is the
            Euclidean norm of all parameters then.
        diverged_at: the update whose loss was the first NaN or infinity, or None. A run stops
            there: it is a result, not an error.
        interrupted: whether the user stopped the run.
        seconds: wall time.
        batches_per_epoch: updates in one epoch.
        provenance: what was run, with which versions, on which device; plain data.
    """

    lr: np.ndarray
    loss: np.ndarray
    epochs: dict[str, np.ndarray]
    batches_per_epoch: int
    diverged_at: int | None = None
    interrupted: bool = False
    seconds: float = 0.0
    provenance: dict[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> np.ndarray:
        """Columns of ``epochs`` read as attributes: ``history.test_acc``."""
        epochs = self.__dict__.get("epochs", {})
        if name in epochs:
            return epochs[name]
        raise AttributeError(f"a History has no {name!r}; its columns are {', '.join(epochs)}")

    @property
    def updates(self) -> int:
        """How many updates were made."""
        return len(self.loss)

    def final(self, column: str) -> float:
        """The last measured value of a column of ``epochs``; NaN if there is none."""
        if column not in self.epochs:
            raise KeyError(f"no column {column!r}; there are {', '.join(self.epochs)}")
        if self.diverged_at is not None and column.endswith("_loss"):
            return float("nan")
        values = self.epochs[column]
        # An accuracy is a number wherever its split was measured; a loss may be NaN there.
        sign = self.epochs.get(column.replace("_loss", "_acc"), values)
        measured = values[~np.isnan(sign)]
        return float(measured[-1]) if len(measured) else float("nan")

    def __repr__(self) -> str:
        parts = [f"{len(self.epochs['epoch'])} epochs", f"{self.updates} updates"]
        for column in ("train_loss", "train_acc", "valid_acc", "test_acc"):
            if column in self.epochs:
                parts.append(f"{column.replace('_', ' ')} {self.final(column):.3f}")
        if self.diverged_at is not None:
            parts.append(f"diverged at update {self.diverged_at}")
        if self.interrupted:
            parts.append("interrupted")
        return f"<History: {', '.join(parts)}>"

    # -- plain data --------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Plain data that JSON can hold; NaN and infinities become the strings nan, inf, -inf."""
        return {
            "format": FORMAT,
            "lr": _plain(self.lr),
            "loss": _plain(self.loss),
            "epochs": {name: _plain(column) for name, column in self.epochs.items()},
            "batches_per_epoch": self.batches_per_epoch,
            "diverged_at": self.diverged_at,
            "interrupted": self.interrupted,
            "seconds": round(self.seconds, 3),
            "provenance": self.provenance,
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> History:
        """The inverse of ``to_dict``. ValueError for another format."""
        if record.get("format") != FORMAT:
            raise ValueError(
                f"this record has format {record.get('format')!r}, and this version of lrcourse "
                f"reads format {FORMAT}; run the experiment again"
            )
        return cls(
            lr=np.array(record["lr"], dtype=np.float64),
            loss=np.array(record["loss"], dtype=np.float32),
            epochs={k: np.array(v, dtype=np.float64) for k, v in record["epochs"].items()},
            batches_per_epoch=record["batches_per_epoch"],
            diverged_at=record["diverged_at"],
            interrupted=record["interrupted"],
            seconds=record["seconds"],
            provenance=record["provenance"],
        )

    def to_json(self, path: str | Path) -> None:
        """Write the record to ``path``, whole or not at all."""
        write_atomically(Path(path), json.dumps(self.to_dict(), allow_nan=False))

    @classmethod
    def from_json(cls, path: str | Path) -> History:
        """Read what ``to_json`` wrote."""
        return cls.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))

    def to_frame(self, each: str = "epoch") -> pandas.DataFrame:
        """A table with one row per epoch, or per update with ``each="update"``."""
        import pandas

        if each == "epoch":
            return pandas.DataFrame(self.epochs)
        if each == "update":
            table = {"update": np.arange(self.updates), "loss": self.loss}
            groups = self.lr.reshape(self.updates, -1)
            for g in range(groups.shape[1]):
                table["lr" if self.lr.ndim == 1 else f"lr_{g}"] = groups[:, g]
            return pandas.DataFrame(table)
        raise ValueError(f'each is "epoch" or "update", not {each!r}')


def _plain(array: np.ndarray) -> list:
    """An array as nested lists of numbers, in the fewest digits that give the same bits back."""
    if array.ndim > 1:
        return [_plain(row) for row in array]
    if array.dtype == np.float32:
        numbers = [float(str(value)) for value in array]
    else:
        numbers = array.tolist()
    if np.isfinite(array).all():
        return numbers
    return [value if np.isfinite(value) else str(float(value)) for value in numbers]
