"""Loss curves beside a healthy one, with the LR that each run applied: what a curve can mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lrcourse import look as parts
from lrcourse.training.history import History

Pair = tuple[Sequence[History], Sequence[History]]

HEALTHY = ("#888888", "-", "healthy")
ROOM_ABOVE = 10  # times the highest healthy loss; what is wilder leaves the panel
DEEPEST = 1 / 3000  # of the highest LR; a decay to nothing would flatten all other curves
LINES = {"train_loss": (0, "-", "training"), "valid_loss": (1, "--", "validation")}


def gallery(panels: Mapping[str, Pair], *, title: str = "", name: str = "gallery") -> None:
    """A panel for each pair (runs, healthy runs): training and validation loss, and the LR applied.

    All panels share their axes, so that they can be compared. A line is the median of the seeds,
    a band their range, and the dots are their single batches. The healthy line is a
    training loss.
    """
    pairs = {label: _checked(label, pair) for label, pair in panels.items()}
    if not pairs:
        raise ValueError("there is no panel to draw; give a mapping name -> (runs, healthy runs)")
    columns = min(4, len(pairs))
    rows = -(-len(pairs) // columns)
    with plt.rc_context(parts.LOOK):
        figure, grid = plt.subplots(
            2 * rows,
            columns,
            figsize=(2.1 * columns, 2.75 * rows),
            sharex=True,
            sharey="row",
            squeeze=False,
            height_ratios=(2, 1) * rows,
        )
        losses, rates = grid[0::2].ravel(), grid[1::2].ravel()
        for loss, rate, (label, pair) in zip(losses, rates, pairs.items(), strict=False):
            _draw(loss, rate, pair)
            loss.set_title(label)
        used = slice(len(pairs))
        _limit(losses[used], rates[used])
        for axes in rates[used]:
            axes.tick_params(labelsize=8)
        for axes in (*losses[len(pairs) :], *rates[len(pairs) :]):
            axes.set_visible(False)
        for row in range(rows):
            grid[2 * row, 0].set_ylabel("loss")
            grid[2 * row + 1, 0].set_ylabel("LR applied")
        for axes in rates[max(0, len(pairs) - columns) : len(pairs)]:
            axes.set_xlabel("update")
        figure.suptitle(title, x=0.02, ha="left", fontsize=10.5)
        lines = [line for axes in losses[used] for line in axes.get_lines()]
        handles = {line.get_label(): line for line in lines if line.get_gid()}
        figure.legend(handles.values(), handles, loc="outside lower center", ncols=len(handles))
        parts.finish(figure, name, _origin(pairs))


def diagnosis(
    runs: Sequence[History],
    healthy: Sequence[History],
    *,
    title: str = "",
    limits: tuple[float, float] | None = None,
    name: str = "diagnosis",
) -> None:
    """One panel of the gallery, larger: the losses at the left, the LR applied at the right.

    ``limits`` of the loss are for a closer look at runs that stay near one value; the axis is
    then linear.
    """
    pair = _checked(title, (runs, healthy))
    with plt.rc_context(parts.LOOK):
        figure, (loss, rate) = plt.subplots(1, 2, figsize=(7.4, 2.5), width_ratios=(1.5, 1))
        _draw(loss, rate, pair)
        _limit([loss], [rate])
        if limits:
            loss.set(yscale="linear", ylim=limits)
        loss.set(xlabel="update", ylabel="loss")
        loss.set_title(parts.with_seeds(title, pair[0], "median"))
        rate.set(xlabel="update", ylabel="LR applied")
        parts.name_lines(loss)
        parts.finish(figure, name, _origin({title: pair}))


def _checked(label: str, pair: Pair) -> Pair:
    if len(pair) != 2:
        raise ValueError(f"{label!r} needs two things, (runs, healthy runs), and has {len(pair)}")
    return tuple(parts.several(histories) for histories in pair)


def _draw(loss: Axes, rate: Axes, pair: Pair) -> None:
    runs, healthy = pair
    grey, dash, label = HEALTHY
    _band(loss, healthy, "train_loss", grey, dash, label, "healthy")
    _applied(rate, healthy[0], grey)
    for run in runs:
        dots = {"color": parts.colour(0), "markersize": 2, "markeredgewidth": 0, "alpha": 0.25}
        loss.plot(np.arange(1, run.updates + 1), run.loss, ".", label="_batches", **dots)
    for column, (k, line, name) in LINES.items():
        if column in runs[0].epochs:
            _band(loss, runs, column, parts.colour(k), line, name, column)
    _applied(rate, runs[0], parts.colour(0))
    for axes in (loss, rate):
        axes.set_yscale("log")


def _band(
    axes: Axes,
    runs: Sequence[History],
    column: str,
    colour: str,
    dash: str,
    label: str,
    gid: str,
) -> None:
    """Median and range over the updates, where any run was measured; infinite losses count."""
    longest = max(runs, key=lambda run: len(run.epochs["update"]))
    table = np.full((len(runs), len(longest.epochs["update"])), np.nan)
    for row, run in zip(table, runs, strict=True):
        row[: len(run.epochs[column])] = run.epochs[column]
    there = ~np.isnan(table).all(0)
    update, table = longest.epochs["update"][there], table[:, there]
    axes.plot(update, np.nanmedian(table, 0), dash, color=colour, label=label, gid=gid)
    if len(runs) > 1:
        low, high = np.nanmin(table, 0), np.nanmax(table, 0)
        axes.fill_between(update, low, high, color=colour, alpha=0.16, linewidth=0)


def _applied(axes: Axes, run: History, colour: str) -> None:
    lr = run.lr.reshape(run.updates, -1)[:, 0]
    update = np.arange(len(lr) + 1)
    axes.plot(update, np.append(lr, lr[-1:]), color=colour, drawstyle="steps-post", gid="applied")


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
            parts.mark_zero(axes, line)


def _positive(lines: Sequence[Line2D]) -> np.ndarray:
    values = np.concatenate([np.asarray(line.get_ydata(), float) for line in lines])
    return values[np.isfinite(values) & (values > 0)]


def _share(panels: Sequence[Axes], low: float, high: float) -> None:
    for axes in panels:
        axes.set_ylim(low, high)
        parts.plain_log_ticks(axes.yaxis)


def _origin(pairs: Mapping[str, Pair]) -> dict:
    arms = {}
    for label, (runs, healthy) in pairs.items():
        arms |= {label: runs, f"{label}, healthy": healthy}
    return parts.origin(arms)
