"""The look of the course's figures: colours, bands over seeds, names on lines, LR axes.

Everything here takes arrays; what knows the record of a run is in `lrcourse.plots.bands`.

    with look.sheet(name, {"lines": list(lines)}, (6.8, 3.4)) as (figure, (axes,)):
        look.band(axes, rates, losses, look.colour(0), label="SGD")
        look.log_axis(axes, "x")
        look.name_lines(axes)
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from os import PathLike
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter
from numpy.typing import ArrayLike
from PIL.PngImagePlugin import PngInfo

from lrcourse.support import outputs
from lrcourse.support.paths import write_atomically

# Okabe and Ito's colours without the yellow, which is too pale on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#888888")
GREY = COLOURS[-1]
QUARTILES = partial(np.nanquantile, q=0.25), partial(np.nanquantile, q=0.75)
DASHES = ("-", "-", "-", "-", "--", "--", "--", "--")
# Any: matplotlib names the type of the keys in its newer versions alone.
LOOK: dict[Any, Any] = {
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


def colour(k: int) -> str:
    """The colour of line k; after eight they begin again."""
    return COLOURS[k % len(COLOURS)]


def dash(k: int) -> str:
    """The style of line k: the second four are dashed."""
    return DASHES[k % len(DASHES)]


# -- a figure from its begin to its end ----------------------------------------------------------


@contextmanager
def sheet(
    name: str,
    told: Mapping[str, Any],
    size: tuple[float, float],
    rows: int = 1,
    columns: int = 1,
    *,
    title: str | None = None,
    heights: tuple[float, ...] | None = None,
    path: str | PathLike[str] | None = None,
    **options: Any,
) -> Iterator[tuple[Figure, list[Axes]]]:
    """A figure in the course's look, with its panels row by row; at the end it is finished.

    Args:
        name: of its file in a headless run.
        told: what it says of its origin, as JSON can hold it.
        size: width and height in inches.
        rows: of panels.
        columns: of panels. One of them that nothing is drawn into is not shown.
        title: over all panels.
        heights: of panels over one another, on one x axis, all shown; instead of rows.
        path: where to save it, instead of showing it.
        **options: for `plt.subplots`.

    An error in between closes it.
    """
    if heights is not None:
        rows, options = len(heights), options | {"sharex": True, "height_ratios": heights}
    with plt.rc_context(LOOK):
        figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False, **options)
        try:
            yield figure, list(grid.flat)
            for axes in grid.flat if heights is None else ():
                axes.set_visible(axes.has_data())
            if title is not None:
                title_over(figure, title)
        except BaseException:
            plt.close(figure)
            raise
        finish(figure, name, told, path)


def finish(
    figure: Figure, name: str, told: Mapping[str, Any], path: str | PathLike[str] | None = None
) -> None:
    """Save a figure at `path`; without one show it, and keep it in a headless run. Close it."""
    try:
        place = path or outputs.figure_path(name)
        if place is not None:
            picture = io.BytesIO()
            figure.savefig(picture, format="png", metadata=origin_of(told))
            write_atomically(place, picture.getvalue())
        if path is None:
            plt.show()
    finally:
        plt.close(figure)


def origin_of(told: Mapping[str, Any]) -> dict[str, str]:
    """What a PNG says of its origin, as the texts that its file holds."""
    return {"Description": json.dumps(dict(told)), "Software": "lrcourse"}


def png_info(told: Mapping[str, Any]) -> PngInfo:
    """The same for a PNG that Pillow writes."""
    info = PngInfo()
    for key, text in origin_of(told).items():
        info.add_text(key, text)
    return info


def title_over(figure: Figure, title: str) -> None:
    """A title over all panels."""
    figure.suptitle(title, x=0.02, ha="left", fontsize=10.5)


# -- lines ---------------------------------------------------------------------------------------


def band(
    axes: Axes,
    x: ArrayLike,
    rows: ArrayLike,
    colour: str,
    style: str = "-",
    *,
    middle: Callable[..., Any] = np.nanmedian,
    spread: tuple[Callable[..., Any], Callable[..., Any]] = (np.nanmin, np.nanmax),
    alpha: float = 0.16,
    floor: float | None = None,
    **line: Any,
) -> Line2D:
    """A row of numbers for each seed: their middle as a line, their spread behind it.

    Args:
        axes: where to draw.
        x: shape (points,).
        rows: shape (seeds, points), or (points,) for a line alone. NaN is left out; where no seed
            has a number there is a gap.
        colour: of both.
        style: of the line, as matplotlib spells it.
        middle: `np.nanmedian` or `np.nanmean`.
        spread: the lower and the upper side of what lies behind, the range or the `QUARTILES`.
        alpha: of it.
        floor: a spread that reaches below it ends there. On a log axis a 0 would tear it up to its
            neighbour.
        **line: what else `Axes.plot` takes.
    """
    table = np.atleast_2d(np.asarray(rows, float))
    there = ~np.isnan(table).all(0)

    def over_seeds(summary: Callable[..., Any]) -> np.ndarray:
        found = np.full(table.shape[1], np.nan)
        found[there] = summary(table[:, there], axis=0)
        return found

    (drawn,) = axes.plot(x, over_seeds(middle), style, color=colour, **line)
    if len(table) > 1:
        low, high = (over_seeds(side) for side in spread)
        low = low if floor is None else np.maximum(low, floor)
        axes.fill_between(x, low, high, color=colour, alpha=alpha, linewidth=0)
    return drawn


def steps(axes: Axes, values: ArrayLike, style: str = "-", *, per: int = 1, **line: Any) -> Line2D:
    """Numbers that each hold for one update, such as its LR: update t from t to t + 1.

    `per` is the number of updates for one unit of the axis: the batches of an epoch.
    """
    given = np.asarray(values, float)
    held = np.append(given, given[-1:])
    at = np.arange(len(held)) / per
    (drawn,) = axes.plot(at, held, style, drawstyle="steps-post", **line)
    return drawn


def contours(
    axes: Axes,
    heights: Callable[[np.ndarray], np.ndarray],
    limits: tuple[tuple[float, float], tuple[float, float]],
    points: tuple[int, int],
    shares: np.ndarray,
    *,
    low: float | None = None,
    colour: str = GREY,
    alpha: float | None = 0.8,
    filled: str | None = None,
) -> None:
    """Contours of a function of the plane.

    Args:
        axes: where to draw.
        heights: points of shape (..., 2) -> heights of shape (...).
        limits: of x and of y.
        points: how many along x and along y.
        shares: where the contours lie between the lowest and the highest point, ascending.
        low: a height instead of the lowest point.
        colour: of the lines.
        alpha: of the lines.
        filled: the colour map between them, if any.
    """
    x, y = np.meshgrid(*(np.linspace(*side, n) for side, n in zip(limits, points, strict=True)))
    table = heights(np.stack([x, y], axis=-1))
    low = table.min() if low is None else low
    levels = low + (table.max() - low) * shares
    if filled is not None:
        axes.contourf(x, y, table, levels, cmap=filled, alpha=0.45)
    axes.contour(x, y, table, levels, colors=colour, linewidths=0.5, alpha=alpha)
    axes.set(xlim=limits[0], ylim=limits[1], xlabel="x")
    axes.grid(False)


def lr_axis(axes: Axes, x: str = "epoch", *, log: bool = True) -> None:
    """An axis for the lines with the gid "applied"; `x` names the other one.

    A log axis cannot hold 0, so updates at LR 0 are marked at its foot. `log=False` is for shapes
    that are straight, such as triangles: a log axis would draw them bent.
    """
    axes.set(xlabel=x, ylabel="LR applied")
    if not log:
        axes.set_ylim(bottom=0)
        return
    lines = [line for line in axes.get_lines() if line.get_gid() == "applied"]
    values = np.concatenate([np.asarray(line.get_ydata(), float) for line in lines])
    axes.set_yscale("log")
    if (values > 0).any():
        low, high = values[values > 0].min(), np.nanmax(values)
        axes.set_ylim(low / 1.6, high * 1.6)
        plain_log_ticks(axes.yaxis)
    for line in lines:
        mark_zero(axes, line)


def mark_zero(axes: Axes, line: Line2D) -> None:
    """Mark the updates at LR 0 of a line at the foot of a log axis."""
    zero = np.asarray(line.get_ydata()) == 0
    if not zero.any():
        return
    at = np.asarray(line.get_xdata())[zero]
    foot = axes.get_xaxis_transform()
    axes.plot(at, np.zeros(len(at)), "v", color=line.get_color(), transform=foot, ms=4)
    note(axes, "LR 0", (at[0], 0), (4, 4), xycoords=foot, color=line.get_color())


def note(
    axes: Axes, text: str, at: tuple[float, float], offset: tuple[float, float], **options: Any
) -> None:
    """A small text, `offset` points away from its place; the options are those of `annotate`."""
    axes.annotate(text, at, offset, textcoords="offset points", fontsize=8, **options)


# -- axes ----------------------------------------------------------------------------------------


def log_axis(axes: Axes, which: str) -> None:
    """Make the axis "x" or "y" a log axis, with plain ticks for what it shows now."""
    axes.set(**{f"{which}scale": "log"})
    plain_log_ticks(axes.xaxis if which == "x" else axes.yaxis)


def scales(
    axes: Axes, *, log_x: bool = False, log_y: bool = False, limits: tuple[float, float] | None
) -> None:
    """Log axes with plain ticks where they are wanted; `limits` are those of y."""
    if log_x:
        log_axis(axes, "x")
    if limits:
        axes.set_ylim(*limits)
    if log_y:
        log_axis(axes, "y")


def plain_log_ticks(axis: Axis) -> None:
    """Ticks such as 0.01, 0.1 and 1 on a log axis; also 0.02, 0.05 ... where it is short."""
    low, high = axis.get_view_interval()
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1,) if high / low > 300 else (1, 3) if high / low > 8 else (1, 2, 3, 5)
    places = (float(f"{step}e{k}") for k in decades for step in steps)
    axis.set_major_locator(FixedLocator([place for place in places if low <= place <= high]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


# -- names on lines ------------------------------------------------------------------------------


def name_lines(axes: Axes) -> None:
    """Write each line's name at its right end, moved apart where they would touch."""
    lines = [line for line in axes.get_lines() if str(line.get_label())[:1] not in ("", "_")]
    if not lines:
        return
    figure = axes.figure
    figure.canvas.draw()
    box = axes.get_window_extent()
    height = 11 * figure.dpi / 72 / box.height  # of a line of text, as a fraction of the axes

    def end(line: Line2D) -> float:
        y = np.asarray(line.get_ydata(), float)
        y = y[np.isfinite(y)]
        pixel = axes.transData.transform((0, y[-1]))[1] if len(y) else box.y0
        return float(np.clip((pixel - box.y0) / box.height, 0, 1))

    ends = [end(line) for line in lines]
    order = np.argsort(ends)
    places = apart(np.array(ends)[order], height)
    for k, place in zip(order, places, strict=True):
        axes.annotate(
            str(lines[k].get_label()),
            xy=(1, ends[k]),
            xytext=(1.03, place),
            xycoords="axes fraction",
            textcoords="axes fraction",
            va="center",
            fontsize=8.5,
            color=lines[k].get_color(),
            arrowprops={"arrowstyle": "-", "lw": 0.5, "color": lines[k].get_color(), "alpha": 0.6},
        )


def apart(wanted: np.ndarray, gap: float) -> np.ndarray:
    """Ascending places at least `gap` apart, as near to the wanted ones as a few rounds bring."""
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
