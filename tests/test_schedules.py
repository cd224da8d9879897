"""The schedules as values and as functions of t: their laws, their meanings, their refusals."""

from __future__ import annotations

import copy
import importlib
import inspect
import math
import pickle
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import formulas
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lrcourse import schedules
from lrcourse.schedules import (
    Schedule,
    constant,
    cosine,
    cyclical,
    exp_range,
    exponential,
    from_function,
    linear,
    multistep,
    one_cycle,
    plateau,
    polynomial,
    power,
    restarts,
    step,
    triangular2,
    warmup,
    wsd,
)

# Any schedule

fraction = st.floats(0, 1)
gamma = st.floats(0.01, 1)
span = st.one_of(st.integers(1, 200), st.floats(0.5, 200))
whole_span = st.integers(1, 200)
decaying = st.one_of(
    st.builds(step, span, gamma),
    st.builds(multistep, st.sets(st.integers(1, 99), min_size=1).map(sorted), gamma),
    st.builds(exponential, gamma, fraction),
    st.builds(power, st.floats(-3, 0), span),
    st.builds(polynomial, span, st.floats(0.1, 5), fraction),
    st.builds(linear, span, fraction),
    st.builds(cosine, span, fraction),
    st.builds(wsd, st.integers(20, 99), st.just(0), st.integers(0, 20), fraction),
)
lengths = st.one_of(st.integers(0, 99), st.floats(0, 99))
rising = st.one_of(
    st.builds(warmup, lengths),
    st.builds(warmup, lengths, fraction),
    st.builds(warmup, lengths, fraction, st.just("constant")),
    st.builds(warmup, lengths, st.none(), st.just("exponential")),
    st.builds(warmup, st.none(), st.none(), st.just("exponential"), tau=span),
    st.builds(warmup, lengths, st.floats(0.001, 1), st.just("geometric")),
    st.builds(warmup, lengths, st.none() | fraction, st.just("power"), st.floats(0.1, 5)),
)
scales = st.sampled_from([None, triangular2, exp_range(0.9), "formulas:one_over_cycle"])
up_and_down = st.one_of(
    st.builds(constant, st.floats(0.01, 1)),
    st.builds(restarts, span, st.sampled_from([1, 1.5, 2, 3]) | st.floats(1, 4), fraction, gamma),
    st.builds(
        cyclical,
        span,
        st.floats(0, 0.99),
        st.sampled_from(["triangle", "welch", "hann"]),
        scales,
    ),
    st.builds(
        one_cycle,
        st.integers(2, 200),
        fraction,
        fraction,
        fraction,
        st.sampled_from(["cosine", "linear"]),
    ),
    st.builds(
        wsd,
        st.integers(100, 200),
        st.integers(0, 50),
        st.integers(0, 50),
        fraction,
        st.sampled_from(["linear", "cosine", "sqrt"]),
    ),
    st.builds(from_function, st.just(formulas.halving), st.none() | span),
)
simple = st.one_of(decaying, rising, up_and_down)
shapes = st.recursive(
    simple,
    lambda inner: st.one_of(
        st.builds(lambda a, b, n: a.then(b, after=n), inner, inner, st.integers(0, 50)),
        st.builds(lambda a, b: a * b, inner, inner),
        st.builds(lambda a, number: number * a, inner, st.floats(0.01, 1)),
    ),
    max_leaves=4,
)
times = st.one_of(st.integers(0, 500), st.floats(0, 500))
some_times = st.lists(times, min_size=1, max_size=12)
examples = settings(max_examples=120, deadline=None)


@examples
@given(shape=shapes)
def test_a_schedule_is_a_value(shape):
    for again in (
        eval(repr(shape), vars(schedules)),
        pickle.loads(pickle.dumps(shape)),
        copy.deepcopy(shape),
    ):
        assert again == shape
        assert hash(again) == hash(shape)
        assert repr(again) == repr(shape)
        assert again(7) == shape(7)


