"""tools/run_times.py: its table and its page, and that the page stands for what was measured."""

import importlib.util

import pytest
from helpers.repository import ROOT

from lrcourse.commands import chapters as runner
from lrcourse.support.outputs import between

spec = importlib.util.spec_from_file_location("run_times", ROOT / "tools" / "run_times.py")
run_times = importlib.util.module_from_spec(spec)
spec.loader.exec_module(run_times)

ROW = {
    "chapter": "01-size", "scale": "small", "device": "CPU", "cores": 2, "seconds": 90,
    "seconds_from_records": 21, "torch": "2.15", "date": "2026-11-21",
}  # fmt: skip


def test_a_new_measurement_stands_for_the_old_one_and_for_no_other():
    old = [{key: str(value) for key, value in ROW.items()}, ROW | {"scale": "full"}]
    rows = run_times.merged(old, [ROW | {"seconds": 80}])
    assert [(row["scale"], row["seconds"]) for row in rows] == [("full", 90), ("small", 80)]


def test_the_table_gives_times_in_words():
    last = run_times.table([ROW]).splitlines()[-1]
    assert last == "| [01-size](01-size.ipynb) | small | CPU, 2 cores | 1 min 30 s | 21 s |"


def test_a_page_without_its_marks_is_refused():
    assert between("a\n<!-- table: begin -->x<!-- table: end -->\nb", run_times.MARKS, "T") == (
        "a\n<!-- table: begin -->\n\nT\n\n<!-- table: end -->\nb"
    )
    with pytest.raises(ValueError, match="lacks the lines"):
        between("no marks", run_times.MARKS, "T")


def test_a_notebook_is_measured_twice_and_a_failing_one_not_at_all(tmp_path, monkeypatch):
    calls = []
    chapter = runner.Chapter("01-size", tmp_path / "01-size.ipynb")

    def run(chapters, out, *, scale):
        calls.append((chapters[0].name, out, scale))
        return 0

    monkeypatch.setattr(run_times.runner, "run_chapters", run)
    assert run_times.measure(chapter, "small")["chapter"] == "01-size"
    assert calls[0] == calls[1]
    assert len(calls) == 2
    monkeypatch.setattr(run_times.runner, "run_chapters", lambda *a, **b: 1)
    with pytest.raises(RuntimeError, match="nothing measured"):
        run_times.measure(chapter, "small")


def test_the_page_shows_what_is_kept_and_knows_every_notebook_in_it():
    rows = run_times.read()
    page = run_times.PAGE.read_text(encoding="utf-8")
    assert between(page, run_times.MARKS, run_times.table(rows)) == page
    there = {chapter.name for chapter in runner.find_chapters(ROOT / "notebooks")}
    assert {row["chapter"] for row in rows} <= there
