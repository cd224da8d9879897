"""Sharpness: the largest curvature of a net's loss, by power iteration, and its course.

    net = models.build("mlp", seed=0, data=digits, depth=3, width=32)
    watch = train_watching(net, digits.train, lr=0.1, updates=1000, every=20)
    watch.sharpness, 2 / watch.lr

For a quadratic loss gradient descent diverges as soon as the sharpness exceeds 2 / lr. In a net the
sharpness changes while it trains: Cohen et al. 2021, "Gradient Descent on Neural Networks
Typically Occurs at the Edge of Stability" (arXiv 2103.00065).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lrcourse.data.sets import Split

Loss = Callable[[Tensor, Tensor], Tensor]


def squared_error(outputs: Tensor, y: Tensor) -> Tensor:
    """Half the squared distance of the outputs from the labels as one-hot rows, image mean."""
    target = F.one_hot(y, outputs.shape[1]).to(outputs.dtype)
    return ((outputs - target) ** 2).sum(1).mean() / 2


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


def sharpness(
    net: nn.Module,
    split: Split,
    loss_fn: Loss = squared_error,
    *,
    start: Tensor | None = None,
    tolerance: float = 1e-3,
) -> float:
    """The largest eigenvalue of the Hessian of the mean loss over a split, at the net's weights.

    The net and its gradients stay as they are. ``loss_fn`` takes (outputs, labels) to a mean.
    ``start`` is where power iteration begins, one number a weight; default: random, always the
    same.
    """
    return _sharpest(net, split, loss_fn, start, tolerance)[0]


def along_gradient(net: nn.Module, split: Split, loss_fn: Loss = squared_error) -> float:
    """The curvature of the mean loss over a split in the direction of its own gradient g.

        g'Hg / g'g

    One product with the Hessian H, and so much cheaper than `sharpness`, which it never exceeds. On
    a quadratic a step of gradient descent at a rate above 2 over this number ends higher than it
    began. 0 where the gradient is 0; NaN where it is not finite. The net and its gradients stay as
    they are.
    """
    weights = [w for w in net.parameters() if w.requires_grad]
    parts = torch.autograd.grad(loss_fn(net(split.X), split.y), weights, create_graph=True)
    slope = _flat(parts)
    g = slope.detach()
    length = float(g @ g)
    if length == 0:
        return 0.0
    return float(g @ _flat(torch.autograd.grad(slope @ g, weights))) / length


def _sharpest(
    net: nn.Module, split: Split, loss_fn: Loss, start: Tensor | None, tolerance: float
) -> tuple[float, Tensor]:
    weights = [w for w in net.parameters() if w.requires_grad]
    loss = loss_fn(net(split.X), split.y)
    slope = _flat(torch.autograd.grad(loss, weights, create_graph=True))

    def product(v: Tensor) -> Tensor:
        parts = torch.autograd.grad(slope @ v, weights, retain_graph=True)
        return _flat(parts)

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
    """Train ``net`` in place by plain gradient descent, and measure its sharpness on the way.

    Args:
        split: the images; each update sees all of them, or ``batch_size`` drawn anew.
        every: a look before update 0, ``every``, 2 ``every`` ... and one at the end.
        seed: of the batches.
    """
    if not lr > 0 or updates < 1 or every < 1:
        raise ValueError(
            f"train_watching needs lr > 0, updates >= 1 and every >= 1, not {lr!r}, {updates!r} "
            f"and {every!r}"
        )
    if batch_size is not None and not 1 <= batch_size <= len(split):
        raise ValueError(f"batch_size is from 1 to {len(split)} images, not {batch_size!r}")
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


def _flat(parts: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([part.reshape(-1) for part in parts])
