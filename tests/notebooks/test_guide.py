"""The exercises of the guide: each bug is found, and its solution, put in its place, clears it."""

import contextlib
import io

import matplotlib
import nbformat
import pytest
from helpers.repository import ROOT

matplotlib.use("Agg")
GUIDE = ROOT / "notebooks" / "own-model.ipynb"
FINDS = {1: "differs: ", 2: "lag: ", 3: "base-rewritten: ", 4: "stale-lr: "}
NAMES = {1: "drawn_first", 2: "late", 3: "stacked", 4: "resumed"}


@pytest.fixture(scope="module")
def cells():
    return {cell.id: cell for cell in nbformat.read(GUIDE, as_version=4).cells}


def said(code, names):
    """What a cell prints."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(code, names)
    return out.getvalue()


@pytest.fixture
def names(cells):
    names = {}
    for cell in ("setup", "bugs-setup"):
        exec(cells[cell].source, names)
    return names


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_the_bug_is_found_and_nothing_in_its_solution(cells, names, k):
    exec(cells[f"bug{k}-code"].source, names)
    look = cells[f"bug{k}-look"].source
    assert FINDS[k] in said(look, names)
    assert said(cells[f"bug{k}-solution"].source, names).startswith("CHECK")
    names[NAMES[k]] = names[f"{NAMES[k]}_mended"]
    after = said(look, names)
    assert "nothing found" in after
    assert not any(code in after for code in FINDS.values())


def test_mending_the_lag_alone_brings_the_second_fault_to_light(cells, names):
    lines = cells["bug2-code"].source.splitlines()
    (wrong,) = [line for line in lines if "param_groups" in line]
    lines.remove(wrong)
    at = next(k for k, line in enumerate(lines) if "for epoch in" in line)
    lines.insert(at + 1, wrong)
    exec("\n".join(lines), names)
    found = said(cells["bug2-look"].source, names)
    assert "lag" not in found and "zero-start" in found


@pytest.mark.filterwarnings("ignore:Detected call")
def test_a_drawing_without_updates_is_found_by_lint(cells, names):
    """As the solution of exercise 1 has it."""
    exec(cells["bug1-code"].source.replace("        optimizer.step()\n", ""), names)
    optimizer, scheduler, _ = names["drawn_first"]()
    found = names["tracing"].lint(optimizer, scheduler, 30, when="epoch", updates_per_epoch=1)
    assert found.codes == ("stepped-before",)


def test_solutions_are_marked_and_folded(cells):
    for k in FINDS:
        assert "solution" in cells[f"bug{k}-solution"].metadata.tags
        assert cells[f"bug{k}-solution"].metadata.jupyter.source_hidden
        assert cells[f"bug{k}-hint"].source.startswith("<details>")
        assert "nbval-check-output" in cells[f"bug{k}-look"].metadata.tags
