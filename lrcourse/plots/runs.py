"""Figures of schedules and of single runs.

Each function of `lrcourse.plots` draws, shows the figure, saves it as PNG with its provenance in a
headless run (see `lrcourse.support.outputs`) and returns None, so that it can stand on the last
line of a cell. Colours are told apart by colour-blind readers, lines carry their names, bands show
all seeds, and a learning rate that belongs to a run is the one that the run recorded inside its
updates.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from lrcourse import look
from lrcourse.plots import arguments as given
from lrcourse.plots import bands
from lrcourse.plots.bands import Seeds
from lrcourse.schedules.base import SCHEDULE, Schedule
from lrcourse.support.checks import COUNT_FROM_1, POSITIVE, one_of, optional
from lrcourse.training import History


def _shapes(owner: str, name: str, value: object) -> dict[str, Schedule]:
    """Rule: a schedule, or several by their names."""
    shapes = {repr(value): value} if isinstance(value, Schedule) else value
    return given.by_name("schedule", SCHEDULE)(owner, name, shapes)


@given.drawing(total=given.UPDATES, peak=POSITIVE, when=one_of("epoch", "update"))
def schedule(
    shapes: Schedule | Mapping[str, Schedule],
    total: int,
    *,
    peak: float = 1.0,
    when: str = "epoch",
    legend: bool = False,
    title: str = "",
    name: str = "schedule",
) -> None:
    """Draw `shapes` for t = 0 ... `total` - 1, one point per update or epoch as `when` says.

    `peak` multiplies the factors; with the default the axis shows factors of the peak LR. `legend`
    names the lines in a box, for lines that meet at their ends.
    `title` stands over the figure; `name` is that of its file.

    >>> from lrcourse import plots
    >>> from lrcourse import schedules as s
    >>> plots.schedule({"cosine": s.cosine(30), "warmup": s.warmup(5).then(s.linear(25))}, 30)
    """
    named = _shapes("schedule", "shapes", shapes)
    told = {"schedules": {label: repr(shape) for label, shape in named.items()}}
    with look.sheet(name, told, (6.4, 3.0)) as (figure, (axes,)):
        t = np.arange(total)
        for k, (label, shape) in enumerate(named.items()):
            axes.plot(
                t,
                peak * shape(t),
                look.dash(k),
                color=look.colour(k),
                drawstyle="steps-post",
                label=label,
                marker="." if total <= 60 else "",
                markersize=4,
            )
        what = "factor of the peak LR" if peak == 1 else "learning rate"
        axes.set(xlabel=f"{when} t", ylabel=what, title=title)
        axes.set_ylim(bottom=0)
        if legend:
            figure.legend(loc="outside lower center", ncols=2)
        else:
            look.name_lines(axes)


@given.drawing()
def training(history: History | Seeds, *, title: str = "", name: str = "training") -> None:
    """Loss, accuracy and, below them, the LR that the updates really used, over the epochs.

    `history` is a History, or a list of them, one a seed. The loss is cut at 1. The accuracies are
    shown from a little below their lowest value after the first quarter of the run, so that the ups
    and downs of a percent can be seen.
    `title` stands over the figure; `name` is that of its file.

    >>> from lrcourse import plots
    >>> from lrcourse.sweeps import Experiment
    >>> plots.training(Experiment(images=64, epochs=2).run("cpu"), title="LeNet")
    """
    histories = given.runs("training", "history", history)
    told = bands.origin({"run": histories})
    with look.sheet(name, told, (6.4, 5.6), heights=(2, 2, 1.1)) as (_, (top, middle, bottom)):
        for axes, what in ((top, "loss"), (middle, "acc")):
            for k, split in ((0, "train"), (2, "test")):
                if f"{split}_{what}" in histories[0].epochs:
                    label = bands.NAMES[f"{split}_{what}"].split()[0]
                    _arm(axes, histories, f"{split}_{what}", k, label, "-")
        top.set(ylim=(0, 1), ylabel="loss", title=bands.with_seeds(title, len(histories)))
        middle.set(ylim=bands.accuracy_limits(histories), ylabel="accuracy")
        look.name_lines(top)
        look.name_lines(middle)
        bands.applied(bottom, histories[0], "#000000", per=histories[0].batches_per_epoch)
        look.lr_axis(bottom)


@given.drawing(middle=one_of("mean", "median"))
def compare(
    runs: Mapping[str, History | Seeds],
    column: str = "test_acc",
    *,
    title: str = "",
    name: str = "compare",
    limits: tuple[float, float] | None = None,
    middle: str = "mean",
    log: bool = False,
    log_lr: bool = True,
) -> None:
    """One column of several arms over the epochs with a band over seeds, and the LR of each.

    Args:
        runs: arm -> a History, or one for each seed.
        column: one that the histories have, else ValueError.
        title, name: of the figure and its file.
        limits: of the column's axis.
        middle: what the line is: the "mean" within the range of the seeds, or the "median" between
            their quartiles.
        log: whether the column's axis is a log axis.
        log_lr: whether that of the LR is one; ramps and triangles are straight without.

    The LR drawn is that of the first seed.

    >>> from lrcourse import plots
    >>> from lrcourse.sweeps import Experiment
    >>> base = Experiment(images=64, epochs=2)
    >>> plots.compare({f"rate {lr}": base.but(lr=lr).run("cpu") for lr in (0.1, 0.3)}, "train_loss")
    """
    arms: dict[str, Seeds] = given.by_name("run", given.runs)("compare", "runs", runs)
    with look.sheet(name, bands.origin(arms), (6.8, 4.8), heights=(2.6, 1.2)) as (_, (top, bottom)):
        for k, (label, histories) in enumerate(arms.items()):
            _arm(top, histories, column, k, label, look.dash(k), middle)
            per = histories[0].batches_per_epoch
            bands.applied(bottom, histories[0], look.colour(k), look.dash(k), per=per)
        spread = "range" if middle == "mean" else "quartiles"
        told = bands.with_seeds(title, len(next(iter(arms.values()))), middle, spread)
        top.set(ylabel=bands.NAMES.get(column, column), title=told)
        look.scales(top, log_y=log, limits=limits)
        look.name_lines(top)
        look.lr_axis(bottom, log=log_lr)


def _rates(owner: str, name: str, value: object) -> History | np.ndarray:
    """Rule: a History, or a learning rate for each update."""
    rule = given.a_history if isinstance(value, History) else given.series
    return rule(owner, name, value)


@given.drawing(
    panels=given.by_name("panel", given.by_name("run", _rates)), epoch=optional(COUNT_FROM_1)
)
def traces(
    panels: Mapping[str, Mapping[str, History | ArrayLike]],
    *,
    epoch: int | None = None,
    colours: Mapping[str, int] | None = None,
    title: str = "",
    name: str = "traces",
) -> None:
    """One small panel for each pair (or more) of runs, with the LR that each really used.

    Args:
        panels: panel -> label -> a History, or the rates that a loop of one's own logged, of shape
            (updates,).
        epoch: updates in an epoch of such rates; default: the axis counts updates.
        colours: label -> number of its colour; default: one after the other.
        title, name: of the figure and its file.

    >>> from lrcourse import plots
    >>> from lrcourse import schedules as s
    >>> from lrcourse.sweeps import Experiment
    >>> base = Experiment(images=64, epochs=2)
    >>> falling = base.but(schedule=s.linear(4)).run("cpu")
    >>> plots.traces({"linear": {"constant": base.run("cpu"), "falling": falling}})
    >>> plots.traces({"mine": {"meant": [0.1, 0.2, 0.3], "applied": [0.3, 0.3, 0.3]}})
    """
    flat = {f"{panel}, {label}": [h] for panel, row in panels.items() for label, h in row.items()}
    rows = -(-len(panels) // 2)
    runs_alone = {label: [h] for label, [h] in flat.items() if isinstance(h, History)}
    told, size = bands.origin(runs_alone), (7.2, 2.2 * rows)
    with look.sheet(name, told, size, rows, 2, title=title, sharex=True) as (figure, grid):
        labels: dict[str, Line2D] = {}
        in_epochs = epoch is not None
        for axes, (panel, runs) in zip(grid, panels.items(), strict=False):
            for k, (label, run) in enumerate(runs.items()):
                if isinstance(run, History):
                    lr, per, in_epochs = bands.lr_of(run), run.batches_per_epoch, True
                else:
                    lr, per = run, epoch or 1
                colour, style = look.colour((colours or {}).get(label, k)), look.dash(4 * k)
                line = look.steps(axes, lr, style, per=per, color=colour, label=label)
                line.set(linewidth=2.4 - 0.8 * k, gid="applied")
                labels.setdefault(label, line)
            axes.set_title(panel)
            axes.set_ylim(bottom=0)
        figure.supxlabel("epoch" if in_epochs else "update", fontsize=9.5)
        figure.supylabel("learning rate applied", fontsize=9.5)
        figure.legend(labels.values(), labels, loc="outside upper right", ncols=len(labels))


def _arm(
    axes: Axes,
    histories: Seeds,
    column: str,
    k: int,
    label: str,
    style: str,
    middle: str = "mean",
) -> None:
    """Mean over the seeds and their range, or median and quartiles."""
    if lost := sum(history.diverged_at is not None for history in histories):
        label = f"{label} ({lost} of {len(histories)} diverged)"
    line: dict[str, Any] = {"middle": np.nanmean}
    if middle == "median":
        line = {"middle": np.nanmedian, "spread": look.QUARTILES}
    bands.band(axes, histories, column, "epoch", look.colour(k), style, label=label, **line)
