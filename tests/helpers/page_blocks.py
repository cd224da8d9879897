"""What a page does in its blocks of evidence, and what leads there: nothing else is executed."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from types import CodeType


def code_of_blocks(page: Path) -> CodeType:
    """The statements of a notebook that hold a block, and those that bind names which they read."""
    statements = list(_statements(page))
    holders = {
        one.name
        for one in statements
        if isinstance(one, ast.FunctionDef) and "evidence" in _attributes(one)
    }
    wanted: list[ast.stmt] = []
    needed: set[str] = set()
    for one in reversed(statements):
        bound, read = _bound(one), _read(one)
        is_block = "evidence" in _attributes(one) or bool(read & holders)
        if (is_block and not isinstance(one, ast.FunctionDef)) or bound & needed:
            wanted.insert(0, one)
            needed = needed - _bound_anew(one) | read
    return compile(ast.Module(wanted, type_ignores=[]), str(page), "exec")


def _statements(page: Path) -> Iterator[ast.stmt]:
    for cell in json.loads(page.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            yield from ast.parse("".join(cell["source"])).body


def _names(tree: ast.AST, *contexts: type) -> set[str]:
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return {node.id for node in nodes if isinstance(node.ctx, contexts)}


def _of_comprehensions(tree: ast.AST) -> set[str]:
    """Names that live within a comprehension: nothing outside sees them."""
    return {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.comprehension)
        for name in _names(node.target, ast.Store)
    }


def _read(tree: ast.AST) -> set[str]:
    """Names that are read, but for a function's own and a comprehension's."""
    own = _of_comprehensions(tree)
    if isinstance(tree, ast.FunctionDef):
        own |= _names(tree, ast.Store) | {one.arg for one in ast.walk(tree) if type(one) is ast.arg}
    return _names(tree, ast.Load) - own


def _bound_anew(statement: ast.stmt) -> set[str]:
    """Names that a plain assignment binds, whatever they were before."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return {one.id for one in targets if isinstance(one, ast.Name)}


def _attributes(tree: ast.AST) -> set[str]:
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def _bound(statement: ast.stmt) -> set[str]:
    """Names that a statement binds, or whose items it sets."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(one.asname or one.name).split(".")[0] for one in statement.names}
    items = {
        name
        for node in ast.walk(statement)
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store)
        for name in _read(node.value)
    }
    return (_names(statement, ast.Store) - _of_comprehensions(statement)) | items
