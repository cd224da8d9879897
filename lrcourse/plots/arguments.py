"""What the figures take: numbers in a row, rows of seeds, limits, and things by their names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import torch

from lrcourse.support.checks import (
    COUNT,
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


def logs(owner: str, name: str, value: Any) -> list[np.ndarray]:
    """Rule: a table of shape (updates, columns), or several of them, one a seed."""
    several = isinstance(value, list | tuple | np.ndarray) and _depth(value) == 3
    return [_log(owner, name, table) for table in (value if several else [value])]


def _log(owner: str, name: str, value: object) -> np.ndarray:
    wanted = "a log of shape (updates, columns), or such logs, one a seed"
    table = _numbers(owner, name, value, wanted, 2)
    if table.ndim != 2:
        raise ValueError(f"{owner}: {name} must be {wanted}; got {shown(value)}")
    return table


def _depth(value: Any) -> int:
    """How many times the first of the first ... can be taken."""
    inside = isinstance(value, list | tuple) and len(value)
    return 1 + _depth(value[0]) if inside else getattr(value, "ndim", 0)


def by_rate(owner: str, name: str, value: object) -> tuple[np.ndarray, np.ndarray]:
    """Rule: (rates, values), or rate -> its value, or a list of them, one a seed; as the former."""
    pair = together("(rates, values), or a value for each rate", series, equal_rows)
    if not isinstance(value, Mapping) or not value:
        return pair(owner, name, value)
    found = list(value.values())
    rates, table = pair(owner, name, (list(value), found))
    return rates, table.T if _depth(found[0]) else table


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


def as_long(owner: str, pairs: Mapping[Any, tuple[Any, Any]], argument: str = "lines") -> None:
    """ValueError unless each line, a pair (x, values), has a number for each place of its x."""
    for label, (x, values) in pairs.items():
        numbers, places = np.shape(values)[-1], len(np.asarray(x))
        if numbers != places:
            raise ValueError(
                f"{owner}: {argument}[{label!r}] must have a number for each of the {places} "
                f"places along x; it has {numbers}"
            )


def style_of(owner: str, lines: Mapping[Any, Any], dashed: Collection[str]) -> dict[Any, str]:
    """The style of each line. ValueError for a name in `dashed` that no line has."""
    for name in dashed:
        if name not in lines:
            raise ValueError(f"{owner}: dashed must be names of lines, {list(lines)}; got {name!r}")
    return {name: "--" if name in dashed else "-" for name in lines}


# Decorates a figure: what an argument of this name takes where the figure does not say otherwise.
drawing = Shared(
    {
        **dict.fromkeys(("title", "name", "label", "axis", "alt", "column"), TEXT),
        **dict.fromkeys(("log", "log_x", "log_y", "log_lr", "legend", "interval", "dots"), FLAG),
        "limits": optional(limits),
        "colours": optional(by_name("colour", COUNT)),
        "dashed": each(TEXT),
    }
)
