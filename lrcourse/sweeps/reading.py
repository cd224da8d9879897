"""Reading a sweep over rates: the best one, how sure that is, where training breaks, its cost."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from lrcourse.support.checks import FLAG, TEXT, arguments, optional
from lrcourse.sweeps.runs import RUNS, Run
from lrcourse.training.history import History


@dataclass(frozen=True)
class Rate:
    """All runs at one rate.

    Attributes:
        lr: the peak LR.
        mean, sd: of the column over the seeds; sd is NaN with one seed. Where a run diverged, the
            mean is the worst there is (-inf, or inf where lower is better) and sd is NaN.
        seeds, diverged: how many runs there are, and how many of them diverged.
    """

    lr: float
    mean: float
    sd: float
    seeds: int
    diverged: int


@dataclass(frozen=True)
class BestRate:
    """What a sweep over rates says about its best rate.

    Attributes:
        column, higher: what was compared, and whether higher is better.
        rates: each rate of the grid, from the lowest to the highest.
        best: the one with the best mean; of equal ones the lowest.
        good: (lowest, highest) of the rates around the best, without a gap, whose mean is no worse
            than the best mean by more than the best rate's sd between seeds: one run of the best
            rate misses its own mean by as much. With one seed there is no sd, and both are the
            best rate.
        divergence_edge: (the highest rate at which no seed diverged, the lowest at which one did),
            each None where there is no such rate. The second may be the lower: divergence is not
            always a matter of size.
        cost: updates made, by all runs together.

    Example:
        >>> import tempfile
        >>> from lrcourse import sweeps
        >>> small = {"model": "mlp", "model_options": {"depth": 2, "width": 16}}
        >>> base = sweeps.Experiment(images=640, valid=0.2, epochs=5, **small)
        >>> points = sweeps.grid(base, lr=[1e-5, 0.1, 1e30], seed=range(2))
        >>> runs = sweeps.run(points, records=tempfile.mkdtemp(), jobs=1, device="cpu")
        >>> best = sweeps.best_rate(runs)
        >>> best.lr, best.on_edge, best.divergence_edge
        (0.1, None, (0.1, 1e+30))
    """

    column: str
    higher: bool
    rates: tuple[Rate, ...]
    best: Rate
    good: tuple[float, float]
    divergence_edge: tuple[float | None, float | None]
    cost: int

    @property
    def lr(self) -> float:
        """The best rate."""
        return self.best.lr

    @property
    def on_edge(self) -> str | None:
        """ "lowest" or "highest" where the best rate is that of the grid, else None."""
        if self.best == self.rates[0]:
            return "lowest"
        return "highest" if self.best == self.rates[-1] else None

    def __str__(self) -> str:
        best, (trains, breaks) = self.best, self.divergence_edge
        if best.diverged:
            return (
                f"At every rate of the grid some seeds diverged: sweep rates below "
                f"{self.rates[0].lr:g}. Cost: {self.cost:,} updates."
            )
        spread = "" if math.isnan(best.sd) else f" ± {best.sd:.2g}"
        seeds = "1 seed" if best.seeds == 1 else f"{best.seeds} seeds"
        said = [f"Best rate {best.lr:g}: {self.column} {best.mean:.4g}{spread} ({seeds})."]
        if self.on_edge:
            said.append(f"The best lies on the edge of the grid, at its {self.on_edge}: widen it.")
        if self.good[0] < self.good[1]:
            said.append(f"Within seed noise of it: {self.good[0]:g} to {self.good[1]:g}.")
        if breaks is None:
            said.append("No run diverged.")
        else:
            said.append(f"All seeds train at {trains:g}, some diverge at {breaks:g}.")
        said.append(f"Cost: {self.cost:,} updates.")
        return " ".join(said)


@arguments(runs=RUNS, column=TEXT, higher=optional(FLAG))
def best_rate(
    runs: Iterable[Run], column: str = "valid_acc", higher: bool | None = None
) -> BestRate:
    """The best rate of a sweep over rates and seeds, by the mean over seeds.

    A run that diverged counts as the worst outcome there is, not as missing: a rate that loses one
    seed is beaten by every rate that loses none.

    Args:
        runs: what `sweeps.run` gives, of experiments that differ in lr and seed only, with the
            same seeds at each rate.
        column: of the history; its last measured value counts. Choose on `valid_*`: a rate that
            was chosen on the test data has seen them.
        higher: whether higher is better; default: unless the column is a loss.

    Raises:
        ValueError: fewer than two rates, unequal seeds, runs that differ otherwise, or a column
            that was not measured.

    Example:
        >>> import tempfile
        >>> from lrcourse import sweeps
        >>> small = {"model": "mlp", "model_options": {"depth": 2, "width": 16}}
        >>> base = sweeps.Experiment(images=640, valid=0.2, epochs=5, **small)
        >>> points = sweeps.grid(base, lr=[1e-5, 0.1, 1e30], seed=range(2))
        >>> runs = sweeps.run(points, records=tempfile.mkdtemp(), jobs=1, device="cpu")
        >>> sweeps.best_rate(runs).lr
        0.1
    """
    runs = list(runs)
    higher = not column.endswith("_loss") if higher is None else higher
    groups = runs_by_rate(runs, column)
    rates = tuple(_rate(lr, groups[lr], column, higher) for lr in sorted(groups))
    best = max(rates, key=lambda rate: rate.mean if higher else -rate.mean)
    unbroken = [rate.lr for rate in rates if not rate.diverged]
    broken = [rate.lr for rate in rates if rate.diverged]
    return BestRate(
        column=column,
        higher=higher,
        rates=rates,
        best=best,
        good=interval_around(
            [rate.lr for rate in rates],
            [abs(rate.mean - best.mean) <= best.sd for rate in rates],
            rates.index(best),
        ),
        divergence_edge=(max(unbroken, default=None), min(broken, default=None)),
        cost=sum(run.history.updates for run in runs),
    )


def runs_by_rate(runs: list[Run], column: str, whole: bool = True) -> dict[float, list[Run]]:
    """The runs at each rate; ValueError unless they can be compared by a column.

    With `whole` each rate has the same seeds.
    """
    groups: dict[float, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.experiment.lr, []).append(run)
    if len(groups) < 2:
        raise ValueError(f"a best rate is one of several; these runs have {len(groups)} rates")
    if len({run.experiment.but(lr=1.0, seed=0).key for run in runs}) > 1:
        raise ValueError(
            "these runs differ in more than lr and seed: choose one arm with runs.where(...) first"
        )
    if missing := [run for run in runs if column not in run.history.epochs]:
        there = ", ".join(missing[0].history.epochs)
        raise ValueError(
            f"these runs have no {column}, but {there}; valid_* needs Experiment(valid=0.1), say"
        )
    seeds = {lr: sorted(run.experiment.seed for run in group) for lr, group in groups.items()}
    first = next(iter(seeds))
    for lr, those in seeds.items():
        if whole and those != seeds[first]:
            raise ValueError(
                f"each rate needs the same seeds: {first:g} has {seeds[first]}, {lr:g} has {those}"
            )
        if len(set(those)) < len(those):
            raise ValueError(f"a seed occurs more than once at the rate {lr:g}: {those}")
    return groups


def _rate(lr: float, runs: list[Run], column: str, higher: bool) -> Rate:
    diverged = sum(run.history.diverged_at is not None for run in runs)
    if diverged:
        worst = -math.inf if higher else math.inf
        return Rate(lr, worst, math.nan, len(runs), diverged)
    values = [final_value(run.history, column, lr) for run in runs]
    sd = statistics.stdev(values) if len(values) > 1 else math.nan
    return Rate(lr, statistics.fmean(values), sd, len(values), 0)


def final_value(history: History, column: str, lr: float) -> float:
    """The last measured value; ValueError, with the rate, where there is none."""
    value = history.final(column)
    if math.isnan(value):
        raise ValueError(
            f"{column} was not measured at the rate {lr:g}: set evaluate, or choose another column"
        )
    return value


def interval_around(rates: list[float], good: list[bool], best: int) -> tuple[float, float]:
    """(lowest, highest) of the good rates around the best one, without a gap."""
    low = high = best
    while low > 0 and good[low - 1]:
        low -= 1
    while high + 1 < len(rates) and good[high + 1]:
        high += 1
    return rates[low], rates[high]
