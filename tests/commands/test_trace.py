"""`lrcourse trace`: table, findings, figure; test_own_function.py has what all share."""

import csv
import sys

import pytest
from PIL import Image

from lrcourse.commands import main as cli

MODULE = """
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau

def build(length=1000):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    return optimizer, CosineAnnealingLR(optimizer, length)

def short():
    return build(600)

def plateau():
    optimizer, _ = build()
    rule = ReduceLROnPlateau(optimizer, patience=0)
    return {"optimizer": optimizer, "scheduler": rule, "metrics": [1.0] * 8}

def breaks():
    optimizer, _ = build()
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 1 / (2 - t))

def halved():
    optimizer, scheduler = build()
    optimizer.param_groups[0]["name"] = "half \\ud83d"
    return optimizer, scheduler

def alone():
    return build()[0], None

def unmetric():
    return plateau() | {"metrics": 0.5}

def odd():
    return {"optimiser": 1}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, with a module `mine` that no other test has imported."""
    (tmp_path / "mine.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    yield tmp_path
    sys.modules.pop("mine", None)


def test_a_table_and_a_figure(folder, capsys):
    assert cli.main(["trace", "mine:build", "--updates", "1000"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    lines = said.out.splitlines()
    assert lines[0].startswith("CosineAnnealingLR on SGD: 1000 updates")
    assert ["0", "0.1", "peak"] in [line.split() for line in lines]
    assert "nothing found" in lines
    assert lines[-1] == "figure: trace.png"
    with Image.open(folder / "trace.png") as image:
        assert image.format == "PNG"
        assert image.width > 600


def test_findings_are_printed_and_strict_makes_them_an_error(folder, capsys):
    words = ["trace", "mine:short", "--updates", "1000", "--out", "short.png"]
    assert cli.main(words) == 0
    assert "rise-after-end: CosineAnnealingLR ends at step 600" in capsys.readouterr().out
    assert cli.main([*words, "--strict"]) == 1
    assert cli.main(["trace", "mine:build", "--updates", "1000", "--strict"]) == 0


def test_a_table_of_every_update(folder, capsys):
    words = ["trace", "mine:build", "--updates", "6", "--csv", "all.csv"]
    assert cli.main([*words, "--when", "epoch", "--updates-per-epoch", "2"]) == 0
    with (folder / "all.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["update"] for row in rows] == list("012345")
    rates = [float(row["lr group 0"]) for row in rows]
    assert rates[0] == rates[1] > rates[2] == rates[3] > rates[4]


def test_half_a_character_in_a_name_is_spelled_out(folder, capsys):
    assert cli.main(["trace", "mine:halved", "--updates", "6", "--csv", "all.csv"]) == 0
    assert "half \\ud83d" in (folder / "all.csv").read_text(encoding="utf-8")
    assert (folder / "trace.png").stat().st_size > 1000


def test_a_dict_with_metrics(folder, capsys):
    assert cli.main(["trace", "mine:plateau", "--updates", "8"]) == 0
    assert "ReduceLROnPlateau on SGD: 8 updates" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, told",
    [
        (["mine:odd"], "lacks optimizer, scheduler and has optimiser in it"),
        (["mine:unmetric"], "metrics is a list of numbers"),
        (["mine:alone"], "cannot trace mine:alone: a scheduler is of torch"),
        (["mine:build", "--when", "epoch"], "--updates-per-epoch N"),
        (["mine:build", "--csv", "no/all.csv"], "there is no folder no to write all.csv into"),
        (["mine:plateau", "--updates", "9"], "metrics has 8 values"),
    ],
)
def test_what_cannot_be_traced_ends_with_2_and_says_why(folder, words, told, capsys):
    assert cli.main(["trace", *words[:1], "--updates", "5", *words[1:]]) == 2
    assert told in capsys.readouterr().err
    assert not (folder / "trace.png").exists()


def test_a_scheduler_that_fails_on_its_way_ends_with_1(folder, capsys):
    assert cli.main(["trace", "mine:breaks", "--updates", "5", "--no-png"]) == 1
    assert "after update 1 raises ZeroDivisionError" in capsys.readouterr().out
    assert not list(folder.glob("*.png"))


def test_updates_are_needed_and_positive(folder, capsys):
    for words in ([], ["--updates", "0"]):
        with pytest.raises(SystemExit) as end:
            cli.main(["trace", "mine:build", *words])
        assert end.value.code == 2


def test_more_updates_than_can_be_traced_are_refused_at_once(folder, capsys):
    assert cli.main(["trace", "mine:build", "--updates", "1000000000000"]) == 2
    assert "updates must be a whole number from 1 to 10000000" in capsys.readouterr().err


@pytest.mark.parametrize("updates", ["1e12", str(2**63)])
def test_updates_in_another_notation_are_told(folder, updates, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["trace", "mine:build", "--updates", updates])
    assert end.value.code == 2
    assert f"'{updates}' is not a whole number from 1 on" in capsys.readouterr().err
