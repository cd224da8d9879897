"""Numbers over updates, rates and other numbers, a line an arm and a row a seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from lrcourse import look
from lrcourse.plots import arguments as given
from lrcourse.rangetest.result import Calibration
from lrcourse.rangetest.rules import RULES
from lrcourse.support.checks import COUNT_FROM_1, NUMBER, POSITIVE, TEXT, kind, optional, together

Limits = tuple[float, float]
SHAPES = ("o", "s", "^", "D", "v", "P")


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
    _as_long("against", lines, {label: x for label in lines})
    with look.sheet(name, {"lines": list(lines)}, (6.8, 3.2)) as (_, (axes,)):
        floor = limits[0] if log_y and limits else None
        for k, (label, rows) in enumerate(lines.items()):
            line = look.band(axes, x, rows, look.colour(k), look.dash(k), floor=floor, label=label)
            line.set(marker=SHAPES[k % len(SHAPES)], markersize=4)
        axes.set(xlabel=labels[0], ylabel=labels[1], title=title)
        if not log_x and all(float(one).is_integer() for one in x):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        look.scales(axes, log_x=log_x, log_y=log_y, limits=limits)
        look.name_lines(axes)


@given.drawing(
    lines=given.by_name("line", given.rows),
    levels=optional(given.by_name("level", NUMBER)),
    every=COUNT_FROM_1,
)
def over_updates(
    lines: Mapping[str, Sequence[ArrayLike]],
    label: str,
    *,
    levels: Mapping[str, float] | None = None,
    log_x: bool = False,
    limits: Limits | None = None,
    every: int = 1,
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
        title: of the figure.
        name: of its file in a headless run.

    >>> from lrcourse import plots
    >>> lines = {"falls": [1.0, 0.5, 0.25], "two seeds": [[1.0, 0.9], [1.0, 0.8, 0.7]]}
    >>> plots.over_updates(lines, "loss", levels={"falls": 0.2})
    """
    with look.sheet(name, {"lines": list(lines)}, (6.8, 3.4)) as (_, (axes,)):
        for k, (line, values) in enumerate(lines.items()):
            whole_rows = [_until_it_breaks(axes, np.asarray(row), k, every) for row in values]
            made = min(map(len, whole_rows))
            updates = every * np.arange(1, made + 1)
            rows, colour = [row[:made] for row in whole_rows], look.colour(k)
            look.band(axes, updates, rows, colour, middle=np.mean, label=line, linewidth=1.3)
            if levels and line in levels:
                axes.axhline(levels[line], color=colour, linestyle="--", linewidth=1)
        axes.set(xlabel="update", ylabel=label, title=title, yscale="log")
        if log_x:
            look.log_axis(axes, "x")
        if limits:
            axes.set_ylim(*limits)
        look.name_lines(axes)


def _until_it_breaks(axes: Axes, row: np.ndarray, k: int, every: int) -> np.ndarray:
    """The numbers up to the first that is not finite; there a cross."""
    broken = np.flatnonzero(~np.isfinite(row))
    if not len(broken):
        return row
    row = row[: broken[0]]
    if len(row):
        axes.plot([every * len(row)], [row[-1]], "x", color=look.colour(k), ms=6, label="_")
    return row


