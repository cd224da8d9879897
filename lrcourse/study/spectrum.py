"""All curvatures of a small net's loss, and how many of them point down.

    spectrum(net, digits.train)            # eigenvalues of the Hessian, ascending
    share_down(values, least=1e-3)         # the share that is negative beyond rounding

At a minimum no curvature is negative, at a saddle some are. Source: Dauphin et al. 2014 (arXiv
1406.2572), who count them along the training of small nets. For nets of up to about a thousand
weights; `lrcourse.study.curvature` has the largest one for nets of any size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from lrcourse.data.sets import Split

MOST = 2000  # weights; the matrix has as many rows and columns


def spectrum(
    net: nn.Module,
    split: Split,
    loss_fn: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
) -> Tensor:
    """Eigenvalues of the Hessian of the mean loss over a split, ascending, shape (weights,).

    In float64, at the weights of ``net``, which is not changed; with BatchNorm it must be in eval
    mode. ValueError for more than 2,000 weights, or for weights that are not finite.
    """
    weights = {name: w.detach().double() for name, w in net.named_parameters()}
    count = sum(w.numel() for w in weights.values())
    if count > MOST:
        raise ValueError(f"the net has {count} weights: a whole Hessian is for {MOST} at most")
    flat = torch.cat([w.flatten() for w in weights.values()])
    if not bool(torch.isfinite(flat).all()):
        raise ValueError("the net has weights that are not finite: it has diverged")
    X, y = split.X.double(), split.y
    sizes = [w.numel() for w in weights.values()]
    buffers = {n: b.double() if b.is_floating_point() else b for n, b in net.named_buffers()}

    def loss(point: Tensor) -> Tensor:
        parts = zip(weights, point.split(sizes), strict=True)
        placed = {name: part.view_as(weights[name]) for name, part in parts}
        return loss_fn(torch.func.functional_call(net, placed | buffers, (X,)), y)

    # Backward twice: torch's forward mode warns of a deprecated part of its own.
    hessian = torch.func.jacrev(torch.func.grad(loss))(flat)
    return torch.linalg.eigvalsh((hessian + hessian.T) / 2)


def share_down(values: Tensor, least: float = 1e-3) -> float:
    """The share of eigenvalues below ``-least`` times the largest absolute one.

    Directions that the loss does not depend on have eigenvalues of 0, which come out a little
    above or below it: ``least`` says how far below 0 counts.
    """
    if values.ndim != 1 or not len(values):
        raise ValueError(f"give eigenvalues in one row, not of shape {tuple(values.shape)}")
    if not (math.isfinite(least) and least >= 0):
        raise ValueError(f"least is {least!r}: give a share of the largest, 0 or more")
    return float((values < -least * values.abs().max()).double().mean())
