"""Surfaces whose gradients and curvatures are known, and descents on them."""

from lrcourse.landscapes.descent import Descent, best_descent, descend
from lrcourse.landscapes.plane import DoubleWell, Ravine, Rosenbrock, Wells, curvatures, noisy
from lrcourse.landscapes.quadratic import Quadratic

__all__ = [
    "Descent",
    "DoubleWell",
    "Quadratic",
    "Ravine",
    "Rosenbrock",
    "Wells",
    "best_descent",
    "curvatures",
    "descend",
    "noisy",
]
