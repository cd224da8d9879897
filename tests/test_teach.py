"""Answers of every kind: right ones however they are written, wrong ones with what is wrong."""

import math
from fractions import Fraction
from itertools import count

import numpy as np
import pytest
import torch

from lrcourse import teach

new = count()


def hints():
    """Hints that no other test has asked for."""
    return [f"first {next(new)}", "second"]


@pytest.fixture
def said(capsys):
    def said(answer, **right):
        teach.check(answer, **right)
        return capsys.readouterr().out.strip()

    return said


@pytest.mark.parametrize(
    "answer", [0.3, np.float32(0.3), np.array([0.3]), torch.tensor(0.3), Fraction(3, 10), [0.3]]
)
def test_a_right_number_is_right_however_it_is_written(said, answer):
    assert said(answer, near=0.3) == "Right."


def test_a_weight_that_is_trained_is_a_number(said):
    assert said(torch.tensor(0.3, requires_grad=True), between=(0.2, 0.4)) == "Right."


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("0.3", "a number is wanted, and this is a str"),
        (None, "a number is wanted, and this is a NoneType"),
        (True, "a number is wanted, and this is a bool"),
        ([1, 2], "a number is wanted, and this is a list"),
        (math.nan, "this is NaN"),
        (math.inf, "inf is too large"),
        (10**400, "too large"),
        (1j, "a number is wanted"),
        (lambda: 1, "a number is wanted, and this is a function"),
        (0.29, "0.29 is too small"),
    ],
)
def test_what_is_no_right_number_is_told(said, answer, told):
    assert told in said(answer, near=0.3, within=0.01)


class Hostile:
    def __array__(self, *args, **kwargs):
        raise RuntimeError("no")

    def __repr__(self):
        raise RuntimeError("no")

    def __getattr__(self, name):
        raise RuntimeError("no")


def test_an_object_that_raises_whatever_it_is_asked_is_told(said):
    assert "Not yet" in said(Hostile(), near=1)
    assert "Not yet" in said(Hostile(), equals="a")


@pytest.mark.parametrize("right", [{"near": 1}, {"equals": "a"}, {"like": abs, "on": [1]}])
def test_three_dots_are_no_answer_and_cost_no_hint(said, right):
    told = hints()
    assert said(..., hints=told, **right).startswith("Nothing is filled in yet")
    assert said(object(), hints=told, **right).endswith(told[0])


def test_each_further_wrong_answer_gets_the_next_hint_and_the_last_is_said_again(said):
    told = hints()
    ends = [said(wrong, near=1, hints=told).split("Hint: ")[1] for wrong in (2, 3, 4)]
    assert ends == [told[0], "second", "second"]


def test_what_is_said_after_a_right_answer(said):
    assert said(" Cosine", equals="cosine", because="it ends at 0") == "Right: it ends at 0."


def test_a_function_is_right_if_its_numbers_are(said):
    def warmup(t):
        return torch.clamp((torch.as_tensor(t) + 1) / 10, max=1.0)

    on = [0, 5, np.arange(20)]
    assert said(warmup, like=lambda t: np.minimum((t + 1) / 10, 1), on=on) == "Right."


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (3, "a function is wanted, and this is an int"),
        (lambda x: 1 / 0, "for 2 it raises ZeroDivisionError: division by zero"),
        (lambda: 1, "for 2 it raises TypeError"),
        (lambda x: None, "for 2 it returns nothing"),
        (lambda x: ..., "for 2 it returns the three dots"),
        (lambda x: "4", "for 2 it returns a str where numbers are wanted"),
        (lambda x: [x, x], "for 2 it returns the shape (2,) where () is wanted"),
        (lambda x: 2 * x, "for 3 it returns 6. where 9. is right"),
        (lambda x: math.nan, "for 2 it returns nan where 4. is right"),
    ],
)
def test_what_is_wrong_with_a_function_is_told_with_the_input(said, answer, told):
    assert told in said(answer, like=lambda x: x * x, on=[2, 3])


def test_several_arguments_are_a_tuple(said):
    assert said(max, like=lambda a, b: a if a > b else b, on=[(1, 2), (3, 1)]) == "Right."


@pytest.mark.parametrize("right", [{}, {"near": 1, "equals": "a"}])
def test_a_question_without_one_right_answer_is_refused(right):
    with pytest.raises(ValueError, match="give one of near, between, equals, like"):
        teach.check(1, **right)


@pytest.mark.parametrize("right", [{"like": abs}, {"near": 1, "on": [1]}])
def test_a_function_and_its_inputs_belong_together(right):
    with pytest.raises(ValueError, match="on must be the inputs"):
        teach.check(1, **right)


@pytest.mark.parametrize(("right", "answer"), [(100, 98), (-100, -102), (0, 0.02)])
def test_within_is_a_part_of_the_right_number_and_of_one_where_that_is_0(said, right, answer):
    assert said(answer, near=right, within=0.02) == "Right."
    assert "Not yet" in said(answer, near=right, within=0.019)
