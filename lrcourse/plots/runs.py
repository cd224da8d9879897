"""Every figure of the course, in one look.

Each function draws, shows the figure, saves it as PNG with its provenance in a headless run (see
``lrcourse.support.outputs``) and returns None, so that it can stand on the last line of a cell.
Colours are told apart by colour-blind readers, lines carry their names, bands show all seeds,
and a learning rate that belongs to a run is the one that the run recorded inside its updates.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

from lrcourse import look as parts
from lrcourse.plots.descents import curve, over_updates, sharpness, surface
from lrcourse.plots.diagnoses import diagnosis, gallery
from lrcourse.plots.lines import against, readings
from lrcourse.plots.loops import loop
from lrcourse.plots.nets import displacement, gradient_noise, over_looks, warmup_lengths
from lrcourse.plots.optimizers import Ground, by_parameter, moving_race, over_rates, race
from lrcourse.plots.sweeps import by_seed, rates
from lrcourse.schedules.base import Schedule
from lrcourse.training.history import History

__all__ = [
    "Ground",
    "against",
    "by_parameter",
    "by_seed",
    "compare",
    "curve",
    "diagnosis",
    "displacement",
    "gallery",
    "gradient_noise",
    "loop",
    "moving_race",
    "over_looks",
    "over_rates",
    "over_updates",
    "race",
    "rates",
    "readings",
    "schedule",
    "sharpness",
    "surface",
    "traces",
    "training",
    "warmup_lengths",
]


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
    with plt.rc_context(parts.LOOK):
        figure, axes = plt.subplots(figsize=(6.4, 3.0))
        t = np.arange(total)
        for k, (label, shape) in enumerate(shapes.items()):
            axes.plot(
                t,
                peak * shape(t),
                color=parts.colour(k),
                linestyle=parts.dash(k),
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
        parts.name_lines(axes)
        parts.finish(figure, name, {"schedules": {k: repr(v) for k, v in shapes.items()}})


def training(history: parts.OneOrMore, *, title: str = "", name: str = "training") -> None:
    """Loss, accuracy and, below them, the LR that the updates really used, over the epochs.

    The loss is cut at 1. The accuracies are shown from a little below their lowest value after the
    first quarter of the run, so that the ups and downs of a percent can be seen.
    """
    histories = parts.several(history)
    with plt.rc_context(parts.LOOK):
        figure, (top, middle, bottom) = plt.subplots(
            3, 1, figsize=(6.4, 5.6), sharex=True, height_ratios=(2, 2, 1.1)
        )
        panels = {
            "train_loss": (top, 0),
            "test_loss": (top, 2),
            "train_acc": (middle, 0),
            "test_acc": (middle, 2),
        }
        for column, (axes, k) in panels.items():
            if column in histories[0].epochs:
                label = parts.NAMES[column].split()[0]
                parts.band(axes, histories, column, parts.colour(k), "-", label)
        top.set_ylim(0, 1)
        top.set_ylabel("loss")
        top.set_title(parts.with_seeds(title, histories))
        middle.set_ylim(*parts.accuracy_limits(histories))
        middle.set_ylabel("accuracy")
        parts.name_lines(top)
        parts.name_lines(middle)
        parts.draw_applied(bottom, histories[0], "#000000", "-", "")
        parts.label_lr(bottom)
        parts.finish(figure, name, parts.origin({"run": histories}))


def compare(
    runs: Mapping[str, parts.OneOrMore],
    column: str = "test_acc",
    *,
    title: str = "",
    name: str = "compare",
    limits: tuple[float, float] | None = None,
) -> None:
    """One column of several arms over the epochs with a band over seeds, and the LR of each."""
    arms = {label: parts.several(history) for label, history in runs.items()}
    with plt.rc_context(parts.LOOK):
        figure, (top, bottom) = plt.subplots(
            2, 1, figsize=(6.8, 4.8), sharex=True, height_ratios=(2.6, 1.2)
        )
        for k, (label, histories) in enumerate(arms.items()):
            parts.band(top, histories, column, parts.colour(k), parts.dash(k), label)
            parts.draw_applied(bottom, histories[0], parts.colour(k), parts.dash(k), "")
        top.set_ylabel(parts.NAMES.get(column, column))
        top.set_title(parts.with_seeds(title, next(iter(arms.values()))))
        if limits:
            top.set_ylim(*limits)
        parts.name_lines(top)
        parts.label_lr(bottom)
        parts.finish(figure, name, parts.origin(arms))


def traces(
    panels: Mapping[str, Mapping[str, History]], *, title: str = "", name: str = "traces"
) -> None:
    """One small panel for each pair (or more) of runs, with the LR that each really used."""
    columns = 2
    rows = -(-len(panels) // columns)
    with plt.rc_context(parts.LOOK):
        figure, grid = plt.subplots(
            rows, columns, figsize=(7.2, 2.2 * rows), sharex=True, squeeze=False
        )
        labels: dict[str, Line2D] = {}
        for axes, (panel, runs) in zip(grid.flat, panels.items(), strict=False):
            for k, (label, history) in enumerate(runs.items()):
                line = parts.draw_applied(axes, history, parts.colour(k), parts.dash(4 * k), label)
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
        parts.finish(figure, name, parts.origin(flat))
