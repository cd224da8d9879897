"""Modules of the user's that a function reaches without naming them, by `globals()` or by a text.

Which module a text means is told from the source: `import_module("shapes." + KIND)`, where KIND is
a constant of the module or one of a table, means those that can come out. A name that is known only
when the function runs is refused, for a key must hold the code of the module.
"""

from __future__ import annotations

import ast
import builtins
import functools
import itertools
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lrcourse.sweeps.contents import Unreadable
from lrcourse.sweeps.source_code import is_library, module_named, text_of

# By these names code reaches what it does not name: of the modules concerned, everything counts.
ITS_MODULE = {"globals", "vars", "eval", "exec", "__globals__", "f_globals", "func_globals"}
ITS_MODULE |= {"getmodule", "getclosurevars", "get_type_hints"}
BY_FUNCTION = {"__globals__", "getmodule", "getclosurevars"}
BY_TEXT = {"getattr", "getattr_static", "__getattribute__", "attrgetter", "methodcaller"}
IMPORTS = {"__import__", "import_module", "resolve_name", "find_function", "run_module"}
IMPORTS |= {"from_function"}
FILES = {"spec_from_file_location", "SourceFileLoader", "run_path"}
MOST = 1000  # names that one expression may mean


class Unknown(Exception):
    """An expression whose value shows only when it runs."""


def reached(
    function: types.FunctionType, codes: list[types.CodeType], read: Iterable[Any], refuse: bool
) -> Iterator[types.ModuleType]:
    """The user's modules in which the function can look up what it does not name.

    Raises Unreadable, with `refuse`, where a module's name shows only when the function runs.
    """
    names, values = _names_asked(codes, read), list(read)
    scope = function.__globals__
    own = [function.__module__, scope.get("__name__")]
    wanted = own if names & ITS_MODULE else []
    is_of_sys = {"sys", "modules"} <= names or any(one is sys.modules for one in values)
    by_name = is_of_sys or bool(names & IMPORTS)
    if names & BY_FUNCTION or (by_name and "__module__" in names):
        wanted = [*own, *(getattr(one, "__module__", None) for one in values if callable(one))]
    if by_name:
        said = [*_texts(codes), *(one for one in values if isinstance(one, str))]
        wanted = [*wanted, *said]
        if package := scope.get("__package__"):
            wanted += [f"{package}.{one.lstrip('.')}" for one in said if one.startswith(".")]
    if refuse and names & FILES:
        _refuse(function, ", ".join(sorted(names & FILES)))
    if by_name:
        try:
            wanted += _meant(function, codes)
        except Unknown as problem:
            if refuse:
                _refuse(function, str(problem))
    for name in dict.fromkeys(one for one in wanted if isinstance(one, str) and one):
        module = _module(name.partition(":")[0])
        if module and not is_library(module.__name__) and module is not sys.modules.get("__main__"):
            yield module


def _refuse(function: types.FunctionType, shown: str) -> None:
    raise Unreadable(
        f"{function.__module__}:{function.__qualname__} takes a module that shows only when it "
        f"runs ({shown}), and a record's key must hold the code of it. Import it by its name, or "
        "keep the names to choose from in a tuple or a dictionary of the module"
    ) from None


def _module(name: str) -> types.ModuleType | None:
    """The module, or that in which the last parts of the name are looked up."""
    while name:
        if module := module_named(name):
            return module
        name = name.rpartition(".")[0]
    return None


def _names_asked(codes: list[types.CodeType], read: Iterable[object]) -> set[str]:
    """All names by which the code can ask: written, in strings for getattr, behind an alias."""
    names = {name for code in codes for name in code.co_names}
    for one in read:
        if isinstance(one, types.BuiltinFunctionType | types.FunctionType | type):
            names |= {one.__name__} if is_library(one.__module__) else set()
        if isinstance(one, types.ModuleType):
            names.add(one.__name__)
    if names & BY_TEXT:  # 'eval' is more often the mode of something than the function
        names |= {one for one in _texts(codes) if "builtins" in names or not hasattr(builtins, one)}
    return names


def _texts(codes: list[types.CodeType]) -> Iterator[str]:
    """The strings in the code, and those in its tuples."""
    for code in codes:
        for one in code.co_consts:
            for text in one if isinstance(one, tuple | frozenset) else (one,):
                if isinstance(text, str):
                    yield text


# -- the names that can come out --------------------------------------------------------------


