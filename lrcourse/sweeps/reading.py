"""Reading a sweep over rates: the best one, how sure that is, where training breaks, its cost."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

from lrcourse.support.checks import FLAG, NOT_NEGATIVE, NUMBER, TEXT, arguments, kind, optional
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
    """
    runs = list(runs)
    higher = not column.endswith("_loss") if higher is None else higher
    groups = _by_rate(runs, column)
    rates = tuple(_rate(lr, groups[lr], column, higher) for lr in sorted(groups))
    best = max(rates, key=lambda rate: rate.mean if higher else -rate.mean)
    unbroken = [rate.lr for rate in rates if not rate.diverged]
    broken = [rate.lr for rate in rates if rate.diverged]
    return BestRate(
        column=column,
        higher=higher,
        rates=rates,
        best=best,
        good=_interval(
            [rate.lr for rate in rates],
            [abs(rate.mean - best.mean) <= best.sd for rate in rates],
            rates.index(best),
        ),
        divergence_edge=(max(unbroken, default=None), min(broken, default=None)),
        cost=sum(run.history.updates for run in runs),
    )


def _by_rate(runs: list[Run], column: str, whole: bool = True) -> dict[float, list[Run]]:
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
    values = [_final(run.history, column, lr) for run in runs]
    sd = statistics.stdev(values) if len(values) > 1 else math.nan
    return Rate(lr, statistics.fmean(values), sd, len(values), 0)


def _final(history: History, column: str, lr: float) -> float:
    value = history.final(column)
    if math.isnan(value):
        raise ValueError(
            f"{column} was not measured at the rate {lr:g}: set evaluate, or choose another column"
        )
    return value


def _interval(rates: list[float], good: list[bool], best: int) -> tuple[float, float]:
    """(lowest, highest) of the good rates around the best one, without a gap."""
    low = high = best
    while low > 0 and good[low - 1]:
        low -= 1
    while high + 1 < len(rates) and good[high + 1]:
        high += 1
    return rates[low], rates[high]


@arguments(runs=RUNS, column=TEXT, higher=optional(FLAG))
def best_by_seed(
    runs: Iterable[Run], column: str = "valid_loss", higher: bool | None = None
) -> dict[int, float]:
    """Each seed's own best rate, of those tried: a sample that claims can be made of.

    Arguments and errors as for `best_rate`. Runs that diverged come last; a seed all of whose runs
    diverged raises ValueError. Of equal values the lowest rate counts.
    """
    higher = not column.endswith("_loss") if higher is None else higher
    best = {}
    for seed, row in _by_seed(list(runs), column).items():
        trained = _some_trained(seed, row, column)
        best[seed] = (max if higher else min)(trained, key=lambda lr: trained[lr])
    return best


@arguments(runs=RUNS, column=TEXT, least=NUMBER)
def breaks_by_seed(
    runs: Iterable[Run], column: str = "train_acc", least: float = 0.5
) -> dict[int, float]:
    """Each seed's divergence edge: the lowest rate above its best one at which it fails to train.

    A run fails if it diverged or if its `column`, of which more is better, ends below `least`.
    The best rate is that with the highest `column`. ValueError for a seed that never fails above
    its best rate: the sweep does not reach its edge.
    """
    edges = {}
    for seed, row in _by_seed(list(runs), column).items():
        passing = _some_passing(seed, row, column, least)
        best = max(passing, key=lambda lr: passing[lr])
        failing = [lr for lr in row if lr > best and lr not in passing]
        if not failing:
            raise ValueError(
                f"seed {seed} trains (least={least}) up to the highest rate, {max(row):g}: sweep on"
            )
        edges[seed] = min(failing)
    return edges


@arguments(run=kind("a Run", Run), column=TEXT, least=NUMBER)
def trains(run: Run, column: str = "train_acc", least: float = 0.5) -> bool:
    """Did a run end without divergence, and with `column` at `least` or above?"""
    return bool(_passing({run.experiment.lr: run}, column, least))


@arguments(runs=RUNS, column=TEXT, least=NUMBER)
def largest_by_seed(
    runs: Iterable[Run], column: str = "train_acc", least: float = 0.5
) -> dict[int, float]:
    """Each seed's largest rate that trains: without divergence, and `column` at `least` or up.

    Of each seed only the highest rates are needed, down to the first that trains: see
    `sweeps.downward`. ValueError for a seed that trains at no rate, or at the highest one of the
    sweep.
    """
    rows, largest = _by_seed(list(runs), column, whole=False), {}
    rates = sorted({lr for row in rows.values() for lr in row})
    for seed, row in rows.items():
        if gaps := [lr for lr in rates if lr > min(row) and lr not in row]:
            raise ValueError(f"seed {seed} has no run at the rate {gaps[-1]:g}, but at a lower one")
        passing = _some_passing(seed, row, column, least)
        if max(passing) == max(row):
            raise ValueError(
                f"seed {seed} trains (least={least}) at the highest rate, {max(row):g}: sweep on"
            )
        largest[seed] = max(passing)
    return largest


@arguments(runs=RUNS, column=TEXT, slack=NOT_NEGATIVE)
def width_by_seed(
    runs: Iterable[Run], column: str = "train_acc", slack: float = 0.03
) -> dict[int, float]:
    """Each seed's width of the good interval: its highest over its lowest rate, 1 or more.

    Good are the rates around the seed's best one, without a gap, whose `column`, of which more is
    better, is within `slack` of the best. The width is known to the ratio of the grid, and is too
    small where the interval reaches its end.
    """
    widths = {}
    for seed, row in _by_seed(list(runs), column).items():
        trained = _some_trained(seed, row, column)
        rates = list(row)
        good = [trained.get(lr, -math.inf) >= max(trained.values()) - slack for lr in rates]
        low, high = _interval(rates, good, rates.index(max(trained, key=lambda lr: trained[lr])))
        widths[seed] = high / low
    return widths


def _by_seed(runs: list[Run], column: str, whole: bool = True) -> dict[int, dict[float, Run]]:
    """Seed -> rate -> run, both ascending."""
    rows: dict[int, dict[float, Run]] = {}
    for _, group in sorted(_by_rate(runs, column, whole).items()):
        for run in group:
            rows.setdefault(run.experiment.seed, {})[run.experiment.lr] = run
    return dict(sorted(rows.items()))


def _trained(row: dict[float, Run], column: str) -> dict[float, float]:
    """Rate -> value of the runs that did not diverge."""
    there = {lr: run.history for lr, run in row.items() if run.history.diverged_at is None}
    return {lr: _final(history, column, lr) for lr, history in there.items()}


def _some_trained(seed: int, row: dict[float, Run], column: str) -> dict[float, float]:
    """The same; ValueError where there is none."""
    if trained := _trained(row, column):
        return trained
    raise ValueError(f"seed {seed} diverged at every rate: sweep lower ones")


def _passing(row: dict[float, Run], column: str, least: float) -> dict[float, float]:
    """Rate -> value of the runs that trained."""
    return {lr: value for lr, value in _trained(row, column).items() if value >= least}


def _some_passing(
    seed: int, row: dict[float, Run], column: str, least: float
) -> dict[float, float]:
    """The same; ValueError where there is none."""
    if passing := _passing(row, column, least):
        return passing
    raise ValueError(
        f"seed {seed} trains at no rate with least={least}: sweep lower ones, or ask for less"
    )
