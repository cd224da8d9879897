"""Figures of many runs: over the rates of a sweep, by warmup and rate, and seed by seed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from scipy import stats

from lrcourse import look
from lrcourse.plots import arguments as given
from lrcourse.plots import bands
from lrcourse.support.checks import NUMBER, TEXT, each, kind, one_of, optional, such
from lrcourse.sweeps import Run, Runs

_RUNS = such(kind("the Runs of a sweep", Runs), len, "the Runs of a sweep, one at least")


def _arms(owner: str, name: str, value: object) -> dict[str, Runs]:
    """Rule: the runs of a sweep, or several sweeps by their names."""
    arms = {"": value} if isinstance(value, Runs) else value
    return given.by_name("sweep", _RUNS)(owner, name, arms)


def _columns(owner: str, name: str, value: object) -> list[str]:
    """Rule: the name of a column, or several."""
    return each(TEXT)(owner, name, [value] if isinstance(value, str) else value)


@given.drawing(
    column=_columns, marks=optional(given.by_name("mark", given.by_name("rate", NUMBER)))
)
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
        title: of the figure.
        name: of its file in a headless run.

    A seed that diverged has no loss; its rate is marked at the top of the axes.

    >>> from lrcourse import plots
    >>> from lrcourse.sweeps import Experiment, Run, Runs
    >>> arms = [Experiment(images=64, epochs=1, lr=lr) for lr in (0.1, 0.3)]
    >>> plots.rates(Runs(Run(arm, arm.run("cpu")) for arm in arms), "train_loss")
    """
    sweeps = _arms("rates", "arms", arms)
    columns = [column] if isinstance(column, str) else column
    told = bands.origin({label: runs.histories for label, runs in sweeps.items()})
    size = (6.8, 3.4 if len(columns) == 1 else 2.4 * len(columns))
    with look.sheet(name, told, size, len(columns), sharex=True) as (_, panels):
        for k_panel, (axes, one) in enumerate(zip(panels, columns, strict=True)):
            for k, (label, runs) in enumerate(sweeps.items()):
                _sweep(axes, runs, one, k, label)
                if marks and label in marks:
                    _rug(axes, list(marks[label].values()), k)
            axes.set_ylabel(bands.NAMES.get(one, one))
            of_first = None if k_panel else limits
            look.scales(axes, log_x=True, log_y=one.endswith("_loss"), limits=of_first)
            look.name_lines(axes)
        panels[-1].set_xlabel("peak LR")
        seeds = max(len({run.experiment.seed for run in runs}) for runs in sweeps.values())
        panels[0].set_title(bands.with_seeds(title, seeds, "median"))


def _sweep(axes: Axes, runs: Runs, column: str, k: int, label: str) -> None:
    groups: dict[float, list[float]] = {}
    for run in runs:
        groups.setdefault(run.experiment.lr, []).append(_last(run, column, np.nan))
    lr = sorted(groups)
    table = np.full((max(map(len, groups.values())), len(lr)), np.nan)
    for place, one in enumerate(lr):
        table[: len(groups[one]), place] = groups[one]
    table[~np.isfinite(table)] = np.nan
    look.band(axes, lr, table, look.colour(k), ".-", label=label)
    lost = [one for one in lr if not np.isfinite(groups[one]).all()]
    if lost:
        top = axes.get_xaxis_transform()
        crosses = {"transform": top, "markersize": 5, "clip_on": False}
        axes.plot(lost, np.ones(len(lost)), "x", color=look.colour(k), **crosses)


def _rug(axes: Axes, places: list[float], k: int) -> None:
    """Dots at the foot; where several fall together they are stacked."""
    counts: dict[float, int] = {}
    for place in sorted(places):
        height = 0.02 + 0.028 * counts.get(place, 0)
        counts[place] = counts.get(place, 0) + 1
        foot = axes.get_xaxis_transform()
        axes.plot([place], [height], "o", color=look.colour(k), transform=foot, ms=3.2)


