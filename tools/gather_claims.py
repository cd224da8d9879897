"""Gather the claims of all notebooks on one page: notebooks/evidence/index.md.

    python tools/gather_claims.py [--check]

Reads the tables of claims in results/ and the notebooks, and writes between two marks of the page a
table for each notebook: verdict, sentence, effect with its interval, and a link to the section in
which the claim stands; before them how many claims came out how, and how often they came out
otherwise on seeds never used before (results/soak.csv). `--check` writes nothing and fails when the
page is not what would be written.
"""

from __future__ import annotations

import csv
import os
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import nbformat

from lrcourse.book.text import Ids
from lrcourse.claims import flips
from lrcourse.claims.verdicts import verdict_of
from lrcourse.commands.chapters import Chapter, find_chapters
from lrcourse.support.outputs import between

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "notebooks" / "evidence" / "index.md"
MARKS = ("<!-- claims: begin -->", "<!-- claims: end -->")
ORDER = ("holds", "fails", "not that large", "undecided")


def rows_of(table: Path) -> list[dict[str, str]]:
    """The rows of a table; none where it is not there."""
    if not table.is_file():
        return []
    with table.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def sections(notebook: nbformat.NotebookNode) -> dict[str, tuple[str, str]]:
    """What each line that begins a heading says, and its id, by the verdict lines below it."""
    ids, here, found = Ids(), ("", ""), {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                if line.startswith("#"):
                    text = line.lstrip("#").strip().replace("`", "").replace("*", "")
                    here = (text, ids(text))
        for output in cell.get("outputs", ()):
            for line in output.get("text", "").splitlines():
                if line.count(" | ") >= 2:
                    sentence = line.partition(" | ")[2].rpartition(" | ")[0]
                    found.setdefault(sentence, here)
    return found


def as_line(row: Mapping[str, str], page: Chapter, section: tuple[str, str]) -> str:
    """A claim as a row of the page."""
    verdict = verdict_of(row)
    measured = verdict.line().rpartition(" | ")[2].partition(", margin ")[0]
    target = quote(os.path.relpath(page.path, PAGE.parent))
    link = f"[{section[0]}]({target}#{section[1]})" if section[1] else f"[{page.name}]({target})"
    cells = (verdict.verdict, verdict.sentence, measured, link)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def gathered(root: Path = ROOT) -> str:
    """What stands between the marks."""
    tables, every = [], []
    for page in find_chapters(root / "notebooks"):
        rows = rows_of(root / "results" / page.label / "tables" / "claims.csv")
        statistical = [row for row in rows if row["test"] != "exact"]
        if not rows:
            continue
        every += rows
        notebook = nbformat.read(page.path, as_version=4)
        where = sections(notebook)
        title = next(cell.source for cell in notebook.cells if cell.source.startswith("# "))
        tables += [f"## {title.splitlines()[0].removeprefix('# ')}", ""]
        tables += ["| verdict | claim | evidence | section |", "|---|---|---|---|"]
        tables += [as_line(row, page, where.get(row["sentence"], ("", ""))) for row in rows]
        tables += ["", f"{len(rows)} claims, {len(statistical)} of them from samples.", ""]
    count = Counter(row["verdict"] for row in every)
    said = ", ".join(f"{count[verdict]} {verdict}" for verdict in ORDER if count[verdict])
    lines = [f"**{len(every)} claims**: {said}.", ""]
    if soaked := rows_of(root / "results" / "soak.csv"):
        lines += [f"**On seeds never used before**: {flips(soaked)}", ""]
    return "\n".join([*lines, *tables]).rstrip()


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit code."""
    before = PAGE.read_text(encoding="utf-8")
    text = between(before, MARKS, gathered())
    if "--check" in arguments:
        print("claims: in step" if text == before else f"claims: run {Path(__file__).name} again")
        return int(text != before)
    PAGE.write_text(text, encoding="utf-8", newline="\n")
    print(f"claims: {PAGE.relative_to(ROOT)} written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
