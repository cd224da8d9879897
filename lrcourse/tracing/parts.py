"""The parts of a schedule: when each has its turn, how long it takes, the peak it leads to."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Part:
    """One simple scheduler among those that make up a schedule.

    Times are counted in steps of the whole schedule. `start` and `stop` say when the part has
    its turn, `length` how long it takes by itself (None: for ever).
    """

    name: str
    start: float = 0
    stop: float = math.inf
    length: float | None = None
    known: bool = True  # its rises are its own design
    alone: bool = True  # not multiplied by another
    timed: bool = True  # its length is a plan, and no floor that it may or may not get to
    stepwise: bool = False  # milestones, and not a smooth decay
    rebounds: bool = False  # rises again when it is stepped past its length
    flat: bool = False  # one low rate until its end, and not a ramp
    first: float | None = None  # t of its first change, where it waits for that
    top: float | None = None  # t of its peak, counted from its start; None where it has none
    peaks: tuple[float, ...] = ()  # the highest LR of each group, by design
    ceiling: bool = True  # nothing but a wrong argument makes it rise above its peaks
    still: bool = False  # never moves, by design
    cycle: float | None = None  # length of its first cycle, where it rises again and again
    deaf: tuple[float, ...] = ()  # milestones that no step meets
    factors: bool = False  # a function of one's own, whose result multiplies the LR
    top_mend: str = ""

    @property
    def untold(self) -> bool:
        """Whether nothing is known of its times, as of a function or of another library's class."""
        return not self.known or (self.length is self.first is self.cycle is None)

    @property
    def end(self) -> float | None:
        return None if self.length is None else self.start + self.length


@dataclass(frozen=True)
class Anatomy:
    """A schedule's name, its parts, and the number of steps that it has made already."""

    name: str
    parts: tuple[Part, ...]
    position: int = 0

    @property
    def length(self) -> float | None:
        """Number of steps until it holds still (or ends in an error); None: goes on for ever."""
        last = [part for part in self.parts if part.stop == math.inf]
        ends = [part.end for part in last if part.end is not None]
        return max(ends, default=0) if len(ends) == len(last) else None


def shifted(parts: list[Part], start: float, stop: float) -> list[Part]:
    moved = [replace(p, start=p.start + start, stop=min(p.stop + start, stop)) for p in parts]
    return [part for part in moved if part.start < part.stop]


def on_clock(built: Anatomy, clock: list[float], wrapper: str) -> Anatomy:
    """The anatomy of a wrapped scheduler, in steps of its wrapper.

    `clock` is the position of the scheduler inside before the first step and after each one.
    Where that never moves nothing is known of what the wrapper does.
    """
    made = clock[-1] - clock[0]
    pace = made / (len(clock) - 1) if len(clock) > 1 else 1
    if made <= 0:
        return Anatomy(wrapper, (Part(wrapper, known=False),))
    if pace == 1:
        return built

    def outer(t: float) -> float:
        if clock[0] < t <= clock[-1]:
            return float(np.searchsorted(clock, t))
        return (t - clock[0]) / pace if t <= clock[0] else len(clock) - 1 + (t - clock[-1]) / pace

    def moved(part: Part) -> Part:
        start = outer(part.start) if part.start else 0 if not clock[0] else outer(0)
        times = {
            name: None if value is None else outer(part.start + value) - start
            for name in ("length", "first", "top", "cycle")
            for value in [getattr(part, name)]
        }
        name = f"{part.name} ({pace:.4g} of its steps at each step of {wrapper})"
        return replace(part, name=name, start=start, stop=outer(part.stop), **times)

    return Anatomy(f"{wrapper}({built.name})", tuple(map(moved, built.parts)))
