"""Digests of the user's own code in a spec: what really runs, and not only what a file says.

The digest of a function that reads nothing but its arguments is that of its source. What else it
reads is part of it: constants and helpers of its module and of other modules of the user's, default
values, closures, what decorators put around it, the state of a callable object. Of libraries the
names count alone. The code in memory has to be that of the file: a module that was edited after it
was imported is refused, for its record would be kept under a source that never ran.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import re
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from lrcourse.schedules.base import Schedule
from lrcourse.schedules.rules import Rule
from lrcourse.support.names import find_function
from lrcourse.sweeps.source_code import (
    codes_of,
    defaults_are_written,
    digest,
    is_library,
    module_named,
    modules_imported,
    names_read,
    source_of,
)

ATOMS = (type(None), bool, int, float, complex, str, bytes, type(...))
# By these names code reaches what it does not name: of the modules concerned, everything counts.
ASKS_ITS_MODULE = {"globals", "vars", "eval", "exec"}
ASKS_ANY_MODULE = {"getattr", "vars", "eval", "exec"}
IMPORTS = {"__import__", "import_module"}


def of_schedule(schedule: object) -> dict[str, str]:
    """A digest for each function and class of the user's in a schedule, by 'module:name'.

    Raises StaleCode where a module was edited after it was imported.
    """
    names = re.findall(r"'([\w.]+:[\w.]+)'", repr(schedule))
    found = {name: of_function(find_function(name)) for name in names}
    for kind in map(type, _parts(schedule)):
        if not is_library(kind.__module__):
            found[f"{kind.__module__}:{kind.__qualname__}"] = _Reader().token(kind)[:16]
    return found


def of_function(function: Callable[..., Any]) -> str:
    """The digest of one function or callable object, 16 hexadecimal digits; or StaleCode."""
    reader, inner = _Reader(), inspect.unwrap(function)
    if not isinstance(inner, types.FunctionType):
        return reader.token(function)[:16]
    source, reads = source_of(inner)[0], reader.reads(inner)
    if inner is not function:
        reads["around it"] = reader.token(function)
    return digest(json.dumps([source, reads], sort_keys=True) if reads else source)[:16]


def in_main(schedule: object) -> bool:
    """Whether a class of the schedule's is one of the script's or notebook's own."""
    return any(type(part).__module__ == "__main__" for part in _parts(schedule))


def loaded(function: Callable[..., Any]) -> str:
    """A digest of the code that a function would run here, without the data that it reads.

    Empty where some of it was loaded otherwise than from a file of Python (by pytest, which
    rewrites assertions, from an archive): another process may load that in its own way.
    """
    reader = _Reader(values=False)
    found = reader.token(function)
    return "" if reader.is_odd else found


def _parts(value: object) -> Iterator[object]:
    """A schedule or rule, and those in it."""
    if isinstance(value, Schedule | Rule):
        yield value
        if dataclasses.is_dataclass(value):
            for field in dataclasses.fields(value):
                yield from _parts(getattr(value, field.name))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _parts(one)


