"""Arguments checked in one way: a rule says in words what it takes, and every message is alike.

For a function, a decorator; the rules turn NumPy's numbers into Python's own:

    @arguments(lr=POSITIVE, updates=COUNT_FROM_1, title=TEXT, jobs=optional(COUNT_FROM_1))
    def something(net, lr, updates, title="", jobs=None): ...

For a frozen dataclass, in `__post_init__`:

    check(self, length=POSITIVE, floor=FRACTION)

A rule is any function of (owner, name, value) that gives the value to use. It raises TypeError for
a wrong kind and ValueError for a wrong value, and says which argument it was, what was given and
what would be right.
"""

from __future__ import annotations

import functools
import inspect
import math
import numbers
import os
import re
import reprlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
Rule = Callable[[str, str, object], Any]

_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 80


def arguments(**rules: Rule) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function: each rule is applied to the argument of its name at every call.

    An argument that is left out is not checked: its default stands as it is. A rule with the name
    of `*args` or `**kwargs` is applied to each of them.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)
        unknown = sorted(rules.keys() - signature.parameters.keys())
        if unknown:
            raise TypeError(f"{function.__name__} has no {', '.join(unknown)} to check")
        owner = function.__qualname__.removesuffix(".__init__").rpartition(".")[2]

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                bound = signature.bind(*args, **kwargs)
            except TypeError as problem:
                raise TypeError(f"{owner}: {problem}") from None
            for name, rule in rules.items():
                if name not in bound.arguments:
                    continue
                value, kind = bound.arguments[name], signature.parameters[name].kind
                if kind is inspect.Parameter.VAR_POSITIONAL:
                    bound.arguments[name] = tuple(rule(owner, name, each) for each in value)
                elif kind is inspect.Parameter.VAR_KEYWORD:
                    bound.arguments[name] = {k: rule(owner, k, each) for k, each in value.items()}
                else:
                    bound.arguments[name] = rule(owner, name, value)
            return function(*bound.args, **bound.kwargs)

        return checked

    return decorate


@dataclass(frozen=True)
class Shared:
    """`arguments` for functions that share names: a rule for a name goes for each of them.

    measuring = Shared({"net": NET, "seed": COUNT})
    @measuring(lr=POSITIVE)
    def something(net, lr, seed=0): ...
    """

    rules: Mapping[str, Rule]

    def __call__(self, **own: Rule) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """A decorator; the function's own rules come before the shared ones."""

        def decorate(function: Callable[P, R]) -> Callable[P, R]:
            names = inspect.signature(function).parameters
            shared = {name: rule for name, rule in self.rules.items() if name in names}
            return arguments(**(shared | own))(function)

        return decorate


def check(owner: Any, **rules: Rule) -> None:
    """Apply each rule to the attribute of that name, also of a frozen dataclass."""
    for name, rule in rules.items():
        value = rule(type(owner).__name__, name, getattr(owner, name))
        object.__setattr__(owner, name, value)


def shown(value: object) -> str:
    """A value in a message: its repr, shortened, whatever that does; an array with its shape."""
    try:
        if isinstance(value, str | bytes | int):
            return _short.repr(value)
        shape = getattr(value, "shape", None)
        told = f" of shape {tuple(shape)}" if isinstance(shape, tuple) and shape else ""
        text = repr(value)
        return (text if len(text) <= 200 else f"{text[:200]} ...") + told
    except Exception:
        return of_kind(value)


def of_kind(value: object) -> str:
    """A value's class with its article, as in "an int"."""
    return with_article(type(value).__name__)


def with_article(word: str) -> str:
    """A word with its article, as it is spoken: an int, a uint8, an ndarray, an SGD."""
    return f"{'an' if _SPOKEN_WITH_A_VOWEL.match(word) else 'a'} {word}"


_SPOKEN_WITH_A_VOWEL = re.compile("[aeioAEIO]|[uU]n(?!i)|ndarray|[FLMNRSX](?![a-z])")


@dataclass(frozen=True)
class Number:
    """Which numbers an argument takes, with the words for it."""

    wanted: str
    accepts: Callable[[float], bool]
    whole: bool = False
    most: float = math.inf  # told only where it is passed

    def __call__(self, owner: str, name: str, value: object) -> Any:
        """The value as a plain int or float; TypeError or ValueError where it is not taken."""
        number = plain_number(value)
        problem = f"{owner}: {name} must be {self.wanted}; got {shown(value)}"
        if number is None:
            raise TypeError(f"{problem}, {of_kind(value)}")
        if number > self.most:
            raise ValueError(f"{problem}, and the largest that can be counted to is {self.most}")
        if not (math.isfinite(number) and self.accepts(number)):
            raise ValueError(problem)
        if self.whole and number != int(number):
            raise ValueError(problem)
        return int(number) if self.whole else number


def whole(least: int, most: int | None = None) -> Number:
    """A whole number from `least` on, or from `least` to `most`."""
    if most is None:
        return Number(f"a whole number >= {least}", lambda v: least <= v, True, _MOST)
    return Number(f"a whole number from {least} to {most}", lambda v: least <= v <= most, True)


