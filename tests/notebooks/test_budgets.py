"""A lesson is finished in three quarters of an hour: words, code, figures and verdicts are counted.

What is folded does not count: hints and solutions in <details>, cells whose code is hidden.
"""

import re

import nbformat
import pytest
from helpers.repository import ROOT

NOTEBOOKS = ROOT / "notebooks"
MOST = {"words": 2200, "lines of code": 90, "figures": 6, "verdicts": 4}
FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell", "solution"}
LESSONS = sorted(
    path
    for path in NOTEBOOKS.glob("[0-9][0-9]-*.ipynb")
    if path.name == "00-recipe.ipynb" or (NOTEBOOKS / "evidence" / path.name).exists()
)


def counted(notebook):
    """How much of each a reader meets who unfolds nothing."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    text = re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    seen = [cell for cell in code if not FOLDED & set(cell.metadata.get("tags", ()))]
    outputs = [output for cell in code for output in cell.outputs]
    return {
        "words": len(re.findall(r"\w+(?:[-'’.]\w+)*", text)),
        "lines of code": sum(bool(line.strip()) for c in seen for line in c.source.splitlines()),
        "figures": sum("image/png" in output.get("data", {}) for output in outputs),
        "verdicts": sum(len(re.findall(r"\b(?:claim|quote)\(", c.source)) for c in code),
    }


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_keeps_to_its_budget(path):
    found = counted(nbformat.read(path, as_version=4))
    assert {name: n for name, n in found.items() if n > MOST[name]} == {}


def test_what_is_folded_does_not_count():
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

    picture = new_output("display_data", data={"image/png": "", "text/plain": ""})
    cells = [
        new_markdown_cell("Two words.\n<details><summary>A hint</summary>\nlong\n</details>"),
        new_code_cell("a = 1\n\nclaim(a)", outputs=[picture]),
        new_code_cell("b = 2", metadata={"tags": ["hide-input"]}),
    ]
    assert counted(new_notebook(cells=cells)) == {
        "words": 2, "lines of code": 2, "figures": 1, "verdicts": 1
    }  # fmt: skip
