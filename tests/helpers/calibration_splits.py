"""How often evidence over six splits of eight seeds errs with the effect at its margin."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from helpers.calibration import ALPHA, DEAD_BELOW, DEATHS, NOISE, Row, errors
from lrcourse.claims import intervals
from lrcourse.claims.guards import skewness, unfit
from lrcourse.claims.splits import FEWEST_OF_A_SPLIT, MOST_SKEWED

SPLITS, SEEDS = 6, 8
MANY = 500_000
SUMS = {
    "mean": lambda values: values.mean(axis=-1),
    "median": lambda values: np.median(values, axis=-1),
    "interquartile mean": lambda values: np.sort(values, axis=-1)[..., 2:-2].mean(axis=-1),
}
# The variance of splits: of what shape, and how large beside that of seeds (a deviation of 1).
OF_SPLITS = (("none", 0), ("normal", 0.5), ("normal", 1.5), ("as seeds", 0.5), ("as seeds", 1.5))


def rows(repeats: int, seed: int = 0) -> Iterator[Row]:
    """Every cell, from so many samples each."""
    rng = np.random.default_rng(seed)
    for shape, noise in NOISE.items():
        for kind, size in OF_SPLITS:
            draw = NOISE["normal"] if kind != "as seeds" else noise
            centre = size * float(draw(rng, MANY).mean()) if kind == "as seeds" else 0.0
            of_split = size * draw(rng, (repeats, SPLITS, 1))
            values = of_split + noise(rng, (repeats, SPLITS, SEEDS))
            for of, summed in SUMS.items():
                truth = centre + float(summed(noise(rng, (MANY // SEEDS, SEEDS))).mean())
                found = judged(values, summed(values), truth)
                yield Row(f"over splits, {of}", of, f"{shape}, splits {kind} {size}", SEEDS, *found)
    for shape, draw in DEATHS.items():
        arms = draw(rng, (repeats, SPLITS, SEEDS))
        of_split = rng.normal(scale=0.01, size=(repeats, SPLITS, 1))
        alive = (arms[0] >= DEAD_BELOW) & (arms[1] >= DEAD_BELOW)
        difference = np.subtract(*arms) + of_split
        found = judged(difference, difference.mean(axis=-1), 0.02)
        yield Row("over splits, mean", "mean of the living", shape, SEEDS, *found)
        living = np.where(alive, difference, np.nan)
        few = (alive.sum(axis=-1) < FEWEST_OF_A_SPLIT).any(axis=-1)
        found = judged(living[~few], np.nanmean(living[~few], axis=-1), 0.02)
        yield Row("over splits, dead_below", "mean of the living", shape, SEEDS, *found)


def judged(values: np.ndarray, summed: np.ndarray, truth: float) -> tuple[float, float, float]:
    """Shares of false holds, false fails and refusals, of samples (repeats, splits, seeds)."""
    away = (values - np.nanmean(values, axis=-1, keepdims=True)).reshape(len(values), -1)
    dead = np.isnan(away).sum(axis=-1)
    skewed = np.empty(len(values))
    for count in np.unique(dead):
        same = away[dead == count]
        alive = same[~np.isnan(same)].reshape(len(same), -1)
        skewed[dead == count] = skewness(alive)
    refused = (skewed > MOST_SKEWED) | unfit(summed, 1e-12)
    return errors(*intervals.t_interval(summed)(ALPHA), truth, refused)
