"""The preprocessor that turns the notebooks into chapters of an mdBook: `mdbook-lrcourse`.

mdBook calls it twice: as `mdbook-lrcourse supports html`, and then with a context and the book
as JSON on its standard input. It answers with the book as JSON. What the context says in the
table [preprocessor.lrcourse] of book.toml:

- `file-url`: address of a file of the repository with `{path}` in it. Without it, a link to a
  file outside the book keeps its text and says which file is meant.
- `playground`: path of the interactive figures' module, from the root of the book (default: the
  package's own).
- `reference`: folder of a Python package, from the root of the book. What it exports becomes
  pages after the chapters, and the first mention of a name on a page leads to its entry.

Exit codes: 0 all is well, 1 the book cannot be made (why stands on standard error), 2 wrong usage.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrcourse.book.links import Site
from lrcourse.book.text import BookError
from lrcourse.playground.page import SCRIPT
from lrcourse.support.checks import MAPPING, TEXT, arguments, each, optional

if TYPE_CHECKING:
    from lrcourse.book.reference import Reference

_SETTINGS = ("file-url", "playground", "reference")
_OF_MDBOOK = ("command", "before", "after", "renderer", "renderers", "optional")


@arguments(arguments=optional(each(TEXT, least=0)))
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
    except (AttributeError, OSError, ValueError, RecursionError):
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


@arguments(context=MAPPING, book=MAPPING)
def preprocess(context: dict[str, Any], book: dict[str, Any]) -> None:
    """Convert the chapters of a book in place, and put the reference behind them.

    Args:
        context: what mdBook says about the book: its root and its configuration.
        book: its chapters, as mdBook 0.4 or 0.5 sends them. Notebooks and pages of Markdown become
            HTML with headings in Markdown. Everything else stays as mdBook gave it.

    Raises:
        BookError: names every chapter that cannot be converted, one a line.
    """
    # What reads notebooks is slow to import, and not needed to answer what is supported.
    from lrcourse.book.mentions import as_imported, link_mentions
    from lrcourse.book.notebook import read_markdown, read_notebook
    from lrcourse.book.prose import Prose

    site, module, reference = _configured(context)
    failed: list[str] = []
    pages = []
    for chapter in _chapters(book):
        source = Path(chapter.get("source_path") or chapter["path"]).as_posix()
        read = read_notebook if chapter["path"].endswith(".ipynb") else read_markdown
        try:
            page = read(chapter["content"], Prose(site, source))
            pages.append((chapter, page, chapter["content"]))
            site.anchors[source] = page.headings()
        except BookError as error:
            failed.append(str(error))
    # A page that cannot be read makes every link to it look wrong: report that page alone.
    for chapter, page, content in () if failed else pages:
        if chapter["path"].endswith(".ipynb"):
            chapter["path"] = chapter["path"].removesuffix(".ipynb") + ".md"
        try:
            text = page.write(module)
        except BookError as error:
            failed.append(str(error))
            continue
        if reference:
            text = link_mentions(text, as_imported(reference.find, content), chapter["path"])
        chapter["content"] = text
    if failed:
        raise BookError("\n".join(failed))
    if reference:
        book["items" if "items" in book else "sections"].extend(reference.items())


def _configured(context: dict[str, Any]) -> tuple[Site, Path, Reference | None]:
    """What links can lead to, the module of the interactive figures, and the reference."""
    config, root = context.get("config", {}), Path(context.get("root", ""))
    settings = _settings(config)
    html = config.get("output", {}).get("html", {})
    site = Site(
        root=root,
        src=root / config.get("book", {}).get("src", "src"),
        folders=[root / each for each in config.get("build", {}).get("extra-watch-dirs", ())],
        file_url=settings.get("file-url"),
        smart=html.get("smart-punctuation", html.get("curly-quotes", True)),
    )
    for path in site.src.rglob("*") if site.src.is_dir() else ():
        if path.is_symlink() and not path.resolve().is_relative_to(site.src.resolve()):
            raise BookError(
                f"{path.relative_to(root)} is a symbolic link out of the folder of the chapters, "
                "and mdBook would publish what it leads to: take it away"
            )
    module = root / settings["playground"] if "playground" in settings else SCRIPT
    if "reference" not in settings:
        return site, module, None
    from lrcourse.book.reference import Reference  # needs griffe, which a book without does not

    return site, module, Reference.read(root / settings["reference"])


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
        raise BookError(
            "mdBook sent a book with neither items nor sections (is it 0.4 or 0.5?), but with "
            + (", ".join(book) or "no key")
        )
    todo = list(items)
    while todo:
        item = todo.pop(0)
        if isinstance(item, dict) and isinstance(item.get("Chapter"), dict):
            chapter = item["Chapter"]
            todo[:0] = chapter.get("sub_items") or []
            if chapter.get("path") is not None:
                yield chapter
