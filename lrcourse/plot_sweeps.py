"""Figures of many runs: a column over the rates of a sweep, and a sample seed by seed."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from lrcourse import plot_parts as parts
from lrcourse.sweeps import Runs


def rates(
    arms: Runs | Mapping[str, Runs],
    column: str = "valid_loss",
    *,
    marks: Mapping[str, Mapping[int, float]] | None = None,
    limits: tuple[float, float] | None = None,
    title: str = "",
    name: str = "rates",
) -> None:
    """The last value of a column over the peak LR: the median of the seeds and their range.

    Args:
        arms: runs that differ in rate and seed, or several such sweeps by name.
        marks: by the name of an arm, seed -> rate (its best ones, say), drawn as ticks at the foot.
        limits: of the column. Losses are drawn on a log axis.

    A seed that diverged has no loss; its rate is marked at the top of the axes.
    """
    arms = {"": arms} if isinstance(arms, Runs) else dict(arms)
    with plt.rc_context(parts.LOOK):
        figure, axes = plt.subplots(figsize=(6.8, 3.4))
        for k, (label, runs) in enumerate(arms.items()):
            _sweep(axes, runs, column, k, label)
            if marks and label in marks:
                _rug(axes, list(marks[label].values()), k)
        axes.set_xscale("log")
        parts.plain_log_ticks(axes.xaxis)
        axes.set(xlabel="peak LR", ylabel=parts.NAMES.get(column, column))
        if column.endswith("_loss"):
            axes.set_yscale("log")
        if limits:
            axes.set_ylim(*limits)
        if column.endswith("_loss"):
            parts.plain_log_ticks(axes.yaxis)
        seeds = {len({run.experiment.seed for run in runs}) for runs in arms.values()}
        several = f"  (median and range of {seeds.pop()} seeds)" if seeds != {1} else ""
        axes.set_title(f"{title}{several}".strip())
        parts.name_lines(axes)
        parts.finish(figure, name, parts.origin({k: runs.histories for k, runs in arms.items()}))


def by_seed(
    samples: Mapping[str, Mapping[int, float]],
    label: str,
    *,
    log: bool = False,
    title: str = "",
    name: str = "by-seed",
) -> None:
    """One point a seed for each arm; a line joins the points of the same seed.

    ``samples`` maps arm -> seed -> value, as claims take them; ``label`` names the values.
    """
    arms = list(samples)
    seeds = sorted(set.intersection(*(set(samples[arm]) for arm in arms)))
    with plt.rc_context(parts.LOOK):
        figure, axes = plt.subplots(figsize=(6.4, 0.5 + 0.55 * len(arms)))
        for seed in seeds:
            values = [samples[arm][seed] for arm in arms]
            axes.plot(values, range(len(arms)), color="#999999", alpha=0.35, linewidth=0.7)
        for k, arm in enumerate(arms):
            values = np.array([samples[arm][seed] for seed in seeds])
            axes.plot(values, np.full(len(values), k), "o", color=parts.colour(k), ms=5, alpha=0.6)
            axes.plot([np.median(values)], [k], "|", color="black", ms=18, mew=2)
        axes.set_yticks(range(len(arms)), arms)
        axes.set_ylim(len(arms) - 0.5, -0.5)
        axes.set_xlabel(f"{label}  (a dot a seed, a bar at the median)")
        axes.set_title(title)
        if log:
            axes.set_xscale("log")
            parts.plain_log_ticks(axes.xaxis)
        parts.finish(figure, name, {"arms": arms, "seeds": seeds})


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
        axes.plot(lost, np.ones(len(lost)), "x", color=parts.colour(k), transform=top, ms=5)


def _rug(axes: Axes, places: list[float], k: int) -> None:
    """Ticks at the foot; where several fall together they are stacked."""
    counts: dict[float, int] = {}
    for place in sorted(places):
        height = 0.02 + 0.028 * counts.get(place, 0)
        counts[place] = counts.get(place, 0) + 1
        foot = axes.get_xaxis_transform()
        axes.plot([place], [height], "o", color=parts.colour(k), transform=foot, ms=3.2)
