"""How often evidence errs with the effect at its margin, by simulation, many samples at once.

For each kind of evidence, and for the quantity that it names: the share of samples in which the
sentence falsely holds, in which it falsely fails, and which the evidence refuses. Nominal are
0.5 % a side at alpha = .01. The intervals and guards are those of the package.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from lrcourse.claims import intervals
from lrcourse.claims.guards import distance, farthest, unfit
from lrcourse.claims.samples import FEWEST_SEEDS

ALPHA = 0.01
SEEDS = (6, 8, 10, 20, 30, 60)
CHANCE = 0.1  # accuracy of a dead run, which ends exactly there
DEAD_BELOW = 0.15
POPULATION = 1_000_000

Arms = tuple[np.ndarray, np.ndarray]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Arms]


AT_MOST = 0.007
NOT_MET = {
    ("t", "lognormal"): 0.1,
    ("spread", "lognormal"): 0.015,
    ("spread", "one in 10 dies, both arms"): 0.025,
    ("spread", "one in 20 dies, both arms"): 0.015,
}
"""What errs more often than `AT_MOST`, and how often at most.

No guard sees in ten values that their distribution is skewed: a mean over a lognormal difference
is underestimated together with its error. Logarithms, or the median, are right there. The spread
errs where two of six runs die.
"""


@dataclass(frozen=True)
class Row:
    """One cell of the table: shares of samples, from 0 to 1."""

    evidence: str
    names: str
    data: str
    seeds: int
    false_holds: float
    false_fails: float
    refused: float

    @property
    def limit(self) -> float:
        """How often it may err on one side."""
        return NOT_MET.get((self.evidence, self.data), AT_MOST)

    @property
    def worst(self) -> float:
        """How often it errs on the worse side."""
        return max(self.false_holds, self.false_fails)


def beside_zero(noise: Callable) -> Draw:
    """Arms whose difference is this noise."""
    return lambda rng, size: (noise(rng, size), np.zeros(size))


def twice(noise: Callable) -> Draw:
    """Arms that both have this noise, and share a part of it."""

    def draw(rng: np.random.Generator, size: tuple[int, ...]) -> Arms:
        common = noise(rng, size)
        return common + noise(rng, size), common + noise(rng, size)

    return draw


def collapsing(share: float, both: bool) -> Draw:
    """Accuracies 0.90 and 0.88, of which this share is dead, in the first arm or in both."""

    def draw(rng: np.random.Generator, size: tuple[int, ...]) -> Arms:
        arms = []
        for level, dies in ((0.9, True), (0.88, both)):
            alive = rng.normal(level, 0.01, size)
            arms.append(np.where(dies & (rng.random(size) < share), CHANCE, alive))
        return arms[0], arms[1]

    return draw


def steps(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    """Logarithms of ratios on a grid: whole steps."""
    return np.round(rng.normal(0.3, 0.8, size))


NOISE = {
    "normal": lambda rng, size: rng.normal(size=size),
    "Student's t with 5 degrees": lambda rng, size: rng.standard_t(5, size),
    "lognormal": lambda rng, size: rng.lognormal(size=size),
    "tied (whole steps)": steps,
}
DEATHS = {
    f"one in {round(1 / share)} dies, {'both arms' if both else 'one arm'}": collapsing(share, both)
    for share in (0.1, 0.05)
    for both in (False, True)
}
DATA = {name: beside_zero(noise) for name, noise in NOISE.items()} | DEATHS
SHARES = (0.05, 0.5, 0.8, 0.95)


def table(repeats: int, seeds: tuple[int, ...] = SEEDS, seed: int = 0) -> Iterator[Row]:
    """Every cell, from so many samples each."""
    rng = np.random.default_rng(seed)
    for n in seeds:
        size = (repeats, n)
        for name, draw in DATA.items():
            living = name in DEATHS
            truth = mean_of_the_living(draw) if living else mean(draw)
            told = "mean of the living" if living else "mean"
            yield Row("t", told, name, n, *t_errors(np.subtract(*draw(rng, size)), truth))
            if n >= 8:
                yield Row("sign", "median", name, n, *sign_errors(draw(rng, size), median(draw)))
        for name, draw in DEATHS.items():
            found = living_errors(draw(rng, size), mean_of_the_living(draw))
            yield Row("t, dead_below", "mean of the living", name, n, *found)
        for name, noise in NOISE.items():
            found = spread_errors(twice(noise)(rng, size))
            yield Row("spread", "ratio of deviations", name, n, *found)
        for name, draw in DEATHS.items():
            if name.endswith("both arms"):
                found = spread_errors(draw(rng, size))
                yield Row("spread", "ratio of deviations", name, n, *found)
        for share in SHARES:
            counts = rng.binomial(n, share, repeats)
            low, high = intervals.clopper_pearson(np.arange(n + 1), n)(ALPHA)
            found = errors(low[counts], high[counts], share)
            yield Row("share", "share", f"a share of {share:g}", n, *found)


def errors(low: np.ndarray, high: np.ndarray, truth: float, refused: np.ndarray | None = None):
    """Shares of intervals above the margin and below it, among all samples, and of refused ones."""
    refused = np.zeros(len(low), dtype=bool) if refused is None else refused
    near = 1e-12 * abs(truth)
    above, below = low > truth + near, high < truth - near
    return float(np.mean(above & ~refused)), float(np.mean(below & ~refused)), refused.mean()


def t_errors(difference: np.ndarray, truth: float) -> tuple[float, float, float]:
    """Of Student's interval, with its guard."""
    return errors(*intervals.t_interval(difference)(ALPHA), truth, unfit(difference, 1e-12))


def sign_errors(arms: Arms, truth: float) -> tuple[float, float, float]:
    """Of the interval between order statistics."""
    return errors(*intervals.order_statistics(np.subtract(*arms))(ALPHA), truth)


def living_errors(arms: Arms, truth: float) -> tuple[float, float, float]:
    """Of Student's interval on the seeds at which both arms live."""
    alive = (arms[0] >= DEAD_BELOW) & (arms[1] >= DEAD_BELOW)
    difference, counts = np.subtract(*arms), alive.sum(axis=1)
    found = np.zeros(3)
    for n in np.unique(counts):
        rows = counts == n
        if n < FEWEST_SEEDS:
            found += rows.mean() * np.array([0, 0, 1])
        else:
            sample = difference[rows][alive[rows]].reshape(-1, n)
            found += rows.mean() * np.array(t_errors(sample, truth))
    return tuple(found)


def spread_errors(arms: Arms) -> tuple[float, float, float]:
    """Of two arms that spread alike."""
    refused = np.zeros(len(arms[0]), dtype=bool)
    for arm in arms:
        far, deviation = distance(arm)
        refused |= far > farthest(arm.shape[1]) * deviation
    with np.errstate(all="ignore"):
        low, high = intervals.bonett_seier(*arms)[1](ALPHA)
    return errors(low, high, 0.0, refused | np.isnan(low))


@functools.cache
def mean(draw: Draw) -> float:
    """Of the difference, in a large sample."""
    return float(np.subtract(*population(draw)).mean())


@functools.cache
def median(draw: Draw) -> float:
    """The same of the median."""
    return float(np.median(np.subtract(*population(draw))))


@functools.cache
def mean_of_the_living(draw: Draw) -> float:
    """The same of the mean where both arms live."""
    a, b = population(draw)
    return float((a - b)[(a >= DEAD_BELOW) & (b >= DEAD_BELOW)].mean())


def population(draw: Draw) -> Arms:
    return draw(np.random.default_rng(12345), (POPULATION,))
