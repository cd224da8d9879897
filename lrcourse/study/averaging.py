"""Weights taken along a run: averaged (SWA), or kept as snapshots that vote together.

    with averaging.collect(net, optimizer, after=[340, 510, 680]) as taken:
        training.fit(net, data, optimizer, schedule, epochs=20, batch_size=32)
    averaging.average(taken, data.train)          # one net; its BatchNorm statistics are its own
    averaging.ensemble(taken.nets, data.test)     # (loss, accuracy) of the mean probability

It works with any loop that calls `optimizer.step()`. The mean is torch's own
(`torch.optim.swa_utils`).

Sources: Izmailov et al. 2018 (arXiv 1803.05407), averaging; Huang et al. 2017 (arXiv 1704.00109),
snapshot ensembles.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, update_bn

from lrcourse.data import Split
from lrcourse.data.sets import SPLIT
from lrcourse.study.arguments import measuring
from lrcourse.support.checks import COUNT_FROM_1, each, optional, such
from lrcourse.support.kinds import NET

AT_ONCE = 250  # images in one forward pass


def _nets(owner: str, name: str, value: object) -> list[nn.Module]:
    """Rule: nets, one at least, or what `collect` gave."""
    return each(NET)(owner, name, value.nets if isinstance(value, Taken) else value)


_MOMENTS = such(
    each(COUNT_FROM_1),
    lambda moments: len(set(moments)) == len(moments),
    "different numbers of updates, such as [340, 680]",
)


@dataclass(eq=False)
class Taken:
    """The nets of a run after some of its updates.

    Attributes:
        after: how many updates had been made when each was taken, ascending.
        nets: copies of the net, in eval mode, in the same order.

    >>> from lrcourse.study.averaging import Taken
    >>> Taken().after
    []
    """

    after: list[int] = field(default_factory=list)
    nets: list[nn.Module] = field(default_factory=list)


@measuring(after=_MOMENTS)
@contextmanager
def collect(
    net: nn.Module, optimizer: torch.optim.Optimizer, after: Iterable[int]
) -> Iterator[Taken]:
    """Take a copy of `net` after each number of updates in `after`, counted from here on.

    Neither the net nor the optimizer is changed; the hook that counts is removed at the end.

    Raises:
        ValueError: no numbers, one below 1, or one twice; at the end, one that the run has not
            reached.

    >>> import torch
    >>> from lrcourse.study.averaging import collect
    >>> net = torch.nn.Linear(2, 1)
    >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> with collect(net, optimizer, after=[1, 3]) as taken:
    ...     for _ in range(3):
    ...         optimizer.step()
    >>> taken.after, len(taken.nets)
    ([1, 3], 2)
    """
    taken, due, made = Taken(), set(after), 0

    def count(*_: object) -> None:
        nonlocal made
        made += 1
        if made in due:
            taken.after.append(made)
            taken.nets.append(copy.deepcopy(net).eval())

    handle = optimizer.register_step_post_hook(count)
    try:
        yield taken
    finally:
        handle.remove()
    if missed := sorted(due - set(taken.after)):
        raise ValueError(f"the run made {made} updates; nothing was taken after {missed}")


@measuring(split=optional(SPLIT))
def average(
    taken: Taken | Sequence[nn.Module], split: Split | None, *, batch_size: int = AT_ONCE
) -> nn.Module:
    """The net whose weights are the mean of the taken ones, each counting once; in eval mode.

    Args:
        taken: what `collect` gave, or nets of one kind.
        split: the training images. A net with BatchNorm passes over them once, to measure its
            running statistics anew: those of the members belong to other weights. None leaves
            the last member's in place, which is a mistake that one should have seen once.
        batch_size: of that pass.

    >>> import torch
    >>> from lrcourse.study.averaging import average
    >>> one, three = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    >>> _ = torch.nn.init.constant_(one.weight, 1.0), torch.nn.init.constant_(three.weight, 3.0)
    >>> average([one, three], None).weight.item()
    2.0
    """
    nets = _nets("average", "taken", taken)
    mean = AveragedModel(nets[0])
    for net in nets:
        mean.update_parameters(net)
    averaged = copy.deepcopy(nets[-1])
    with torch.no_grad():
        for own, new in zip(averaged.parameters(), mean.module.parameters(), strict=True):
            own.copy_(new)
    if split is not None:
        update_bn(list(split.X.split(batch_size)), averaged)
    return averaged.eval()


@measuring(nets=_nets)
def ensemble(nets: Sequence[nn.Module], split: Split) -> tuple[float, float]:
    """(loss, accuracy) on `split` of several `nets` that vote: the mean of their probabilities.

    The loss is the cross-entropy of that mean. Each net is asked in eval mode, and its mode is
    put back.

    >>> from lrcourse import data, models
    >>> from lrcourse.study.averaging import ensemble
    >>> digits = data.load("digits", device="cpu").subset(64)
    >>> loss, accuracy = ensemble([models.mlp(1, 8, seed=k) for k in range(3)], digits.test)
    >>> 0 <= accuracy <= 1
    True
    """
    total = torch.zeros(len(split.y), 1, device=split.X.device, dtype=torch.float64)
    for net in nets:
        was_training = net.training
        net.eval()
        with torch.inference_mode():
            logits = torch.cat([net(X) for X in split.X.split(AT_ONCE)])
            total = total + F.softmax(logits.double(), dim=1)
        net.train(was_training)
    share = total / len(nets)
    right = (share.argmax(1) == split.y).double().mean()
    return float(F.nll_loss(share.log(), split.y)), float(right)
