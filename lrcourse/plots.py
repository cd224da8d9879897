"""Every figure of the course, in one look.

Each function draws, shows the figure, saves it as PNG with its provenance in a headless run (see
``lrcourse.outputs``) and returns None, so that it can stand on the last line of a cell. Colours are
told apart by colour-blind readers, lines carry their names, bands show all seeds, and a learning
rate that belongs to a run is the one that the run recorded inside its updates.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lrcourse import outputs
from lrcourse.history import History
from lrcourse.schedule import Schedule

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


def schedule(
    shapes: Schedule | Mapping[str, Schedule],
    total: int,
    *,
    peak: float = 1.0,
    when: str = "epoch",
    log: bool = False,
    title: str = "",
    name: str = "schedule",
) -> None:
    """Draw shapes for t = 0 ... total - 1, one point per update or epoch as ``when`` says.

    ``peak`` multiplies the factors; with the default the axis shows factors of the peak LR.
    """
    if isinstance(shapes, Schedule):
        shapes = {repr(shapes): shapes}
    with plt.rc_context(LOOK):
        figure, axes = plt.subplots(figsize=(6.4, 3.0))
        t = np.arange(total)
        for k, (label, shape) in enumerate(shapes.items()):
            axes.plot(
                t,
                peak * shape(t),
                color=_colour(k),
                linestyle=_dash(k),
                drawstyle="steps-post",
                label=label,
                marker="." if total <= 60 else "",
                markersize=4,
            )
        axes.set_xlabel(f"{when} t")
        axes.set_ylabel("factor of the peak LR" if peak == 1 else "learning rate")
        axes.set_title(title)
        if log:
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        _name_lines(axes)
        _finish(figure, name, {"schedules": {k: repr(v) for k, v in shapes.items()}})


def training(history: OneOrMore, *, title: str = "", name: str = "training") -> None:
    """Loss and accuracy over the epochs, and below them the LR that the updates really used."""
    histories = _several(history)
    with plt.rc_context(LOOK):
        figure, (top, bottom) = plt.subplots(
            2, 1, figsize=(6.4, 4.6), sharex=True, height_ratios=(3, 1.2)
        )
        columns = [c for c in ("train_loss", "train_acc", "test_acc") if c in histories[0].epochs]
        for k, column in enumerate(columns):
            _band(top, histories, column, _colour(k), _dash(k), NAMES[column])
        top.set_ylim(0, 1)
        top.set_ylabel("loss, accuracy")
        top.set_title(_with_seeds(title, histories))
        _name_lines(top)
        _draw_applied(bottom, histories[0], _colour(0), "-", "")
        _label_lr(bottom)
        _finish(figure, name, _origin({"run": histories}))


def compare(
    runs: Mapping[str, OneOrMore],
    column: str = "test_acc",
    *,
    title: str = "",
    name: str = "compare",
    limits: tuple[float, float] | None = None,
) -> None:
    """One column of several arms over the epochs with a band over seeds, and the LR of each."""
    arms = {label: _several(history) for label, history in runs.items()}
    with plt.rc_context(LOOK):
        figure, (top, bottom) = plt.subplots(
            2, 1, figsize=(6.8, 4.8), sharex=True, height_ratios=(2.6, 1.2)
        )
        for k, (label, histories) in enumerate(arms.items()):
            _band(top, histories, column, _colour(k), _dash(k), label)
            _draw_applied(bottom, histories[0], _colour(k), _dash(k), "")
        top.set_ylabel(NAMES.get(column, column))
        top.set_title(_with_seeds(title, next(iter(arms.values()))))
        if limits:
            top.set_ylim(*limits)
        _name_lines(top)
        _label_lr(bottom)
        _finish(figure, name, _origin(arms))


def traces(
    panels: Mapping[str, Mapping[str, History]], *, title: str = "", name: str = "traces"
) -> None:
    """One small panel for each pair (or more) of runs, with the LR that each really used."""
    columns = 2
    rows = -(-len(panels) // columns)
    with plt.rc_context(LOOK):
        figure, grid = plt.subplots(
            rows, columns, figsize=(7.2, 2.2 * rows), sharex=True, squeeze=False
        )
        labels: dict[str, Line2D] = {}
        for axes, (panel, runs) in zip(grid.flat, panels.items(), strict=False):
            for k, (label, history) in enumerate(runs.items()):
                line = _draw_applied(axes, history, _colour(k), _dash(4 * k), label)
                line.set_linewidth(2.4 - 0.8 * k)
                labels.setdefault(label, line)
            axes.set_title(panel)
            axes.set_ylim(bottom=0)
        for axes in list(grid.flat)[len(panels) :]:
            axes.set_visible(False)
        figure.supxlabel("epoch", fontsize=9.5)
        figure.supylabel("learning rate applied", fontsize=9.5)
        figure.suptitle(title, x=0.02, ha="left", fontsize=10.5)
        figure.legend(labels.values(), labels, loc="outside upper right", ncols=len(labels))
        flat = {
            f"{panel}, {label}": run
            for panel, runs in panels.items()
            for label, run in runs.items()
        }
        _finish(figure, name, _origin(flat))


# -- parts ------------------------------------------------------------------------------------


def _colour(k: int) -> str:
    return COLOURS[k % len(COLOURS)]


def _dash(k: int) -> str:
    return DASHES[k % len(DASHES)]


def _several(history: OneOrMore) -> list[History]:
    histories = [history] if isinstance(history, History) else list(history)
    if not histories:
        raise ValueError("there is no run to draw; give a History or a list of them")
    return histories


def _with_seeds(title: str, histories: list[History]) -> str:
    if len(histories) == 1:
        return title
    return f"{title}  (mean and range of {len(histories)} seeds)"


def _band(
    axes: Axes, histories: list[History], column: str, colour: str, dash: str, label: str
) -> None:
    """Mean over the seeds and the range from the lowest to the highest."""
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


def _draw_applied(axes: Axes, history: History, colour: str, dash: str, label: str) -> Line2D:
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


def _label_lr(axes: Axes) -> None:
    """A log axis for the LR. It cannot hold 0, so updates at LR 0 are marked at its foot."""
    axes.set(xlabel="epoch", ylabel="LR applied")
    lines = [line for line in axes.get_lines() if line.get_gid() == "applied"]
    values = np.concatenate([line.get_ydata() for line in lines])
    axes.set_yscale("log")
    if (values > 0).any():
        low, high = values[values > 0].min(), values.max()
        axes.set_ylim(low / 1.6, high * 1.6)
    for line in lines:
        zero = np.asarray(line.get_ydata()) == 0
        if zero.any():
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


def _name_lines(axes: Axes) -> None:
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
    places = _apart(np.array(ends)[order], height)
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


def _apart(wanted: np.ndarray, gap: float) -> np.ndarray:
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


def _origin(arms: Mapping[str, OneOrMore]) -> dict:
    """What a figure's runs say of themselves, in short."""
    kept = ("data", "data_fingerprint", "schedule", "when", "epochs", "batch_size", "peak_lr")
    kept += ("lrcourse", "torch", "device", "finished")
    origin = {}
    for label, history in arms.items():
        runs = _several(history)
        origin[label] = {key: runs[0].provenance.get(key) for key in kept}
        origin[label]["seeds"] = [run.provenance.get("seed") for run in runs]
    return origin


def _finish(figure: Figure, name: str, origin: dict) -> None:
    path = outputs.figure_path(name)
    if path is not None:
        figure.savefig(path, metadata={"Description": json.dumps(origin), "Software": "lrcourse"})
    plt.show()
    plt.close(figure)
