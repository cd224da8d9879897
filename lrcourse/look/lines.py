"""What is drawn into a panel: bands over seeds, steps, contours, small notes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from lrcourse.look.style import GREY


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


def note(
    axes: Axes, text: str, at: tuple[float, float], offset: tuple[float, float], **options: Any
) -> None:
    """A small text, `offset` points away from its place; the options are those of `annotate`."""
    axes.annotate(text, at, offset, textcoords="offset points", fontsize=8, **options)
