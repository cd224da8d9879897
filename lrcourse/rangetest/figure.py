"""The figure of a range test: loss and accuracy over the rate, and what each rule reads off."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from lrcourse import look
from lrcourse.rangetest import rules
from lrcourse.rangetest.curves import Curves
from lrcourse.rangetest.suggestion import suggest


def plot(
    test: Curves,
    *,
    title: str = "",
    name: str = "range-test",
    path: str | Path | None = None,
    with_rules: bool = True,
) -> None:
    """Draw, show and, in a headless run or at `path`, keep the figure.

    It has a panel for the loss, one for the accuracy where there is one, and, `with_rules`,
    one for what each rule reads off.
    """
    suggestion = suggest(test)
    shown = [k for k in ("loss", "accuracy") if test.table(k) is not None]
    found = {
        rule: (reading.lr, reading.repeats)
        for rule, reading in suggestion.rules.items()
        if reading.lr is not None
    }
    heights = [2.0] * len(shown)
    if with_rules:
        heights.append(0.35 + 0.22 * max(len(found), 1))
    size = (6.4, 1.0 + sum(heights))
    with look.sheet(name, test.provenance, size, heights=tuple(heights), path=path) as (
        figure,
        panels,
    ):
        curves = panels[: len(shown)]
        for axes, quantity in zip(curves, shown, strict=True):
            for column in (quantity, f"held_out_{quantity}"):
                if test.table(column) is not None:
                    _draw(axes, test, column)
            axes.set_ylabel(quantity)
        _limit_loss(panels[0], test)
        if with_rules:
            _mark_rules(panels[-1], found, suggestion.rule)
        panels[-1].set_xlabel("learning rate")
        for axes in panels:
            axes.set_xscale(test.scale)
            axes.set_xlim(test.start / 1.1, test.end * 1.1 if test.scale == "log" else test.end)
            if suggestion.lr is not None:
                axes.axvline(suggestion.lr, color=look.COLOURS[1], linewidth=1, alpha=0.7)
        if test.scale == "log":
            look.plain_log_ticks(panels[-1].xaxis)
        repeats = len(test.curves)
        several = f" (median and range of {repeats} repeats)" if repeats > 1 else ""
        panels[0].set_title(f"{title}{several}".strip())
        figure.supxlabel(textwrap.fill(suggestion.sentence, 92), fontsize=8.5, x=0.01, ha="left")
        for axes in curves:
            look.name_lines(axes)


def _mark_rules(
    axes: Axes, found: Mapping[str, tuple[float, Sequence[float | None]]], followed: str | None
) -> None:
    """Each rule's rate as a dot, those of the repeats as strokes."""
    for k, (rule, (lr, repeats)) in enumerate(found.items()):
        colour = look.COLOURS[1] if rule == followed else "#444444"
        each = [one for one in repeats if one is not None]
        axes.plot(each, [k] * len(each), "|", color=colour, markersize=9, alpha=0.7)
        axes.plot([lr], [k], "o", color=colour, markersize=5, gid=rule)
    axes.set_yticks(range(len(found)), [rules.RULES[rule].mark for rule in found])
    axes.set_ylim(max(len(found), 1) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")


def _draw(axes: Axes, test: Curves, column: str) -> None:
    """The smoothed curves, as the rules see them: median and range; single values as dots."""
    is_held_out = column.startswith("held_out")
    label, colour = "held-out" if is_held_out else "training", look.colour(2 * is_held_out)
    table = np.full((len(test.curves), len(test.lr)), np.nan)
    for row, curve in zip(table, test.curves, strict=True):
        values = getattr(curve, column)
        there = np.flatnonzero(np.isfinite(values))
        b = rules.per_value(test.smoothing, np.isfinite(values))
        values, lr = values[there], curve.lr[there]
        if column.endswith("loss"):
            row[there] = rules.smoothed_loss(values, test.diverged, b)
        else:
            row[there] = rules.smoothed(values, b)
        axes.plot(lr, values, ".", color=colour, markersize=2.5, alpha=0.25, label="_raw")
    there = np.isfinite(table).any(0)
    line = look.band(axes, test.lr[there], table[:, there], colour, alpha=0.25, label=label)
    line.set_gid(column)


def _limit_loss(axes: Axes, test: Curves) -> None:
    """From the lowest loss to somewhat above the first one; what blows up leaves the figure."""
    tables = [test.table(column) for column in ("loss", "held_out_loss")]
    seen = [np.where(np.isfinite(t), t, np.nan) for t in tables if t is not None]
    early = [table[:, : max(1, table.shape[1] // 10)] for table in seen]
    if np.isnan(early[0]).all():
        return
    low, first = min(map(np.nanmin, seen)), np.nanmax(early[0])
    room = max(first - low, 1e-9)
    axes.set_ylim(low - 0.06 * room, first + 0.5 * room)
