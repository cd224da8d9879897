"""Loss curves beside a healthy one, with the LR that each run applied: what a curve can mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lrcourse import look
from lrcourse.plots import arguments as given
from lrcourse.plots import bands
from lrcourse.plots.bands import Seeds
from lrcourse.support.checks import together

Pair = tuple[Seeds, Seeds]

HEALTHY = ("#888888", "-", "healthy")
ROOM_ABOVE = 10  # times the highest healthy loss; what is wilder leaves the panel
DEEPEST = 1 / 3000  # of the highest LR; a decay to nothing would flatten all other curves
LINES = {"train_loss": (0, "-", "training"), "valid_loss": (1, "--", "validation")}


@given.drawing(
    panels=given.by_name("panel", together("(runs, healthy runs)", given.runs, given.runs))
)
def gallery(panels: Mapping[str, Pair], *, title: str = "", name: str = "gallery") -> None:
    """A panel for each pair (runs, healthy runs): training and validation loss, and the LR applied.

    `panels` maps label -> pair. They share their axes, so that they can be compared. A line is the
    median of the seeds, a band their range, and the dots are their single batches. The healthy line
    is a training loss. `title` stands over the figure; `name` is that of its file.

    >>> from lrcourse import plots
    >>> from lrcourse.sweeps import Experiment
    >>> healthy, wild = (Experiment(images=64, epochs=2, lr=lr).run("cpu") for lr in (0.1, 3.0))
    >>> plots.gallery({"the rate is too large": ([wild], [healthy])})
    """
    columns = min(4, len(panels))
    rows = -(-len(panels) // columns)
    size = (2.1 * columns, 2.75 * rows)
    with look.sheet(
        name,
        _origin(panels),
        size,
        2 * rows,
        columns,
        title=title,
        sharex=True,
        sharey="row",
        height_ratios=(2, 1) * rows,
    ) as (figure, all_axes):
        grid = np.array(all_axes).reshape(2 * rows, columns)
        places = list(zip(grid[0::2].flat, grid[1::2].flat, strict=True))
        used = places[: len(panels)]
        for (loss, rate), (label, pair) in zip(used, panels.items(), strict=True):
            _draw(loss, rate, pair)
            loss.set_title(label)
            rate.tick_params(labelsize=8)
        losses, rates = zip(*used, strict=True)
        _limit(losses, rates)
        for loss, rate in places[::columns]:
            loss.set_ylabel("loss")
            rate.set_ylabel("LR applied")
        for rate in rates[-columns:]:
            rate.set_xlabel("update")
        lines = [line for loss in losses for line in loss.get_lines()]
        handles = {line.get_label(): line for line in lines if line.get_gid()}
        figure.legend(handles.values(), handles, loc="outside lower center", ncols=len(handles))


@given.drawing(runs=given.runs, healthy=given.runs)
def diagnosis(
    runs: Seeds,
    healthy: Seeds,
    *,
    title: str = "",
    limits: tuple[float, float] | None = None,
    name: str = "diagnosis",
) -> None:
    """One panel of the gallery, larger: the losses at the left, the LR applied at the right.

    `runs` and `healthy` are a History each, or one for each seed. `limits` of the loss are for a
    closer look at runs that stay near one value; the axis is then linear.
    `title` stands over the figure; `name` is that of its file.

    >>> from lrcourse import plots
    >>> from lrcourse.sweeps import Experiment
    >>> healthy, wild = (Experiment(images=64, epochs=2, lr=lr).run("cpu") for lr in (0.1, 3.0))
    >>> plots.diagnosis([wild], [healthy], title="The rate is too large")
    """
    told = _origin({title: (runs, healthy)})
    with look.sheet(name, told, (7.4, 2.5), 1, 2, width_ratios=(1.5, 1)) as (_, (loss, rate)):
        _draw(loss, rate, (runs, healthy))
        _limit([loss], [rate])
        if limits:
            loss.set(yscale="linear", ylim=limits)
        loss.set(xlabel="update", ylabel="loss")
        loss.set_title(bands.with_seeds(title, len(runs), "median"))
        rate.set(xlabel="update", ylabel="LR applied")
        look.name_lines(loss)


def _draw(loss: Axes, rate: Axes, pair: Pair) -> None:
    runs, healthy = pair
    grey, style, label = HEALTHY
    bands.band(loss, healthy, "train_loss", "update", grey, style, label=label, gid="healthy")
    bands.applied(rate, healthy[0], grey)
    dots: dict[str, Any] = {"markersize": 2, "markeredgewidth": 0, "alpha": 0.25}
    for run in runs:
        update = np.arange(1, run.updates + 1)
        loss.plot(update, run.loss, ".", color=look.colour(0), label="_batches", **dots)
    for column, (k, style, name) in LINES.items():
        if column in runs[0].epochs:
            colour = look.colour(k)
            bands.band(loss, runs, column, "update", colour, style, label=name, gid=column)
    bands.applied(rate, runs[0], look.colour(0))
    for axes in (loss, rate):
        axes.set_yscale("log")


def _limit(losses: Sequence[Axes], rates: Sequence[Axes]) -> None:
    """One range for all losses and one for all rates. A log axis has no 0: it is marked."""
    drawn = [line for axes in losses for line in axes.get_lines() if line.get_gid()]
    top = ROOM_ABOVE * _positive([line for line in drawn if line.get_gid() == "healthy"]).max()
    low = _positive(drawn).min() / 1.5
    _share(losses, low, min(top, 1.5 * max(_positive(axes.get_lines()).max() for axes in losses)))
    lines = {axes: list(axes.get_lines()) for axes in rates}
    values = _positive([line for each in lines.values() for line in each])
    _share(rates, max(values.min() / 1.5, DEEPEST * values.max()), 1.5 * values.max())
    for axes, each in lines.items():
        for line in each:
            look.mark_zero(axes, line)


def _positive(lines: Sequence[Line2D]) -> np.ndarray:
    values = np.concatenate([np.asarray(line.get_ydata(), float) for line in lines])
    return values[np.isfinite(values) & (values > 0)]


def _share(panels: Sequence[Axes], low: float, high: float) -> None:
    for axes in panels:
        axes.set_ylim(low, high)
        look.plain_log_ticks(axes.yaxis)


def _origin(pairs: Mapping[str, Pair]) -> dict[str, Any]:
    arms = {}
    for label, (runs, healthy) in pairs.items():
        arms |= {label: runs, f"{label}, healthy": healthy}
    return bands.origin(arms)
