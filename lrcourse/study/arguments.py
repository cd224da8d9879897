"""What the measurements of all chapters take: nets, images, optimizers, functions of a loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from lrcourse.data.sets import DATA, SPLIT
from lrcourse.support.checks import COUNT_FROM_1, Shared, arguments, each, function, of_kind, whole
from lrcourse.support.kinds import NET, OPTIMIZER, TENSOR

Loss = Callable[[Tensor, Tensor], Tensor]

UPDATES = whole(1, 10**7)

# Decorates a measurement: what an argument of this name takes in each.
measuring = Shared(
    {
        "net": NET,
        "split": SPLIT,
        "data": DATA,
        "optimizer": OPTIMIZER,
        "trainer": OPTIMIZER,
        "loss_fn": function,
        "updates": UPDATES,
        "epochs": UPDATES,
        "batch_size": COUNT_FROM_1,
        "seed": whole(0, 2**63 - 1),
    }
)


@arguments(parts=each(TENSOR))
def flat(parts: Sequence[Tensor]) -> Tensor:
    """The numbers of tensors, the `parts`, in one row of shape (numbers of all,).

    >>> import torch
    >>> from lrcourse.study.arguments import flat
    >>> flat([torch.zeros(2, 1), torch.ones(1)])
    tensor([0., 0., 1.])
    """
    return torch.cat([part.reshape(-1) for part in parts])


@arguments(net=NET)
def learning(net: nn.Module) -> list[nn.Parameter]:
    """The weights of `net` that learn. ValueError where there are none.

    >>> from torch import nn
    >>> from lrcourse.study.arguments import learning
    >>> len(learning(nn.Linear(2, 1)))
    2
    """
    weights = [w for w in net.parameters() if w.requires_grad]
    if not weights:
        raise ValueError(f"net must have weights that learn; got {of_kind(net)}")
    return weights
