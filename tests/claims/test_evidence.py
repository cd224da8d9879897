"""What a claim can rest on, and what is refused."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from lrcourse.claims import claim, equivalent, exact, judge, paired, slope, spread

SEEDS = range(10)
BASE = np.array([0.91, 0.88, 0.93, 0.90, 0.92, 0.89, 0.905, 0.915, 0.885, 0.925])
NOISE = 0.003 * np.array([1, -1, 0.5, -0.5, 2, -2, 0, 1.5, -1.5, 0.2])


def by_seed(values):
    return dict(zip(SEEDS, values, strict=True))


def verdict(evidence_, **stated):
    return judge("A sentence", evidence_, **stated).verdict


def test_slope_of_points_is_linregress():
    x = np.log(np.geomspace(0.01, 1, 9))
    y = 1.02 * x + 0.1 * np.sin(7 * x)
    made = judge("Noise is proportional to the rate", slope(x, y), within=(0.5, 1.5))
    fit = stats.linregress(x, y)
    half = fit.stderr * stats.t.ppf(0.995, 7)
    assert made.effect == pytest.approx(fit.slope)
    assert (made.low, made.high) == pytest.approx((fit.slope - half, fit.slope + half))
    assert made.verdict == "holds"
    assert "| 9 points, slope " in made.line() and "(least squares, alpha .01)" in made.line()


def test_slopes_over_seeds_see_what_disturbs_a_whole_seed():
    rng, x = np.random.default_rng(6), np.linspace(0, 1, 20)
    own = rng.normal(1.0, 0.3, 10)
    rows = own[:, None] * x + rng.normal(0, 0.01, (10, 20))
    by_row, pooled = judge("x", slope(x, rows), margin=0), judge("x", slope(x, rows[0]), margin=0)
    reference = stats.ttest_1samp([stats.linregress(x, row).slope for row in rows], 0)
    assert (by_row.low, by_row.high) == pytest.approx(tuple(reference.confidence_interval(0.99)))
    assert by_row.high - by_row.low > 5 * (pooled.high - pooled.low)
    assert judge("x", slope(x, dict(enumerate(rows))), margin=0) == by_row
    assert (by_row.n, by_row.counted) == (10, "seeds")


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([1, 2], [1, 2], "three points"),
        ([1, 1, 1], [1, 2, 3], "different x"),
        ([1, 2, 3], [1, 2], "shape"),
        ([[1, 2, 3]], [1, 2, 3], "shape"),
        ([1, 2, 3], [1, math.nan, 3], "1 NaN or infinite"),
        ([1, 2, math.inf], [1, 2, 3], "infinite"),
        ([1, 2, 3], [[1, 2, 3]] * 5, "5 seeds are too few"),
        ([1, 2, 3], [[1, 2, 3], [1, 2]], "not an array of numbers"),
        ([1, 2, 3], {1: 0.1, 2: 0.2, 3: 0.3}, "seed -> values"),
        ([1, 2, 3], ["a", "b", "c"], "not an array of numbers"),
        ([1, 2, 3], np.zeros((6, 2, 3)), "shape"),
    ],
)
def test_slopes_that_cannot_be(x, y, message):
    with pytest.raises(ValueError, match=message):
        slope(x, y)


def test_spread_is_a_ratio_of_mean_absolute_deviations():
    a, b = 5 * NOISE + BASE.mean(), NOISE[::-1]
    made = judge("Decay shrinks the spread", spread(a, b), margin=1.5)
    assert made.effect == pytest.approx(5) and made.quantity == "spread ratio"
    other = judge("x", spread(b, a), below=1 / 1.5)
    assert (other.low, other.high) == pytest.approx((1 / made.high, 1 / made.low))
    scaled = judge("x", spread(5 * NOISE + 7, NOISE), margin=2)
    assert (scaled.low, scaled.high) == pytest.approx((5, 5)) and scaled.verdict == "holds"


def test_spread_of_two_valued_samples_has_an_interval():
    made = judge("x", spread([0, 2] * 5, [0, 1] * 5), margin=0.1)
    assert made.effect == pytest.approx(2)
    assert made.low < 1.9 and made.high > 2.1


def test_spread_of_a_constant_arm_is_refused():
    with pytest.raises(ValueError, match=r"values of b equal 0\.5"):
        spread(BASE, [0.5] * 10)


def test_exact_cases(capsys):
    claim("Adam's first step is eta sign(g)", exact(np.isclose([1, 2], [1, 2])))
    assert capsys.readouterr().out == (
        "HOLDS | Adam's first step is eta sign(g) | 2 cases, exceptions 0, margin < 1 (exact)\n"
    )
    one_off = judge("x", exact({"a": 1, "b": 2}, {"b": 2, "a": 3}))
    assert (one_off.verdict, one_off.effect) == ("fails", 1)
    assert verdict(exact(["sgd", "adam"], ["sgd", "adam"])) == "holds"
    assert verdict(exact(torch.tensor([True, True]))) == "holds"
    assert verdict(exact([math.nan], [math.nan])) == "fails"
    assert "| 1 case, " in judge("x", exact(True)).line()


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([1, "a"], ["1", "a"]),
        ([True, "a"], ["True", "a"]),
        ([2**53 + 1, 0.5], [2**53, 0.5]),
    ],
)
def test_values_are_compared_as_they_are(found, expected):
    assert exact(found, expected).effect == 1
    assert exact(found, found).effect == 0


def test_times_and_masked_values_are_no_numbers():
    days = np.arange("2026-01-01", "2026-01-09", dtype="datetime64[D]")
    masked = np.ma.masked_equal(np.arange(8.0), 3)
    for arm, why in ((days, "times"), (days - days[0], "times"), (masked, "masked")):
        with pytest.raises(ValueError, match=why):
            paired(arm, np.zeros(8))


def test_exact_refusals():
    with pytest.raises(ValueError, match="at least one case"):
        exact([])
    with pytest.raises(ValueError, match="expected"):
        exact([True, False], [True])
    with pytest.raises(ValueError, match="different cases"):
        exact({"a": 1}, {"b": 1})
    with pytest.raises(ValueError, match="no margin"):
        judge("x", exact([True]), margin=0)


def test_arms_come_in_many_forms_and_meet_by_seed():
    a, b = BASE + 0.03 + NOISE, BASE
    expected = judge("x", paired(a, b), margin=0)
    order = [3, 1, 4, 0, 5, 9, 2, 6, 8, 7]
    forms = [
        paired(by_seed(a), {seed: b[seed] for seed in order}),
        paired((a, SEEDS), (b[order], order)),
        paired(list(a), tuple(b), seeds=SEEDS),
        paired(torch.tensor(a), torch.tensor(b)),
        paired([torch.tensor(v) for v in a], b),
        paired(pd.Series(a), pd.Series(b[order], index=order)),
        paired(pd.Series(a), by_seed(b)),
        paired((v for v in a), by_seed(b).values()),
    ]
    for form in forms:
        made = judge("x", form, margin=0)
        assert (made.low, made.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(
    ("a", "b", "seeds", "message"),
    [
        (BASE, BASE[:9], None, "10 and 9 values"),
        (BASE[:5], BASE[:5], None, "5 seeds are too few"),
        ([], [], None, "0 seeds"),
        (
            by_seed(BASE),
            dict(zip(range(1, 11), BASE, strict=True)),
            None,
            "only a has 0, only b 10",
        ),
        (by_seed(BASE), BASE, None, "both in one form"),
        (by_seed(BASE), by_seed(BASE), SEEDS, "leave seeds= out"),
        (BASE, BASE, range(9), "10 values for 9 seeds"),
        (BASE, BASE, [0, *range(9)], "0 more than once"),
        ((BASE, [0, *range(9)]), (BASE, SEEDS), None, "seeds of a name 0 more than once"),
        (pd.Series(BASE, index=[1] * 10), pd.Series(BASE), None, "1 more than once"),
        ((BASE, range(9)), (BASE, SEEDS), None, "10 values for 9"),
        ([*BASE[:9], math.nan], BASE, None, "nan at position 9: say what a dead run is"),
        (by_seed(BASE), by_seed([math.inf, *BASE[1:]]), None, r"inf at seed 0: .*share\("),
        ([None, *BASE[1:]], BASE, None, "nan at position 0"),
        (["a"] * 10, BASE, None, "not an array of numbers"),
        (["0.9"] * 10, BASE, None, "not an array of numbers"),
        (pd.Series(["0.9", *BASE[1:]]), pd.Series(BASE), None, "numbers, not texts"),
        (BASE.reshape(2, 5), BASE, None, "one value per seed"),
    ],
)
def test_unpaired_or_broken_arms_are_refused(a, b, seeds, message):
    for function in (paired, equivalent, spread):
        with pytest.raises(ValueError, match=message):
            function(a, b, seeds=seeds)


@pytest.mark.parametrize("arm", [0.9, "0.9", None, set(BASE)])
def test_arms_that_are_no_samples(arm):
    with pytest.raises(TypeError, match="mapping seed -> value"):
        paired(arm, BASE)


def test_the_sign_test_needs_enough_seeds():
    made = judge("x", paired(BASE + 0.03 + NOISE, BASE, method="sign"), margin=0)
    assert (made.low, made.high) == pytest.approx((0.024, 0.036)) and made.test == "sign test"
    ten_percent = judge("x", paired(NOISE, [0] * 10, method="sign"), margin=0, alpha=0.1)
    assert (ten_percent.low, ten_percent.high) == pytest.approx((-0.0045, 0.0045))
    with pytest.raises(ValueError, match="give 8 seeds"):
        judge("x", paired(BASE[:7], BASE[:7], method="sign"), margin=0)
    with pytest.raises(ValueError, match="method must be one of 't', 'sign'; got 'wilcoxon'"):
        paired(BASE, BASE, method="wilcoxon")
