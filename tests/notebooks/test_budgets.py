"""A lesson is finished in three quarters of an hour: words, code, figures and verdicts are counted.

Words that are folded, hints and solutions in <details>, do not count. Code that is folded in the
book does: who opens the notebook in Jupyter sees it.
"""

import re

import nbformat
import pytest
from helpers.repository import ROOT

NOTEBOOKS = ROOT / "notebooks"
MOST = {"words": 2200, "figures": 6, "verdicts": 4, "lines of one cell": 20}
# 90 are wanted. What is above it: a second problem in 00, a question to answer in each section.
LINES = {
    "00-recipe": 110,
    "01-size": 107,
    "02-schedulers": 104,
    "03-warmup": 100,
    "04-cyclical": 110,
    "05-optimizers": 110,
}
LESSONS = sorted(
    path
    for path in NOTEBOOKS.glob("[0-9][0-9]-*.ipynb")
    if path.name == "00-recipe.ipynb" or (NOTEBOOKS / "evidence" / path.name).exists()
)


def counted(notebook):
    """How much of each a reader meets."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    text = re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    lines = [sum(bool(line.strip()) for line in cell.source.splitlines()) for cell in code]
    outputs = [output for cell in code for output in cell.outputs]
    return {
        "words": len(re.findall(r"\w+(?:[-'’.]\w+)*", text)),
        "lines of code": sum(lines),
        "lines of one cell": max(lines),
        "figures": sum("image/png" in output.get("data", {}) for output in outputs),
        "verdicts": sum(len(re.findall(r"\b(?:claim|quote)\(", c.source)) for c in code),
    }


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_keeps_to_its_budget(path):
    found = counted(nbformat.read(path, as_version=4))
    most = MOST | {"lines of code": LINES[path.stem]}
    assert {name: n for name, n in found.items() if n > most[name]} == {}


def test_folded_words_do_not_count_and_folded_code_does():
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

    picture = new_output("display_data", data={"image/png": "", "text/plain": ""})
    cells = [
        new_markdown_cell("Two words.\n<details><summary>A hint</summary>\nlong\n</details>"),
        new_code_cell("a = 1\n\nclaim(a)", outputs=[picture]),
        new_code_cell("b = 2", metadata={"tags": ["hide-input"]}),
    ]
    assert counted(new_notebook(cells=cells)) == {
        "words": 2,
        "lines of code": 3,
        "lines of one cell": 2,
        "figures": 1,
        "verdicts": 1,
    }
