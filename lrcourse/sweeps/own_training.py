"""One call of a person's own `train(lr, seed)`: what it gave, and which of its ends are results.

A number, a dictionary of numbers, or a generator of either: a function that returns is one that
yields once. NaN, infinity and errors that say so are results, for a rate can be too high; every
other error is one of the function, and ends the sweep.
"""

from __future__ import annotations

import contextlib
import inspect
import math
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lrcourse.support import progress as bars
from lrcourse.support.checks import of_kind, plain_number, shown
from lrcourse.support.provenance import run_provenance
from lrcourse.sweeps import user_code
from lrcourse.sweeps.records import Records, key_of
from lrcourse.sweeps.resuming import AT_ONCE, Done, run_failed
from lrcourse.sweeps.source_code import StaleCode

Train = Callable[..., Any]
THE_NUMBER = "value"  # the column of a function that gives a number alone
BROKEN = re.compile(
    r"\bnan\b|\binf\b|\binfinit(y|e)\b|non-?finite|not finite|overflow|diverge", re.IGNORECASE
)
BEHIND, DEAD = "behind", "dead"
MARGIN, FROM = 0.5, 1 / 3
_seen_unchanged: set[str] = set()  # functions that were seen, here, to leave alone what they read


@dataclass(frozen=True)
class Judge:
    """How two runs are compared.

    Attributes:
        column: which of the numbers counts; None where there is one only.
        higher: whether higher is better; None: where the column is an accuracy or a score.
    """

    column: str | None = None
    higher: bool | None = None

    def curve(self, outcome: Outcome) -> list[float]:
        """What counts of a run, value by value; ValueError where that is not said."""
        if not outcome.curves:
            return []
        return [math.nan if v is None else v for v in outcome.curves[self.name(outcome.curves)]]

    def name(self, columns: Mapping[str, object]) -> str:
        """The column that counts, of those that there are; ValueError where that is not said."""
        names = list(columns)
        if self.column is None and len(names) == 1:
            return names[0]
        if self.column is None:
            raise ValueError(
                f"train gives {', '.join(names)}: say which of them counts, column={names[0]!r}"
            )
        if self.column not in names:
            raise ValueError(f"train gives no {self.column!r} but {', '.join(names)}")
        return self.column

    def holds(self, outcome: Outcome, leader: list[float] | None) -> bool:
        """Whether a run that was stopped once would be stopped now too."""
        if not outcome.stopped:
            return True
        if outcome.column != self.name(outcome.curves):
            return False
        if outcome.stopped == DEAD:
            return True
        losses = [self.loss(value) for value in self.curve(outcome)]
        return leader is not None and is_behind(losses, leader)

    def is_higher(self) -> bool:
        """Whether higher is better."""
        if self.higher is not None:
            return self.higher
        return re.search(r"(acc|accuracy|score|auc|f1)$", self.column or "") is not None

    def loss(self, value: float) -> float:
        """The value, of which less is better."""
        return -value if self.is_higher() else value


