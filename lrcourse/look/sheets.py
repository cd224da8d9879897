"""A figure from its begin to its end: laid out, saved with its origin, shown, closed."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from os import PathLike
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from PIL.PngImagePlugin import PngInfo

from lrcourse.look.style import LOOK
from lrcourse.support import outputs
from lrcourse.support.paths import write_atomically

_places: ContextVar[Iterator[SubFigure] | None] = ContextVar("places", default=None)


@contextmanager
def beside(
    name: str, told: Mapping[str, Any], columns: int, *, title: str | None = None
) -> Iterator[None]:
    """The sheets that are made inside stand next to one another in a single figure.

    There are places for so many columns; ValueError for one sheet more.
    """
    with plt.rc_context(LOOK):
        figure = plt.figure(figsize=(min(3.7 * columns, 8.4), 3.2))
        before = _places.set(iter(figure.subfigures(1, columns, squeeze=False).flat))
        try:
            yield
            if title is not None:
                title_over(figure, title)
        except BaseException:
            plt.close(figure)
            raise
        finally:
            _places.reset(before)
        finish(figure, name, told)


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
    dpi: float | None = None,
    **options: Any,
) -> Iterator[tuple[Figure | SubFigure, list[Axes]]]:
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
        dpi: points an inch on the screen.
        **options: for `Figure.subplots`.

    An error in between closes it. Inside `beside` it is one place of a larger figure.
    """
    if heights is not None:
        rows, options = len(heights), options | {"sharex": True, "height_ratios": heights}
    places = None if path else _places.get()
    with plt.rc_context(LOOK):
        if (figure := _figure(places, size, dpi)) is None:
            raise ValueError(f"there is no place for {name!r} beside the other figures")
        try:
            grid = figure.subplots(rows, columns, squeeze=False, **options)
            yield figure, list(grid.flat)
            for axes in grid.flat if heights is None else ():
                axes.set_visible(axes.has_data())
            if title is not None:
                title_over(figure, title)
        except BaseException:
            plt.close(figure.figure)
            raise
        if isinstance(figure, Figure):
            finish(figure, name, told, path)


def _figure(
    places: Iterator[SubFigure] | None, size: tuple[float, float], dpi: float | None
) -> Figure | SubFigure | None:
    return plt.figure(figsize=size, dpi=dpi) if places is None else next(places, None)


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


def title_over(figure: Figure | SubFigure, title: str) -> None:
    """A title over all panels."""
    figure.suptitle(title, x=0.02, ha="left", fontsize=10.5)
