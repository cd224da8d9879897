"""A training that is interrupted, saved, and goes on: with the optimizer's state and without it.

losses = three_ways(build, train)
losses["with its state"] == losses["uninterrupted"]     # bit for bit, on one machine
"""

from __future__ import annotations

import io
from collections.abc import Callable

import torch
from torch import Tensor, nn

from lrcourse.support.checks import arguments, function, together
from lrcourse.support.kinds import NET, OPTIMIZER

_BUILT = together("(net, optimizer)", NET, OPTIMIZER)


@arguments(build=function, train=function)
def three_ways(
    build: Callable[[], tuple[nn.Module, torch.optim.Optimizer]],
    train: Callable[[nn.Module, torch.optim.Optimizer, str], Tensor],
) -> dict[str, Tensor]:
    """Losses before an interruption, and after it if there was none, with and without the state.

    The net, and for "with its state" the optimizer's `state_dict` too, go through `torch.save`
    and `torch.load`, as a checkpoint does, into what `build` makes anew.

    Args:
        build: a new net and a new optimizer over it. Its weights need not be the same each time.
        train: trains them in place and returns the loss of each update. Its last argument is
            "before" once and then "after"; it must use the same batches each time for "after".

    Returns:
        "before", "uninterrupted", "with its state" and "without".

    >>> import torch
    >>> from lrcourse.study.resuming import three_ways
    >>> def build():
    ...     net = torch.nn.Linear(1, 1)
    ...     return net, torch.optim.SGD(net.parameters(), lr=0.1)
    >>> losses = three_ways(build, lambda net, optimizer, when: net.weight.detach().clone())
    >>> torch.equal(losses["uninterrupted"], losses["without"])
    True
    """
    net, optimizer = _BUILT("three_ways", "build()", build())
    losses = {"before": train(net, optimizer, "before")}
    file = io.BytesIO()
    torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict()}, file)
    losses["uninterrupted"] = train(net, optimizer, "after")
    for how in ("with its state", "without"):
        net, optimizer = _BUILT("three_ways", "build()", build())
        saved = torch.load(io.BytesIO(file.getvalue()))
        net.load_state_dict(saved["net"])
        if how == "with its state":
            optimizer.load_state_dict(saved["optimizer"])
        losses[how] = train(net, optimizer, "after")
    return losses
