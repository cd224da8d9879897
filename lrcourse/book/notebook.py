"""A notebook, or a page of Markdown, as one page of the book: read first, written afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import nbformat
from nbformat import NotebookNode

from lrcourse.book import outputs as book_outputs
from lrcourse.book.figures import Picture, lighten, titles
from lrcourse.book.interactive import script
from lrcourse.book.outputs import Part
from lrcourse.book.prose import Fragment, Prose
from lrcourse.book.text import BookError, Heading, as_html, shorten

LIGHT = 1_400_000  # bytes of Markdown; in a heavier page pictures have fewer colours
LARGEST = 1_900_000  # bytes of Markdown; with what mdBook adds, a page stays below 2 MB
_PREDICT = re.compile(r"\s*#{1,6}[ \t]+Predict first\b", re.IGNORECASE)
_TITLE = re.compile(r"^# .*$", re.MULTILINE)
_LANGUAGE = re.compile(r"[\w+#.-]+")


@dataclass
class Page:
    """One page of the book, read and not yet written.

    Attributes:
        prose: writes its texts.
        cells: where each cell stands, for messages, and what the page shows of it.
        download: whether the page offers its source.
    """

    prose: Prose
    cells: list[tuple[str, list[Part]]]
    download: bool

    def headings(self) -> list[Heading]:
        """What links can lead to."""
        parts = (part for _, parts in self.cells for part in parts)
        return [each for part in parts if isinstance(part, Fragment) for each in part.headings]

    def write(self, module: Path) -> str:
        """The page as mdBook takes it, with no instruction for mdBook left in it.

        `module` is the JavaScript of the interactive figures. Raises BookError, naming page and
        cell, for what cannot be shown: an unknown macro, a missing image, a page too heavy.
        """
        for where, parts in self.cells:
            with naming(where):
                parts[:] = [self.prose.write(p) if isinstance(p, Fragment) else p for p in parts]
        text = self._draw()
        if len(text.encode()) > LIGHT:
            for picture in self._pictures():
                if picture.kind == "image/png":
                    picture.data = lighten(picture.data)
            text = self._draw()
        if len(text.encode()) > LARGEST:
            sizes = {where: sum(map(len, map(str, parts))) for where, parts in self.cells}
            worst = max(sizes, key=lambda where: sizes[where])
            raise BookError(
                f"{worst}: the page would have {len(text) / 1e6:.1f} MB, most of them in this "
                f"cell, and may have {LARGEST / 1e6:.1f} MB: print less, or tag it remove-output"
            )
        if self.download:
            text = _with_download(text, self.prose.page)
        # mdBook's own instructions, {{#include file}} and others, in any of their spellings.
        text = text.replace("{{", "&#123;&#123;")
        if any(picture.state is not None for picture in self._pictures()):
            with naming(self.prose.page):
                text += f"\n\n{script(module)}\n"
        return text

    def _pictures(self) -> list[Picture]:
        return [part for _, parts in self.cells for part in parts if isinstance(part, Picture)]

    def _draw(self) -> str:
        made: list[str] = []
        for where, parts in self.cells:
            with naming(where):
                drawn = [part.html() if isinstance(part, Picture) else str(part) for part in parts]
                made += filter(None, drawn)
                "".join(drawn).encode()  # half of a sign has no UTF-8: the cell is still known
        return "\n\n".join(made)


@contextmanager
def naming(where: str) -> Iterator[None]:
    """Names the place in a BookError from within, whatever went wrong there."""
    try:
        yield
    except BookError as error:
        raise BookError(f"{where}: {error}") from None
    except Exception as error:  # a notebook can be wrong in more ways than its schema knows
        told = shorten(f"{type(error).__name__}: {error}")
        raise BookError(f"{where}: cannot be shown ({told})") from error


def read_markdown(content: str, prose: Prose) -> Page:
    """A page of Markdown; BookError, naming the page, for a text that cannot be read."""
    with naming(prose.page):
        return Page(prose, [(prose.page, [prose.read(content)])], download=False)


def read_notebook(content: str, prose: Prose) -> Page:
    """A page from the JSON of a notebook.

    Raises BookError, naming page and cell, for what is no notebook, and for a cell that was not
    executed or that cannot be read.
    """
    try:
        notebook = nbformat.reads(content, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # what is no notebook makes nbformat fail in many ways
        first = str(error).strip().split("\n")[0] or type(error).__name__
        raise BookError(f"{prose.page} is not a notebook: {shorten(first)}") from None
    reader = _Reader(notebook, prose)
    cells: list[tuple[str, list[Part]]] = []
    for number, cell in enumerate(notebook.cells, 1):
        name = f" (id {cell.id})" if "id" in cell else ""
        where = f"{prose.page}, cell {number}{name}"
        if cell.cell_type == "raw" or "remove-cell" in _tags(cell):
            continue
        if cell.cell_type == "code" and cell.source.strip() and cell.execution_count is None:
            raise BookError(
                f"{where} has not been executed: "
                f"python -m lrcourse run {PurePosixPath(prose.page).with_suffix('')} --in-place"
            )
        with naming(where):
            parts = reader.markdown(cell) if cell.cell_type == "markdown" else reader.code(cell)
            cells.append((where, list(parts)))
    return Page(prose, cells, download=True)


class _Reader:
    """Reads the cells of one notebook in their order."""

    def __init__(self, notebook: NotebookNode, prose: Prose) -> None:
        language = notebook.metadata.get("language_info", {}).get("name", "python")
        self.language = language if _LANGUAGE.fullmatch(language) else "python"
        self.prose = prose
        self.section = PurePosixPath(prose.page).stem

    def markdown(self, cell: NotebookNode) -> Iterator[Part]:
        fragment = self.prose.read(cell.source, cell.get("attachments", {}))
        self.section = fragment.headings[-1].text if fragment.headings else self.section
        predict = _PREDICT.match(cell.source)
        yield '<div class="lrcourse-predict">' if predict else ""
        yield fragment
        yield "</div>" if predict else ""

    def code(self, cell: NotebookNode) -> Iterator[Part]:
        tags, jupyter = _tags(cell), cell.metadata.get("jupyter", {})
        yield '<div class="lrcourse-cell">'
        with_cell = "hide-cell" in tags
        yield _fold("Show the cell") if with_cell else ""
        if cell.source.strip() and "remove-input" not in tags:
            hidden = jupyter.get("source_hidden") or "hide-input" in tags
            source = as_html(f"{cell.source}\n")
            yield _fold("Show the code") if hidden else ""
            yield f'<pre><code class="language-{self.language}">{source}</code></pre>'
            yield "</details>" if hidden else ""
        if cell.outputs and "remove-output" not in tags:
            hidden = jupyter.get("outputs_hidden") or cell.metadata.get("collapsed")
            hidden = hidden or "hide-output" in tags
            yield _fold("Show the output") if hidden else ""
            yield '<div class="lrcourse-output">'
            yield from self._outputs(cell)
            yield "</div>"
            yield "</details>" if hidden else ""
        yield "</details>" if with_cell else ""
        yield "</div>"

    def _outputs(self, cell: NotebookNode) -> Iterator[Part]:
        fallback = f"Figure in the section “{self.section}”"
        known = titles(cell.source)
        pictures = sum("image/png" in each.get("data", {}) for each in cell.outputs)
        alts = iter(known + [fallback] * (pictures - len(known)))
        kinds = groupby(cell.outputs, key=lambda each: (each.output_type, each.get("name")))
        for (kind, name), group in kinds:
            if kind == "stream":
                yield book_outputs.stream("".join(each.text for each in group), name)
                continue
            for output in group:
                if kind == "error":
                    yield book_outputs.error(output)
                    continue
                given = output.get("metadata", {})
                title = next(alts) if "image/png" in output.data else fallback
                own = given.get("alt") or given.get("image/png", {}).get("alt")
                yield book_outputs.data(output, own or title, self.prose)


def _tags(cell: Mapping[str, Any]) -> list[str]:
    return cell["metadata"].get("tags", [])


def _fold(summary: str) -> str:
    return f'<details class="lrcourse-hidden"><summary>{summary}</summary>'


def _with_download(text: str, page: str) -> str:
    """The page with a link to its notebook below the title, or at the top if it has none."""
    name = PurePosixPath(page).name
    link = (
        f'<p class="lrcourse-tools"><a href="{quote(name)}" download>Download this page as a '
        "notebook</a></p>"
    )
    title = _TITLE.search(text)
    if title is None:
        return f"{link}\n\n{text}"
    return f"{text[: title.end()]}\n\n{link}\n\n{text[title.end() :].lstrip()}"
