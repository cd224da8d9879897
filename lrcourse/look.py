"""What the figures of the course share: the look, bands over seeds, names on lines, LR axes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from lrcourse.support import outputs
from lrcourse.training.history import History

# Okabe and Ito's colours without the yellow, which is too pale on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#888888")
DASHES = ("-", "-", "-", "-", "--", "--", "--", "--")
LOOK = {
    "figure.dpi": 110,
    "savefig.dpi": 150,
    "figure.constrained_layout.use": True,
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.7,
    "legend.frameon": False,
}
NAMES = {
    "train_loss": "training loss",
    "train_acc": "training accuracy",
    "valid_loss": "validation loss",
    "valid_acc": "validation accuracy",
    "test_loss": "test loss",
    "test_acc": "test accuracy",
    "norm": "norm of the parameters",
}
OneOrMore = History | Sequence[History]


def colour(k: int) -> str:
    return COLOURS[k % len(COLOURS)]


def dash(k: int) -> str:
    return DASHES[k % len(DASHES)]


def several(history: OneOrMore) -> list[History]:
    histories = [history] if isinstance(history, History) else list(history)
    if not histories:
        raise ValueError("there is no run to draw; give a History or a list of them")
    return histories


def with_seeds(title: str, histories: list[History], middle: str = "mean") -> str:
    if len(histories) == 1:
        return title
    return f"{title}  ({middle} and range of {len(histories)} seeds)".strip()


def band(
    axes: Axes, histories: list[History], column: str, colour: str, dash: str, label: str
) -> None:
    """Mean over the seeds and the range from the lowest to the highest."""
    diverged = sum(h.diverged_at is not None for h in histories)
    if diverged:
        label = f"{label} ({diverged} of {len(histories)} diverged)"
    longest = max(len(h.epochs["epoch"]) for h in histories)
    table = np.full((len(histories), longest), np.nan)
    for row, h in zip(table, histories, strict=True):
        row[: len(h.epochs[column])] = h.epochs[column]
    there = ~np.isnan(table).all(0)  # epochs that were measured at all
    epoch = np.arange(1, longest + 1)[there]
    table = table[:, there]
    axes.plot(epoch, np.nanmean(table, 0), dash, color=colour, label=label)
    if len(histories) > 1:
        low, high = np.nanmin(table, 0), np.nanmax(table, 0)
        axes.fill_between(epoch, low, high, color=colour, alpha=0.16, linewidth=0)


def accuracy_limits(histories: list[History]) -> tuple[float, float]:
    """From a little below the lowest accuracy after the first quarter of the run up to 1."""
    later = [
        column[len(column) // 4 :]
        for h in histories
        for name, column in h.epochs.items()
        if name.endswith("_acc") and np.isfinite(column).any()
    ]
    low = min((np.nanmin(c) for c in later if np.isfinite(c).any()), default=0.0)
    return min(0.95, max(0.0, math.floor(20 * low - 0.2) / 20)), 1.0


def draw_applied(axes: Axes, history: History, colour: str, dash: str, label: str) -> Line2D:
    """The recorded LR of each update over the epochs, first parameter group."""
    lr = history.lr.reshape(history.updates, -1)[:, 0]
    epoch = np.arange(len(lr) + 1) / history.batches_per_epoch
    (line,) = axes.plot(
        epoch,
        np.append(lr, lr[-1:]),
        dash,
        color=colour,
        drawstyle="steps-post",
        label=label,
        gid="applied",
    )
    return line


def label_lr(axes: Axes) -> None:
    """A log axis for the LR. It cannot hold 0, so updates at LR 0 are marked at its foot."""
    axes.set(xlabel="epoch", ylabel="LR applied")
    lines = [line for line in axes.get_lines() if line.get_gid() == "applied"]
    values = np.concatenate([line.get_ydata() for line in lines])
    axes.set_yscale("log")
    if (values > 0).any():
        low, high = values[values > 0].min(), values.max()
        axes.set_ylim(low / 1.6, high * 1.6)
        plain_log_ticks(axes.yaxis)
    for line in lines:
        mark_zero(axes, line)


def mark_zero(axes: Axes, line: Line2D) -> None:
    """Mark the updates at LR 0 of a line at the foot of a log axis."""
    zero = np.asarray(line.get_ydata()) == 0
    if not zero.any():
        return
    at = np.asarray(line.get_xdata())[zero]
    foot = axes.get_xaxis_transform()
    axes.plot(at, np.zeros(len(at)), "v", color=line.get_color(), transform=foot, ms=4)
    axes.annotate(
        "LR 0",
        (at[0], 0),
        xytext=(4, 4),
        xycoords=foot,
        textcoords="offset points",
        fontsize=8,
        color=line.get_color(),
    )


def plain_log_ticks(axis: Axis) -> None:
    """Ticks such as 0.01, 0.1 and 1 on a log axis; also 0.02, 0.05 ... where it is short."""
    low, high = axis.get_view_interval()
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1,) if high / low > 300 else (1, 3) if high / low > 8 else (1, 2, 3, 5)
    places = (float(f"{step}e{k}") for k in decades for step in steps)
    axis.set_major_locator(FixedLocator([place for place in places if low <= place <= high]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def name_lines(axes: Axes) -> None:
    """Write each line's name at its right end, moved apart where they would touch."""
    lines = [line for line in axes.get_lines() if line.get_label()[:1] not in ("", "_")]
    if not lines:
        return
    figure = axes.figure
    figure.canvas.draw()
    box = axes.get_window_extent()
    height = 11 * figure.dpi / 72 / box.height  # of a line of text, as a fraction of the axes

    def end(line) -> float:
        y = np.asarray(line.get_ydata(), float)
        y = y[np.isfinite(y)]
        pixel = axes.transData.transform((0, y[-1]))[1] if len(y) else box.y0
        return float(np.clip((pixel - box.y0) / box.height, 0, 1))

    ends = [end(line) for line in lines]
    order = np.argsort(ends)
    places = apart(np.array(ends)[order], height)
    for k, place in zip(order, places, strict=True):
        axes.annotate(
            lines[k].get_label(),
            xy=(1, ends[k]),
            xytext=(1.03, place),
            xycoords="axes fraction",
            textcoords="axes fraction",
            va="center",
            fontsize=8.5,
            color=lines[k].get_color(),
            arrowprops={"arrowstyle": "-", "lw": 0.5, "color": lines[k].get_color(), "alpha": 0.6},
        )


