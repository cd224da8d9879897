"""Loss curves beside a healthy one, with the LR that each run applied: what a curve can mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from lrcourse import plot_parts as parts
from lrcourse.history import History

Pair = tuple[Sequence[History], Sequence[History]]

HEALTHY = ("#888888", "-", "healthy, training")
LINES = {"train_loss": (0, "-", "training"), "valid_loss": (1, "--", "validation")}


def gallery(panels: Mapping[str, Pair], *, title: str = "", name: str = "gallery") -> None:
    """A panel for each pair (runs, healthy runs): training and validation loss, and the LR applied.

    All panels share their axes, so that they can be compared. A line is the median of the seeds,
    a band their range.
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
        for axes in (*losses[len(pairs) :], *rates[len(pairs) :]):
            axes.set_visible(False)
        for row in range(rows):
            grid[2 * row, 0].set_ylabel("loss")
            grid[2 * row + 1, 0].set_ylabel("LR applied")
        figure.supxlabel("update", fontsize=9.5)
        figure.suptitle(parts.with_seeds(title, next(iter(pairs.values()))[0], "median"), **_LEFT)
        handles = {line.get_label(): line for axes in losses[used] for line in axes.get_lines()}
        figure.legend(handles.values(), handles, loc="outside lower center", ncols=len(handles))
        parts.finish(figure, name, _origin(pairs))


def diagnosis(
    runs: Sequence[History],
    healthy: Sequence[History],
    *,
    title: str = "",
    name: str = "diagnosis",
) -> None:
    """One panel of the gallery, larger: the losses at the left, the LR applied at the right."""
    pair = _checked(title, (runs, healthy))
    with plt.rc_context(parts.LOOK):
        figure, (loss, rate) = plt.subplots(1, 2, figsize=(7.4, 2.5), width_ratios=(1.5, 1))
        _draw(loss, rate, pair)
        _limit([loss], [rate])
        loss.set(xlabel="update", ylabel="loss")
        loss.set_title(parts.with_seeds(title, pair[0], "median"))
        rate.set(xlabel="update", ylabel="LR applied")
        parts.name_lines(loss)
        parts.finish(figure, name, _origin({title: pair}))


_LEFT = {"x": 0.02, "ha": "left", "fontsize": 10.5}


def _checked(label: str, pair: Pair) -> Pair:
    if len(pair) != 2:
        raise ValueError(f"{label!r} needs two things, (runs, healthy runs), and has {len(pair)}")
    return tuple(parts.several(histories) for histories in pair)


def _draw(loss: Axes, rate: Axes, pair: Pair) -> None:
    runs, healthy = pair
    grey, dash, label = HEALTHY
    _band(loss, healthy, "train_loss", grey, dash, label)
    _applied(rate, healthy[0], grey)
    for column, (k, line, name) in LINES.items():
        if column in runs[0].epochs:
            _band(loss, runs, column, parts.colour(k), line, name)
    _applied(rate, runs[0], parts.colour(0))
    for axes in (loss, rate):
        axes.set_yscale("log")


def _band(
    axes: Axes, runs: Sequence[History], column: str, colour: str, dash: str, label: str
) -> None:
    """Median and range over the updates, where any run was measured; infinite losses count."""
    longest = max(runs, key=lambda run: len(run.epochs["update"]))
    table = np.full((len(runs), len(longest.epochs["update"])), np.nan)
    for row, run in zip(table, runs, strict=True):
        row[: len(run.epochs[column])] = run.epochs[column]
    there = ~np.isnan(table).all(0)
    update, table = longest.epochs["update"][there], table[:, there]
    axes.plot(update, np.nanmedian(table, 0), dash, color=colour, label=label, gid=column)
    if len(runs) > 1:
        low, high = np.nanmin(table, 0), np.nanmax(table, 0)
        axes.fill_between(update, low, high, color=colour, alpha=0.16, linewidth=0)


def _applied(axes: Axes, run: History, colour: str) -> None:
    lr = run.lr.reshape(run.updates, -1)[:, 0]
    update = np.arange(len(lr) + 1)
    axes.plot(
        update, np.append(lr, lr[-1:]), color=colour, drawstyle="steps-post", gid="applied"
    )


def _limit(losses: Sequence[Axes], rates: Sequence[Axes]) -> None:
    """One range for all losses and one for all rates. A log axis has no 0: it is marked."""
    _share(losses, [line for axes in losses for line in axes.get_lines()])
    lines = {axes: list(axes.get_lines()) for axes in rates}
    _share(rates, [line for each in lines.values() for line in each])
    for axes, each in lines.items():
        for line in each:
            parts.mark_zero(axes, line)


def _share(panels: Sequence[Axes], lines: Sequence) -> None:
    values = np.concatenate([np.asarray(line.get_ydata(), float) for line in lines])
    values = values[np.isfinite(values) & (values > 0)]
    for axes in panels:
        if len(values):
            axes.set_ylim(values.min() / 1.5, values.max() * 1.5)
            parts.plain_log_ticks(axes.yaxis)


def _origin(pairs: Mapping[str, Pair]) -> dict:
    arms = {}
    for label, (runs, healthy) in pairs.items():
        arms |= {label: runs, f"{label}, healthy": healthy}
    return parts.origin(arms)
