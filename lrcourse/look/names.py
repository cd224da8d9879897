"""Names on lines, at their right ends, in place of a legend."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D


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
