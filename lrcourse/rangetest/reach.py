"""Which of the objects that a training reaches are its state, and which are data or machinery."""

from __future__ import annotations

import array
import contextlib
import functools
import sys
import sysconfig
import types
from collections.abc import Iterator
from enum import Enum, auto
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler
from torch.utils.data.dataloader import _BaseDataLoaderIter

PLAIN = {int, float, bool, str, bytes, type(None), complex, torch.device, torch.dtype, torch.Size}
CALLS = (types.FunctionType, types.MethodType, functools.partial)
_STATE = (nn.Module, torch.optim.Optimizer, types.SimpleNamespace)
_HOLDERS = {"collections", "queue", "weakref", "_thread"}  # the library's, for what others put in
_MACHINERY = ("torch._", "torch.fx", "torch.utils.hooks")
_SHOWN = {"IPython", "ipykernel", "ipywidgets", "matplotlib", "pandas", "tqdm", "wandb"}
_FOREIGN = (sys.stdlib_module_names | _SHOWN) - _HOLDERS
_LIBRARIES = (sysconfig.get_path("stdlib"), str(Path(__file__).parents[1]))
_FEED_ITEMS = 100  # longer lists and dictionaries of a loader are data, not state
_ITEMS = 10_000  # of a list that a function reaches: longer ones are data


class Reach(Enum):
    """From where an object was reached, which says how much of it is state and how much data."""

    OWN = auto()  # a net or an optimizer: all of it is state
    FUNCTION = auto()  # what a function uses: its lists and variables are left to it
    STATE = auto()  # an object there, or a sampler: all of it, as far as there is room
    FEED = auto()  # a loader: its settings and its order, but no samples

    def of(self, thing: object) -> Reach:
        """The reach of an object that was met here."""
        if isinstance(thing, Dataset | DataLoader):
            return Reach.FEED
        if self is Reach.FEED and isinstance(thing, Sampler):
            return Reach.STATE  # however long its order
        return Reach.FUNCTION if isinstance(thing, CALLS) else self

    def has_state_in(self, box: object, values: list[object]) -> bool:
        """Whether what is in a container counts as state, too."""
        if self is Reach.OWN:
            return True
        if self is not Reach.FEED:
            return len(values) <= _ITEMS
        data = (torch.Tensor, np.ndarray, *PLAIN)
        is_sample = isinstance(box, tuple) and all(isinstance(one, data) for one in box)
        return len(values) <= _FEED_ITEMS and not is_sample

    def takes(self, numbers: Any) -> bool:
        """Whether a tensor or an array may be state; of a loader's, what may be an order."""
        if self is not Reach.FEED or getattr(numbers, "ndim", 0) != 1:
            return self is not Reach.FEED
        if isinstance(numbers, np.ndarray):
            return numbers.dtype.kind in "iu"
        return not (numbers.is_floating_point() or numbers.is_complex())


def is_live(thing: object, depth: int = 3) -> bool:
    """Whether it is an iterator whose place cannot be put back: it, or one that it draws from.

    A generator, one of Python's own iterators, one of a DataLoader; not an object that counts.
    """
    if depth == 0 or not hasattr(type(thing), "__next__"):
        return False
    if isinstance(thing, _BaseDataLoaderIter) or not hasattr(thing, "__dict__"):
        return True
    return any(is_live(inside, depth - 1) for inside in vars(thing).values())


def is_foreign(thing: object) -> bool:
    """Whether its attributes are none of a training's business: the library's, or a display."""
    module = type(thing).__module__ or ""
    root = module.partition(".")[0]
    is_foreign = root in _FOREIGN or module.startswith(_MACHINERY)
    return is_foreign and not isinstance(thing, _STATE)


def used_by(function: types.FunctionType) -> list[object]:
    """What a function uses: variables around it, defaults, and where it is the user's, globals."""
    if (function.__module__ or "").startswith(_MACHINERY):
        return []
    inside: list[object] = [function.__defaults__, function.__kwdefaults__]
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # where nothing has been put there yet
            inside.append(cell.cell_contents)
    file = function.__code__.co_filename
    if not file.startswith(_LIBRARIES) and "-packages" not in file:
        places = function.__globals__
        inside += [places[name] for name in _names(function.__code__) if name in places]
    return inside


def bytes_of(numbers: Any) -> int:
    """The bytes that a tensor or an array of any kind takes."""
    if isinstance(numbers, torch.Tensor) and numbers.is_sparse:
        return numbers.element_size() * numbers._nnz()
    if isinstance(numbers, bytearray | array.array):
        return memoryview(numbers).nbytes
    return numbers.nbytes


def slots_of(thing: object) -> list[types.MemberDescriptorType]:
    """The descriptors of an object's slots."""
    slotted = [vars(kind) for kind in type(thing).__mro__ if "__slots__" in vars(kind)]
    found = [slot for names in slotted for slot in names.values()]
    return [slot for slot in found if isinstance(slot, types.MemberDescriptorType)]


def _names(code: types.CodeType) -> Iterator[str]:
    """The names that a function and those inside it look up outside of themselves."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)
