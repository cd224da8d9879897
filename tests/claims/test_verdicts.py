"""What is kept of a claim, and what nbval sees of its line."""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from helpers.repository import ROOT

from lrcourse.claims import (
    SANITIZE,
    ClaimError,
    claim,
    exact,
    judge,
    page,
    paired,
    read_lines,
    share,
    slope,
    spread,
    summarise,
)

BASE = np.array([0.91, 0.88, 0.93, 0.90, 0.92, 0.89, 0.905, 0.915, 0.885, 0.925])
NOISE = 0.003 * np.array([1, -1, 0.5, -0.5, 2, -2, 0, 1.5, -1.5, 0.2])


MASKS = Path(__file__).parents[1] / "nbval_sanitize.cfg"
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.delenv("LRCOURSE_OUT", raising=False)
    with page():
        yield


def test_a_headless_run_keeps_its_claims(tmp_path, monkeypatch):
    monkeypatch.setenv("LRCOURSE_OUT", str(tmp_path))
    monkeypatch.setenv("LRCOURSE_CHAPTER", "05-claims")
    table = tmp_path / "tables" / "05-claims" / "claims.csv"
    table.parent.mkdir(parents=True)
    table.write_text("left by an earlier run\n")
    claim("First, with a comma", exact([True]))
    with pytest.raises(ClaimError):
        claim("Second", paired(BASE, BASE + 0.1 + NOISE), margin=0)
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["sentence"] for row in rows] == ["First, with a comma", "Second"]
    assert [row["verdict"] for row in rows] == ["holds", "fails"]
    assert [row["differs"] for row in rows] == ["no", "opposite"]
    assert float(rows[1]["effect"]) == pytest.approx(-0.1 - NOISE.mean())
    assert rows[1]["margin_below"] == ""


def sanitised(line):
    for pattern, replacement in SANITIZE:
        line = re.sub(pattern, replacement, line)
    return line


@pytest.mark.parametrize(
    ("evidence_", "stated"),
    [
        (paired(BASE + 0.03 + NOISE, BASE), {"margin": 0.002}),
        (paired(BASE, BASE + 0.1, method="sign"), {"margin": 0.002, "expect": "fails"}),
        (paired(1e-9 * BASE, 1e7 * BASE), {"below": 1e-12}),
        (paired(BASE + NOISE, BASE, log=True), {"within": (0.5, 2)}),
        (spread(BASE, NOISE), {"margin": 1.5}),
        (slope([1, 2, 3, 4], [1, 2, 3, 5]), {"within": (0.95, 1.05), "expect": "undecided"}),
        (exact([True, False]), {}),
        (exact([True]), {}),
        (share([True, False] * 8), {"margin": 0.4, "expect": "undecided"}),
    ],
)
def test_numbers_are_masked_and_nothing_else(evidence_, stated):
    made = judge("The ratio 3 [1, 2], margin > 1 (so it says)", evidence_, **stated)
    numbers = made.line().split(f"{made.quantity} ")[-1].split(", margin ")[0]
    assert re.search(r"\d|inf", numbers)
    assert sanitised(made.line()) == made.line().replace(
        f"{made.quantity} {numbers}, margin", f"{made.quantity} (measured), margin"
    )


def test_masking_works_on_a_whole_output():
    lines = [judge(s, paired(BASE + NOISE, BASE), margin=-1).line() for s in ("One", "Two")]
    text = "before\n" + "\n".join(lines) + "\nafter 0.5 [0.4, 0.6], margin\n"
    assert sanitised(text).count("difference (measured), margin > -1 (paired t, alpha .01)\n") == 2
    assert sanitised(text).endswith("after 0.5 [0.4, 0.6], margin\n")


UNSURE = paired(BASE + NOISE, BASE)


@pytest.mark.parametrize(
    ("expect", "shift", "stored"),
    [("holds", 0, 0.03), ("fails", 0, -0.03), ("undecided", 0.03, 0), ("undecided", -0.03, 0)],
)
def test_a_verdict_that_is_weaker_or_decided_here_is_compared_as_the_stored_one(
    expect, shift, stored
):
    here, there = (
        judge("So", paired(BASE + by + NOISE, BASE), margin=0, expect=expect).line()
        for by in (shift, stored)
    )
    assert "on this processor" in here and "on this processor" not in there
    assert sanitised(f"before\n{here}\nafter") == sanitised(f"before\n{there}\nafter")
    assert sanitised(here) != sanitised(there.replace("| So |", "| Not so |"))
    opposite = judge("So", paired(BASE - 0.03 + NOISE, BASE), margin=0).line()
    assert sanitised(opposite) != sanitised(opposite.replace("FAILS (expected holds)", "HOLDS"))


