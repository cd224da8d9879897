"""Digests of the user's own code in a spec: what really runs, and not only what a file says.

The digest of a function that reads nothing but its arguments is that of its source. What else it
reads is part of it: constants and helpers of its module and of other modules of the user's, default
values, closures, what decorators put around it, the state of a callable object. Of libraries the
names count alone. The code in memory has to be that of the file: a module that was edited after it
was imported is refused, for its record would be kept under a source that never ran.
"""

from __future__ import annotations

import ast
import dataclasses
import dis
import functools
import hashlib
import importlib.machinery
import inspect
import io
import json
import re
import sys
import sysconfig
import textwrap
import tokenize
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

import lrcourse
from lrcourse.schedules.base import Schedule
from lrcourse.schedules.rules import Rule
from lrcourse.support.names import find_function

ATOMS = (type(None), bool, int, float, complex, str, bytes, type(...))


class StaleCode(ValueError):
    """Code in memory that is not what its file says, or not what another process runs."""


def of_schedule(schedule: object) -> dict[str, str]:
    """A digest for each function and class of the user's in a schedule, by 'module:name'.

    Raises StaleCode where a module was edited after it was imported.
    """
    names = re.findall(r"'([\w.]+:[\w.]+)'", repr(schedule))
    found = {name: of_function(find_function(name)) for name in names}
    for kind in map(type, _parts(schedule)):
        if not _is_library(kind.__module__):
            found[f"{kind.__module__}:{kind.__qualname__}"] = _Reader().token(kind)[:16]
    return found


def of_function(function: Callable[..., Any]) -> str:
    """The digest of one function or callable object, 16 hexadecimal digits; or StaleCode."""
    reader, inner = _Reader(), inspect.unwrap(function)
    if not isinstance(inner, types.FunctionType):
        return reader.token(function)[:16]
    source, reads = reader.source(inner), reader.reads(inner)
    if inner is not function:
        reads["around it"] = reader.token(function)
    if not reads:
        return _digest(source)[:16]
    return _digest(json.dumps([source, reads], sort_keys=True))[:16]


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
        if isinstance(value, ATOMS):
            return f"{type(value).__name__} {value!r}"
        if id(value) in self.known:
            return self.known[id(value)][1]
        if id(value) in self.open:
            return f"the one {self.open[::-1].index(id(value))} above"
        self.open.append(id(value))
        try:
            found = _digest(json.dumps(self._described(value)))
        except RecursionError:
            found = _name(type(value))
        self.open.pop()
        self.known[id(value)] = value, found
        return found

    def _described(self, value: Any) -> list[Any]:
        if isinstance(value, types.FunctionType):
            if _is_library(value.__module__):
                return ["library", _name(value)]
            return ["function", self.source(value), sorted(self.reads(value).items())]
        if isinstance(value, type):
            return ["library", _name(value)] if _is_library(value.__module__) else self._type(value)
        if isinstance(value, types.ModuleType):
            return ["module", value.__name__]
        if isinstance(value, types.BuiltinFunctionType | np.ufunc):
            return ["library", _name(value)]
        if isinstance(value, types.MethodType):
            return ["method", self.token(value.__func__), self.token(value.__self__)]
        if isinstance(value, staticmethod | classmethod) or hasattr(value, "__wrapped__"):
            return [_name(type(value)), self.token(value.__wrapped__)]
        if isinstance(value, property):
            return ["property", *map(self.token, (value.fget, value.fset))]
        if isinstance(value, functools.partial):
            given = [value.args, tuple(sorted(value.keywords.items()))] if self.values else []
            return ["partial", self.token(value.func), *map(self.token, given)]
        if not self.values:
            return ["data", _name(type(value))]
        return self._data(value)

    def _data(self, value: Any) -> list[Any]:
        name = _name(type(value))
        if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
            return [name, value.dtype.str, list(value.shape), _digest(value.tobytes())]
        if isinstance(value, torch.Tensor):
            content = bytes(value.detach().cpu().contiguous().flatten().untyped_storage())
            return [name, str(value.dtype), list(value.shape), _digest(content)]
        if isinstance(value, tuple | list):
            return [name, *map(self.token, value)]
        if isinstance(value, set | frozenset):
            return [name, *sorted(map(self.token, value))]
        if isinstance(value, dict):
            return [name, *([self.token(key), self.token(one)] for key, one in value.items())]
        try:
            made = value.__reduce_ex__(4)
        except Exception:  # a lock, an open file: nothing that can be told of it
            return [name]
        if isinstance(made, str):
            return [name, made]
        call, arguments, *state = made
        rest = [list(one) if isinstance(one, Iterator) else one for one in state]
        return [self.token(type(value)), *map(self.token, (call, arguments, *rest))]

    def _type(self, kind: type) -> list[Any]:
        own = {
            name: self.token(value)
            for name, value in sorted(vars(kind).items())
            if _is_written_by_hand(name, value)
        }
        return ["class", _name(kind), own, *map(self.token, kind.__bases__)]

    # -- functions ------------------------------------------------------------------------------

    def source(self, function: types.FunctionType) -> str:
        """The function's lines in its file, if they are the code in memory; else StaleCode.

        Code that comes from no file of Python is told by its instructions.
        """
        code = function.__code__
        module = function.__module__
        loader = getattr(getattr(sys.modules.get(module), "__spec__", None), "loader", None)
        is_plain = type(loader) is importlib.machinery.SourceFileLoader and module != "__main__"
        text = _text(code.co_filename) if is_plain else None
        wanted = _code_digest(code)
        if text is None:
            self.is_odd |= module != "__main__"
            return wanted
        there = [
            one
            for one in _codes(text, code.co_filename)
            if one.co_qualname == code.co_qualname and _code_digest(one) == wanted
        ]
        if not there:
            raise StaleCode(
                f"{module}:{function.__qualname__} in memory is not what {code.co_filename} says: "
                f"the file was edited after it was imported. Reload {module} (importlib.reload) or "
                "start Python anew, so that a record is kept under the code that runs"
            )
        place = min(there, key=lambda one: abs(one.co_firstlineno - code.co_firstlineno))
        lines = io.StringIO(text if text.endswith("\n") else f"{text}\n").readlines()
        return "".join(inspect.getblock(lines[place.co_firstlineno - 1 :]))

    def reads(self, function: types.FunctionType) -> dict[str, str]:
        """Token by name of what a function of the user's reads beside its arguments."""
        if _is_library(function.__module__):
            return {}
        found: dict[str, str] = {}
        codes = list(_nested(function.__code__))
        attributes = sorted({name for code in codes for name in code.co_names})
        for name, value in _globals(function, codes):
            found |= self._global(name, value, attributes, function)
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        for name, cell in cells:
            try:
                value = cell.cell_contents
            except ValueError:  # still empty
                continue
            if not _is(value, function):
                found[f"{name} around it"] = self.token(value)
        defaults = (function.__defaults__ or (), tuple((function.__kwdefaults__ or {}).items()))
        if any(defaults) and not _are_written(function, self):
            found["default values"] = self.token(defaults)
        return found

    def _global(
        self, name: str, value: Any, attributes: list[str], function: types.FunctionType
    ) -> dict[str, str]:
        if isinstance(value, types.ModuleType):
            if _is_library(value.__name__):
                usual = {value.__name__, value.__name__.rpartition(".")[2]}
                is_usual = name in usual or (name, value.__name__) == ("np", "numpy")
                return {} if is_usual else {name: f"module {value.__name__}"}
            found: dict[str, str] = {}
            for each in attributes:
                if each in vars(value) and each != name:
                    there = vars(value)[each]
                    found |= self._global(f"{name}.{each}", there, attributes, function)
            return found
        return {} if _is(value, function) else {name: self.token(value)}


