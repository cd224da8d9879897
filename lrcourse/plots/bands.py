"""The runs of one arm in a figure: a column over seeds, the LR applied, and where it came from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lrcourse import look
from lrcourse.support.checks import one_of
from lrcourse.training.history import History

NAMES = {
    "train_loss": "training loss",
    "train_acc": "training accuracy",
    "valid_loss": "validation loss",
    "valid_acc": "validation accuracy",
    "test_loss": "test loss",
    "test_acc": "test accuracy",
    "norm": "norm of the parameters",
}
Seeds = Sequence[History]


def with_seeds(title: str, count: int, middle: str = "mean", spread: str = "range") -> str:
    """The title, and where there are several seeds what line and band are."""
    return title if count == 1 else f"{title}  ({middle} and {spread} of {count} seeds)".strip()


def band(axes: Axes, histories: Seeds, column: str, over: str, *given: str, **options: Any) -> None:
    """A column of the runs over their column "epoch" or "update", as `look.band` draws it.

    Runs may end early, and epochs at which none was measured are passed over. ValueError for runs
    without that column.
    """
    for h in histories:
        one_of(*h.epochs)("figure", "column", column)
    longest = max((h.epochs[over] for h in histories), key=len)
    table = np.full((len(histories), len(longest)), np.nan)
    for row, h in zip(table, histories, strict=True):
        row[: len(h.epochs[column])] = h.epochs[column]
    there = ~np.isnan(table).all(0)
    look.band(axes, longest[there], table[:, there], *given, **options)


def accuracy_limits(histories: Seeds) -> tuple[float, float]:
    """From a little below the lowest accuracy after the first quarter of the run up to 1."""
    later = [
        column[len(column) // 4 :]
        for h in histories
        for name, column in h.epochs.items()
        if name.endswith("_acc") and np.isfinite(column).any()
    ]
    low = min((np.nanmin(c) for c in later if np.isfinite(c).any()), default=0.0)
    return min(0.95, max(0.0, math.floor(20 * low - 0.2) / 20)), 1.0


def applied(
    axes: Axes, history: History, colour: str, style: str = "-", *, per: int = 1, label: str = ""
) -> Line2D:
    """The recorded LR of each update, first parameter group; `per` updates are a unit."""
    return look.steps(
        axes, lr_of(history), style, per=per, color=colour, label=label, gid="applied"
    )


def lr_of(history: History) -> np.ndarray:
    """The recorded LR of each update, first parameter group; shape (updates,)."""
    return history.lr.reshape(history.updates, -1)[:, 0]


def origin(arms: Mapping[str, Seeds]) -> dict[str, Any]:
    """What a figure's runs say of themselves, in short."""
    kept = ("data", "data_fingerprint", "schedule", "when", "epochs", "batch_size", "peak_lr")
    kept += ("lrcourse", "torch", "device", "finished")
    told = {}
    for label, runs in arms.items():
        told[label] = {key: runs[0].provenance.get(key) for key in kept}
        told[label]["seeds"] = [run.provenance.get("seed") for run in runs]
    return told
