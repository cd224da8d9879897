"""What a claim about counts rests on: how often something happens, and cases without exception."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lrcourse.claims.evidence import Evidence, Interval
from lrcourse.claims.intervals import clopper_pearson
from lrcourse.claims.samples import SEEDS, Dead, arm, matched, scipy_stats
from lrcourse.support.checks import NUMBER, arguments, optional, shown


@arguments(seeds=SEEDS, dead_below=optional(NUMBER), dead_above=optional(NUMBER))
def share(
    a: Any,
    b: Any = None,
    *,
    seeds: Sequence[Any] | None = None,
    dead_below: float | None = None,
    dead_above: float | None = None,
) -> Evidence:
    """How often something happens: the share of runs, or the odds of it in two arms.

    An arm is one outcome per run, true or false, in the forms that `paired` takes. With
    `dead_below=0.15` (for a loss `dead_above=2.3`) it is instead one value per run, and what is
    counted are the dead: diverged (NaN or infinite), or on the wrong side of that limit.

    One arm: its share, with the interval of Clopper and Pearson, which is exact for any share and
    number. None of 10 means at most 41 % at alpha = .01, none of 24 at most 20 %: that "every run"
    does something is a claim that the share is above 0.8, say, and needs 24 of 24.

    Two arms: the odds ratio, neutral at 1, infinite where it never happens in b. On the same named
    seeds it is that of the pairs that differ, with the interval that belongs to McNemar's exact
    test; on other seeds, and on sequences without any, the conditional one of Fisher's exact test.
    Either needs 8 or so of 10 against none.

    Raises:
        ValueError: No runs; outcomes other than true and false where no limit is given; two limits;
            arms that share some of their seeds, but not all; a seed twice.
        TypeError: An arm of another kind.

    >>> from lrcourse.claims import judge, share
    >>> accuracy = {seed: 0.9 for seed in range(10)}
    >>> print(judge("Fewer than half die", share(accuracy, dead_below=0.15), below=0.5).line())
    HOLDS | Fewer than half die | 10 runs, share 0 of 10 [0.00, 0.411], margin < 0.5 \
(Clopper-Pearson, alpha .01)
    >>> cold = {seed: 0.1 if seed < 8 else 0.9 for seed in range(10)}
    >>> print(judge("Cold more die", share(cold, accuracy, dead_below=0.15), margin=1).line())
    HOLDS | Cold more die | 10 seeds (8 of 10 against 0 of 10, 8 differ), odds ratio inf \
[1.06, inf], margin > 1 (McNemar, alpha .01)
    """
    dead = Dead(dead_below, dead_above)
    first, names = arm(a, "a")
    if b is None:
        if seeds is not None:
            raise ValueError(
                f"seeds is {shown(seeds)}, and names the runs of two arms: leave it out"
            )
        return replace(_one(_happened(first, dead, "a")), seeds=tuple(names or ()))
    second, other_names = arm(b, "b")
    if seeds is not None or (names is not None and set(names) == set(other_names or ())):
        first, second, both, _ = matched(a, b, seeds)
        paired = _mcnemar(_happened(first, dead, "a"), _happened(second, dead, "b"))
        return replace(paired, seeds=tuple(both))
    if shared := set(names or ()) & set(other_names or ()):
        raise ValueError(
            f"the arms share {len(shared)} of their seeds and not all: give both the same seeds, "
            "or none in common"
        )
    return _fisher(_happened(first, dead, "a"), _happened(second, dead, "b"))


def exact(found: Any, expected: Any = True) -> Evidence:
    """Cases in which something must come out, one by one: the claim holds without exceptions.

    It proves these cases and no others: 8 of 8 seeds say that the share is above a half. What is
    true of "every run" is to be claimed by `share`; where nothing is random, `check` is enough.

    `found` is a sequence or array, or a mapping case -> outcome; `expected` is one value for
    all, or the same kind with the same length (mapping: the same cases).

    Raises ValueError for no cases and for lengths or cases that differ.

    >>> from lrcourse.claims import exact
    >>> exact({"sgd": True, "adam": False}).effect
    1
    """
    cases = found
    if isinstance(found, Mapping) and isinstance(expected, Mapping):
        if found.keys() != expected.keys():
            raise ValueError(
                f"found and expected are about different cases: {sorted(map(str, found))} and "
                f"{sorted(map(str, expected))}"
            )
        expected = [expected[case] for case in found]
    if isinstance(found, Mapping):
        found = list(found.values())
    outcomes, wanted = _as_they_are(found), _as_they_are(expected)
    if outcomes.size == 0 or wanted.shape not in ((), outcomes.shape):
        raise ValueError(
            f"found is {shown(cases)} and expected {shown(expected)}: give at least one case, and "
            "one expected value for all or for each"
        )
    exceptions = int(np.sum(outcomes != wanted))
    point = (exceptions, exceptions)
    n = int(outcomes.size)
    return Evidence(n, "cases", "exceptions", exceptions, "exact", lambda _: point, exact=True)


def _as_they_are(values: Any) -> np.ndarray:
    """An array as it is; anything else as Python's own values: a 1 beside a text stays a number."""
    return np.asarray(values) if hasattr(values, "__array__") else np.asarray(values, dtype=object)


