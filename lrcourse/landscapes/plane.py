"""Surfaces over the plane, with exact gradients: saddles, wells and ravines.

    saddle = DoubleWell()
    run = descend(saddle.gradient, torch.tensor([0.01, 1.0]), optimizers.pure("sgd"), 0.1, 100)
    saddle(run.path)                                    # heights along the path

A surface is called with points of shape (..., 2) and gives heights of shape (...). `Quadratic` in
`lrcourse.landscapes` is another one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lrcourse.landscapes.points import one_point, points
from lrcourse.support.checks import (
    COUNT,
    NUMBER,
    POSITIVE,
    arguments,
    check,
    each,
    function,
    together,
)

_ON_THE_PLANE = arguments(w=points(2))


_CENTRES = each(together("(x, y)", NUMBER, NUMBER), into=tuple)
_SIZES = each(POSITIVE, into=tuple)


@dataclass(frozen=True)
class DoubleWell:
    """f(x, y) = (x^2 - 1)^2 / 4 + steepness y^2 / 2: two minima at (-1, 0), (1, 0), a saddle at 0.

    At the saddle the curvature is -1 along x and `steepness` along y; at the minima it is 2
    along x.

    Example:
        >>> import torch
        >>> from lrcourse.landscapes import DoubleWell
        >>> DoubleWell()(torch.tensor([[-1.0, 0.0], [0.0, 0.0]])).tolist()
        [0.0, 0.25]
    """

    steepness: float = 1.0

    def __post_init__(self) -> None:
        check(self, steepness=POSITIVE)

    def __call__(self, w: Tensor) -> Tensor:
        x, y = w.unbind(-1)
        return (x**2 - 1) ** 2 / 4 + self.steepness * y**2 / 2

    @_ON_THE_PLANE
    def gradient(self, w: Tensor) -> Tensor:
        """(x^3 - x, steepness y) at points `w` of shape (..., 2)."""
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
        widths, depths: one for each, > 0.
        bowl: curvature far away from the wells, > 0.

    Raises:
        ValueError: not one width and one depth for each centre, or one that is not > 0.

    Example:
        >>> from lrcourse.landscapes import Wells, curvatures
        >>> narrow, wide = (curvatures(Wells(), centre)[-1] for centre in Wells().centres)
        >>> bool(narrow > wide)
        True
    """

    centres: tuple[tuple[float, float], ...] = ((-1.0, 0.0), (1.0, 0.0))
    widths: tuple[float, ...] = (0.25, 0.8)
    depths: tuple[float, ...] = (1.0, 1.0)
    bowl: float = 0.2

    def __post_init__(self) -> None:
        check(self, centres=_CENTRES, widths=_SIZES, depths=_SIZES, bowl=POSITIVE)
        if not len(self.centres) == len(self.widths) == len(self.depths):
            raise ValueError(
                f"Wells: {len(self.centres)} centres, {len(self.widths)} widths and "
                f"{len(self.depths)} depths: give one of each for every well"
            )

    def __call__(self, w: Tensor) -> Tensor:
        holes = sum(hole for hole, _ in self._holes(w))
        return self.bowl * (w**2).sum(-1) / 2 - holes

    @_ON_THE_PLANE
    def gradient(self, w: Tensor) -> Tensor:
        """bowl w + sum over k of depth exp(...) (w - centre) / width^2, `w` of shape (..., 2)."""
        return self.bowl * w + sum(pull for _, pull in self._holes(w))

    def _holes(self, w: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Of each well: how much it lowers the surface at w, and the gradient that this adds."""
        found = []
        for centre, width, depth in zip(self.centres, self.widths, self.depths, strict=True):
            away = w - torch.tensor(centre, dtype=w.dtype, device=w.device)
            hole = depth * (-(away**2).sum(-1) / (2 * width**2)).exp()
            found.append((hole, hole[..., None] * away / width**2))
        return found


@dataclass(frozen=True)
class Ravine:
    """f(x, y) = (u^2 + steepness v^2) / 2 with u = x cos a + y sin a, v = y cos a - x sin a.

    A quadratic whose floor runs along u and whose walls rise along v. `turn` is the angle a of
    its floor with the x axis, in degrees. At 0 each coordinate has a curvature of its own, 1 and
    `steepness`; at 45 the two share both.

    Example:
        >>> import torch
        >>> from lrcourse.landscapes import Ravine
        >>> Ravine(steepness=20).gradient(torch.tensor([1.0, 0.5])).tolist()
        [1.0, 10.0]
    """

    steepness: float = 20.0
    turn: float = 0.0

    def __post_init__(self) -> None:
        check(self, steepness=POSITIVE, turn=NUMBER)

    @property
    def _cos_and_sin(self) -> tuple[float, float]:
        return math.cos(math.radians(self.turn)), math.sin(math.radians(self.turn))

    def __call__(self, w: Tensor) -> Tensor:
        u, v = self.along_and_across(w).unbind(-1)
        return (u**2 + self.steepness * v**2) / 2

    @_ON_THE_PLANE
    def gradient(self, w: Tensor) -> Tensor:
        """u (cos a, sin a) + steepness v (-sin a, cos a) at points `w` of shape (..., 2)."""
        c, s = self._cos_and_sin
        u, v = self.along_and_across(w).unbind(-1)
        v = self.steepness * v
        return torch.stack([u * c - v * s, u * s + v * c], dim=-1)

    @_ON_THE_PLANE
    def along_and_across(self, w: Tensor) -> Tensor:
        """(u, v) of points `w`, (x, y), both of shape (..., 2)."""
        c, s = self._cos_and_sin
        x, y = w.unbind(-1)
        return torch.stack([x * c + y * s, y * c - x * s], dim=-1)

    @arguments(along=NUMBER, across=NUMBER)
    def at(self, along: float, across: float) -> Tensor:
        """The point (x, y) with u = `along` and v = `across`, shape (2,), float64."""
        c, s = self._cos_and_sin
        point = [along * c - across * s, along * s + across * c]
        return torch.tensor(point, dtype=torch.float64)


@dataclass(frozen=True)
class Rosenbrock:
    """f(x, y) = (1 - x)^2 + steepness (y - x^2)^2: a bent valley, with its minimum at (1, 1).

    Source: Rosenbrock 1960 (doi 10.1093/comjnl/3.3.175), with a steepness of 100.

    Example:
        >>> import torch
        >>> from lrcourse.landscapes import Rosenbrock
        >>> Rosenbrock()(torch.tensor([[1.0, 1.0], [0.0, 0.0]])).tolist()
        [0.0, 1.0]
    """

    steepness: float = 100.0

    def __post_init__(self) -> None:
        check(self, steepness=POSITIVE)

    def __call__(self, w: Tensor) -> Tensor:
        x, y = w.unbind(-1)
        return (1 - x) ** 2 + self.steepness * (y - x**2) ** 2

    @_ON_THE_PLANE
    def gradient(self, w: Tensor) -> Tensor:
        """(2 (x - 1) - 4 steepness x (y - x^2), 2 steepness (y - x^2)) at `w` of shape (..., 2)."""
        x, y = w.unbind(-1)
        off = 2 * self.steepness * (y - x**2)
        return torch.stack([2 * (x - 1) - 2 * x * off, off], dim=-1)


@arguments(gradient=function, sd=POSITIVE, seed=COUNT)
def noisy(
    gradient: Callable[[Tensor], Tensor], sd: float, seed: int = 0
) -> Callable[[Tensor], Tensor]:
    """`gradient` with normal noise of this standard deviation on each of its numbers.

    The noise of one call after the other is drawn from `seed`: make a new one for a new run.
    Raises ValueError for an `sd` that is not a number above 0.

    Example:
        >>> import torch
        >>> from lrcourse.landscapes import Ravine, noisy
        >>> gradient, again = (noisy(Ravine().gradient, sd=0.1, seed=3) for _ in range(2))
        >>> bool((gradient(torch.ones(2)) == again(torch.ones(2))).all())
        True
    """
    random = torch.Generator().manual_seed(seed)

    def drawn(w: Tensor) -> Tensor:
        exact = gradient(w)
        return exact + sd * torch.randn(exact.shape, generator=random, dtype=exact.dtype)

    return drawn


@arguments(surface=function, point=one_point)
def curvatures(surface: Callable[[Tensor], Tensor], point: Tensor) -> Tensor:
    """Eigenvalues of the Hessian at one point, ascending: positive ones curve upward.

    Gradient descent stays at a minimum only if its rate is below 2 / the largest.

    Args:
        surface: takes a point to its height, by operations that torch can differentiate twice.
        point: shape (dimension,), or as many numbers.

    Raises:
        ValueError: for anything but one point.

    Example:
        >>> from lrcourse.landscapes import DoubleWell, curvatures
        >>> curvatures(DoubleWell(), [0.0, 0.0]).tolist()
        [-1.0, 1.0]
    """
    hessian = torch.autograd.functional.hessian(surface, point)
    return torch.linalg.eigvalsh((hessian + hessian.T) / 2)
