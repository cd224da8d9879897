"""The random generators of Python, numpy, torch and every device in use."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch


def seed_everything(seed: int, *generators: Any) -> None:
    """Seed the global generators of Python, numpy and torch, and the given ones besides."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    # torch.manual_seed would also wake devices that nobody uses.
    torch.default_generator.manual_seed(seed)
    for backend in devices_in_use():
        backend.manual_seed_all(seed)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)
    for generator in generators:
        if isinstance(generator, torch.Generator):
            generator.manual_seed(seed)
        elif isinstance(generator, np.random.Generator):
            kind: Any = type(generator.bit_generator)
            generator.bit_generator.state = kind(seed).state
        else:
            generator.seed(seed % 2**32)


def devices_in_use() -> list[Any]:
    """The backends whose devices somebody has used; asking others would wake them."""
    return [backend for backend in (torch.cuda, torch.xpu) if backend.is_initialized()]
