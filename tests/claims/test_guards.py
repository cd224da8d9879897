"""Samples that an interval would be wrong on are refused, and the way out is named."""

import numpy as np
import pytest

from lrcourse.claims import equivalent, paired, slope, spread
from lrcourse.claims.guards import farthest

NOISE = 0.003 * np.array([1, -1, 0.5, -0.5, 2, -2, 0, 1.5, -1.5, 0.2])
ALIVE = 0.9 + NOISE
ONE_DEAD = np.where(np.arange(10) == 4, 0.1, ALIVE)
OTHER = np.full(10, 0.88)
THREEFOLD = 10**0.5 * np.array([0.01, 0.1, 0.03, 0.1, 0.3, 0.1, 1.0, 0.02, 0.05, 0.7])


@pytest.mark.parametrize("function", [paired, equivalent])
def test_t_is_refused_where_one_run_decides_the_mean(function):
    with pytest.raises(
        ValueError, match=r"of 10 differences one, -0\.78, lies more than 20\.3 "
    ) as no:
        function(ONE_DEAD, OTHER)
    for way_out in ("dead_below=0.15", "dead_above=", 'method="sign"', "share(...)"):
        assert way_out in str(no.value)
    assert function(ONE_DEAD, OTHER, method="sign").effect == pytest.approx(0.01925)
    assert function(ALIVE, OTHER).test.startswith("paired t")


def test_as_many_deviations_as_allowed_are_not_too_far():
    n = 11
    values = np.linspace(-1, 1, n)  # their median absolute deviation is 0.6
    values[-1] = farthest(n) * 0.6
    assert paired(values, np.zeros(n)).n == n
    values[-1] *= 1.001
    with pytest.raises(ValueError, match="median absolute deviations"):
        paired(values, np.zeros(n))


@pytest.mark.parametrize("same", [5, 9, 10])
def test_t_is_refused_where_half_or_more_of_the_differences_tie(same):
    values = np.where(np.arange(10) < same, 0.02, np.arange(10) / 100)
    with pytest.raises(ValueError, match=rf"{same} of 10 differences are equal.*method=.sign."):
        paired(values, np.zeros(10))
    assert paired(values, np.zeros(10), method="sign").test == "sign test"


def test_ratios_of_a_grid_that_differ_by_rounding_tie():
    with pytest.raises(ValueError, match="10 of 10 differences are equal"):
        paired(THREEFOLD, THREEFOLD / 10**0.5, log=True)
    with pytest.raises(ValueError, match="6 of 6 differences are equal"):
        paired([0.2, 0.4, 0.8, 0.1, 0.2, 0.4], [0.1, 0.2, 0.4, 0.05, 0.1, 0.2], log=True)


def test_fewer_ties_than_half_are_taken():
    values = np.where(np.arange(10) < 4, 0.02, np.arange(10) / 100)
    assert paired(values, np.zeros(10)).test == "paired t"


def test_slopes_of_seeds_are_guarded_too():
    x = np.log([1.0, 2.0, 4.0])
    rows = (0.5 + NOISE)[:, None] * x
    assert slope(x, rows).test == "t of slopes"
    with pytest.raises(ValueError, match="10 of 10 slopes are equal"):
        slope(x, np.tile(0.5 * x, (10, 1)) + np.arange(10)[:, None])
    rows[3] *= 20
    with pytest.raises(ValueError, match=r"of 10 slopes one, 9\.97, lies more than"):
        slope(x, rows)
    by_median = slope(x, rows, method="sign")
    assert by_median.test == "sign test" and by_median.effect == pytest.approx(0.5, abs=0.01)
    with pytest.raises(ValueError, match="give y as"):
        slope(x, 2 * x, method="sign")


def test_a_spread_that_is_one_run_is_refused():
    with pytest.raises(ValueError, match=r"of 10 values of b one, 0\.1, lies .* that run's"):
        spread(ALIVE, ONE_DEAD)
    assert spread(ALIVE, ONE_DEAD, dead_below=0.15).effect == pytest.approx(1)
