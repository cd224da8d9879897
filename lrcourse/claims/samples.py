"""Measurements over seeds, checked and brought into line before anything is computed from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from lrcourse.support.checks import each, optional, shown
from lrcourse.support.names import advised

FEWEST_SEEDS = 6

_WHAT_TO_DO_WITH_A_DIVERGED_RUN = (
    "say what a dead run is and leave such out, dead_below=0.15 or dead_above=2.3, and claim with "
    "share(...) how many die"
)


@dataclass(frozen=True)
class Dead:
    """What a dead run is: not finite, or on the wrong side of a limit. No limit: no run is."""

    below: float | None = None
    above: float | None = None

    def __post_init__(self) -> None:
        if self.below is not None and self.above is not None:
            raise ValueError(
                f"dead_below is {self.below:g} and dead_above {self.above:g}: a run is dead on one "
                "side, give one of them"
            )

    def __str__(self) -> str:
        side, limit = ("below", self.below) if self.above is None else ("above", self.above)
        return f"dead_{side}={limit:.3g}"

    @property
    def stated(self) -> bool:
        """Whether there is a limit."""
        return self.below is not None or self.above is not None

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Which of the values are those of dead runs."""
        if not self.stated:
            return np.zeros(values.shape, dtype=bool)
        beyond = values < self.below if self.above is None else values > self.above
        return ~np.isfinite(values) | beyond


@dataclass(frozen=True)
class Pair:
    """Two arms at the seeds that count, the same seed at the same place.

    `n` is the number of all seeds, and `seeds` are all of them where the arms name them; `names`
    are those, or their positions, and `alive` says which of them count.
    """

    first: np.ndarray
    second: np.ndarray
    n: int
    counted: str
    seeds: tuple[Hashable, ...]
    names: list[Any]
    alive: np.ndarray

    def points(self, values: np.ndarray) -> dict[Any, float]:
        """A value for each name, NaN for those that do not count."""
        every = np.full(len(self.names), np.nan)
        every[self.alive] = values
        return dict(zip(self.names, every.tolist(), strict=True))


NO_LIMIT = Dead()


class Unfit(ValueError):
    """Measurements of the right kind, on which no interval is right; a run may have died."""


def _seed(owner: str, name: str, value: object) -> object:
    """Rule: something that tells one run from another."""
    if isinstance(value, Hashable) and value is not None:
        return value
    raise TypeError(f"{owner}: {name} must be a seed; got {shown(value)}")


SEED = _seed
SEEDS = optional(each(SEED))


def pair(
    a: Any,
    b: Any,
    seeds: Sequence[Hashable] | None = None,
    dead: Dead = NO_LIMIT,
    *,
    never: bool = False,
) -> Pair:
    """Two arms, without the seeds at which one of them is dead; `never`: infinite values may be.

    The forms of an arm, and what is refused with a ValueError, stand with `evidence.paired`.
    """
    values_a, values_b, names, named = matched(a, b, seeds)
    enough(len(names))
    alive = ~(dead(values_a) | dead(values_b))
    counted = "seeds"
    if dead.stated:
        counted = f"seeds ({len(names) - int(alive.sum())} dead, left out)"
        if alive.sum() < FEWEST_SEEDS:
            raise Unfit(
                f"with {dead} both arms live at {alive.sum()} of {len(names)} seeds, too few to "
                f"compare them there (at least {FEWEST_SEEDS}): claim with share(...) how many die"
            )
    for values, which in ((values_a, "a"), (values_b, "b")):
        bad = alive & ((np.isnan(values) | (values == -np.inf)) if never else ~np.isfinite(values))
        if bad.any():
            wrong = [f"{values[k]} at {named} {names[k]}" for k in np.flatnonzero(bad)]
            raise Unfit(f"arm {which} has {', '.join(wrong)}: {_WHAT_TO_DO_WITH_A_DIVERGED_RUN}")
    seeds_named = tuple(names) if named == "seed" else ()
    return Pair(values_a[alive], values_b[alive], len(names), counted, seeds_named, names, alive)


def matched(
    a: Any, b: Any, seeds: Sequence[Hashable] | None = None
) -> tuple[np.ndarray, np.ndarray, list[Hashable], str]:
    """Values of both arms, the same seed at the same place, the seeds, and how they are named."""
    (values_a, seeds_a), (values_b, seeds_b) = arm(a, "a"), arm(b, "b")
    if seeds is not None:
        if seeds_a is not None or seeds_b is not None:
            raise ValueError("the arms name their seeds themselves: leave seeds= out")
        seeds_a = seeds_b = _distinct(list(seeds), "seeds")
        for values, which in ((values_a, "a"), (values_b, "b")):
            _fit(values, seeds_a, f"seeds is {shown(seeds)}, and {which}")
    if (seeds_a is None) != (seeds_b is None):
        raise ValueError("one arm names its seeds and the other does not: give both in one form")
    if seeds_a is None or seeds_b is None:
        if len(values_a) != len(values_b):
            raise ValueError(
                f"the arms a and b have {len(values_a)} and {len(values_b)} values: a paired claim "
                "needs both on the same seeds"
            )
        seeds_a = seeds_b = list(range(len(values_a)))
        named = "position"
    else:
        named = "seed"
    if set(seeds_a) != set(seeds_b):
        raise ValueError(
            "the arms did not run on the same seeds: only a has "
            f"{_listed(set(seeds_a) - set(seeds_b))}, only b "
            f"{_listed(set(seeds_b) - set(seeds_a))}"
        )
    place = {seed: i for i, seed in enumerate(seeds_b)}
    return values_a, values_b[[place[seed] for seed in seeds_a]], list(seeds_a), named


