"""Optimizers by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

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
    if name not in TORCH:
        raise ValueError(f"no optimizer {name!r}; there are {', '.join(TORCH)}")
    kind, defaults = TORCH[name]
    return kind(parameters, lr=lr, **(defaults | options))
