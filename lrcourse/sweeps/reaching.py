"""How many updates a run needs to get somewhere, and a fair race between schedules.

    updates_until(history, "test_acc", 0.95)     # after so many updates, or None
    race({"constant": base, "cyclical": base.but(schedule=s.cyclical(170, base=0.1))},
         level=0.95, rates=log_space(0.03, 1, 7), tuning_seeds=range(8), seeds=range(100, 120))

"It converges in fewer iterations" is a sentence about such a number. As in
`lrcourse.sweeps.fairness`, each arm runs at its own best peak LR, chosen with other
seeds and on other images than judge it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from lrcourse.support.checks import FLAG, NUMBER, TEXT, arguments, kind
from lrcourse.sweeps.arms import (
    SEEDS,
    Rates,
    check_arms,
    check_tuning,
    rates_of_each,
    rates_rule,
    refuse_edges,
)
from lrcourse.sweeps.experiment import Experiment
from lrcourse.sweeps.fairness import a_number
from lrcourse.sweeps.grids import arms_rule, grid
from lrcourse.sweeps.running import run as run_sweep
from lrcourse.sweeps.running import run_arms
from lrcourse.sweeps.runs import ANY_RUNS, Run, Runs
from lrcourse.training.history import History, known_column


@arguments(history=kind("a History", History), column=TEXT, level=NUMBER)
def updates_until(history: History, column: str, level: float) -> int | None:
    """Updates of `history` at the end of the first epoch whose `column` is as good as `level`.

    A loss is as good where it is at most `level`, everything else where it is at least
    `level`. None where that never was. An epoch that was not measured (NaN) counts as not good.
    ValueError for a column that there is not.

    Example:
        >>> import numpy as np
        >>> from lrcourse import sweeps, training
        >>> epochs = {"update": np.array([10.0, 20.0]), "test_acc": np.array([0.5, 0.9])}
        >>> history = training.History(np.zeros(20), np.zeros(20, np.float32), epochs, 10)
        >>> sweeps.updates_until(history, "test_acc", 0.8)
        20
    """
    values = history.epochs[known_column("updates_until", "column", column, history)]
    good = values <= level if column.endswith("_loss") else values >= level
    return int(history.epochs["update"][good.argmax()]) if good.any() else None


@arguments(runs=ANY_RUNS, column=TEXT, level=NUMBER, missing=a_number)
def updates_by_seed(
    runs: Iterable[Run], column: str, level: float, missing: float = math.nan
) -> dict[int, float]:
    """Seed -> `updates_until` of each of `runs`, and `missing` for one that never gets there.

    `column` and `level` are those of `updates_until`.

    ValueError if a seed occurs twice.

    Example:
        >>> import tempfile
        >>> from lrcourse import sweeps
        >>> small = {"model": "mlp", "model_options": {"depth": 2, "width": 16}}
        >>> base = sweeps.Experiment(images=640, epochs=5, **small)
        >>> points = sweeps.grid(base, lr=[1e-5, 0.3, 1e30], seed=range(2))
        >>> runs = sweeps.run(points, records=tempfile.mkdtemp(), jobs=1, device="cpu")
        >>> sweeps.updates_by_seed(runs.where(lr=1e-5), "test_acc", 0.9, missing=120)
        {0: 120.0, 1: 120.0}
    """
    until = {
        seed: updates_until(run.history, column, level)
        for seed, run in Runs(runs).by_seed().items()
    }
    return {seed: missing if made is None else float(made) for seed, made in until.items()}


@dataclass(frozen=True, eq=False)
class Race:
    """What `race` gives.

    Attributes:
        column, level: what was to be reached.
        lr: the peak LR of each arm, chosen with the tuning seeds.
        updates: arm -> seed -> updates until there. A run that never got there counts with one
            epoch more than all updates of its budget: a median, or a sign test, needs no more.
        missed: arm -> how many judging runs never got there.
        runs: arm -> the runs that judge.
    """

    column: str
    level: float
    lr: Mapping[str, float]
    updates: Mapping[str, dict[int, float]]
    missed: Mapping[str, int]
    runs: Mapping[str, Runs]

    def __repr__(self) -> str:
        wide = max(map(len, self.lr))
        lines = []
        for name, lr in self.lr.items():
            made = sorted(self.updates[name].values())
            middle = (made[(len(made) - 1) // 2] + made[len(made) // 2]) / 2
            lines.append(
                f"{name:<{wide}}  at its quickest rate {lr:.3g}: median {middle:.0f} updates to "
                f"{self.column} {self.level:g}, never in {self.missed[name]} of {len(made)} runs"
            )
        return "\n".join(lines)


@arguments(
    arms=arms_rule,
    level=NUMBER,
    rates=rates_rule,
    tuning_seeds=SEEDS,
    seeds=SEEDS,
    choose=TEXT,
    column=TEXT,
    allow_edge=FLAG,
)
def race(
    arms: Mapping[str, Experiment],
    *,
    level: float,
    rates: Rates,
    tuning_seeds: Iterable[int],
    seeds: Iterable[int],
    choose: str = "valid_acc",
    column: str = "test_acc",
    allow_edge: bool = False,
    **options: Any,
) -> Race:
    """Updates to a level, each arm at the peak LR that is quickest to it, from equal budgets.

    Args:
        arms: name -> experiment, measured after each epoch; lr and seed are replaced. All read
            the same data and make as many updates.
        level: to be reached in `choose` while tuning and in `column` when judged.
        rates: peak LRs to try, for all arms or per name, as many for each.
        tuning_seeds, seeds: that choose, and that judge. No seed may do both.
        allow_edge: accept an arm whose quickest rate is the first or last of its grid.
        options: for `lrcourse.sweeps.run`.

    Raises:
        ValueError: unequal budgets, too few arms, seeds that would both choose and judge, a
            choice by test data, an experiment that is not measured after each epoch.
        OnTheEdge: a quickest rate at the end of its grid.

    Example:
        >>> import tempfile
        >>> from lrcourse import sweeps
        >>> small = {"model": "mlp", "model_options": {"depth": 2, "width": 16}}
        >>> base = sweeps.Experiment(images=640, valid=0.2, epochs=5, **small)
        >>> arms = {"sgd": base, "momentum": base.but(optimizer="momentum")}
        >>> options = {"records": tempfile.mkdtemp(), "jobs": 1, "device": "cpu"}
        >>> seeds = {"tuning_seeds": [8, 9], "seeds": range(2)}
        >>> race = sweeps.race(arms, level=0.3, rates=[1e-5, 0.03, 1e30], **seeds, **options)
        >>> race.lr
        {'sgd': 0.03, 'momentum': 0.03}
    """
    arms, tuning_seeds, seeds = dict(arms), list(tuning_seeds), list(seeds)
    check_arms(arms)
    of_each = rates_of_each(rates, arms)
    if any(arm.evaluate not in ("epoch", 1) for arm in arms.values()):
        raise ValueError('a race looks at each epoch: give the arms evaluate="epoch"')
    check_tuning(arms, tuning_seeds, seeds, choose)
    chosen = {}
    for name, arm in arms.items():
        runs = run_sweep(grid(arm, lr=of_each[name], seed=tuning_seeds), **options)
        late = {lr: _mean_late(runs.where(lr=lr), choose, level) for lr in of_each[name]}
        chosen[name] = min(of_each[name], key=lambda lr, late=late: late[lr])
    if not allow_edge:
        refuse_edges(chosen, of_each, "quickest")
    judged = run_arms({n: arm.but(lr=chosen[n]) for n, arm in arms.items()}, seeds=seeds, **options)
    raw = {name: updates_by_seed(runs, column, level) for name, runs in judged.items()}
    return Race(
        column=column,
        level=level,
        lr=chosen,
        updates={
            name: {
                k: _budget_and_more(judged[name]) if math.isnan(v) else v for k, v in row.items()
            }
            for name, row in raw.items()
        },
        missed={name: sum(map(math.isnan, row.values())) for name, row in raw.items()},
        runs=judged,
    )


def _mean_late(runs: Runs, column: str, level: float) -> float:
    return fmean(updates_by_seed(runs, column, level, _budget_and_more(runs)).values())


def _budget_and_more(runs: Runs) -> float:
    longest = max(runs, key=lambda run: run.experiment.epochs)
    return float((longest.experiment.epochs + 1) * longest.history.batches_per_epoch)
