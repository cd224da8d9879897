"""Optimizers by name: from scratch, as pairs of pure functions, and torch's own.

The functions themselves are in `lrcourse.optimizers.from_scratch`, each under its formula.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterable
from typing import Any

import torch

from lrcourse.optimizers import from_scratch
from lrcourse.optimizers.from_scratch import Optimizer
from lrcourse.support.checks import NOT_NEGATIVE, NUMBER, arguments, each, kind, one_of, together

Group = dict[str, Any]  # parameters, and options of their own

TORCH = {
    "sgd": (torch.optim.SGD, {}),
    "momentum": (torch.optim.SGD, {"momentum": 0.9}),
    "nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "adagrad": (torch.optim.Adagrad, {}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "adadelta": (torch.optim.Adadelta, {}),
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
}
"""Torch's optimizer of each name, and the options that make it the one that the name means."""

PURE: dict[str, Callable[..., Optimizer]] = {name: getattr(from_scratch, name) for name in TORCH}
"""The optimizer from scratch of each name."""


_BETAS = together("two numbers (beta1, beta2)", NUMBER, NUMBER)
_NAME = one_of(*TORCH)


_TENSORS = each(
    kind("a tensor, or a group of them", torch.Tensor, dict, tuple),
    wanted="tensors, or groups of them, such as net.parameters()",
)


@arguments(name=_NAME, parameters=_TENSORS, lr=NOT_NEGATIVE)
def torch_optimizer(
    name: str, parameters: Iterable[torch.Tensor] | Iterable[Group], lr: float, **options: Any
) -> torch.optim.Optimizer:
    """torch's optimizer of this name; options go to it. ValueError for an unknown name.

    Args:
        name: a key of `TORCH`.
        parameters: of a net, or groups of them as torch takes them.
        lr: the rate, >= 0.
        **options: of torch's class; they go before those of `TORCH`.

    Example:
        >>> import torch
        >>> from lrcourse import optimizers
        >>> net = torch.nn.Linear(2, 1)
        >>> optimizer = optimizers.torch_optimizer("momentum", net.parameters(), lr=0.1)
        >>> type(optimizer).__name__, optimizer.defaults["momentum"]
        ('SGD', 0.9)
    """
    optimizer, defaults = TORCH[name]
    return optimizer(parameters, lr=lr, **(defaults | options))


@arguments(name=_NAME)
def pure(name: str, **options: Any) -> Optimizer:
    """The optimizer of this module that does what `torch_optimizer` does with these `options`.

    ValueError for an unknown name, and for an option of torch's that is not written out here.

    Example:
        >>> import torch
        >>> from lrcourse import optimizers
        >>> init, update = optimizers.pure("adam", betas=(0.9, 0.99))
        >>> sorted(init({"w": torch.ones(2)}))
        ['mean', 'squares', 'updates']
    """
    if TORCH[name][0] is torch.optim.SGD:
        options = {"momentum": 0} | TORCH[name][1] | options
        name = "nesterov" if options.pop("nesterov", False) else "momentum"
        if name == "momentum" and options["momentum"] == 0:
            name = "sgd"
            del options["momentum"]
    known = [option for option in inspect.signature(PURE[name]).parameters if option != "beta2"]
    known = ["betas" if option == "beta1" else option for option in known]
    if unknown := sorted(set(options) - set(known)):
        raise ValueError(
            f"{name} is written here without {', '.join(unknown)}; it has {', '.join(known)}. "
            f"torch_optimizer gives torch's, with all its options"
        )
    if "betas" in options:
        beta1, beta2 = _BETAS(name, "betas", options.pop("betas"))
        options |= {"beta1": beta1, "beta2": beta2}
    return PURE[name](**options)


@arguments(name=_NAME)
def update_source(name: str) -> str:
    """The lines of the pure optimizer's `update`, as they stand in the package.

    ValueError for a `name` that is no key of `PURE`.

    Example:
        >>> from lrcourse import optimizers
        >>> print(optimizers.update_source("sgd"))
        def update(params, grads, state, lr):
            grads = _decayed(params, grads, weight_decay)
            return {name: w - lr * grads[name] for name, w in params.items()}, state
    """
    lines = inspect.getsource(PURE[name]).splitlines()
    first = next(i for i, line in enumerate(lines) if line.strip().startswith("def update"))
    last = next(i for i, line in enumerate(lines) if line.strip().startswith("return Optimizer"))
    return textwrap.dedent("\n".join(lines[first:last])).strip()
