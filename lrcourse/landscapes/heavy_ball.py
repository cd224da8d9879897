"""Momentum on a quadratic in closed form: what one update leaves, and the best two numbers.

Along an eigenvector with curvature L the heavy ball follows

    w_(t+1) = (1 + beta - eta L) w_t - beta w_(t-1),

so everything is in the two roots r of r^2 - (1 + beta - eta L) r + beta = 0. With beta = 0 it is
gradient descent, and the root is 1 - eta L.

Source: Polyak 1964 (doi 10.1016/0041-5553(64)90137-5).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lrcourse.support.checks import BELOW_1, NUMBER, POSITIVE, arguments


def _products(owner: str, name: str, value: object) -> object:
    return value if isinstance(value, Tensor) else NUMBER(owner, name, value)


@arguments(rate_times_curvature=_products, momentum=BELOW_1)
def factor(rate_times_curvature: float | Tensor, momentum: float = 0.0) -> Tensor:
    """By what the distance from the minimum is multiplied per update, in the long run.

    The larger modulus of the two roots: below 1 the descent converges. Shape as given, float64.
    Between (1 - sqrt(beta))^2 and (1 + sqrt(beta))^2 the roots are complex, and it is sqrt(beta)
    whatever the rate.

    Example:
        >>> from lrcourse.landscapes import heavy_ball
        >>> heavy_ball.factor(0.5).item(), heavy_ball.factor(0.5, momentum=0.25).item()
        (0.5, 0.5)
    """
    x = torch.as_tensor(rate_times_curvature, dtype=torch.float64)
    middle = (1 + momentum - x).abs()
    discriminant = middle**2 - 4 * momentum
    real = (middle + discriminant.clamp(min=0).sqrt()) / 2
    return torch.where(discriminant < 0, torch.full_like(x, math.sqrt(momentum)), real)


@arguments(smallest=POSITIVE, largest=POSITIVE)
def best(smallest: float, largest: float) -> tuple[float, float]:
    """Rate and momentum with the smallest factor for curvatures from `smallest` to `largest`.

    (4 / (sqrt(L) + sqrt(l))^2, ((sqrt(k) - 1) / (sqrt(k) + 1))^2) with k = L / l: the factor is
    then (sqrt(k) - 1) / (sqrt(k) + 1).

    Example:
        >>> from lrcourse.landscapes import heavy_ball
        >>> rate, momentum = heavy_ball.best(1, 100)
        >>> round(rate, 4), round(momentum, 4)
        (0.0331, 0.6694)
    """
    if smallest > largest:
        raise ValueError(f"best: smallest must be at most largest, {largest!r}; got {smallest!r}")
    root = math.sqrt(largest / smallest)
    lr = 4 / (math.sqrt(largest) + math.sqrt(smallest)) ** 2
    return lr, ((root - 1) / (root + 1)) ** 2
