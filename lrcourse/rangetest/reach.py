"""Which of the objects that a training reaches are its state, and which are data or machinery."""

from __future__ import annotations

import contextlib
import functools
import sys
import sysconfig
import types
from collections.abc import Iterator
from enum import Enum, auto
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler
from torch.utils.data.dataloader import _BaseDataLoaderIter

PLAIN = {int, float, bool, str, bytes, type(None), complex, torch.device, torch.dtype, torch.Size}
CALLS = (types.FunctionType, types.MethodType, functools.partial)
_OWN = (nn.Module, torch.optim.Optimizer)
_MACHINERY = ("torch._", "torch.fx", "torch.utils.hooks")
_SHOWN = {"IPython", "ipykernel", "ipywidgets", "matplotlib", "pandas", "tqdm", "wandb"}
_LIBRARIES = (sysconfig.get_path("stdlib"), str(Path(__file__).parents[1]))


class Reach(Enum):
    """From where an object was reached, which says how much of it is state and how much data."""

    OWN = auto()  # a net or an optimizer: all of it is state
    FUNCTION = auto()  # what a function uses: its lists and variables are left to it
    STATE = auto()  # an object there, or a sampler: all of it, as far as there is room
    FEED = auto()  # a loader: its settings and its order, but no samples


def is_live(thing: object, depth: int = 3) -> bool:
    """Whether it is an iterator whose place cannot be put back: it, or one that it draws from.

    A generator, one of Python's own iterators, one of a DataLoader; not an object that counts.
    """
    if depth == 0 or not hasattr(type(thing), "__next__"):
        return False
    if isinstance(thing, _BaseDataLoaderIter) or not hasattr(thing, "__dict__"):
        return True
    return any(is_live(inside, depth - 1) for inside in vars(thing).values())


def reach_of(thing: object, reach: Reach) -> Reach:
    if isinstance(thing, Dataset | DataLoader):
        return Reach.FEED
    if reach is Reach.FEED and isinstance(thing, Sampler):
        return Reach.STATE  # however long its order
    return Reach.FUNCTION if isinstance(thing, CALLS) else reach


def is_foreign(thing: object) -> bool:
    """Whether its attributes are none of a training's business: the library's, or a display."""
    if isinstance(thing, (*_OWN, types.SimpleNamespace)):
        return False
    module = type(thing).__module__ or ""
    root = module.partition(".")[0]
    return root in sys.stdlib_module_names | _SHOWN or module.startswith(_MACHINERY)


def used_by(function: types.FunctionType) -> list[object]:
    """What a function uses: variables around it, defaults, and where it is the user's, globals."""
    if (function.__module__ or "").startswith(_MACHINERY):
        return []
    inside: list[object] = [function.__defaults__, function.__kwdefaults__]
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # where nothing has been put there yet
            inside.append(cell.cell_contents)
    if not _is_of_a_library(function.__code__.co_filename):
        places = function.__globals__
        inside += [places[name] for name in _names(function.__code__) if name in places]
    return inside


def _is_of_a_library(file: str) -> bool:
    return file.startswith(_LIBRARIES) or "-packages" in file


def is_sample(box: object) -> bool:
    data = (torch.Tensor, np.ndarray, *PLAIN)
    return isinstance(box, tuple) and all(isinstance(one, data) for one in box)


def is_whole(thing: torch.Tensor | np.ndarray) -> bool:
    if isinstance(thing, np.ndarray):
        return thing.dtype.kind in "iu"
    return not (thing.is_floating_point() or thing.is_complex())


def _names(code: types.CodeType) -> Iterator[str]:
    """The names that a function and those inside it look up outside of themselves."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)
