"""What Python says of a function: its lines in their file, what it reads, whose code it is."""

from __future__ import annotations

import ast
import dis
import functools
import hashlib
import importlib
import importlib.machinery
import importlib.util
import inspect
import io
import itertools
import sys
import sysconfig
import textwrap
import tokenize
import types
from collections.abc import Iterator
from pathlib import Path

import lrcourse

ATTRIBUTE = ("LOAD_ATTR", "LOAD_METHOD")


class StaleCode(ValueError):
    """Code in memory that is not what its file says, or not what another process runs."""


def source_of(function: types.FunctionType) -> tuple[str, bool]:
    """The function's lines in its file, if they are the code in memory; else StaleCode.

    Code that comes from no file of Python is told by its instructions. The flag says whether it
    was loaded in such another way: by pytest, which rewrites assertions, from an archive.
    """
    code = function.__code__
    module = _home(function)
    text = text_of(function)
    wanted = code_digest(code)
    if text is None:
        return wanted, module != "__main__"
    named = [one for one in _codes(text, code.co_filename) if one.co_qualname == code.co_qualname]
    there = [one for one in named if code_digest(one) == wanted]
    if not there:
        raise StaleCode(
            f"{module}:{function.__qualname__} in memory is not what {code.co_filename} says: "
            f"the file was edited after it was imported. Reload {module} (importlib.reload) or "
            "start Python anew, so that a record is kept under the code that runs"
        )
    line = min((one.co_firstlineno for one in there), key=lambda n: abs(n - code.co_firstlineno))
    block = _block(text, line) or wanted
    several = [one for one in named if one.co_firstlineno == line]
    return (block if len(several) == 1 else f"{block}{wanted}"), False  # lambdas share a line


def text_of(function: types.FunctionType) -> str | None:
    """The text of the file of Python that the function's module was loaded from, else None."""
    spec = getattr(sys.modules.get(_home(function)), "__spec__", None)
    is_plain = type(getattr(spec, "loader", None)) is importlib.machinery.SourceFileLoader
    if not is_plain or _home(function) == "__main__":
        return None
    try:
        with tokenize.open(function.__code__.co_filename) as lines:
            return lines.read()
    except (OSError, SyntaxError, UnicodeError):
        return None


def codes_of(function: types.FunctionType) -> list[types.CodeType]:
    """The function's code, and that of the functions in it."""
    return list(_nested(function.__code__))


@functools.lru_cache(maxsize=1024)
def chains_read(code: types.CodeType) -> frozenset[tuple[str, ...]]:
    """Each global that the code reads, with the attributes that it asks of it at once."""
    steps, found = _steps(code), set()
    for k, step in enumerate(steps):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            after = itertools.takewhile(lambda one: one.opname in ATTRIBUTE, steps[k + 1 :])
            found.add((step.argval, *(one.argval for one in after)))
    return frozenset(found)


def modules_imported(
    codes: list[types.CodeType], package: str
) -> Iterator[tuple[str, types.ModuleType]]:
    """Name and module of each import in the code; the user's own are loaded, as it would do."""
    for _, whole, wanted in _imports(codes, package):
        if not wanted:  # `import a.b` binds a
            module_named(whole)
            whole = whole.partition(".")[0]
        if module := module_named(whole):
            for name in wanted:
                if not hasattr(module, name):
                    module_named(f"{whole}.{name}")
            yield whole, module


def modules_given(codes: list[types.CodeType], package: str) -> Iterator[types.ModuleType]:
    """Those that the code imports and takes as values, to give them to a function, say."""
    given = {name for code in codes for name in _taken(code)}
    for after, whole, wanted in _imports(codes, package):
        stores = [step.argval for step in after if step.opname.startswith("STORE")]
        names = [f"{whole}.{one}" for one in wanted] or [whole, whole.partition(".")[0]]
        for name, module in zip(stores if wanted else stores[:1] * 2, names, strict=False):
            if name in given and module in sys.modules:
                yield sys.modules[module]


def _imports(
    codes: list[types.CodeType], package: str
) -> Iterator[tuple[tuple[dis.Instruction, ...], str, tuple[str, ...]]]:
    """Of each import in the code: the steps that follow, the module, what is taken from it."""
    for code in codes:
        steps = _steps(code)
        for k, step in enumerate(steps):
            if step.opname != "IMPORT_NAME":
                continue
            level, wanted = steps[k - 2].argval, steps[k - 1].argval or ()
            whole = step.argval
            if level:
                try:
                    whole = importlib.util.resolve_name("." * level + whole, package)
                except ImportError:
                    continue
            yield steps[k + 1 :], whole, wanted


