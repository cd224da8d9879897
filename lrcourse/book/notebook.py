"""A notebook as one page of the book, through nbconvert."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import nbformat
from nbconvert.exporters import TemplateExporter
from nbformat import NotebookNode
from traitlets.config import Config

from lrcourse.book import outputs as book_outputs
from lrcourse.book.figures import lighten, titles
from lrcourse.book.interactive import script
from lrcourse.book.prose import Prose, read_headings
from lrcourse.book.text import BookError, Heading, Ids
from lrcourse.playground.page import MIME

LARGEST = 1_900_000  # bytes of Markdown; with what mdBook adds, a page stays below 2 MB
_PREDICT = re.compile(r"\s*#{1,6}[ \t]+Predict first\b", re.IGNORECASE)
_PREDICT_OPEN = '<div class="lrcourse-predict">'
_TITLE = re.compile(r"^# .*$", re.MULTILINE)
_INCLUDE = re.compile(r"(?<!\\)\{\{(?=\s*#[A-Za-z_]+\s[^}]*\}\})")
_TICKS = re.compile(r"`{3,}")

_TEMPLATE = """
{%- extends 'base/display_priority.j2' -%}
{%- block any_cell -%}{{ cell | opening }}{{ super() }}{{ cell | closing }}{%- endblock -%}
{%- block input -%}{{ cell | code }}{%- endblock -%}
{%- block outputs -%}
{{- cell | before_outputs }}{{ super() }}{{ cell | after_outputs -}}
{%- endblock -%}
{%- block stream -%}{{ output | stream }}{%- endblock -%}
{%- block error -%}{{ output | error }}{%- endblock -%}
{%- block display_data -%}{{ output | data(cell) }}{%- endblock -%}
{%- block execute_result -%}{{ output | data(cell) }}{%- endblock -%}
{%- block markdowncell -%}{{ cell | prose }}{%- endblock -%}
"""


def read(content: str, name: str) -> NotebookNode:
    """A notebook from its JSON; BookError, naming the file, for anything else."""
    try:
        notebook = nbformat.reads(content, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # what is no notebook makes nbformat fail in many ways
        first = str(error).strip().split("\n")[0] or type(error).__name__
        raise BookError(f"{name} is not a notebook: {first}") from None
    return notebook


def headings(notebook: NotebookNode) -> list[Heading]:
    """What links can lead to on the page of a notebook."""
    ids = Ids()
    texts = (cell.source for cell in notebook.cells if _is_shown_prose(cell))
    return [heading for text in texts for heading in read_headings(text, ids)]


def convert(notebook: NotebookNode, prose: Prose, module: Path) -> str:
    """The page of a notebook as Markdown.

    ``module`` is the JavaScript of the interactive figures. Raises BookError, naming file and
    cell, for what cannot be shown: a cell that was not executed, an unknown macro, a missing image.
    """
    _check_executed(notebook, prose.page)
    text = _export(notebook, prose, module)
    if len(text.encode()) > LARGEST:
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                if "image/png" in output.get("data", {}):
                    output.data["image/png"] = lighten(output.data["image/png"])
        text = _export(notebook, Prose(prose.site, prose.page), module)
    return text


def _export(notebook: NotebookNode, prose: Prose, module: Path) -> str:
    page = _Page(notebook, prose)
    exporter = TemplateExporter(
        template_name="markdown",
        raw_template=_TEMPLATE,
        preprocessors=["nbconvert.preprocessors.CoalesceStreamsPreprocessor"],
        filters={
            "opening": page.opening,
            "closing": page.closing,
            "code": page.code,
            "before_outputs": page.before_outputs,
            "after_outputs": page.after_outputs,
            "stream": page.guard(book_outputs.stream),
            "error": page.guard(book_outputs.error),
            "data": page.data,
            "prose": page.prose_cell,
        },
        config=Config(
            TagRemovePreprocessor={
                "enabled": True,
                "remove_cell_tags": {"remove-cell"},
                "remove_input_tags": {"remove-input"},
                "remove_all_outputs_tags": {"remove-output"},
            }
        ),
    )
    exporter.output_mimetype = "text/markdown"
    text, _ = exporter.from_notebook_node(notebook)
    text = _with_download(_INCLUDE.sub(r"\\{{", text), prose.page)
    has_playground = any(
        MIME in output.get("data", {})
        for cell in notebook.cells
        for output in cell.get("outputs", [])
    )
    return text + (f"\n\n{script(module)}\n" if has_playground else "")


class _Page:
    """The pieces of the template; it knows which cell is being shown."""

    def __init__(self, notebook: NotebookNode, prose: Prose) -> None:
        self.prose = prose
        self.language = notebook.metadata.get("language_info", {}).get("name", "python")
        self.section = PurePosixPath(prose.page).stem
        self.numbers = {cell.id: i for i, cell in enumerate(notebook.cells, 1) if "id" in cell}
        self.where = prose.page
        self.alts: list[str] = []

    def guard(self, make):
        """``make``, with the place in its errors, and blank lines around what it makes."""

        def made(*given):
            try:
                return f"\n{make(*given)}\n"
            except BookError as error:
                raise BookError(f"{self.where}: {error}") from None

        return made

    def opening(self, cell: NotebookNode) -> str:
        self.where = _where(self.prose.page, cell, self.numbers.get(cell.get("id")))
        if cell.cell_type == "markdown":
            return f"\n\n{_PREDICT_OPEN}\n\n" if _PREDICT.match(cell.source) else "\n\n"
        if cell.cell_type != "code":
            return "\n\n"
        pictures = sum("image/png" in each.get("data", {}) for each in cell.get("outputs", []))
        known = titles(cell.source)
        fallback = f"Figure in the section “{self.section}”"
        self.alts = (known if len(known) >= pictures else known + [fallback] * pictures)[:pictures]
        hidden = _details("Show the cell") if "hide-cell" in _tags(cell) else ""
        return f'\n\n<div class="lrcourse-cell">\n\n{hidden}'

    def closing(self, cell: NotebookNode) -> str:
        if cell.cell_type == "markdown":
            return "\n\n</div>\n\n" if _PREDICT.match(cell.source) else "\n\n"
        if cell.cell_type != "code":
            return "\n\n"
        return ("\n\n</details>" if "hide-cell" in _tags(cell) else "") + "\n\n</div>\n\n"

    def code(self, cell: NotebookNode) -> str:
        if not cell.source.strip():
            return ""
        longest = max((len(ticks) for ticks in _TICKS.findall(cell.source)), default=2)
        fence = "`" * (longest + 1)
        text = f"\n\n{fence}{self.language}\n{cell.source}\n{fence}\n\n"
        hidden = cell.metadata.get("jupyter", {}).get("source_hidden")
        if hidden or "hide-input" in _tags(cell):
            return f"{_details('Show the code')}{text}</details>\n\n"
        return text

    def before_outputs(self, cell: NotebookNode) -> str:
        hidden = _hides_outputs(cell)
        opened = _details("Show the output") if hidden else ""
        return f'\n\n{opened}<div class="lrcourse-output">\n'

    def after_outputs(self, cell: NotebookNode) -> str:
        return "\n</div>\n\n" + ("</details>\n\n" if _hides_outputs(cell) else "")

    def data(self, output: NotebookNode, cell: NotebookNode) -> str:
        given = output.get("metadata", {})
        alt = given.get("alt") or given.get("image/png", {}).get("alt")
        if "image/png" in output.data:
            title = self.alts.pop(0)
            alt = alt or title
        alt = alt or f"Figure in the section “{self.section}”"
        return self.guard(book_outputs.data)(output, alt, self.prose)

    def prose_cell(self, cell: NotebookNode) -> str:
        text = self.guard(self.prose.convert)(cell.source, cell.get("attachments", {}))
        found = read_headings(cell.source, Ids())
        if found:
            self.section = found[-1].text
        return text


def _check_executed(notebook: NotebookNode, page: str) -> None:
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type != "code" or not cell.source.strip() or "remove-cell" in _tags(cell):
            continue
        if cell.execution_count is None:
            raise BookError(
                f"{_where(page, cell, number)} has not been executed: "
                f"python -m lrcourse run {PurePosixPath(page).with_suffix('')} --in-place"
            )


def _where(page: str, cell: NotebookNode, number: int | None) -> str:
    name = f" (id {cell.id})" if "id" in cell else ""
    return f"{page}, cell {number}{name}"


def _tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def _hides_outputs(cell: NotebookNode) -> bool:
    given = cell.metadata
    hidden = given.get("collapsed") or given.get("jupyter", {}).get("outputs_hidden")
    return bool(hidden) or "hide-output" in _tags(cell)


def _is_shown_prose(cell: NotebookNode) -> bool:
    return cell.cell_type == "markdown" and "remove-cell" not in _tags(cell)


def _details(summary: str) -> str:
    return f'<details class="lrcourse-hidden"><summary>{summary}</summary>\n\n'


def _with_download(text: str, page: str) -> str:
    """The page with a link to its notebook below the title, or at the top if it has none."""
    name = PurePosixPath(page).name
    link = (
        f'<p class="lrcourse-tools"><a href="{quote(name)}" download>Download this page as a '
        "notebook</a></p>"
    )
    title = _TITLE.search(text)
    if title is None:
        return f"\n{link}\n\n{text}"
    return f"{text[: title.end()]}\n\n{link}\n{text[title.end() :]}"
