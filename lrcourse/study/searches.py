"""Looking for a rate with a number of trials: on a grid, at random, and narrowing down.

Each search asks `value(lr)`, a number (lower is better; one training run a question) for rates > 0,
and gives a `Found`: what was tried in which order, and the best of it. The price is the number of
trials.

Sources: random search, Bergstra and Bengio, JMLR 13 (2012).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from lrcourse.study.arguments import measuring
from lrcourse.support.checks import POSITIVE, arguments, each, function, whole

Value = Callable[[float], float]


@dataclass(frozen=True)
class Found:
    """The `trials` of a search, in order: (lr, value). `lr` and `value` are of the best one.

    >>> from lrcourse.study.searches import Found
    >>> found = Found(((0.1, 2.0), (0.3, 0.5)))
    >>> found.lr, found.value, found.cost
    (0.3, 0.5, 2)
    """

    trials: tuple[tuple[float, float], ...]

    @property
    def lr(self) -> float:
        """The rate with the lowest value; of equal ones the first tried."""
        return min(self.trials, key=_badness)[0]

    @property
    def value(self) -> float:
        """The lowest value."""
        return min(map(_badness, self.trials))

    @property
    def cost(self) -> int:
        """How many trials were made."""
        return len(self.trials)


def _badness(trial: tuple[float, float]) -> float:
    return math.inf if math.isnan(trial[1]) else trial[1]


_RATES = each(POSITIVE)


@arguments(value=function, rates=_RATES)
def on_grid(value: Value, rates: Sequence[float]) -> Found:
    """Try every rate of a grid, `rates`, in order.

    `value` takes a rate to how good it is; a diverged trial (NaN) is the worst there is.

    >>> from lrcourse.study.searches import on_grid
    >>> on_grid(lambda lr: abs(lr - 0.2), [0.1, 0.2, 0.4]).lr
    0.2
    """
    return Found(tuple((lr, value(lr)) for lr in rates))


@measuring(value=function, rates=_RATES, trials=whole(1))
def at_random(value: Value, rates: Sequence[float], trials: int, seed: int) -> Found:
    """Try `trials` different rates of `rates`, drawn at random from `seed`, as `on_grid` does.

    With rates at equal ratios, densely, that is random search on a log axis. ValueError for more
    trials than rates.

    >>> from lrcourse.study.searches import at_random
    >>> at_random(lambda lr: abs(lr - 0.2), [0.1, 0.2, 0.4], trials=2, seed=0).cost
    2
    """
    whole(1, len(rates))("at_random", "trials", trials)
    draw = torch.randperm(len(rates), generator=torch.Generator().manual_seed(seed))
    return Found(tuple((rates[k], value(rates[k])) for k in draw[:trials].tolist()))


@arguments(value=function, rates=_RATES, first=whole(3))
def narrowing(value: Value, rates: Sequence[float], first: int = 5) -> Found:
    """A heuristic: a coarse grid, then its best rate's neighbours at half the distance, and so on.

    `rates` ascend at equal ratios; `first` of them, spread over all, are tried first. Then the
    distance is halved, rounded down, and the two neighbours of the best rate so far are tried,
    until they are next to it. Where the value falls to one minimum and rises again it finds the
    best rate if the coarse grid takes every second, fourth, eighth ... rate; with other distances,
    such as 6 (then 3, then 1), it may miss it by a place. Noise may lead it further astray.
    ValueError unless `first` is from 3 to the number of rates.

    >>> from lrcourse.study.searches import narrowing
    >>> found = narrowing(lambda lr: abs(lr - 0.2), [0.1 * 2**k for k in range(9)], first=3)
    >>> found.lr, found.cost
    (0.2, 5)
    """
    whole(3, len(rates))("narrowing", "first", first)
    last = len(rates) - 1
    places = [round(k * last / (first - 1)) for k in range(first)]
    seen = {k: value(rates[k]) for k in places}
    distance = max(1, round(last / (first - 1) / 2))
    while True:
        best = min(seen, key=lambda k: _badness((rates[k], seen[k])))
        for k in (best - distance, best + distance):
            if 0 <= k <= last and k not in seen:
                seen[k] = value(rates[k])
        if distance == 1:
            return Found(tuple((rates[k], v) for k, v in seen.items()))
        distance //= 2
