"""What the figures take: numbers in a row, rows of seeds, limits, and things by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from lrcourse.support.checks import (
    FLAG,
    NUMBER,
    TEXT,
    Rule,
    Shared,
    each,
    kind,
    optional,
    shown,
    such,
    together,
    whole,
)
from lrcourse.training import History

UPDATES = whole(1, 10**6)  # more do not fit into a figure
a_history = kind("a History", History)


def by_name(thing: str, rule: Rule) -> Rule:
    """Rule: a mapping from names to things that follow the rule, one at least; as a dictionary."""

    def checked(owner: str, name: str, value: object) -> dict[Any, Any]:
        if not isinstance(value, Mapping):
            raise TypeError(f"{owner}: {name} must map a name to each {thing}; got {shown(value)}")
        if not value:
            raise ValueError(f"{owner}: no {thing} to draw: {name} must map a name to one at least")
        return {key: rule(owner, f"{name}[{key!r}]", one) for key, one in value.items()}

    return checked


def runs(owner: str, name: str, value: object) -> list[History]:
    """Rule: a History, or a list of them, one a seed."""
    given = [value] if isinstance(value, History) else value
    return each(a_history, wanted="a History or a list of them")(owner, name, given)


# A lower and an upper number.
limits = such(
    together("(lowest, highest)", NUMBER, NUMBER),
    lambda pair: pair[0] < pair[1],
    "(lowest, highest)",
)


def series(owner: str, name: str, value: object) -> np.ndarray:
    """Rule: one number or more in a row, NaN and infinity too; a tensor, an array or a list."""
    return _numbers(owner, name, value, "numbers in a row", 1)


# One finite number or more in a row.
finite = such(series, lambda numbers: np.isfinite(numbers).all(), "finite numbers in a row")


def rows(owner: str, name: str, value: object) -> list[np.ndarray]:
    """Rule: numbers in a row, or such rows, one a seed, which need not be equally long."""
    first = value[0] if isinstance(value, list | tuple) and value else None
    if isinstance(first, list | tuple | range) or getattr(first, "ndim", 0) > 0:
        return each(series)(owner, name, value)
    return list(np.atleast_2d(_numbers(owner, name, value, "numbers in a row, or such rows", 2)))


def equal_rows(owner: str, name: str, value: object) -> np.ndarray:
    """Rule: numbers in a row, or such rows, one a seed; as a table of shape (seeds, numbers)."""
    found = rows(owner, name, value)
    if len(lengths := {len(row) for row in found}) > 1:
        raise ValueError(f"{owner}: {name} must have rows of one length, not of {sorted(lengths)}")
    return np.stack(found)


def _numbers(owner: str, name: str, value: object, wanted: str, most: int) -> np.ndarray:
    problem = f"{owner}: {name} must be {wanted}; got {shown(value)}"
    if not isinstance(value, list | tuple | range | np.ndarray | torch.Tensor):
        raise TypeError(problem)
    try:
        table = np.asarray(value.detach().cpu() if isinstance(value, torch.Tensor) else value)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(problem) from None
    if table.dtype.kind not in "fiu" and table.size:
        raise TypeError(problem)
    numbers = table.astype(float)
    if not 1 <= numbers.ndim <= most or not numbers.size:
        raise ValueError(problem)
    return numbers


# Decorates a figure: what an argument of this name takes where the figure does not say otherwise.
drawing = Shared(
    {
        **dict.fromkeys(("title", "name", "label", "axis", "alt", "column"), TEXT),
        **dict.fromkeys(("log", "log_x", "log_y", "log_lr", "legend", "interval"), FLAG),
        "limits": optional(limits),
    }
)
