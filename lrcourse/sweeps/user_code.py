"""Digests of the user's own code in a spec: what really runs, and not only what a file says.

The digest of a function that reads nothing but its arguments is that of its source. What else it
reads is part of it: constants and helpers of its module and of other modules of the user's, default
values, closures, what decorators put around it, the state of a callable object. Of libraries the
names count alone, but for a function of the user's that was put under one of them. The code in
memory has to be that of the file: a module that was edited after it was imported is refused, for
its record would be kept under a source that never ran. What a function reads from files, the
environment or the clock when it runs is not covered, nor is what a cache of its helpers
(functools.cache) holds already.
"""

from __future__ import annotations

import dataclasses
import functools
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
from lrcourse.support.checks import with_article
from lrcourse.support.names import find_function
from lrcourse.sweeps.contents import (
    Unreadable,
    attributes,
    behind,
    is_content,
    reduced,
    tensor_content,
    unpickled,
)
from lrcourse.sweeps.modules_asked import reached
from lrcourse.sweeps.source_code import (
    StaleCode,
    chains_read,
    codes_of,
    defaults_are_written,
    digest,
    is_library,
    is_of_library,
    modules_given,
    modules_imported,
    source_of,
)
from lrcourse.sweeps.values_read import (
    counts,
    is_itself,
    is_method_of_library,
    is_renamed,
    is_usual,
    name_of,
    passed,
    replaced,
    unwrapped,
)

ATOMS = (type(None), bool, int, float, complex, str, bytes, type(...))
# By these names code reaches what it does not name: of the modules concerned, everything counts.
ASKS_ANY_MODULE = {"getattr", "vars", "eval", "exec", "__dict__", "__getattribute__", "attrgetter"}
ASKS_ANY_MODULE |= {"__globals__", "getmembers", "getattr_static"}
ASKS_ANNOTATIONS = {"__annotations__", "get_annotations", "get_type_hints", "signature"}
ASKS_NAME = {"__name__", "__qualname__"}
# What Python keeps in a module by itself.
OF_ANY_MODULE = {"__name__", "__file__", "__path__", "__package__", "__spec__", "__loader__"}
OF_ANY_MODULE |= {"__builtins__", "__cached__", "__warningregistry__"}
METHODS = (staticmethod, classmethod)


def of_schedule(schedule: object) -> dict[str, str]:
    """A digest for each function and class of the user's in a schedule, by 'module:name'.

    Raises StaleCode where a module was edited after it was imported.
    """
    found = {name: of_function(find_function(name)) for name in _functions_named(schedule)}
    for kind in map(type, _parts(schedule)):
        if not is_of_library(kind):
            found[f"{kind.__module__}:{kind.__qualname__}"] = _Reader().token(kind)[:16]
    return found


def of_function(function: Callable[..., Any]) -> str:
    """The digest of one function or callable object, 16 hexadecimal digits; or StaleCode."""
    reader, inner = _Reader(), unwrapped(function)
    if not isinstance(inner, types.FunctionType):
        return reader.token(function)[:16]
    source = source_of(inner)[0]
    try:
        reads = reader.reads(inner)
    except (StaleCode, Unreadable):
        raise
    except Exception as problem:
        raise reader.unreadable(inner, problem) from None
    if inner is not function:
        reads["around it"] = reader.token(function)
    return digest(json.dumps([source, reads], sort_keys=True) if reads else source)[:16]


def read_by(function: Callable[..., Any]) -> dict[str, str]:
    """A token by name of what a function reads beside its arguments, or of what an object holds."""
    reader, inner = _Reader(), unwrapped(function)
    if isinstance(inner, types.FunctionType):
        return reader.reads(inner)
    return {"what it holds": reader.token(function)}


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