class _Reader:
    """Follows what code refers to; each object it meets gets a token, equal for what acts alike."""

    def __init__(self, values: bool = True) -> None:
        self.values = values  # whether data count, or code alone
        self.is_odd = False  # whether some code comes from elsewhere than a file of Python
        self.open: list[int] = []
        self.known: dict[int, tuple[object, str]] = {}  # keeps the objects, so that ids stay theirs

    def token(self, value: object) -> str:
        if type(value) in ATOMS:
            return f"{type(value).__name__} {value!r}"
        if id(value) in self.known:
            return self.known[id(value)][1]
        if id(value) in self.open:
            return f"the one {self.open[::-1].index(id(value))} above"
        self.open.append(id(value))
        try:
            found = digest(json.dumps(self._described(value)))
        except RecursionError:
            found = _name(type(value))
        self.open.pop()
        self.known[id(value)] = value, found
        return found

    def _described(self, value: Any) -> list[Any]:
        if isinstance(value, types.FunctionType):
            if is_library(value.__module__):
                return ["library", _name(value)]
            source, is_odd = source_of(value)
            self.is_odd |= is_odd
            return ["function", source, sorted(self.reads(value).items())]
        if isinstance(value, type):
            return ["library", _name(value)] if is_library(value.__module__) else self._type(value)
        if isinstance(value, types.ModuleType):
            return ["module", value.__name__, *self._all_of(value)]
        if isinstance(value, types.BuiltinFunctionType | np.ufunc):
            return ["library", _name(value)]
        if isinstance(value, types.MethodType):
            return ["method", self.token(value.__func__), self.token(value.__self__)]
        if hasattr(value, "__wrapped__") and is_library(type(value).__module__):
            return [_name(type(value)), self.token(value.__wrapped__)]
        if isinstance(value, property):
            return ["property", *map(self.token, (value.fget, value.fset))]
        if isinstance(value, functools.partial):
            given = [value.args, tuple(sorted(value.keywords.items()))] if self.values else []
            return ["partial", self.token(value.func), *map(self.token, given)]
        if not self.values:
            return ["data", self.token(type(value))]
        return self._data(value)

    def _all_of(self, module: types.ModuleType) -> list[Any]:
        if is_library(module.__name__):
            return []
        own = sorted(vars(module).items())
        return [[name, self.token(value)] for name, value in own if not name.startswith("__")]

    def _data(self, value: Any) -> list[Any]:
        """Of an object: what it holds, and the code of its class where that is the user's."""
        name = _name(type(value))
        if not is_library(type(value).__module__):
            # What it holds as a list, a tuple or a dictionary; its state as it is, not as pickled.
            held = [one for k, one in enumerate(_reduced(value)) if k != 2]
            return [name, *map(self.token, [type(value), *held, _attributes(value)])]
        if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
            return [name, value.dtype.str, list(value.shape), digest(value.tobytes())]
        if isinstance(value, torch.Tensor) and value.layout is torch.strided:
            content = value.detach().cpu().reshape(-1).clone().view(torch.uint8).numpy()
            return [name, str(value.dtype), list(value.shape), digest(content.tobytes())]
        if isinstance(value, tuple | list):
            return [name, *map(self.token, value)]
        if isinstance(value, set | frozenset):
            return [name, *sorted(map(self.token, value))]
        if isinstance(value, dict | types.MappingProxyType):
            return [name, *([self.token(key), self.token(one)] for key, one in value.items())]
        return [name, *map(self.token, _reduced(value))]

    def _type(self, kind: type) -> list[Any]:
        own = {
            name: self.token(value)
            for name, value in sorted(vars(kind).items())
            if _is_written_by_hand(name, value)
        }
        above = [*kind.__bases__] if type(kind) is type else [*kind.__bases__, type(kind)]
        return ["class", _name(kind), own, *map(self.token, above)]

    def reads(self, function: types.FunctionType) -> dict[str, str]:
        """Token by name of what a function of the user's reads beside its arguments."""
        if is_library(function.__module__):
            return {}
        found: dict[str, str] = {}
        codes = codes_of(function)
        attributes = {name for code in codes for name in code.co_names}
        package = function.__globals__.get("__package__") or ""
        read = {
            name: function.__globals__[name]
            for name in names_read(codes) & function.__globals__.keys()
        }
        for name, value in sorted((read | dict(modules_imported(codes, package))).items()):
            found |= self._global(name, value, attributes, function)
        whole = [function.__module__] if attributes & ASKS_ITS_MODULE else []
        if attributes & IMPORTS:
            whole += [one for code in codes for one in code.co_consts if isinstance(one, str)]
        for name in whole:
            if (module := module_named(name)) and module is not sys.modules.get("__main__"):
                found[f"all of {name}"] = self.token(module)
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            try:
                value = cell.cell_contents
            except ValueError:  # still empty
                continue
            if not _is(value, function):
                found[f"{name} around it"] = self.token(value)
        defaults = (function.__defaults__ or (), tuple((function.__kwdefaults__ or {}).items()))
        if any(defaults) and not defaults_are_written(function):
            found["default values"] = self.token(defaults)
        for name, value in vars(function).items():
            if not (name == "__wrapped__" or _is(value, function) or _is_of_library(value)):
                found[f"its {name}"] = self.token(value)
        return found

    def _global(
        self, name: str, value: Any, attributes: set[str], function: types.FunctionType
    ) -> dict[str, str]:
        if not isinstance(value, types.ModuleType):
            return {} if _is(value, function) else {name: self.token(value)}
        if is_library(value.__name__):
            usual = {value.__name__, value.__name__.rpartition(".")[2]}
            is_usual = name in usual or (name, value.__name__) == ("np", "numpy")
            return {} if is_usual else {name: f"module {value.__name__}"}
        if attributes & ASKS_ANY_MODULE:
            return {name: self.token(value)}
        found: dict[str, str] = {}
        for each in sorted((attributes & vars(value).keys()) - {name}):
            found |= self._global(f"{name}.{each}", vars(value)[each], attributes, function)
        return found


def _is(value: Any, function: types.FunctionType) -> bool:
    """Whether it is the function itself, which calls itself, maybe through a decorator."""
    return callable(value) and inspect.unwrap(value) is function


def _is_of_library(value: object) -> bool:
    """Whether it is a method that a decorator of a library hung on, which may keep a cache."""
    return isinstance(value, types.MethodType) and is_library(value.__func__.__module__)


def _reduced(value: object) -> list[object]:
    """The parts by which pickle makes the object anew; none of a lock, an open file or so."""
    try:
        made = value.__reduce_ex__(4)
    except Exception:
        return []
    parts = made if isinstance(made, tuple) else (made,)
    return [list(one) if isinstance(one, Iterator) else one for one in parts]


def _attributes(value: object) -> dict[str, object]:
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


def _is_written_by_hand(name: str, value: object) -> bool:
    """Whether an attribute of a class stands in its source, and was not made by a decorator."""
    if isinstance(value, types.FunctionType):
        return not value.__code__.co_filename.startswith("<string>")
    if isinstance(value, property | staticmethod | classmethod):
        return True
    return not (name.startswith("__") or isinstance(value, types.MemberDescriptorType))


def _name(value: Any) -> str:
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", type(value).__name__)
    return f"{getattr(value, '__module__', None)}:{name}"
