"""A user's own function as a schedule, kept by its name where it can be imported.

By name it compares, prints and pickles like any other value; a lambda works too, but then the
schedule equals only itself and cannot be pickled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from lrcourse.schedules.base import Schedule
from lrcourse.support.checks import NOT_NEGATIVE, POSITIVE, check, of_kind, optional, shown
from lrcourse.support.names import find_function, function_name


@dataclass(frozen=True, repr=False)
class from_function(Schedule):
    """A schedule from a function of t, or from its name as "module:function".

        factor(t) = f(t)            for t < length, or at every t where length is None
                    f(length)       after

    f is asked for one t at a time, an int where t is whole. What it returns must be a finite
    number >= 0, else asking raises ValueError (TypeError for what is no number) with the t and the
    value; an exception of its own passes through. A function that can be imported is stored as its
    name and found again when the schedule is read back; `Schedule` says what else follows from
    being a value.

    t < 0 is refused. t counts updates or epochs, as the training loop is told. The counterpart of
    torch's LambdaLR, which hands f the same t.

    Example:
        >>> from lrcourse import schedules as s
        >>> s.from_function("math:exp", length=1)([0, 1, 9]).round(3).tolist()
        [1.0, 2.718, 2.718]
    """

    f: Callable[[float], float] | str
    length: float | None = None  # pyright: ignore[reportIncompatibleMethodOverride]: a field
    _call: Callable[[float], float] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        keep_function(self, "f", "_call")
        check(self, length=optional(POSITIVE))

    @property
    def peak_at(self) -> None:
        return None  # only its author knows

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuilt(self)

    def _at(self, t: float) -> float:
        asked = whole_as_int(t if self.length is None else min(t, self.length))
        return NOT_NEGATIVE("from_function", f"f({asked!r})", self._call(asked))


def whole_as_int(t: float) -> float:
    """t as an int where it is whole: a user's function may look t up in a table."""
    return int(t) if t == int(t) else t


def keep_function(owner: Any, name: str, call: str) -> None:
    """Store the argument `name` by its importable name if it has one, and the function as `call`.

    Raises TypeError where it is neither a function nor a string, ValueError where the string
    leads to no function.
    """
    given = getattr(owner, name)
    if isinstance(given, type) or not (callable(given) or isinstance(given, str)):
        raise TypeError(
            f"{type(owner).__name__}: {name} must be a function or its name as 'module:function'; "
            f"got {shown(given)}, {of_kind(given)}"
        )
    function = find_function(given) if isinstance(given, str) else given
    object.__setattr__(owner, call, function)
    object.__setattr__(owner, name, given if isinstance(given, str) else function_name(given))


def rebuilt(owner: Any) -> tuple[Any, ...]:
    """For `__reduce__`: pickle the arguments alone, and find a named function again."""
    return type(owner), tuple(getattr(owner, each.name) for each in fields(owner) if each.init)
