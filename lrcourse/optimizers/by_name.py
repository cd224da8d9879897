"""Optimizers by name: from scratch, as pairs of pure functions, and torch's own.

The functions themselves are in ``lrcourse.optimizers.from_scratch``, each under its formula.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable
from typing import Any

import torch

from lrcourse.optimizers.from_scratch import (
    Optimizer,
    adadelta,
    adagrad,
    adam,
    adamw,
    momentum,
    nesterov,
    rmsprop,
    sgd,
)

__all__ = [
    "PURE",
    "TORCH",
    "Optimizer",
    "adadelta",
    "adagrad",
    "adam",
    "adamw",
    "momentum",
    "nesterov",
    "pure",
    "rmsprop",
    "sgd",
    "torch_optimizer",
    "update_source",
]

PURE = {
    "sgd": sgd,
    "momentum": momentum,
    "nesterov": nesterov,
    "adagrad": adagrad,
    "rmsprop": rmsprop,
    "adadelta": adadelta,
    "adam": adam,
    "adamw": adamw,
}

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


def torch_optimizer(
    name: str, parameters: Iterable[torch.Tensor], lr: float, **options: Any
) -> torch.optim.Optimizer:
    """torch's optimizer of this name; options go to it. ValueError for an unknown name."""
    _check_name(name)
    kind, defaults = TORCH[name]
    return kind(parameters, lr=lr, **(defaults | options))


def pure(name: str, **options: Any) -> Optimizer:
    """The optimizer of this module that does what ``torch_optimizer`` does with these options.

    ValueError for an unknown name, and for an option of torch's that is not written out here.
    """
    _check_name(name)
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
        beta1, beta2 = options.pop("betas")
        options |= {"beta1": beta1, "beta2": beta2}
    return PURE[name](**options)


def update_source(name: str) -> str:
    """The lines of the pure optimizer's ``update``, as they stand in the package."""
    _check_name(name)
    lines = inspect.getsource(PURE[name]).splitlines()
    first = next(i for i, line in enumerate(lines) if line.strip().startswith("def update"))
    last = next(i for i, line in enumerate(lines) if line.strip().startswith("return Optimizer"))
    return textwrap.dedent("\n".join(lines[first:last])).strip()


def _check_name(name: str) -> None:
    if name not in TORCH:
        raise ValueError(f"no optimizer {name!r}; there are {', '.join(TORCH)}")
