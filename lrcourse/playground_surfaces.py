"""The surfaces of the playground, and where on each of them one begins.

    place = PLACES["ravine"]
    place.surface(torch.tensor(place.start))            # the height there
    largest_curvature(place.surface, place.start)       # 20

Surfaces are as in ``lrcourse.surfaces``: called with points of shape (..., 2) they give heights of
shape (...), and ``gradient`` is exact. The playground's page has the same formulas.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lrcourse.schedule import POSITIVE, check
from lrcourse.surfaces import DoubleWell, curvatures


@dataclass(frozen=True)
class Bowl:
    """f(x, y) = (along_x x^2 + along_y y^2) / 2, with curvatures along_x and along_y everywhere."""

    along_x: float = 1.0
    along_y: float = 2.0

    def __post_init__(self) -> None:
        check(self, along_x=POSITIVE, along_y=POSITIVE)

    def __call__(self, w: Tensor) -> Tensor:
        x, y = w.unbind(-1)
        return (self.along_x * (x * x) + self.along_y * (y * y)) / 2

    def gradient(self, w: Tensor) -> Tensor:
        """(along_x x, along_y y)."""
        x, y = w.unbind(-1)
        return torch.stack([self.along_x * x, self.along_y * y], dim=-1)


@dataclass(frozen=True)
class Ravine:
    """f = (flat p^2 + steep q^2) / 2 with p = 0.8 x + 0.6 y along the ravine, q = 0.8 y - 0.6 x.

    Curvatures flat and steep everywhere. It lies askew, because an optimizer that gives each
    number a rate of its own would find a ravine along an axis too easy.
    """

    flat: float = 1.0
    steep: float = 20.0

    def __post_init__(self) -> None:
        check(self, flat=POSITIVE, steep=POSITIVE)

    def __call__(self, w: Tensor) -> Tensor:
        p, q = self._along_and_across(w)
        return (self.flat * (p * p) + self.steep * (q * q)) / 2

    def gradient(self, w: Tensor) -> Tensor:
        """(0.8 a - 0.6 b, 0.6 a + 0.8 b) with a = flat p and b = steep q."""
        p, q = self._along_and_across(w)
        a, b = self.flat * p, self.steep * q
        return torch.stack([0.8 * a - 0.6 * b, 0.6 * a + 0.8 * b], dim=-1)

    def _along_and_across(self, w: Tensor) -> tuple[Tensor, Tensor]:
        x, y = w.unbind(-1)
        return 0.8 * x + 0.6 * y, 0.8 * y - 0.6 * x


@dataclass(frozen=True)
class Rosenbrock:
    """f(x, y) = (1 - x)^2 + steep (y - x^2)^2: a bent valley to the minimum at (1, 1).

    Source: Rosenbrock 1960 (doi 10.1093/comjnl/3.3.175), with steep = 100.
    """

    steep: float = 100.0

    def __post_init__(self) -> None:
        check(self, steep=POSITIVE)

    def __call__(self, w: Tensor) -> Tensor:
        x, y = w.unbind(-1)
        ahead, off = 1 - x, y - x * x
        return ahead * ahead + self.steep * (off * off)

    def gradient(self, w: Tensor) -> Tensor:
        """(-2 (1 - x) - 4 steep x (y - x^2), 2 steep (y - x^2))."""
        x, y = w.unbind(-1)
        pull = 2 * self.steep * (y - x * x)
        return torch.stack([-2 * (1 - x) - 2 * x * pull, pull], dim=-1)


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
    surface: Bowl | Ravine | DoubleWell | Rosenbrock
    limits: tuple[float, float, float, float]
    start: tuple[float, float]
    peak_lr: float
    noise: float = 0.0
    quadratic: bool = False


PLACES = {
    "bowl": Place("Bowl", Bowl(), (-3, 3, -2, 2), (-2.4, 1.5), 0.1, quadratic=True),
    "ravine": Place("Ravine", Ravine(), (-3, 3, -2, 2), (-2.6, -1.2), 0.09, quadratic=True),
    "saddle": Place("Saddle", DoubleWell(), (-2.1, 2.1, -1.4, 1.4), (0.02, 1.2), 0.2),
    "rosenbrock": Place("Rosenbrock", Rosenbrock(), (-2.1, 2.1, -0.9, 1.9), (-1.2, 1.0), 0.001),
    "noisy-bowl": Place(
        "Noisy bowl", Bowl(1.0, 1.0), (-3, 3, -2, 2), (-2.4, 1.5), 0.1, noise=1.0, quadratic=True
    ),
}


def largest_curvature(surface, point: tuple[float, float]) -> float:
    """The largest eigenvalue of the Hessian at a point. Raises ValueError for several points."""
    return float(curvatures(surface, torch.tensor(point, dtype=torch.float64))[-1])
