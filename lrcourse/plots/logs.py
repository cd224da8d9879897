"""What loops of one's own logged of each update: losses, rates and lengths, arm beside arm."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from lrcourse import look
from lrcourse.plots import arguments as given
from lrcourse.support.checks import COUNT, COUNT_FROM_1, NUMBER, optional

DEEPEST = 1 / 3000  # of the highest rate; a decay to nothing would flatten all others


@given.drawing(
    columns=given.by_name("column", COUNT),
    epoch=optional(COUNT_FROM_1),
    every=optional(COUNT_FROM_1),
    upto=optional(COUNT_FROM_1),
    level=optional(NUMBER),
)
def logs(
    arms: Mapping[str, ArrayLike | Sequence[ArrayLike]],
    columns: Mapping[str, int],
    *,
    epoch: int | None = None,
    every: int | None = None,
    upto: int | None = None,
    dots: bool = False,
    level: float | None = None,
    log: bool = True,
    log_lr: bool = False,
    log_x: bool = False,
    colours: Mapping[str, int] | None = None,
    dashed: Collection[str] = (),
    title: str = "",
    name: str = "logs",
) -> None:
    """Columns of the logs that loops of one's own kept, a panel each, a line for each arm.

    A log has a row for each update and a column for each number that was kept. A line is the median
    of an arm's seeds, its band their range. A column whose label begins with "rate" holds learning
    rates: they are drawn as steps, those of the first seed.

    Args:
        arms: name -> a log of shape (updates, columns), or one for each seed. They may end early.
        columns: label of a panel -> number of its column, from 0.
        epoch: updates in one; then the axis counts epochs, and a point is the mean over one.
        every: a point is the mean over so many updates; without `epoch` the default is 1.
        upto: draw the first updates alone.
        dots: draw the single updates of the first seed, too.
        level: a height to mark in the first panel, dashed.
        log: whether the axes of all panels but the rates' are log axes.
        log_lr: whether that of the rates is one; it begins at 0 without.
        log_x: whether that of the updates is one.
        colours: arm -> number of its colour; default: one after the other.
        dashed: arms whose lines are dashed.
        title, name: of the figure and its file.

    Raises:
        ValueError: a log without one of the columns; a name in `dashed` that no arm has.

    >>> from lrcourse import plots
    >>> mine = [(2.3, 0.1), (1.9, 0.1), (1.2, 0.05), (1.1, 0.05)]
    >>> plots.logs({"my loop": mine}, {"loss": 0, "rate": 1}, epoch=2)
    """
    tables_of: dict[str, list[np.ndarray]] = given.by_name("arm", given.logs)("logs", "arms", arms)
    for arm, tables in tables_of.items():
        for label, k in columns.items():
            if k >= (most := min(table.shape[1] for table in tables)):
                raise ValueError(
                    f"logs: columns[{label!r}] must be below {most}, for so many columns has "
                    f"arms[{arm!r}]; got {k}"
                )
    styles = given.style_of("logs", tables_of, dashed)
    heights = tuple(1 if _of_rates(label) else 2 for label in columns)
    size, per, n = (6.8, 2.8 + 0.8 * len(columns)), epoch or 1, every or epoch or 1
    sheet = look.sheet(name, {"arms": list(arms)}, size, heights=heights, title=title or None)
    with sheet as (_, panels):
        for axes, (label, column) in zip(panels, columns.items(), strict=True):
            for k, (arm, tables) in enumerate(tables_of.items()):
                rows = [table[:upto, column] for table in tables]
                colour = look.colour((colours or {}).get(arm, k))
                if _of_rates(label):
                    look.steps(axes, rows[0], styles[arm], per=per, color=colour, label=arm)
                    continue
                if dots:
                    at = (np.arange(len(rows[0])) + 0.5) / per
                    axes.plot(at, rows[0], ".", ms=2.5, color=look.GREY, alpha=0.5)
                _means(axes, rows, n, per, colour, styles[arm], arm)
            axes.set(ylabel=label)
            _scale(axes, log_lr if _of_rates(label) else log, _of_rates(label))
        if level is not None:
            panels[0].axhline(level, color=look.GREY, linestyle="--", linewidth=1)
        if log_x:
            look.log_axis(panels[-1], "x")
        panels[-1].set_xlabel("update" if epoch is None else "epoch")
        look.name_lines(panels[0])


def _of_rates(label: str) -> bool:
    return label.startswith("rate")


def _means(
    axes: Axes, rows: list[np.ndarray], n: int, per: int, colour: str, style: str, arm: str
) -> None:
    """Means over n updates, each at the middle of its updates; what is not finite is a gap."""
    blocks = [np.array_split(row, range(n, len(row), n)) for row in rows]
    table = np.full((len(rows), max(map(len, blocks))), np.nan)
    for seed, row in enumerate(blocks):
        table[seed, : len(row)] = [block.mean() for block in row]
    table[~np.isfinite(table)] = np.nan
    middle = n * (np.arange(table.shape[1]) + 0.5)
    at = (middle + 0.5) if per == 1 else middle / per  # the first update is number 1
    marker = "." if table.shape[1] <= 30 else ""
    look.band(axes, at, table, colour, style, marker=marker, label=arm)


def _scale(axes: Axes, log: bool, rates: bool) -> None:
    if not log:
        axes.set_ylim(bottom=0)
        return
    axes.set_yscale("log")
    if rates:
        values = np.concatenate([np.asarray(line.get_ydata()) for line in axes.get_lines()])
        low, high = np.nanmin(values[values > 0], initial=np.inf), np.nanmax(values)
        if high > 0:
            axes.set_ylim(max(low, DEEPEST * high) / 1.5, 1.5 * high)
    look.plain_log_ticks(axes.yaxis)
