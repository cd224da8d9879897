"""What an object holds, for a digest: by pickle's own means, else by its bytes or its attributes.

An object whose content cannot be told without using it up, such as a generator, is refused: two
of them would be taken for one. A lock or a file that is written holds nothing that code reads.
"""

from __future__ import annotations

import contextlib
import copyreg
import functools
import gc
import inspect
import io
import socket
import sys
import threading
import types
import weakref
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any

import numpy as np
import torch

from lrcourse.sweeps.source_code import code_digest, digest, is_library

# Locks, sockets, and what an abstract class keeps of the questions that it was asked.
HANDLES = (
    type(threading.Lock()),
    type(threading.RLock()),
    socket.socket,
    *([type(vars(Iterator)["_abc_impl"])] if "_abc_impl" in vars(Iterator) else []),
)
NAMED = (types.MemberDescriptorType, types.GetSetDescriptorType)


class Unreadable(ValueError):
    """A value that code of the user's reads, and whose content cannot be told."""


def reduced(value: object) -> list[object] | None:
    """The parts by which pickle makes the object anew; None where it cannot."""
    try:
        by_type = copyreg.dispatch_table.get(type(value))
        made: Any = by_type(value) if by_type else value.__reduce_ex__(4)
    except Exception:  # whatever the object says
        return None
    parts = made if isinstance(made, tuple) else (made,)
    return [list(one) if isinstance(one, Iterator) else one for one in parts]


def attributes(value: object) -> dict[str, object]:
    """An object's own attributes, in its dictionary and slots, but for what it can make again."""
    kind = type(value)
    found = dict(getattr(value, "__dict__", {}))
    for base in kind.__mro__:
        for name, slot in vars(base).items() if "__slots__" in vars(base) else ():
            if isinstance(slot, types.MemberDescriptorType):
                with contextlib.suppress(AttributeError):  # never set, or deleted
                    name = f"{name} of {base.__qualname__}" if name in found else name
                    found[name] = slot.__get__(value)
    made_again = functools.cached_property
    return {
        name: one
        for name, one in found.items()
        if not isinstance(inspect.getattr_static(kind, name, None), made_again)
    }


def is_content(state: object) -> bool:
    """Whether the state that pickle keeps is more than attributes: an array's elements, say."""
    parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
    return not all(one is None or isinstance(one, dict) for one in parts)


def tensor_content(value: torch.Tensor) -> list[object]:
    """Kind, shape and elements of a strided tensor."""
    plain = value.detach().cpu().resolve_conj().resolve_neg().reshape(-1)
    content = plain.clone(memory_format=torch.contiguous_format).view(torch.uint8).numpy()
    return [str(value.dtype), list(value.shape), digest(content.tobytes())]


def behind(function: Any) -> list[object]:
    """What a method is bound to, or the function that NumPy wrapped; none for a library's own.

    Functions of a library such as `random.random` are methods of an object in its module.
    """
    if isinstance(function, np.ufunc):
        return [one for one in gc.get_referents(function) if callable(one)]
    if isinstance(function, types.BuiltinFunctionType) and function.__module__ is not None:
        return []
    holder = function.__self__
    if holder is None or isinstance(holder, types.ModuleType):
        return []
    home = type(holder).__module__
    own = vars(sys.modules[home]).values() if is_library(home) and home in sys.modules else ()
    return [] if any(one is holder for one in own) else [holder]


def unpickled(value: Any) -> list[object]:
    """What an object of a library holds that pickle cannot make anew; Unreadable if unknown."""
    if isinstance(value, HANDLES) or _is_for_writing(value):
        return []
    if isinstance(value, types.CodeType):
        return [code_digest(value)]
    if isinstance(value, KeysView | ValuesView | ItemsView):
        return list(value)
    if isinstance(value, weakref.ref):
        return [value()]
    if isinstance(value, NAMED):
        return [value.__objclass__, value.__name__]
    with contextlib.suppress(TypeError, ValueError, BufferError):
        view = memoryview(value)
        return [view.format, view.shape, digest(view.tobytes())]
    if not isinstance(value, Iterator | io.IOBase) and (held := attributes(value)):
        return [held]
    raise Unreadable


def _is_for_writing(value: object) -> bool:
    if value is sys.stdout or value is sys.stderr:
        return True
    return isinstance(value, io.IOBase) and (value.closed or not value.readable())
