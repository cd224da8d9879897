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

from lrcourse.support.checks import FLAG, MAPPING, TEXT, arguments, optional, plain_number, shown
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
from lrcourse.sweeps.grids import arms_rule, grid
from lrcourse.sweeps.reading import BestRate, best_rate
from lrcourse.sweeps.rules import RATE
from lrcourse.sweeps.running import run_arms, run_parts
from lrcourse.sweeps.runs import Runs


def a_number(owner: str, name: str, value: object) -> float:
    """Rule: a number, NaN and infinities among them."""
    if (number := plain_number(value)) is None:
        raise TypeError(f"{owner}: {name} must be a number; got {shown(value)}")
    if isinstance(value, int) and math.isinf(number):
        raise ValueError(f"{owner}: {name} must be a number that a float holds; got {shown(value)}")
    return float(number)


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

    Example:
        >>> import tempfile
        >>> from lrcourse import sweeps
        >>> small = {"model": "mlp", "model_options": {"depth": 2, "width": 16}}
        >>> base = sweeps.Experiment(images=640, valid=0.2, epochs=5, **small)
        >>> arms = {"sgd": base, "momentum": base.but(optimizer="momentum")}
        >>> options = {"records": tempfile.mkdtemp(), "jobs": 1, "device": "cpu"}
        >>> compared = sweeps.fair(arms, shared_rate=0.03, seeds=range(2), **options)
        >>> list(compared), list(compared["sgd"])
        (['sgd', 'momentum'], [0, 1])
    """

    @arguments(arms=MAPPING, column=TEXT)
    def __init__(self, arms: Mapping[str, Arm], column: str) -> None:
        self.arms, self.column = dict(arms), column

    def __getitem__(self, name: str) -> dict[int, float]:
        if name not in self.arms:
            raise KeyError(f"no arm {name!r}; there are {', '.join(self.arms)}")
        return self.values_of(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.arms)

    def __len__(self) -> int:
        return len(self.arms)

    @arguments(name=TEXT, column=optional(TEXT), diverged=a_number)
    def values_of(
        self, name: str, column: str | None = None, diverged: float = math.nan
    ) -> dict[int, float]:
        """Seed -> last value of `column` (default: the one judged) for the arm `name`.

        A run that diverged gets the value `diverged`; a claim refuses the default, NaN.
        """
        if name not in self.arms:
            raise ValueError(f"values_of: name must be one of {', '.join(self.arms)}; got {name!r}")
        runs = self.arms[name].runs
        values = runs.values(column or self.column)
        broken = {run.experiment.seed for run in runs if run.history.diverged_at is not None}
        return {seed: diverged if seed in broken else value for seed, value in values.items()}

    def __repr__(self) -> str:
        width = max(map(len, self.arms))
        return "\n".join(f"{name:<{width}}  {_said(arm)}" for name, arm in self.arms.items())


@arguments(
    arms=arms_rule,
    rates=optional(rates_rule),
    shared_rate=optional(RATE),
    tuning_seeds=SEEDS,
    seeds=SEEDS,
    choose=TEXT,
    column=TEXT,
    allow_edge=FLAG,
)
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
    for all instead, say so: `shared_rate=0.1`.

    Args:
        arms: name -> experiment, with images set aside for validation (`valid=0.2`); its lr and
            seed are replaced. All read the same data and make as many updates.
        rates: peak LRs to try, for all arms or per name (as many for each).
        shared_rate: the one peak LR of all arms, instead of `rates`; nothing is tuned then.
        tuning_seeds, seeds: that choose, and that judge. No seed may do both.
        choose: the column that chooses, of the validation (or training) split.
        column: the column that judges.
        allow_edge: accept an arm whose best rate is the first or last of its grid.
        options: for `lrcourse.sweeps.run`.

    Raises:
        ValueError: neither or both of `rates` and `shared_rate`, unequal budgets, seeds that
            would both choose and judge, a choice by test data, or a split that is missing.
        OnTheEdge: a best rate at the end of its grid.

    Example:
        >>> import tempfile
        >>> from lrcourse import sweeps
        >>> small = {"model": "mlp", "model_options": {"depth": 2, "width": 16}}
        >>> base = sweeps.Experiment(images=640, valid=0.2, epochs=5, **small)
        >>> arms = {"sgd": base, "momentum": base.but(optimizer="momentum")}
        >>> options = {"records": tempfile.mkdtemp(), "jobs": 1, "device": "cpu"}
        >>> seeds = {"tuning_seeds": [8, 9], "seeds": range(2)}
        >>> compared = sweeps.fair(arms, rates=[1e-5, 0.03, 1e30], **seeds, **options)
        >>> {name: arm.lr for name, arm in compared.arms.items()}
        {'sgd': 0.03, 'momentum': 0.03}
    """
    arms = dict(arms)
    check_arms(arms)
    judged = judged_at_their_best(
        arms,
        None if rates is None else rates_of_each(rates, arms),
        shared_rate,
        list(tuning_seeds),
        list(seeds),
        choose,
        allow_edge,
        options,
    )
    return Comparison(judged, column)


def judged_at_their_best(
    arms: Mapping[str, Experiment],
    rates: Mapping[str, list[float]] | None,
    shared_rate: float | None,
    tuning_seeds: list[int],
    seeds: list[int],
    choose: str,
    allow_edge: bool,
    options: Mapping[str, Any],
) -> dict[str, Arm]:
    """Tune each arm on its own, then run it at its best rate on the seeds that judge.

    Arguments as for `fair`, but for the `rates` of each arm; the arms need not share their data.
    """
    if rates is None and shared_rate is not None:
        tunings: Mapping[str, BestRate | None] = dict.fromkeys(arms)
        chosen = dict.fromkeys(arms, shared_rate)
    elif rates is not None and shared_rate is None:
        check_tuning(arms, tuning_seeds, seeds, choose)
        found = _tune(arms, rates, tuning_seeds, choose, options)
        tunings, chosen = found, {name: tuning.lr for name, tuning in found.items()}
        if not allow_edge:
            refuse_edges(chosen, rates, "best")
    else:
        raise ValueError(
            "give the rates that each arm may choose from (rates=...), or say that all are "
            "compared at one (shared_rate=...)"
        )
    at_their_best = {name: arm.but(lr=chosen[name]) for name, arm in arms.items()}
    judged = run_arms(at_their_best, seeds=seeds, **options)
    return {name: Arm(chosen[name], tunings[name], judged[name]) for name in arms}


def _tune(
    arms: Mapping[str, Experiment],
    rates: Mapping[str, list[float]],
    seeds: list[int],
    choose: str,
    options: Mapping[str, Any],
) -> dict[str, BestRate]:
    points = {name: grid(arm, lr=rates[name], seed=seeds) for name, arm in arms.items()}
    done = run_parts(points, **options)
    return {name: best_rate(runs, column=choose) for name, runs in done.items()}


def _said(arm: Arm) -> str:
    if arm.tuning is None:
        return f"at the shared rate {arm.lr:g}"
    best = arm.tuning.best
    return (
        f"judged at its best rate {arm.lr:g} ({arm.tuning.column} {best.mean:.4g} over "
        f"{best.seeds} tuning seeds, {len(arm.tuning.rates)} rates, {arm.tuning.cost:,} updates)"
    )
