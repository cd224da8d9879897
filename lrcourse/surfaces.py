"""Surfaces over the plane, with exact gradients: the size of a step at a saddle and in a well.

    saddle = DoubleWell()
    run = descend(saddle.gradient, torch.tensor([0.01, 1.0]), optimizers.pure("sgd"), 0.1, 100)
    saddle(run.path)                                    # heights along the path

A surface is called with points of shape (..., 2) and gives heights of shape (...). `Quadratic` in
``lrcourse.landscapes`` is another one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class DoubleWell:
    """f(x, y) = (x^2 - 1)^2 / 4 + steepness y^2 / 2: two minima at (-1, 0), (1, 0), a saddle at 0.

    At the saddle the curvature is -1 along x and ``steepness`` along y; at the minima it is 2
    along x.
    """

    steepness: float = 1.0

    def __post_init__(self) -> None:
        _positive(steepness=self.steepness)

    def __call__(self, w: Tensor) -> Tensor:
        x, y = w.unbind(-1)
        return (x**2 - 1) ** 2 / 4 + self.steepness * y**2 / 2

    def gradient(self, w: Tensor) -> Tensor:
        """(x^3 - x, steepness y)."""
        x, y = w.unbind(-1)
        return torch.stack([x**3 - x, self.steepness * y], dim=-1)


@dataclass(frozen=True)
class Wells:
    """A wide bowl with round wells in it, of different widths.

    f(w) = bowl |w|^2 / 2 - sum over k of depths_k exp(-|w - centres_k|^2 / (2 widths_k^2))

    The narrower a well of some depth, the larger the curvature at its bottom, about
    depth / width^2 + bowl.

    Attributes:
        centres: (x, y) of each well.
        widths, depths: one for each.
        bowl: curvature far away from the wells.
    """

    centres: tuple[tuple[float, float], ...] = ((-1.0, 0.0), (1.0, 0.0))
    widths: tuple[float, ...] = (0.25, 0.8)
    depths: tuple[float, ...] = (1.0, 1.0)
    bowl: float = 0.2

    def __post_init__(self) -> None:
        if not len(self.centres) == len(self.widths) == len(self.depths) > 0:
            raise ValueError(
                f"{len(self.centres)} centres, {len(self.widths)} widths and {len(self.depths)} "
                "depths: give one of each for every well"
            )
        for width, depth in zip(self.widths, self.depths, strict=True):
            _positive(width=width, depth=depth)
        _positive(bowl=self.bowl)

    def __call__(self, w: Tensor) -> Tensor:
        holes = sum(hole for hole, _ in self._holes(w))
        return self.bowl * (w**2).sum(-1) / 2 - holes

    def gradient(self, w: Tensor) -> Tensor:
        """bowl w + sum over k of depth exp(...) (w - centre) / width^2."""
        return self.bowl * w + sum(pull for _, pull in self._holes(w))

    def _holes(self, w: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Of each well: how much it lowers the surface at w, and the gradient that this adds."""
        found = []
        for centre, width, depth in zip(self.centres, self.widths, self.depths, strict=True):
            away = w - torch.tensor(centre, dtype=w.dtype, device=w.device)
            hole = depth * (-(away**2).sum(-1) / (2 * width**2)).exp()
            found.append((hole, hole[..., None] * away / width**2))
        return found


def curvatures(surface: Callable[[Tensor], Tensor], point: Tensor) -> Tensor:
    """Eigenvalues of the Hessian at one point, ascending: positive ones curve upward.

    Gradient descent stays at a minimum only if its rate is below 2 / the largest.

    Raises ValueError for anything but one point.
    """
    point = torch.as_tensor(point).double()
    if point.ndim != 1:
        raise ValueError(f"curvatures are those of one point, not of shape {tuple(point.shape)}")
    hessian = torch.autograd.functional.hessian(surface, point)
    return torch.linalg.eigvalsh((hessian + hessian.T) / 2)


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"the {name} of a surface is a number above 0, not {value!r}")
