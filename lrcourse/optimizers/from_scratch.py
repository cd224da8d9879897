"""Optimizers from scratch, as pairs of pure functions over dictionaries of tensors.

    state = init(params)                                # params: name -> tensor
    params, state = update(params, grads, state, lr)

Nothing is changed in place. `lr` is a float or a tensor without dimensions, and no line branches
on a tensor's value, so the same functions train one net, or a stack of nets under torch.func.

In the formulas w is a parameter, g its gradient, t = 1, 2, ... the update, and squares, roots and
fractions are taken number by number. `weight_decay` adds weight_decay * w to g, except in
`adamw`. Defaults are torch's, and each optimizer equals torch's within rounding. Options are
numbers: `momentum`, `eps`, `lr_decay` and `weight_decay` >= 0, means of the past (`alpha`, `rho`,
`beta1`, `beta2`) from 0 to below 1; another one is a ValueError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from lrcourse.support.checks import BELOW_1, NOT_NEGATIVE, Number, arguments, kind

Tensors = dict[str, torch.Tensor]
State = dict[str, Any]


_ABOVE_0 = Number("a finite momentum above 0 (without one it is sgd)", lambda v: v > 0)


class Optimizer(NamedTuple):
    """A pair of pure functions; calling one of the functions below gives it its options.

    Attributes:
        init: from the parameters to the state before the first update.
        update: from (params, grads, state, lr) to the next (params, state).

    Example:
        >>> import torch
        >>> from lrcourse import optimizers
        >>> init, update = optimizers.momentum()
        >>> w = {"w": torch.tensor([1.0])}
        >>> w, state = update(w, {"w": torch.tensor([0.5])}, init(w), lr=0.1)
        >>> round(w["w"].item(), 4), state["velocity"]["w"].item()
        (0.95, 0.5)
    """

    init: Callable[[Tensors], State]
    update: Callable[[Tensors, Tensors, State, Any], tuple[Tensors, State]]


PAIR = kind("an Optimizer, as optimizers.pure gives it", Optimizer)


@arguments(weight_decay=NOT_NEGATIVE)
def sgd(*, weight_decay: float = 0.0) -> Optimizer:
    """Stochastic gradient descent.

        w <- w - lr g

    `weight_decay` adds weight_decay * w to g.

    Example:
        >>> import torch
        >>> from lrcourse import optimizers
        >>> init, update = optimizers.sgd()
        >>> w = {"w": torch.tensor([1.0])}
        >>> w, _ = update(w, {"w": torch.tensor([1.0])}, init(w), lr=0.1)
        >>> round(w["w"].item(), 4)
        0.9
    """

    def init(params):
        return {}

    def update(params, grads, state, lr):
        grads = _decayed(params, grads, weight_decay)
        return {name: w - lr * grads[name] for name, w in params.items()}, state

    return Optimizer(init, update)


@arguments(momentum=NOT_NEGATIVE, weight_decay=NOT_NEGATIVE)
def momentum(*, momentum: float = 0.9, weight_decay: float = 0.0) -> Optimizer:
    """The heavy ball: gradients of the past go on acting, each time weaker.

        v <- momentum v + g
        w <- w - lr v

    `weight_decay` adds weight_decay * w to g.

    Source: Polyak 1964 (doi 10.1016/0041-5553(64)90137-5), with lr outside v as torch has it.

    Example:
        >>> import torch
        >>> from lrcourse import optimizers
        >>> init, update = optimizers.momentum()
        >>> w = {"w": torch.tensor([1.0])}
        >>> w, _ = update(w, {"w": torch.tensor([1.0])}, init(w), lr=0.1)
        >>> round(w["w"].item(), 4)
        0.9
    """

    def init(params):
        return {"velocity": _zeros(params)}

    def update(params, grads, state, lr):
        grads = _decayed(params, grads, weight_decay)
        v = {name: momentum * v + grads[name] for name, v in state["velocity"].items()}
        return {name: w - lr * v[name] for name, w in params.items()}, {"velocity": v}

    return Optimizer(init, update)


@arguments(momentum=_ABOVE_0, weight_decay=NOT_NEGATIVE)
def nesterov(*, momentum: float = 0.9, weight_decay: float = 0.0) -> Optimizer:
    """Momentum that steps as if the next velocity were known already.

        v <- momentum v + g
        w <- w - lr (g + momentum v)

    `weight_decay` adds weight_decay * w to g.

    Source: Sutskever et al. 2013, "On the importance of initialization and momentum".

    Example:
        >>> import torch
        >>> from lrcourse import optimizers
        >>> init, update = optimizers.nesterov()
        >>> w = {"w": torch.tensor([1.0])}
        >>> w, _ = update(w, {"w": torch.tensor([1.0])}, init(w), lr=0.1)
        >>> round(w["w"].item(), 4)
        0.81
    """

    def init(params):
        return {"velocity": _zeros(params)}

    def update(params, grads, state, lr):
        grads = _decayed(params, grads, weight_decay)
        v = {name: momentum * v + grads[name] for name, v in state["velocity"].items()}
        ahead = {name: g + momentum * v[name] for name, g in grads.items()}
        return {name: w - lr * ahead[name] for name, w in params.items()}, {"velocity": v}

    return Optimizer(init, update)


@arguments(
    lr_decay=NOT_NEGATIVE,
    weight_decay=NOT_NEGATIVE,
    initial_accumulator_value=NOT_NEGATIVE,
    eps=NOT_NEGATIVE,
)
def adagrad(
    *,
    lr_decay: float = 0.0,
    weight_decay: float = 0.0,
    initial_accumulator_value: float = 0.0,
    eps: float = 1e-10,
) -> Optimizer:
    """A rate of its own for each number, which falls with all squares seen so far.

        s <- s + g^2
        w <- w - lr / (1 + (t - 1) lr_decay) * g / (sqrt(s) + eps)

    s begins at `initial_accumulator_value`; `weight_decay` adds weight_decay * w to g.

    Source: Duchi, Hazan, Singer 2011, "Adaptive Subgradient Methods".

    Example:
        >>> import torch
        >>> from lrcourse import optimizers
        >>> init, update = optimizers.adagrad()
        >>> w = {"w": torch.tensor([1.0])}
        >>> w, _ = update(w, {"w": torch.tensor([1.0])}, init(w), lr=0.1)
        >>> round(w["w"].item(), 4)
        0.9
    """

    def init(params):
        squares = {name: s + initial_accumulator_value for name, s in _zeros(params).items()}
        return {"updates": _counter(params), "squares": squares}

    def update(params, grads, state, lr):
        grads = _decayed(params, grads, weight_decay)
        s = {name: s + grads[name] ** 2 for name, s in state["squares"].items()}
        lr = lr / (1 + state["updates"] * lr_decay)
        params = {name: w - lr * grads[name] / (s[name].sqrt() + eps) for name, w in params.items()}
        return params, {"updates": state["updates"] + 1, "squares": s}

    return Optimizer(init, update)


@arguments(alpha=BELOW_1, eps=NOT_NEGATIVE, weight_decay=NOT_NEGATIVE)
def rmsprop(*, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0.0) -> Optimizer:
    """AdaGrad that forgets: the mean of recent squares instead of the sum of all.

        s <- alpha s + (1 - alpha) g^2
        w <- w - lr g / (sqrt(s) + eps)

    `weight_decay` adds weight_decay * w to g.

    Source: Tieleman, Hinton 2012, lecture 6.5 of "Neural Networks for Machine Learning".

    Example:
        >>> import torch
        >>> from lrcourse import optimizers
        >>> init, update = optimizers.rmsprop()
        >>> w = {"w": torch.tensor([1.0])}
        >>> w, _ = update(w, {"w": torch.tensor([1.0])}, init(w), lr=0.1)
        >>> round(w["w"].item(), 4)
        0.0
    """

    def init(params):
        return {"squares": _zeros(params)}

    def update(params, grads, state, lr):
        grads = _decayed(params, grads, weight_decay)
        s = _mean(state["squares"], _squared(grads), alpha)
        params = {name: w - lr * grads[name] / (s[name].sqrt() + eps) for name, w in params.items()}
        return params, {"squares": s}

    return Optimizer(init, update)


@arguments(rho=BELOW_1, eps=NOT_NEGATIVE, weight_decay=NOT_NEGATIVE)
def adadelta(*, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0.0) -> Optimizer:
    """Steps as large as recent steps were, so that lr = 1 is meant to do.

        s <- rho s + (1 - rho) g^2
        d  = sqrt(m + eps) / sqrt(s + eps) * g
        m <- rho m + (1 - rho) d^2
        w <- w - lr d

    `weight_decay` adds weight_decay * w to g.

    Source: Zeiler 2012 (arXiv 1212.5701).

    Example:
        >>> import torch
        >>> from lrcourse import optimizers
        >>> init, update = optimizers.adadelta()
        >>> w = {"w": torch.tensor([1.0])}
        >>> w, _ = update(w, {"w": torch.tensor([1.0])}, init(w), lr=0.1)
        >>> round(w["w"].item(), 4)
        0.9997
    """

    def init(params):
        return {"squares": _zeros(params), "moves": _zeros(params)}

    def update(params, grads, state, lr):
        grads = _decayed(params, grads, weight_decay)
        s, m = _mean(state["squares"], _squared(grads), rho), state["moves"]
        d = {name: (m[name] + eps).sqrt() / (s[name] + eps).sqrt() * g for name, g in grads.items()}
        params = {name: w - lr * d[name] for name, w in params.items()}
        return params, {"squares": s, "moves": _mean(m, _squared(d), rho)}

    return Optimizer(init, update)


@arguments(beta1=BELOW_1, beta2=BELOW_1, eps=NOT_NEGATIVE, weight_decay=NOT_NEGATIVE)
def adam(
    *, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8, weight_decay: float = 0.0
) -> Optimizer:
    """Momentum over RMSProp, both corrected for having started at 0.

        m <- beta1 m + (1 - beta1) g          m' = m / (1 - beta1^t)
        s <- beta2 s + (1 - beta2) g^2        s' = s / (1 - beta2^t)
        w <- w - lr m' / (sqrt(s') + eps)

    `weight_decay` adds weight_decay * w to g.

    Source: Kingma, Ba 2014 (arXiv 1412.6980).

    Example:
        >>> import torch
        >>> from lrcourse import optimizers
        >>> init, update = optimizers.adam()
        >>> w = {"w": torch.tensor([1.0])}
        >>> w, _ = update(w, {"w": torch.tensor([1.0])}, init(w), lr=0.1)
        >>> round(w["w"].item(), 4)
        0.9
    """

    def init(params):
        return {"updates": _counter(params), "mean": _zeros(params), "squares": _zeros(params)}

    def update(params, grads, state, lr):
        grads = _decayed(params, grads, weight_decay)
        t = state["updates"] + 1
        m = _mean(state["mean"], grads, beta1)
        s = _mean(state["squares"], _squared(grads), beta2)
        lr, s_scale = lr / (1 - beta1**t), (1 - beta2**t).sqrt()
        params = {
            name: w - lr * m[name] / (s[name].sqrt() / s_scale + eps) for name, w in params.items()
        }
        return params, {"updates": t, "mean": m, "squares": s}

    return Optimizer(init, update)


@arguments(beta1=BELOW_1, beta2=BELOW_1, eps=NOT_NEGATIVE, weight_decay=NOT_NEGATIVE)
def adamw(
    *, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8, weight_decay: float = 0.01
) -> Optimizer:
    """Adam whose weight decay acts on the weights directly, past the division by sqrt(s').

        w <- (1 - lr weight_decay) w

    Then as `adam`, with the same `beta1`, `beta2` and `eps`, without weight decay.

    Source: Loshchilov, Hutter 2017 (arXiv 1711.05101), with the decay scaled by lr as torch has it.

    Example:
        >>> import torch
        >>> from lrcourse import optimizers
        >>> init, update = optimizers.adamw()
        >>> w = {"w": torch.tensor([1.0])}
        >>> w, _ = update(w, {"w": torch.tensor([1.0])}, init(w), lr=0.1)
        >>> round(w["w"].item(), 4)
        0.899
    """
    init, adam_update = adam(beta1=beta1, beta2=beta2, eps=eps)

    def update(params, grads, state, lr):
        params = {name: (1 - lr * weight_decay) * w for name, w in params.items()}
        return adam_update(params, grads, state, lr)

    return Optimizer(init, update)


# -- parts of several -------------------------------------------------------------------------


def _zeros(params: Tensors) -> Tensors:
    return {name: torch.zeros_like(w) for name, w in params.items()}


def _counter(params: Tensors) -> torch.Tensor:
    """0 as a float64 without dimensions, where the parameters are."""
    device = next(iter(params.values())).device
    return torch.zeros((), dtype=torch.float64, device=device)


def _decayed(params: Tensors, grads: Tensors, weight_decay: float) -> Tensors:
    if weight_decay == 0:
        return grads
    return {name: g + weight_decay * params[name] for name, g in grads.items()}


def _squared(tensors: Tensors) -> Tensors:
    return {name: x * x for name, x in tensors.items()}


def _mean(old: Tensors, new: Tensors, share: float) -> Tensors:
    """The running mean: `share` of the old, the rest of the new."""
    return {name: share * x + (1 - share) * new[name] for name, x in old.items()}
