"""The random generators of Python, numpy, torch and every device in use."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

_OF_NUMPY = (np.random.Generator, np.random.BitGenerator)
GENERATORS = (torch.Generator, np.random.RandomState, random.Random, *_OF_NUMPY)
Undo = Callable[[], object]


def kept_random_state() -> list[Undo]:
    """What puts the global generators of Python, numpy, torch and each device in use back."""
    places: list[tuple[Callable[[Any], object], Callable[[], Any]]] = [
        (random.setstate, random.getstate),
        (np.random.set_state, np.random.get_state),
        (torch.set_rng_state, torch.get_rng_state),
        *((each.set_rng_state_all, each.get_rng_state_all) for each in _devices_in_use()),
    ]
    if torch.backends.mps.is_available():
        places.append((torch.mps.set_rng_state, torch.mps.get_rng_state))
    return [partial(put, get()) for put, get in places]


def kept_generator(generator: Any) -> Undo:
    """What puts one generator back."""
    if isinstance(generator, _OF_NUMPY):
        bits: Any = getattr(generator, "bit_generator", generator)
        return partial(setattr, bits, "state", bits.state)
    if isinstance(generator, random.Random):
        return partial(generator.setstate, generator.getstate())
    return partial(generator.set_state, generator.get_state())


def seed_everything(seed: int, *generators: Any) -> None:
    """Seed the global generators of Python, numpy and torch, and the given ones besides."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    # torch.manual_seed would also wake devices that nobody uses.
    torch.default_generator.manual_seed(seed)
    for backend in _devices_in_use():
        backend.manual_seed_all(seed)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)
    for generator in generators:
        if isinstance(generator, torch.Generator):
            generator.manual_seed(seed)
        elif isinstance(generator, _OF_NUMPY):
            bits: Any = getattr(generator, "bit_generator", generator)
            bits.state = type(bits)(seed).state
        else:
            generator.seed(seed % 2**32)


def _devices_in_use() -> list[Any]:
    """The backends whose devices somebody has used; asking others would wake them."""
    return [backend for backend in (torch.cuda, torch.xpu) if backend.is_initialized()]