def apart(wanted: np.ndarray, gap: float) -> np.ndarray:
    """Ascending places at least ``gap`` apart, as near to the wanted ones as a few rounds bring."""
    places = wanted.copy()
    for _ in range(200):
        overlap = gap - np.diff(places)
        if (overlap <= 1e-9).all():
            break
        for i in np.flatnonzero(overlap > 0):
            push = (gap - (places[i + 1] - places[i])) / 2
            if push > 0:
                places[i] -= push
                places[i + 1] += push
    return places


def origin(arms: Mapping[str, OneOrMore]) -> dict:
    """What a figure's runs say of themselves, in short."""
    kept = ("data", "data_fingerprint", "schedule", "when", "epochs", "batch_size", "peak_lr")
    kept += ("lrcourse", "torch", "device", "finished")
    origin = {}
    for label, history in arms.items():
        runs = several(history)
        origin[label] = {key: runs[0].provenance.get(key) for key in kept}
        origin[label]["seeds"] = [run.provenance.get("seed") for run in runs]
    return origin


def finish(figure: Figure, name: str, origin: dict) -> None:
    path = outputs.figure_path(name)
    if path is not None:
        figure.savefig(path, metadata={"Description": json.dumps(origin), "Software": "lrcourse"})
    plt.show()
    plt.close(figure)
