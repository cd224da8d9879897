"""The record of one training run: plain numbers, with the LR of every update as applied."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lrcourse.support.checks import (
    COUNT,
    COUNT_FROM_1,
    FLAG,
    MAPPING,
    NUMBER,
    TEXT,
    Rule,
    optional,
    shown,
)

FORMAT = 1  # of the JSON; a reader refuses what it does not know


@dataclass(eq=False)
class History:
    """What one run did.

    Attributes:
        lr: the LR that each update really used, float64. Shape (updates,) for an optimizer with
            one parameter group, (updates, groups) for several. Read inside the update.
        loss: training loss of each update's batch, measured just before the update, float32,
            shape (updates,).
        epochs: one value per finished epoch in each column; arrays of shape (epochs,). `update`
            counts the updates made so far. `train_loss` and `train_acc` are means over the
            epoch while the net was changing (as D2L has them), `valid_*` and `test_*` are
            measured at the end of the epoch (NaN where `evaluate` left it out), `norm` is the
            Euclidean norm of all parameters then.
        diverged_at: the update whose loss was the first NaN or infinity, or None. A run stops
            there: it is a result, not an error.
        interrupted: whether the user stopped the run.
        seconds: wall time.
        batches_per_epoch: updates in one epoch.
        provenance: what was run, with which versions, on which device; plain data.

    Example:
        >>> import numpy as np
        >>> from lrcourse import training
        >>> epochs = {"epoch": np.array([1.0, 2.0]), "update": np.array([10.0, 20.0])}
        >>> epochs["test_acc"] = np.array([0.5, 0.9])
        >>> history = training.History(np.full(20, 0.1), np.zeros(20, np.float32), epochs, 10)
        >>> history.updates, history.final("test_acc")
        (20, 0.9)
        >>> again = training.History.from_dict(history.to_dict())
        >>> (again.lr == history.lr).all(), again.test_acc
        (np.True_, array([0.5, 0.9]))
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
        """Columns of `epochs` read as attributes: `history.test_acc`."""
        epochs = self.__dict__.get("epochs", {})
        if name in epochs:
            return epochs[name]
        raise AttributeError(f"a History has no {name!r}; its columns are {', '.join(epochs)}")

    @property
    def updates(self) -> int:
        """How many updates were made."""
        return len(self.loss)

    def final(self, column: str) -> float:
        """The last measured value of a column of `epochs`; NaN if there is none.

        ValueError for a column that there is not.
        """
        known_column("final", "column", column, self)
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
        """The inverse of `to_dict`: the History in `record`.

        Raises:
            NewerFormat: written by a later version of lrcourse.
            ValueError: another format, or a value that no run leaves; it names which.
            TypeError: no dictionary.
        """
        MAPPING("History.from_dict", "record", record)
        if (given := record.get("format")) != FORMAT:
            told = f"this record has format {shown(given)}, and this version of lrcourse reads "
            if isinstance(given, int) and given > FORMAT:
                raise NewerFormat(f"{told}format {FORMAT}: a newer lrcourse wrote it; update yours")
            raise ValueError(f"{told}format {FORMAT}: record is of no use here")
        read: dict[str, Any] = {}
        for name, rule in _FIELDS.items():
            if name not in record:
                raise ValueError(f"History.from_dict: record has no {name!r}")
            try:
                read[name] = rule("History.from_dict", name, record[name])
            except TypeError as problem:
                raise ValueError(str(problem)) from None
        history = cls(**read)
        if len(history.lr) != len(history.loss) or len(set(map(len, history.epochs.values()))) > 1:
            raise ValueError("History.from_dict: record has columns of unequal lengths")
        return history


def known_column(owner: str, name: str, column: object, history: History) -> str:
    """The name of a column; ValueError that lists those that there are, TypeError for no string."""
    if TEXT(owner, name, column) not in history.epochs:
        there = ", ".join(history.epochs)
        raise ValueError(f"{owner}: {name} must be one of {there}; there is no {column!r}")
    return str(column)


class NewerFormat(ValueError):
    """A record that a later version of lrcourse wrote."""


def _numbers(kind: type[np.floating], *dimensions: int) -> Rule:
    """Rule: lists of numbers as an array; NaN and infinities may be the strings of `to_dict`."""

    def checked(owner: str, name: str, value: object) -> np.ndarray:
        try:
            if odd := [one for one in np.array(value, dtype=object).flat if not _is_number(one)]:
                raise TypeError(f"{shown(odd[0])} is none")
            array = np.array(value, dtype=kind)
        except (TypeError, ValueError, OverflowError) as problem:
            raise ValueError(f"{owner}: {name} must be numbers ({problem})") from None
        if not isinstance(value, list) or array.ndim not in dimensions:
            raise ValueError(f"{owner}: {name} must be a list of numbers; got {shown(value)}")
        return array

    return checked


def _is_number(one: object) -> bool:
    return type(one) in (int, float) or one in ("nan", "inf", "-inf")


def _columns(owner: str, name: str, value: object) -> dict[str, np.ndarray]:
    given = MAPPING(owner, name, value)
    column = _numbers(np.float64, 1)
    columns = {str(key): column(owner, f"{name}[{key!r}]", row) for key, row in given.items()}
    if missing := [key for key in ("epoch", "update") if key not in columns]:
        raise ValueError(
            f"{owner}: {name} has no column {missing[0]!r}; got {shown(list(columns))}"
        )
    return columns


_FIELDS: dict[str, Rule] = {
    "lr": _numbers(np.float64, 1, 2),
    "loss": _numbers(np.float32, 1),
    "epochs": _columns,
    "batches_per_epoch": COUNT_FROM_1,
    "diverged_at": optional(COUNT),
    "interrupted": FLAG,
    "seconds": NUMBER,
    "provenance": MAPPING,
}


def _plain(array: np.ndarray) -> list[Any]:
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
