"""What a training measures: means over an epoch, loss and accuracy on a split, the net's norm."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from lrcourse.data.sets import Data, Split
from lrcourse.support.checks import arguments, function
from lrcourse.support.kinds import NET
from lrcourse.training.arguments import SPLIT
from lrcourse.training.gradients import Loss

EVALUATION_BATCH = 2000
EVALUATION_BATCH_ON_CPU = 250  # the activations of a few hundred images stay in its cache


@arguments(net=NET, split=SPLIT, loss_fn=function)
def evaluate_on(
    net: nn.Module,
    split: Split,
    loss_fn: Loss = functional.cross_entropy,
) -> tuple[float, float]:
    """Mean loss and accuracy of `net` on a split, in eval mode; the net's mode is kept.

    `loss_fn` takes (outputs, labels) to a mean.

    Example:
        >>> from lrcourse import data, models, training
        >>> digits = data.load("digits", device="cpu", progress=False)
        >>> loss, accuracy = training.evaluate_on(models.mlp(2, 16), digits.test)
        >>> 0 < accuracy < 1
        True
    """
    was_training = net.training
    net.eval()
    total = torch.zeros(2, device=split.X.device, dtype=torch.float64)
    at_once = measured_at_once(split)
    with torch.inference_mode():
        for X, y in zip(split.X.split(at_once), split.y.split(at_once), strict=True):
            logits = net(X)
            total[0] += loss_fn(logits, y) * len(y)
            total[1] += (logits.argmax(1) == y).sum()
    net.train(was_training)
    loss, accuracy = (total / len(split.y)).tolist()
    return loss, accuracy


def measured_at_once(split: Split) -> int:
    """How many images of a split one forward pass measures."""
    return EVALUATION_BATCH_ON_CPU if split.X.device.type == "cpu" else EVALUATION_BATCH


def means_of_epoch(
    losses: torch.Tensor, right: torch.Tensor, batch_size: int, samples: int
) -> tuple[float, float]:
    """Training loss and accuracy over an epoch, or over its first batches, of `samples` images.

    Of each batch, on the CPU: its mean loss; of each, or of all together: how many of its images
    were classified correctly.
    """
    sizes = torch.full(losses.shape, batch_size)
    sizes[math.ceil(samples / batch_size) - 1 :] = samples % batch_size or batch_size
    seen = int(sizes.sum())
    return float((losses * sizes).double().sum()) / seen, int(right.sum()) / seen


def is_due(evaluate: str | int | None, epoch: int, last: bool) -> bool:
    """Whether to measure after this epoch (counted from 0)."""
    if evaluate is None:
        return False
    every = 1 if evaluate == "epoch" else evaluate
    return last or (isinstance(every, int) and (epoch + 1) % every == 0)


def columns(data: Data) -> list[str]:
    """The names of what is known after an epoch."""
    names = ["epoch", "update", "train_loss", "train_acc"]
    for split in ("valid", "test"):
        if getattr(data, split) is not None:
            names += [f"{split}_loss", f"{split}_acc"]
    return [*names, "norm"]


def measure(net: nn.Module, data: Data, loss_fn: Loss, due: bool) -> dict[str, float]:
    """Loss and accuracy on the held-out splits, NaN where it is not due, and the net's norm."""
    row: dict[str, float] = {}
    for name, split in (("valid", data.valid), ("test", data.test)):
        if split is not None:
            values = evaluate_on(net, split, loss_fn) if due else (math.nan, math.nan)
            row[f"{name}_loss"], row[f"{name}_acc"] = values
    row["norm"] = norm_of(net)
    return row


def norm_of(net: nn.Module) -> float:
    """The Euclidean norm of all parameters."""
    with torch.no_grad():
        return float(torch.stack([p.norm() for p in net.parameters()]).norm())
