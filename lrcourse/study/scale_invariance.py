"""Weights whose length the loss does not see, because a BatchNorm follows them.

    length(net)        # of all such weights together
    along_gradient(net, images, loss_fn) * length(net) ** 2    # what is left of the curvature
    watched = watch(net, optimizer)    # |w|^2 and the effective rate before each update

BatchNorm divides by the spread of what comes in, so a layer before it may be multiplied by any c > 0
and the net's outputs stay: the gradient with respect to its weights is then divided by c, and the
curvature by c^2. A gradient is at right angles to such weights, so that each step makes them longer,
and the rate that acts on their direction is eta / |w|^2: Arora, Li and Lyu 2018 (arXiv 1812.03981),
van Laarhoven 2017 (arXiv 1706.05350). Chapter 3 uses this module.
"""  # noqa: E501

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from lrcourse.study.arguments import measuring

_Layer = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@measuring()
def invariant_layers(net: nn.Sequential) -> list[_Layer]:
    """The linear and convolutional layers of a sequence that a BatchNorm follows at once.

    ValueError for a `net` that is no nn.Sequential, or that has none.

    >>> from lrcourse import models
    >>> from lrcourse.study.scale_invariance import invariant_layers
    >>> [type(layer).__name__ for layer in invariant_layers(models.lenet(norm=True))]
    ['Conv2d', 'Conv2d', 'Linear', 'Linear']
    """
    layers = list(net) if isinstance(net, nn.Sequential) else []
    found = [
        layer
        for layer, after in pairwise(layers)
        if isinstance(layer, _Layer) and isinstance(after, _NORMS)
    ]
    if not found:
        raise ValueError(
            "net must be an nn.Sequential with a BatchNorm right after a linear or convolutional "
            "layer, such as models.lenet(norm=True)"
        )
    return found


@measuring()
def length(net: nn.Sequential) -> float:
    """The length of all weights before a BatchNorm together; their biases are not counted.

    ValueError for a `net` without such weights.

    >>> import torch
    >>> from torch import nn
    >>> from lrcourse.study.scale_invariance import length
    >>> net = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1))
    >>> _ = net[0].weight.data.copy_(torch.tensor([[3.0, 4.0]]))
    >>> length(net)
    5.0
    """
    squares = [float((layer.weight.detach() ** 2).sum()) for layer in invariant_layers(net)]
    return sum(squares) ** 0.5


@measuring()
def watch(net: nn.Sequential, optimizer: torch.optim.Optimizer) -> list[tuple[float, float]]:
    """A log that `optimizer` fills from now on, before each of its updates.

    A row holds |w|^2 of the weights before a BatchNorm, in units of its first value, and the
    effective rate eta / |w|^2, with the rate of the first group. It is a log as `plots.logs` draws
    it. ValueError for a `net` without such weights.

    >>> import torch
    >>> from torch import nn
    >>> from lrcourse.study.scale_invariance import watch
    >>> net = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1))
    >>> _ = net[0].weight.data.copy_(torch.tensor([[3.0, 4.0]]))
    >>> sgd = torch.optim.SGD(net.parameters(), lr=0.5)
    >>> watched = watch(net, sgd)
    >>> sgd.step()
    >>> watched
    [(1.0, 0.02)]
    """
    first, log = length(net) ** 2, []

    def look(*_: object) -> None:
        square = length(net) ** 2
        log.append((square / first, optimizer.param_groups[0]["lr"] / square))

    optimizer.register_step_pre_hook(look)
    return log
