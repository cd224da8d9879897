"""Which names of the package a page of the book may mean, by what its cells import."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from typing import Protocol


class _Reference(Protocol):
    def find(self, name: str) -> tuple[str, str] | None: ...


class Mentions:
    """Finds the entry of a name that stands in the text of one page.

    A name with its package, `schedules.cosine`, is found on every page. A name alone is found
    where the page's cells import it, and give nothing else that name.

    Args:
        reference: what knows the names with their package.
        content: the page: the JSON of a notebook, or a text, which imports nothing.
    """

    def __init__(self, reference: _Reference, content: str) -> None:
        self._reference = reference
        self._imported: dict[str, str] = {}
        taken: set[str] = set()
        for tree in _trees(content):
            for node in ast.walk(tree):
                for local, full in _imports(node):
                    if self._imported.setdefault(local, full) != full:
                        taken.add(local)
                taken |= _bound(node)
        # A variable of that name: the text may mean it.
        self._taken = taken

    def find(self, name: str) -> tuple[str, str] | None:
        """The source of the page and the id on it, or None for what is no name of the package."""
        head, dot, rest = name.partition(".")
        if head in self._taken:
            return None
        return self._reference.find(self._imported.get(head, head) + dot + rest)


def _trees(content: str) -> Iterator[ast.AST]:
    """The code cells of a notebook, but for those that are no plain Python."""
    try:
        cells = json.loads(content)["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return
    for source in sources:
        try:
            yield ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue


def _imports(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Each name that an import binds, and what it binds it to."""
    if isinstance(node, ast.ImportFrom):
        for each in node.names:
            yield each.asname or each.name, f"{node.module}.{each.name}"
    elif isinstance(node, ast.Import):
        for each in node.names:
            head = each.name.partition(".")[0]
            yield each.asname or head, each.name if each.asname else head


def _bound(node: ast.AST) -> set[str]:
    """The name that a node gives to something else: a variable, an argument, a function."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return {node.id}
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    return {node.arg} if isinstance(node, ast.arg) else set()