def _functions_named(schedule: object) -> list[str]:
    return re.findall(r"'([\w.]+:[\w.]+)'", repr(schedule))


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
        self.names: list[str] = []  # by which the code leads to the object
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
        except (StaleCode, Unreadable):
            raise
        except Exception as problem:  # whatever an object of the user's says, or nested too deep
            raise self.unreadable(value, problem) from None
        self.open.pop()
        self.known[id(value)] = value, found
        return found

    def _described(self, value: Any) -> list[Any]:
        if value is sys.modules:  # of which the modules that are named count
            return ["library", "sys:modules"]
        if isinstance(value, types.FunctionType):
            if is_of_library(value):
                return ["library", name_of(value)]
            source, is_odd = source_of(value)
            self.is_odd |= is_odd
            return ["function", source, sorted(self.reads(value).items())]
        if isinstance(value, type):
            return ["library", name_of(value)] if is_of_library(value) else self._type(value)
        if isinstance(value, types.ModuleType):
            return ["module", value.__name__, *self._all_of(value)]
        if isinstance(value, types.BuiltinFunctionType | np.ufunc):
            return ["library", name_of(value), *map(self.token, behind(value))]
        if isinstance(value, types.MethodType):
            return ["method", self.token(value.__func__), *map(self.token, behind(value))]
        is_own = not is_of_library(type(value))
        own = [type(value), attributes(value)] if is_own else []
        is_wrapper = hasattr(type(value), "__wrapped__") or "__wrapped__" in getattr(
            value, "__dict__", ()
        )
        if is_wrapper and (isinstance(value, METHODS) or not is_own):
            return [name_of(type(value)), *map(self.token, [value.__wrapped__, *own])]
        if isinstance(value, property):
            deleter = [] if value.fdel is None else [value.fdel]
            return ["property", *map(self.token, (value.fget, value.fset, *deleter, *own))]
        if isinstance(value, functools.partial):
            given = [value.args, tuple(sorted(value.keywords.items()))] if self.values else []
            return ["partial", self.token(value.func), *map(self.token, [*given, *own])]
        if not self.values:
            return ["data", self.token(type(value))]
        return self._data(value)

    def _all_of(self, module: types.ModuleType) -> list[Any]:
        if is_library(module.__name__):
            return []
        own = [
            [name, self._named(f"{name} in {module.__name__}", value)]
            for name, value in sorted(vars(module).items())
            if not (name in OF_ANY_MODULE or is_usual(name, value))
        ]
        kind = type(module)
        return own if kind is types.ModuleType else [*own, ["its class", self.token(kind)]]

    def _named(self, name: str, value: object) -> str:
        """The token of what code finds under a name, which a refusal tells."""
        self.names.append(name)
        found = self.token(value)
        self.names.pop()
        return found

    def _data(self, value: Any) -> list[Any]:
        """Of an object: what it holds, and the code of its class where that is the user's."""
        name = name_of(type(value))
        if not is_of_library(type(value)):
            if isinstance(value, torch.Tensor):
                held = [value.as_subclass(torch.Tensor)]  # pyright: ignore
            else:  # as a list or an array, say; its attributes as they are, not as pickled
                parts = enumerate(reduced(value) or ())
                held = [one for k, one in parts if k != 2 or is_content(one)]
            return [name, *map(self.token, [type(value), *held, attributes(value)])]
        if type(value) is np.ndarray or isinstance(value, np.generic):
            plain = value.dtype.names is None and value.dtype.metadata is None
            if plain and not value.dtype.hasobject:
                return [name, value.dtype.str, list(value.shape), digest(value.tobytes())]
        if isinstance(value, torch.Tensor) and value.layout is torch.strided:
            more = [vars(value) or None, value.grad if value.is_leaf else None]
            if value.requires_grad != isinstance(value, torch.nn.Parameter):
                more.append(value.requires_grad)
            held = [self.token(one) for one in more if one is not None]
            return [name, *tensor_content(value), *held]
        if isinstance(value, tuple | list):
            return [name, *map(self.token, value)]
        if isinstance(value, set | frozenset):
            return [name, *sorted(map(self.token, value))]
        if isinstance(value, dict | types.MappingProxyType):
            pairs = [[self.token(key), self.token(one)] for key, one in value.items()]
            made = getattr(value, "default_factory", None)
            return [name, *pairs, *([] if made is None else [self.token(made)])]
        if (parts := reduced(value)) is None:
            try:
                parts = unpickled(value)
            except Unreadable:
                raise self.unreadable(value) from None
        if isinstance(value, Schedule | Rule):
            parts += [find_function(one) for one in _functions_named(value)]
        return [name, *map(self.token, parts)]

    def unreadable(self, value: object, problem: Exception | None = None) -> Unreadable:
        """What is said of a value that the code reads and whose content cannot be told."""
        where = self.names[-1] if self.names else "what it holds"
        why = "that cannot be told without using it up or at all"
        if problem is not None:
            why = f"asking for it gives {type(problem).__name__}: {problem}"
        return Unreadable(
            f"a function reads {where}, which is or holds {with_article(type(value).__name__)}: a "
            f"record's key must hold its content, and {why}. Keep a list, an array or a number "
            "there, or make it in the function"
        )

    def _type(self, kind: type) -> list[Any]:
        own = {
            name: self.token(value)
            for name, value in sorted(vars(kind).items())
            if counts(kind, name, value)
        }
        above = [*kind.__bases__] if type(kind) is type else [*kind.__bases__, type(kind)]
        return ["class", name_of(kind), own, *map(self.token, above)]

    def reads(self, function: types.FunctionType) -> dict[str, str]:
        """Token by name of what a function of the user's reads beside its arguments."""
        if is_of_library(function):
            return {}
        found: dict[str, str] = {}
        codes = codes_of(function)
        attributes = {name for code in codes for name in code.co_names}
        package = function.__globals__.get("__package__") or ""
        chains = sorted(set().union(*map(chains_read, codes)))
        names = {chain[0] for chain in chains} & function.__globals__.keys()
        read = {name: function.__globals__[name] for name in names}
        for name, value in sorted((read | dict(modules_imported(codes, package))).items()):
            found |= self._global(name, value, attributes, function)
            if isinstance(value, types.FunctionType) and attributes & ASKS_ANNOTATIONS:
                found[f"annotations of {name}"] = self.token(value.__annotations__)
            if attributes & ASKS_NAME and is_renamed(value):
                found[f"name of {name}"] = self.token((value.__name__, value.__qualname__))
        found |= {name: self._named(name, made) for name, made in replaced(chains, read)}
        asked = reached(function, codes, read.values(), refuse=self.values)
        for module in [*asked, *passed(chains, read), *modules_given(codes, package)]:
            if is_library(module.__name__):
                continue
            found[f"all of {module.__name__}"] = self.token(module)
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            try:
                value = cell.cell_contents
            except ValueError:  # still empty
                continue
            if not is_itself(value, function):
                found[f"{name} around it"] = self._named(name, value)
        defaults = (function.__defaults__ or (), tuple((function.__kwdefaults__ or {}).items()))
        if any(defaults) and not defaults_are_written(function):
            found["default values"] = self._named("its default values", defaults)
        for name, value in vars(function).items():
            if not (
                name == "__wrapped__" or is_itself(value, function) or is_method_of_library(value)
            ):
                found[f"its {name}"] = self._named(f"its {name}", value)
        return found

    def _global(
        self, name: str, value: Any, attributes: set[str], function: types.FunctionType
    ) -> dict[str, str]:
        if not isinstance(value, types.ModuleType):
            return {} if is_itself(value, function) else {name: self._named(name, value)}
        if is_library(value.__name__):
            usual = {value.__name__, value.__name__.rpartition(".")[2]}
            is_known = name in usual or (name, value.__name__) == ("np", "numpy")
            return {} if is_known else {name: f"module {value.__name__}"}
        if attributes & ASKS_ANY_MODULE or type(value) is not types.ModuleType:
            return {name: self.token(value)}
        found: dict[str, str] = {}
        for each in sorted((attributes | {"__getattr__"}) & vars(value).keys() - {name}):
            found |= self._global(f"{name}.{each}", vars(value)[each], attributes, function)
        return found
