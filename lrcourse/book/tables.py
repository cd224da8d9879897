"""CSV files shown as tables on the pages of the book.

A page says it by a link that stands alone, with a title that begins with "table":

    [Reproduced](../../results/evidence-01-size/tables/parabola.csv "table: what, verdict")

Where Markdown is shown raw, this is a link to the file. The title may name columns, separated by
commas, in order; `column as Heading` renames one, `mean ± sd` joins two. Without names all
columns are shown.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from lrcourse.book.text import BookError

DIRECTIVE = re.compile(
    r'\[(?P<caption>[^\]\n]+)\]\((?P<path>[^)\s]+)[ \t]+"table(?::[ \t]*(?P<columns>[^"]*))?"\)'
)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_MARKS = re.compile(r"([\\`*_{}\[\]<>#|$~&!])")


def table(path: Path, columns: str | None, caption: str) -> str:
    """A CSV file with a header line as a Markdown table, its caption above it.

    Numbers are shown with four significant digits. Raises BookError for a file that is no such
    table and for a column that it does not have.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file, strict=True)
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise BookError(f"{path.name} is not a CSV table with a header line: {error}") from None
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise BookError(
                f"line {number} of {path.name} has {len(row)} fields, its header {len(header)}"
            )
    shown = [_column(spec, header, path.name) for spec in (columns or ",".join(header)).split(",")]
    lines = [
        [_MARKS.sub(r"\\\1", title) for title, _ in shown],
        ["---"] * len(shown),
        *([_cell(row, places) for _, places in shown] for row in rows),
    ]
    body = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"**{caption}**\n\n{body}"


def _column(spec: str, header: Sequence[str], name: str) -> tuple[str, list[int]]:
    """Heading and places of one column of the table: `what`, `mean ± sd as result`."""
    source, _, title = (part.strip() for part in spec.partition(" as "))
    parts = [part.strip() for part in source.split("±")]
    for part in parts:
        if part not in header:
            raise BookError(f"{name} has no column {part!r}; it has: {', '.join(header)}")
    return title or parts[0], [header.index(part) for part in parts]


def _cell(row: Sequence[str], places: Sequence[int]) -> str:
    values = [_shown(row[place]) for place in places]
    return " ± ".join(value for value in values if value)


def _shown(value: str) -> str:
    value = " ".join(value.split())
    if _NUMBER.fullmatch(value) and not re.fullmatch(r"[+-]?\d+", value):
        return f"{float(value):.4g}".replace("-", "−")
    return _MARKS.sub(r"\\\1", value)
