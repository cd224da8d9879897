"""Judging on other seeds: every judging seed of a chapter moves, and nothing else does."""

import ast
import re

import nbformat
import pytest
from helpers.repository import ROOT
from soak.soak_claims import (
    PAGES,
    SEEDS,
    append,
    beside_stored,
    compare,
    fresh_shift,
    moved,
    rows_of,
    told,
)


@pytest.mark.parametrize(
    ("page", "before", "after"),
    [
        ("evidence-01-size", "for seed in range(10)", "for seed in range(10000, 10010)"),
        ("evidence-01-size", "eight = range(30, 38)", "eight = range(10030, 10038)"),
        ("evidence-01-size", "for lr in range(10)", "for lr in range(10)"),
        ("evidence-01-size", "seeds=range(200, 280)", "seeds=range(10200, 10280)"),
        ("evidence-01-size", "FIRST = 2000  # the first", "FIRST = 12000  # the first"),
        ("evidence-03-warmup", "seeds=range(3400, 3440)", "seeds=range(13400, 13440)"),
        ("evidence-03-warmup", "lr=0.04, seed=100", "lr=0.04, seed=100"),
        ("evidence-05-optimizers", "FIRST = 5000  # first", "FIRST = 15000  # first"),
        ("evidence-04-cyclical", "range(4700, 4748)", "range(14700, 14748)"),
        ("00-recipe", "SEEDS = range(10, 16)", "SEEDS = range(10010, 10016)"),
        ("playground", "for seed in range(20):", "for seed in range(10000, 10020):"),
        ("own-model", "seeds=range(20), device", "seeds=range(10000, 10020), device"),
    ],
)
def test_judging_seeds_move(page, before, after):
    assert moved(before, SEEDS[page], lambda seed: seed + 10_000) == after


@pytest.mark.parametrize(("page", "pattern"), SEEDS.items())
def test_every_page_of_claims_has_seeds_that_move(page, pattern):
    notebook = nbformat.read(PAGES[page], as_version=4)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    other = moved(code, pattern, lambda seed: seed + 10_000)
    ast.parse(other)
    assert other != code
    lengths = [
        [int(high) - int(low) for low, high in re.findall(r"range\((\d+), (\d+)\)", text)]
        for text in (code, other)
    ]
    if page not in (
        "evidence-01-size",
        "evidence-02-schedulers",
        "own-model",
        "playground",
    ):  # range(10) gets a second end there
        assert lengths[0] == lengths[1]
    if page in ("evidence-03-warmup", "evidence-04-cyclical"):
        assert not re.search(r"range\([1-9]\d{3}, \d{4}\)", other)  # none was left behind


def test_chapters_with_claims_are_all_known():
    pages = {page for page, path in PAGES.items() if "claim(" in path.read_text(encoding="utf-8")}
    assert pages == SEEDS.keys()


def test_not_that_large_is_a_way_to_fail(capsys):
    def rows(*verdicts):
        return [{"x": {"verdict": one, "expected": "fails", "effect": ""}} for one in verdicts]

    assert compare("page", rows("not that large", "fails")) == (0, 0)
    assert compare("page", rows("not that large", "undecided")) == (1, 0)
    assert compare("page", rows("not that large", "holds")) == (1, 1)
    assert "not that large | fails" in capsys.readouterr().out


def test_a_verdict_in_a_line():
    row = {"verdict": "holds", "effect": "1.23456", "low": "1", "high": "2.5"}
    assert told(row) == "holds 1.23 [1, 2.5]"
    assert told(None) == "missing"


def test_a_fresh_soak_moves_by_a_shift_that_no_row_has():
    def row(page, shift):
        return {"page": page, "shift": str(shift)}

    assert fresh_shift([], ["a", "b"]) == (100_000, ["a", "b"])
    assert fresh_shift([row("a", 100_000)], ["a", "b"]) == (100_000, ["b"])  # goes on
    both = [row("a", 100_000), row("b", 100_000)]
    assert fresh_shift(both, ["a", "b"]) == (110_000, ["a", "b"])
    assert fresh_shift([*both, row("a", 120_000)], ["a"]) == (130_000, ["a"])


def test_rows_are_added_beside_the_stored_verdicts(tmp_path):
    (stored,) = [row for row in rows_of(ROOT / "results/own-model/tables/claims.csv")][:1]
    rows = beside_stored("own-model", 100_000, {stored["sentence"]: {"verdict": "undecided"}})
    first = next(row for row in rows if row["claim"] == stored["sentence"])
    assert (first["stored"], first["here"]) == (stored["verdict"], "undecided")
    assert first["page"] == "own-model" and first["shift"] == "100000" and first["commit"]
    assert {row["here"] for row in rows if row is not first} == {"missing"}
    append(tmp_path / "soak.csv", rows)
    append(tmp_path / "soak.csv", rows[:1])
    assert rows_of(tmp_path / "soak.csv") == [*rows, rows[0]]
