"""Descending on a surface, with the optimizers from scratch: the same that train nets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lrcourse.landscapes.points import one_point
from lrcourse.optimizers.from_scratch import PAIR, Optimizer
from lrcourse.schedules.base import SCHEDULE, Schedule
from lrcourse.support.checks import (
    POSITIVE,
    arguments,
    each,
    function,
    optional,
    shown,
    such,
    whole,
)
from lrcourse.support.kinds import TENSOR

Surface = Callable[[Tensor], Tensor]
Gradient = Callable[[Tensor], Tensor]
UPDATES = whole(1, 10**8)  # the whole path is kept


_TENSOR_OF_RATES = such(
    TENSOR, lambda rates: (rates > 0).all() and rates.isfinite().all(), "finite rates > 0"
)


def _rates(owner: str, name: str, value: object) -> float | Tensor:
    rule = _TENSOR_OF_RATES if isinstance(value, Tensor) else POSITIVE
    return rule(owner, name, value)


@dataclass(frozen=True, eq=False)
class Descent:
    """Where an optimizer went.

    Attributes:
        path: the points, the start included, shape (updates + 1, ...).
        gradients: what it was told at each point but the last, shape (updates, ...).
        lr: the rate of each update, shape (updates,), or (updates, ...) for several rates.

    Example:
        >>> import torch
        >>> from lrcourse import optimizers
        >>> from lrcourse.landscapes import descend
        >>> run = descend(lambda w: w, torch.ones(1), optimizers.sgd(), lr=0.5, updates=3)
        >>> run.path[:, 0].tolist(), run.rates[:, 0].tolist()
        ([1.0, 0.5, 0.25, 0.125], [0.5, 0.5, 0.5])
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


@arguments(
    gradient=function,
    start=TENSOR,
    optimizer=PAIR,
    lr=_rates,
    updates=UPDATES,
    schedule=optional(SCHEDULE),
)
def descend(
    gradient: Gradient,
    start: Tensor,
    optimizer: Optimizer,
    lr: float | Tensor,
    updates: int,
    schedule: Schedule | None = None,
) -> Descent:
    """Follow `gradient` (point -> its gradient, both of the shape of `start`).

    It may be noisy, and the numbers of a point may be as many problems side by side. A descent
    that diverges goes on to infinity and NaN; that is a result.

    Args:
        gradient: takes a point, and is asked once an update.
        start: the first point, of any shape; computed with in float64.
        optimizer: a pair of pure functions, as `lrcourse.optimizers.pure` gives it.
        updates: how many, from 1 on; the whole path is kept.
        lr, schedule: the peak LR, and the shape that multiplies it at each update, if any. A
            tensor gives each of several problems side by side its own: rates of shape (n, 1) for
            points of shape (n, dimension).

    Raises:
        TypeError: `gradient` gives no tensor.

    Example:
        >>> import torch
        >>> from lrcourse import optimizers
        >>> from lrcourse import schedules as s
        >>> from lrcourse.landscapes import descend
        >>> run = descend(lambda w: w, torch.ones(1), optimizers.sgd(), 0.5, 3, s.linear(2))
        >>> run.lr.tolist(), run.path[:, 0].tolist()
        ([0.5, 0.25, 0.0], [1.0, 0.5, 0.375, 0.375])
    """
    peak = torch.as_tensor(lr, dtype=torch.float64)
    if peak.ndim:
        start = start.expand(torch.broadcast_shapes(start.shape, peak.shape))
    params = {"w": start.double().clone()}
    state = optimizer.init(params)
    rates = [peak * (1.0 if schedule is None else float(schedule(t))) for t in range(updates)]
    path, gradients = [params["w"]], []
    for rate in rates:
        told = gradient(params["w"])
        if not isinstance(told, Tensor):
            raise TypeError(f"descend: gradient must give a tensor; it gave {shown(told)}")
        gradients.append(told)
        params, state = optimizer.update(params, {"w": gradients[-1]}, state, rate)
        path.append(params["w"])
    return Descent(torch.stack(path), torch.stack(gradients), torch.stack(rates))


@arguments(
    f=function,
    start=one_point,
    optimizer=PAIR,
    rates=each(POSITIVE),
    updates=UPDATES,
    gradient=optional(function),
)
def best_descent(
    f: Surface,
    start: Tensor,
    optimizer: Optimizer,
    rates: Sequence[float],
    updates: int,
    *,
    gradient: Gradient | None = None,
) -> tuple[float, Descent]:
    """The rate of `rates` that ends lowest from `start`, and its descent.

    Lowest is the mean height over the last tenth of the updates, so that a path that swings
    through the minimum at its last update does not win by that. Rates that diverge come last.

    Args:
        f: has a `gradient`, as the surfaces of the course do, unless one is given.
        start: one point, shape (dimension,).
        optimizer: a pair of pure functions, as `lrcourse.optimizers.pure` gives it.
        rates: those to try, each > 0.
        updates: of each descent.
        gradient: another one to follow, with noise for instance; it is asked for the gradients of
            all rates at once, shape (rates, dimension).

    Raises:
        TypeError: `f` has no gradient, and none is given.
        ValueError: every rate diverges, or the start has another shape.

    Example:
        >>> import torch
        >>> from lrcourse import optimizers
        >>> from lrcourse.landscapes import Quadratic, best_descent
        >>> bowl, start = Quadratic(torch.diag(torch.tensor([1.0, 10.0]))), torch.ones(2)
        >>> rate, run = best_descent(bowl, start, optimizers.sgd(), [0.05, 0.1, 0.3], updates=20)
        >>> rate
        0.1
    """
    if gradient is None:
        gradient = getattr(f, "gradient", None)
    if gradient is None:
        raise TypeError(f"best_descent: f must have a gradient, or one is given; got {shown(f)}")
    peaks = torch.tensor(rates, dtype=torch.float64)[:, None]
    run = descend(gradient, start, optimizer, peaks, updates)
    ends = f(run.path[-max(1, updates // 10) :]).mean(0).nan_to_num(nan=torch.inf)
    best = int(ends.argmin())
    if not bool(ends[best].isfinite()):
        raise ValueError(f"every one of the {len(peaks)} rates diverges: give lower ones")
    found = Descent(run.path[:, best], run.gradients[:, best], run.lr[:, best, 0])
    return float(peaks[best]), found