def _meant(function: types.FunctionType, codes: list[types.CodeType]) -> list[str]:
    """The names of modules that its calls of `import_module` and the like can mean; or Unknown."""
    text = text_of(function)
    if text is None:
        return []
    lines = [line for code in codes for *_, line in code.co_lines() if line]
    inside = [
        node
        for node in ast.walk(_tree(text))
        if min(lines) <= getattr(getattr(node, "target", node), "lineno", 0) <= max(lines)
    ]
    scope = _Scope(function.__globals__, inside)
    known = function.__globals__.items()
    asking = IMPORTS | {name for name, value in known if value is sys.modules}
    asking |= {name for name, value in known if callable(value) and _name(value) in IMPORTS}
    found: list[Any] = []
    for given in filter(None, (_given(node, asking) for node in inside)):
        for name in scope.values(given[0]):
            found.append(name)
            if isinstance(name, str) and name.startswith(".") and len(given) > 1:
                found += [f"{one}.{name.lstrip('.')}" for one in scope.values(given[1])]
    return found


def _given(node: ast.AST, asking: set[str]) -> list[ast.expr]:
    """What is given where a module is asked for: `modules[...]`, `modules.get(...)`, a call."""
    if isinstance(node, ast.Subscript) and _name(node.value) in asking | {"modules"}:
        return [node.slice]
    if not isinstance(node, ast.Call):
        return []
    is_asking = _name(node.func) in asking
    if isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "__getitem__", "pop"):
        is_asking = _name(node.func.value) in asking | {"modules"}
    return [*node.args, *(one.value for one in node.keywords)] if is_asking else []


def _name(thing: Any) -> str:
    """The last name of an expression or of a function."""
    return getattr(thing, "attr", "") or getattr(thing, "id", "") or getattr(thing, "__name__", "")


@functools.lru_cache(maxsize=64)
def _tree(text: str) -> ast.Module:
    return ast.parse(text)


class _Scope:
    """The values that expressions of a function can have, as far as its source tells."""

    def __init__(self, names: dict[str, Any], inside: list[ast.AST]) -> None:
        self.names = names
        self.bound: dict[str, list[tuple[ast.expr, bool]]] = {}  # with whether to its elements
        self.stores = [node.arg for node in inside if isinstance(node, ast.arg)]
        for node in inside:
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                self.stores.append(node.id)
            elif isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value:
                for one in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    self.bound.setdefault(_name(one), []).append((node.value, False))
            elif isinstance(node, ast.For | ast.comprehension):
                self.bound.setdefault(_name(node.target), []).append((node.iter, True))

    def values(self, node: ast.expr) -> list[Any]:
        """All values that it may have; Unknown where that shows only when it runs."""
        try:
            found = list(itertools.islice(self._values(node), MOST + 1))
        except (RecursionError, TypeError, AttributeError):
            found = [...] * (MOST + 1)
        if len(found) > MOST:
            raise Unknown(ast.unparse(node)[:80])
        return found

    def _values(self, node: ast.expr) -> Iterable[Any]:
        match node:
            case ast.Constant():
                return [node.value]
            case ast.Lambda():
                return []  # no name
            case ast.Name() if node.id in self.stores:
                bound = self.bound.get(node.id, [])
                if len(bound) == self.stores.count(node.id):
                    kinds = ((self.values(one), is_part) for one, is_part in bound)
                    return _joined(_elements(v) if is_part else v for v, is_part in kinds)
            case ast.Name() if node.id in self.names:
                return [self.names[node.id]]
            case ast.Attribute():
                return [getattr(one, node.attr) for one in self.values(node.value)]
            case ast.Subscript():
                return _elements(self.values(node.value), of_dictionary=dict.values)
            case ast.Tuple() | ast.List() | ast.Set():
                return [_joined(map(self.values, node.elts))]
            case ast.Dict():
                return [dict(enumerate(_joined(map(self.values, node.values))))]
            case ast.IfExp():
                return self.values(node.body) + self.values(node.orelse)
            case ast.BoolOp():
                return _joined(map(self.values, node.values))
            case ast.BinOp(op=ast.Add()):
                pairs = itertools.product(self.values(node.left), self.values(node.right))
                return (one + other for one, other in pairs)
            case ast.JoinedStr():
                parts = itertools.product(*map(self.values, node.values))
                return ("".join(map(str, part)) for part in parts)
            case ast.FormattedValue(conversion=-1, format_spec=None):
                return self.values(node.value)
        raise TypeError


def _joined(lists: Iterable[Iterable[Any]]) -> list[Any]:
    return list(itertools.chain.from_iterable(lists))


def _elements(values: list[Any], of_dictionary: Callable[[Any], Any] = dict.keys) -> list[Any]:
    """What is in them; TypeError for what is no list, tuple, set or dictionary."""
    if not all(isinstance(one, list | tuple | set | frozenset | dict) for one in values):
        raise TypeError
    return _joined(of_dictionary(one) if isinstance(one, dict) else one for one in values)
