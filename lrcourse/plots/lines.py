"""Numbers over updates and over other numbers, a line an arm and a row a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from lrcourse import look
from lrcourse.plots import arguments as given
from lrcourse.support.checks import COUNT_FROM_1, NUMBER, POSITIVE, TEXT, optional, together

Limits = tuple[float, float]


@given.drawing(
    x=given.series,
    lines=given.by_name("line", given.equal_rows),
    labels=together("the labels of the two axes", TEXT, TEXT),
)
def against(
    x: Sequence[float],
    lines: Mapping[str, ArrayLike],
    labels: tuple[str, str],
    *,
    log_x: bool = False,
    log_y: bool = False,
    limits: Limits | None = None,
    title: str = "",
    name: str = "against",
) -> None:
    """Numbers over other numbers: a row of len(x), or one row a seed, then median and range.

    Args:
        x: numbers, shape (places,).
        lines: label -> values of shape (places,), or of shape (seeds, places).
        labels: of the two axes.
        log_x, log_y: whether an axis is a log axis.
        limits: lowest and highest of the upright axis.
        title, name: of the figure and its file.

    Raises:
        ValueError: a line is not as long as x.

    >>> from lrcourse import plots
    >>> plots.against([1, 2, 3], {"three seeds": [[1, 2, 3], [2, 2, 4], [1, 3, 5]]}, ("x", "y"))
    """
    given.as_long("against", {label: (x, rows) for label, rows in lines.items()})
    with look.sheet(name, {"lines": list(lines)}, (6.8, 3.2)) as (_, (axes,)):
        floor = limits[0] if log_y and limits else None
        for k, (label, rows) in enumerate(lines.items()):
            line = look.band(axes, x, rows, look.colour(k), look.dash(k), floor=floor, label=label)
            line.set(marker=look.SHAPES[k % len(look.SHAPES)], markersize=4)
        axes.set(xlabel=labels[0], ylabel=labels[1], title=title)
        if not log_x and all(float(one).is_integer() for one in x):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        look.scales(axes, log_x=log_x, log_y=log_y, limits=limits)
        look.name_lines(axes)


@given.drawing(
    lines=given.by_name("line", given.rows),
    levels=optional(given.by_name("level", NUMBER)),
    every=COUNT_FROM_1,
    mark=optional(POSITIVE),
)
def over_updates(
    lines: Mapping[str, Sequence[ArrayLike]],
    label: str,
    *,
    levels: Mapping[str, float] | None = None,
    log_x: bool = False,
    limits: Limits | None = None,
    every: int = 1,
    mark: float | None = None,
    colours: Mapping[str, int] | None = None,
    title: str = "",
    name: str = "over-updates",
) -> None:
    """A number after each update, for several descents or arms of runs.

    Args:
        lines: values of shape (updates,), or rows of unequal length, one a seed: then their mean
            where all seeds have one, and their range. A row that holds a NaN or an infinity ends
            there with a cross.
        label: of the numbers.
        levels: by the name of a line, a height where theory puts it, drawn dashed.
        log_x: whether the axis of the updates is a log axis, too.
        limits: of the numbers.
        every: updates from one number to the next.
        mark: a number of updates to mark, dashed: where something was changed.
        colours: name of a line -> number of its colour; default: one after the other.
        title: of the figure.
        name: of its file in a headless run.

    >>> from lrcourse import plots
    >>> lines = {"falls": [1.0, 0.5, 0.25], "two seeds": [[1.0, 0.9], [1.0, 0.8, 0.7]]}
    >>> plots.over_updates(lines, "loss", levels={"falls": 0.2})
    """
    with look.sheet(name, {"lines": list(lines)}, (6.8, 3.4)) as (_, (axes,)):
        for k, (line, values) in enumerate(lines.items()):
            colour = look.colour((colours or {}).get(line, k))
            whole_rows = [_until_it_breaks(axes, np.asarray(row), colour, every) for row in values]
            made = min(map(len, whole_rows))
            updates = every * np.arange(1, made + 1)
            rows = [row[:made] for row in whole_rows]
            look.band(axes, updates, rows, colour, middle=np.mean, label=line, linewidth=1.3)
            if levels and line in levels:
                axes.axhline(levels[line], color=colour, linestyle="--", linewidth=1)
        if mark is not None:
            axes.axvline(mark, color=look.GREY, linestyle="--", linewidth=1)
        axes.set(xlabel="update", ylabel=label, title=title, yscale="log")
        if log_x:
            look.log_axis(axes, "x")
        if limits:
            axes.set_ylim(*limits)
        look.name_lines(axes)


def _until_it_breaks(axes: Axes, row: np.ndarray, colour: str, every: int) -> np.ndarray:
    """The numbers up to the first that is not finite; there a cross."""
    broken = np.flatnonzero(~np.isfinite(row))
    if not len(broken):
        return row
    row = row[: broken[0]]
    if len(row):
        axes.plot([every * len(row)], [row[-1]], "x", color=colour, ms=6, label="_")
    return row


@given.drawing(
    lines=given.by_name("line", together("(updates made, values)", given.series, given.series)),
    level=optional(NUMBER),
    around_0=optional(POSITIVE),
)
def over_looks(
    lines: Mapping[str, tuple[Sequence[int], Sequence[float]]],
    label: str,
    *,
    level: float | None = None,
    around_0: float | None = None,
    legend: bool = False,
    title: str = "",
    name: str = "over-looks",
) -> None:
    """Numbers that were measured now and then, on a log axis.

    Args:
        lines: label -> (updates made, values), both of shape (looks,). Values that are not above 0
            are left out, unless `around_0` is given.
        label: of the numbers.
        level: a height to mark, dashed.
        around_0: between minus this number and this number the axis is linear, beyond it is a log
            axis on either side.
        legend: name the lines in a box, and not at their ends.
        title: of the figure.
        name: of its file in a headless run.

    >>> from lrcourse import plots
    >>> plots.over_looks({"LeNet": ([0, 10, 100], [5.0, 20.0, 11.0])}, "sharpness")
    """
    with look.sheet(name, {"lines": list(lines)}, (6.8, 3.0)) as (_, (axes,)):
        for k, (what, (updates, values)) in enumerate(lines.items()):
            shown = np.where((np.asarray(values) > 0) | (around_0 is not None), values, np.nan)
            style = ".-" if look.dash(k) == "-" else ".--"
            axes.plot(updates, shown, style, color=look.colour(k), label=what, ms=5)
        if level is not None:
            axes.axhline(level, color=look.GREY, linestyle="--", linewidth=1)
        axes.set(xlabel="updates made", ylabel=label, title=title)
        if around_0 is None:
            look.log_axis(axes, "y")
        else:
            axes.set_yscale("symlog", linthresh=around_0)
            axes.axhline(0, color=look.GREY, linewidth=0.6)
        axes.legend() if legend else look.name_lines(axes)


@given.drawing(
    dots=given.by_name("cloud", together("(x, y)", given.series, given.series)),
    limits=optional(together("the limits of x and of y", given.limits, given.limits)),
    labels=together("the labels of the two axes", TEXT, TEXT),
)
def scatter(
    dots: Mapping[str, tuple[ArrayLike, ArrayLike]],
    labels: tuple[str, str],
    *,
    limits: tuple[Limits, Limits] | None = None,
    colours: Mapping[str, int] | None = None,
    title: str = "",
    name: str = "scatter",
) -> None:
    """A dot for each pair of numbers, on two log axes; what is not above 0 is left out.

    Args:
        dots: name of a cloud -> (x, y), both of shape (dots,).
        labels: of the two axes.
        limits: of x and of y, each (lowest, highest).
        colours: name -> number of its colour; default: one after the other.
        title, name: of the figure and its file.

    Raises:
        ValueError: not one y for each x.

    >>> from lrcourse import plots
    >>> plots.scatter({"SGD": ([0.001, 0.1], [0.01, 1.0])}, ("gradient", "step"))
    """
    given.as_long("scatter", dots, "dots")
    with look.sheet(name, {"clouds": list(dots)}, (6.8, 3.6)) as (_, (axes,)):
        for k, (label, (x, y)) in enumerate(dots.items()):
            colour, x, y = look.colour((colours or {}).get(label, k)), np.asarray(x), np.asarray(y)
            there = (x > 0) & (y > 0)
            axes.plot(x[there], y[there], ".", ms=2.5, color=colour, label=label, rasterized=True)
        across, upright = limits or (None, None)
        axes.set(xlabel=labels[0], ylabel=labels[1], title=title)
        if across:
            axes.set_xlim(*across)
        look.scales(axes, log_x=True, log_y=True, limits=upright)
        axes.legend(markerscale=4, loc="lower right")


@given.drawing(panels=given.by_name("panel", given.by_name("line", given.series)))
def by_parameter(
    panels: Mapping[str, Mapping[str, Sequence[float]]],
    *,
    title: str = "",
    name: str = "by-parameter",
) -> None:
    """A panel for each optimizer: the effective rate over the updates of each of a few parameters.

    `panels` maps optimizer -> parameter -> values of shape (updates,), all above 0.
    `title` stands over the figure; `name` is that of its file.

    >>> from lrcourse import plots
    >>> plots.by_parameter({"AdaGrad": {"often": [0.1, 0.05, 0.03], "rarely": [0.1, 0.1, 0.09]}})
    """
    told = {panel: list(lines) for panel, lines in panels.items()}
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    size = (7.4, 2.1 * rows + 0.4)
    with look.sheet(name, told, size, rows, columns, title=title, sharex=True, sharey=True) as (
        figure,
        grid,
    ):
        handles: dict[str, Line2D] = {}
        for axes, (panel, lines) in zip(grid, panels.items(), strict=False):
            for k, (parameter, values) in enumerate(lines.items()):
                style, update = ("-", "--", ":")[k % 3], np.arange(1, len(values) + 1)
                (line,) = axes.plot(update, values, style, color=look.colour(k), linewidth=1.5)
                handles.setdefault(parameter, line)
            axes.set(title=panel, yscale="log")
        for axes in grid[-columns:]:
            axes.set_xlabel("update")
        for axes in grid[::columns]:
            axes.set_ylabel("effective rate")
        figure.legend(handles.values(), handles, loc="outside lower center", ncols=len(handles))
