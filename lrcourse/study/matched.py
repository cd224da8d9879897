"""Nets compared at one training loss: what the test images say when training first reaches it.

Two optimizers that stop after equal budgets stop at different training losses, and the test loss
follows the training loss. To ask whether an optimizer changes generalisation "for one training
error", stop each run where its training loss passes the same level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from lrcourse import training
from lrcourse.data import Data
from lrcourse.study.arguments import measuring
from lrcourse.support.checks import COUNT_FROM_1, POSITIVE, whole


@measuring(level=POSITIVE, most_epochs=COUNT_FROM_1, seed=whole(0, 10**9))
def train_and_test(
    net: nn.Module,
    data: Data,
    optimizer: torch.optim.Optimizer,
    *,
    level: float,
    most_epochs: int,
    batch_size: int,
    seed: int = 0,
) -> dict[str, float]:
    """Train until the loss on all training images is at `level` or below; test loss at the level.

    Both losses are measured after each epoch with the weights that stand there, and the test loss
    and accuracy are read off between the last two epochs, on straight lines over the logarithm of
    the training loss.

    Args:
        net: trained in place.
        data: its training images are trained on, its test images judge.
        optimizer: over the weights of the net, at a constant rate.
        level: a training loss, > 0.
        most_epochs: when to give up.
        batch_size: of the updates.
        seed: of the order of the images.

    Returns:
        "epochs" (how many it took, a fraction), "test_loss" and "test_acc" at the level; NaN for
        each where `most_epochs` do not reach it.

    Raises:
        TypeError: for an argument of another kind.
        ValueError: for a level that is not above 0 or that the untrained net meets already.

    >>> import torch
    >>> from lrcourse import data, models
    >>> from lrcourse.study.matched import train_and_test
    >>> digits, net = data.load("digits", device="cpu").subset(64), models.mlp(1, 8)
    >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> found = train_and_test(net, digits, optimizer, level=2, most_epochs=9, batch_size=16)
    >>> 0 < found["epochs"] < 9
    True
    """
    looks = [_look(net, data)]
    if looks[0][0] <= level:
        raise ValueError(
            f"train_and_test: the untrained net is at {looks[0][0]:.3g} already: level must be "
            f"below it; got {level}"
        )
    for epoch in range(most_epochs):
        training.fit(
            net, data, optimizer, epochs=1, batch_size=batch_size, seed=1000 * seed + epoch,
            evaluate=None, progress=False,
        )  # fmt: skip
        looks.append(_look(net, data))
        if looks[-1][0] <= level:
            epochs, loss, accuracy = _at(level, looks)
            return {"epochs": epochs, "test_loss": loss, "test_acc": accuracy}
    return dict.fromkeys(("epochs", "test_loss", "test_acc"), math.nan)


def _look(net: nn.Module, data: Data) -> tuple[float, float, float]:
    """Training loss, test loss and test accuracy just now."""
    return training.evaluate_on(net, data.train)[0], *training.evaluate_on(net, data.test)


def _at(level: float, looks: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    """Epoch, test loss and test accuracy where the training loss passes the level."""
    (before, *old), (after, *new) = looks[-2:]
    share = math.log(before / level) / math.log(before / after)
    loss, accuracy = np.array(old) + share * (np.array(new) - np.array(old))
    return len(looks) - 2 + share, float(loss), float(accuracy)
