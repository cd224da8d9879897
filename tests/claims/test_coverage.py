"""How often a verdict is wrong, by simulation."""

import math

import numpy as np
import pytest

from lrcourse.claims import equivalent, judge, paired, slope, spread


def verdict(evidence_, **stated):
    return judge("A sentence", evidence_, **stated).verdict


def verdict_on(evidence_of, rng, **stated):
    """The verdict on a sample that is drawn here; "refused" where the evidence takes none."""
    try:
        evidence_ = evidence_of(rng)
    except ValueError:
        return "refused"
    return verdict(evidence_, **stated)


def false_holds(evidence_of, *, repeats=2000, **stated):
    rng = np.random.default_rng(2024)
    found = [verdict_on(evidence_of, rng, **stated) for _ in range(repeats)]
    return found.count("holds") / repeats


# Each side may err in alpha/2 = .005 of the data sets. A share of 2000 exceeds .0095 by chance
# once in 300 times; the generator is fixed, so that a test does so always or never.
AT_MOST = 0.0095


def test_a_true_effect_at_the_margin_rarely_holds():
    def normal(rng):
        a = rng.normal(0.9, 0.02, 10)
        return paired(a + rng.normal(0.01, 0.005, 10), a)

    assert 0.001 < false_holds(normal, margin=0.01) <= AT_MOST


def test_a_true_difference_at_the_edge_is_rarely_called_equivalent():
    def normal(rng):
        return equivalent(rng.normal(0.01, 0.002, 10), np.zeros(10))

    assert false_holds(normal, margin=0.01) <= AT_MOST


def test_the_sign_test_stands_skew_and_outliers_where_t_does_not():
    def skewed(method):
        return lambda rng: paired(-rng.lognormal(0, 1.5, 10), np.zeros(10), method=method)

    median, mean = -1.0, -math.exp(1.5**2 / 2)
    assert false_holds(skewed("sign"), margin=median) <= AT_MOST
    assert false_holds(skewed("t"), margin=mean) > 0.05


@pytest.mark.parametrize(
    ("draw", "at_most"),
    [
        (lambda rng, size: rng.standard_normal(size), AT_MOST),
        (lambda rng, size: rng.standard_t(5, size), AT_MOST),
        (lambda rng, size: rng.exponential(size=size), 0.02),
    ],
    ids=["normal", "t5", "exponential"],
)
def test_equal_spreads_rarely_hold(draw, at_most):
    def arms(rng):
        common = draw(rng, 10)
        return spread(common + draw(rng, 10), common + draw(rng, 10))

    assert false_holds(arms, margin=1.0) <= at_most


def test_a_spread_three_times_as_large_is_seen():
    rng = np.random.default_rng(3)

    def arms(rng):
        return spread(6 * rng.standard_normal(20), rng.standard_normal(20))

    found = [verdict_on(arms, rng, margin=1) for _ in range(300)]
    assert found.count("holds") > 270 and found.count("fails") == 0


def test_clear_effects_are_found_and_small_ones_left_open():
    rng = np.random.default_rng(4)

    def arms(rng):
        return paired(rng.normal(0.02, 0.005, 10), np.zeros(10))

    assert [verdict_on(arms, rng, margin=0.005) for _ in range(200)].count("holds") > 195
    assert [verdict_on(arms, rng, margin=0.02) for _ in range(200)].count("undecided") > 190


def test_slope_covers_its_true_value():
    rng, x = np.random.default_rng(5), np.log(np.geomspace(0.001, 1, 13))
    inside = 0
    for _ in range(1000):
        made = judge("x", slope(x, 2 + 0.5 * x + rng.normal(0, 0.3, 13)), margin=0)
        inside += made.low <= 0.5 <= made.high
    assert 0.98 <= inside / 1000 <= 0.998
