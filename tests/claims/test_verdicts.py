"""What is kept of a claim, and what nbval sees of its line."""

import csv
import math
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
    ClaimError,
    claim,
    evidence,
    exact,
    judge,
    paired,
    separation,
    slope,
    spread,
)
from lrcourse.claims import judging as claims

BASE = np.array([0.91, 0.88, 0.93, 0.90, 0.92, 0.89, 0.905, 0.915, 0.885, 0.925])
NOISE = 0.003 * np.array([1, -1, 0.5, -0.5, 2, -2, 0, 1.5, -1.5, 0.2])


ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.delenv("LRCOURSE_OUT", raising=False)
    monkeypatch.setattr(claims, "made", [])
    monkeypatch.setattr(claims, "_family", claims._Family())


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
    assert float(rows[1]["effect"]) == pytest.approx(-0.1 - NOISE.mean())
    assert rows[1]["margin_below"] == ""


def sanitised(line):
    return re.sub(*claims.SANITIZE, line)


@pytest.mark.parametrize(
    ("evidence_", "stated"),
    [
        (paired(BASE + 0.03 + NOISE, BASE), {"margin": 0.002}),
        (paired(BASE, BASE), {"margin": 0.002}),
        (paired(1e-9 * BASE, 1e7 * BASE), {"below": 1e-12}),
        (paired(BASE + NOISE, BASE, log=True), {"within": (0.5, 2)}),
        (spread(BASE, NOISE), {"margin": 1.5}),
        (slope([1, 2, 3, 4], [1, 2, 3, 5]), {"within": (0.95, 1.05)}),
        (separation([1], [math.inf]), {}),
        (exact([True, False]), {}),
        (exact([True]), {}),
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


@pytest.mark.slow
def test_nbval_passes_over_the_numbers_and_stops_at_the_verdict(tmp_path):
    source = (
        "from lrcourse.claims import claim, paired\n"
        "arm = [0.91, 0.92, 0.9, 0.93, 0.94, 0.9]\n"
        "claim('Decay wins', paired(arm, [0.8] * 6), margin=0.002)"
    )
    line = (
        "HOLDS | Decay wins | 6 seeds, difference +0.5 [+0.1, +1e+03], margin > 0.002 "
        "(paired t, alpha .01)\n"
    )
    notebook = nbformat.v4.new_notebook()
    for stored in (line, line.replace("HOLDS", "UNDECIDED (expected)")):
        output = nbformat.v4.new_output("stream", name="stdout", text=stored)
        cell = nbformat.v4.new_code_cell(source, execution_count=1, outputs=[output])
        notebook.cells.append(cell)
    nbformat.write(notebook, tmp_path / "two.ipynb")
    sanitize = tmp_path / "sanitize.cfg"
    sanitize.write_text("[claims]\nregex: {}\nreplace: {}\n".format(*claims.SANITIZE))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval"]
    command += ["--nbval-current-env", f"--nbval-sanitize-with={sanitize}"]
    command += [f"--rootdir={tmp_path}", str(tmp_path / "two.ipynb")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert "1 failed, 1 passed" in ran.stdout, ran.stdout + ran.stderr
    assert "two.ipynb::Cell 1" in ran.stdout.split("short test summary")[-1]


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
    assert evidence.Evidence is claims.Evidence


def test_the_notebooks_are_compared_with_these_numbers_masked():
    masks = (Path(__file__).parents[1] / "nbval_sanitize.cfg").read_text(encoding="utf-8")
    pattern, replacement = claims.SANITIZE
    assert f"regex: {pattern}\n" in masks
    assert f"replace: {replacement}\n" in masks
