"""`lrcourse evidence`: what it trains, what it writes, and what stops it."""

import json
import os
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from helpers.command_line import call
from helpers.repository import ROOT

from lrcourse.commands.evidence import names_of
from lrcourse.sweeps import Records, evidence_files

BEGIN = """
from lrcourse import sweeps
small = {"model": "mlp", "model_options": {"depth": 1, "width": 1}}
base = sweeps.Experiment(images=64, epochs=1, **small)
options = {"jobs": 1, "device": "cpu"}
"""
FIRST = """
with sweeps.evidence("first"):
    sweeps.run(sweeps.grid(base, seed=range(3)), **options)
"""
MORE = """
with sweeps.evidence("first"):
    sweeps.run(sweeps.grid(base, seed=range(2, 5)), **options)
"""
SECOND = """
with sweeps.evidence("second"):
    sweeps.run(sweeps.grid(base, lr=[0.01, 0.03], seed=[7]), **options)
"""


slow = pytest.mark.slow  # each call starts kernels


def page(folder, name, *cells):
    folder = folder / "notebooks"
    folder.mkdir(exist_ok=True)
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(made, folder / f"{name}.ipynb")


def evidence(folder, *words, **variables):
    given = {"LRCOURSE_EVIDENCE": "", "LRCOURSE_ANEW": ""} | variables
    return call("evidence", "--notebooks", "notebooks", *words, cwd=folder, **given)


