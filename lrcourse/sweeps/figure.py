"""The figure of a search for the rate: each seed a dot, their mean and range, what died on top."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lrcourse import look


def plot(
    values: Mapping[float, Sequence[float]],
    dead: Sequence[float],
    best: float | None,
    equal: Sequence[float],
    column: str,
    sentence: str,
    title: str = "",
    name: str = "tuned",
    path: str | Path | None = None,
) -> None:
    """Draw, show and, in a headless run or at `path`, keep the figure.

    Args:
        values: rate -> the last values of its seeds, none where no seed came to its end.
        dead: rates at which a seed died.
        best, equal: the best rate, and those that the seeds' noise leaves equal to it.
        column: what the values are.
        sentence: stands below.
        title, name, path: as for the figures of `lrcourse.plots`.
    """
    rates = sorted(values)
    table = np.full((max(1, *map(len, values.values())), len(rates)), np.nan)
    for k, lr in enumerate(rates):
        table[: len(values[lr]), k] = values[lr]
    told = {"rates": rates, "values": [list(values[lr]) for lr in rates]}
    with look.sheet(name, told, (6.4, 3.8), path=path) as (figure, (axes,)):
        look.band(axes, rates, table, look.colour(0), "-", middle=np.nanmean)
        for row in table:
            axes.plot(rates, row, "o", color=look.colour(0), markersize=3.2, alpha=0.6)
        if len(equal) > 1:
            axes.axvspan(min(equal), max(equal), color=look.colour(1), alpha=0.1, linewidth=0)
        if best is not None:
            axes.axvline(best, color=look.colour(1), linewidth=1)
        top = {"transform": axes.get_xaxis_transform(), "clip_on": False, "markersize": 6}
        if len(dead):  # an empty line would take room below the axes
            axes.plot(dead, np.ones(len(dead)), "x", color=look.colour(3), **top)
        live = table[np.isfinite(table)]
        is_wide = live.size > 0 and live.min() > 0 and live.max() > 20 * live.min()
        look.scales(axes, log_x=True, log_y=bool(is_wide), limits=None)
        died = "  (x: a seed died)" if dead else ""
        axes.set(xlabel=f"learning rate{died}", ylabel=column)
        axes.set_title(title or "each seed, their mean and range")
        figure.supxlabel(textwrap.fill(sentence, 92), fontsize=8.5, x=0.01, ha="left")