def _is(value: Any, function: types.FunctionType) -> bool:
    """Whether it is the function itself, which calls itself, maybe through a decorator."""
    return callable(value) and inspect.unwrap(value) is function


def _globals(
    function: types.FunctionType, codes: list[types.CodeType]
) -> Iterator[tuple[str, object]]:
    """Name and value of each global that the code reads, and of each module that it imports."""
    read, imported = set(), set()
    for code in codes:
        for step in dis.get_instructions(code):
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                read.add(step.argval)
            elif step.opname == "IMPORT_NAME":
                imported.add(step.argval)
    for name in sorted(read & function.__globals__.keys()):
        yield name, function.__globals__[name]
    package = function.__globals__.get("__package__") or ""
    for name in sorted(imported):
        for whole in (name, f"{package}.{name}"):
            if whole in sys.modules:
                yield whole, sys.modules[whole]
                break


def _is_written_by_hand(name: str, value: object) -> bool:
    """Whether an attribute of a class stands in its source, and was not made by a decorator."""
    if isinstance(value, types.FunctionType):
        return not value.__code__.co_filename.startswith("<string>")
    if isinstance(value, property | staticmethod | classmethod):
        return True
    return not (name.startswith("__") or isinstance(value, types.MemberDescriptorType))


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            yield from _nested(one)


def _are_written(function: types.FunctionType, reader: _Reader) -> bool:
    """Whether the default values are those that stand in the source, as literals."""
    try:
        tree = ast.parse(textwrap.dedent(reader.source(function))).body[0]
        if not isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef):
            return False
        given = tuple(map(ast.literal_eval, tree.args.defaults))
        named = [ast.literal_eval(one) for one in tree.args.kw_defaults if one is not None]
    except (SyntaxError, ValueError, IndexError):
        return False
    here = (function.__defaults__ or (), list((function.__kwdefaults__ or {}).values()))
    return repr((given, named)) == repr(here)


def _code_digest(code: types.CodeType) -> str:
    """Of the instructions and what they use, without the places in the file."""
    constants = []
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            constants.append(_code_digest(one))
        else:
            content = sorted(map(repr, one)) if isinstance(one, frozenset) else repr(one)
            constants.append(f"{type(one).__name__} {content}")
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    return _digest(repr((code.co_code, constants, names, counts)))


@functools.lru_cache(maxsize=64)
def _codes(text: str, file: str) -> list[types.CodeType]:
    """All code in a file's text; none where it cannot be compiled."""
    try:
        return list(_nested(compile(text, file, "exec", dont_inherit=True)))
    except (SyntaxError, ValueError):
        return []


def _text(file: str) -> str | None:
    try:
        with tokenize.open(file) as lines:
            return lines.read()
    except (OSError, SyntaxError, UnicodeError):
        return None


@functools.cache
def _library_folders() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    folders = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    return tuple(Path(folder).resolve() for folder in [*folders, *lrcourse.__path__])


def _is_library(module: str | None) -> bool:
    """Whether a module is part of Python, of an installed package or of this one."""
    if module == "__main__":  # in a worker, that is a file of the library which started it
        return False
    file = getattr(sys.modules.get(module or ""), "__file__", None)
    if file is None:
        return (module or "").partition(".")[0] in sys.stdlib_module_names
    path = Path(file).resolve()
    if not {"site-packages", "dist-packages"}.isdisjoint(path.parts):
        return True
    return any(path.is_relative_to(folder) for folder in _library_folders())


def _name(value: Any) -> str:
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", type(value).__name__)
    return f"{getattr(value, '__module__', None)}:{name}"


def _digest(content: str | bytes) -> str:
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()
