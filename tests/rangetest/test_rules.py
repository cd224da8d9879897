"""The rules on curves whose answers are known."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcourse.rangetest import rules

LR = np.geomspace(1e-5, 10, 121)
STEP = LR[1] / LR[0]


def bowl(lowest=0.1, width=1.0, top=2.3, bottom=0.3):
    """Flat, a smooth fall of ``width`` decades around a tenth of ``lowest``, then a steep rise."""
    x = np.log10(LR / lowest)
    fall = top - (top - bottom) / (1 + np.exp(-(x + 1) * 6 / width))
    return fall + 3 * np.maximum(x, 0) ** 2


def near(lr, expected, steps=1.5):
    return abs(math.log(lr / expected)) <= steps * math.log(STEP)


def test_each_rule_on_a_smooth_bowl():
    loss = bowl()
    assert near(rules.steepest(LR, loss), 0.01)
    lowest = LR[np.argmin(loss)]
    assert rules.minimum_10(LR, loss) == pytest.approx(lowest / 10)
    assert rules.max_lr_loss(LR, loss) == lowest
    fallen = 2.3 - 0.1 * (2.3 - loss.min())
    first = rules.base_lr_loss(LR, loss)
    k = int(np.flatnonzero(first == LR)[0])
    assert loss[k] < fallen <= loss[k - 1] + 1e-3
    assert near(rules.valley(LR, loss), math.sqrt(first * lowest), 2)
    accuracy = 1 - loss / 2.3
    assert rules.base_lr_accuracy(LR, accuracy) == first
    off = rules.max_lr_levels_off(LR, accuracy)
    assert first < off < lowest
    begin = rules.level(accuracy)
    k = int(np.flatnonzero(off == LR)[0])
    assert accuracy[k - 1] < begin + 0.9 * (accuracy.max() - begin) <= accuracy[k]


def test_the_slope_is_taken_in_log_lr():
    """d loss / d lr would be steepest where the rates are lowest."""
    loss = -np.log(LR / LR[0]) - 5 / (1 + np.exp(-8 * np.log10(LR / 0.1)))
    assert near(rules.steepest(LR[:-20], loss[:-20]), 0.1)
    assert np.argmin(np.gradient(loss, LR)) < 3


def test_valley_does_not_depend_on_where_the_sweep_starts():
    loss = bowl()
    late = LR > 1e-3
    assert near(rules.valley(LR[late], loss[late]), rules.valley(LR, loss), 4)


def test_wiggles_outside_the_fall_do_not_count():
    """A long slow descent after the rise is longer than the fall, but not what is asked for."""
    loss = bowl()
    after = LR > 1
    loss[after] = np.linspace(9, 8, after.sum())
    assert rules.valley(LR, loss) == rules.valley(LR, bowl())
    loss = bowl()
    loss[30] = 5.0  # one bump before it
    assert near(rules.steepest(LR, loss), 0.01)


def test_noise_is_that_of_single_values():
    random = np.random.default_rng(0)
    trend = np.linspace(5, 0, 2000) ** 2
    assert rules.noise(trend + random.normal(0, 0.3, 2000)) == pytest.approx(0.3, rel=0.1)
    assert rules.noise(np.array([1.0])) == 0.0


def test_no_fall_no_rate():
    rising, flat = np.linspace(1, 5, len(LR)), np.ones(len(LR))
    for loss in (rising, flat):
        for rule in (rules.steepest, rules.valley, rules.minimum_10, rules.base_lr_loss):
            assert rule(LR, loss) is None
        assert rules.max_lr_loss(LR, loss) is None
        assert rules.max_lr_levels_off(LR, -loss) is None
    falling = rising[::-1]
    assert rules.max_lr_loss(LR, falling) is None  # it never turned up
    assert rules.max_lr_levels_off(LR, -falling) is None
    assert rules.steepest(LR, falling) is not None


def test_accuracy_turns_ragged():
    random = np.random.default_rng(0)
    rise = 0.9 / (1 + np.exp(-8 * np.log10(LR / 1e-2))) + 0.1
    noise = random.normal(0, 0.01, len(LR))
    calm = rise + noise
    from_here = 90
    wild = calm.copy()
    wild[from_here:] += random.normal(0, 0.1, len(LR) - from_here)
    wild[-1] = 0.0  # not the highest at the end
    even = rules.smoothed(wild, 0.6)
    found = rules.max_lr_ragged(LR, even, wild)
    assert LR[from_here] <= found <= LR[from_here + 8]
    calm[-1] = calm.max() - 0.02
    assert rules.max_lr_ragged(LR, rules.smoothed(calm, 0.6), calm) is None


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-5, 5), min_size=3, max_size=40),
    st.floats(0.01, 100),
    st.floats(-3, 3),
    st.floats(0.01, 100),
)
def test_rules_do_not_depend_on_units(values, scale, shift, unit):
    """Another unit of the loss, or of the rate, leaves the place on the curve."""
    loss = np.round(np.array(values), 2)
    lr = np.geomspace(1e-3, 1, len(loss))
    for rule in (rules.minimum_10, rules.max_lr_loss):
        before = rule(lr, loss)
        after = rule(unit * lr, 2.0 ** round(scale % 5) * loss)
        assert (before is None) == (after is None)
        if before is not None:
            assert after == pytest.approx(unit * before)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 12), max_size=14))
def test_the_longest_fall_is_the_longest(values):
    found = rules.longest_fall(np.array(values, float))
    assert all(i < j and values[i] > values[j] for i, j in itertools.pairwise(found))
    best = [1] * len(values)  # the quadratic way
    for i in range(len(values)):
        best[i] = 1 + max((best[j] for j in range(i) if values[j] > values[i]), default=0)
    assert len(found) == max(best, default=0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=1, max_size=30), st.floats(0, 0.99))
def test_smoothing_is_the_formula(values, b):
    x = np.array(values)
    t = np.arange(len(x))
    weights = b ** np.abs(t[:, None] - t[None, :])
    np.testing.assert_allclose(
        rules.smoothed(x, b), weights @ x / weights.sum(1), rtol=1e-9, atol=1e-9
    )


def test_smoothing_neither_lags_nor_is_biased():
    np.testing.assert_allclose(rules.smoothed(np.full(50, 3.7), 0.9), 3.7)
    x = np.exp(-((np.arange(101) - 50) ** 2) / 50)
    assert np.argmax(rules.smoothed(x, 0.9)) == 50


@pytest.mark.parametrize("b", [0.0, 0.5, 0.9])
def test_the_watch_stops_at_k_times_the_best(b):
    losses = [2.0, 1.0, 0.5, 0.5, 1.9, 2.1, 5.0, 50.0]
    watch = rules.DivergenceWatch(4.0, b)
    smooth, best, expected = [], math.inf, None
    for t in range(len(losses)):
        weights = b ** np.arange(t, -1, -1.0)
        smooth.append(float(weights @ losses[: t + 1] / weights.sum()))
        if smooth[-1] > 4 * best:
            expected = t
            break
        best = min(best, smooth[-1])
    said = [watch.add(loss) for loss in losses[: len(smooth)]]
    assert expected is not None
    assert said == [None] * expected + ["rose"]


def test_the_watch_and_losses_that_are_no_numbers():
    for loss, why in ((math.nan, "NaN"), (math.inf, "infinite"), (-math.inf, "infinite")):
        watch = rules.DivergenceWatch(4.0, 0.5)
        assert watch.add(1.0) is None
        assert watch.add(loss) == why


@pytest.mark.parametrize(
    "losses",
    [
        [-1.0, -2.0, -3.0, -2.5, -2.0, -1.0, 0.0, 1.0],  # k * best would be -12: at once
        [1.0, 0.1, -0.01, 0.01, 0.2, 0.5, 1.0],  # k * best would be about 0
        [0.0, 0.0, 0.0],
    ],
)
def test_negative_losses_do_not_trip_the_watch(losses):
    watch = rules.DivergenceWatch(4.0, 0.0)
    assert [watch.add(loss) for loss in losses] == [None] * len(losses)
    scale = max(abs(min(losses)), abs(losses[0]), 1e-3)
    assert watch.add(min(losses) + 3.01 * scale) == "rose"


def test_the_ceiling_keeps_the_beginning():
    loss = np.array([2.3, 2.0, 1.0, 0.1, 0.1, 0.3, 90.0])
    assert rules.ceiling(loss, 4.0, 0.0) == 2.3
    assert rules.ceiling(np.array([2.3, 2.0, 90.0]), 4.0, 0.0) == pytest.approx(2.6)


def test_an_explosion_does_not_move_the_place_where_the_loss_turns_up():
    """A loss that falls until 0.5, with and without values of 500 from 0.8 on."""
    lr = np.geomspace(1e-4, 10, 100)
    loss = 2.3 - 0.3 * np.clip(np.log(lr / 0.01) / np.log(50), 0, 1) ** 2
    loss += np.where(lr > 0.5, np.log(lr / 0.5), 0)
    wild = np.where(lr > 0.8, 500.0, loss)
    turns = [
        rules.max_lr_loss(lr, rules.smoothed(np.minimum(one, rules.ceiling(one, 4, 0.8)), 0.8))
        for one in (loss, wild)
    ]
    assert turns[0] / turns[1] < 1.6 and 0.25 < turns[1] < 0.8
