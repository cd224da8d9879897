"""Claims of generality: two arms on several splits of the data, some seeds on each."""

import math

import numpy as np
import pytest
from helpers import calibration_splits as simulated
from helpers.calibration import AT_MOST

from lrcourse.claims import judge, over_splits, share

REPEATS = 4000


def arms(splits=6, seeds=8, sd=1.0, of_splits=1.0, effect=0.0, draw=None):
    rng = np.random.default_rng(3)
    draw = draw or (lambda size: rng.normal(size=size))
    values = effect + of_splits * rng.normal(size=(splits, 1)) + sd * draw((splits, seeds))
    names = [(k, 50 + seed) for k in range(splits) for seed in range(seeds)]
    first = dict(zip(names, values.ravel().tolist(), strict=True))
    return first, dict.fromkeys(names, 0.0)


def table(first):
    return np.array(list(first.values())).reshape(-1, 8)


def test_splits_are_what_is_independent():
    first, second = arms()
    found, means = over_splits(first, second), table(first).mean(axis=1)
    assert (found.n, found.effect) == (6, pytest.approx(means.mean()))
    half = 4.0321 * means.std(ddof=1) / math.sqrt(6)
    assert found.interval(0.01) == pytest.approx((means.mean() - half, means.mean() + half), 1e-4)


@pytest.mark.parametrize("of", ["mean", "median", "interquartile mean"])
def test_each_split_is_summed_up_in_one_number(of):
    first, second = arms()
    summed = simulated.SUMS[of](table(first))
    assert over_splits(first, second, of=of).effect == pytest.approx(summed.mean())
    eight = arms(splits=8)
    found = over_splits(*eight, of=of, method="sign")
    summed = np.sort(simulated.SUMS[of](table(eight[0])))
    assert found.effect == pytest.approx(np.median(summed))
    assert found.interval(0.01) == pytest.approx((summed[0], summed[-1]))


def test_the_order_of_the_runs_plays_no_part():
    first, second = arms()
    shuffled = dict(sorted(first.items(), key=lambda item: item[1]))
    assert over_splits(shuffled, second).interval(0.01) == pytest.approx(
        over_splits(first, second).interval(0.01)
    )


def test_the_line_tells_pairs_and_interquartile_mean():
    first, second = arms(effect=3)
    above = sum(value > 0 for value in first.values())
    middle = np.sort(list(first.values()))[12:36].mean()
    line = judge("x", over_splits(first, second), margin=0.1).line()
    told = f"6 splits (a above b in {above} of 48 pairs; interquartile mean {middle:+.3g})"
    assert told in line and "(t of the splits' means, alpha .01)" in line


def test_the_table_tells_which_splits_and_which_seeds():
    first, second = arms()
    told = judge("x", over_splits(first, second), margin=0).to_dict()["seeds"]
    assert told == "splits 0-5, seeds 50-57"
    del first[5, 57], second[5, 57]
    told = judge("x", over_splits(first, second), margin=0).to_dict()["seeds"]
    assert told.startswith("(0, 50), (0, 51)") and told.endswith("(5, 56)")


def test_logarithms_give_a_ratio():
    first, second = arms(effect=1)
    up = {name: math.exp(value) for name, value in first.items()}
    found = over_splits(up, {name: 1.0 for name in second}, log=True)
    assert found.ratio
    assert math.log(found.effect) == pytest.approx(over_splits(first, second).effect)


def test_dead_runs_are_left_out_and_told():
    first, second = arms(sd=0.01, of_splits=0.01, effect=0.9)
    second = dict.fromkeys(second, 0.88)
    died = first | {(0, 50): 0.1, (3, 51): math.nan}
    found = over_splits(died, second, dead_below=0.15)
    assert "46 pairs, 2 dead and left out" in found.counted
    assert math.isnan(found.points[0, 50]) and found.points[0, 51] == first[0, 51] - 0.88
    with pytest.raises(ValueError, match="split 0 has 3 pairs of living runs"):
        over_splits(died | {(0, k): 0.1 for k in range(50, 55)}, second, dead_below=0.15)
    with pytest.raises(ValueError, match="the differences within splits are skewed"):
        over_splits(first | {(0, 50): 0.1}, second)
    assert share({name: value < 0.15 for name, value in died.items()}).n == 48


def test_what_a_claim_cannot_rest_on_is_refused():
    first, second = arms(splits=5)
    with pytest.raises(ValueError, match="5 splits are too few"):
        over_splits(first, second)
    with pytest.raises(ValueError, match=r"maps \(split, seed\) to its value, and 0 is no such"):
        over_splits([1.0] * 8, [0.0] * 8)
    with pytest.raises(ValueError, match="8 seeds or use method='t'"):
        over_splits(*arms(splits=6), method="sign").interval(0.01)
    skewed = arms(draw=np.random.default_rng(0).standard_exponential)
    with pytest.raises(ValueError, match=r"skewed .* log=True"):
        over_splits(*skewed)


def test_false_verdicts_are_as_rare_as_promised_or_the_sample_is_refused():
    rows = list(simulated.rows(REPEATS))
    assert len(rows) == 68
    for row in rows:
        assert row.worst <= AT_MOST + 3.1 * math.sqrt(AT_MOST / REPEATS), row
        if row.data.startswith("normal"):
            assert row.refused < 0.03, row
        if row.data.startswith("lognormal"):
            assert row.refused > 0.9, row
        if row.evidence.endswith("dead_below"):
            assert row.refused < 0.1, row
