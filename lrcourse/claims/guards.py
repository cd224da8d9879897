"""Samples that an interval is wrong on: refused, with what to write instead."""

from __future__ import annotations

from typing import Any

import numpy as np

from lrcourse.claims.samples import Unfit

INSTEAD = (
    "say what a dead run is and judge the living ones, dead_below=0.15 for accuracies or "
    "dead_above=2.3 for losses, together with share(...), which counts the dead"
)
MEDIAN = 'method="sign" judges the median instead'


def farthest(n: int) -> float:
    """How many median absolute deviations from the median a value may lie, among n.

    Seven, and more where seeds are few: the deviation is then itself badly known. This refuses
    about one in a thousand normal samples with 6 to 120 seeds; six at any n would refuse 11 of 100
    with six seeds, 8 with ten and 2 with sixty.
    """
    return 7 + 80 / (n - 4)


def most_tied(values: np.ndarray, rounding: Any = 0.0) -> np.ndarray:
    """Size of the largest group of values that are equal up to rounding, in each sample."""
    ordered = np.sort(values, axis=-1)
    same = np.diff(ordered, axis=-1) <= np.max(rounding)
    run = most = np.ones(values.shape[:-1], dtype=int)
    for k in range(same.shape[-1]):
        run = np.where(same[..., k], run + 1, 1)
        most = np.maximum(most, run)
    return most


def distance(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest distance from the median, and the median one, in each sample."""
    away = np.abs(values - np.median(values, axis=-1, keepdims=True))
    return away.max(axis=-1), np.median(away, axis=-1)


def unfit(values: np.ndarray, rounding: Any = 0.0) -> np.ndarray:
    """Which samples Student's interval is wrong on: half or more tie, or one lies too far off.

    Where the median absolute deviation is zero, half or more tie.
    """
    n = values.shape[-1]
    far, deviation = distance(values)
    return (2 * most_tied(values, rounding) >= n) | (far > farthest(n) * deviation)


def skewness(values: np.ndarray) -> np.ndarray:
    """How far each sample leans to one side, from 0 on; 0 where all values are equal."""
    away = values - values.mean(axis=-1, keepdims=True)
    size = np.sqrt((away**2).mean(axis=-1))
    third = np.abs((away**3).mean(axis=-1))
    return np.divide(third, size**3, out=np.zeros_like(third), where=size > 0)


def fit_for_t(values: np.ndarray, what: str, rounding: Any = 0.0) -> None:
    """Unfit for a sample that is `unfit`, in words."""
    if not unfit(values, rounding):
        return
    n, tied = len(values), int(most_tied(values, rounding))
    if 2 * tied >= n:
        raise Unfit(
            f"{tied} of {n} {what} are equal, and Student's t is wrong where half or more are: "
            f"{MEDIAN}; share(...) counts, and check(...) is for what is not random"
        )
    raise Unfit(f"{_far_off(values, what)}, and Student's t takes no more: {INSTEAD}; {MEDIAN}")


def fit_for_spread(values: np.ndarray, which: str) -> None:
    """Unfit for an arm whose values are all equal, or whose spread is that of one value far off."""
    if not np.ptp(values):
        raise Unfit(
            f"all {len(values)} values of {which} equal {values[0]:g}: a ratio of spreads has no "
            "meaning there; claim it with exact(...)"
        )
    far, deviation = distance(values)
    if far > farthest(len(values)) * deviation:
        raise Unfit(
            f"{_far_off(values, f'values of {which}')}: its spread is that run's. {INSTEAD}; or "
            'compare distances from the median by paired(..., method="sign")'
        )


def _far_off(values: np.ndarray, what: str) -> str:
    middle = float(np.median(values))
    value = float(values[np.abs(values - middle).argmax()])
    return (
        f"of {len(values)} {what} one, {value:.4g}, lies more than {farthest(len(values)):.3g} "
        f"median absolute deviations from the median, {middle:.4g}"
    )
