"""Searches over rates whose values are known, and the chances of random search."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrcourse.study import searches

RATES = [10 ** (k / 8 - 3) for k in range(25)]


def asked(values):
    calls = []

    def value(lr):
        calls.append(lr)
        return values[RATES.index(lr)]

    return value, calls


@given(st.integers(0, 24), st.floats(0.1, 5), st.floats(0.1, 5))
def test_narrowing_finds_the_bottom_of_a_valley(bottom, left, right):
    values = [(left if k < bottom else right) * abs(k - bottom) for k in range(25)]
    value, calls = asked(values)
    found = searches.narrowing(value, RATES)
    # two valley sides of different slope may hide the bottom from the coarse grid, not for long
    assert found.lr == RATES[bottom] or found.value <= max(left, right) * 3
    assert len(calls) == len(set(calls)) == found.cost <= 11


@given(st.integers(0, 24))
def test_narrowing_is_exact_where_both_sides_are_alike(bottom):
    value, _ = asked([abs(k - bottom) for k in range(25)])
    assert searches.narrowing(value, RATES).lr == RATES[bottom]


def test_narrowing_by_hand():
    value, calls = asked([abs(k - 8) for k in range(25)])
    searches.narrowing(value, RATES)
    places = [RATES.index(lr) for lr in calls]
    # a grid of five, then distances 3 and 1 around the best so far
    assert places == [0, 6, 12, 18, 24, 3, 9, 8, 10]


def test_narrowing_halves_the_distance_down_to_one():
    rates, calls = RATES[:17], []
    searches.narrowing(lambda lr: calls.append(lr) or abs(rates.index(lr) - 7), rates, first=3)
    assert [rates.index(lr) for lr in calls] == [0, 8, 16, 4, 12, 6, 10, 7, 9]


@pytest.mark.parametrize("best", range(17))
def test_narrowing_finds_one_minimum_wherever_it_is_if_every_fourth_rate_comes_first(best):
    steep = {-1: 1.0, 1: 7.0}  # sides of unequal slope: the nearer coarse rate may be the worse
    value, _ = asked([abs(k - best) * steep[1 if k > best else -1] for k in range(17)])
    assert searches.narrowing(value, RATES[:17], first=5).lr == RATES[best]


def test_narrowing_may_miss_by_a_place_from_every_sixth_rate():
    value, _ = asked([(14 - k) if k < 14 else 9 * (k - 14) for k in range(25)])
    found = searches.narrowing(value, RATES, first=5)
    assert found.lr == RATES[13]  # 12 beats 15, and then 11 and 13 are asked, 14 is not


def test_a_grid_tries_all_and_takes_the_lowest():
    value, calls = asked([(k - 7.2) ** 2 for k in range(25)])
    found = searches.on_grid(value, RATES[::2])
    assert calls == RATES[::2] and found.cost == 13
    assert found.lr == RATES[8] and found.value == pytest.approx(0.64)


def test_a_diverged_trial_is_the_worst():
    values = [math.nan] * 24 + [5.0]
    found = searches.on_grid(asked(values)[0], RATES)
    assert found.lr == RATES[24] and found.value == 5.0


def test_random_trials_are_different_rates_and_repeat_with_their_seed():
    value, calls = asked(list(range(25)))
    first = searches.at_random(value, RATES, 9, seed=4)
    assert len(set(calls)) == 9 and set(calls) <= set(RATES)
    assert searches.at_random(value, RATES, 9, seed=4) == first
    assert searches.at_random(value, RATES, 9, seed=5) != first
    assert set(searches.at_random(value, RATES, 25, seed=0).trials) == set(
        zip(RATES, range(25), strict=True)
    )


def test_random_trials_find_the_best_as_often_as_they_should():
    value, _ = asked(list(range(25)))
    hits = sum(searches.at_random(value, RATES, 5, seed=k).lr == RATES[0] for k in range(2000))
    assert abs(hits / 2000 - 5 / 25) < 4 * (0.2 * 0.8 / 2000) ** 0.5


@pytest.mark.parametrize(
    "call",
    [
        lambda v: searches.on_grid(v, []),
        lambda v: searches.at_random(v, RATES, 0, seed=0),
        lambda v: searches.at_random(v, RATES, 26, seed=0),
        lambda v: searches.narrowing(v, RATES, first=2),
        lambda v: searches.narrowing(v, RATES[:4], first=5),
    ],
)
def test_refuses_what_cannot_be_meant(call):
    with pytest.raises(
        ValueError, match=r"rates must have 1 or more|(trials|first) must be a whole number"
    ):
        call(lambda lr: lr)
