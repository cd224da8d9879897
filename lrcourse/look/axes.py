"""Axes: log scales with plain ticks, and the axis of the LR."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from lrcourse.look.lines import note


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
