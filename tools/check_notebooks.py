"""Whether notebooks are stored as this project stores them: with outputs, without traces of a run.

    python tools/check_notebooks.py [--tidy] [FILE ...]

Every code cell has been executed, once, from the top down, and no output is an error. No execution
times, no version of Python, no address of a widget, in the form in which Jupyter writes files.
`--tidy` removes and mends what can be mended without executing anything.
"""

from __future__ import annotations

import argparse
import copy
import sys
from pathlib import Path

import nbformat

from lrcourse.commands.execution import parse, tidy

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"


def problems(text: str) -> list[str]:
    """What is wrong with the text of a notebook; empty where nothing is."""
    try:
        notebook = parse(text.encode())
    except ValueError as error:
        return [str(error)]
    found = []
    cells = [c for c in notebook.cells if c.cell_type == "code" and c.source.strip()]
    counts = [cell.execution_count for cell in cells]
    if counts != list(range(1, len(cells) + 1)):
        found.append("not executed once from the top down: python -m lrcourse run --in-place")
    outputs = [output for cell in cells for output in cell.outputs]
    if any(output.output_type == "error" for output in outputs):
        found.append("an output is an error")
    bare = copy.deepcopy(notebook)
    tidy(bare)
    if bare != notebook:
        found.append("execution times, the version of Python or a widget's address: --tidy")
    if nbformat.writes(notebook) + "\n" != text:
        found.append("not in the form in which Jupyter writes it: --tidy")
    return found


def tidied(text: str) -> str:
    """The notebook without what a run leaves behind."""
    notebook = parse(text.encode())
    tidy(notebook)
    return nbformat.writes(notebook) + "\n"


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="*", type=Path, help="default: all of notebooks/")
    parser.add_argument("--tidy", action="store_true", help="mend what can be mended")
    given = parser.parse_args(arguments)
    wrong = False
    for file in given.files or sorted(NOTEBOOKS.rglob("*.ipynb")):
        text = file.read_text(encoding="utf-8", errors="replace")
        found = problems(text)
        if found and given.tidy and not found[0].startswith("not a notebook"):
            file.write_text(tidied(text), encoding="utf-8", newline="\n")
            found = problems(tidied(text))
        for problem in found:
            print(f"{file}: {problem}", file=sys.stderr)
        wrong = wrong or bool(found)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