@functools.lru_cache(maxsize=1024)
def _taken(code: types.CodeType) -> frozenset[str]:
    """The variables that the code reads, and not only for an attribute."""
    found: set[str] = set()
    for step, after in itertools.pairwise(_steps(code)):
        if step.opname.startswith(("LOAD_FAST", "LOAD_DEREF", "LOAD_NAME", "LOAD_GLOBAL")):
            names = step.argval if isinstance(step.argval, tuple) else (step.argval,)
            found |= {*(names[:-1] if after.opname in ATTRIBUTE else names)}
    return frozenset(found)


def module_named(name: str) -> types.ModuleType | None:
    """A module that is loaded, or one of the user's, which is loaded; None for others."""
    if name in sys.modules:
        return sys.modules[name]
    try:
        spec = importlib.util.find_spec(name.partition(".")[0])
        places = (
            [] if spec is None else [spec.origin or "", *(spec.submodule_search_locations or ())]
        )
        if not any(places) or any(map(_is_library_file, filter(None, places))):
            return None
        return importlib.import_module(name)
    except (Exception, SystemExit):  # the function will meet it too, or it never asks
        return None


def defaults_are_written(function: types.FunctionType) -> bool:
    """Whether the default values are those that stand in the source, as literals."""
    try:
        tree = ast.parse(textwrap.dedent(source_of(function)[0])).body[0]
        if not isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef):
            return False
        given = tuple(map(ast.literal_eval, tree.args.defaults))
        named = [ast.literal_eval(one) for one in tree.args.kw_defaults if one is not None]
    except (SyntaxError, ValueError, IndexError):
        return False
    here = (function.__defaults__ or (), list((function.__kwdefaults__ or {}).values()))
    return repr((given, named)) == repr(here)


def is_library(module: object) -> bool:
    """Whether a module is part of Python, of an installed package or of this one.

    Asked of a class, `__module__` can be what its objects answer with: in C, of a library.
    """
    if not isinstance(module, str):
        return isinstance(module, types.GetSetDescriptorType | types.MemberDescriptorType)
    if module == "__main__":  # in a worker, that is a file of the library which started it
        return False
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        return module.partition(".")[0] in sys.stdlib_module_names
    return _is_library_file(file)


def is_of_library(made: types.FunctionType | type) -> bool:
    """Whether a function or class is a library's, whatever module its decorator or maker named."""
    if isinstance(made, types.FunctionType):
        return is_library(made.__module__) and is_library(made.__globals__.get("__name__"))
    if made.__module__ == "types":  # so say classes of make_dataclass and new_class
        return getattr(types, made.__name__, None) is made
    return is_library(made.__module__)


@functools.lru_cache(maxsize=1024)
def code_digest(code: types.CodeType) -> str:
    """Of the instructions and what they use, without the places in the file."""
    constants = []
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            constants.append(code_digest(one))
        else:
            content = sorted(map(repr, one)) if isinstance(one, frozenset) else repr(one)
            constants.append(f"{type(one).__name__} {content}")
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    return digest(repr((code.co_code, constants, names, counts)))


def digest(content: str | bytes) -> str:
    """SHA-256, in hexadecimal digits."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


@functools.lru_cache(maxsize=1024)
def _is_library_file(file: str) -> bool:
    path = Path(file).resolve()
    if not {"site-packages", "dist-packages"}.isdisjoint(path.parts):
        return True
    return file == "built-in" or any(path.is_relative_to(one) for one in _library_folders())


@functools.cache
def _library_folders() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    folders = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    return tuple(Path(folder).resolve() for folder in [*folders, *lrcourse.__path__])


def _home(function: types.FunctionType) -> str:
    return function.__globals__.get("__name__", "")


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            yield from _nested(one)


@functools.lru_cache(maxsize=64)
def _codes(text: str, file: str) -> list[types.CodeType]:
    """All code in a file's text; none where it cannot be compiled."""
    try:
        return list(_nested(compile(text, file, "exec", dont_inherit=True)))
    except (SyntaxError, ValueError):
        return []


@functools.lru_cache(maxsize=1024)
def _block(text: str, line: int) -> str:
    """The lines of the function that begins there; empty for a lambda amid a statement."""
    lines = io.StringIO(text if text.endswith("\n") else f"{text}\n").readlines()
    try:
        return "".join(inspect.getblock(lines[line - 1 :]))
    except (SyntaxError, tokenize.TokenError):
        return ""


@functools.lru_cache(maxsize=1024)
def _steps(code: types.CodeType) -> tuple[dis.Instruction, ...]:
    return tuple(one for one in dis.get_instructions(code) if one.opname != "EXTENDED_ARG")
