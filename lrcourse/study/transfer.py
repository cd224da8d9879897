"""Fine-tuning in small: train on some classes, then go on with others from the same weights."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import torch
from torch import nn

from lrcourse import models
from lrcourse.data import Data, Split
from lrcourse.study.arguments import measuring
from lrcourse.support.checks import COUNT, COUNT_FROM_1, FLAG, each, optional, shown, whole


@measuring(labels=each(COUNT), images=optional(COUNT_FROM_1))
def only_classes(data: Data, labels: Sequence[int], images: int | None = None) -> Data:
    """The images with these labels, which become 0, 1, 2 ... in the order given.

    `images` keeps the first that many training images; validation and test stay whole.

    Raises ValueError for labels that the data do not have or that stand twice, and for more
    training images than there are.

    >>> from lrcourse import data
    >>> from lrcourse.study.transfer import only_classes
    >>> pair = only_classes(data.load("digits", device="cpu"), [3, 8], images=10)
    >>> len(pair.train), len(pair.classes)
    (10, 2)
    """
    known = range(len(data.classes))
    if len(set(labels)) < len(labels) or not set(labels) <= set(known):
        raise ValueError(
            f"only_classes: labels must be different ones of 0 to {len(known) - 1}; got {labels!r}"
        )

    def chosen(split: Split) -> Split:
        place = torch.full((len(known),), -1, device=split.y.device)
        place[torch.tensor(labels)] = torch.arange(len(labels), device=split.y.device)
        y = place[split.y]
        return Split(split.X[y >= 0], y[y >= 0])

    train = chosen(data.train)
    if images is not None:
        whole(1, len(train))("only_classes", "images", images)
        train = Split(train.X[:images], train.y[:images])
    return replace(
        data,
        name=f"{data.name}, classes {', '.join(map(str, labels))}",
        train=train,
        valid=None if data.valid is None else chosen(data.valid),
        test=chosen(data.test),
        classes=tuple(data.classes[label] for label in labels),
        fingerprint="",
    )


@measuring(frozen=FLAG)
def with_new_head(net: nn.Sequential, *, frozen: bool = False, seed: int = 0) -> nn.Sequential:
    """A copy of a net whose last layer, a linear one, has fresh weights from `seed`.

    `frozen`: the other layers do not learn.

    Raises TypeError for a net that does not end in a linear layer.

    >>> from lrcourse import models
    >>> from lrcourse.study.transfer import with_new_head
    >>> new = with_new_head(models.mlp(2, 8), frozen=True)
    >>> [w.requires_grad for w in new.parameters()]
    [False, False, True, True]
    """
    old = net[-1] if isinstance(net, nn.Sequential) and len(net) else None
    if not isinstance(old, nn.Linear):
        raise TypeError(
            "with_new_head: net must be a Sequential whose last layer, which is replaced, is a "
            f"linear one; got {shown(net)}"
        )
    copy = deepcopy(net)
    copy[:-1].requires_grad_(not frozen)
    head = models.mlp(1, 1, inputs=old.in_features, classes=old.out_features, seed=seed)[-1]
    copy[-1] = head.to(old.weight.device)
    return copy
