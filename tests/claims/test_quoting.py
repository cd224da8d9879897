"""A verdict of another page, as it is stored."""

import csv

import pytest
from helpers.repository import ROOT

from lrcourse.claims import quote
from lrcourse.claims.verdicts import verdict_of

TABLES = sorted(ROOT.glob("results/*/tables/claims.csv"))
SENTENCE = "On the test images the chosen rate's loss is less than a third of the default's"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.parts[-3])
def test_a_row_says_all_that_a_line_says(table):
    with table.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        kept = verdict_of(row).to_dict()
        for name, said in row.items():
            if name not in ("seeds", "about", "no_effect_inside", "revision"):
                there = kept[name]
                same = float(said) == there if isinstance(there, float) else said == str(there or 0)
                assert same or (said, there) == ("", None), (row["sentence"], name)


def test_a_notebook_shows_the_sentence_and_folds_the_evidence():
    shown = quote("00-recipe", SENTENCE)
    assert repr(shown).startswith(f"HOLDS | {SENTENCE} | 6 seeds, ratio 21.8 [")
    html = shown._repr_html_()
    assert html.startswith("<details><summary><strong>HOLDS</strong>: On the test images the ")
    assert "default&#x27;s</summary>6 seeds, ratio 21.8 [" in html


def test_a_page_of_a_folder_is_found_by_its_name(monkeypatch, tmp_path):
    table = tmp_path / "evidence-01-size" / "tables" / "claims.csv"
    table.parent.mkdir(parents=True)
    table.write_bytes((ROOT / "results/00-recipe/tables/claims.csv").read_bytes())
    monkeypatch.setattr("lrcourse.claims.quoting.RESULTS", tmp_path)
    assert quote("evidence/01-size", SENTENCE).verdict.n == 6
    with pytest.raises(ValueError, match=r"holds no claims of '1'; of these .*: evidence-01-size"):
        quote("1", SENTENCE)


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "\udcff"])
def test_a_table_that_is_none_is_none(monkeypatch, tmp_path, content):
    table = tmp_path / "x" / "tables" / "claims.csv"
    table.parent.mkdir(parents=True)
    table.write_bytes(content.encode(errors="surrogateescape"))
    monkeypatch.setattr("lrcourse.claims.quoting.RESULTS", tmp_path)
    with pytest.raises(ValueError, match="holds no claims of 'x'"):
        quote("x", SENTENCE)
