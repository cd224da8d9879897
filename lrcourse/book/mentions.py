"""Names of the package in the text of a page, linked to their entries in the reference."""

from __future__ import annotations

import ast
import html
import json
import posixpath
import re
from collections.abc import Callable, Iterator

# Gives the source of the page and the id on it, or None for what is no name of the package.
Find = Callable[[str], tuple[str, str] | None]

NAME = re.compile(r"([A-Za-z_][\w.]*+)(\(.*\))?")
_PARTS = re.compile(
    r"<(?P<tag>pre|a|script|style|svg|math|h[1-6])\b.*?</(?P=tag)>|<!--.*?-->|^#{1,6} [^\n]*"
    r"|<code>(?P<code>[^<\n]+)</code>",
    re.MULTILINE | re.DOTALL,
)


def as_imported(find: Find, content: str) -> Find:
    """Finds the entry of a name that stands in the text of one page.

    A name with its package, `schedules.cosine`, is found on every page. A name alone is found
    where the page's cells import it, and give nothing else that name.

    Args:
        find: finds the names with their package.
        content: the page: the JSON of a notebook, or a text, which imports nothing.
    """
    imported: dict[str, str] = {}
    taken: set[str] = set()  # by a variable, which the text may mean
    for tree in _trees(content):
        for node in ast.walk(tree):
            for local, full in _imports(node):
                if imported.setdefault(local, full) != full:
                    taken.add(local)
            taken |= _bound(node)

    def found(name: str) -> tuple[str, str] | None:
        head, dot, rest = name.partition(".")
        return None if head in taken else find(imported.get(head, head) + dot + rest)

    return found


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


def link_mentions(text: str, find: Find, page: str) -> str:
    """Link the first mention of each name to its entry; code, headings and links stay.

    Args:
        text: a page as mdBook takes it, HTML with headings in Markdown.
        find: finds what the names of the page mean.
        page: the source of the page, from which the links lead.
    """
    folder, linked = posixpath.dirname(page) or ".", set()

    def link(found: re.Match[str]) -> str:
        name = NAME.fullmatch(html.unescape(found["code"] or ""))
        entry = find(name[1]) if name else None
        if entry is None or entry in linked:
            return found[0]
        linked.add(entry)
        address = posixpath.relpath(entry[0], folder).removesuffix(".md")
        return f'<a href="{address}.html#{entry[1]}">{found[0]}</a>'

    return _PARTS.sub(link, text)
