"""Arms compared fairly: each at its own best peak LR, chosen on other data and seeds than judge it.

    compared = fair({"constant": base, "cosine": base.but(schedule=s.cosine(630))},
                    rates=log_space(0.01, 1, 9), tuning_seeds=range(100, 103), seeds=range(10))
    compared                                    # what each arm chose, and what it cost
    claim("...", paired(compared["cosine"], compared["constant"]), margin=0.002)

Sources: contract 3 of this course; Choi et al. 2019 (arXiv 1910.05446) and Schmidt et al. 2020
(arXiv 2007.01547) show how the budget of tuning decides who wins.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lrcourse.sweeps.experiment import Experiment
from lrcourse.sweeps.reading import BestRate, best_rate
from lrcourse.sweeps.running import Runs, run_arms
from lrcourse.sweeps.running import run as run_sweep

Rates = Iterable[float] | Mapping[str, Iterable[float]]


class OnTheEdge(ValueError):
    """An arm's best rate is the first or last of its grid: it has not been tuned."""


@dataclass(frozen=True, eq=False)
class Arm:
    """One arm of a comparison.

    Attributes:
        lr: the peak LR at which it was judged.
        tuning: how that rate was chosen; None where the arms share one that was given.
        runs: those that judge, one a seed.
    """

    lr: float
    tuning: BestRate | None
    runs: Runs


class Comparison(Mapping[str, dict[int, float]]):
    """What `fair` gives: for each arm seed -> value, as `lrcourse.claims.paired` takes them.

    Attributes:
        arms: each `Arm` by its name.
        column: what was measured by the runs that judge.
    """

    def __init__(self, arms: Mapping[str, Arm], column: str) -> None:
        self.arms, self.column = dict(arms), column

    def __getitem__(self, name: str) -> dict[int, float]:
        return self.values_of(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.arms)

    def __len__(self) -> int:
        return len(self.arms)

    def values_of(
        self, name: str, column: str | None = None, diverged: float = math.nan
    ) -> dict[int, float]:
        """Seed -> last value of a column (default: the one judged) for one arm.

        A run that diverged gets the value ``diverged``; a claim refuses the default, NaN.
        """
        if name not in self.arms:
            raise KeyError(f"no arm {name!r}; there are {', '.join(self.arms)}")
        runs = self.arms[name].runs
        values = runs.values(column or self.column)
        broken = {run.experiment.seed for run in runs if run.history.diverged_at is not None}
        return {seed: diverged if seed in broken else value for seed, value in values.items()}

    def __repr__(self) -> str:
        width = max(map(len, self.arms))
        return "\n".join(f"{name:<{width}}  {_said(arm)}" for name, arm in self.arms.items())


def fair(
    arms: Mapping[str, Experiment],
    *,
    rates: Rates | None = None,
    shared_rate: float | None = None,
    tuning_seeds: Iterable[int] = range(1000, 1003),
    seeds: Iterable[int] = range(10),
    choose: str = "valid_acc",
    column: str = "test_acc",
    allow_edge: bool = False,
    **options: Any,
) -> Comparison:
    """Compare experiments, each at its own best peak LR, from equal budgets.

    Every arm runs at as many rates, over the same tuning seeds; the rate with the best mean on the
    validation split is its own, and fresh seeds judge it on the test split. To compare at one rate
    for all instead, say so: ``shared_rate=0.1``.

    Args:
        arms: name -> experiment, with images set aside for validation (``valid=0.2``); its lr and
            seed are replaced. All read the same data and make as many updates.
        rates: peak LRs to try, for all arms or per name (as many for each).
        shared_rate: the one peak LR of all arms, instead of ``rates``; nothing is tuned then.
        tuning_seeds, seeds: that choose, and that judge. No seed may do both.
        choose: the column that chooses, of the validation (or training) split.
        column: the column that judges.
        allow_edge: accept an arm whose best rate is the first or last of its grid.
        options: for ``lrcourse.sweeps.run``.

    Raises:
        ValueError: neither or both of ``rates`` and ``shared_rate``, unequal budgets, seeds that
            would both choose and judge, a choice by test data, or a split that is missing.
        OnTheEdge: a best rate at the end of its grid.
    """
    arms, seeds, tuning_seeds = dict(arms), list(seeds), list(tuning_seeds)
    _check_arms(arms)
    if (rates is None) == (shared_rate is None):
        raise ValueError(
            "give the rates that each arm may choose from (rates=...), or say that all are "
            "compared at one (shared_rate=...)"
        )
    if shared_rate is not None:
        chosen, tunings = dict.fromkeys(arms, shared_rate), dict.fromkeys(arms)
    else:
        _check_tuning(arms, tuning_seeds, seeds, choose)
        tunings = _tune(arms, _per_arm(rates, arms), tuning_seeds, choose, options)
        if not allow_edge:
            _refuse_edges(tunings)
        chosen = {name: tuning.lr for name, tuning in tunings.items()}
    at_their_best = {name: arm.but(lr=chosen[name]) for name, arm in arms.items()}
    judged = run_arms(at_their_best, seeds=seeds, **options)
    return Comparison(
        {name: Arm(chosen[name], tunings[name], judged[name]) for name in arms}, column
    )


