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

from lrcourse.sweeps.experiment import Experiment
from lrcourse.sweeps.fairness import OnTheEdge
from lrcourse.sweeps.running import Run, Runs, grid, run_arms
from lrcourse.sweeps.running import run as run_sweep
from lrcourse.training.history import History


def updates_until(history: History, column: str, level: float) -> int | None:
    """Updates made at the end of the first epoch whose ``column`` is as good as ``level``.

    A loss is as good where it is at most ``level``, everything else where it is at least
    ``level``. None where that never was. An epoch that was not measured (NaN) counts as not good.
    KeyError for a column that there is not.
    """
    if column not in history.epochs:
        raise KeyError(f"no column {column!r}; there are {', '.join(history.epochs)}")
    values = history.epochs[column]
    good = values <= level if column.endswith("_loss") else values >= level
    return int(history.epochs["update"][good.argmax()]) if good.any() else None


def updates_by_seed(
    runs: Iterable[Run], column: str, level: float, missing: float = math.nan
) -> dict[int, float]:
    """Seed -> `updates_until`, and ``missing`` for a run that never gets there.

    ValueError if a seed occurs twice.
    """
    found: dict[int, float] = {}
    for run in runs:
        if run.experiment.seed in found:
            raise ValueError("a seed occurs more than once: choose one arm with where(...) first")
        until = updates_until(run.history, column, level)
        found[run.experiment.seed] = missing if until is None else float(until)
    return found


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


def race(
    arms: Mapping[str, Experiment],
    *,
    level: float,
    rates: Iterable[float] | Mapping[str, Iterable[float]],
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
        level: to be reached in ``choose`` while tuning and in ``column`` when judged.
        rates: peak LRs to try, for all arms or per name, as many for each.
        tuning_seeds, seeds: that choose, and that judge. No seed may do both.
        allow_edge: accept an arm whose quickest rate is the first or last of its grid.
        options: for ``lrcourse.sweeps.run``.

    Raises:
        ValueError: unequal budgets, too few arms, seeds that would both choose and judge, a
            choice by test data, an experiment that is not measured after each epoch.
        OnTheEdge: a quickest rate at the end of its grid.
    """
    arms, tuning_seeds, seeds = dict(arms), list(tuning_seeds), list(seeds)
    each = _checked_rates(arms, rates)
    _check(arms, tuning_seeds, seeds, choose)
    chosen = {}
    for name, arm in arms.items():
        runs = run_sweep(grid(arm, lr=each[name], seed=tuning_seeds), **options)
        late = {lr: _mean_late(runs.where(lr=lr), choose, level) for lr in each[name]}
        chosen[name] = min(sorted(each[name]), key=late.get)
        if not allow_edge and chosen[name] in (min(each[name]), max(each[name])):
            raise OnTheEdge(
                f"the quickest rate of {name} lies on the edge of its grid, at "
                f"{chosen[name]:g}: widen it, or accept that with allow_edge=True"
            )
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


def _checked_rates(
    arms: Mapping[str, Experiment], rates: Iterable[float] | Mapping[str, Iterable[float]]
) -> dict[str, list[float]]:
    shared = [] if isinstance(rates, Mapping) else list(rates)
    given = rates if isinstance(rates, Mapping) else {name: shared for name in arms}
    if set(given) != set(arms):
        raise ValueError(f"rates are given for {', '.join(given)}, the arms are {', '.join(arms)}")
    each = {name: sorted({float(lr) for lr in given[name]}) for name in arms}
    counts = {len(those) for those in each.values()}
    if len(counts) != 1 or min(counts) < 3:
        raise ValueError(
            f"the arms have {sorted(counts)} different rates: give each as many, 3 or more"
        )
    return each


def _check(
    arms: Mapping[str, Experiment], tuning: list[int], seeds: list[int], choose: str
) -> None:
    if len(arms) < 2:
        raise ValueError(f"a race needs two arms or more, not {len(arms)}")
    for field in ("data", "images", "valid", "epochs", "batch_size"):
        if len({getattr(arm, field) for arm in arms.values()}) > 1:
            raise ValueError(f"the arms have unequal {field}: give each the same budget")
    one = next(iter(arms.values()))
    if any(arm.evaluate not in ("epoch", 1) for arm in arms.values()):
        raise ValueError('a race looks at each epoch: give the arms evaluate="epoch"')
    if choose.startswith("test_"):
        raise ValueError(f"choose is {choose!r}: test data judge; choose by 'valid_acc', say")
    if choose.startswith("valid_") and not one.valid:
        raise ValueError(f"{choose!r} needs images set aside: give the arms valid=0.2, say")
    if both := sorted(set(tuning) & set(seeds)):
        raise ValueError(f"the seeds {both} would choose the rate and judge it: use fresh ones")
    if not tuning or not seeds:
        raise ValueError("a race needs tuning seeds and judging seeds: give both")
