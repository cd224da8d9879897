"""The published numbers, whole and well-formed, and the table that sets others beside them."""

import csv
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from helpers.repository import ROOT

from lrcourse import published

CONSTANT = "d2l.scheduler.constant.test_acc"  # 0.883 ± 0.012 over 49


def verdict(id, values):
    return published.compare({id: values}).rows[0].verdict


# The file


def test_every_entry_is_complete():
    entries = published.find()
    assert len(entries) > 140
    assert len({entry.id for entry in entries}) == len(entries)
    for entry in entries:
        for said in (entry.experiment, entry.what, entry.metric, entry.source, entry.note):
            assert said == said.strip() and said, entry.id
        assert entry.unit in published.UNITS and entry.mark in published.MARKS, entry.id
        assert math.isfinite(entry.value) and entry.decimals <= 6, entry.id
        assert entry.n is None or entry.n >= 1, entry.id
        assert entry.sd is None or 0 < entry.sd < abs(entry.value), entry.id
        assert "http" not in entry.source, entry.id


def test_values_lie_where_their_unit_allows():
    for entry in published.find():
        if entry.unit == "fraction":
            assert 0 <= entry.value <= 1, entry.id
        elif entry.unit.startswith("percent"):
            assert 1 < entry.value < 100, entry.id
        else:
            assert entry.value > 0, entry.id


@pytest.mark.parametrize(
    ("id", "value", "sd", "n", "decimals", "mark"),
    [
        ("d2l.scheduler.constant.train_loss", 0.166, 0.028, 49, 3, "A"),
        ("d2l.scheduler.warmup_cosine.test_acc", 0.897, 0.007, 49, 3, "A"),
        ("d2l.scheduler.cosine_above_constant.recordings", 45, None, 49, 0, "A"),
        ("d2l.notebook.sqrt.train_loss", 0.27, None, 1, 3, "A"),
        ("d2l.2026.wsd.test_acc", 0.905, None, 1, 3, "A"),
        ("d2l.descent.slow.position", 3.486784, None, None, 6, "A"),
        ("clr.cifar10.exp_range_42k.accuracy", 82.2, None, None, 1, "S"),
        ("superconvergence.mnist.one_cycle.accuracy", 99.25, 0.03, None, 2, "S"),
        ("goyal.no_warmup.top1_error", 24.84, 0.37, None, 2, "S"),
        ("kalra.lr_041.warmup.test_acc", 0.899, None, None, 3, "A"),
        ("deepobs.fmnist.adam.best_lr", 2.5e-4, None, None, 5, "A"),
        ("wilson.reproduction.ratio", 8.5, None, None, 1, "S"),
    ],
)
def test_some_entries_of_every_kind(id, value, sd, n, decimals, mark):
    entry = published.get(id)
    assert (entry.value, entry.sd, entry.n, entry.decimals) == (value, sd, n, decimals)
    assert entry.mark == mark


def test_exact_entries_are_what_arithmetic_gives():
    eta = {"good": 0.2, "slow": 0.05, "diverging": 1.1}
    reproduced = {
        f"d2l.descent.{name}.position": 10 * (1 - 2 * rate) ** 10 for name, rate in eta.items()
    }
    reproduced["random_search.trials_60.probability"] = 100 * (1 - 0.95**60)
    reproduced["untuned_warmup.beta2_999.updates"] = 2000
    table = published.compare(reproduced)
    assert [row.verdict for row in table.rows] == ["agrees"] * 5
    assert reproduced.keys() == {entry.id for entry in published.find() if entry.exact}
    assert verdict("d2l.descent.good.position", 0.060467) == "higher"
    assert verdict("d2l.descent.good.position", [0.060466, 0.060465]) == "lower"


def test_a_run_may_say_otherwise_than_its_group():
    assert "lags one epoch" in published.get("d2l.scheduler.sqrt.test_acc").note
    assert published.get("wilson.sgd.test_error").source.startswith("arXiv")
    assert published.get("wilson.reproduction.ratio").source == "public note"


