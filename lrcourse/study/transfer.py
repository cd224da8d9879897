"""Fine-tuning in small: train on some classes, then go on with others from the same weights."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import torch
from torch import nn

from lrcourse import models
from lrcourse.data.sets import Data, Split


def only_classes(data: Data, labels: Sequence[int], images: int | None = None) -> Data:
    """The images with these labels, which become 0, 1, 2 ... in the order given.

    ``images`` keeps the first that many training images; validation and test stay whole.

    Raises ValueError for labels that the data do not have or that stand twice, and for more
    training images than there are.
    """
    known = range(len(data.classes))
    if not labels or len(set(labels)) < len(labels) or not set(labels) <= set(known):
        raise ValueError(f"labels are different ones of 0 to {len(known) - 1}, not {labels!r}")

    def chosen(split: Split) -> Split:
        place = torch.full((len(known),), -1, device=split.y.device)
        place[torch.tensor(labels)] = torch.arange(len(labels), device=split.y.device)
        y = place[split.y]
        return Split(split.X[y >= 0], y[y >= 0])

    train = chosen(data.train)
    if images is not None:
        if not 1 <= images <= len(train):
            raise ValueError(f"images is from 1 to {len(train)}, not {images!r}")
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


def with_new_head(net: nn.Sequential, *, frozen: bool = False, seed: int = 0) -> nn.Sequential:
    """A copy of a net whose last layer, a linear one, has fresh weights from the seed.

    ``frozen``: the other layers do not learn.

    Raises TypeError for a net that does not end in a linear layer.
    """
    if not isinstance(net, nn.Sequential) or not isinstance(net[-1], nn.Linear):
        raise TypeError("a new head replaces the last layer of a Sequential, a linear one")
    copy = deepcopy(net)
    copy[:-1].requires_grad_(not frozen)
    old = net[-1]
    head = models.mlp(1, 1, inputs=old.in_features, classes=old.out_features, seed=seed)[-1]
    copy[-1] = head.to(old.weight.device)
    return copy