def _happened(values: np.ndarray, dead: Dead, which: str) -> np.ndarray:
    """Which runs it happened in."""
    if dead.stated:
        return dead(values)
    if not np.isin(values, (0, 1)).all():
        raise ValueError(
            f"{which} is {shown(values.tolist())}: give true or false per run, or say which values "
            "are those of dead runs, dead_below=0.15"
        )
    return values.astype(bool)


def _one(happened: np.ndarray) -> Evidence:
    n, count = len(happened), int(happened.sum())
    between = clopper_pearson(count, n)

    def interval(alpha: float) -> Interval:
        low, high = between(alpha)
        return float(low), float(high)

    return Evidence(
        n, "runs", "share", count / n, "Clopper-Pearson", interval, counts=(("all", count, n),)
    )


def _fisher(first: np.ndarray, second: np.ndarray) -> Evidence:
    table = [[int(np.sum(those == there)) for there in (True, False)] for those in (first, second)]
    decided = 0 < table[0][0] + table[1][0] < len(first) + len(second)

    def interval(alpha: float) -> Interval:
        if not decided:
            return 0.0, float("inf")
        found = scipy_stats().contingency.odds_ratio(table).confidence_interval(1 - alpha)
        return float(found.low), float(found.high)

    effect = float(scipy_stats().contingency.odds_ratio(table).statistic) if decided else 1.0
    counted = f"runs ({_against(first, second)})"
    n = len(first) + len(second)
    return Evidence(
        n,
        counted,
        "odds ratio",
        effect,
        "Fisher",
        interval,
        ratio=True,
        counts=_both(first, second),
    )


def _mcnemar(first: np.ndarray, second: np.ndarray) -> Evidence:
    only_a, only_b = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    differ = only_a + only_b

    def interval(alpha: float) -> Interval:
        if not differ:
            return 0.0, float("inf")
        low, high = clopper_pearson(only_a, differ)(alpha)
        return _odds(float(low)), _odds(float(high))

    effect = only_a / only_b if only_b else float("inf") if only_a else 1.0
    counted = f"seeds ({_against(first, second)}, {differ} differ)"
    return Evidence(
        len(first),
        counted,
        "odds ratio",
        effect,
        "McNemar",
        interval,
        ratio=True,
        counts=_both(first, second),
    )


def _both(first: np.ndarray, second: np.ndarray) -> tuple[tuple[str, int, int], ...]:
    return ("a", int(first.sum()), len(first)), ("b", int(second.sum()), len(second))


def _against(first: np.ndarray, second: np.ndarray) -> str:
    return f"{first.sum()} of {len(first)} against {second.sum()} of {len(second)}"


def _odds(share: float) -> float:
    return share / (1 - share) if share < 1 else float("inf")