@examples
@given(shape=shapes, ts=some_times)
def test_an_array_gives_what_the_single_ts_give(shape, ts):
    one_by_one = [shape(t) for t in ts]
    assert all(type(factor) is float for factor in one_by_one)
    together = shape(np.array(ts, dtype=float))
    assert together.dtype == np.float64
    assert together.tolist() == one_by_one
    assert shape(ts).tolist() == one_by_one
    assert shape(np.array([ts, ts], dtype=float)).tolist() == [one_by_one, one_by_one]
    assert shape(np.float64(ts[0])) == one_by_one[0]


@examples
@given(shape=shapes, ts=some_times)
def test_factors_lie_between_0_and_1(shape, ts):
    assert all(0 <= factor <= 1 for factor in shape(ts))


beyond_the_end = st.one_of(st.integers(0, 1000), st.floats(0, 1e9))


@examples
@given(shape=simple, beyond=beyond_the_end)
def test_a_schedule_holds_still_from_its_length_on(shape, beyond):
    assume(shape.length is not None)
    assert shape(shape.length + beyond) == shape(shape.length)


@examples
@given(shape=shapes, beyond=beyond_the_end)
def test_a_combination_holds_still_from_its_length_on(shape, beyond):
    assume(shape.length is not None)
    end = shape.length + 1e-9  # lengths with fractions are added, and so rounded
    assert shape(end + beyond) == shape(end)


@examples
@given(shape=decaying, pair=st.tuples(times, times).map(sorted))
def test_a_decay_never_rises(shape, pair):
    assert shape(pair[0]) >= shape(pair[1]) - 1e-15
    assert shape(0) == 1


@examples
@given(shape=rising, pair=st.tuples(times, times).map(sorted))
def test_a_warmup_never_falls_and_ends_at_the_peak(shape, pair):
    assert shape(pair[0]) <= shape(pair[1]) + 1e-15
    assert shape.length is None or shape(shape.length) == 1


@examples
@given(floor=fraction, total=whole_span, ts=some_times)
def test_a_floor_is_never_passed(floor, total, ts):
    for falling in (linear(total, floor), cosine(total, floor), exponential(0.9, floor)):
        assert min(falling(ts)) >= floor
        assert falling(10**6) == floor
    assert min(restarts(total, 1.5, floor, 0.5)(ts)) >= floor


# The algebra


@examples
@given(a=shapes, b=shapes, after=st.integers(0, 60), t=st.integers(0, 200))
def test_then_is_the_first_and_then_the_second(a, b, after, t):
    joined = a.then(b, after=after)
    assert joined(t) == (a(t) if t < after else b(t - after))
    assert joined.length == (None if b.length is None else after + b.length)


whole = st.one_of(
    st.builds(warmup, st.integers(0, 50)),
    st.builds(cosine, whole_span, fraction),
    st.builds(one_cycle, st.integers(2, 50)),
    st.builds(multistep, st.sets(st.integers(1, 99), min_size=1).map(sorted), gamma),
    st.builds(lambda a, b: warmup(a) * linear(b), st.integers(0, 50), whole_span),
)


@examples
@given(a=whole, b=whole, c=shapes, t=st.integers(0, 300))
def test_then_is_associative_and_starts_at_the_length(a, b, c, t):
    left, right = a.then(b).then(c), a.then(b.then(c))
    assert left(t) == right(t)
    assert left.length == pytest.approx(right.length)
    assert a.then(b)(a.length + t) == b(t)
    assert a.then(b)(a.length + b.length + t) == b(b.length)
    assert a.then(b) == a.then(b, after=a.length)


@examples
@given(b=shapes, t=times)
def test_a_warmup_of_length_0_changes_nothing(b, t):
    assert warmup(0).then(b)(t) == b(t)
    assert (warmup(0) * b)(t) == b(t)
    assert warmup(0).then(warmup(0)).then(b)(t) == b(t)


@examples
@given(a=shapes, b=shapes, c=shapes, number=st.floats(0.1, 2), t=times)
def test_multiplication(a, b, c, number, t):
    assert (a * b)(t) == (b * a)(t) == a(t) * b(t)
    assert (a * b * c)(t) == pytest.approx((a * (b * c))(t), rel=1e-12)
    assert (constant() * a)(t) == a(t)
    assert (number * a)(t) == (a * number)(t) == number * a(t)
    assert (a * b).length == (None if None in (a.length, b.length) else max(a.length, b.length))
    joined, scaled = number * a.then(b, after=30), (number * a).then(number * b, after=30)
    assert joined(t) == scaled(t)