def test_lines_are_read_again():
    made = [
        judge("One | two", UNSURE, margin=0),
        judge("Three", UNSURE, margin=0, expect="undecided"),
        judge("Four", UNSURE, margin=-1, expect="undecided"),
        judge("Five (expected holds)", UNSURE, margin=1),
        judge("Six", exact([True])),
    ]
    text = "said\n" + "\n".join(one.line() for one in made) + "\nUNDECIDED on this | x\n"
    assert read_lines(text) == [{"differs": one.differs, "sentence": one.sentence} for one in made]
    assert [one.differs for one in made] == ["weaker", "no", "decided", "opposite", "no"]


def test_one_line_for_a_whole_run():
    def row(differs, sentence, **more):
        return {"differs": differs, "sentence": sentence, **more}

    assert summarise([row("no", "A")] * 3) == "3 verdicts, all as expected"
    both = [row("weaker", "A", where="claims"), row("weaker", "B")]
    assert summarise([*both, row("no", "C")]) == (
        "2 of 3 verdicts are undecided on this processor: “A” (claims), “B”"
    )
    assert summarise([*both, row("decided", "C"), row("opposite", "D")]).split("; ")[1:] == [
        "1 of 4 verdicts is decided on this processor and undecided in the course: “C”",
        "1 of 4 verdicts is the opposite of the expected one: “D”",
    ]


@pytest.mark.slow
def test_nbval_passes_over_the_numbers_and_a_weaker_verdict_and_stops_at_others(tmp_path):
    source = (
        "from lrcourse.claims import claim, paired\n"
        "claim('Decay wins', paired([0.91, 0.92, 0.9, 0.93, 0.94, 0.9], [{}] * 6), margin=0.002{})"
    )
    line = (
        "{} | {} | 6 seeds, difference +0.5 [+0.1, +1e+03], margin > 0.002 (paired t, alpha .01)\n"
    )
    cells = [
        (source.format(0.8, ""), line.format("HOLDS", "Decay wins")),
        (source.format(0.915, ""), line.format("HOLDS", "Decay wins")),
        (
            source.format(0.8, ", expect='undecided'"),
            line.format("UNDECIDED (expected)", "Decay wins"),
        ),
        (source.format(0.915, ""), line.format("HOLDS", "Decay won")),
        (source.format(0.8, ""), line.format("UNDECIDED (expected)", "Decay wins")),
        (source.format(0.99, ""), line.format("HOLDS", "Decay wins")),
    ]
    notebook = nbformat.v4.new_notebook()
    for code, stored in cells:
        output = nbformat.v4.new_output("stream", name="stdout", text=stored)
        notebook.cells.append(nbformat.v4.new_code_cell(code, execution_count=1, outputs=[output]))
    nbformat.write(notebook, tmp_path / "two.ipynb")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval"]
    command += ["--nbval-current-env", f"--nbval-sanitize-with={MASKS}"]
    command += [f"--rootdir={tmp_path}", str(tmp_path / "two.ipynb")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert "3 failed, 3 passed" in ran.stdout, ran.stdout + ran.stderr
    failed = re.findall(r"two\.ipynb::Cell (\d)", ran.stdout.split("short test summary")[-1])
    assert failed == ["3", "4", "5"]


def test_a_notebook_kernel_counts_claims_by_cell():
    program = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "setup = 'from lrcourse.claims import *; arm = paired(range(6), [0] * 6)'\n"
        "one = 'claim(\"x\", arm, margin=-99)'\n"
        "cells = [setup, one, one, one + chr(10) + one]\n"
        "runs = [shell.run_cell(cell, store_history=True) for cell in cells]\n"
        "print([type(run.error_in_exec).__name__ for run in runs])\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=ENVIRONMENT,
    )
    assert ran.stdout.strip().endswith("['NoneType', 'NoneType', 'NoneType', 'ValueError']")


def test_importing_claims_does_not_import_scipy():
    check = "import sys, lrcourse.claims; sys.exit('scipy' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", check], check=False, env=ENVIRONMENT)
    assert ran.returncode == 0


def test_the_notebooks_are_compared_with_these_masks():
    masks = MASKS.read_text(encoding="utf-8")
    for pattern, replacement in SANITIZE:
        assert f"regex: {pattern}\nreplace: {replacement}\n" in masks
