"""Figures of what is measured on nets: how far layers move, gradient noise, and sharpness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.lines import Line2D

from lrcourse import look
from lrcourse.plots import arguments as given
from lrcourse.study.curvature import Watch
from lrcourse.study.displacement import Displacement
from lrcourse.study.gradient_noise import Noise
from lrcourse.support.checks import COUNT_FROM_1, TEXT, each, kind, one_of, optional

_MOVES = {
    "steps": "one update, relative to the weights",
    "from_start": "distance from the start,\nrelative to the start",
}


@given.drawing(
    watched=given.by_name("run", kind("a Displacement", Displacement)),
    what=one_of(*_MOVES),
    layers=optional(each(TEXT)),
)
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
        title: over the panels.
        name: of its file in a headless run.

    Raises:
        ValueError: not one name for each layer.

    >>> from lrcourse import plots
    >>> from lrcourse.study.displacement import displacement_of
    >>> from lrcourse.sweeps import Experiment
    >>> moved = displacement_of(Experiment(images=64, epochs=2, evaluate=None), "cpu")
    >>> plots.displacement({"LeNet": moved}, "from_start")
    """
    count = len(watched)
    told = {"runs": list(watched), "what": what}
    with look.sheet(name, told, (7.4, 3.0), 1, count, title=title, sharey=True) as (_, panels):
        for axes, (label, run) in zip(panels, watched.items(), strict=True):
            table = getattr(run, what)
            names = run.names if layers is None else layers
            if len(names) != table.shape[1]:
                raise ValueError(
                    f"displacement: layers must be {table.shape[1]} names; it has {len(names)}"
                )
            update = np.arange(1, len(table) + 1)
            for k, layer in enumerate(names):
                values = np.where(table[:, k] > 0, table[:, k], np.nan)
                axes.plot(update, values, color=look.colour(k), label=layer, linewidth=1.2)
            axes.set(xscale="log", yscale="log", xlabel="update", title=label)
            look.plain_log_ticks(axes.xaxis)
        for axes in panels:
            look.plain_log_ticks(axes.yaxis)
        panels[0].set_ylabel(_MOVES[what])
        look.name_lines(panels[-1])


@given.drawing(
    looks=given.by_name("net", given.by_name("look", kind("a Noise", Noise))),
    batch_size=COUNT_FROM_1,
)
def gradient_noise(
    looks: Mapping[str, Mapping[int, Noise]],
    batch_size: int,
    *,
    title: str = "",
    name: str = "gradient-noise",
) -> None:
    """The length of the gradient, and that of a batch's noise, a panel for each net.

    `looks` maps label -> updates made -> the `Noise` that was measured then; the noise is that of
    batches of `batch_size` images.
    `title` stands over the figure; `name` is that of its file.

    >>> from lrcourse import plots
    >>> from lrcourse.study.gradient_noise import Noise
    >>> plots.gradient_noise({"LeNet": {0: Noise(4.0, 64.0, 100), 9: Noise(1.0, 50.0, 100)}}, 32)
    """
    told = {"nets": list(looks), "batch_size": batch_size}
    count = len(looks)
    with look.sheet(name, told, (7.4, 3.0), 1, count, title=title, sharey=True) as (_, panels):
        for axes, (label, row) in zip(panels, looks.items(), strict=True):
            squares = {
                "gradient": [noise.signal for noise in row.values()],
                f"noise, batch {batch_size}": [n.variance(batch_size) for n in row.values()],
            }
            for k, (what, values) in enumerate(squares.items()):
                axes.plot(list(row), np.sqrt(values), ".-", color=look.colour(k), label=what, ms=4)
            axes.set(yscale="log", xlabel="updates made", title=label)
        for axes in panels:
            look.plain_log_ticks(axes.yaxis)
        panels[0].set_ylabel("length")
        look.name_lines(panels[-1])


@given.drawing(watches=given.by_name("run", kind("a Watch", Watch)))
def sharpness(watches: Mapping[str, Watch], *, title: str = "", name: str = "sharpness") -> None:
    """The loss of each update, and below it the sharpness, with 2 / lr of each rate dashed.

    `watches` maps label -> what `train_watching` gave.
    `title` stands over the figure; `name` is that of its file.

    >>> from lrcourse import data, models, plots
    >>> from lrcourse.study.curvature import train_watching
    >>> digits, net = data.load("digits", device="cpu").subset(64), models.mlp(1, 8)
    >>> plots.sharpness({"rate 0.1": train_watching(net, digits.train, 0.1, updates=6, every=2)})
    """
    told = {label: {"lr": w.lr, "batch": w.batch_size} for label, w in watches.items()}
    with look.sheet(name, told, (6.8, 4.8), heights=(1.2, 1.6)) as (_, (top, bottom)):
        edges: dict[float, str] = {}
        for k, (label, watch) in enumerate(watches.items()):
            colour = look.colour(k)
            (line,) = top.plot(watch.loss, color=colour, linewidth=0.9)
            if watch.batch_size is not None:  # its noise would hide the others
                line.set(alpha=0.35, zorder=1)
            found = watch.looks, watch.sharpness
            bottom.plot(*found, ".-", color=colour, label=label, markersize=3)
            edges.setdefault(watch.edge, colour)
        for edge, colour in edges.items():
            bottom.axhline(edge, color=colour, linestyle="--", linewidth=1)
        top.set(yscale="log", ylabel="training loss", title=title)
        bottom.set(xlabel="update", ylabel="sharpness", ylim=(0, 1.7 * max(edges)))
        dashed = Line2D([], [], color=look.GREY, linestyle="--", linewidth=1)
        bottom.legend([dashed], ["2 / rate"], loc="upper right")
        look.name_lines(bottom)
