"""Bad input to schedules: what was wrong, what was given, what would be right."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers import formulas

from lrcourse.schedules import (
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
    warmup,
    wsd,
)


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
    (lambda: multistep([0, 15], 0.5), r"milestones\[0\] must be a finite number > 0; got 0"),
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
    (lambda: cyclical(5, 0.1, scale=lambda c, t: -1)(3), r"scale\(1, 3\) must be .*got -1"),
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
    (lambda: from_function("helpers.formulas:nothing"), "no function 'helpers.formulas:nothing'"),
    (lambda: from_function("math:pi"), "'math:pi' is no function"),
    (lambda: from_function(formulas.halving, length=0), "from_function: length"),
    (lambda: from_function(lambda t: -1.0)(3), r"f\(3\) must be a finite .*got -1.0"),
    (lambda: from_function(lambda t: math.nan)(2.5), r"f\(2.5\) must be .*got nan"),
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
    (lambda: multistep([15, "30"], 0.5), r"milestones\[1\] must be a finite number > 0; got '30'"),
    (lambda: warmup("5"), "warmup: length"),
    (
        lambda: warmup(5).then(0.5),
        "second must be a schedule .then joins two, .*; got 0.5, a float",
    ),
    (lambda: warmup(5).then(plateau()), "second must be a schedule .then joins two"),
    (lambda: warmup(5) * "2", r"\* multiplies two or one with a number, .* got '2', a str"),
    (lambda: True * warmup(5), r"\* multiplies .* got True, a bool"),
    (lambda: from_function(lambda t: None)(0), r"f\(0\) must be .*got None, a NoneType"),
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


def test_an_exponential_ramp_shorter_than_any_number_is_over_at_once():
    assert warmup(5e-324, ramp="exponential")(0) == 1
