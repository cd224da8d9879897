"""Names of the package in the text of a page, linked to their entries in the reference."""

from __future__ import annotations

import ast
import html
import json
import posixpath
import re
from collections.abc import Iterator
from typing import Protocol

_NAME = re.compile(r"([A-Za-z_][\w.]*+)(\(.*\))?")

_PARTS = re.compile(
    r"""
    ^[ \t]*(?P<fence>`{3,}|~{3,})[^\n]*\n .*? ^[ \t]*(?P=fence)[ \t]*$
  | <(?P<tag>pre|a|script|style|svg|math|h[1-6])\b .*? </(?P=tag)>
  | <!-- .*? -->
  | ^[ ]{0,3}\#{1,6}[ ][^\n]*
  | \[[^\]\n]*\]\([^)\n]*\)
  | <code>(?P<html>[^<\n]+)</code>
  | (?<!`)`(?P<markdown>[^`\n]+)`(?!`)
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)


class Names(Protocol):
    """What knows the entries of names: the reference, or the names of one page."""

    def find(self, name: str) -> tuple[str, str] | None:
        """The source of the page and the id on it, or None for what is no name of the package."""
        ...


class Mentions:
    """Finds the entry of a name that stands in the text of one page.

    A name with its package, `schedules.cosine`, is found on every page. A name alone is found
    where the page's cells import it, and give nothing else that name.

    Args:
        reference: what knows the names with their package.
        content: the page: the JSON of a notebook, or a text, which imports nothing.
    """

    def __init__(self, reference: Names, content: str) -> None:
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


def link_mentions(text: str, names: Names, page: str) -> str:
    """Link the first mention of each name to its entry; code, headings and links stay.

    Args:
        text: a page as mdBook takes it, Markdown with HTML in it.
        names: knows which names are meant.
        page: the source of the page, from which the links lead.
    """
    folder, linked = posixpath.dirname(page) or ".", set()

    def link(found: re.Match[str]) -> str:
        code = found["html"] or found["markdown"]
        name = _NAME.fullmatch(html.unescape(code)) if code else None
        entry = names.find(name[1]) if name else None
        if entry is None or entry in linked:
            return found[0]
        address = f"{posixpath.relpath(entry[0], folder)}"
        if found["html"]:
            address = f"{address.removesuffix('.md')}.html#{entry[1]}"
            linked.add(entry)
            return f'<a href="{address}">{found[0]}</a>'
        if _starts_with_html(text, found.start()):
            return found[0]  # in HTML, Markdown's marks are signs like any other
        linked.add(entry)
        return f"[{found[0]}]({address}#{entry[1]})"

    return _PARTS.sub(link, text)


def _starts_with_html(text: str, at: int) -> bool:
    """Whether the line at this place begins with HTML."""
    return re.compile(r"[ \t]*<").match(text, text.rfind("\n", 0, at) + 1) is not None
