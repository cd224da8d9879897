"""The rate that each number really has under an optimizer, update by update.

    run = descend(gradient, start, optimizers.pure("adagrad"), 0.1, 100)
    along(run, "adagrad")                               # shape (updates, ...), like the gradients

Every optimizer of the course but the decay in AdamW moves a number against a weighted mean of the
gradients that it has had so far. The **effective rate** is how far, per unit of that mean:

    w <- w - (effective rate) * (weighted mean of the gradients)

With t = 1, 2, ... the update, and as in `lrcourse.optimizers.from_scratch` otherwise:

    sgd                 lr
    momentum, nesterov  lr (1 - momentum^t) / (1 - momentum): the weights of a velocity sum to more
    adagrad             lr / (sqrt(s) + eps)
    rmsprop             lr / (sqrt(s) + eps)
    adadelta            lr sqrt(m + eps) / sqrt(s + eps)
    adam, adamw         lr / (sqrt(s') + eps)

Nesterov's step gives the newest gradient more weight; its rate here is that of its velocity.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lrcourse import optimizers
from lrcourse.landscapes.descent import Descent
from lrcourse.support.checks import TEXT, arguments, kind


@arguments(run=kind("a Descent", Descent), name=TEXT)
def along(run: Descent, name: str, **options: Any) -> Tensor:
    """Effective rate of each number at each update of a descent, shape (updates, ...).

    Args:
        run: of the optimizer `optimizers.pure(name, **options)`, without weight decay.
        name: of an optimizer of the course.
        options: those that the optimizer had.

    Raises ValueError for an unknown name or option, and for a weight decay: it is no gradient.

    Example:
        >>> import torch
        >>> from lrcourse import optimizers
        >>> from lrcourse.landscapes import descend, effective_rates
        >>> run = descend(lambda w: w, torch.ones(1), optimizers.adagrad(), 0.1, 2)
        >>> effective_rates.along(run, "adagrad")[:, 0].round(decimals=4).tolist()
        [0.1, 0.0743]
    """
    if options.get("weight_decay"):
        raise ValueError("effective rates are those of gradients: leave the weight_decay out")
    no_decay = {"weight_decay": 0.0} if name == "adamw" else {}
    pure = optimizers.pure(name, **(options | no_decay))
    lr = run.lr.reshape(run.lr.shape + (1,) * (run.gradients.ndim - run.lr.ndim))
    lr = lr.expand(run.gradients.shape)
    if name in ("sgd", "momentum", "nesterov"):
        share = options.get("momentum", 0.0 if name == "sgd" else 0.9)
        t = torch.arange(1, len(lr) + 1, dtype=torch.float64)
        sums = (1 - share**t) / (1 - share)
        return lr * sums.reshape(-1, *(1,) * (lr.ndim - 1))
    params = {"w": run.path[0]}
    state, rates = pure.init(params), []
    for place, gradient, peak in zip(run.path[:-1], run.gradients, lr, strict=True):
        moves = state.get("moves", {}).get("w")
        _, state = pure.update({"w": place}, {"w": gradient}, state, 1.0)
        rates.append(_scaled(name, peak, state, moves, options))
    return torch.stack(rates)


def _scaled(
    name: str, lr: Tensor, state: dict[str, Any], moves: Tensor | None, options: dict[str, Any]
) -> Tensor:
    squares = state["squares"]["w"]
    if name == "adadelta":
        eps = options.get("eps", 1e-6)
        return lr * (moves + eps).sqrt() / (squares + eps).sqrt()
    if name == "adagrad":
        lr = lr / (1 + (state["updates"] - 1) * options.get("lr_decay", 0.0))
        return lr / (squares.sqrt() + options.get("eps", 1e-10))
    if name in ("adam", "adamw"):
        beta2 = options.get("betas", (0.9, 0.999))[1]
        squares = squares / (1 - beta2 ** state["updates"])
    return lr / (squares.sqrt() + options.get("eps", 1e-8))