def columns(y: Any) -> tuple[np.ndarray, bool]:
    """Values at points, shape (points,), or a row per seed, shape (seeds, points); and which.

    Raises ValueError for NaN or infinite values, and for fewer than six seeds.
    """
    if isinstance(y, Mapping):
        rows, y = y, list(y.values())
        if not y or any(np.ndim(row) == 0 for row in y):
            raise ValueError(
                f"y is {shown(rows)}: as a mapping it is seed -> values at the points, in the "
                "order of x"
            )
    values = float_array(y, "y")
    if values.ndim not in (1, 2):
        raise ValueError(
            f"y is {shown(y)}, of shape {values.shape}: give (points,) or (seeds, points)"
        )
    if values.ndim == 2:
        enough(len(values))
    return values, values.ndim == 2


def enough(seeds: int) -> None:
    """Raise ValueError for fewer seeds than a claim may rest on."""
    if seeds < FEWEST_SEEDS:
        raise ValueError(
            f"{seeds} seeds are too few for a claim: give {FEWEST_SEEDS} at least, better ten"
        )


def float_array(values: Any, name: str, *, finite: bool = True) -> np.ndarray:
    """Any nesting of numbers as a float64 array; ValueError for others, and for NaN and inf."""
    try:
        array = np.asarray(values)
        texts = array.dtype.kind == "O" and any(isinstance(v, str | bytes) for v in array.flat)
        if texts or array.dtype.kind in "SU":
            raise TypeError("numbers, not texts, are compared")
        if array.dtype.kind in "mM":
            raise TypeError("numbers, not times, are compared: give seconds")
        if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
            raise TypeError("some of its values are masked: leave them out, with their seeds")
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"{name} is not an array of numbers, but {shown(values)}: {error}"
        ) from None
    if finite and not np.isfinite(array).all():
        raise Unfit(
            f"{name} is {shown(values)}, with {int((~np.isfinite(array)).sum())} NaN or infinite "
            f"values: {_WHAT_TO_DO_WITH_A_DIVERGED_RUN}"
        )
    return array


def positive(values: np.ndarray, why: str) -> np.ndarray:
    """The values, all of them above zero, or they are Unfit."""
    if (values <= 0).any():
        raise Unfit(f"{why} takes ratios, and {values.min():g} is not above 0")
    return values


def scipy_stats() -> ModuleType:
    """SciPy's statistics, which only claims need: the package works without them."""
    with advised("claims take their intervals from SciPy: pip install 'lrcourse[course]'"):
        from scipy import stats
    return stats


def arm(given: Any, which: str) -> tuple[np.ndarray, list[Hashable] | None]:
    """Values, shape (seeds,), and their seeds where the arm names them."""
    seeds: list[Hashable] | None = None
    if isinstance(given, Mapping):
        values, seeds = list(given.values()), list(given)
    elif hasattr(given, "to_numpy") and hasattr(given, "index"):
        values, seeds = given.to_numpy(), list(given.index)
    elif isinstance(given, tuple) and len(given) == 2 and all(np.ndim(part) == 1 for part in given):
        values, seeds = given[0], list(np.asarray(given[1]).tolist())
    else:
        values = given if hasattr(given, "__array__") else _listable(given, which)
    array = float_array(values, which, finite=False)
    if array.ndim != 1:
        raise ValueError(
            f"{which} is {shown(given)}, of shape {array.shape}: give one value per seed"
        )
    if not array.size:
        raise ValueError(f"{which} is {shown(given)}: 0 seeds are too few, give one value per seed")
    if seeds is not None:
        _distinct(seeds, f"the seeds of {which}")
        _fit(array, seeds, which)
    return array, seeds


def _listable(arm: Any, which: str) -> list[Any]:
    if isinstance(arm, str | bytes | set | frozenset) or not isinstance(arm, Iterable):
        raise TypeError(
            f"{which} is {shown(arm)}: give a mapping seed -> value, a pair (values, seeds), or a "
            "sequence of values"
        )
    return list(arm)


def _distinct(seeds: list[Hashable], what: str) -> list[Hashable]:
    twice = [seed for seed, times in Counter(seeds).items() if times > 1]
    if twice:
        raise ValueError(f"{what} name {_listed(set(twice))} more than once: one run per seed")
    return seeds


def _fit(values: np.ndarray, seeds: list[Hashable], which: str) -> None:
    if len(values) != len(seeds):
        raise ValueError(f"{which} has {len(values)} values for {len(seeds)} seeds")


def _listed(seeds: set[Hashable]) -> str:
    return ", ".join(sorted(map(str, seeds))) or "none"