_MOST = 2**53  # beyond it a float no longer counts by ones, and no loop ends
NUMBER = Number("a finite number", lambda v: True)
POSITIVE = Number("a finite number > 0", lambda v: v > 0)
NOT_NEGATIVE = Number("a finite number >= 0", lambda v: v >= 0)
FRACTION = Number("a number from 0 to 1", lambda v: 0 <= v <= 1)
BELOW_1 = Number("a number from 0 to below 1", lambda v: 0 <= v < 1)
BETWEEN_0_AND_1 = Number("a number between 0 and 1, both excluded", lambda v: 0 < v < 1)
AT_LEAST_1 = Number("a finite number >= 1", lambda v: v >= 1)
COUNT = whole(0)
COUNT_FROM_1 = whole(1)


def one_of(*choices: object) -> Rule:
    """One of the values named, compared by ==; names are best: one nearly right is answered."""

    def checked(owner: str, name: str, value: object) -> Any:
        known = (value is None or isinstance(value, str | int)) and value in choices
        if known and not (isinstance(value, bool) and value not in (True, False)):
            return value
        listed = ", ".join(map(repr, choices))
        problem = f"{owner}: {name} must be one of {listed}; got {shown(value)}"
        if not isinstance(value, tuple({type(one) for one in choices})):
            raise TypeError(problem)
        raise ValueError(f"{problem}{_near(value, choices)}")

    return checked


def _near(value: object, choices: Iterable[object]) -> str:
    import difflib  # needed by a message alone

    names = [one for one in choices if isinstance(one, str)]
    spelled = str(value).lower().replace("_", "-")
    near = difflib.get_close_matches(spelled, names, 1, 0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""


def kind(wanted: str, *types: type) -> Rule:
    """An instance of one of the types; `wanted` says so in words, with its article."""

    def checked(owner: str, name: str, value: object) -> Any:
        if isinstance(value, types):
            return value
        told = f"{owner}: {name} must be {wanted}; got {shown(value)}, {of_kind(value)}"
        raise TypeError(told)

    return checked


TEXT = kind("a string", str)
PATH = kind("a path", str, os.PathLike)
FLAG = kind("True or False", bool)
MAPPING = kind("a dictionary", dict)


def function(owner: str, name: str, value: object) -> Any:
    """Rule: something that can be called, and no class."""
    if callable(value) and not isinstance(value, type):
        return value
    raise TypeError(f"{owner}: {name} must be a function; got {shown(value)}")


def optional(rule: Rule) -> Rule:
    """The rule, or None."""

    def checked(owner: str, name: str, value: object) -> Any:
        return None if value is None else rule(owner, name, value)

    return checked


def such(rule: Rule, accepts: Callable[[Any], object], wanted: str) -> Rule:
    """The rule, and of what it gives only what is accepted; `wanted` says in words what that is."""

    def checked(owner: str, name: str, value: object) -> Any:
        taken = rule(owner, name, value)
        if accepts(taken):
            return taken
        raise ValueError(f"{owner}: {name} must be {wanted}; got {shown(value)}")

    return checked


def each(rule: Rule, least: int = 1, into: type = list, wanted: str = "a sequence") -> Rule:
    """A sequence (any iterable but a string or bytes) of at least `least` values, `into` a list."""

    def checked(owner: str, name: str, value: object) -> Any:
        values = _listed(owner, name, value, wanted)
        if len(values) < least:
            raise ValueError(
                f"{owner}: {name} must have {least} or more values; it has {len(values)}"
            )
        return into(rule(owner, f"{name}[{k}]", one) for k, one in enumerate(values))

    return checked


def together(wanted: str, *rules: Rule) -> Rule:
    """As many values as there are rules, in their order, as a tuple; `wanted` names them all."""

    def checked(owner: str, name: str, value: object) -> tuple[Any, ...]:
        values = _listed(owner, name, value, wanted)
        if len(values) != len(rules):
            raise ValueError(f"{owner}: {name} must be {wanted}; got {shown(value)}")
        pairs = enumerate(zip(rules, values, strict=True))
        return tuple(rule(owner, f"{name}[{k}]", one) for k, (rule, one) in pairs)

    return checked


def _listed(owner: str, name: str, value: object, wanted: str) -> list[Any]:
    values = value
    if not isinstance(value, type) and (listed := getattr(value, "tolist", None)):
        values = listed()  # of an array or a tensor: plain numbers
    if isinstance(values, str | bytes | dict) or not isinstance(values, Iterable):
        raise TypeError(f"{owner}: {name} must be {wanted}; got {shown(value)}")
    return list(values)


def plain_number(value: object) -> float | None:
    """An int or a float from any real number (NumPy's too); None for a bool or a non-number."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return math.inf if abs(value) == value else -math.inf
    return int(value) if isinstance(value, numbers.Integral) else number
