"""The surface on which the learning rate can be understood with a pencil.

    bowl = Quadratic.random(dimension=50, condition=100, seed=0)
    run = descend(bowl.gradient, start=torch.ones(50), optimizer=optimizers.pure("sgd"),
                  lr=1.9 / bowl.largest, updates=500)
    bowl(run.path[-1])

All numbers are float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from lrcourse.landscapes.points import points
from lrcourse.support.checks import AT_LEAST_1, COUNT, POSITIVE, arguments, check, such, whole
from lrcourse.support.kinds import TENSOR

_SYMMETRIC = such(
    TENSOR, lambda a: a.ndim == 2 and torch.equal(a, a.T), "a symmetric tensor of two dimensions"
)


@dataclass(frozen=True, eq=False)
class Quadratic:
    """f(w) = w'Aw / 2 for a symmetric matrix A, shape (dimension, dimension), float64.

    Call it with points of shape (..., dimension) to have their values. TypeError or ValueError for
    a `matrix` that is not symmetric.

    Example:
        >>> import torch
        >>> from lrcourse.landscapes import Quadratic
        >>> bowl = Quadratic(torch.diag(torch.tensor([1.0, 10.0])))
        >>> bowl.largest, bowl.condition, bowl(torch.ones(2)).item()
        (10.0, 10.0, 5.5)
    """

    matrix: Tensor

    def __post_init__(self) -> None:
        check(self, matrix=_SYMMETRIC)
        object.__setattr__(self, "matrix", self.matrix.double())

    @classmethod
    @arguments(dimension=whole(2, 10_000), condition=AT_LEAST_1, largest=POSITIVE, seed=COUNT)
    def random(
        cls, dimension: int, *, condition: float, largest: float = 1.0, seed: int = 0
    ) -> Quadratic:
        """Curvatures at equal ratios from largest / condition to largest, turned at random.

        Turned, because an optimizer that treats each coordinate by itself sees no curvature alone
        along an axis, as in a net.

        Args:
            dimension: from 2 to 10,000.
            condition: largest over smallest curvature, >= 1.
            largest: the largest curvature, > 0.
            seed: of the turn.
        """
        draw = torch.Generator().manual_seed(seed)
        square = torch.randn(dimension, dimension, generator=draw, dtype=torch.float64)
        turn, _ = torch.linalg.qr(square)
        exponents = torch.linspace(-1, 0, dimension, dtype=torch.float64)
        a = turn @ torch.diag(largest * condition**exponents) @ turn.T
        return cls((a + a.T) / 2)

    @cached_property
    def curvatures(self) -> Tensor:
        """Eigenvalues of A, ascending, shape (dimension,)."""
        return torch.linalg.eigvalsh(self.matrix)

    @property
    def largest(self) -> float:
        """The largest eigenvalue. Gradient descent converges below the rate 2 / largest."""
        return float(self.curvatures[-1])

    @property
    def condition(self) -> float:
        """Largest over smallest eigenvalue."""
        return float(self.curvatures[-1] / self.curvatures[0])

    def __call__(self, w: Tensor) -> Tensor:
        return (w * self.gradient(w)).sum(-1) / 2

    def gradient(self, w: Tensor) -> Tensor:
        """Aw at points `w` of shape (..., dimension)."""
        return points(len(self.matrix))("Quadratic", "w", w).double() @ self.matrix
