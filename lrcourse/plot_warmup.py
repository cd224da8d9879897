"""Figures of warmup: how far the layers move, and its length beside the rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np

from lrcourse import plot_parts as parts
from lrcourse.displacement import Displacement
from lrcourse.sweeps import Runs


def displacement(
    watched: Mapping[str, Displacement],
    what: str = "steps",
    *,
    layers: Sequence[str] | None = None,
    title: str = "",
    name: str = "displacement",
) -> None:
    """How far each layer has moved after each update, a panel for each run.

    Args:
        watched: label -> what watched the run; all watch nets of the same layers.
        what: "steps" (each update) or "from_start".
        layers: names to write instead of those of the parameters.
    """
    labels = {
        "steps": "one update, relative to the weights",
        "from_start": "distance from the start,\nrelative to the start",
    }
    if what not in labels:
        raise ValueError(f'what is "steps" or "from_start", not {what!r}')
    with plt.rc_context(parts.LOOK):
        figure, grid = plt.subplots(1, len(watched), figsize=(7.4, 3.0), sharey=True, squeeze=False)
        for axes, (label, run) in zip(grid.flat, watched.items(), strict=True):
            table = getattr(run, what)
            update = np.arange(1, len(table) + 1)
            for k, layer in enumerate(layers or run.names):
                values = np.where(table[:, k] > 0, table[:, k], np.nan)
                axes.plot(update, values, color=parts.colour(k), label=layer, linewidth=1.2)
            axes.set(xscale="log", yscale="log", xlabel="update")
            parts.plain_log_ticks(axes.xaxis)
            axes.set_title(label)
        for axes in grid.flat:
            parts.plain_log_ticks(axes.yaxis)
        grid[0, 0].set_ylabel(labels[what])
        parts.name_lines(grid[0, -1])
        figure.suptitle(title, x=0.02, ha="left", fontsize=10.5)
        parts.finish(figure, name, {"runs": list(watched), "what": what})


def warmup_lengths(
    runs: Mapping[float, Runs],
    column: str = "train_acc",
    *,
    title: str = "",
    name: str = "warmup-lengths",
) -> None:
    """A table of colours: the mean of a column over seeds, warmup length by peak rate.

    ``runs`` maps the length of the warmup, in updates, to runs that differ in rate and seed. Every
    field carries its number; a run that diverged counts as 0.
    """
    lengths = sorted(runs)
    rates = sorted({run.experiment.lr for run in runs[lengths[0]]})
    table = np.array([[_mean(runs[w].where(lr=lr), column) for lr in rates] for w in lengths])
    with plt.rc_context(parts.LOOK | {"axes.grid": False}):
        figure, axes = plt.subplots(figsize=(6.8, 0.9 + 0.36 * len(lengths)))
        shown = axes.imshow(table, origin="lower", aspect="auto", cmap="cividis", vmin=0, vmax=1)
        for (row, place), value in np.ndenumerate(table):
            ink = "black" if value > 0.6 else "white"
            axes.text(place, row, f"{value:.2f}", ha="center", va="center", color=ink, fontsize=8)
        axes.set_xticks(range(len(rates)), [f"{lr:.2g}" for lr in rates])
        axes.set_yticks(range(len(lengths)), [f"{w:g}" for w in lengths])
        axes.set(xlabel="peak LR", ylabel="updates of warmup")
        figure.colorbar(shown, ax=axes, label=parts.NAMES.get(column, column), pad=0.02)
        count = len({run.experiment.seed for run in runs[lengths[0]]})
        axes.set_title(f"{title}  (mean of {count} seeds)".strip())
        kept = {str(w): runs[w].histories for w in lengths}
        parts.finish(figure, name, parts.origin(kept))


def _mean(runs: Runs, column: str) -> float:
    values = [run.history.final(column) if run.history.diverged_at is None else 0.0 for run in runs]
    return float(np.mean(values))