def test_numpy_numbers_multiply_too_but_arrays_do_not():
    assert np.float64(0.5) * cosine(10) == 0.5 * cosine(10) == constant(0.5) * cosine(10)
    with pytest.raises(TypeError, match="got array"):
        np.array([0.5, 1.0]) * cosine(10)


@pytest.mark.parametrize(
    "endless",
    [
        constant(),
        constant(0.5) * constant(0.5),
        step(10, 0.5),
        restarts(5),
        cyclical(5, 0.1),
        power(),
        exponential(0.9),
        exponential(1.0),
        from_function(formulas.halving),
        warmup(None, ramp="exponential", tau=3),
        warmup(5) * step(10, 0.5),
        warmup(5).then(constant()),
        warmup(5).then(restarts(5)),
        warmup(0) * constant(0.5),
    ],
    ids=repr,
)
def test_then_needs_after_where_there_is_no_length(endless):
    with pytest.raises(
        ValueError, match=r"has no length of its own: write then\(\.\.\., after=n\)"
    ):
        endless.then(cosine(10))
    assert endless.then(cosine(10), after=7)(7) == 1


def test_lengths():
    assert constant().length == 0
    assert exponential(0.5, floor=0.2).length == 3
    assert exponential(0.5, floor=0.25).length == 2
    assert exponential(2.0, floor=0.5).length is None
    assert multistep([5, 30], 0.1).length == 30
    assert one_cycle(100).length == 100
    assert wsd(100, 10, 20).length == 100
    assert (warmup(5) * cosine(30)).length == 30
    assert from_function(formulas.halving, length=9).length == 9
    assert warmup(5).then(cosine(25)).length == 30
    assert warmup(math.inf, ramp="exponential", tau=3).length is None


@examples
@given(gamma=st.floats(0.01, 0.999), floor=st.floats(1e-6, 0.99))
def test_the_length_of_an_exponential_is_the_first_t_at_its_floor(gamma, floor):
    shape = exponential(gamma, floor)
    assert shape(shape.length) == floor < shape(shape.length - 1)


@examples
@given(gamma=st.floats(0.3, 0.99), reached=st.integers(1, 50))
def test_the_length_of_an_exponential_whose_floor_is_one_of_its_values(gamma, reached):
    assert exponential(gamma, floor=gamma**reached).length == reached


# How they print


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (constant(), "constant()"),
        (constant(0.5), "constant(0.5)"),
        (step(10, 0.5), "step(10, 0.5)"),
        (step(np.int64(10), np.float32(0.5)), "step(10, 0.5)"),
        (multistep([15, 30], 0.5), "multistep((15, 30), 0.5)"),
        (exponential(0.9, 0.01), "exponential(0.9, floor=0.01)"),
        (power(), "power()"),
        (power(timescale=10), "power(timescale=10)"),
        (cosine(25, 1 / 30), "cosine(25, floor=0.03333333333333333)"),
        (warmup(5).then(cosine(25)), "warmup(5).then(cosine(25))"),
        (constant().then(cosine(25), after=5), "constant().then(cosine(25), after=5)"),
        (
            (warmup(5) * step(10, 0.5)).then(cosine(9), after=30),
            "(warmup(5) * step(10, 0.5)).then(cosine(9), after=30)",
        ),
        (0.5 * (warmup(5) * cosine(9)), "constant(0.5) * (warmup(5) * cosine(9))"),
        (warmup(5, ramp="power", exponent=4), "warmup(5, ramp='power')"),
        (warmup(5, ramp="exponential", tau=1), "warmup(5, ramp='exponential')"),
        (
            warmup(math.inf, ramp="exponential", tau=9),
            "warmup(None, ramp='exponential', tau=9)",
        ),
        (cyclical(4, 0.1, scale=triangular2), "cyclical(4, 0.1, scale=triangular2)"),
        (cyclical(4, 0.1, scale=exp_range(0.9)), "cyclical(4, 0.1, scale=exp_range(0.9))"),
        (
            cyclical(4, 0.1, scale=formulas.one_over_cycle),
            "cyclical(4, 0.1, scale='formulas:one_over_cycle')",
        ),
        (from_function(formulas.halving), "from_function('formulas:halving')"),
        (one_cycle(100), "one_cycle(100)"),
        (wsd(100, 10, 20, tail="sqrt"), "wsd(100, 10, 20, tail='sqrt')"),
        (plateau(patience=5, watch="valid_loss"), "plateau(patience=5, watch='valid_loss')"),
    ],
)
def test_repr(shape, text):
    assert repr(shape) == text
    assert eval(text, vars(schedules)) == shape


