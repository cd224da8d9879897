"""Numbers over other numbers, and what range tests read off against real sweeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from lrcourse import look as parts
from lrcourse.rangetest.calibration import Calibration
from lrcourse.rangetest.rules import RULES

SHAPES = ("o", "s", "^", "D", "v", "P")


def against(
    x: Sequence[float],
    lines: Mapping[str, Sequence],
    labels: tuple[str, str],
    *,
    log_x: bool = False,
    log_y: bool = False,
    limits: tuple[float, float] | None = None,
    title: str = "",
    name: str = "against",
) -> None:
    """Numbers over other numbers: a row of len(x), or one row a seed, then median and range.

    ``labels`` are those of the two axes, ``limits`` those of the upright one.
    """
    with plt.rc_context(parts.LOOK):
        figure, axes = plt.subplots(figsize=(6.8, 3.2))
        for k, (label, values) in enumerate(lines.items()):
            rows = np.atleast_2d(np.asarray(values, float))
            axes.plot(
                x,
                np.median(rows, 0),
                parts.dash(k),
                marker=SHAPES[k % len(SHAPES)],
                markersize=4,
                color=parts.colour(k),
                label=label,
            )
            if len(rows) > 1:
                low = np.maximum(rows.min(0), limits[0]) if log_y and limits else rows.min(0)
                band = low, rows.max(0)  # on a log axis a 0 would tear the band up to its neighbour
                axes.fill_between(x, *band, color=parts.colour(k), alpha=0.16, linewidth=0)
        axes.set(xlabel=labels[0], ylabel=labels[1], title=title)
        if log_x:
            axes.set_xscale("log")
            parts.plain_log_ticks(axes.xaxis)
        elif all(float(one).is_integer() for one in x):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if log_y:
            axes.set_yscale("log")
        if limits:
            axes.set_ylim(*limits)
        if log_y:
            parts.plain_log_ticks(axes.yaxis)
        parts.name_lines(axes)
        parts.finish(figure, name, {"lines": list(lines)})


def readings(cases: Mapping[str, Calibration], *, title: str = "", name: str = "readings") -> None:
    """For each rule the rate that it reads off over the best rate of a sweep, a mark a case.

    The grey band reaches from a third of the best rate to three times it.
    """
    rules = [rule for rule in RULES if any(c.decades[rule] is not None for c in cases.values())]
    with plt.rc_context(parts.LOOK):
        figure, axes = plt.subplots(figsize=(6.8, 1.3 + 0.3 * len(rules)))
        axes.axvspan(1 / 3, 3, color="#dddddd", alpha=0.6, linewidth=0)
        axes.axvline(1, color="#888888", linewidth=1)
        for k, (label, one) in enumerate(cases.items()):
            there = [(one.factor(r), row) for row, r in enumerate(rules) if one.factor(r)]
            shift = 0.14 * (k - (len(cases) - 1) / 2)
            axes.plot(
                [x for x, _ in there],
                [row + shift for _, row in there],
                SHAPES[k % len(SHAPES)],
                color=parts.colour(k),
                ms=5,
                label=label,
            )
        axes.set_yticks(range(len(rules)), [RULES[rule].mark for rule in rules])
        axes.set_ylim(len(rules) - 0.4, -0.6)
        axes.set_xscale("log")
        axes.set(xlabel="rate read off / best rate of the sweep", title=title)
        parts.plain_log_ticks(axes.xaxis)
        figure.legend(loc="outside lower center", ncols=2)
        parts.finish(figure, name, {label: c.best for label, c in cases.items()})