@given.drawing(runs=given.by_name("warmup", _RUNS))
def warmup_lengths(
    runs: Mapping[float, Runs],
    column: str = "train_acc",
    *,
    title: str = "",
    name: str = "warmup-lengths",
) -> None:
    """A table of colours: the mean of a column over seeds, warmup length by peak rate.

    `runs` maps the length of the warmup, in updates, to runs that differ in rate and seed. Every
    field carries its number; a run that diverged counts as 0. `column` is one of the history whose
    values lie between 0 and 1. ValueError for one that it does not have.
    `title` stands over the figure; `name` is that of its file.

    >>> from lrcourse import plots
    >>> from lrcourse.sweeps import Experiment, Run, Runs
    >>> arms = [Experiment(images=64, epochs=1, lr=lr) for lr in (0.1, 0.3)]
    >>> plots.warmup_lengths({0: Runs(Run(arm, arm.run("cpu")) for arm in arms)})
    """
    lengths = sorted(runs)
    told = bands.origin({str(length): runs[length].histories for length in lengths})
    rates = sorted({run.experiment.lr for run in runs[lengths[0]]})
    table = np.array([[_mean(runs[w].where(lr=lr), column) for lr in rates] for w in lengths])
    with look.sheet(name, told, (6.8, 0.9 + 0.36 * len(lengths))) as (figure, (axes,)):
        axes.grid(False)
        shown = axes.imshow(table, origin="lower", aspect="auto", cmap="cividis", vmin=0, vmax=1)
        for (row, place), value in np.ndenumerate(table):
            ink = "black" if value > 0.6 else "white"
            axes.text(place, row, f"{value:.2f}", ha="center", va="center", color=ink, fontsize=8)
        axes.set_xticks(range(len(rates)), [f"{lr:.2g}" for lr in rates])
        axes.set_yticks(range(len(lengths)), [f"{w:g}" for w in lengths])
        axes.set(xlabel="peak LR", ylabel="updates of warmup")
        bar = figure.colorbar(shown, ax=axes, label=bands.NAMES.get(column, column), pad=0.02)
        bar.ax.grid(False)
        count = len({run.experiment.seed for run in runs[lengths[0]]})
        axes.set_title(f"{title}  (mean of {count} seeds)".strip())


def _mean(runs: Runs, column: str) -> float:
    return float(np.mean([_last(run, column, 0.0) for run in runs]))


def _last(run: Run, column: str, if_diverged: float) -> float:
    """The last value of a column, or another number for a run that diverged."""
    one_of(*run.history.epochs)("figure", "column", column)
    return run.history.final(column) if run.history.diverged_at is None else if_diverged


@given.drawing(
    samples=given.by_name("sample", given.by_name("seed", NUMBER)),
    hollow=each(TEXT),
)
def by_seed(
    samples: Mapping[str, Mapping[int, float]],
    label: str,
    *,
    log: bool = False,
    colours: Mapping[str, int] | None = None,
    hollow: Collection[str] = (),
    interval: bool = False,
    title: str = "",
    name: str = "by-seed",
) -> None:
    """One dot a seed for each arm, equal values stacked, and a bar at the median.

    Args:
        samples: arm -> seed -> value, as claims take them.
        label: of the values.
        log: whether they are on a log axis; ValueError for values there that are not above 0.
        colours: arm -> number of its colour, for arms that belong together; default: one each.
        hollow: arms with rings in the place of dots.
        interval: instead of the median the mean and its 99 % interval by Student's t, for values
            that come in steps; two seeds or more. ValueError on a log axis.
        title, name: of the figure and its file.

    >>> from lrcourse import plots
    >>> plots.by_seed({"SGD": {0: 0.91, 1: 0.93}, "Adam": {0: 0.94, 1: 0.92}}, "test accuracy")
    """
    if log and (low := {v for sample in samples.values() for v in sample.values() if v <= 0}):
        raise ValueError(f"by_seed: samples must be above 0 on a log axis; got {min(low)!r}")
    if interval and (log or min(map(len, samples.values())) < 2):
        raise ValueError("by_seed: interval must have two seeds an arm and no log axis")
    arms = {arm: sorted(sample.values()) for arm, sample in samples.items()}
    told = {"seeds": {arm: sorted(sample) for arm, sample in samples.items()}}
    with look.sheet(name, told, (6.4, 0.8 + 0.45 * len(arms))) as (_, (axes,)):
        for k, (arm, values) in enumerate(arms.items()):
            colour, ring = look.colour((colours or {}).get(arm, k)), arm in hollow
            dots = {"mfc": "white", "mew": 1.0, "zorder": 2.5} if ring else {"mew": 0, "alpha": 0.8}
            axes.plot(values, k - stacked(values, log), "o", color=colour, ms=3.6, **dots)
            if interval:
                _mean_and_interval(axes, values, k)
                continue
            middle = [np.median(values)] * 2
            axes.plot(middle, [k - 0.44, k + 0.44], color="#bbbbbb", linewidth=5, zorder=1)
        axes.set_yticks(range(len(arms)), list(arms))
        bar = "mean with its 99 % interval" if interval else "a bar at the median"
        axes.set(xlabel=f"{label}  (a dot a seed, {bar})", title=title)
        axes.set_ylim(len(arms) - 0.5, -0.5)
        if log:
            look.log_axis(axes, "x")
        else:
            axes.locator_params(axis="x", nbins=7)  # numbers of four digits beside one another


def _mean_and_interval(axes: Axes, values: list[float], k: int) -> None:
    mean, error = float(np.mean(values)), float(stats.sem(values))
    half = float(stats.t.isf(0.005, len(values) - 1)) * error
    axes.errorbar(mean, k, xerr=half, fmt="|", color="black", ms=16, mew=2, capsize=5, zorder=3)


def stacked(values: list[float], log: bool) -> np.ndarray:
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
