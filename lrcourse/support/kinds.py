"""Rules for what comes from torch, beside those of `lrcourse.support.checks`."""

from __future__ import annotations

import torch
from torch import nn

from lrcourse.support.checks import kind, shown

TENSOR = kind("a torch tensor", torch.Tensor)
NET = kind("a net (torch.nn.Module)", nn.Module)
OPTIMIZER = kind("a torch optimizer", torch.optim.Optimizer)


def device(owner: str, name: str, value: object) -> torch.device:
    """Rule: a device that is here, or its name."""
    if not isinstance(value, str | torch.device):
        raise TypeError(
            f"{owner}: {name} must be the name of a device, such as 'cpu'; got {shown(value)}"
        )
    try:
        return torch.empty(0, device=value).device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        here = f"this machine has cpu and {torch.cuda.device_count()} cuda devices"
        raise ValueError(f"{owner}: no {name} {str(value)!r}: {here}") from error


def best_device() -> torch.device:
    """A GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
