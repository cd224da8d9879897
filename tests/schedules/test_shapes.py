"""The schedules as values and as functions of t: their laws, their meanings, their refusals."""

from __future__ import annotations

import copy
import functools
import inspect
import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
from helpers import formulas
from helpers.repository import ROOT
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
scales = st.sampled_from([None, triangular2, exp_range(0.9), "helpers.formulas:one_over_cycle"])
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


# Functions of the user's, and the module as a whole


def test_a_lambda_works_though_it_is_no_plain_value():
    shape = from_function(lambda t: 1 / (t + 1))
    assert shape(1) == 0.5
    assert shape == shape
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(shape)


def test_a_function_under_another_ones_name_is_not_taken_for_it():
    wrapper = functools.wraps(formulas.halving)(lambda t: 0.1)
    shape = from_function(wrapper)
    assert copy.copy(shape)(0) == shape(0) == 0.1
    assert shape != from_function(formulas.halving)


def test_a_function_gets_a_whole_t_as_an_int_and_holds_past_its_length():
    table = [1.0, 0.5, 0.25]
    shape = from_function(lambda t: table[t], length=2)
    assert shape([0, 1, 2, 3, 99]).tolist() == [1, 0.5, 0.25, 0.25, 0.25]
    assert shape(np.array([1.0]))[0] == 0.5


def test_importing_the_schedules_does_not_import_torch():
    code = "import sys, lrcourse.schedules; sys.exit('torch' in sys.modules)"
    root = ROOT
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
