"""Grids of experiments, and the rules for those that are given to a sweep."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from lrcourse.support.checks import POSITIVE, arguments, each, kind, shown, whole
from lrcourse.sweeps.experiment import Experiment, check_fields

EXPERIMENT = kind("an Experiment", Experiment)


@arguments(low=POSITIVE, high=POSITIVE, count=whole(2, 10**6))
def log_space(low: float, high: float, count: int) -> list[float]:
    """`count` numbers from `low` to `high` at equal ratios, both ends exact.

    Raises ValueError unless 0 < low < high and `count` is 2 or more.

    Example:
        >>> from lrcourse import sweeps
        >>> sweeps.log_space(0.001, 1, 4)
        [0.001, 0.01, 0.1, 1.0]
    """
    if low >= high:
        raise ValueError(f"log_space: low must be below high; got low={low!r}, high={high!r}")
    inner = np.exp(np.linspace(np.log(low), np.log(high), count)).tolist()
    # three more digits than a float32 holds: the same numbers on every machine
    return [float(low), *(float(f"{value:.10g}") for value in inner[1:-1]), float(high)]


@arguments(base=EXPERIMENT)
def grid(base: Experiment, **axes: Iterable[Any]) -> list[Experiment]:
    """Every combination of the values in `axes`, the last axis running fastest.

    `grid(base, lr=log_space(1e-3, 1, 13), seed=range(10))` gives 130 experiments.

    Example:
        >>> from lrcourse import sweeps
        >>> points = sweeps.grid(sweeps.Experiment(), lr=[0.1, 0.2], seed=range(2))
        >>> [(one.lr, one.seed) for one in points]
        [(0.1, 0), (0.1, 1), (0.2, 0), (0.2, 1)]
    """
    check_fields("grid", axes)
    values = {
        name: each(lambda owner, name, value: value)("grid", name, axis)
        for name, axis in axes.items()
    }
    return [
        base.but(**dict(zip(values, point, strict=True)))
        for point in itertools.product(*values.values())
    ]


def experiments_rule(owner: str, name: str, value: object) -> list[Experiment]:
    """Rule: one experiment or any number of them, as a list."""
    given = [value] if isinstance(value, Experiment) else value
    return each(EXPERIMENT, least=0)(owner, name, given)


def arms_rule(owner: str, name: str, value: object) -> dict[str, Experiment]:
    """Rule: experiments by name."""
    if not isinstance(value, Mapping) or not value:
        raise TypeError(
            f"{owner}: {name} must be a dictionary of experiments, by name; got {shown(value)}"
        )
    return {key: EXPERIMENT(owner, f"{name}[{key!r}]", arm) for key, arm in value.items()}
