"""`lrcourse tune`: the rate for a training function of one's own; see test_own_function.py too."""

import sys

import pytest
from PIL import Image

from lrcourse.commands import main as cli

MODULE = """
import math

def train(lr, seed):
    return math.log10(lr / 0.1) ** 2 + 0.01 * seed

def keyed(lr, seed):
    return {"valid_acc": 1 - train(lr, seed) / 10, "valid_loss": train(lr, seed)}

def falls(lr, seed):
    return -math.log10(lr) + 0.01 * seed

def breaks(lr, seed):
    return {}["what"]

def flat(lr, seed):
    return 1.0

def says(lr, seed):
    return "good"

def alone(lr):
    return lr
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, with a module `my_training` that no other test has imported."""
    (tmp_path / "my_training.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRCOURSE_RECORDS", str(tmp_path / "records"))
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    yield tmp_path
    sys.modules.pop("my_training", None)


def test_a_table_a_sentence_and_a_figure(folder, capsys):
    assert cli.main(["tune", "my_training:train", "--start", "0.03", "--out", "a.png"]) == 0
    said = capsys.readouterr().out
    assert "Use 0.0949: value" in said and "<- best" in said
    assert said.splitlines()[-1] == "figure: a.png"
    with Image.open(folder / "a.png") as image:
        assert image.format == "PNG" and image.width > 500
    assert len(list((folder / "records" / "tune").glob("*.json"))) >= 10


def test_its_options_are_those_of_the_function(folder, capsys):
    words = ["--rates", "0.05", "0.1", "0.2", "--ratio", "2", "--seeds", "3", "4", "--no-png"]
    assert cli.main(["tune", "my_training:train", *words, "--records", "mine", "--jobs", "2"]) == 0
    assert "0.05 to 0.2" in capsys.readouterr().out
    assert len(list((folder / "mine" / "tune").glob("*.json"))) == 6
    assert not list(folder.glob("*.png"))
    assert cli.main(["tune", "my_training:keyed", "--column", "valid_acc", "--no-png"]) == 0
    assert "higher is better" in capsys.readouterr().out
    words = ["--column", "valid_acc", "--lower", "--most-rates", "6", "--no-png"]
    assert cli.main(["tune", "my_training:keyed", *words]) == 1


def test_a_rate_on_the_edge_ends_with_1(folder, capsys):
    assert cli.main(["tune", "my_training:falls", "--most-rates", "7", "--no-png"]) == 1
    assert "a better one may lie beyond" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("breaks", 1, "breaks(lr=0.01, seed=0) failed: KeyError: 'what'. Finished runs are kept"),
        ("breaks", 1, "in breaks\n    return {}"),
        ("flat", 2, "the same number, 1, at each of 5 rates"),
        ("keyed", 2, "say which of them counts, column='valid_acc'"),
        ("alone", 2, "function of a rate and a seed, train(lr, seed)"),
        ("nothing", 2, "my_training.py defines train, keyed"),
    ],
)
def test_what_does_not_go_is_said(folder, capsys, name, code, message):
    assert cli.main(["tune", f"my_training:{name}", "--no-png"]) == code
    said = capsys.readouterr().err
    assert message in said
    assert "own_training.py" not in said


def test_lines_are_shown_of_the_persons_own_code_alone(folder, capsys):
    assert cli.main(["tune", "my_training:breaks", "--no-png"]) == 1
    assert """return {}["what"]""" in capsys.readouterr().err
    assert cli.main(["tune", "my_training:says", "--no-png"]) == 1
    said = capsys.readouterr().err
    assert "must return a number" in said and "'good'" in said
    assert "Traceback" not in said and "own_training" not in said


def test_a_folder_that_takes_no_records_is_told_in_a_sentence(folder, capsys):
    assert cli.main(["tune", "my_training:train", "--no-png", "--records", "/dev/null"]) == 2
    said = capsys.readouterr().err
    assert "records cannot be written into" in said and "nothing was trained" in said
    assert "Traceback" not in said
