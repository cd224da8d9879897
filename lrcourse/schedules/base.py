"""What a schedule is, and the two ways to join schedules: one after the other, and multiplied.

A schedule is a value: a frozen, pure function of the update number t (or of the epoch number,
as the training loop is told) that gives a factor of the peak learning rate.

    shape = warmup(5).then(cosine(25, floor=1 / 30))
    shape(7)              # the factor at t = 7, a float
    shape(range(30))      # the factors at t = 0 ... 29, an array

The named shapes are in `lrcourse.schedules`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any, cast, overload

import numpy as np
import numpy.typing as npt

from lrcourse.support.checks import NOT_NEGATIVE, POSITIVE, check, kind, of_kind, plain_number

_SEARCHED = 10_000  # whole t's, for the peak of a shape that does not say where it is


class Schedule(ABC):
    """A function of t that gives a factor of the peak learning rate.

    Every schedule is a frozen dataclass: it compares by value, hashes, pickles, and
    `eval(repr(shape), vars(lrcourse.schedules)) == shape`. The names of the shapes are lower case
    because they read as functions, `cosine(25)`, and are used as such.

    `length` is the number of t's that the shape takes, so t = length is where `then` starts the
    next one. From there on a schedule holds still: it never rebounds and never fails. It is None
    for a shape that goes on for ever, and 0 for one that never moves.

    To write a shape of your own, derive a frozen dataclass from this class and define `length`
    and `_at(t)`, which is asked for one finite float t >= 0 at a time.

    Example:
        >>> from dataclasses import dataclass
        >>> from lrcourse.schedules import Schedule
        >>> @dataclass(frozen=True, repr=False)
        ... class halves(Schedule):
        ...     length: float
        ...
        ...     def _at(self, t):
        ...         return 0.5 ** min(t, self.length)
        >>> halves(3)([0, 1, 3, 9]).tolist()
        [1.0, 0.5, 0.125, 0.125]
    """

    if TYPE_CHECKING:  # at run time a field of that name, as warmup has it, could not be set

        @property
        @abstractmethod
        def length(self) -> float | None: ...
    else:
        length: float | None

    @property
    def peak_at(self) -> float | None:
        """The first t at which the factor is as high as it is meant to get; None if not known.

        0 for a fall, also for one whose arguments make it rise. A shape that does not say it is
        searched, over the whole t's of its length (or the first 10,000); one without a length is
        not known.
        """
        if self.length is None:
            return None
        factors = self(range(min(math.ceil(self.length), _SEARCHED) + 1))
        return int(np.argmax(factors))

    @property
    def holds_until(self) -> float:
        """The t of the first change of a shape that waits for it (steps, restarts), else 0."""
        return 0

    # NumPy's numbers must leave `np.float64(0.5) * shape` to __rmul__.
    __array_ufunc__ = None

    @abstractmethod
    def _at(self, t: float) -> float:
        """The factor at one t, a finite float >= 0."""

    @overload
    def __call__(self, t: float) -> float: ...  # pyright: ignore[reportOverlappingOverload]: a number is like an array too

    @overload
    def __call__(self, t: npt.ArrayLike) -> npt.NDArray[np.float64]: ...

    def __call__(self, t):
        """The factor of the peak learning rate at t.

        t: a real number >= 0, or an array or (nested) list of them, of any shape. Gives a float
        for a number and a float64 array of the same shape for an array, bit for bit alike.
        Raises ValueError where t is negative, NaN or infinite, and TypeError where it is no
        number.
        """
        if isinstance(t, (int, float)) and not isinstance(t, bool):
            return self._checked(t)
        times = _as_array(t)
        # One by one, not by NumPy's vector loops: those may round otherwise than a single call
        # does, and the learning rate that is drawn has to be the one that is applied.
        factors = [self._checked(one) for one in times.ravel().tolist()]
        if times.ndim == 0:
            return factors[0]
        return np.array(factors, dtype=np.float64).reshape(times.shape)

    def _checked(self, t: float) -> float:
        if not 0 <= t < math.inf:
            raise ValueError(
                f"t must be a finite number >= 0, the count of updates (or epochs) already made; "
                f"got {t!r}"
            )
        try:
            factor = float(self._at(float(t)))
        except OverflowError:
            factor = math.inf
        if not math.isfinite(factor):
            raise ValueError(
                f"{self!r} gives {factor} at t={t:g}: the factor of a learning rate must be "
                f"finite; use a smaller growth rate or a shorter training"
            )
        return factor

    def then(self, second: Schedule, after: float | None = None) -> Then:
        """This schedule until t = `after` (its own length where not given), then `second`.

        `second` starts at its own t = 0. Raises ValueError where this schedule has no length of
        its own (constant, step, restarts ...) and `after` is not given.
        """
        return Then(self, second, after)

    def __mul__(self, other: Schedule | float) -> Product:
        return Product(self, _as_schedule(other))

    def __rmul__(self, other: float) -> Product:
        return Product(_as_schedule(other), self)

    def __repr__(self) -> str:
        return short_repr(self)

    def _needs_after(self) -> bool:
        """Whether `then` cannot know where the next schedule should start."""
        return not self.length


SCHEDULE = kind("a schedule, such as warmup(5).then(cosine(25))", Schedule)
_PART = kind(
    "a schedule (then joins two, and * multiplies two or one with a number, such as "
    "0.5 * warmup(5).then(cosine(25)))",
    Schedule,
)


class Fall(Schedule):
    """A schedule that begins at its peak: nothing but a wrong argument makes it rise above."""

    @property
    def peak_at(self) -> float:
        return 0


class Endless(Schedule):
    """A schedule that goes on for ever."""

    @property
    def length(self) -> None:
        return None


class Timed(Schedule):
    """A schedule that takes a time known before, its argument `total`."""

    total: float

    @property
    def length(self) -> float:
        return self.total


@dataclass(frozen=True, repr=False)
class constant(Fall):
    """The same factor at every t.

        factor(t) = factor

    Length 0: it never moves, so `constant().then(b)` needs `after=`. `factor` is finite and > 0.

    Equals torch's LambdaLR with a constant, transformers' `constant`, fastai's SchedNo. Torch's
    ConstantLR is something else, a warmup: see `warmup(..., ramp="constant")`.

    Example:
        >>> from lrcourse import schedules as s
        >>> s.constant(0.5)([0, 100]).tolist()
        [0.5, 0.5]
    """

    factor: float = 1

    def __post_init__(self) -> None:
        check(self, factor=POSITIVE)

    @property
    def length(self) -> float:
        return 0

    def _at(self, t: float) -> float:
        return self.factor


@dataclass(frozen=True, repr=False)
class Then(Schedule):
    """One schedule after another; write it `first.then(second)`.

        factor(t) = first(t)             for t < after
                    second(t - after)    for t >= after

    `after` is the first one's length where it is not given; given, it may cut the first short or
    let it hold. Length: after + second.length. `a.then(b).then(c)` and `a.then(b.then(c))` have
    equal values. The counterpart of torch's SequentialLR.

    Raises:
        ValueError: `after` is missing where the first one has no length of its own.

    Example:
        >>> from lrcourse import schedules as s
        >>> shape = s.warmup(4).then(s.linear(4))
        >>> shape, shape.length
        (warmup(4).then(linear(4)), 8)
        >>> shape(range(0, 9, 2)).tolist()
        [0.25, 0.75, 1.0, 0.5, 0.0]
    """

    first: Schedule
    second: Schedule
    after: float | None = None

    def __post_init__(self) -> None:
        check(self, first=_PART, second=_PART)
        if self.after is None:
            if self.first._needs_after():
                raise ValueError(
                    f"{self.first!r} has no length of its own: write then(..., after=n), where n "
                    f"is the t at which {self.second!r} starts"
                )
        else:
            check(self, after=NOT_NEGATIVE)
            if self.after == self.first.length and not self.first._needs_after():
                object.__setattr__(self, "after", None)  # two spellings of one value are equal

    @property
    def _start(self) -> float:
        return cast(float, self.first.length) if self.after is None else self.after

    @property
    def length(self) -> float | None:
        return None if self.second.length is None else self._start + self.second.length

    def _at(self, t: float) -> float:
        start = self._start
        return self.first._at(t) if t < start else self.second._at(t - start)

    def _needs_after(self) -> bool:
        return self.second._needs_after()

    def __repr__(self) -> str:
        first = f"({self.first!r})" if isinstance(self.first, Product) else repr(self.first)
        after = "" if self.after is None else f", after={self.after!r}"
        return f"{first}.then({self.second!r}{after})"


@dataclass(frozen=True, repr=False)
class Product(Schedule):
    """Two schedules multiplied; write it `a * b`, or `0.5 * a` for a number.

        factor(t) = left(t) * right(t)

    Length: the longer one's, None where either goes on for ever. The counterpart of torch's
    ChainedScheduler.

    Example:
        >>> from lrcourse import schedules as s
        >>> (0.5 * s.linear(10))([0, 5, 10]).tolist()
        [0.5, 0.25, 0.0]
    """

    left: Schedule
    right: Schedule

    def __post_init__(self) -> None:
        check(self, left=_PART, right=_PART)

    @property
    def length(self) -> float | None:
        left, right = self.left.length, self.right.length
        return None if left is None or right is None else max(left, right)

    def _at(self, t: float) -> float:
        return self.left._at(t) * self.right._at(t)

    def _needs_after(self) -> bool:
        if self.length == 0:
            return self.left._needs_after() or self.right._needs_after()
        return self.length is None

    def __repr__(self) -> str:
        right = f"({self.right!r})" if isinstance(self.right, Product) else repr(self.right)
        return f"{self.left!r} * {right}"


# Helpers of the shapes.


def blend(low: float, share: float) -> float:
    """The factor that lies `share` of the way from `low` up to 1; exactly 1 at share 1."""
    return low + (1 - low) * share


def remaining(progress: float, way: str) -> float:
    """What is left at `progress` (0 to 1) of a fall from 1 to 0: "linear", "cosine" or "sqrt"."""
    if way == "linear":
        return 1 - progress
    if way == "cosine":
        return (1 + math.cos(math.pi * progress)) / 2
    return 1 - math.sqrt(progress)


def short_repr(value: Any) -> str:
    """`name(a, b, c=...)` without the arguments that have their default."""
    shown = []
    for place, field in enumerate(fields(value)):
        argument = getattr(value, field.name)
        if not field.init or (field.default is not MISSING and argument == field.default):
            continue
        bare = place == 0 or field.default is MISSING
        shown.append(repr(argument) if bare else f"{field.name}={argument!r}")
    return f"{type(value).__name__}({', '.join(shown)})"


def _as_schedule(value: object) -> Any:
    number = plain_number(value)
    return value if number is None else constant(number)


def _as_array(t: npt.ArrayLike) -> npt.NDArray[np.float64]:
    try:
        times = np.asarray(t)
    except ValueError:
        raise TypeError(f"t must be a number or a regular array of numbers; got {t!r}") from None
    if times.dtype.kind not in "iuf" and times.size:
        raise TypeError(f"t must be a number or an array of numbers; got {t!r}, {of_kind(t)}")
    return times.astype(np.float64)
