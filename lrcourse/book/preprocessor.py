"""The preprocessor that turns the notebooks into chapters of an mdBook: ``mdbook-lrcourse``.

mdBook calls it twice: as ``mdbook-lrcourse supports html``, and then with a context and the book
as JSON on its standard input. It answers with the book as JSON. What the context says in the
table [preprocessor.lrcourse] of book.toml:

- ``file-url``: address of a file of the repository with ``{path}`` in it. Without it, a link to a
  file outside the book keeps its text and says which file is meant.
- ``playground``: path of the interactive figures' module, from the root of the book (default: the
  package's own).

Exit codes: 0 all is well, 1 the book cannot be made (why stands on standard error), 2 wrong usage.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lrcourse.book.links import Site
from lrcourse.book.prose import Prose, read_headings
from lrcourse.book.text import BookError, Heading, Ids
from lrcourse.playground.page import SCRIPT

_SETTINGS = ("file-url", "playground")
_OF_MDBOOK = ("command", "before", "after", "renderer", "renderers", "optional")


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer one call of mdBook and return the exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if len(arguments) == 2 and arguments[0] == "supports":
        return 0 if arguments[1] == "html" else 1
    if arguments:
        print("usage: mdbook-lrcourse [supports RENDERER]; called by mdBook", file=sys.stderr)
        return 2
    try:
        given = json.loads(sys.stdin.buffer.read())
        context, book = given
        if not isinstance(context, dict) or not isinstance(book, dict):
            raise ValueError
    except ValueError:
        print(
            "mdbook-lrcourse: standard input is not mdBook's [context, book] in JSON: call "
            "`mdbook build` (or `make book`) and not this command",
            file=sys.stderr,
        )
        return 2
    try:
        preprocess(context, book)
    except BookError as error:
        print(f"mdbook-lrcourse: {error}", file=sys.stderr)
        return 1
    sys.stdout.buffer.write(json.dumps(book, ensure_ascii=False).encode())
    return 0


def preprocess(context: dict[str, Any], book: dict[str, Any]) -> None:
    """Convert the chapters of a book in place.

    Notebooks become Markdown; pages get their math, links and tables. Everything else stays as
    mdBook gave it. Raises BookError that names every chapter that cannot be converted, one a line.
    """
    root = Path(context["root"])
    config = context.get("config", {})
    settings = _settings(config)
    site = Site(
        root=root,
        src=root / config.get("book", {}).get("src", "src"),
        file_url=settings.get("file-url"),
    )
    module = root / settings["playground"] if "playground" in settings else SCRIPT
    failed: list[str] = []
    chapters = []
    anchors: dict[str, list[Heading]] = {}
    for chapter in _chapters(book):
        try:
            notebook = _notebook(chapter)
            chapters.append((chapter, notebook))
            anchors[_source(chapter)] = _headings(chapter, notebook)
        except BookError as error:
            failed.append(str(error))
    site = Site(site.root, site.src, anchors, site.file_url)
    # A page that cannot be read makes every link to it look wrong: report that page alone.
    for chapter, notebook in () if failed else chapters:
        try:
            _convert(chapter, notebook, Prose(site, _source(chapter)), module)
        except BookError as error:
            failed.append(str(error))
    if failed:
        raise BookError("\n".join(failed))


def _settings(config: dict[str, Any]) -> dict[str, str]:
    given = config.get("preprocessor", {}).get("lrcourse", {})
    settings = {key: value for key, value in given.items() if key not in _OF_MDBOOK}
    for key, value in settings.items():
        if key not in _SETTINGS or not isinstance(value, str):
            known = " and ".join(_SETTINGS)
            raise BookError(
                f"book.toml: [preprocessor.lrcourse] has {key} = {value!r}; it knows {known}, texts"
            )
    if "{path}" not in settings.get("file-url", "{path}"):
        raise BookError(
            f"book.toml: file-url is {settings['file-url']!r}, without {{path}}, the place of the "
            "file's path in it"
        )
    return settings


def _chapters(book: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every chapter that has a file, parents before their sub-chapters."""
    items = book.get("items", book.get("sections"))  # mdBook 0.5 and 0.4
    if not isinstance(items, list):
        raise BookError("mdBook sent a book with neither items nor sections: is it 0.4 or 0.5?")
    todo = list(items)
    while todo:
        item = todo.pop(0)
        if isinstance(item, dict) and isinstance(item.get("Chapter"), dict):
            chapter = item["Chapter"]
            todo[:0] = chapter.get("sub_items") or []
            if chapter.get("path") is not None:
                yield chapter


def _source(chapter: dict[str, Any]) -> str:
    return Path(chapter.get("source_path") or chapter["path"]).as_posix()


def _notebook(chapter: dict[str, Any]):
    """The notebook of a chapter, or None for a page of Markdown."""
    if not chapter["path"].endswith(".ipynb"):
        return None
    from lrcourse.book import notebook as book_notebook

    return book_notebook.read(chapter["content"], _source(chapter))


def _headings(chapter: dict[str, Any], notebook) -> list[Heading]:
    if notebook is None:
        return read_headings(chapter["content"], Ids())
    from lrcourse.book import notebook as book_notebook

    return book_notebook.headings(notebook)


def _convert(chapter: dict[str, Any], notebook, prose: Prose, module: Path) -> None:
    if notebook is None:
        try:
            chapter["content"] = prose.convert(chapter["content"])
        except BookError as error:
            raise BookError(f"{prose.page}: {error}") from None
        return
    from lrcourse.book import notebook as book_notebook

    chapter["content"] = book_notebook.convert(notebook, prose, module)
    chapter["path"] = chapter["path"].removesuffix(".ipynb") + ".md"


if __name__ == "__main__":
    sys.exit(main())
