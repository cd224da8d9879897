"""Arms compared on several splits of the data, each split tuned by itself.

    compared = fair_over_splits({"constant": base, "cosine": base.but(schedule=s.cosine(630))},
                                splits=range(6), seeds=range(8), rates=log_space(0.01, 1, 9))
    claim("...", over_splits(compared["cosine"], compared["constant"]), margin=0.002)

Seeds alone say what other initial weights and another order of the batches would do. Which images
are trained on and which are judged by is chance, too, and all seeds of one split share it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lrcourse.data.sets import SPLIT_NUMBER
from lrcourse.support.checks import FLAG, TEXT, arguments, each, kind, optional, such
from lrcourse.sweeps.arms import SEEDS, Rates, check_arms, rates_of_each, rates_rule
from lrcourse.sweeps.experiment import Experiment
from lrcourse.sweeps.fairness import Comparison, a_number, judged_at_their_best
from lrcourse.sweeps.grids import arms_rule
from lrcourse.sweeps.rules import RATE

SPLITS = such(
    each(SPLIT_NUMBER, wanted="the numbers of the splits"),
    lambda splits: len(set(splits)) == len(splits),
    "the numbers of the splits, each once",
)


class SplitComparison(Mapping[str, dict[tuple[int, int], float]]):
    """What `fair_over_splits` gives: for each arm (split, seed) -> value.

    `lrcourse.claims.over_splits` takes such values.

    Attributes:
        splits: the `Comparison` on each split, by the split's number.

    Example:
        >>> import tempfile
        >>> from lrcourse import sweeps
        >>> small = {"model": "mlp", "model_options": {"depth": 2, "width": 16}}
        >>> base = sweeps.Experiment(images=640, valid=0.2, epochs=1, **small)
        >>> arms = {"sgd": base, "momentum": base.but(optimizer="momentum")}
        >>> options = {"records": tempfile.mkdtemp(), "jobs": 1, "device": "cpu"}
        >>> at = {"shared_rate": 0.03, "splits": [0, 1], "seeds": [5]}
        >>> compared = sweeps.fair_over_splits(arms, **at, **options)
        >>> list(compared["sgd"]), compared.splits[1].arms["sgd"].lr
        ([(0, 5), (1, 5)], 0.03)
    """

    @arguments(splits=lambda owner, name, value: _comparisons(owner, name, value))
    def __init__(self, splits: Mapping[int, Comparison]) -> None:
        self.splits = dict(splits)

    def __getitem__(self, name: str) -> dict[tuple[int, int], float]:
        if name not in self:
            raise KeyError(f"no arm {name!r}; there are {', '.join(self)}")
        return self.values_of(name)

    def __iter__(self) -> Iterator[str]:
        return iter(next(iter(self.splits.values())))

    def __len__(self) -> int:
        return len(next(iter(self.splits.values())))

    def __contains__(self, name: object) -> bool:
        return name in next(iter(self.splits.values())).arms

    @arguments(name=TEXT, column=optional(TEXT), diverged=a_number)
    def values_of(
        self, name: str, column: str | None = None, diverged: float = math.nan
    ) -> dict[tuple[int, int], float]:
        """(split, seed) -> last value of `column` (default: the one judged) for the arm `name`.

        A run that diverged gets the value `diverged`.
        """
        return {
            (split, seed): value
            for split, compared in self.splits.items()
            for seed, value in compared.values_of(name, column, diverged).items()
        }

    def __repr__(self) -> str:
        return "\n".join(f"split {k}\n{compared!r}" for k, compared in self.splits.items())


@arguments(
    arms=arms_rule,
    splits=SPLITS,
    rates=optional(rates_rule),
    shared_rate=optional(RATE),
    tuning_seeds=SEEDS,
    seeds=SEEDS,
    choose=TEXT,
    column=TEXT,
    allow_edge=FLAG,
)
def fair_over_splits(
    arms: Mapping[str, Experiment],
    *,
    splits: Iterable[int] = range(6),
    rates: Rates | None = None,
    shared_rate: float | None = None,
    tuning_seeds: Iterable[int] = range(1000, 1003),
    seeds: Iterable[int] = range(8),
    choose: str = "valid_acc",
    column: str = "test_acc",
    allow_edge: bool = False,
    **options: Any,
) -> SplitComparison:
    """`fair` on several splits: on each one every arm gets a rate of its own.

    It is chosen on that split's validation images with the tuning seeds, and judged on its test
    images with the others, so that no split knows of another. All runs go on side by side.

    Args:
        arms: as for `fair`; their split is replaced, as their lr and seed are.
        splits: numbers of the draws, six at least for a claim. See `lrcourse.data.load`.
        rates, shared_rate, tuning_seeds, seeds, choose, column, allow_edge: as for `fair`.
        options: for `lrcourse.sweeps.run`.

    Raises:
        ValueError: as `fair` does; a split twice, or one that leaves a class out.
        OnTheEdge: a best rate at the end of its grid, on any split.

    Example:
        >>> import tempfile
        >>> from lrcourse import sweeps
        >>> small = {"model": "mlp", "model_options": {"depth": 2, "width": 16}}
        >>> base = sweeps.Experiment(images=640, valid=0.2, epochs=2, **small)
        >>> arms = {"sgd": base, "momentum": base.but(optimizer="momentum")}
        >>> options = {"records": tempfile.mkdtemp(), "jobs": 1, "device": "cpu"}
        >>> seeds = {"tuning_seeds": [8, 9], "seeds": [0], "splits": [0, 1]}
        >>> compared = sweeps.fair_over_splits(arms, rates=[1e-5, 0.03, 1e30], **seeds, **options)
        >>> {split: compared.splits[split].arms["sgd"].lr for split in compared.splits}
        {0: 0.03, 1: 0.03}
    """
    check_arms({name: arm.but(split=0) for name, arm in arms.items()})
    named = {(name, k): f"{name} on split {k}" for k in splits for name in arms}
    of_each = None
    if rates is not None:
        of_arm = rates_of_each(rates, arms)
        of_each = {told: of_arm[name] for (name, _), told in named.items()}
    judged = judged_at_their_best(
        {told: arms[name].but(split=k) for (name, k), told in named.items()},
        of_each,
        shared_rate,
        list(tuning_seeds),
        list(seeds),
        choose,
        allow_edge,
        options,
    )
    return SplitComparison(
        {k: Comparison({name: judged[named[name, k]] for name in arms}, column) for k in splits}
    )


def _comparisons(owner: str, name: str, value: object) -> dict[int, Comparison]:
    """Rule: a comparison by the number of its split, one at least, all with the same arms."""
    problem = f"{owner}: {name} must map the number of each split to its Comparison; got {value!r}"
    if not isinstance(value, Mapping):
        raise TypeError(problem)
    one = kind("a Comparison", Comparison)
    found = {SPLIT_NUMBER(owner, name, k): one(owner, f"{name}[{k!r}]", value[k]) for k in value}
    if len({tuple(compared) for compared in found.values()}) != 1:
        raise ValueError(f"{problem}, with the same arms on each")
    return found
