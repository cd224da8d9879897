"""`lrcourse find-lr`: a range test from a shell; test_own_function.py has what all share."""

import sys

import pytest
from PIL import Image

from lrcourse.commands import main as cli

MODULE = """
import torch
from torch import nn
from lrcourse.sweeps import Experiment

X = torch.randn(60, 4)
Y = (X.sum(1) > 0).long()
net = nn.Linear(4, 2)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
batches = list(zip(X.split(10), Y.split(10)))

def three():
    return net, optimizer, batches

def keyed():
    return {
        "net": net, "optimizer": optimizer, "batches": batches, "updates": 12,
        "held_out": batches[:1],
    }

def experiment():
    return Experiment(images=64, model="mlp", model_options={"depth": 2, "width": 8})

def wrong():
    return {"net": net, "optimizer": optimizer, "batch": batches}

def refused():
    return net, optimizer, []

def alone():
    return net, optimizer, [X]

def mismatch():
    return net, optimizer, [(torch.randn(10, 5), Y[:10])]

class Strange(nn.Linear):
    def forward(self, x):
        return super().forward(x).nothing

def strange():
    net = Strange(4, 2)
    return net, torch.optim.SGD(net.parameters(), lr=0.1), batches
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, with a module `my_nets` that no other test has imported."""
    (tmp_path / "my_nets.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    yield tmp_path
    sys.modules.pop("my_nets", None)


def test_a_table_and_a_figure(folder, capsys):
    words = ["find-lr", "my_nets:three", "--updates", "60", "--start", "1e-4", "--out", "a.png"]
    assert cli.main(words) == 0
    said = capsys.readouterr().out
    assert "0.0001 to 10 in 60 updates" in said
    assert "minimum / 10" in said
    assert "Use " in said or "Do not trust" in said
    assert said.splitlines()[-1] == "figure: a.png"
    with Image.open(folder / "a.png") as image:
        assert image.format == "PNG"
        assert image.width > 500
    assert [path.name for path in folder.glob("*.png")] == ["a.png"]


def test_options_go_before_the_keys_of_the_function(folder, capsys):
    assert cli.main(["find-lr", "my_nets:keyed", "--no-png"]) == 0
    said = capsys.readouterr().out
    assert "in 12 updates" in said
    assert "On the held-out data" in said
    assert cli.main(["find-lr", "my_nets:keyed", "--no-png", "--updates", "14"]) == 0
    assert "in 14 updates" in capsys.readouterr().out
    assert not list(folder.glob("*.png"))


def test_an_experiment(folder, capsys):
    words = ["find-lr", "my_nets:experiment", "--updates", "11", "--repeats", "2"]
    assert cli.main(words) == 0
    assert "in 11 updates" in capsys.readouterr().out
    assert (folder / "range-test.png").exists()


@pytest.mark.parametrize(
    "words, told",
    [
        (["my_nets:wrong"], "lacks batches and has batch in it"),
        (["my_nets:refused"], "cannot test my_nets:refused: batches is empty"),
        (["my_nets:alone"], "not a Tensor of shape (60, 4). Say how a batch is used"),
        (["my_nets:three", "--start", "3", "--end", "2"], "got start 3 and end 2"),
    ],
)
def test_what_cannot_be_tested_ends_with_2_and_says_why(folder, words, told, capsys):
    assert cli.main(["find-lr", *words]) == 2
    assert told in capsys.readouterr().err
    assert not (folder / "range-test.png").exists()


def test_a_net_that_fails_ends_with_1_and_its_own_line(folder, capsys):
    assert cli.main(["find-lr", "my_nets:strange", "--no-png"]) == 1
    error = capsys.readouterr().err
    assert "cannot test my_nets:strange, it fails" in error
    assert "return super().forward(x).nothing" in error
    assert "has no attribute 'nothing'" in error
    assert error.count("  File ") == 1


def test_without_a_line_of_one_s_own_the_last_one_is_shown(folder, capsys):
    assert cli.main(["find-lr", "my_nets:mismatch", "--no-png"]) == 1
    error = capsys.readouterr().err
    assert "mat1 and mat2 shapes cannot be multiplied (10x5 and 4x2)" in error
    assert "def step(net, batch):" in error
    assert error.count("  File ") == 1
