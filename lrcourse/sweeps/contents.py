"""What an object holds, for a digest: by pickle's own means, else by its bytes or its attributes.

An object whose content cannot be told without using it up, such as a generator, is refused: two
of them would be taken for one. A lock or a file that is written holds nothing that code reads.
"""

from __future__ import annotations

import contextlib
import copyreg
import functools
import inspect
import io
import socket
import sys
import threading
import types
import weakref
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any

from lrcourse.sweeps.source_code import code_digest, digest

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
        slots = vars(base).get("__slots__", ())
        for name in [slots] if isinstance(slots, str) else slots:
            if hasattr(value, name):
                found[name] = getattr(value, name)
    made_again = functools.cached_property
    return {
        name: one
        for name, one in found.items()
        if not isinstance(inspect.getattr_static(kind, name, None), made_again)
    }


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
