"""Confidence intervals at any level, of one sample or of many at once: samples on the last axis."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from lrcourse.claims.samples import scipy_stats

Interval = tuple[Any, Any]


def mean(values: np.ndarray) -> float:
    """The mean of one sample; of equal values it is that value."""
    return math.fsum(values) / len(values)


def student(centre: Any, error: Any, freedom: int) -> Callable[[float], Interval]:
    """Student's interval around estimates with these standard errors."""

    def interval(alpha: float) -> Interval:
        half = error * float(scipy_stats().t.ppf(1 - alpha / 2, freedom))
        return centre - half, centre + half

    return interval


def t_interval(values: np.ndarray) -> Callable[[float], Interval]:
    """Student's interval for the mean of each sample."""
    n = values.shape[-1]
    if values.ndim == 1:
        return student(mean(values), float(values.std(ddof=1)) / math.sqrt(n), n - 1)
    return student(values.mean(axis=-1), values.std(axis=-1, ddof=1) / math.sqrt(n), n - 1)


def order_statistics(values: np.ndarray) -> Callable[[float], Interval]:
    """The narrowest pair of order statistics that covers the median with 1 - alpha.

    NaN stands for a pair of which neither arm got anywhere: it counts as the lowest value for the
    lower end, and as the highest for the upper one, and so speaks against every sentence.
    """
    n = values.shape[-1]
    lowest = np.sort(np.where(np.isnan(values), -np.inf, values), axis=-1)
    highest = np.sort(np.where(np.isnan(values), np.inf, values), axis=-1)

    def interval(alpha: float) -> Interval:
        # Leaving out k values on each side costs 2 P(Binomial(n, 1/2) <= k).
        left_out = int(scipy_stats().binom.ppf(alpha / 2, n, 0.5))
        if 2 * scipy_stats().binom.cdf(left_out, n, 0.5) > alpha:
            left_out -= 1
        if left_out < 0:
            needed = math.ceil(1 - math.log2(alpha))
            raise ValueError(
                f"the sign test cannot reach alpha = {alpha:.3g} with {n} seeds: give {needed} "
                "seeds or use method='t'"
            )
        return lowest[..., left_out], highest[..., n - 1 - left_out]

    return interval


def bonett_seier(first: np.ndarray, second: np.ndarray) -> tuple[Any, Callable[[float], Interval]]:
    """Logarithm of the ratio of mean absolute deviations of paired samples, and its interval."""
    away_a, mean_a, variance_a = _absolute_deviation(first)
    away_b, mean_b, variance_b = _absolute_deviation(second)
    # Deviations that are all alike carry no correlation.
    both = np.sqrt(away_a.var(axis=-1) * away_b.var(axis=-1))
    together = ((away_a - mean_a[..., None]) * (away_b - mean_b[..., None])).mean(axis=-1)
    correlation = np.divide(together, both, out=np.zeros_like(both), where=both > 0)
    shared = 2 * correlation * np.sqrt(variance_a * variance_b)
    error = np.sqrt(np.maximum(variance_a + variance_b - shared, 0.0))
    centre = np.log(mean_a / mean_b)
    return centre, student(centre, error, first.shape[-1] - 1)


def clopper_pearson(count: Any, n: int) -> Callable[[float], Interval]:
    """The exact interval for the share behind a count of n."""
    count = np.asarray(count)

    def interval(alpha: float) -> Interval:
        quantile = scipy_stats().beta.ppf
        low = np.where(count == 0, 0.0, quantile(alpha / 2, np.maximum(count, 1), n - count + 1))
        high = np.where(
            count == n, 1.0, quantile(1 - alpha / 2, count + 1, np.maximum(n - count, 1))
        )
        return low, high

    return interval


def _absolute_deviation(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distances from the median, their mean, and the variance of that mean's logarithm."""
    middle = np.median(values, axis=-1)
    away = np.abs(values - middle[..., None])
    average = away.mean(axis=-1)
    skew = (values.mean(axis=-1) - middle) / average
    shape = values.var(axis=-1, ddof=1) / average**2
    return away, average, (shape + skew**2 - 1) / values.shape[-1]
