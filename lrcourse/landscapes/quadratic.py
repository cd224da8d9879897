"""Surfaces on which the learning rate can be understood with a pencil, and descending on them.

    bowl = Quadratic.random(dimension=50, condition=100, seed=0)
    run = descend(bowl.gradient, start=torch.ones(50), optimizer=optimizers.pure("sgd"),
                  lr=1.9 / bowl.largest, updates=500)
    bowl(run.path[-1])

All numbers are float64. The optimizers are the pure ones of the course, the same that train nets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from lrcourse.optimizers.from_scratch import Optimizer
from lrcourse.schedules.base import Schedule

Gradient = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Quadratic:
    """f(w) = w'Aw / 2 for a symmetric matrix A, shape (dimension, dimension), float64.

    Call it with points of shape (..., dimension) to have their values.
    """

    matrix: Tensor

    def __post_init__(self) -> None:
        a = self.matrix
        if not isinstance(a, Tensor) or a.ndim != 2 or not torch.equal(a, a.T):
            raise ValueError("the matrix of a quadratic is a symmetric tensor of two dimensions")
        object.__setattr__(self, "matrix", a.double())

    @classmethod
    def random(
        cls, dimension: int, *, condition: float, largest: float = 1.0, seed: int = 0
    ) -> Quadratic:
        """Curvatures at equal ratios from largest / condition to largest, turned at random.

        Turned, because an optimizer that treats each coordinate by itself sees no curvature alone
        along an axis, as in a net.
        """
        if dimension < 2 or not condition >= 1 or not largest > 0:
            raise ValueError(
                "a random quadratic has dimension >= 2, condition >= 1 and largest > 0, not "
                f"{dimension!r}, {condition!r} and {largest!r}"
            )
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
        return (w * (w @ self.matrix)).sum(-1) / 2

    def gradient(self, w: Tensor) -> Tensor:
        """Aw."""
        return w @ self.matrix


@dataclass(frozen=True, eq=False)
class Descent:
    """Where an optimizer went.

    Attributes:
        path: the points, the start included, shape (updates + 1, ...).
        gradients: what it was told at each point but the last, shape (updates, ...).
        lr: the rate of each update, shape (updates,), or (updates, ...) for several rates.
    """

    path: Tensor
    gradients: Tensor
    lr: Tensor

    @property
    def rates(self) -> Tensor:
        """How far each number moved against its gradient, per unit of it, shape (updates, ...).

        The rate that the number really had: lr for SGD, lr / (sqrt(s) + eps) for AdaGrad.
        """
        return -self.path.diff(dim=0) / self.gradients


def descend(
    gradient: Gradient,
    start: Tensor,
    optimizer: Optimizer,
    lr: float | Tensor,
    updates: int,
    schedule: Schedule | None = None,
) -> Descent:
    """Follow ``gradient`` (point -> its gradient, both of the shape of ``start``).

    It may be noisy, and the numbers of a point may be as many problems side by side. A descent
    that diverges goes on to infinity and NaN; that is a result.

    Args:
        optimizer: a pair of pure functions, as ``lrcourse.optimizers.pure`` gives it.
        lr, schedule: the peak LR, and the shape that multiplies it at each update, if any. A
            tensor gives each of several problems side by side its own: rates of shape (n, 1) for
            points of shape (n, dimension).
    """
    peak = torch.as_tensor(lr, dtype=torch.float64)
    if not (peak > 0).all() or updates < 1:
        raise ValueError(f"descend needs lr > 0 and updates >= 1, not {lr!r} and {updates!r}")
    if peak.ndim:
        start = start.expand(torch.broadcast_shapes(start.shape, peak.shape))
    params = {"w": start.double().clone()}
    state = optimizer.init(params)
    rates = [peak * (1.0 if schedule is None else float(schedule(t))) for t in range(updates)]
    path, gradients = [params["w"]], []
    for rate in rates:
        gradients.append(gradient(params["w"]))
        params, state = optimizer.update(params, {"w": gradients[-1]}, state, rate)
        path.append(params["w"])
    return Descent(torch.stack(path), torch.stack(gradients), torch.stack(rates))


def best_descent(
    f: Callable[[Tensor], Tensor],
    start: Tensor,
    optimizer: Optimizer,
    rates: Sequence[float],
    updates: int,
    *,
    gradient: Gradient | None = None,
) -> tuple[float, Descent]:
    """The rate of ``rates`` that ends lowest from ``start``, and its descent.

    Lowest is the mean height over the last tenth of the updates, so that a path that swings
    through the minimum at its last update does not win by that. Rates that diverge come last.

    Args:
        f: has a ``gradient``, as the surfaces of the course do, unless one is given.
        start: one point, shape (dimension,).
        gradient: another one to follow, with noise for instance; it is asked for the gradients of
            all rates at once, shape (rates, dimension).

    Raises ValueError where every rate diverges, or for a start of another shape.
    """
    if start.ndim != 1:
        raise ValueError(f"start is one point, not of shape {tuple(start.shape)}")
    peaks = torch.tensor(list(rates), dtype=torch.float64)[:, None]
    run = descend(gradient or f.gradient, start, optimizer, peaks, updates)
    ends = f(run.path[-max(1, updates // 10) :]).mean(0).nan_to_num(nan=torch.inf)
    best = int(ends.argmin())
    if not bool(ends[best].isfinite()):
        raise ValueError(f"every one of the {len(peaks)} rates diverges: give lower ones")
    found = Descent(run.path[:, best], run.gradients[:, best], run.lr[:, best, 0])
    return float(peaks[best]), found