def test_entries_print_as_at_the_source():
    assert str(published.get("d2l.scheduler.sqrt.train_acc")) == "0.900 ± 0.002, n 49 [A]"
    assert str(published.get("goyal.batch_256.top1_error")) == "23.60 ± 0.12 [S]"


METRICS = '[metrics]\nacc = { name = "accuracy", unit = "fraction" }\n'
GROUP = '[[groups]]\nprefix = "p"\ntitle = "t"\nsource = "s"\nmark = "A"\nnote = "n"\n'
RUN = 'runs.r = { what = "w", acc = 0.50 }\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (METRICS + GROUP.replace('source = "s"\n', "") + RUN, "p.r.acc has no source"),
        (METRICS + GROUP.replace('note = "n"', 'note = ""') + RUN, "p.r.acc has no note"),
        (METRICS + GROUP.replace('title = "t"\n', "") + RUN, "does not say what it is"),
        (METRICS + GROUP + 'runs.r = { what = "", acc = 0.5 }', "does not say what it is"),
        (METRICS + GROUP + "runs.r = { acc = 0.5 }", "p.r.acc: a run needs to say what it is"),
        (METRICS + GROUP.replace('"A"', '"B"') + RUN, "mark is 'B', not one of A, S"),
        (METRICS.replace("fraction", "parts") + GROUP + RUN, "unit is 'parts'"),
        (METRICS + GROUP + 'runs.r = { what = "w", lss = 0.5 }', r"'lss' is not in \[metrics\]"),
        (METRICS + GROUP + RUN + GROUP + RUN, "p.r.acc stands twice"),
        (METRICS + GROUP + 'runs.r = { what = "w", acc = [0.5, 0.0] }', "sd is 0.0"),
    ],
)
def test_an_incomplete_file_is_refused(text, message):
    assert published.parse(METRICS + GROUP + RUN)["p.r.acc"].decimals == 2
    with pytest.raises(ValueError, match=message):
        published.parse(text)


# Looking up


def test_find_stops_at_dots():
    assert {entry.id.split(".")[2] for entry in published.find("d2l.scheduler.cosine")} == {
        "cosine"
    }
    assert len(published.find("d2l.scheduler.constant")) == 3
    assert published.find(CONSTANT) == [published.get(CONSTANT)]


def test_unknown_ids_come_with_close_ones():
    with pytest.raises(KeyError, match=r"did you mean .*d2l\.scheduler\.constant\.test_acc"):
        published.get("d2l.scheduler.constant.test_accuracy")
    with pytest.raises(KeyError, match=r"did you mean d2l\.sched"):
        published.find("d2l.shced")
    with pytest.raises(KeyError, match="'qqqq'") as caught:
        published.get("qqqq")
    assert "did you mean" not in str(caught.value)
    with pytest.raises(KeyError, match="no published number"):
        published.compare({CONSTANT: 0.9, "nowhere": 1})


# Comparing


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.883, 0.884], "agrees"),
        ([0.907] * 3, "agrees"),
        ([0.859], "agrees"),
        ([0.9071] * 3, "higher"),
        ([0.85, 0.86], "lower"),
        (0.883, "agrees"),
        (torch.tensor(0.883), "agrees"),
        (torch.tensor([0.883, 0.884]), "agrees"),
        (np.float32(0.883), "agrees"),
        (np.array([0.95, 0.96]), "higher"),
        ({0: 0.88, 1: 0.89}, "agrees"),
        ((value for value in (0.88, 0.89)), "agrees"),
        (None, "not run"),
        ([], "not run"),
        ([None, None], "not run"),
        ([0.88, None], "agrees"),
        ([math.nan, math.inf], "diverged"),
        ([0.88, math.nan, 0.89, None], "1 of 3 diverged"),
    ],
)
def test_verdicts_within_two_published_sds(values, expected):
    assert verdict(CONSTANT, values) == expected


def test_without_a_band_there_is_only_the_difference():
    row = published.compare({"d2l.notebook.constant.test_acc": [0.88, 0.9]}).rows[0]
    assert row.verdict == "no band" and row.sds is None
    assert row.difference == pytest.approx(0.005)
    assert row.cells()[3] == "+0.005"


