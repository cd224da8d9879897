"""Arguments checked in one way: what each rule takes, what it turns it into, and what it says."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from lrcourse.support import checks, kinds
from lrcourse.support.checks import arguments, check, each, kind, one_of, optional, shown, whole


@arguments(lr=checks.POSITIVE, updates=checks.COUNT_FROM_1, rest=checks.NUMBER, more=checks.FLAG)
def train(net, lr, updates=5, *rest, **more):
    return net, lr, updates, rest, more


def test_numbers_become_python_s_own():
    net, lr, updates, rest, more = train(
        "net", np.float64(0.5), np.int64(3), np.float32(2), on=True
    )
    assert (net, lr, updates, rest, more) == ("net", 0.5, 3, (2.0,), {"on": True})
    assert [type(one) for one in (lr, updates, rest[0])] == [float, int, float]
    assert train("net", Fraction(1, 2))[1] == 0.5
    assert train("net", 1, updates=4.0)[2] == 4


def test_a_default_stands_as_it_is():
    @arguments(jobs=checks.COUNT_FROM_1)
    def run(jobs=None):
        return jobs

    assert run() is None
    with pytest.raises(TypeError, match="run: jobs must be a whole number >= 1; got None, a NoneT"):
        run(None)


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ({"lr": 0}, ValueError, "train: lr must be a finite number > 0; got 0"),
        ({"lr": math.nan}, ValueError, "lr must be a finite number > 0; got nan"),
        ({"lr": 10**400}, ValueError, "lr must be a finite number > 0; got 1000.*000"),
        ({"lr": -(10**400)}, ValueError, "lr must be a finite number > 0; got -1000.*000"),
        ({"lr": "0.1"}, TypeError, "lr must be a finite number > 0; got '0.1', a str"),
        ({"lr": True}, TypeError, "got True, a bool"),
        ({"lr": np.array(3.0)}, TypeError, r"got array\(3\.\), an ndarray"),
        ({"lr": 1, "updates": 2.5}, ValueError, "updates must be a whole number >= 1; got 2.5"),
        ({"lr": 1, "updates": 2**63}, ValueError, "updates must be a whole number >= 1; got 9"),
        ({"lr": 1, "on": 1}, TypeError, "train: on must be True or False; got 1, an int"),
        ({}, TypeError, "train: missing a required argument: 'lr'"),
    ],
)
def test_what_is_refused_is_named_and_shown(given, error, told):
    with pytest.raises(error, match=told):
        train("net", **given)


@pytest.mark.parametrize("given", [2**53 + 2, 2**63, 10**400])
def test_a_number_that_is_too_large_to_count_to_is_answered_with_the_largest(given):
    with pytest.raises(ValueError, match=f"the largest that can be counted to is {2**53}$"):
        checks.COUNT("f", "seed", given)
    assert checks.COUNT("f", "seed", 2**53) == 2**53


@pytest.mark.parametrize(
    "words",
    ["an int", "a bool", "an ndarray", "an SGD", "a Sequential", "a uint8", "an UnfitBatch"],
)
def test_a_word_has_the_article_that_is_spoken(words):
    assert checks.with_article(words.split()[1]) == words


def test_a_rule_needs_its_argument():
    with pytest.raises(TypeError, match="train has no rate to check"):
        arguments(rate=checks.POSITIVE)(train)


def test_the_class_is_named_for_its_making():
    class Net:
        @arguments(depth=whole(1, 10))
        def __init__(self, depth):
            self.depth = depth

        @arguments(width=whole(1))
        def widen(self, width):
            return width

    with pytest.raises(ValueError, match=r"^Net: depth must be a whole number from 1 to 10; got 1"):
        Net(1_000)
    with pytest.raises(ValueError, match=r"^widen: width must be a whole number >= 1; got 0"):
        Net(1).widen(0)


def test_a_frozen_dataclass_is_checked_and_its_numbers_are_plain():
    @dataclass(frozen=True)
    class shape:
        total: float
        name: str = "a"

        def __post_init__(self):
            check(self, total=checks.POSITIVE, name=one_of("a", "b"))

    assert type(shape(np.int32(3)).total) is int
    with pytest.raises(ValueError, match="shape: name must be one of 'a', 'b'; got 'c'"):
        shape(3, "c")
    with pytest.raises(TypeError, match="shape: name must be one of 'a', 'b'; got 3"):
        shape(3, 3)


@pytest.mark.parametrize("given", [[1, 2], (1, 2), range(1, 3), np.array([1, 2]), iter([1, 2])])
def test_a_sequence_is_a_list_of_what_the_rule_gives(given):
    rates = each(checks.POSITIVE)("f", "rates", given)
    assert rates == [1, 2] and all(type(rate) is int for rate in rates)
    assert each(checks.NUMBER)("f", "rates", torch.tensor([0.5, 1.0])) == [0.5, 1.0]


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ([], ValueError, "f: rates must have 1 or more values; it has 0"),
        ([1, "2"], TypeError, r"f: rates\[1\] must be a finite number > 0; got '2'"),
        ("12", TypeError, "f: rates must be a sequence; got '12'"),
        (b"12", TypeError, "must be a sequence"),
        ({1: 2}, TypeError, "must be a sequence"),
        (np.array(3.0), TypeError, r"must be a sequence; got array\(3\.\)"),
        (list, TypeError, "must be a sequence; got <class 'list'>"),
        (np.ndarray, TypeError, "must be a sequence"),
    ],
)
def test_what_is_no_sequence_is_refused(given, error, told):
    with pytest.raises(error, match=told):
        each(checks.POSITIVE)("f", "rates", given)


def test_a_condition_on_what_a_rule_gives():
    rising = checks.such(each(checks.NUMBER, into=tuple), lambda row: row[0] < row[-1], "rising")
    assert rising("f", "x", np.array([1, 2])) == (1, 2)
    with pytest.raises(ValueError, match=r"f: x must be rising; got \[2, 1\]"):
        rising("f", "x", [2, 1])
    with pytest.raises(TypeError, match=r"f: x\[1\] must be a finite number; got '1'"):
        rising("f", "x", [2, "1"])


@pytest.mark.parametrize("given", [(0.5, "b"), [0.5, "b"], iter([0.5, "b"])])
def test_values_together_have_a_rule_each(given):
    assert checks.together("a rate and its name", checks.POSITIVE, checks.TEXT)(
        "f", "x", given
    ) == (0.5, "b")


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        (0.5, TypeError, "f: x must be a rate and its name; got 0.5"),
        ("ab", TypeError, "f: x must be a rate and its name; got 'ab'"),
        ([0.5], ValueError, r"f: x must be a rate and its name; got \[0.5\]"),
        ([0, "b"], ValueError, r"f: x\[0\] must be a finite number > 0; got 0"),
    ],
)
def test_what_is_not_those_values_together_is_refused(given, error, told):
    with pytest.raises(error, match=told):
        checks.together("a rate and its name", checks.POSITIVE, checks.TEXT)("f", "x", given)


def test_a_name_nearly_right_is_answered_with_the_right_one():
    sets = one_of("digits", "fashion-mnist")
    with pytest.raises(ValueError, match=r"got 'Fashion_MNIST' .did you mean 'fashion-mnist'"):
        sets("load", "name", "Fashion_MNIST")
    with pytest.raises(ValueError, match=r"got 'faces'$"):
        sets("load", "name", "faces")


def test_kinds_functions_and_what_may_be_left_out():
    assert optional(checks.TEXT)("f", "name", None) is None
    assert checks.PATH("f", "folder", Path("x")) == Path("x")
    assert checks.function("f", "step", len) is len
    for rule, told in (
        (checks.function, "f: x must be a function; got <class 'int'>"),
        (kind("a path", Path), "f: x must be a path; got <class 'int'>, a type"),
        (checks.MAPPING, "f: x must be a dictionary"),
        (kinds.NET, "f: x must be a net"),
        (kinds.OPTIMIZER, "f: x must be a torch optimizer"),
        (kinds.TENSOR, "f: x must be a torch tensor"),
        (kinds.device, "f: x must be the name of a device"),
    ):
        with pytest.raises(TypeError, match=told):
            rule("f", "x", int)


def test_a_value_is_shown_shortened_whatever_its_repr_does():
    class Bad:
        def __repr__(self):
            raise RuntimeError("no")

    assert shown(Bad()) == "a Bad"
    assert len(shown("x" * 10_000)) < 100
    assert len(shown([0] * 10_000)) < 220
    assert len(shown(10**4000)) < 100
