"""Nets compared at one training loss: what the test images say when training first reaches it.

Two optimizers that stop after equal budgets stop at different training losses, and the test loss
follows the training loss. To ask whether an optimizer changes generalisation "for one training
error", stop each run where its training loss passes the same level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from lrcourse.data.sets import Data


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
    """Train until the loss on all training images is at ``level`` or below; test loss at the level.

    Both losses are measured after each epoch with the weights that stand there, and the test loss
    and accuracy are read off between the last two epochs, on straight lines over the logarithm of
    the training loss.

    Returns:
        "epochs" (how many it took, a fraction), "test_loss" and "test_acc" at the level; NaN for
        each where ``most_epochs`` do not reach it.

    Raises ValueError for a level that is not above 0 or that the untrained net meets already.
    """
    from lrcourse import training

    if not (math.isfinite(level) and level > 0):
        raise ValueError(f"level is a training loss above 0, not {level!r}")
    looks = [_look(net, data)]
    if looks[0][0] <= level:
        raise ValueError(f"the untrained net is at {looks[0][0]:.3g} already: give a lower level")
    for epoch in range(most_epochs):
        options = {"epochs": 1, "batch_size": batch_size, "seed": 1000 * seed + epoch}
        training.fit(net, data, optimizer, evaluate=None, progress=False, **options)
        looks.append(_look(net, data))
        if looks[-1][0] <= level:
            epochs, loss, accuracy = _at(level, looks)
            return {"epochs": epochs, "test_loss": loss, "test_acc": accuracy}
    return dict.fromkeys(("epochs", "test_loss", "test_acc"), math.nan)


def _look(net: nn.Module, data: Data) -> tuple[float, float, float]:
    """Training loss, test loss and test accuracy just now."""
    from lrcourse import training

    return training.evaluate_on(net, data.train)[0], *training.evaluate_on(net, data.test)


def _at(level: float, looks: Sequence[tuple[float, float, float]]) -> tuple[float, float, float]:
    """Epoch, test loss and test accuracy where the training loss passes the level."""
    (before, *old), (after, *new) = looks[-2:]
    share = math.log(before / level) / math.log(before / after)
    loss, accuracy = np.array(old) + share * (np.array(new) - np.array(old))
    return len(looks) - 2 + share, float(loss), float(accuracy)
