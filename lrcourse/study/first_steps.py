"""The first update of an optimizer, weight by weight: how long it is, and for which gradient.

    gradients, steps = first_step(net, torch.optim.Adam(net.parameters(), lr=1e-3), digits.train)

Adam's first step is the whole rate for every weight, SGD's the rate times the gradient. Chapter 5
uses this module.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lrcourse.data.sets import Split
from lrcourse.study.arguments import Loss, flat, learning, measuring
from lrcourse.support.checks import POSITIVE


@measuring(scale=POSITIVE)
def first_step(
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    split: Split,
    loss_fn: Loss = functional.cross_entropy,
    *,
    scale: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Make one update of `net` on all of `split`; the sizes of gradient and step of each weight.

    Args:
        net: is changed by the update. Of its precision are the numbers.
        optimizer: of all its weights, at one rate.
        split: the images and labels of one batch.
        loss_fn: (outputs, labels) to a mean.
        scale: multiplies the loss.

    Returns:
        Sizes of gradients and of steps, the latter in units of the rate, both of shape (weights,),
        without the weights whose gradient is 0.

    >>> import torch
    >>> from lrcourse import data, models
    >>> from lrcourse.study.first_steps import first_step
    >>> digits, net = data.load("digits", device="cpu").subset(64), models.mlp(1, 8)
    >>> sgd = torch.optim.SGD(net.parameters(), lr=0.5)
    >>> gradients, steps = first_step(net, sgd, digits.train)
    >>> torch.allclose(gradients, steps, rtol=1e-3)
    True
    """
    weights = learning(net)
    optimizer.zero_grad()
    (scale * loss_fn(net(split.X.to(weights[0].dtype)), split.y)).backward()
    before = flat([w.detach() for w in weights])
    optimizer.step()
    steps = (flat([w.detach() for w in weights]) - before) / optimizer.param_groups[0]["lr"]
    gradients = flat([torch.zeros_like(w) if w.grad is None else w.grad for w in weights])
    there = gradients != 0
    return gradients[there].abs(), steps[there].abs()
