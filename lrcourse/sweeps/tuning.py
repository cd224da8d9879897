"""From a training function of one's own to a rate: the course's recipe, carried to its end.

def train(lr, seed): ...            # any framework; returns the validation loss
found = sweeps.tune(train, start=0.1)
found                               # the sentence
found.table()
found.plot()
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lrcourse.support.checks import (
    COUNT,
    COUNT_FROM_1,
    FLAG,
    PATH,
    TEXT,
    Number,
    arguments,
    each,
    function,
    optional,
    shown,
    such,
    whole,
)
from lrcourse.sweeps import user_code
from lrcourse.sweeps.own_training import Call, Judge, Outcome, Train, call_and_keep
from lrcourse.sweeps.records import Records
from lrcourse.sweeps.resuming import Done, finished, naming
from lrcourse.sweeps.rules import RATE
from lrcourse.sweeps.tuned import TriedRate, Tuned
from lrcourse.sweeps.workers import JOBS, jobs_asked_for, side_by_side

LOWEST, HIGHEST = 1e-12, 1e12  # beyond these no rate is tried that was not given
RATIO = 10**0.5
RATIOS = Number("a finite number >= 1.1", lambda v: v >= 1.1)


def train_rule(owner: str, name: str, value: object) -> Train:
    """Rule: a function that can be called with a rate and a seed."""
    taken = function(owner, name, value)
    if inspect.iscoroutinefunction(taken) or inspect.isasyncgenfunction(taken):
        raise TypeError(f"{owner}: {name} must be a plain function, no async def; got {_of(taken)}")
    try:
        inspect.signature(taken).bind(0.1, 0)
    except ValueError:  # a function of C that tells no signature
        return taken
    except TypeError as problem:
        raise TypeError(
            f"{owner}: {name} must be a function of a rate and a seed, train(lr, seed); "
            f"got {_of(taken)} ({problem}). functools.partial holds its other arguments"
        ) from None
    return taken


def start_rule(owner: str, name: str, value: object) -> float:
    """Rule: a rate, or what has one: the suggestion of a range test."""
    if hasattr(value, "lr") and hasattr(value, "doubts") and value.lr is None:  # pyright: ignore
        raise ValueError(
            f"{owner}: {name}: this range test gives no rate to trust; give a number, such as the "
            "usual rate of your optimizer"
        )
    return RATE(owner, name, getattr(value, "lr", value))


def seeds_rule(owner: str, name: str, value: object) -> list[int]:
    """Rule: seeds, one at least and none twice."""
    seeds: list[int] = each(COUNT)(owner, name, value)
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"{owner}: {name} must differ from each other; got {shown(value)}")
    return seeds


def _several(owner: str, name: str, value: object) -> list[float]:
    rates = each(RATE)(owner, name, value)
    if len(set(rates)) < 2:
        raise ValueError(
            f"{owner}: {name} must be two rates at least, to say which is better; got "
            f"{shown(value)} (start={rates[0]:g} tries five around it)"
        )
    return sorted(set(rates))


@arguments(
    train=train_rule,
    start=optional(start_rule),
    rates=optional(_several),
    ratio=such(RATIOS, lambda v: v <= 100, "a number from 1.1 to 100"),
    seeds=seeds_rule,
    most_rates=whole(2, 1000),
    most_seeds=COUNT_FROM_1,
    column=optional(TEXT),
    higher=optional(FLAG),
    records=optional(PATH),
    jobs=optional(JOBS),
    progress=optional(FLAG),
)
def tune(
    train: Train,
    *,
    start: Any = None,
    rates: Iterable[float] | None = None,
    ratio: float = RATIO,
    seeds: Iterable[int] = (0, 1),
    most_rates: int = 12,
    most_seeds: int = 5,
    column: str | None = None,
    higher: bool | None = None,
    records: str | Path | None = None,
    jobs: int | None = None,
    progress: bool | None = None,
) -> Tuned:
    """Find the rate of a training function of your own, in whatever framework.

    Five rates at the ratio of sqrt(10) around `start`, each with the same seeds. Where the best of
    them, or one that the seeds' noise leaves equal to it, is the lowest or the highest, the next
    rate beyond is tried, until it is worse on both sides; where rates are equal, they get more
    seeds. At most `most_rates` times `most_seeds` runs are made.

    A run that ends in NaN or infinity, or with an error that says so (FloatingPointError,
    OverflowError, "overflow", "non-finite", ...), is a result: its rate is worse than every other.

    Where `train` is a generator that yields the validation loss as it goes, its last value counts,
    and a bad run is stopped early: at NaN or infinity; and, from a third of the length of the best
    finished run on, where its lowest loss so far is above that of the best run at the same place
    by more than half of all that the best run gained from its first value to its last.

    Before each call the random numbers of Python, NumPy and torch begin from the seed. Each
    finished run is kept, by the function's code, what it reads, its rate and its seed: after a kill
    the same call goes on, and a second one takes no training.

    Args:
        train: `train(lr, seed)`, or with more arguments in a `functools.partial`. It returns the
            validation loss, or a dictionary of numbers, or yields either.
        start: the rate in the middle, or the suggestion of a range test; default 0.1.
        rates: what to try first, instead of `start`.
        ratio: of a rate to the next, from 1.1 to 100.
        seeds: that every rate gets.
        most_rates, most_seeds: how many rates there may be, and seeds for each.
        column: which number of a dictionary counts.
        higher: whether higher is better; default: where the column is an accuracy or a score.
        records: the folder, below which they lie in `tune`; default as in `run`.
        jobs: processes side by side; default: the backend and count of an active
            `joblib.parallel_config`, else this process alone. -1 is one per core.
        progress: a bar that shows how many runs are left; None decides by itself.

    Raises:
        ValueError, TypeError: an argument; or a function that gives the same number at every rate.
        RunFailed: an error in the function that is no divergence, or something else than a number:
            it names rate and seed, and the folder in which the finished runs are kept.
        StaleCode: a module was edited after it was imported.

    Example:
        >>> import tempfile
        >>> from math import log10
        >>> from lrcourse import sweeps
        >>> def train(lr, seed):
        ...     return (log10(lr) + 2) ** 2 + 0.01 * seed
        >>> sweeps.tune(train, start=0.1, records=tempfile.mkdtemp())
        Use 0.01: value 0.005 ± 0.0071 (2 seeds, lower is better). Worse on both sides (...). ...
    """
    if start is not None and rates is not None:
        raise ValueError("tune: give start or rates, not both")
    middle = 0.1 if start is None else start
    first = list(rates) if rates else [middle * ratio**k for k in range(-2, 3)]
    ends = first[0], first[-1]
    first = first if rates else [_rounded(lr) for lr in first]
    search = _Search(train, Judge(column, higher), records, jobs, progress)
    order = [*seeds, *(n for n in range(most_seeds) if n not in set(seeds))]
    wanted = dict.fromkeys(first, len(order[: len(list(seeds))]))
    if inspect.isgeneratorfunction(inspect.unwrap(train)):  # the others are compared with it
        search.run([(first[len(first) // 2], seed) for seed in seeds])
    while True:
        search.run([(lr, seed) for lr, n in wanted.items() for seed in order[:n]])
        found = search.found(most_rates)
        _refuse_constant(found)
        if more := _beyond(found, first, ends, ratio)[: most_rates - len(found.rates)]:
            wanted |= dict.fromkeys(more, len(list(seeds)))
        elif fewest := _fewest_of_equal(found, wanted, max(most_seeds, len(list(seeds)))):
            wanted |= {lr: max(wanted[lr], fewest + 1) for lr in found.equal}
        else:
            return found


def _rounded(lr: float) -> float:
    """Three digits: a rate that one writes down, and the same on every machine."""
    return float(f"{lr:.3g}")


def _beyond(
    found: Tuned, first: list[float], ends: tuple[float, float], ratio: float
) -> list[float]:
    """The next rates on the sides on which it is not yet worse."""
    below = sum(one.lr < first[0] for one in found.rates)
    above = sum(one.lr > first[-1] for one in found.rates)
    sides = {"lowest": ends[0] / ratio ** (below + 1), "highest": ends[1] * ratio ** (above + 1)}
    more = [_rounded(lr) for name, lr in sides.items() if name in found.edge]
    return [lr for lr in more if LOWEST <= lr <= HIGHEST]


def _fewest_of_equal(found: Tuned, wanted: Mapping[float, int], most: int) -> int:
    """How many seeds the equal rate with the fewest has; 0 where no more are to be added."""
    fewest = min((wanted[lr] for lr in found.equal), default=0)
    return fewest if len(found.equal) > 1 and found.noise > 0 and fewest < most else 0


def _refuse_constant(found: Tuned) -> None:
    """ValueError where the function gives each seed the same number at every rate."""
    alive = [one.values for one in found.rates if one.is_whole]
    if len(alive) == len(found.rates) > 2 and all(one == alive[0] for one in alive):
        number = next(iter(alive[0].values()))
        raise ValueError(
            f"tune: train gives the same number, {number:g}, at each of {len(alive)} rates from "
            f"{found.rates[0].lr:g} to {found.rates[-1].lr:g}: does it use its lr? If it does, "
            "return something finer, such as a loss"
        )


class _Search:
    """The runs that were made, and the way to more."""

    def __init__(
        self,
        train: Train,
        judge: Judge,
        records: str | Path | None,
        jobs: int | None,
        progress: bool | None,
    ) -> None:
        self.train, self.judge, self.jobs, self.progress = train, judge, jobs, progress
        self.store = Records(Records(records).folder / "tune")
        with naming(self.store.folder):
            self.code, self.loaded = user_code.of_function(train), user_code.loaded(train)
        self.outcomes: dict[tuple[float, int], Outcome] = {}

    def run(self, pairs: Iterable[tuple[float, int]]) -> None:
        """Make the runs of these rates and seeds that are missing, side by side."""
        calls = [
            Call(self.train, self.code, lr, seed, {})
            for lr, seed in pairs
            if (lr, seed) not in self.outcomes
        ]
        if not calls:
            return
        leader = self._leader()

        def read(key: str) -> Outcome | None:
            content = self.store.read(key)
            found = Outcome.from_record(content["history"]) if content else None
            return found if found and self.judge.holds(found, leader) else None

        def start(missing: Mapping[str, Call]) -> Iterator[Done]:
            rest = self.loaded, self.store.folder
            return side_by_side(
                [
                    (call_and_keep, (call, key, *rest, key in self.store.stuck, self.judge, leader))
                    for key, call in missing.items()
                ],
                jobs_asked_for(self.jobs),
            )

        found = finished(
            calls,
            self.store,
            read=read,
            understand=Outcome.from_record,
            start=start,
            told=Call.short,
            progress=self.progress,
        )
        self.outcomes |= {(call.lr, call.seed): found[call.key] for call in calls}

    def found(self, most: int) -> Tuned:
        """What the runs so far say."""
        rates = sorted({lr for lr, _ in self.outcomes})
        tried = tuple(self._tried(lr) for lr in rates)
        columns = next((one.curves for one in self.outcomes.values() if one.curves), {"value": []})
        seconds = sum(one.seconds for one in self.outcomes.values())
        limit = f"{len(tried)} rates, as most_rates allows" if len(tried) >= most else ""
        if not limit and not LOWEST * 10 < rates[0] <= rates[-1] < HIGHEST / 10:
            limit = "no rate beyond is sensible"
        name = self.judge.name(columns)
        return Tuned(tried, name, self.judge.is_higher(), limit, seconds)

    def _tried(self, lr: float) -> TriedRate:
        values: dict[int, float] = {}
        dead: dict[int, str] = {}
        stopped: dict[int, int] = {}
        for (rate, seed), outcome in self.outcomes.items():
            if rate != lr:
                continue
            curve = self.judge.curve(outcome)
            if outcome.error or not curve or math.isnan(curve[-1]):
                dead[seed] = outcome.error or "NaN or infinity"
            elif outcome.stopped:
                stopped[seed] = len(curve)
            else:
                values[seed] = curve[-1]
        return TriedRate(lr, values, dead, stopped)

    def _leader(self) -> list[float] | None:
        """The losses of the best run that came to its end, value by value."""
        curves = [
            [self.judge.loss(value) for value in self.judge.curve(one)]
            for one in self.outcomes.values()
            if not (one.error or one.stopped)
        ]
        alive = [curve for curve in curves if curve and not math.isnan(curve[-1])]
        return min(alive, key=lambda curve: curve[-1], default=None)


def _of(taken: Any) -> str:
    return getattr(taken, "__qualname__", None) or shown(taken)
