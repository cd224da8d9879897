"""Each sentence of the course's four sources is treated in a chapter, and gathered on one page."""

import importlib.util

import nbformat
import pytest
from helpers.repository import ROOT
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

spec = importlib.util.spec_from_file_location("gather", ROOT / "tools" / "gather_sources.py")
gather = importlib.util.module_from_spec(spec)
spec.loader.exec_module(gather)


def row(id, chapter="01-size"):
    return gather.Finding(id, "A sentence.", "**Holds**.", chapter)


def test_all_sentences_of_the_sources_stand_in_a_chapter_s_table():
    assert {found.id for found in gather.findings()} == set(gather.ids())


def test_the_page_is_what_the_chapters_say():
    assert gather.PAGE.read_text(encoding="utf-8") == gather.page(gather.findings()), (
        "run tools/gather_sources.py"
    )


def test_rows_come_from_the_text_of_numbered_chapters_only(tmp_path):
    table = "| | sentence | found |\n|---|---|---|\n| A1 | Try it. | **Holds** (1.2). |\n"
    cells = [new_markdown_cell(table), new_code_cell('"| A2 | code | is no table |"')]
    for name in ("03-warmup", "notes"):
        nbformat.write(new_notebook(cells=cells), tmp_path / f"{name}.ipynb")
    assert gather.findings(tmp_path) == [
        gather.Finding("A1", "Try it.", "**Holds** (1.2).", "03-warmup")
    ]


def test_a_missing_and_an_unknown_id_are_refused():
    rows = [row(id) for id in gather.ids()]
    assert gather.page(rows).count("\n| A") == 17
    with pytest.raises(ValueError, match=r"no table.* row for D10$"):
        gather.page(rows[:-1])
    with pytest.raises(ValueError, match="no source has the sentence A18"):
        gather.page([*rows, row("A18")])


def test_a_sentence_treated_twice_stands_twice_with_both_chapters():
    rows = [row(id) for id in gather.ids()] + [row("A13", "04-cyclical")]
    lines = [line for line in gather.page(rows).splitlines() if line.startswith("| A13 ")]
    assert ["(01-size.ipynb)" in lines[0], "(04-cyclical.ipynb)" in lines[1]] == [True, True]


def test_a_link_on_a_page_of_evidence_leads_there_from_the_gathered_page(tmp_path):
    table = "| A1 | Try it. | [1](../01-size.ipynb#x), [here](#y), [2](02-b.ipynb), <https://z.y> |"
    page = tmp_path / "evidence" / "03-warmup.ipynb"
    page.parent.mkdir()
    nbformat.write(new_notebook(cells=[new_markdown_cell(table)]), page)
    (found,) = gather.findings(tmp_path)
    assert found.chapter == "evidence/03-warmup"
    assert found.found == (
        "[1](01-size.ipynb#x), [here](evidence/03-warmup.ipynb#y), [2](evidence/02-b.ipynb), "
        "<https://z.y>"
    )
