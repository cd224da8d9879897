"""Evidence from measurements over seeds: differences and ratios of two arms, spreads, slopes.

Values that an interval is wrong on, or cannot be computed from, are refused: by a ValueError, or in
a notebook by an `Evidence` that is `unfit`, so that the page decides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from lrcourse.claims import intervals
from lrcourse.claims.evidence import Evidence, as_ratio, refused
from lrcourse.claims.guards import fit_for_spread, fit_for_t
from lrcourse.claims.samples import (
    SEEDS,
    Dead,
    Pair,
    Unfit,
    columns,
    float_array,
    matched,
    pair,
    positive,
)
from lrcourse.support.checks import FLAG, NUMBER, arguments, one_of, optional, shown

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
    dead, test = Dead(dead_below, dead_above), _TEST[method]
    try:
        evidence = _compared(pair(a, b, seeds, dead, never=method == "sign"), log, test)
    except Unfit as problem:
        names = matched(a, b, seeds)[2]
        evidence = refused(problem, "seeds", names, quantity="difference", test=test)
    return as_ratio(evidence, "ratio", f"{test} on logs") if log else evidence


_TEST = {"t": "paired t", "sign": "sign test"}


def _compared(sample: Pair, log: bool, test: str) -> Evidence:
    """The difference, or that of the logarithms; Unfit where no interval of it is right."""
    first, second = sample.first, sample.second
    if log:
        first, second = np.log(positive(first, "log=True")), np.log(positive(second, "log=True"))
    difference, rounding = difference_of(first, second)
    values: tuple[float, ...] = ()
    if test == _TEST["t"]:
        fit_for_t(difference, "differences", rounding)
        effect, interval = intervals.mean(difference), intervals.t_interval(difference)
    else:
        reached = difference[~np.isnan(difference)]
        if not len(reached):
            raise Unfit("neither arm came there at any seed: claim that by share(...)")
        effect, interval = float(np.median(reached)), intervals.order_statistics(difference)
        values = tuple(difference.tolist())
    return Evidence(
        sample.n, sample.counted, "difference", effect, test, interval, seeds=sample.seeds,
        points=sample.points(difference), values=values,
    )  # fmt: skip


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
    name, quantity = "Bonett-Seier, paired", "spread ratio"
    try:
        sample = pair(a, b, seeds, Dead(dead_below, dead_above))
        fit_for_spread(sample.first, "a")
        fit_for_spread(sample.second, "b")
    except Unfit as problem:
        names = matched(a, b, seeds)[2]
        return refused(problem, "seeds", names, quantity=quantity, test=name, ratio=True)
    centre, interval = intervals.bonett_seier(sample.first, sample.second)
    evidence = Evidence(
        sample.n, sample.counted, "", float(centre), name, interval, seeds=sample.seeds
    )
    return as_ratio(evidence, quantity, name)


_LINE = "points", "least squares"


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
    test = "t of slopes" if method == "t" else _TEST[method]
    try:
        rows, seeded = columns(y)
    except Unfit as problem:
        if not isinstance(y, Mapping) and np.ndim(y) not in (1, 2):
            raise
        told = ("seeds", test) if isinstance(y, Mapping) or np.ndim(y) == 2 else _LINE
        return refused(problem, told[0], list(y), quantity="slope", test=told[1])
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
            len(rows), "seeds", "slope", float(np.median(slopes)), test, interval,
            seeds=seeds, points=points, values=tuple(slopes.tolist()),
        )  # fmt: skip
    if seeded:
        rounding = 8 * np.finfo(float).eps * np.abs(rows).max() * np.abs(centred).sum()
        try:
            fit_for_t(slopes, "slopes", rounding / float(centred @ centred))
        except Unfit as problem:
            return refused(problem, "seeds", list(rows), quantity="slope", test=test)
        mean, interval = intervals.mean(slopes), intervals.t_interval(slopes)
        return Evidence(
            len(rows), "seeds", "slope", mean, test, interval, seeds=seeds, points=points
        )
    if method == "sign":
        raise ValueError('method="sign" takes the median over seeds: give y as (seeds, points)')
    effect = float(slopes)
    residual = rows - rows.mean() - effect * centred
    freedom = len(at) - 2
    error = math.sqrt(float(residual @ residual) / freedom / float(centred @ centred))
    interval = intervals.student(effect, error, freedom)
    counted, test = _LINE
    return Evidence(len(at), counted, "slope", effect, test, interval)


def difference_of(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """first - second, 0 where they differ by rounding alone, and the rounding of each.

    NaN where neither arm got anywhere.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        difference = first - second
    if np.isinf(difference[np.isfinite(first) & np.isfinite(second)]).any():
        raise Unfit("the arms lie too far apart to compute with: look at their values")
    size = np.maximum(np.abs(first), np.abs(second))
    rounding = 4 * np.finfo(float).eps * np.where(np.isfinite(size), size, 0.0)
    return np.where(np.abs(difference) <= rounding, 0.0, difference), rounding