def _tune(
    arms: Mapping[str, Experiment],
    rates: Mapping[str, list[float]],
    seeds: list[int],
    choose: str,
    options: Mapping[str, Any],
) -> dict[str, BestRate]:
    points = {
        name: [arm.but(lr=lr, seed=seed) for lr in rates[name] for seed in seeds]
        for name, arm in arms.items()
    }
    done = iter(run_sweep([point for arm in points.values() for point in arm], **options))
    return {
        name: best_rate([next(done) for _ in arm], column=choose) for name, arm in points.items()
    }


def _check_arms(arms: Mapping[str, Experiment]) -> None:
    if len(arms) < 2:
        raise ValueError(f"a comparison needs two arms or more, not {len(arms)}")
    for name, arm in arms.items():
        if not isinstance(arm, Experiment):
            raise TypeError(f"the arm {name!r} is a {type(arm).__name__}: give an Experiment")
    for field in ("data", "images", "valid", "epochs", "batch_size"):
        values = {name: getattr(arm, field) for name, arm in arms.items()}
        if len(set(values.values())) > 1:
            told = ", ".join(f"{name}: {value!r}" for name, value in values.items())
            raise ValueError(f"the arms have unequal {field} ({told}): give each the same budget")


def _check_tuning(
    arms: Mapping[str, Experiment], tuning_seeds: list[int], seeds: list[int], choose: str
) -> None:
    if both := sorted(set(tuning_seeds) & set(seeds)):
        raise ValueError(f"the seeds {both} would choose the rate and judge it: use fresh ones")
    if not tuning_seeds:
        raise ValueError("no tuning seeds: give one at least, better three")
    if choose.startswith("test_"):
        raise ValueError(f"choose is {choose!r}: test data judge; choose by 'valid_acc', say")
    if choose.startswith("valid_") and not next(iter(arms.values())).valid:
        raise ValueError(
            f"{choose!r} needs images set aside for validation: give the arms valid=0.2, say"
        )


def _per_arm(rates: Rates, arms: Mapping[str, Experiment]) -> dict[str, list[float]]:
    if isinstance(rates, Mapping):
        if set(rates) != set(arms):
            raise ValueError(
                f"rates are given for {', '.join(map(str, rates))}, the arms are {', '.join(arms)}"
            )
        each = {name: [float(lr) for lr in rates[name]] for name in arms}
    else:
        shared = [float(lr) for lr in rates]
        each = {name: shared for name in arms}
    counts = {name: len(set(those)) for name, those in each.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise ValueError(f"unequal numbers of rates ({told}): give each arm the same budget")
    if min(counts.values()) < 3:
        raise ValueError(
            f"{min(counts.values())} rates an arm cannot show a best one between others: give 3 "
            "or more"
        )
    return each


def _refuse_edges(tunings: Mapping[str, BestRate]) -> None:
    edges = [f"{name} at its {t.on_edge}, {t.lr:g}" for name, t in tunings.items() if t.on_edge]
    if edges:
        raise OnTheEdge(
            f"the best rate lies on the edge of the grid ({'; '.join(edges)}): widen it, or accept "
            "that with allow_edge=True"
        )


def _said(arm: Arm) -> str:
    if arm.tuning is None:
        return f"at the shared rate {arm.lr:g}"
    best = arm.tuning.best
    return (
        f"judged at its best rate {arm.lr:g} ({arm.tuning.column} {best.mean:.4g} over "
        f"{best.seeds} tuning seeds, {len(arm.tuning.rates)} rates, {arm.tuning.cost:,} updates)"
    )