def test_a_lambda_works_though_it_is_no_plain_value():
    shape = from_function(lambda t: 1 / (t + 1))
    assert shape(1) == 0.5
    assert shape == shape
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(shape)


def test_a_function_gets_a_whole_t_as_an_int_and_holds_past_its_length():
    table = [1.0, 0.5, 0.25]
    shape = from_function(lambda t: table[t], length=2)
    assert shape([0, 1, 2, 3, 99]).tolist() == [1, 0.5, 0.25, 0.25, 0.25]
    assert shape(np.array([1.0]))[0] == 0.5


def test_importing_the_schedules_does_not_import_torch():
    code = "import sys, lrcourse.schedules; sys.exit('torch' in sys.modules)"
    root = Path(__file__).resolve().parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_every_shape_says_its_formula_its_limits_and_its_unit():
    for name in schedules.__all__:
        thing = getattr(schedules, name)
        if inspect.isclass(thing) and issubclass(thing, Schedule) and name[0].islower():
            text = " ".join(thing.__doc__.split())
            assert "factor(t)" in text, name
            if name != "constant":
                assert "t < 0 is refused" in text, name
                assert "t counts updates" in text, name


# Meanings of the single shapes


def test_warmup_wastes_no_update_and_is_at_the_peak_at_the_last_one():
    assert warmup(5)(range(7)).tolist() == [0.2, 0.4, 0.6, 0.8, 1, 1, 1]
    assert warmup(4, start=0)(range(6)).tolist() == [0, 0.25, 0.5, 0.75, 1, 1]
    assert warmup(4, start=0.5)(range(5)).tolist() == [0.5, 0.625, 0.75, 0.875, 1]
    assert warmup(3, start=0.1, ramp="constant")(range(5)).tolist() == [0.1, 0.1, 0.1, 1, 1]
    np.testing.assert_allclose(warmup(2, start=0.01, ramp="geometric")(range(4)), [0.01, 0.1, 1, 1])
    assert warmup(2, ramp="power", exponent=2)(range(3)).tolist() == [0.25, 1, 1]
    assert warmup(10, ramp="exponential")(0) == pytest.approx(1 - math.exp(-1 / 2))
    assert warmup(10, ramp="exponential")(10) == 1


@examples
@given(length=st.integers(1, 10**6))
def test_the_last_update_of_a_warmup_is_exactly_at_the_peak(length):
    assert warmup(length)(length - 1) == 1
    assert warmup(length, ramp="power")(length - 1) == 1
    assert warmup(length, start=0.3)(length) == 1


@examples
@given(
    total=st.integers(2, 3000),
    share=fraction,
    start=fraction,
    end=fraction,
    anneal=st.sampled_from(["cosine", "linear"]),
)
def test_one_cycle_reaches_its_peak_and_its_end_at_every_total(total, share, start, end, anneal):
    shape = one_cycle(total, share, start, end, anneal)
    peak_at = shape.peak_at
    assert shape(peak_at) == 1
    assert shape([total - 1, total, 10 * total]).tolist() == [end] * 3
    if share > 0 and total > 2:
        assert 1 <= peak_at <= total - 2
        wanted = round(share * total) - 1
        assert peak_at == wanted or not 1 <= wanted <= total - 2
        assert shape(0) == start
    else:
        assert peak_at == 0
    around = shape([max(peak_at - 1, 0), peak_at, peak_at + 1])
    assert around[0] <= 1 >= around[2]