@given.drawing(
    lines=given.by_name("line", together("(rates, values)", given.series, given.equal_rows)),
    level=optional(NUMBER),
)
def over_rates(
    lines: Mapping[str, tuple[Sequence[float], ArrayLike]],
    label: str,
    *,
    axis: str = "rate",
    level: float | None = None,
    limits: Limits | None = None,
    log_y: bool = True,
    legend: bool = False,
    title: str = "",
    name: str = "over-rates",
) -> None:
    """A number over the rate, on a log axis, for several optimizers.

    Args:
        lines: name -> (rates, values): one value a rate, or a row of them for each seed, drawn as
            median and range. NaN and infinity are left out.
        label: of the numbers.
        axis: the label of the rates.
        level: a height to mark, dashed.
        limits: lowest and highest of the numbers. Lines that leave them upwards end there.
        log_y: whether the axis of the numbers is a log axis.
        legend: name the lines in a box, and not at their ends.
        title: of the figure.
        name: of its file in a headless run.

    >>> from lrcourse import plots
    >>> plots.over_rates({"SGD": ([0.01, 0.1, 1.0], [2.0, 0.5, float("nan")])}, "loss", level=1.0)
    """
    _as_long(
        "over_rates", {k: v for k, (_, v) in lines.items()}, {k: x for k, (x, _) in lines.items()}
    )
    with look.sheet(name, {"lines": list(lines)}, (6.8, 3.4)) as (_, (axes,)):
        top = limits[1] if limits else np.inf
        for k, (optimizer, (rates, values)) in enumerate(lines.items()):
            rows = np.asarray(values, float)
            rows = np.where(np.isfinite(rows) & (rows <= top), rows, np.nan)
            marker = "." if rows.shape[1] <= 30 else ""
            look.band(axes, rates, rows, look.colour(k), label=optimizer, marker=marker)
        if level is not None:
            axes.axhline(level, color=look.GREY, linestyle="--", linewidth=1)
        axes.set(xlabel=axis, ylabel=label, title=title)
        look.scales(axes, log_x=True, log_y=log_y, limits=limits)
        axes.legend(loc="lower left") if legend else look.name_lines(axes)


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


@given.drawing(cases=given.by_name("case", kind("a Calibration", Calibration)))
def readings(cases: Mapping[str, Calibration], *, title: str = "", name: str = "readings") -> None:
    """For each rule the rate that it reads off over the best rate of a sweep, a mark a case.

    `cases` maps label -> what `RangeTest.calibrate` gave. The grey band reaches from a third of the
    best rate to three times it.
    `title` stands over the figure; `name` is that of its file.

    >>> import torch
    >>> from lrcourse import plots, rangetest
    >>> net = torch.nn.Linear(2, 1)
    >>> sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> batches = [(torch.rand(8, 2), torch.rand(8, 1)) for _ in range(30)]
    >>> test = rangetest.range_test(net, sgd, batches, torch.nn.functional.mse_loss)
    >>> plots.readings({"a line": test.calibrate(0.5)})
    """
    rules = [rule for rule in RULES if any(c.decades[rule] is not None for c in cases.values())]
    told = {label: c.best for label, c in cases.items()}
    with look.sheet(name, told, (6.8, 1.3 + 0.3 * len(rules))) as (figure, (axes,)):
        axes.axvspan(1 / 3, 3, color="#dddddd", alpha=0.6, linewidth=0)
        axes.axvline(1, color=look.GREY, linewidth=1)
        for k, (label, one) in enumerate(cases.items()):
            there = [(x, row) for row, rule in enumerate(rules) if (x := one.factor(rule))]
            shift = 0.14 * (k - (len(cases) - 1) / 2)
            axes.plot(
                [x for x, _ in there],
                [row + shift for _, row in there],
                SHAPES[k % len(SHAPES)],
                color=look.colour(k),
                ms=5,
                label=label,
            )
        axes.set_yticks(range(len(rules)), [RULES[rule].mark for rule in rules])
        axes.set_ylim(len(rules) - 0.4, -0.6)
        axes.set(xlabel="rate read off / best rate of the sweep", title=title)
        look.log_axis(axes, "x")
        figure.legend(loc="outside lower center", ncols=2)


def _as_long(owner: str, lines: Mapping[str, ArrayLike], x: Mapping[str, ArrayLike]) -> None:
    """ValueError unless each line has a number for each place of its x."""
    for label, rows in lines.items():
        numbers, places = np.shape(rows)[-1], len(np.asarray(x[label]))
        if numbers != places:
            raise ValueError(
                f"{owner}: lines[{label!r}] must have a number for each of the {places} places "
                f"along x; it has {numbers}"
            )
