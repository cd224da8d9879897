"""The runs that the repository holds: whole, those of the pages, and found again by training.

`LRCOURSE_DRAW=7 pytest tests/notebooks/test_evidence.py -s` repeats a draw.
"""

import functools
import os
import random
import warnings

import nbformat
import numpy as np
import pytest
from helpers.page_blocks import code_of_blocks
from helpers.repository import ROOT
from helpers.spot_checks import (
    Outcome,
    compare,
    draw,
    experiment_of,
    spot_check,
    trained_again,
    unlike,
)

from lrcourse.commands.chapters import find_chapters
from lrcourse.commands.evidence import names_of
from lrcourse.sweeps import Experiment, evidence_files
from lrcourse.sweeps.records import as_text, whole
from lrcourse.training import History

FOLDER = ROOT / "results" / "evidence"
NAMES = evidence_files.names(FOLDER)
PAGES = {
    chapter.name: names
    for chapter in find_chapters(ROOT / "notebooks")
    if (names := names_of(nbformat.read(chapter.path, as_version=4)))
}


@functools.cache
def stored(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return evidence_files.read(evidence_files.path_of(FOLDER, name))


@pytest.fixture
def no_records(tmp_path, monkeypatch):
    """A folder of records that holds none and can hold none: a run that is missing is an error."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LRCOURSE_RECORDS", str(tmp_path / "file" / "records"))
    monkeypatch.delenv("LRCOURSE_ANEW", raising=False)
    monkeypatch.delenv("LRCOURSE_EVIDENCE", raising=False)


def test_each_name_of_a_page_has_a_file_and_each_file_a_page():
    assert sorted(name for names in PAGES.values() for name in names) == NAMES


@pytest.mark.parametrize("page", PAGES)
def test_no_run_of_a_block_is_missing(page, no_records):
    # where it fails, a spec of the page or NUMERICS has changed: `make evidence`
    exec(code_of_blocks(ROOT / "notebooks" / f"{page}.ipynb"), {"__name__": "page"})


def test_a_run_that_is_missing_is_found(tmp_path, no_records):
    cell = nbformat.v4.new_code_cell(
        "from lrcourse import sweeps\n"
        "this_would_fail\n"
        "many = sweeps.grid(sweeps.Experiment(images=64), seed=range(3))\n"
        "def go(points):\n    with sweeps.evidence('no-such-file'):\n        sweeps.run(points)\n"
        "go(many)"
    )
    page = tmp_path / "page.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), page)
    with pytest.raises(OSError, match="nothing was trained"):
        exec(code_of_blocks(page), {"__name__": "page"})


def test_the_names_of_a_comprehension_lead_nowhere(tmp_path, no_records):
    before = nbformat.v4.new_code_cell("parts = {k: this_would_fail(k) for k in range(3)}")
    block = nbformat.v4.new_code_cell(
        "from lrcourse import sweeps\nwith sweeps.evidence('no-such-file'):\n"
        "    sizes = [k for k in range(3)]"
    )
    page = tmp_path / "page.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[before, block]), page)
    exec(code_of_blocks(page), {"__name__": "page"})


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_whole_and_tells_where_it_comes_from(name):
    told = evidence_files.head(evidence_files.path_of(FOLDER, name))
    assert told["runs"] == len(stored(name)) > 0
    assert told["commit"] and told["torch"] and told["processor"]


@pytest.mark.parametrize("name", NAMES)
def test_each_key_is_that_of_its_spec_today(name):
    stale = [key for key, one in stored(name).items() if experiment_of(one["spec"]).key != key]
    assert not stale, f"`make evidence ARGS={name}` trains these {len(stale)} runs anew"


@pytest.mark.parametrize("name", NAMES)
def test_the_table_is_that_of_the_file(name):
    table = evidence_files.table_of(evidence_files.path_of(FOLDER, name))
    assert table.read_text(encoding="utf-8") == evidence_files.as_table(stored(name))


def test_no_run_lies_in_two_files():
    assert not evidence_files.in_two_files({name: stored(name) for name in NAMES})


def test_the_files_are_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 16e6


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_runs_that_are_drawn_come_back(name, capsys):
    seed = int(os.environ.get("LRCOURSE_DRAW") or random.randrange(10**6))
    wrong, line = spot_check(stored(name), seed)
    with capsys.disabled():
        print(f"\n{name}: {line}")
    assert not wrong, f"LRCOURSE_DRAW={seed}: {'; '.join(wrong)}"


SMALL = Experiment(images=320, epochs=2, model="mlp", model_options={"depth": 2, "width": 16})


@functools.cache
def small_runs(lr):
    points = [SMALL.but(lr=lr, seed=seed) for seed in range(10)]
    fresh = trained_again(points)
    return {one.key: {"spec": one.to_dict(), "history": fresh[one.key].to_dict()} for one in points}


def forged(runs, change):
    """The same runs with one history changed, and a checksum that fits."""
    texts = {key: as_text(one["spec"], one["history"]) for key, one in runs.items()}
    made = {key: whole(text.encode()) for key, text in texts.items()}
    change(made[draw(runs, 0)[0][0]]["history"])
    return made


def test_runs_come_back():
    assert spot_check(small_runs(0.05), 0) == ([], "1 of 10 runs (draw 0), 0 of them erratic here")


def raise_a_loss(history):
    history["loss"][-1] *= 1.001


def raise_the_last_accuracy(history):
    history["epochs"]["test_acc"][-1] += 0.0056


def lower_a_norm(history):
    history["epochs"]["norm"][0] *= 0.999


def change_a_rate(history):
    history["lr"][3] *= 1.0001


def diverge(history):
    history["diverged_at"] = 19


FORGERIES = (raise_a_loss, raise_the_last_accuracy, lower_a_norm, change_a_rate, diverge)


@pytest.mark.parametrize("change", FORGERIES)
@pytest.mark.parametrize("lr", [0.05, 2.0])
def test_a_forged_number_with_a_fitting_checksum_is_found_when_it_is_drawn(change, lr):
    wrong, _ = spot_check(forged(small_runs(lr), change), 0)
    assert wrong


def history(loss, accuracy):
    loss = np.float32(loss)
    epochs = {"epoch": [1.0], "update": [float(len(loss))], "test_acc": [accuracy]}
    epochs = {name: np.array(column) for name, column in epochs.items()}
    return History(np.full(len(loss), 0.1), loss, epochs, len(loss))


SAME = [2.0, 2.0, 2.0]
FRESH = history([*SAME, 1.0, 0.5], 0.9)
QUIET = [history([*SAME, 1.0, 0.50002], 0.9)]
WILD = [history([*SAME, 1.001, 0.8], 0.7)]


def test_a_run_that_only_rounds_otherwise_is_right():
    found = compare(history([*SAME, 1.0, 0.5002], 0.9), FRESH, lambda: QUIET)
    assert (found.wrong, found.erratic) == ([], {})


def test_a_run_that_parts_where_its_twins_stay_is_wrong():
    found = compare(history([*SAME, 1.0, 0.6], 0.9), FRESH, lambda: QUIET)
    assert "the loss of update 4: stored 0.6" in found.wrong[0]


def test_a_run_that_parts_before_its_twins_is_wrong():
    assert compare(history([2.1, *SAME[1:], 1.0, 0.5], 0.9), FRESH, lambda: WILD).wrong


def test_an_erratic_run_is_left_to_the_comparison_of_all():
    found = compare(history([*SAME, 1.001, 0.3], 0.5), FRESH, lambda: WILD)
    assert (found.wrong, found.erratic) == ([], {"test_acc": (0.5, 0.9)})


def test_a_wrong_accuracy_is_not_excused_by_losses_that_agree():
    found = compare(history([*SAME, 1.0, 0.5], 0.5), FRESH, lambda: WILD)
    assert found.wrong == ["test_acc of epoch 1: stored 0.5, now 0.9"]


def test_erratic_runs_are_judged_together():
    random_state = np.random.default_rng(0)
    pairs = random_state.normal(0.8, 0.05, (30, 2))
    same = [Outcome(erratic={"test_acc": tuple(pair)}) for pair in pairs]
    assert unlike(same) == {}
    better = [Outcome(erratic={"test_acc": (a + 0.1, b)}) for a, b in pairs]
    assert "30 erratic runs" in unlike(better)["test_acc"]


def test_a_draw_is_a_tenth_and_one_at_least():
    numbers = [[len(part) for part in draw(map(str, range(n)), 1)] for n in (1, 10, 11, 300)]
    assert numbers == [[1, 0], [1, 1], [2, 2], [30, 30]]
    assert draw("abc", 3) == draw("cba", 3)
    assert not set.intersection(*map(set, draw("abcdefghijklm", 3)))


def test_twins_that_live_longer_than_the_run_are_compared_up_to_its_end():
    short = history(SAME, 0.9)
    found = compare(history([*SAME[1:], 2.5], 0.9), short, lambda: [*WILD, short])
    assert "the loss of update 2: stored 2.5" in found.wrong[0]
