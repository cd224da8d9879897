"""Gather what the chapters found about each sentence of the sources: notebooks/sources.md.

Evidence pages (and chapters that have none) hold tables with the rows
"| id | sentence | what we found |". This page puts them together in the order of the ids, with a
link to the chapter. `--check` writes nothing and fails when the page is not what would be written.
"""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path
from typing import NamedTuple

import nbformat

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
PAGE = NOTEBOOKS / "sources.md"

# Letter -> the source, and how many sentences of it the course examines.
SOURCES = {
    "A": ("How to adjust the learning rate better, an article in Chinese (2021)", 17),
    "B": ("Dive into Deep Learning, section Learning Rate Scheduling (notebook for PyTorch)", 14),
    "C": ("Warmup in deep learning, an article in Chinese", 11),
    "D": ("Learning rate optimization algorithms, an article in Chinese, with MNIST", 10),
}
ROW = re.compile(r"^\|\s*([A-D]\d+)\s*\|\s*(.+?)\s*\|\s*(.+?)\s*\|\s*$", re.MULTILINE)

HEAD = """# The sources, sentence by sentence

The course is built from four documents. Every sentence of theirs that says something about the learning rate has an id, is shown, tested or set right in a chapter, and stands here with what was found. This page is gathered from the tables of the chapters by `python tools/gather_sources.py`; "tested" means a claim over several seeds, whose cell stands on the page of evidence.
"""  # noqa: E501


class Finding(NamedTuple):
    """A row of a chapter's table."""

    id: str
    sentence: str
    found: str
    chapter: str


def ids() -> list[str]:
    """Every id, in order."""
    return [f"{letter}{k}" for letter, (_, count) in SOURCES.items() for k in range(1, count + 1)]


def findings(folder: Path = NOTEBOOKS) -> list[Finding]:
    """The rows of all chapters, in the chapters' order."""
    found = []
    numbered = "[0-9][0-9]-*.ipynb"
    paths = [*folder.glob(numbered), *folder.glob(f"evidence/{numbered}")]
    for path in sorted(paths, key=lambda path: path.name):
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                name = path.relative_to(folder).with_suffix("").as_posix()
                found += [
                    Finding(id, _from_here(sentence, name), _from_here(said, name), name)
                    for id, sentence, said in ROW.findall(cell.source)
                ]
    return found


def _from_here(text: str, page: str) -> str:
    """The text with its links as they are from the folder of the notebooks."""

    def rebased(link: re.Match) -> str:
        target, mark, section = link[1].partition("#")
        if "://" in link[1]:
            return link[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page), target))
        return f"]({path if target else f'{page}.ipynb'}{mark}{section})"

    return re.sub(r"\]\(([^()\s]+)\)", rebased, text)


def as_line(row: Finding) -> str:
    """A row of the page's tables."""
    number = int(Path(row.chapter).name[:2])
    link = f"[{number}]({row.chapter}.ipynb)"
    return f"| {row.id} | {row.sentence} | {row.found} | {link} |"


def page(rows: list[Finding]) -> str:
    """The page. Raises ValueError for an id that is unknown or that no chapter treats."""
    treated = [row.id for row in rows]
    if unknown := sorted(set(treated) - set(ids())):
        raise ValueError(f"no source has the sentence {', '.join(unknown)}")
    if missing := [id for id in ids() if id not in treated]:
        raise ValueError(f"no table of a chapter has a row for {', '.join(missing)}")
    lines = [HEAD]
    for letter, (title, _) in SOURCES.items():
        lines += [
            f"## {letter}. {title}",
            "",
            "| | sentence | found | chapter |",
            "|---|---|---|---|",
        ]
        for id in ids():
            lines += [as_line(row) for row in rows if row.id == id and id[0] == letter]
        lines.append("")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit code."""
    try:
        text = page(findings())
    except ValueError as error:
        print(f"sources: {error}", file=sys.stderr)
        return 1
    if "--check" in arguments:
        same = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text
        print("sources: in step" if same else f"sources: run {Path(__file__).name} again")
        return 0 if same else 1
    PAGE.write_text(text, encoding="utf-8")
    print(f"sources: {PAGE.relative_to(ROOT)} written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