def held(folder):
    """Each file of evidence by its name, as (LR, seed) of its runs."""
    folder = folder / "results" / "evidence"
    return {
        name: sorted(
            (content["spec"]["lr"], content["spec"]["seed"])
            for content in evidence_files.read(evidence_files.path_of(folder, name)).values()
        )
        for name in evidence_files.names(folder)
    }


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A course of two pages whose evidence has been trained."""
    folder = tmp_path_factory.mktemp("a course")
    page(folder, "01-one", BEGIN, FIRST, MORE)
    page(folder, "02-two", BEGIN, SECOND)
    page(folder, "03-none", BEGIN)
    return folder, evidence(folder)


@slow
def test_each_name_gets_a_file_and_a_table(done):
    folder, finished = done
    assert finished.returncode == 0, finished.stderr
    assert held(folder) == {
        "first": [(0.1, seed) for seed in range(5)],
        "second": [(0.01, 7), (0.03, 7)],
    }
    names = sorted(path.name for path in (folder / "results" / "evidence").iterdir())
    assert names == ["first.csv", "first.jsonl.xz", "second.csv", "second.jsonl.xz"]
    assert "first: 5 runs" in finished.stdout


@slow
def test_the_first_line_tells_where_the_runs_come_from(done):
    folder, _ = done
    told = evidence_files.head(folder / "results" / "evidence" / "first.jsonl.xz")
    assert (told["evidence"], told["page"], told["runs"]) == ("first", "01-one", 5)
    for name in ("torch", "numpy", "python", "lrcourse", "processor", "device_name", "finished"):
        assert told[name]


@slow
def test_nothing_else_is_left(done):
    folder, _ = done
    assert not list((folder / "build" / "evidence").iterdir())


@slow
def test_a_page_takes_its_runs_from_there(done, tmp_path):
    folder, _ = done
    where = {"LRCOURSE_EVIDENCE": str(folder / "results" / "evidence"), "LRCOURSE_RECORDS": ""}
    words = ("run", "2", "--notebooks", str(folder / "notebooks"))
    assert call(*words, cwd=tmp_path, **where).returncode == 0
    records = Records(tmp_path / "build" / "records")
    assert not records.keys()
    assert call(*words, "--anew", cwd=tmp_path, **where).returncode == 0
    assert len(records.keys()) == 2


@slow
def test_one_name_is_trained_anew_and_the_others_stay(done):
    folder, _ = done
    files = folder / "results" / "evidence"
    before = (files / "second.jsonl.xz").read_bytes()
    forged = (files / "first.csv").read_text()
    (files / "first.csv").write_text("x")
    finished = evidence(folder, "first")
    assert finished.returncode == 0, finished.stderr
    assert (files / "second.jsonl.xz").read_bytes() == before
    assert (files / "first.csv").read_text() == forged
    assert "second" not in finished.stdout


@pytest.mark.parametrize(
    ("cells", "words", "told"),
    [
        ([BEGIN, FIRST], ["third"], "no page has evidence called third; there is: first"),
        ([BEGIN], ["first"], "no page has evidence called first"),
        ([BEGIN, FIRST, "x ="], ["First"], "no page has evidence called First"),
    ],
)
def test_an_unknown_name_is_refused(tmp_path, cells, words, told):
    page(tmp_path, "01-one", *cells)
    finished = evidence(tmp_path, *words)
    assert finished.returncode == 2
    assert told in finished.stderr


def test_a_name_belongs_to_one_page(tmp_path):
    page(tmp_path, "01-one", BEGIN, FIRST)
    page(tmp_path, "02-two", BEGIN, MORE)
    finished = evidence(tmp_path)
    assert finished.returncode == 2
    assert "01-one and 02-two both have evidence called first" in finished.stderr


def test_a_folder_that_is_a_file_is_refused_before_the_training(tmp_path):
    page(tmp_path, "01-one", BEGIN, FIRST)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "evidence").write_text("mine")
    finished = evidence(tmp_path)
    assert finished.returncode == 2
    assert "nothing was trained" in finished.stderr
    assert (tmp_path / "results" / "evidence").read_text() == "mine"


@slow
def test_a_run_in_two_files_is_refused_and_nothing_lost(tmp_path):
    page(tmp_path, "01-one", BEGIN, FIRST, MORE.replace("first", "other"))
    finished = evidence(tmp_path)
    assert finished.returncode == 1
    assert "1 runs" in finished.stderr and "would lie in first and other" in finished.stderr
    assert held(tmp_path) == {}
    assert len(Records(tmp_path / "build" / "evidence" / "01-one" / "records").keys()) == 5


@slow
def test_a_page_that_fails_writes_nothing_and_keeps_its_runs(tmp_path):
    page(tmp_path, "01-one", BEGIN, FIRST, "1 / 0", MORE)
    finished = evidence(tmp_path)
    assert finished.returncode == 1
    assert "FAILED: code cell 3: 1 / 0" in finished.stdout
    assert held(tmp_path) == {}
    assert len(Records(tmp_path / "build" / "evidence" / "01-one" / "records").keys()) == 3


@slow
def test_a_block_whose_runs_go_elsewhere_is_refused(tmp_path):
    elsewhere = FIRST.replace("**options", "records='mine', **options")
    page(tmp_path, "01-one", BEGIN, elsewhere)
    finished = evidence(tmp_path)
    assert finished.returncode == 1
    assert "give sweeps no records=..." in finished.stderr


@slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_a_second_call_goes_on_where_one_was_ended(tmp_path):
    page(tmp_path, "01-one", BEGIN, FIRST, "import time; time.sleep(600)", MORE)
    records = tmp_path / "build" / "evidence" / "01-one" / "records"
    process = subprocess.Popen(
        [sys.executable, "-m", "lrcourse", "evidence", "--notebooks", "notebooks"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "LRCOURSE_EVIDENCE": ""},
        stdout=subprocess.PIPE,
        text=True,
    )
    limit = time.monotonic() + 120
    while len(Records(records).keys()) < 3 and time.monotonic() < limit:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Call again to go on" in told
    before = {path.name: path.read_bytes() for path in records.glob("*.json")}
    assert len(before) == 3
    page(tmp_path, "01-one", BEGIN, FIRST, MORE)
    assert evidence(tmp_path).returncode == 0
    path = tmp_path / "results" / "evidence" / "first.jsonl.xz"
    stored = evidence_files.read(path)
    assert len(stored) == 5
    for name, text in before.items():
        content = json.loads(text)
        del content["check"]
        assert stored[name.removesuffix(".json")] == content


def test_names_are_found_in_code_cells():
    cells = ["%time 1", FIRST, "evidence('bare')", MORE, "evidence(name)", "sweeps.evidence(1)"]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell(FIRST), *map(nbformat.v4.new_code_cell, cells)]
    )
    assert names_of(notebook) == ["first", "bare"]