@dataclass(frozen=True)
class Outcome:
    """What one call gave.

    Attributes:
        curves: by column, its values in order, None for NaN and infinity.
        error: the error that a divergence ended it with, or "".
        stopped: why it was not run to its end: "dead" or "behind", or "".
        column: that it was stopped by, or "".
        seconds: that it took.
    """

    curves: Mapping[str, list[float | None]]
    error: str = ""
    stopped: str = ""
    column: str = ""
    seconds: float = 0.0

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Outcome:
        """The outcome in a record."""
        return cls(**{name: record[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True, eq=False)
class Call:
    """A call to be made, named by the function's code and its arguments.

    Attributes:
        train: the function.
        code: its digest.
        lr, seed: its first two arguments.
        settings: further ones, by name.
    """

    train: Train
    code: str
    lr: float
    seed: int
    settings: Mapping[str, Any]

    @property
    def spec(self) -> dict[str, Any]:
        """What the record is named by."""
        own = {"train": _name(self.train), "code": self.code, "settings": dict(self.settings)}
        return own | {"lr": self.lr, "seed": self.seed}

    @property
    def key(self) -> str:
        """The name of its record."""
        return key_of(self.spec)

    def short(self) -> str:
        """The call as it would be written."""
        told = {"lr": self.lr, "seed": self.seed} | dict(self.settings)
        return f"{_name(self.train)}({', '.join(f'{k}={v!r}' for k, v in told.items())})"

    def make(self, judge: Judge, leader: list[float] | None) -> Outcome:
        """Make it; a generator is stopped where it is dead, or behind the leader."""
        started, found = time.perf_counter(), _Found(judge, leader)
        with _seeded(self.seed), bars.silent():
            try:
                given = self.train(self.lr, self.seed, **self.settings)
                if inspect.isgenerator(given):
                    with contextlib.closing(given):
                        for value in given:
                            found.add(value)
                            if found.is_over():
                                break
                else:
                    found.add(given)
            except Exception as problem:
                if not is_divergence(problem):
                    raise
                found.error = f"{type(problem).__name__}: {problem}"
        if not found.curves and not found.error:
            raise TypeError("it yielded nothing: it must yield a number or a dictionary of numbers")
        return found.outcome(time.perf_counter() - started)


def is_divergence(problem: Exception) -> bool:
    """Whether an error says that numbers have left the range of floats."""
    if isinstance(problem, FloatingPointError | OverflowError):
        return True
    return isinstance(problem, ValueError | RuntimeError) and bool(BROKEN.search(str(problem)))


def is_behind(losses: list[float], leader: list[float]) -> bool:
    """Whether a run is so far behind the leader, at equal progress, that it need not go on.

    From a third of the leader's length on: where the lowest loss so far is above that of the leader
    at the same place by more than half of all that the leader gained from its first to its last.
    """
    n, gained = len(losses), leader[0] - leader[-1]
    if not FROM * len(leader) <= n <= len(leader) or not gained > 0:
        return False
    return min(losses) - leader[n - 1] > MARGIN * gained


def call_and_keep(
    call: Call,
    key: str,
    loaded: str,
    folder: Path,
    is_stuck: bool,
    judge: Judge,
    leader: list[float] | None,
) -> Done:
    """In a worker or here: make the call, write its record, give it back as plain data."""
    try:
        if loaded and user_code.loaded(call.train) != loaded:
            raise StaleCode(
                "this process holds another version of the function, or of what it calls, than "
                "the one that asks: a module was edited; reload it there, or start Python anew"
            )
        is_known = call.code in _seen_unchanged
        before = None if is_known else user_code.read_by(call.train)
        outcome = call.make(judge, leader)
        if before is not None:
            _check_unchanged(call.train, before)
            _seen_unchanged.add(call.code)
        record = asdict(outcome) | {"provenance": run_provenance()}
        if not is_stuck:
            Records(folder).write(key, call.spec, record)
    except AT_ONCE:
        raise
    except BaseException as problem:  # sys.exit in the function, too
        raise run_failed(call.short(), problem, folder) from problem
    return key, record


class _Found:
    """The values of a call while they come."""

    def __init__(self, judge: Judge, leader: list[float] | None) -> None:
        self.judge, self.leader = judge, leader
        self.curves: dict[str, list[float | None]] = {}
        self.error = self.stopped = self.column = ""

    def add(self, given: object) -> None:
        """Take what was returned or yielded."""
        values = _numbers(given)
        if self.curves and self.curves.keys() != values.keys():
            raise TypeError(
                f"it yielded {', '.join(values)} after {', '.join(self.curves)}: the same each time"
            )
        for name, value in values.items():
            self.curves.setdefault(name, []).append(value if math.isfinite(value) else None)

    def is_over(self) -> bool:
        """Whether a run that has yielded so much is to stop."""
        if self.judge.column is None and len(self.curves) > 1:
            return False  # which of them counts is asked when the run is kept
        name = self.judge.name(self.curves)
        losses = [math.nan if v is None else self.judge.loss(v) for v in self.curves[name]]
        if math.isnan(losses[-1]):
            self.stopped, self.column = DEAD, name
        elif self.leader is not None and is_behind(losses, self.leader):
            self.stopped, self.column = BEHIND, name
        return bool(self.stopped)

    def outcome(self, seconds: float) -> Outcome:
        return Outcome(self.curves, self.error, self.stopped, self.column, seconds)


def _numbers(given: object) -> dict[str, float]:
    """What was given as plain numbers by name; TypeError where it is none."""
    wanted = "it must return a number or a dictionary of numbers by name, or yield them"
    if isinstance(given, Mapping):
        found = {key: _plain(value) for key, value in given.items()}
        if wrong := [key for key, value in found.items() if value is None]:
            raise TypeError(f"{wanted}; under {wrong[0]!r} it gave {shown(given[wrong[0]])}")
        if not found or not all(isinstance(key, str) for key in found):
            raise TypeError(f"{wanted}; it gave {shown(given)}")
        return {key: value for key, value in found.items() if value is not None}
    if (number := _plain(given)) is None:
        forgotten = "; is there a return at its end?" if given is None else ""
        raise TypeError(f"{wanted}; it gave {shown(given)}, {of_kind(given)}{forgotten}")
    return {THE_NUMBER: number}


def _plain(value: Any) -> float | None:
    if getattr(value, "size", None) == 1 or getattr(value, "ndim", None) == 0:
        value = value.item()  # an array or a tensor of one number
    elif isinstance(value, torch.Tensor) and value.numel() == 1:
        value = value.item()
    number = plain_number(value)
    return None if number is None else float(number)


def _check_unchanged(train: Train, before: Mapping[str, str]) -> None:
    """ValueError where a call left what the function reads in another state than it found it."""
    after = user_code.read_by(train)
    changed = [name for name in before if after.get(name) != before[name]]
    if changed:
        raise ValueError(
            f"it changed {', '.join(changed)}, which it reads and the next run would find changed: "
            "make net, optimizer and random generators inside it; what is to be remembered can "
            "stand in functools.cache"
        )


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """The random numbers of Python, NumPy and torch begin from the seed, and are put back."""
    before = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices=devices):
        try:
            random.seed(seed)
            np.random.seed(seed % 2**32)
            torch.manual_seed(seed)
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])


def _name(function: Any) -> str:
    return getattr(function, "__qualname__", None) or type(function).__name__
