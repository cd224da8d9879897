"""Answers that check themselves: what a reader fills in is looked at, and a wrong one gets a hint.

An answer is never an error: a `...` that was left in, a wrong type, NaN or a function that raises
is told of in a sentence. Each further wrong answer to the same question gets the next hint.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch

from lrcourse.support.checks import (
    NOT_NEGATIVE,
    NUMBER,
    TEXT,
    arguments,
    each,
    function,
    of_kind,
    optional,
    plain_number,
    shown,
    together,
)

_told: dict[tuple[str, ...], int] = {}  # how often the hints of a question were asked for
CLOSE = 1e-6  # how far two results of functions may lie apart, in parts of the largest number


@arguments(
    near=optional(NUMBER),
    within=NOT_NEGATIVE,
    between=optional(together("(lowest, highest)", NUMBER, NUMBER)),
    equals=optional(TEXT),
    like=optional(function),
    on=each(lambda owner, name, value: value, least=0),
    because=TEXT,
    hints=each(TEXT, least=0, into=tuple),
)
def check(
    answer: Any,
    *,
    near: float | None = None,
    within: float = 0.02,
    between: tuple[float, float] | None = None,
    equals: str | None = None,
    like: Callable[..., Any] | None = None,
    on: Iterable[Any] = (),
    because: str = "",
    hints: Iterable[str] = (),
) -> None:
    """Say whether an answer is right, and if it is not, what is wrong with it, with a hint.

    Exactly one of `near`, `between`, `equals` and `like` says what is right.

    Args:
        answer: what the reader wrote; anything.
        near: the right number.
        within: how far the answer may lie from it, in parts of it (of 1, where it is 0).
        between: the lowest and the highest number that is right.
        equals: the right word; capitals and surrounding spaces do not count.
        like: a right function: the answer is one that gives the same numbers.
        on: the inputs that both functions are tried on; a tuple holds several arguments.
        because: what is said after a right answer.
        hints: said one by one, the next after each wrong answer; the last is said again.

    Raises:
        ValueError: none or several of the four ways to be right, or `like` without `on`.

    Example:
        >>> from lrcourse import teach
        >>> hints = ["It is the loss of guessing.", "Take the logarithm of 10."]
        >>> teach.check(..., near=2.3026, hints=hints)
        Nothing is filled in yet: write your answer in place of the three dots.
        >>> teach.check(10, near=2.3026, hints=hints)
        Not yet: 10 is too large. Hint: It is the loss of guessing.
        >>> teach.check(2.303, near=2.3026, because="ten classes, each with a chance of 1/10")
        Right: ten classes, each with a chance of 1/10.
    """
    ways = {"near": near, "between": between, "equals": equals, "like": like}
    given = [name for name, way in ways.items() if way is not None]
    if len(given) != 1:
        raise ValueError(
            f"check: give one of {', '.join(ways)} to say what is right; got {given or 'none'}"
        )
    if (like is None) != (not on):
        raise ValueError(
            "check: on must be the inputs that a function is tried on, beside like; "
            f"got {shown(on)}"
        )
    hints = tuple(hints)
    if answer is ...:
        print("Nothing is filled in yet: write your answer in place of the three dots.")
        return
    if near is not None:
        room = within * (abs(near) or 1.0)
        fault = _number_fault(answer, near - room, near + room)
    elif between is not None:
        fault = _number_fault(answer, *between)
    elif equals is not None:
        fault = _word_fault(answer, equals)
    else:
        assert like is not None
        fault = _function_fault(answer, like, on)
    if fault is None:
        print(f"Right: {because.rstrip('.')}." if because else "Right.")
        return
    said = _told.get(hints, 0)
    _told[hints] = said + 1
    print(f"Not yet: {fault}." + (f" Hint: {hints[min(said, len(hints) - 1)]}" if hints else ""))


def _number_fault(answer: object, low: float, high: float) -> str | None:
    number = _number(answer)
    if number is None:
        return f"a number is wanted, and this is {of_kind(answer)}"
    if math.isnan(number):
        return "this is NaN, which is no number"
    if low <= number <= high:
        return None
    return f"{number:.6g} is too {'small' if number < low else 'large'}"


def _word_fault(answer: object, right: str) -> str | None:
    if not isinstance(answer, str):
        return f"a word in quotes is wanted, and this is {of_kind(answer)}"
    return None if answer.strip().casefold() == right.casefold() else f"it is not {shown(answer)}"


def _function_fault(answer: object, right: Callable[..., Any], on: Iterable[Any]) -> str | None:
    if not callable(answer):
        return f"a function is wanted, and this is {of_kind(answer)}"
    for given in on:
        arguments = given if isinstance(given, tuple) else (given,)
        call = f"for {', '.join(map(shown, arguments))}"
        try:
            got = answer(*arguments)
        except Exception as problem:  # of the reader's function, whatever it is
            return f"{call} it raises {type(problem).__name__}: {problem}"
        if got is ... or got is None:
            return f"{call} it returns {'nothing' if got is None else 'the three dots'}"
        wanted = _numbers(right(*arguments))
        numbers = _numbers(got)
        if numbers is None:
            return f"{call} it returns {of_kind(got)} where numbers are wanted"
        assert wanted is not None
        if numbers.shape != wanted.shape:
            return f"{call} it returns the shape {numbers.shape} where {wanted.shape} is wanted"
        if not np.allclose(
            numbers, wanted, rtol=CLOSE, atol=CLOSE * (np.abs(wanted).max(initial=0))
        ):
            return f"{call} it returns {_brief(numbers)} where {_brief(wanted)} is right"
    return None


def _number(answer: object) -> float | None:
    """The one number that an answer is: of Python, NumPy or torch; None for anything else."""
    number = plain_number(answer)
    if number is None and (values := _numbers(answer)) is not None and values.size == 1:
        return float(values.reshape(()))
    return number


def _numbers(answer: object) -> np.ndarray | None:
    """Whole and decimal numbers of Python, NumPy or torch; None for anything else."""
    try:
        detached = answer.detach() if isinstance(answer, torch.Tensor) else answer
        values = np.asarray(detached)
    except Exception:  # of an object that is asked for its numbers, whatever it is
        return None
    return values.astype(float) if values.dtype.kind in "iuf" else None


def _brief(values: np.ndarray) -> str:
    return np.array2string(values, precision=4, threshold=6)
