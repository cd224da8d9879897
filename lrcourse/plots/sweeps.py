"""Figures of many runs: a column over the rates of a sweep, and a sample seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from lrcourse import look as parts
from lrcourse.sweeps.running import Runs


def rates(
    arms: Runs | Mapping[str, Runs],
    column: str | Sequence[str] = "valid_loss",
    *,
    marks: Mapping[str, Mapping[int, float]] | None = None,
    limits: tuple[float, float] | None = None,
    title: str = "",
    name: str = "rates",
) -> None:
    """The last value of a column over the peak LR: the median of the seeds and their range.

    Args:
        arms: runs that differ in rate and seed, or several such sweeps by name.
        column: of the history; of several, each has a panel.
        marks: by the name of an arm, seed -> rate (its best ones, say), drawn as dots at the foot.
        limits: of the first column. Losses are drawn on a log axis.

    A seed that diverged has no loss; its rate is marked at the top of the axes.
    """
    arms = {"": arms} if isinstance(arms, Runs) else dict(arms)
    columns = [column] if isinstance(column, str) else list(column)
    with plt.rc_context(parts.LOOK):
        height = 3.4 if len(columns) == 1 else 2.4 * len(columns)
        figure, panels = plt.subplots(
            len(columns), 1, figsize=(6.8, height), sharex=True, squeeze=False
        )
        for axes, one in zip(panels.flat, columns, strict=True):
            for k, (label, runs) in enumerate(arms.items()):
                _sweep(axes, runs, one, k, label)
                if marks and label in marks:
                    _rug(axes, list(marks[label].values()), k)
            axes.set_xscale("log")
            parts.plain_log_ticks(axes.xaxis)
            axes.set_ylabel(parts.NAMES.get(one, one))
            if one.endswith("_loss"):
                axes.set_yscale("log")
            if limits and one == columns[0]:
                axes.set_ylim(*limits)
            if one.endswith("_loss"):
                parts.plain_log_ticks(axes.yaxis)
            parts.name_lines(axes)
        axes.set_xlabel("peak LR")
        seeds = {len({run.experiment.seed for run in runs}) for runs in arms.values()}
        several = f"  (median and range of {seeds.pop()} seeds)" if seeds != {1} else ""
        panels[0, 0].set_title(f"{title}{several}".strip())
        parts.finish(figure, name, parts.origin({k: runs.histories for k, runs in arms.items()}))


def by_seed(
    samples: Mapping[str, Mapping[int, float]],
    label: str,
    *,
    log: bool = False,
    title: str = "",
    name: str = "by-seed",
) -> None:
    """One dot a seed for each arm, equal values stacked, and a bar at the median.

    ``samples`` maps arm -> seed -> value, as claims take them; ``label`` names the values.
    """
    arms = {arm: sorted(sample.values()) for arm, sample in samples.items()}
    with plt.rc_context(parts.LOOK):
        figure, axes = plt.subplots(figsize=(6.4, 0.8 + 0.45 * len(arms)))
        for k, values in enumerate(arms.values()):
            heights = k - _stacked(values, log)
            axes.plot(values, heights, "o", color=parts.colour(k), ms=3.6, alpha=0.8, mew=0)
            middle = [np.median(values)] * 2
            axes.plot(middle, [k - 0.44, k + 0.44], color="#bbbbbb", linewidth=5, zorder=1)
        axes.set_yticks(range(len(arms)), arms)
        axes.set_ylim(len(arms) - 0.5, -0.5)
        axes.set_xlabel(f"{label}  (a dot a seed, a bar at the median)")
        axes.set_title(title)
        if log:
            axes.set_xscale("log")
            parts.plain_log_ticks(axes.xaxis)
        else:
            axes.locator_params(axis="x", nbins=7)  # numbers of four digits beside one another
        seeds = {arm: sorted(sample) for arm, sample in samples.items()}
        parts.finish(figure, name, {"seeds": seeds})


def _stacked(values: list[float], log: bool) -> np.ndarray:
    """Heights around 0 at which dots at these ascending places do not cover each other."""
    places = np.log(values) if log else np.asarray(values, float)
    width = (places[-1] - places[0]) / 80 or 1.0
    columns = np.round(places / width)
    heights = np.zeros(len(places))
    for column in np.unique(columns):
        there = np.flatnonzero(columns == column)
        step = min(0.11, 0.8 / len(there))
        heights[there] = step * (np.arange(len(there)) - (len(there) - 1) / 2)
    return heights


def _sweep(axes: Axes, runs: Runs, column: str, k: int, label: str) -> None:
    groups: dict[float, list[float]] = {}
    for run in runs:
        value = run.history.final(column) if run.history.diverged_at is None else np.nan
        groups.setdefault(run.experiment.lr, []).append(value)
    lr = np.array(sorted(groups))
    there = [[v for v in groups[one] if np.isfinite(v)] or [np.nan] for one in lr]
    low, middle, high = (np.array([f(v) for v in there]) for f in (min, np.median, max))
    axes.plot(lr, middle, ".-", color=parts.colour(k), label=label)
    axes.fill_between(lr, low, high, color=parts.colour(k), alpha=0.16, linewidth=0)
    lost = [one for one in lr if any(not np.isfinite(v) for v in groups[one])]
    if lost:
        top = axes.get_xaxis_transform()
        crosses = axes.plot(lost, np.ones(len(lost)), "x", color=parts.colour(k), transform=top)
        plt.setp(crosses, markersize=5, clip_on=False)


def _rug(axes: Axes, places: list[float], k: int) -> None:
    """Dots at the foot; where several fall together they are stacked."""
    counts: dict[float, int] = {}
    for place in sorted(places):
        height = 0.02 + 0.028 * counts.get(place, 0)
        counts[place] = counts.get(place, 0) + 1
        foot = axes.get_xaxis_transform()
        axes.plot([place], [height], "o", color=parts.colour(k), transform=foot, ms=3.2)
