"""A training that is interrupted, saved, and goes on: with the optimizer's state and without it.

losses = three_ways(build, train)
losses["with its state"] == losses["uninterrupted"]     # bit for bit, on one machine
"""

from __future__ import annotations

import io
from collections.abc import Callable

import torch
from torch import Tensor, nn

from lrcourse.study.arguments import NET, OPTIMIZER
from lrcourse.support.checks import arguments, function, shown


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
    net, optimizer = _built(build)
    losses = {"before": train(net, optimizer, "before")}
    file = io.BytesIO()
    torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict()}, file)
    losses["uninterrupted"] = train(net, optimizer, "after")
    for how in ("with its state", "without"):
        net, optimizer = _built(build)
        saved = torch.load(io.BytesIO(file.getvalue()))
        net.load_state_dict(saved["net"])
        if how == "with its state":
            optimizer.load_state_dict(saved["optimizer"])
        losses[how] = train(net, optimizer, "after")
    return losses


def _built(
    build: Callable[[], tuple[nn.Module, torch.optim.Optimizer]],
) -> tuple[nn.Module, torch.optim.Optimizer]:
    made = build()
    if not isinstance(made, tuple) or len(made) != 2:
        raise ValueError(f"three_ways: build must return (net, optimizer); got {shown(made)}")
    return NET("three_ways", "build()[0]", made[0]), OPTIMIZER("three_ways", "build()[1]", made[1])