def test_a_row_counts_what_it_has():
    row = published.compare({CONSTANT: [0.88, math.nan, 0.90, None]}).rows[0]
    assert (row.reproduced_n, row.diverged, row.missing) == (2, 1, 1)
    assert row.reproduced == pytest.approx(0.89)
    assert row.reproduced_sd == pytest.approx(np.std([0.88, 0.90], ddof=1))
    assert row.sds == pytest.approx(0.007 / 0.012)


def test_the_table_as_text():
    table = published.compare(
        {
            CONSTANT: [0.88, 0.89, 0.891],
            "d2l.scheduler.cosine_above_constant.recordings": [4, 3],
            "goyal.batch_256.top1_error": None,
        }
    )
    assert str(table).splitlines() == [
        "what                                            published                 "
        "reproduced           distance  verdict",
        "----------------------------------------------  ------------------------  "
        "-------------------  --------  -------",
        "constant 0.3: test accuracy                     0.883 ± 0.012 (n 49) [A]  "
        "0.887 ± 0.006 (n 3)  +0.3 sd   agrees",
        "cosine above constant: recordings that rank so  45 (n 49) [A]             "
        "3.5 ± 0.7071 (n 2)   -42       no band",
        "batch 256: top-1 error                          23.60 ± 0.12 [S]          "
        "-                    -         not run",
        "[A] read in the authors' own artefact; [S] quoted by a third party",
    ]
    assert repr(table) == str(table)


def test_the_table_as_html():
    table = published.compare({CONSTANT: 0.88, "airbench.sgd.seconds": 5})
    shown = table._repr_html_()
    assert shown.count("<tr>") == 3 and shown.count("<td>") == 10
    assert "[A] read in the authors&#x27; own artefact" in shown and "[S]" not in shown
    assert "\n\n" not in shown


def test_the_table_as_csv(tmp_path):
    published.compare({CONSTANT: [0.88, 0.89], "airbench.sgd.seconds": None}).to_csv(
        tmp_path / "t.csv"
    )
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert first["id"] == CONSTANT and float(first["reproduced"]) == pytest.approx(0.885)
    assert (first["unit"], first["mark"], first["verdict"]) == ("fraction", "A", "agrees")
    assert second["reproduced"] == "" and second["published_sd"] == ""
    assert "decimals" not in first


def test_a_headless_run_keeps_the_table(tmp_path, monkeypatch):
    monkeypatch.setenv("LRCOURSE_OUT", str(tmp_path))
    monkeypatch.setenv("LRCOURSE_CHAPTER", "02-schedulers")
    published.compare({CONSTANT: 0.88}, name="bands")
    assert (tmp_path / "tables" / "02-schedulers" / "bands.csv").read_text().startswith("id,what,")
    monkeypatch.delenv("LRCOURSE_OUT")
    with pytest.raises(ValueError, match="letters, digits"):
        published.compare({CONSTANT: 0.88}, name="two words")


@pytest.mark.parametrize(
    ("reproduced", "message"),
    [
        ({}, "nothing to compare"),
        ({CONSTANT: "high"}, "values are not numbers"),
        ({CONSTANT: ["0.9", "good"]}, "values are not numbers"),
        ({CONSTANT: [[0.9, 0.8]]}, "values are not numbers"),
        ({CONSTANT: [0.9, 88.3]}, r"88\.3 is not between 0 and 1: 88\.3 % is 0\.883"),
    ],
)
def test_values_that_cannot_be(reproduced, message):
    with pytest.raises(ValueError, match=message):
        published.compare(reproduced)


def test_the_standard_library_is_enough():
    check = (
        "import sys, lrcourse.published as p; p.compare({p.find()[0].id: 0.1}); "
        "sys.exit(bool({'scipy', 'pandas', 'torch', 'numpy'} & set(sys.modules)))"
    )
    root = ROOT
    assert subprocess.run([sys.executable, "-c", check], cwd=root, check=False).returncode == 0
