"""What arms must share to be compared fairly: the rules of `fairness` and `reaching` alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lrcourse.support.checks import COUNT, TEXT, each, shown
from lrcourse.sweeps.experiment import Experiment
from lrcourse.sweeps.rules import RATE

Rates = Iterable[float] | Mapping[str, Iterable[float]]
SEEDS = each(COUNT, least=0)


class OnTheEdge(ValueError):
    """An arm's best rate is the first or last of its grid: it has not been tuned."""


def check_arms(arms: Mapping[str, Experiment]) -> None:
    """ValueError unless there are two arms or more, with equal data and budgets."""
    if len(arms) < 2:
        raise ValueError(f"a comparison needs two arms or more; arms has {len(arms)}")
    for field in ("data", "split", "images", "valid", "epochs", "batch_size"):
        values = {name: getattr(arm, field) for name, arm in arms.items()}
        if len(set(values.values())) > 1:
            told = ", ".join(f"{name}: {value!r}" for name, value in values.items())
            raise ValueError(f"the arms have unequal {field} ({told}): give each the same budget")


def check_tuning(
    arms: Mapping[str, Experiment], tuning: list[int], seeds: list[int], choose: str
) -> None:
    """ValueError where seeds or images would both choose the rate and judge it."""
    if both := sorted(set(tuning) & set(seeds)):
        raise ValueError(
            f"the seeds {both} would choose the rate and judge it: use fresh ones to judge"
        )
    if not tuning or not seeds:
        missing = "seeds" if tuning else "tuning_seeds"
        raise ValueError(
            f"there are no {missing}: give both tuning_seeds, better three, and seeds that judge"
        )
    if choose.startswith("test_"):
        raise ValueError(f"choose is {choose!r}: test data judge; choose by 'valid_acc', say")
    if choose.startswith("valid_") and not next(iter(arms.values())).valid:
        raise ValueError(
            f"choose={choose!r} needs images set aside for validation: give the arms valid=0.2, say"
        )


def rates_rule(owner: str, name: str, value: object) -> dict[str, list[float]] | list[float]:
    """Rule: peak LRs, for all arms or by the arms' names."""
    one = each(lambda owner, name, lr: float(RATE(owner, name, lr)))
    if isinstance(value, Mapping) and not value:
        raise ValueError(f"{owner}: {name} has no rates for any arm; got {shown(value)}")
    if isinstance(value, Mapping):
        return {TEXT(owner, name, arm): one(owner, name, value[arm]) for arm in value}
    return one(owner, name, value)


def rates_of_each(rates: Rates, arms: Mapping[str, Experiment]) -> dict[str, list[float]]:
    """The rates of each arm, ascending and once each; ValueError where their numbers differ."""
    if isinstance(rates, Mapping):
        given = {str(name): list(those) for name, those in rates.items()}
    else:
        shared = list(rates)
        given = {name: shared for name in arms}
    if set(given) != set(arms):
        raise ValueError(f"rates are given for {', '.join(given)}, the arms are {', '.join(arms)}")
    found = {name: sorted(set(given[name])) for name in arms}
    counts = {name: len(those) for name, those in found.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise ValueError(
            f"unequal numbers of rates ({told}): give each as many, for the same budget"
        )
    if min(counts.values()) < 3:
        raise ValueError(
            f"{min(counts.values())} rates an arm cannot show a best one between others: give 3 "
            "or more"
        )
    return found


def refuse_edges(chosen: Mapping[str, float], rates: Mapping[str, list[float]], kind: str) -> None:
    """OnTheEdge where an arm's rate is the first or last of its grid; `kind` says which rate."""
    edges = [
        f"{name} at its {'lowest' if lr == rates[name][0] else 'highest'}, {lr:g}"
        for name, lr in chosen.items()
        if lr in (rates[name][0], rates[name][-1])
    ]
    if edges:
        raise OnTheEdge(
            f"the {kind} rate lies on the edge of the grid ({'; '.join(edges)}): widen it, or "
            "accept that with allow_edge=True"
        )
