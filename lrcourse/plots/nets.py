"""Figures of warmup: how far the layers move, and its length beside the rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np

from lrcourse import look as parts
from lrcourse.study.displacement import Displacement
from lrcourse.study.gradient_noise import Noise
from lrcourse.sweeps.running import Runs


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


def gradient_noise(
    looks: Mapping[str, Mapping[int, Noise]],
    batch_size: int,
    *,
    title: str = "",
    name: str = "gradient-noise",
) -> None:
    """The length of the gradient, and that of a batch's noise, a panel for each net.

    ``looks`` maps label -> updates made -> the `Noise` that was measured then.
    """
    with plt.rc_context(parts.LOOK):
        figure, grid = plt.subplots(1, len(looks), figsize=(7.4, 3.0), sharey=True, squeeze=False)
        for axes, (label, row) in zip(grid.flat, looks.items(), strict=True):
            lengths = {
                "gradient": [noise.signal**0.5 for noise in row.values()],
                f"noise, batch {batch_size}": [
                    noise.variance(batch_size) ** 0.5 for noise in row.values()
                ],
            }
            for k, (what, values) in enumerate(lengths.items()):
                axes.plot(list(row), values, ".-", color=parts.colour(k), label=what, ms=4)
            axes.set(yscale="log", xlabel="updates made")
            axes.set_title(label)
        for axes in grid.flat:
            parts.plain_log_ticks(axes.yaxis)
        grid[0, 0].set_ylabel("length")
        parts.name_lines(grid[0, -1])
        figure.suptitle(title, x=0.02, ha="left", fontsize=10.5)
        parts.finish(figure, name, {"nets": list(looks), "batch_size": batch_size})


def over_looks(
    lines: Mapping[str, tuple[Sequence[int], Sequence[float]]],
    label: str,
    *,
    title: str = "",
    name: str = "over-looks",
) -> None:
    """Numbers that were measured now and then: label -> (updates made, values), on a log axis."""
    with plt.rc_context(parts.LOOK):
        figure, axes = plt.subplots(figsize=(6.8, 3.0))
        for k, (what, (updates, values)) in enumerate(lines.items()):
            shown = [value if value > 0 else np.nan for value in values]
            axes.plot(list(updates), shown, ".-", color=parts.colour(k), label=what, ms=5)
        axes.set(yscale="log", xlabel="updates made", ylabel=label)
        parts.plain_log_ticks(axes.yaxis)
        axes.set_title(title)
        parts.name_lines(axes)
        parts.finish(figure, name, {"lines": list(lines)})