@pytest.mark.parametrize("multiply", [1, 2, 3, 1.1, 1.5, 2.3, 3.5])
@pytest.mark.parametrize("first", [1, 2, 7, 10, 0.1, 0.5])
@pytest.mark.parametrize("decay", [1, 0.5])
def test_restarts_are_exactly_at_the_peak(first, multiply, decay):
    shape = restarts(first, multiply, floor=0.01, decay=decay)
    first, multiply = (Fraction(str(number)) for number in (first, multiply))
    begin, seen = Fraction(0), 0
    for cycle in range(60):
        if begin == int(begin) and begin < 10**6:
            seen += 1
            assert shape(int(begin)) == max(0.01, decay**cycle)
            if begin:
                assert shape(np.nextafter(float(begin), 0)) < 0.011
        begin += first * multiply**cycle
    assert seen >= 1


def test_restarts_keep_their_floor_and_their_peaks():
    shape = restarts(4, floor=0.3, decay=0.5)
    assert shape([0, 4, 8, 12]).tolist() == [1, 0.5, 0.3, 0.3]
    assert shape(2) == pytest.approx(0.65)
    assert restarts(3)(3 * 10**9) == 1


def test_cyclical_scales():
    shape = cyclical(2, 0.2, scale=triangular2)
    np.testing.assert_allclose(shape([0, 2, 4, 6, 8, 10]), [0.2, 1, 0.2, 0.6, 0.2, 0.4])
    assert pickle.loads(pickle.dumps(triangular2)) is triangular2
    own = cyclical(2, 0.2, scale=lambda cycle, t: 1 / cycle)
    assert own(6) == pytest.approx(0.6)


@pytest.mark.parametrize("tail", ["linear", "cosine", "sqrt"])
def test_wsd(tail):
    shape = wsd(20, 4, 8, floor=0.1, tail=tail)
    assert shape([0, 1, 2, 3, 4, 11, 12]).tolist() == [0.25, 0.5, 0.75, 1, 1, 1, 1]
    middle = {"linear": 0.55, "cosine": 0.55, "sqrt": 0.1 + 0.9 * (1 - math.sqrt(0.5))}[tail]
    assert shape(16) == pytest.approx(middle)
    assert shape([20, 21, 500]).tolist() == [0.1] * 3
    assert wsd(20, 4, 0)([4, 19, 20]).tolist() == [1, 1, 0]
    assert shape(3.5) == warmup(4)(3.5) == 1


def test_plateau():
    rule = plateau(0.5, patience=2, cooldown=2, floor=0.2)
    state = rule.start()
    assert state.factor == 1
    seen = [state.observe(loss) for loss in [1.0] + [1.0] * 12]
    assert seen == [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25]
    assert [state.observe(1.0) for _ in range(5)] == [0.2] * 5
    fresh = rule.start()
    assert fresh.factor == 1 and fresh.bad == 0
    again = pickle.loads(pickle.dumps(state))
    assert again == state and again.rule == rule


def test_plateau_for_a_metric_that_grows_and_one_below_zero():
    state = plateau(0.5, patience=0, mode="max", watch="valid_acc").start()
    assert [state.observe(accuracy) for accuracy in [0.1, 0.5, 0.5, 0.6]] == [1, 1, 0.5, 0.5]
    state = plateau(0.5, patience=0, mode="max", threshold=0.1).start()
    assert [state.observe(reward) for reward in [-10, -9.5, -8, -7.9]] == [1, 0.5, 0.5, 0.25]
    state = plateau(0.5, patience=0).start()
    assert [state.observe(loss) for loss in [-1.0, -2.0, math.nan, -3.0]] == [1, 1, 0.5, 0.5]


# Bad input


@pytest.mark.parametrize(
    "t",
    [-1, -0.001, math.nan, math.inf, [0, -1], [1.0, math.nan], np.array([[3], [-3]]), -(10**400)],
)
def test_t_is_finite_and_not_negative(t):
    with pytest.raises(ValueError, match="t must be a finite number >= 0"):
        cosine(10)(t)


@pytest.mark.parametrize("t", ["3", None, True, [True], 1j, ["a"], [[1], [2, 3]], [None], object()])
def test_t_is_a_number(t):
    with pytest.raises(TypeError, match="t must be a number or a"):
        cosine(10)(t)


