"""Counts as evidence: shares, two arms against each other, and what is no claim."""

import math

import numpy as np
import pytest
from scipy import stats

from lrcourse.claims import ClaimError, check, claim, judge, made, page, share

ACCURACY = np.array([0.9, 0.1, 0.88, 0.91, math.nan, 0.9, 0.92, 0.1, 0.9, 0.89])


@pytest.fixture(autouse=True)
def fresh():
    with page():
        yield


def bounds(evidence, alpha=0.01):
    return evidence.interval(alpha)


def by_seed(happened, first=0):
    return {first + k: bool(value) for k, value in enumerate(happened)}


@pytest.mark.parametrize(("count", "n"), [(0, 10), (3, 10), (10, 10), (24, 24), (1, 1)])
def test_a_share_has_the_interval_of_clopper_and_pearson(count, n):
    evidence = share([True] * count + [False] * (n - count))
    reference = stats.binomtest(count, n).proportion_ci(0.99, method="exact")
    assert bounds(evidence) == pytest.approx((reference.low, reference.high))
    assert (evidence.n, evidence.effect) == (n, count / n)


def test_every_run_needs_24_of_24_for_four_fifths():
    assert judge("x", share([True] * 24), margin=0.8).verdict == "holds"
    assert judge("x", share([True] * 23), margin=0.8).verdict == "undecided"
    line = judge("Every run trains", share([True] * 24), margin=0.8).line()
    assert line == (
        "HOLDS | Every run trains | 24 runs, share 24 of 24 [0.802, 1.00], margin > 0.8 "
        "(Clopper-Pearson, alpha .01)"
    )


def test_the_dead_are_counted():
    evidence = share(dict(enumerate(ACCURACY)), dead_below=0.15)
    assert (evidence.n, evidence.effect) == (10, 0.3)
    assert share([2.4, 0.3, math.inf, 0.2], dead_above=2.3).effect == 0.5
    assert "share 0 of 10 [0.00, 0.411]" in judge("x", share([False] * 10), below=0.5).line()


def test_a_share_counts_in_alpha(capsys):
    claim("They die", share([True] * 30), margin=0.8)
    with pytest.raises(ValueError, match="0 and 1"):
        judge("x", share([True] * 30), margin=80)
    assert [one.exact for one in made()] == [False] and "HOLDS" in capsys.readouterr().out


def test_two_arms_on_the_same_seeds_are_mcnemars():
    a = np.array([1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1])
    b = np.array([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1])
    evidence = share(by_seed(a), by_seed(b))
    assert (evidence.test, evidence.effect) == ("McNemar", 8)
    assert evidence.counted == "seeds (10 of 12 against 3 of 12, 9 differ)"
    p = stats.binomtest(8, 9).pvalue
    assert bounds(evidence, p * 1.001)[0] > 1 > bounds(evidence, p * 0.999)[0]
    assert share(a, b, seeds=range(12)).effect == 8
    turned = dict(reversed(by_seed(b).items()))
    assert share(by_seed(a), turned).effect == 8
    never = share(by_seed([0] * 8), by_seed([0] * 8))
    assert bounds(never) == (0, math.inf) and judge("x", never, margin=1).verdict == "undecided"


def test_two_arms_on_other_seeds_are_fishers():
    a, b = [True] * 7 + [False] * 5, [False] * 12
    evidence = share(by_seed(a), by_seed(b, first=100))
    assert (evidence.test, evidence.n, evidence.effect) == ("Fisher", 24, math.inf)
    assert evidence.counted == "runs (7 of 12 against 0 of 12)"
    p = stats.fisher_exact([[7, 5], [0, 12]]).pvalue
    low = bounds(evidence, p * 1.01)[0]
    assert low > 1 > bounds(evidence, p * 0.99)[0]
    assert bounds(share(a, b), 0.01) == bounds(evidence, 0.01)
    assert bounds(share([False] * 6, [False] * 7)) == (0, math.inf)


@pytest.mark.parametrize(
    ("a", "b", "stated", "message"),
    [
        ([], None, {}, "0 seeds"),
        ([0.9, 0.1], None, {}, "true or false per run"),
        (["True"], None, {}, "texts"),
        ([0.9], None, {"dead_below": 0.1, "dead_above": 2}, "give one of them"),
        ([True], None, {"seeds": [1]}, "leave it out"),
        (by_seed([1, 0, 1]), by_seed([1, 0, 1], first=2), {}, "share 1 of their seeds"),
    ],
)
def test_counts_that_cannot_be(a, b, stated, message):
    with pytest.raises(ValueError, match=message):
        share(a, b, **stated)


def test_what_is_not_random_is_checked_and_is_no_claim(capsys):
    check("Two and two are four", {"a": 4, "b": 4}, 4)
    assert capsys.readouterr().out == "CHECK | Two and two are four | 2 cases, exceptions 0\n"
    assert made() == []
    with pytest.raises(ClaimError, match="1 of 2 cases are otherwise: So it is"):
        check("So it is", [True, False])
    assert capsys.readouterr().out == "CHECK | So it is | 2 cases, exceptions 1\n"
    with pytest.raises(ValueError, match="at least one case"):
        check("Nothing", [])
    with pytest.raises(ValueError, match="in words, on one line"):
        check("", True)
