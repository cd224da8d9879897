"""What a claim rests on: samples over seeds and fitted slopes.

Each function takes measurements and gives an `Evidence`: an effect, with its confidence interval
at any level. `lrcourse.claims` compares that interval with a margin. Counts are in
`lrcourse.claims.counts`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from lrcourse.claims import intervals
from lrcourse.claims.guards import fit_for_spread, fit_for_t
from lrcourse.claims.samples import SEED, SEEDS, Dead, columns, float_array, pair, positive
from lrcourse.support.checks import (
    COUNT,
    COUNT_FROM_1,
    FLAG,
    NUMBER,
    TEXT,
    arguments,
    check,
    each,
    function,
    one_of,
    optional,
    plain_number,
    shown,
    together,
)

Interval = tuple[float, float]


def _effect(owner: str, name: str, value: object) -> float:
    """Rule: a number, or infinity (the odds of what never happened)."""
    number = plain_number(value)
    if number is None or math.isnan(number):
        raise TypeError(f"{owner}: {name} must be a number; got {shown(value)}")
    return number


def _number(owner: str, name: str, value: object) -> float:
    """Rule: a number, NaN and infinities among them."""
    if (number := plain_number(value)) is None:
        raise TypeError(f"{owner}: {name} must hold numbers; got {shown(value)}")
    return float(number)


def _points(owner: str, name: str, value: object) -> dict[Any, float]:
    """Rule: a number for each seed."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{owner}: {name} must map each seed to a number; got {shown(value)}")
    return {SEED(owner, name, seed): _number(owner, name, value[seed]) for seed in value}


_COUNT = together("(arm, how many, of how many)", TEXT, COUNT, COUNT_FROM_1)