def test_no_ts_at_all_give_no_factors():
    assert cosine(10)([]).shape == (0,)


BAD_VALUES = [
    (lambda: constant(0), "constant: factor must be a finite number > 0; got 0"),
    (lambda: constant(math.nan), "constant: factor must be a finite number > 0; got nan"),
    (lambda: cosine(10) * -1, "constant: factor must be a finite number > 0; got -1"),
    (lambda: step(0, 0.5), "step: every must be"),
    (lambda: step(10, -0.5), "step: gamma must be"),
    (lambda: step(10, math.inf), "step: gamma must be"),
    (lambda: multistep([30, 15], 0.5), r"strictly increasing .*; got \[30, 15\]"),
    (lambda: multistep([15, 15], 0.5), "strictly increasing"),
    (lambda: multistep([0, 15], 0.5), "each milestone must be a finite number > 0; got 0"),
    (lambda: multistep([], 0.5), "strictly increasing"),
    (lambda: exponential(0), "exponential: gamma"),
    (lambda: exponential(0.9, floor=1.5), "floor must be a number from 0 to 1; got 1.5"),
    (lambda: exponential(2.0)(10**6), "must be finite"),
    (lambda: power(0.5), "power: exponent must be a finite number <= 0; got 0.5"),
    (lambda: power(timescale=0), "power: timescale"),
    (lambda: polynomial(10, exponent=0), "polynomial: exponent"),
    (lambda: linear(-3), "linear: total must be a finite number > 0; got -3"),
    (lambda: cosine(0), "cosine: total"),
    (lambda: cosine(10**400), "cosine: total"),
    (lambda: cosine(10, floor=-0.1), "cosine: floor"),
    (lambda: cosine(10, floor=math.nan), "cosine: floor"),
    (lambda: restarts(0), "restarts: first"),
    (lambda: restarts(5, multiply=0.5), "restarts: multiply must be a finite number >= 1"),
    (lambda: restarts(5, decay=0), "restarts: decay"),
    (lambda: restarts(5, decay=1.1), "restarts: decay"),
    (lambda: cyclical(0, 0.1), "cyclical: half_cycle"),
    (lambda: cyclical(5, 1), "cyclical: base must be a number from 0 to below 1"),
    (lambda: cyclical(5, 0.1, window="hamming"), "one of 'triangle', 'welch', 'hann'; got 'ham"),
    (lambda: cyclical(5, 0.1, scale="nowhere:f"), "no function 'nowhere:f' can be imported"),
    (lambda: cyclical(5, 0.1, scale=lambda c, t: -1)(3), r"scale\(1, 3\) must be .*gave -1"),
    (lambda: exp_range(0), "exp_range: gamma"),
    (lambda: one_cycle(1), "one_cycle: total must be a whole number >= 2; got 1"),
    (lambda: one_cycle(10.5), "one_cycle: total must be a whole number >= 2; got 10.5"),
    (lambda: one_cycle(10, warmup=30), "one_cycle: warmup must be a number from 0 to 1; got 30"),
    (lambda: one_cycle(10, anneal="cos"), "anneal must be one of 'cosine', 'linear'; got 'cos'"),
    (lambda: wsd(100, 60, 50), "got warmup=60, decay=50, total=100"),
    (lambda: wsd(100, 10, 10, tail="1-sqrt"), "tail must be one of"),
    (lambda: warmup(-1), "warmup: length must be a finite number >= 0; got -1"),
    (lambda: warmup(math.inf), "needs ramp='exponential' and tau"),
    (lambda: warmup(None, ramp="exponential"), "needs ramp='exponential' and tau"),
    (lambda: warmup(5, start=1.5), "warmup: start must be a number from 0 to 1"),
    (lambda: warmup(5, ramp="cosine"), "ramp must be one of"),
    (lambda: warmup(5, ramp="constant"), "ramp='constant' needs start"),
    (lambda: warmup(5, ramp="geometric"), "ramp='geometric' needs start"),
    (lambda: warmup(5, start=0, ramp="geometric"), "start must be > 0"),
    (lambda: warmup(5, start=0.1, ramp="exponential"), "does not use start"),
    (lambda: warmup(5, exponent=2), "does not use exponent"),
    (lambda: warmup(5, tau=2), "does not use tau"),
    (lambda: warmup(5, ramp="power", exponent=0), "warmup: exponent"),
    (lambda: warmup(5, ramp="exponential", tau=0), "warmup: tau"),
    (lambda: from_function("halving"), "named as 'module:function'; got 'halving'"),
    (lambda: from_function("formulas:nothing"), "no function 'formulas:nothing'"),
    (lambda: from_function("math:pi"), "'math:pi' is no function"),
    (lambda: from_function(formulas.halving, length=0), "from_function: length"),
    (lambda: from_function(lambda t: -1.0)(3), r"f\(3\) must be a finite .*gave -1.0"),
    (lambda: from_function(lambda t: math.nan)(2.5), r"f\(2.5\) must be .*gave nan"),
    (lambda: from_function(lambda t: None)(0), r"f\(0\) must be .*gave None"),
    (lambda: cosine(5).then(cosine(5), after=-1), "Then: after must be"),
    (lambda: cosine(5).then(cosine(5), after=math.inf), "Then: after must be"),
    (lambda: plateau(factor=1), "plateau: factor"),
    (lambda: plateau(patience=1.5), "patience must be a whole number >= 0; got 1.5"),
    (lambda: plateau(patience=-1), "plateau: patience"),
    (lambda: plateau(threshold=-1), "plateau: threshold"),
    (lambda: plateau(floor=2), "plateau: floor"),
    (lambda: plateau(cooldown=-1), "plateau: cooldown"),
    (lambda: plateau(mode="low"), "mode must be one of 'min', 'max'"),
    (lambda: plateau(watch="test_loss"), "the test split is never watched"),
    (lambda: plateau(watch="loss"), "watch must be one of"),
    (lambda: plateau(watch="valid_acc"), "watch='valid_acc' needs mode='max'"),
    (lambda: plateau(watch="valid_loss", mode="max"), "needs mode='min'"),
]


