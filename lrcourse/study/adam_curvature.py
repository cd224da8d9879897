"""The curvature that Adam's steps meet: that of the loss in units of its own denominators.

    net, optimizer, _ = experiment.build("cpu")
    lr * preconditioned_sharpness(net, digits.train, optimizer), edge(beta1=0.9)

Plain gradient descent at a rate eta leaves a valley of curvature above 2 / eta. Adam divides each
weight's step by a number of its own, d = (1 - beta1^t) (sqrt(v / (1 - beta2^t)) + eps), so what
counts for it is the largest eigenvalue of D^(-1/2) H D^(-1/2), with D the diagonal of these
numbers, and with its mean of gradients the edge is (2 + 2 beta1) / ((1 - beta1) eta), 38 / eta at
0.9: Cohen et al. 2022, "Adaptive gradient methods at the edge of stability" (arXiv 2207.14484).
Chapter 3 uses this module.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lrcourse.study.arguments import Loss, flat, learning, measuring
from lrcourse.study.curvature import largest_eigenvalue
from lrcourse.support.checks import BELOW_1, BETWEEN_0_AND_1, arguments, kind

_ADAM = kind("torch's Adam or AdamW", torch.optim.Adam)


@arguments(beta1=BELOW_1)
def edge(beta1: float = 0.9) -> float:
    """The rate times the preconditioned curvature above which Adam leaves a quadratic valley.

    (2 + 2 beta1) / (1 - beta1), for denominators that no longer change.

    >>> from lrcourse.study.adam_curvature import edge
    >>> round(edge(0.9), 6), edge(0.0)
    (38.0, 2.0)
    """
    return (2 + 2 * beta1) / (1 - beta1)


@measuring(optimizer=_ADAM, tolerance=BETWEEN_0_AND_1)
def preconditioned_sharpness(
    net: nn.Module,
    split: tuple[Tensor, Tensor],
    optimizer: torch.optim.Adam,
    loss_fn: Loss = F.cross_entropy,
    *,
    tolerance: float = 0.05,
    most: int = 40,
) -> float:
    """The largest eigenvalue of the Hessian of the mean loss, divided by Adam's denominators.

    The denominators are those of the last update that `optimizer` has made; before the first, of
    an update along the gradient of this split. On a copy: net, gradients and optimizer stay as they
    are. BatchNorm works as the net's mode has it.

    Args:
        net: at whose weights.
        split: the images that the mean goes over.
        optimizer: Adam or AdamW over the net's weights, without `amsgrad`.
        loss_fn: takes (outputs, labels) to a mean.
        tolerance, most: those of `largest_eigenvalue`, whose value is never above the largest.

    Raises:
        ValueError: a weight that learns and that the optimizer does not hold, or one that other
            weights have been updated without.

    >>> import torch
    >>> from lrcourse import data, models
    >>> from lrcourse.study.adam_curvature import preconditioned_sharpness
    >>> digits, net = data.load("digits", device="cpu").subset(64), models.mlp(1, 8)
    >>> adam = torch.optim.Adam(net.parameters(), lr=0.01)
    >>> preconditioned_sharpness(net, digits.train, adam) > 0
    True
    """
    X, y = split
    look = copy.deepcopy(net)  # a forward pass moves the running means of BatchNorm
    weights = learning(look)
    loss = loss_fn(look(X), y)
    slope = flat(torch.autograd.grad(loss, weights, create_graph=True))
    root = _denominators(net, optimizer, slope.detach()).sqrt()

    def product(v: Tensor) -> Tensor:
        return flat(torch.autograd.grad(slope @ (v / root), weights, retain_graph=True)) / root

    draw = torch.Generator().manual_seed(0)
    start = torch.randn(len(slope), generator=draw).to(slope)
    return largest_eigenvalue(product, start, tolerance, most)[0]


def _denominators(net: nn.Module, optimizer: torch.optim.Adam, slope: Tensor) -> Tensor:
    """By how much Adam divides each weight's mean gradient."""
    weights = learning(net)
    groups = {id(w): group for group in optimizer.param_groups for w in group["params"]}
    found = []
    for w, g in zip(weights, slope.split([w.numel() for w in weights]), strict=True):
        if id(w) not in groups:
            raise ValueError("optimizer must hold every weight of the net that learns")
        state, (beta1, beta2) = optimizer.state.get(w, {}), groups[id(w)]["betas"]
        if bool(optimizer.state) and not state:
            raise ValueError("optimizer must have updated every weight of the net, or none")
        t = int(state["step"]) if state else 1
        squares = state["exp_avg_sq"].reshape(-1) if state else (1 - beta2) * g**2
        corrected = (squares / (1 - beta2**t)).sqrt() + groups[id(w)]["eps"]
        found.append((1 - beta1**t) * corrected)
    return torch.cat(found)
