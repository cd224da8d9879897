"""What a claim rests on: an effect, with its confidence interval at any level.

The functions that make it from measurements are in `lrcourse.claims.over_seeds` (differences,
ratios, spreads, slopes), `lrcourse.claims.counts` and `lrcourse.claims.splits`. `claim` compares
the interval with a margin.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lrcourse.claims.samples import SEED, Unfit
from lrcourse.support.checks import (
    COUNT,
    COUNT_FROM_1,
    FLAG,
    TEXT,
    check,
    each,
    function,
    plain_number,
    shown,
    together,
)
from lrcourse.support.notebook import running_cell

Interval = tuple[float, float]


def _effect(owner: str, name: str, value: object) -> float:
    """Rule: a number; infinity (the odds of what never happened); NaN where none is to be had."""
    if (number := plain_number(value)) is None:
        raise TypeError(f"{owner}: {name} must be a number; got {shown(value)}")
    return number


def _number(owner: str, name: str, value: object) -> float:
    """Rule: a number, NaN and infinities among them."""
    if (number := plain_number(value)) is None:
        raise TypeError(f"{owner}: {name} must hold numbers; got {shown(value)}")
    return float(number)


def _points(owner: str, name: str, value: object) -> dict[Any, float]:
    """Rule: a number for each seed."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{owner}: {name} must map each seed to a number; got {shown(value)}")
    return {SEED(owner, name, seed): _number(owner, name, value[seed]) for seed in value}


_COUNT = together("(arm, how many, of how many)", TEXT, COUNT, COUNT_FROM_1)


@dataclass(frozen=True)
class Evidence:
    """An effect and how surely it is known.

    Attributes:
        n: how many there are of what `counted` names (seeds, runs, points or cases).
        quantity: what the effect is, in a word or two: "difference", "ratio", "slope" ...
        effect: its size; what is claimed is about it.
        test: how the interval was computed, in a few words: "paired t".
        interval: gives the two-sided interval at level 1 - alpha for an alpha.
        ratio: whether the effect is a quotient: not negative, and neutral at 1.
        exact: whether it knows no chance: its effect is the number of exceptions, its interval that
            number.
        symmetric: whether a margin is meant on both sides.
        seeds: those that the arms name; none where they do not.
        points: the effect in each seed (or split and seed) alone, NaN where an arm is dead.
        counts: of each arm that is counted its name, how many, and of how many.
        values: of a median those behind it, of a ratio their logarithms; else none.
        unfit: in a notebook, why no interval is right on these values; empty where one is. `claim`
            and `judge` raise it, but for a sentence that `margins.toml` plans: that is undecided.

    >>> from lrcourse.claims import Evidence, judge
    >>> known = Evidence(40, "points", "slope", 0.3, "by hand", lambda alpha: (0.25, 0.35))
    >>> judge("More than a fifth", known, margin=0.2).verdict
    'holds'
    """

    n: int
    counted: str
    quantity: str
    effect: float
    test: str
    interval: Callable[[float], Interval]
    ratio: bool = False
    exact: bool = False
    symmetric: bool = False
    seeds: tuple[Any, ...] = field(default=(), compare=False)
    points: Mapping[Any, float] = field(default_factory=dict, compare=False)
    counts: tuple[tuple[str, int, int], ...] = field(default=(), compare=False)
    values: tuple[float, ...] = field(default=(), compare=False)
    unfit: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        check(
            self, n=COUNT_FROM_1, counted=TEXT, quantity=TEXT, effect=_effect, test=TEXT,
            interval=function, ratio=FLAG, exact=FLAG, symmetric=FLAG, seeds=each(SEED, 0, tuple),
            points=_points, counts=each(_COUNT, 0, tuple),
        )  # fmt: skip

    @property
    def no_effect(self) -> float | None:
        """The effect that is none: 1 for a ratio, 0 for a difference; None for a share or cases."""
        if self.exact or self.quantity == "share":
            return None
        return 1.0 if self.ratio else 0.0


def refused(problem: Unfit, counted: str, names: list[Any], **told: Any) -> Evidence:
    """Raise the problem; in a notebook: evidence that is `unfit`. `told`: quantity and test.

    A page's claim, planned and right on its own processor's runs, may meet such values on another.
    """
    if running_cell() is None:
        raise problem

    def interval(alpha: float) -> Interval:
        raise problem

    why = re.sub(r"[()|\n]", "", str(problem).split(": ")[0])
    return Evidence(
        len(names), f"{counted} (refused: {why})", effect=math.nan, interval=interval,
        unfit=str(problem), **told,
    )  # fmt: skip


def as_ratio(evidence: Evidence, quantity: str, test: str) -> Evidence:
    """Evidence on logarithms as that on the ratio."""

    def interval(alpha: float) -> Interval:
        low, high = evidence.interval(alpha)
        return float(np.exp(low)), float(np.exp(high))

    effect = math.exp(evidence.effect)
    with np.errstate(over="ignore"):
        points = {name: float(np.exp(value)) for name, value in evidence.points.items()}
    return replace(
        evidence, quantity=quantity, effect=effect, test=test, interval=interval, ratio=True,
        points=points,
    )  # fmt: skip
