"""The surfaces of the playground, and where on each of them one begins.

    place = PLACES["ravine"]
    place.surface(torch.tensor(place.start))            # the height there
    largest_curvature(place.surface, place.start)       # 20

The surfaces are those of `lrcourse.landscapes.plane`; the playground's page has the same
formulas. A bowl is a ravine that is hardly steeper across than along, or not at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from lrcourse.landscapes import DoubleWell, Ravine, Rosenbrock, curvatures

# Askew, because an optimizer that gives each number a rate of its own would find a ravine along an
# axis too easy: its floor runs along (0.8, 0.6).
ASKEW = Ravine(steepness=20.0, turn=math.degrees(math.atan2(0.6, 0.8)))


Surface = Ravine | DoubleWell | Rosenbrock


@dataclass(frozen=True)
class Place:
    """A surface as the playground offers it.

    Attributes:
        label: its name in the page.
        surface: called with points, it gives heights.
        limits: of the picture: left, right, bottom, top; three units wide for two high.
        start: where one begins unless told otherwise.
        peak_lr: a rate that suits SGD from there.
        noise: standard deviation of the noise that each number of a gradient has of its own.
        quadratic: whether the curvature is the same everywhere, so that the edge is exact.
    """

    label: str
    surface: Surface
    limits: tuple[float, float, float, float]
    start: tuple[float, float]
    peak_lr: float
    noise: float = 0.0
    quadratic: bool = False


PLACES = {
    "bowl": Place("Bowl", Ravine(2.0), (-3, 3, -2, 2), (-2.4, 1.5), 0.1, quadratic=True),
    "ravine": Place("Ravine", ASKEW, (-3, 3, -2, 2), (-2.6, -1.2), 0.09, quadratic=True),
    "saddle": Place("Saddle", DoubleWell(), (-2.1, 2.1, -1.4, 1.4), (0.02, 1.2), 0.2),
    "rosenbrock": Place("Rosenbrock", Rosenbrock(), (-2.1, 2.1, -0.9, 1.9), (-1.2, 1.0), 0.001),
    "noisy-bowl": Place(
        "Noisy bowl", Ravine(1.0), (-3, 3, -2, 2), (-2.4, 1.5), 0.1, noise=1.0, quadratic=True
    ),
}


def largest_curvature(surface: Surface, point: tuple[float, float]) -> float:
    """The largest eigenvalue of the Hessian at a point. Raises ValueError for several points."""
    return float(curvatures(surface, torch.tensor(point, dtype=torch.float64))[-1])