@pytest.mark.parametrize(("build", "message"), BAD_VALUES)
def test_a_wrong_value_is_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()


BAD_TYPES = [
    (lambda: cosine("25"), "cosine: total must be a finite number > 0; got '25', a str"),
    (lambda: cosine(None), "got None, a NoneType"),
    (lambda: cosine(True), "got True, a bool"),
    (lambda: cosine(10, floor=[0.1]), "cosine: floor"),
    (lambda: constant(1j), "constant: factor"),
    (lambda: multistep(15, 0.5), "multistep: milestones .*; got 15"),
    (lambda: multistep("15", 0.5), "multistep: milestones"),
    (lambda: multistep([15, "30"], 0.5), "each milestone must be a finite number > 0; got '30'"),
    (lambda: warmup("5"), "warmup: length"),
    (lambda: warmup(5).then(0.5), "then joins two schedules, .*; got 0.5, a float"),
    (lambda: warmup(5).then(plateau()), "then joins two schedules"),
    (lambda: warmup(5) * "2", r"\* multiplies two or one with a number, .* got '2', a str"),
    (lambda: True * warmup(5), r"\* multiplies .* got True, a bool"),
    (lambda: from_function(3), "f must be a function or its name"),
    (lambda: cyclical(5, 0.1, scale=2), "scale must be a function or its name"),
    (lambda: plateau().start().observe("0.5"), "observe takes a number"),
]


@pytest.mark.parametrize(("build", "message"), BAD_TYPES)
def test_a_wrong_type_is_named(build, message):
    with pytest.raises(TypeError, match=message):
        build()


def test_a_schedule_cannot_be_changed():
    with pytest.raises(AttributeError):
        cosine(10).total = 20


def test_an_error_inside_a_users_function_passes_through():
    with pytest.raises(ZeroDivisionError):
        from_function(lambda t: 1 / t)(0)


def test_everything_that_is_exported_exists():
    module = importlib.import_module("lrcourse.schedules")
    assert all(hasattr(module, name) for name in module.__all__)
