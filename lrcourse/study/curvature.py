"""The curvatures of a net's loss: the largest (the sharpness), its course, and all of them.

    net = models.build("mlp", seed=0, data=digits, depth=3, width=32)
    watch = train_watching(net, digits.train, lr=0.1, updates=1000, every=20)
    watch.sharpness, 2 / watch.lr

For a quadratic loss gradient descent diverges as soon as the sharpness exceeds 2 / lr. In a net the
sharpness changes while it trains: Cohen et al. 2021, "Gradient Descent on Neural Networks
Typically Occurs at the Edge of Stability" (arXiv 2103.00065).

    spectrum(net, digits.train)            # all eigenvalues of the Hessian, ascending
    share_down(values, least=1e-3)         # the share that is negative beyond rounding

At a minimum no curvature is negative, at a saddle some are: Dauphin et al. 2014 (arXiv 1406.2572),
who count them along the training of small nets. Chapters 1, 3 and 4 use this module.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lrcourse.data import Split
from lrcourse.study.arguments import UPDATES, Loss, flat, learning, measuring
from lrcourse.support.checks import (
    BETWEEN_0_AND_1,
    COUNT_FROM_1,
    NOT_NEGATIVE,
    POSITIVE,
    Number,
    arguments,
    function,
    optional,
    such,
    whole,
)
from lrcourse.support.kinds import TENSOR

MOST = 2000  # weights in a spectrum; the matrix has as many rows and columns


_ROW = such(
    TENSOR,
    lambda row: row.ndim == 1 and len(row) and row.isfinite().all(),
    "finite numbers in one row",
)


@arguments(outputs=TENSOR, y=TENSOR)
def squared_error(outputs: Tensor, y: Tensor) -> Tensor:
    """Half the squared distance of the outputs from the labels as one-hot rows, image mean.

    `outputs` of shape (n, classes), labels `y` of shape (n,), int64.

    >>> import torch
    >>> from lrcourse.study.curvature import squared_error
    >>> squared_error(torch.zeros(2, 3), torch.tensor([0, 2])).item()
    0.5
    """
    target = F.one_hot(y, outputs.shape[1]).to(outputs.dtype)
    return ((outputs - target) ** 2).sum(1).mean() / 2


@arguments(apply=function, start=_ROW, tolerance=BETWEEN_0_AND_1, most=UPDATES)
def largest_eigenvalue(
    apply: Callable[[Tensor], Tensor], start: Tensor, tolerance: float = 1e-3, most: int = 300
) -> tuple[float, Tensor]:
    """The largest eigenvalue of a symmetric matrix, and its vector, from products with it alone.

    v <- A v / |A v|, eigenvalue v'Av. That finds the eigenvalue farthest from 0. Where it is
    negative, the iteration is repeated with A less that eigenvalue, whose farthest is the largest.

    Args:
        apply: v -> A v.
        start: a vector that is not orthogonal to the one looked for; a random one is not.
        tolerance: stop when |A v - value v| is at most this part of |value|; then an eigenvalue
            lies within that distance of the value.
        most: products with A at most, twice as many where the iteration is repeated.

    NaN where a product is not finite.

    >>> import torch
    >>> from lrcourse.study.curvature import largest_eigenvalue
    >>> matrix = torch.diag(torch.tensor([1.0, 5.0, -7.0]))
    >>> value, vector = largest_eigenvalue(lambda v: matrix @ v, torch.ones(3))
    >>> round(value, 2)
    5.0
    """
    value, vector = _power(apply, start, 0.0, tolerance, most)
    if value < 0:
        value, vector = _power(apply, start, value, tolerance, most)
    return value, vector


def _power(
    apply: Callable[[Tensor], Tensor], start: Tensor, shift: float, tolerance: float, most: int
) -> tuple[float, Tensor]:
    v = start / start.norm()
    value = math.nan
    for _ in range(most):
        product = apply(v) - shift * v
        value, length = float(v @ product), float(product.norm())
        if not math.isfinite(length) or length == 0:
            return (0.0 if length == 0 else math.nan) + shift, v
        if float((product - value * v).norm()) <= tolerance * abs(value + shift):
            break
        v = product / length
    return value + shift, v


@measuring(tolerance=BETWEEN_0_AND_1)
def sharpness(
    net: nn.Module, split: Split, loss_fn: Loss = squared_error, *, tolerance: float = 1e-3
) -> float:
    """The largest eigenvalue of the Hessian of the mean loss over `split`, at the net's weights.

    The net and its gradients stay as they are. `loss_fn` takes (outputs, labels) to a mean.
    Power iteration begins at random, always the same; `tolerance` is that of `largest_eigenvalue`.

    >>> from lrcourse import data, models
    >>> from lrcourse.study.curvature import sharpness
    >>> digits = data.load("digits", device="cpu").subset(64)
    >>> sharpness(models.mlp(1, 8), digits.train) > 0
    True
    """
    return _sharpest(net, split, loss_fn, None, tolerance)[0]


@measuring()
def along_gradient(net: nn.Module, split: Split, loss_fn: Loss = squared_error) -> float:
    """The curvature of the mean loss over `split` in the direction of its own gradient g.

        g'Hg / g'g

    One product with the Hessian H, and so much cheaper than `sharpness`, which it never exceeds. On
    a quadratic a step of gradient descent at a rate above 2 over this number ends higher than it
    began. 0 where the gradient is 0; NaN where it is not finite. The net and its gradients stay as
    they are. `loss_fn` takes (outputs, labels) to a mean.

    >>> from lrcourse import data, models
    >>> from lrcourse.study.curvature import along_gradient, sharpness
    >>> digits, net = data.load("digits", device="cpu").subset(64), models.mlp(1, 8)
    >>> along_gradient(net, digits.train) <= sharpness(net, digits.train)
    True
    """
    weights, slope = _slope(net, split, loss_fn)
    g = slope.detach()
    length = float(g @ g)
    if length == 0:
        return 0.0
    return float(g @ flat(torch.autograd.grad(slope @ g, weights))) / length


def _slope(net: nn.Module, split: Split, loss_fn: Loss) -> tuple[list[nn.Parameter], Tensor]:
    """The weights that learn, and the gradient of the mean loss that can be derived again."""
    weights = learning(net)
    loss = loss_fn(net(split.X), split.y)
    return weights, flat(torch.autograd.grad(loss, weights, create_graph=True))


def _sharpest(
    net: nn.Module, split: Split, loss_fn: Loss, start: Tensor | None, tolerance: float
) -> tuple[float, Tensor]:
    weights, slope = _slope(net, split, loss_fn)

    def product(v: Tensor) -> Tensor:
        return flat(torch.autograd.grad(slope @ v, weights, retain_graph=True))

    if start is None:
        draw = torch.Generator().manual_seed(0)
        start = torch.randn(len(slope), generator=draw).to(slope)
    return largest_eigenvalue(product, start, tolerance)


@dataclass(frozen=True, eq=False)
class Watch:
    """Full-batch (or mini-batch) descent with a look at the sharpness now and then.

    Attributes:
        lr: the constant rate.
        loss: the loss of each update's batch, shape (updates,).
        looks: the updates made before each look, shape (looks,).
        sharpness: then, over all images, shape (looks,).
        batch_size: None for all images in each update.
        diverged_at: the first update whose loss was not finite, or None.

    >>> import torch
    >>> from lrcourse.study.curvature import Watch
    >>> none = torch.zeros(0)
    >>> Watch(0.1, none, none, none, batch_size=None, diverged_at=None).edge
    20.0
    """

    lr: float
    loss: Tensor
    looks: Tensor
    sharpness: Tensor
    batch_size: int | None
    diverged_at: int | None

    @property
    def edge(self) -> float:
        """2 / lr, the sharpness at which gradient descent on a quadratic begins to diverge."""
        return 2 / self.lr


@measuring(lr=POSITIVE, every=COUNT_FROM_1, batch_size=optional(COUNT_FROM_1))
def train_watching(
    net: nn.Module,
    split: Split,
    lr: float,
    updates: int,
    *,
    every: int,
    loss_fn: Loss = squared_error,
    batch_size: int | None = None,
    seed: int = 0,
) -> Watch:
    """Train `net` in place by plain gradient descent, and measure its sharpness on the way.

    Args:
        net: what learns.
        split: the images; each update sees all of them, or `batch_size` drawn anew.
        lr: the constant rate.
        updates: how many.
        every: a look before update 0, `every`, 2 `every` ... and one at the end.
        loss_fn: takes (outputs, labels) to a mean.
        batch_size: None for all images in each update.
        seed: of the batches.

    Raises:
        ValueError: a rate that the weights cannot hold, a batch larger than the split, or a net
            that has nothing to learn.

    >>> from lrcourse import data, models
    >>> from lrcourse.study.curvature import train_watching
    >>> digits = data.load("digits", device="cpu").subset(64)
    >>> watch = train_watching(models.mlp(1, 8), digits.train, lr=0.1, updates=4, every=2)
    >>> watch.looks
    tensor([0, 2, 4])
    """
    optional(whole(1, len(split)))("train_watching", "batch_size", batch_size)
    most = min(torch.finfo(w.dtype).max for w in learning(net))
    Number(f"at most {most:.3g}, as the weights", lambda v: v <= most)("train_watching", "lr", lr)
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    draw = torch.Generator().manual_seed(seed)
    losses, looks, found, vector = [], [], [], None

    def look(t: int) -> None:
        nonlocal vector
        value, last = _sharpest(net, split, loss_fn, vector, 1e-2)
        vector = last if math.isfinite(value) else None
        looks.append(t)
        found.append(value)

    diverged_at = None
    for t in range(updates):
        if t % every == 0:
            look(t)
        X, y = split
        if batch_size is not None:
            chosen = torch.randperm(len(split), generator=draw)[:batch_size].to(y.device)
            X, y = X[chosen], y[chosen]
        loss = loss_fn(net(X), y)
        optimizer.zero_grad()
        loss.backward()
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            diverged_at = t
            break
        optimizer.step()
    if diverged_at is None:
        look(updates)
    return Watch(
        lr, torch.tensor(losses), torch.tensor(looks), torch.tensor(found), batch_size, diverged_at
    )


# -- all curvatures of a small net ----------------------------------------------------------------


@measuring()
def spectrum(net: nn.Module, split: Split, loss_fn: Loss = F.cross_entropy) -> Tensor:
    """Eigenvalues of the Hessian of the mean loss over `split`, ascending, shape (weights,).

    In float64, at the weights of `net`, which is not changed; with BatchNorm it must be in eval
    mode. `loss_fn` takes (outputs, labels) to a mean. ValueError for more than 2,000 weights, or
    for weights that are not finite.

    >>> from lrcourse import data, models
    >>> from lrcourse.study.curvature import spectrum
    >>> digits = data.load("digits", device="cpu").subset(64)
    >>> net = models.build("mlp", seed=0, data=digits, depth=2, width=1)
    >>> spectrum(net, digits.train).shape
    torch.Size([805])
    """
    weights = {name: w.detach().double() for name, w in net.named_parameters()}
    sizes = [w.numel() for w in weights.values()]
    if (count := sum(sizes)) > MOST:
        raise ValueError(
            f"spectrum: net must have {MOST} weights at most for its whole Hessian; it has {count}"
        )
    place = flat(list(weights.values()))
    if not bool(torch.isfinite(place).all()):
        raise ValueError("the net has weights that are not finite: it has diverged")
    X, y = split.X.double(), split.y
    buffers = {n: b.double() if b.is_floating_point() else b for n, b in net.named_buffers()}

    def loss(point: Tensor) -> Tensor:
        parts = zip(weights, point.split(sizes), strict=True)
        placed = {name: part.view_as(weights[name]) for name, part in parts}
        return loss_fn(torch.func.functional_call(net, placed | buffers, (X,)), y)

    # Backward twice: torch's forward mode warns of a deprecated part of its own.
    hessian = torch.func.jacrev(torch.func.grad(loss))(place)
    return torch.linalg.eigvalsh((hessian + hessian.T) / 2)


@arguments(values=_ROW, least=NOT_NEGATIVE)
def share_down(values: Tensor, least: float = 1e-3) -> float:
    """The share of eigenvalues `values`, shape (n,), below `-least` times the largest in size.

    Directions that the loss does not depend on have eigenvalues of 0, which come out a little
    above or below it: `least` says how far below 0 counts.

    >>> import torch
    >>> from lrcourse.study.curvature import share_down
    >>> share_down(torch.tensor([-2.0, -1e-9, 1.0, 5.0]))
    0.25
    """
    return float((values < -least * values.abs().max()).double().mean())
