"""Where a headless run leaves its figures and tables.

Two environment variables say it, and whoever executes the notebooks sets them:

- `LRCOURSE_OUT`: the folder for everything. Unset (or empty), as in Jupyter, nothing is kept.
- `LRCOURSE_CHAPTER`: the label of the notebook that runs, for instance `02-schedulers`.

A figure then goes to `$LRCOURSE_OUT/figures/<chapter>/NN-<name>.png`, where NN counts the
figures of this process, so that the files sort as a reader meets them. A table goes to
`$LRCOURSE_OUT/tables/<chapter>/<name>.csv`; it carries no number, because texts cite tables by
name and a new one must not rename the others.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from lrcourse.support.checks import TEXT, such
from lrcourse.support.paths import expanded, write_atomically

_NAME = such(
    TEXT,
    re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*").fullmatch,
    "letters, digits, - and _ only, beginning with a letter or a digit, such as 'lr-and-loss'",
)

# (folder of the chapter's figures, name) -> running number, counted from 1 in each folder.
_figure_numbers: dict[tuple[Path, str], int] = {}


def label_of(page: str) -> str:
    """The name of a notebook as one word of letters, digits, - and _: its outputs are filed there.

    `page` is its path in the folder of the notebooks, without the ending.
    """
    return re.sub(r"[^A-Za-z0-9_]+", "-", page).strip("-_")


def figure_path(name: str) -> Path | None:
    """Path of the PNG for the figure `name`, or None where nothing is to be kept.

    Its folder exists on return. The same name gives the same path throughout a process.

    Raises:
        ValueError: `name` (or the chapter) is not made of letters, digits, `-` and `_`.
    """
    folder = _folder("figures", name)
    if folder is None:
        return None
    if (folder, name) not in _figure_numbers:
        already = sum(known == folder for known, _ in _figure_numbers)
        _figure_numbers[folder, name] = already + 1
    return folder / f"{_figure_numbers[folder, name]:02d}-{name}.png"


def table_path(name: str) -> Path | None:
    """Path of the CSV for the table `name`, or None where nothing is to be kept.

    Its folder exists on return. Raises ValueError as `figure_path` does.
    """
    folder = _folder("tables", name)
    return None if folder is None else folder / f"{name}.csv"


def write_csv(path: str | os.PathLike[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write mappings with the same keys as a CSV with a header line; None becomes empty.

    Half of a pair of surrogates is no UTF-8, and is spelled out.

    Raises ValueError for no rows (there is no header to write), OSError as `write_atomically` does.
    """
    rows = list(rows)
    if not rows:
        raise ValueError(f"no rows to write to {path}: give at least one")
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode(errors="backslashreplace"))


def _folder(kind: str, name: str) -> Path | None:
    # Names are checked in Jupyter too: a bad one should not wait for the headless run to fail.
    _NAME(kind, "name", name)
    out = os.environ.get("LRCOURSE_OUT")
    if not out:
        return None
    chapter = _NAME(kind, "LRCOURSE_CHAPTER", os.environ.get("LRCOURSE_CHAPTER") or "notebook")
    folder = expanded(out, "LRCOURSE_OUT").absolute() / kind / chapter
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def between(page: str, marks: tuple[str, str], text: str) -> str:
    """The page with `text` between its two marks. Raises ValueError where one is missing."""
    before, begin, rest = page.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not (begin and end):
        raise ValueError(f"the page lacks the lines {' and '.join(marks)}")
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"
