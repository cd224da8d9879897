"""The table of error rates is written and printed, and the stored one keeps its promise."""

import csv

from helpers.calibration import AT_MOST, NOT_MET, SEEDS
from helpers.repository import ROOT
from soak.soak_calibration import main

STORED = ROOT / "results" / "calibration.csv"


def read(path):
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_the_table_is_printed_and_written(tmp_path, capsys):
    assert main(["--repeats", "200", "--out", str(tmp_path / "table.csv")]) == 0
    rows = read(tmp_path / "table.csv")
    printed = capsys.readouterr().out
    assert " cells of 200 samples, 0 err too often" in printed
    assert "t, dead_below" in printed and f"{SEEDS[-1]} seeds" in printed
    assert list(rows[0]) == list(read(STORED)[0]) and len(rows) == len(read(STORED))


def test_the_stored_table_says_what_is_not_met():
    for row in read(STORED):
        cells = [row[f"{n} seeds"].split() for n in SEEDS if row[f"{n} seeds"] != "refused"]
        worst = max(float(share) / 100 for held, _, failed, _ in cells for share in (held, failed))
        if row["at most 0.7 %"] == "no":
            assert AT_MOST < worst <= NOT_MET[row["evidence"], row["data"]]
        else:
            assert worst <= AT_MOST + 1e-4
