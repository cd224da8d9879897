"""benchmarks/measure.py: README's numbers on speed are those that were measured."""

import importlib.util
import sys

import pytest
from helpers.repository import ROOT

from lrcourse.support.outputs import between

FOLDER = ROOT / "benchmarks"


@pytest.fixture(scope="module")
def measure():
    sys.path.insert(0, str(FOLDER))  # as for a script: the others lie beside it
    try:
        spec = importlib.util.spec_from_file_location("measure", FOLDER / "measure.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(FOLDER))
    return module


def row(name, ratio="0.50"):
    shown = {"ours": "`fit`", "instead": "a loop", "ratio_low": "0.45", "ratio_high": "0.60"}
    return {"name": name, "ratio": ratio} | shown


def test_readme_s_table_is_that_of_the_file(measure):
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert page == between(page, measure.MARKS, measure.table(measure.read()))


def test_what_needs_no_download_has_been_measured_and_says_on_what(measure):
    rows = measure.read()
    names = [each["name"] for each in rows]
    assert names == [name for name in measure.COMPARISONS if name in names]
    assert {"fit-dense", "stack-dense", "fit-lenet"} <= set(names)
    for each in rows:
        ours, instead = float(each["seconds_ours"]), float(each["seconds_instead"])
        assert float(each["ratio"]) == pytest.approx(ours / instead, rel=0.2)
        assert all(each[column] for column in ("machine", "python", "torch", "date", "commit"))
        assert each["ours"] == measure.COMPARISONS[each["name"]].ours


def test_a_new_measurement_takes_the_place_of_the_older_one(measure):
    rows = measure.renewed([row("fit-dense"), row("gone")], row("fit-lenet"))
    assert [each["name"] for each in rows] == ["fit-dense", "fit-lenet"]
    assert measure.renewed(rows, row("fit-dense", "0.40"))[0]["ratio"] == "0.40"


def test_the_sides_take_turns_after_a_round_that_warms_up(measure):
    calls = []
    sides = (
        (lambda: calls.append("ours") or sum(range(200_000))),
        (lambda: calls.append("theirs") or sum(range(200_000))),
    )
    found = measure.measure("x", measure.Comparison("a", "b", lambda: sides, times=2), rounds=2)
    assert calls == ["ours", "theirs"] * 3
    assert 0.1 < float(found["ratio"]) < 2.5


def test_a_page_without_the_marks_is_refused(measure):
    with pytest.raises(ValueError, match="speed: begin"):
        between("no marks", measure.MARKS, "T")


def test_the_figure_names_every_comparison(measure, tmp_path):
    measure.draw([row("fit-dense"), row("fit-lenet")], tmp_path / "f.png")
    assert (tmp_path / "f.png").read_bytes()[:4] == b"\x89PNG"


def test_an_unknown_name_is_answered_with_those_that_there_are(measure, capsys):
    with pytest.raises(SystemExit):
        measure.main(["fit-nothing"])
    assert "fit-dense" in capsys.readouterr().err