@dataclass(frozen=True)
class Evidence:
    """An effect and how surely it is known.

    Attributes:
        n: how many there are of what `counted` names (seeds, runs, points or cases).
        quantity: what the effect is, in a word or two: "difference", "ratio", "slope" ...
        effect: its size; what is claimed is about it.
        test: how the interval was computed, in a few words: "paired t".
        interval: gives the two-sided interval at level 1 - alpha for an alpha.
        ratio: whether the effect is a quotient: not negative, and neutral at 1.
        exact: whether it knows no chance: its effect is the number of exceptions, its interval that
            number.
        symmetric: whether a margin is meant on both sides.
        seeds: those that the arms name; none where they do not.
        points: the effect in each seed (or split and seed) alone, NaN where an arm is dead.
        counts: of each arm that is counted its name, how many, and of how many.
        values: of a median those behind it, of a ratio their logarithms; else none.

    >>> from lrcourse.claims import Evidence, judge
    >>> known = Evidence(40, "points", "slope", 0.3, "by hand", lambda alpha: (0.25, 0.35))
    >>> judge("More than a fifth", known, margin=0.2).verdict
    'holds'
    """

    n: int
    counted: str
    quantity: str
    effect: float
    test: str
    interval: Callable[[float], Interval]
    ratio: bool = False
    exact: bool = False
    symmetric: bool = False
    seeds: tuple[Any, ...] = field(default=(), compare=False)
    points: Mapping[Any, float] = field(default_factory=dict, compare=False)
    counts: tuple[tuple[str, int, int], ...] = field(default=(), compare=False)
    values: tuple[float, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        check(
            self, n=COUNT_FROM_1, counted=TEXT, quantity=TEXT, effect=_effect, test=TEXT,
            interval=function, ratio=FLAG, exact=FLAG, symmetric=FLAG, seeds=each(SEED, 0, tuple),
            points=_points, counts=each(_COUNT, 0, tuple),
        )  # fmt: skip

    @property
    def no_effect(self) -> float | None:
        """The effect that is none: 1 for a ratio, 0 for a difference; None for a share or cases."""
        if self.exact or self.quantity == "share":
            return None
        return 1.0 if self.ratio else 0.0


_DEAD = {"dead_below": optional(NUMBER), "dead_above": optional(NUMBER)}


@arguments(seeds=SEEDS, log=FLAG, method=one_of("t", "sign"), **_DEAD)
def paired(
    a: Any,
    b: Any,
    *,
    seeds: Sequence[Any] | None = None,
    log: bool = False,
    method: Literal["t", "sign"] = "t",
    dead_below: float | None = None,
    dead_above: float | None = None,
) -> Evidence:
    """Difference a - b of two arms that ran on the same seeds (`log=True`: their ratio a / b).

    An arm is one of
      - a mapping seed -> value, or a pandas Series indexed by seed;
      - a pair `(values, seeds)`, a tuple;
      - a plain sequence of values, both arms in the same order; `seeds` names them.

    `method="t"` is the paired t interval for the mean difference: exact for normal differences,
    good from some ten seeds for mildly skewed ones. `method="sign"` is that of the sign test for
    the median difference, between two order statistics: valid for any distribution, outliers
    included, but wider, and it needs 8 seeds at alpha = .01. With `log=True` both work on the
    differences of the logarithms; effect and interval are ratios. A positive quantity that is
    skewed, as a loss, is to be compared so: plain t claims too little of a lognormal difference in
    up to 9 of 100 samples, and no guard sees it in few seeds.

    **Runs that die.** One run in ten that collapses moves a mean, and 35 of 100 samples of ten hold
    none of them. So a claim says what it is about. `dead_below=0.15` (for a loss `dead_above=2.3`)
    says beforehand what a dead run is: diverged (NaN or infinite), or no better than guessing. The
    evidence is then about the seeds at which both arms live; how many were left out is printed, and
    `share` claims how many die. Without it t is refused where a difference lies so far from the
    median that one run decides the mean: beyond 7 + 80 / (n - 4) median absolute deviations, which
    refuses about one in a thousand normal samples with 6 to 120 seeds. It is also refused where
    half or more of the differences are equal, as those of rates on a grid may be.

    **What was never reached.** With `method="sign"` a value may be infinite: updates to a level
    that the run did not come to. A pair of which neither arm came there counts against the
    sentence, whatever it says.

    Raises:
        ValueError: Fewer than six seeds, or fewer than six at which both arms live; arms with
            different seeds or lengths; a seed twice; NaN or infinite values (a diverged run) that
            neither `dead_below`, `dead_above` nor `method="sign"` speaks for; with `log=True`,
            values that are not positive; differences that t is refused for.
        TypeError: An arm of another kind, or one of texts.

    >>> from lrcourse.claims import judge, paired
    >>> noise = [1, 3, 2, 5, 4, 7, 6, 0]
    >>> warm, cold = {k: 0.95 + noise[k] / 1000 for k in range(8)}, {k: 0.91 for k in range(8)}
    >>> judge("Warmup helps", paired(warm, cold), margin=0.03).verdict
    'holds'
    >>> print(judge("x", paired(warm | {3: 0.1}, cold, dead_below=0.15), margin=0.03).line())
    HOLDS | x | 8 seeds (1 dead, left out), difference +0.0433 [+0.0397, +0.0469], margin > 0.03 \
(paired t, alpha .01)
    """
    sample = pair(a, b, seeds, Dead(dead_below, dead_above), never=method == "sign")
    first, second = sample.first, sample.second
    if log:
        first, second = np.log(positive(first, "log=True")), np.log(positive(second, "log=True"))
    difference, rounding = difference_of(first, second)
    if method == "t":
        fit_for_t(difference, "differences", rounding)
        effect, interval = intervals.mean(difference), intervals.t_interval(difference)
        test = "paired t"
    else:
        reached = difference[~np.isnan(difference)]
        if not len(reached):
            raise ValueError("neither arm came there at any seed: claim that by share(...)")
        effect, interval = float(np.median(reached)), intervals.order_statistics(difference)
        test = "sign test"
    evidence = Evidence(
        sample.n, sample.counted, "difference", effect, test, interval, seeds=sample.seeds,
        points=sample.points(difference),
        values=() if method == "t" else tuple(difference.tolist()),
    )  # fmt: skip
    return as_ratio(evidence, "ratio", f"{test} on logs") if log else evidence


@arguments(seeds=SEEDS, log=FLAG, method=one_of("t", "sign"), **_DEAD)
def equivalent(
    a: Any,
    b: Any,
    *,
    seeds: Sequence[Any] | None = None,
    log: bool = False,
    method: Literal["t", "sign"] = "t",
    dead_below: float | None = None,
    dead_above: float | None = None,
) -> Evidence:
    """The same as `paired`, for a claim that two arms hardly differ.

    A margin m then means that the difference lies between -m and +m (with `log=True`, the
    ratio between 1/m and m): two one-sided tests, each at alpha/2.

    Means are blind to a run that dies now and then: that two arms do alike is two claims, this one
    of the living runs, and one of the `share` of dead runs of each arm.

    >>> from lrcourse.claims import equivalent, judge
    >>> a, b = [0.91, 0.92, 0.9, 0.93, 0.9, 0.94], [0.92, 0.91, 0.9, 0.92, 0.88, 0.91]
    >>> judge("They end alike, within 0.05", equivalent(a, b), margin=0.05).verdict
    'holds'
    """
    evidence = paired(
        a, b, seeds=seeds, log=log, method=method, dead_below=dead_below, dead_above=dead_above
    )
    return replace(evidence, symmetric=True, test=f"{evidence.test}, equivalence")


@arguments(seeds=SEEDS, **_DEAD)
def spread(
    a: Any,
    b: Any,
    *,
    seeds: Sequence[Any] | None = None,
    dead_below: float | None = None,
    dead_above: float | None = None,
) -> Evidence:
    """Ratio of the spread of arm a over seeds to that of arm b, arms given as for `paired`.

    Spread is the mean absolute deviation from the median, in the values' unit. The interval is
    that of Bonett and Seier (2003, Journal of Educational and Behavioral Statistics 28) for
    paired samples: normal on the log ratio, with the variance estimated from the data, and here
    with Student's quantile (n - 1 degrees of freedom) instead of the normal one.

    Why this one: accuracies over seeds have heavy tails. In simulations of 20,000 data sets with
    6, 10 and 20 seeds, correlated or not, at alpha = .01, a false verdict on one side came up in
    at most 0.5 % for normal, 0.7 % for Student-t(5), and 1.4 % for exponential and lognormal
    samples. The classical Pitman-Morgan interval is shorter but reaches 4 % for t(5) and 10 % for
    lognormal samples, a jackknife of the log standard deviations 3 %.

    Where runs die now and then the spread is theirs: an arm with a value as far off as `paired`
    refuses is refused here too. `dead_below` and `dead_above` leave dead runs out, as there.

    Raises ValueError as `paired` does, and for an arm whose values are all equal.

    >>> from lrcourse.claims import spread
    >>> round(spread([0.8, 0.9, 1.0, 0.8, 0.9, 1.0], [0.88, 0.9, 0.92, 0.88, 0.9, 0.92]).effect, 6)
    5.0
    """
    sample = pair(a, b, seeds, Dead(dead_below, dead_above))
    for values, which in ((sample.first, "a"), (sample.second, "b")):
        if not np.ptp(values):
            raise ValueError(
                f"all {len(values)} values of {which} equal {values[0]:g}: a ratio of spreads "
                "has no meaning there; claim it with exact(...)"
            )
        fit_for_spread(values, which)
    centre, interval = intervals.bonett_seier(sample.first, sample.second)
    name = "Bonett-Seier, paired"
    evidence = Evidence(
        sample.n, sample.counted, "", float(centre), name, interval, seeds=sample.seeds
    )
    return as_ratio(evidence, "spread ratio", name)


@arguments(method=one_of("t", "sign"))
def slope(x: Any, y: Any, *, method: Literal["t", "sign"] = "t") -> Evidence:
    """Slope of the least-squares line of y on x; give both as logarithms for a power law.

    y is one of
      - values at the points x, shape (points,): Student's interval of the regression, for
        errors that are independent from point to point. n counts points, three at least.
      - one row of values per seed, shape (seeds, points), or a mapping seed -> row: one slope
        is fitted per seed, and the t interval is that of their mean (`method="sign"`: that of
        their median, as in `paired`). Right whenever a seed disturbs all its points together. n
        counts seeds, six at least.

    Neither interval knows whether the relation is a straight line: draw it first.

    Raises:
        ValueError: Shapes that do not fit; fewer than three points or six seeds; x all equal; NaN
            or infinite values; slopes of seeds that t is refused for, as in `paired`; the sign
            test without seeds.

    >>> from lrcourse.claims import slope
    >>> round(slope([1, 2, 3, 4], [2.1, 3.9, 6.1, 8.0]).effect, 2)
    1.99
    """
    at = float_array(x, "x")
    rows, seeded = columns(y)
    seeds = tuple(y) if isinstance(y, Mapping) else ()
    if at.ndim != 1 or rows.shape[-1] != len(at):
        raise ValueError(
            f"x is {shown(x)} and y {shown(y)}, of shapes {at.shape} and {rows.shape}: give x as "
            "(points,) and y as (points,) or (seeds, points)"
        )
    if len(at) < 3 or np.ptp(at) == 0:
        raise ValueError(f"a slope needs three points at different x, not {at.tolist()}")
    centred = at - at.mean()
    slopes = rows @ centred / (centred @ centred)
    points = dict(zip(seeds or range(len(rows)), slopes.tolist(), strict=True)) if seeded else {}
    if seeded and method == "sign":
        interval = intervals.order_statistics(slopes)
        return Evidence(
            len(rows), "seeds", "slope", float(np.median(slopes)), "sign test", interval,
            seeds=seeds, points=points, values=tuple(slopes.tolist()),
        )  # fmt: skip
    if seeded:
        rounding = 8 * np.finfo(float).eps * np.abs(rows).max() * np.abs(centred).sum()
        fit_for_t(slopes, "slopes", rounding / float(centred @ centred))
        mean, interval = intervals.mean(slopes), intervals.t_interval(slopes)
        return Evidence(
            len(rows), "seeds", "slope", mean, "t of slopes", interval, seeds=seeds, points=points
        )
    if method == "sign":
        raise ValueError('method="sign" takes the median over seeds: give y as (seeds, points)')
    effect = float(slopes)
    residual = rows - rows.mean() - effect * centred
    freedom = len(at) - 2
    error = math.sqrt(float(residual @ residual) / freedom / float(centred @ centred))
    interval = intervals.student(effect, error, freedom)
    return Evidence(len(at), "points", "slope", effect, "least squares", interval)


def as_ratio(evidence: Evidence, quantity: str, test: str) -> Evidence:
    """Evidence on logarithms as that on the ratio."""

    def interval(alpha: float) -> Interval:
        low, high = evidence.interval(alpha)
        return float(np.exp(low)), float(np.exp(high))

    effect = math.exp(evidence.effect)
    with np.errstate(over="ignore"):
        points = {name: float(np.exp(value)) for name, value in evidence.points.items()}
    return replace(
        evidence, quantity=quantity, effect=effect, test=test, interval=interval, ratio=True,
        points=points,
    )  # fmt: skip


def difference_of(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """first - second, 0 where they differ by rounding alone, and the rounding of each.

    NaN where neither arm got anywhere.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        difference = first - second
    if np.isinf(difference[np.isfinite(first) & np.isfinite(second)]).any():
        raise ValueError("the arms lie too far apart to compute with: look at their values")
    size = np.maximum(np.abs(first), np.abs(second))
    rounding = 4 * np.finfo(float).eps * np.where(np.isfinite(size), size, 0.0)
    return np.where(np.abs(difference) <= rounding, 0.0, difference), rounding
