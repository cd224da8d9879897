"""What `lrcourse trace` and `lrcourse find-lr` share: the function, its errors, the options."""

import gc
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.command_line import call
from helpers.repository import ROOT

from lrcourse.commands import main as cli
from lrcourse.commands import own_function
from lrcourse.commands.own_function import working, write
from lrcourse.commands.terminal import CommandError
from lrcourse.schedules import cosine

MODULE = """
import json

import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR

net = nn.Linear(4, 2)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

def scheduled():
    return optimizer, CosineAnnealingLR(optimizer, 30)

def with_batches():
    x = torch.randn(60, 4)
    return net, optimizer, list(zip(x.split(10), (x.sum(1) > 0).long().split(10)))

class Factory:
    @staticmethod
    def nested():
        return nothing()

def nothing():
    return None

def five():
    return 1, 2, 3, 4, 5

def fails():
    try:
        return json.loads("no")
    except ValueError as problem:
        raise RuntimeError("no data today") from problem

def fails_elsewhere():
    return torch.optim.SGD([], lr=0.1)

def leaves():
    raise SystemExit("bye")

def leaves_in_its_own_way():
    raise GeneratorExit("bye")

def needs(length, *rest, lr, width=3):
    return None

async def later():
    return scheduled()

async def one_by_one():
    yield scheduled()

def not_awaited():
    return later()

number = 3
"""
OTHERS = {
    "broken.py": "import math\n\nmath.nothing\n",
    "unreadable.py": "def build(:\n    pass\n",
    "needy.py": "import not_installed\n",
    "script.py": "import sys\n\nsys.exit('usage: script DATA')\n",
    "random.py": "def build():\n    return None\n",
    "package/__init__.py": "import package.missing\n",
}
COMMANDS = {"trace": ["--updates", "12"], "find-lr": ["--updates", "12"]}
GOOD = {"trace": "my_training:scheduled", "find-lr": "my_training:with_batches"}
FIGURES = {"trace": "trace.png", "find-lr": "range-test.png"}

both = pytest.mark.parametrize("command", COMMANDS)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder with modules that no other test has imported."""
    for name, text in ({"my_training.py": MODULE} | OTHERS).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def run(command, *words):
    return cli.main([command, *words, *COMMANDS[command]])


@both
def test_the_figure_goes_where_it_is_wanted_or_nowhere(folder, command, capsys):
    assert run(command, GOOD[command], "--no-png") == 0
    assert not list(folder.glob("*.png"))
    assert "figure" not in capsys.readouterr().out
    assert run(command, GOOD[command]) == 0
    assert [path.name for path in folder.glob("*.png")] == [FIGURES[command]]
    assert run(command, GOOD[command], "--out", "other name") == 0
    assert (folder / "other name").read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out.endswith("figure: other name\n")


@both
@pytest.mark.parametrize(
    "file, told",
    [
        ("no/a.png", "there is no folder no to write a.png into"),
        ("package", "cannot write package: it is a folder"),
    ],
)
def test_a_figure_that_cannot_be_written_is_refused_before_the_work(
    folder, command, file, told, capsys, monkeypatch
):
    monkeypatch.setattr(own_function, "call", lambda name: pytest.fail("the function was called"))
    assert run(command, GOOD[command], "--out", file) == 2
    assert told in capsys.readouterr().err


@both
@pytest.mark.parametrize(
    "name, told",
    [
        ("my_training", "named as 'module:function'; got 'my_training'"),
        (":scheduled", "named as 'module:function'"),
        ("my_training:", "named as 'module:function'"),
        ("my_training.py:scheduled", "named as in an import"),
        ("./my_training:scheduled", "named as in an import"),
        ("not_here:build", "there is no module 'not_here' in {folder} or among the installed"),
        ("my_training.deep:build", "there is no module 'my_training.deep' in {folder}"),
        ("my_training:nowhere", "has no attribute 'nowhere'; {folder}/my_training.py defines sch"),
        ("my_training:number", "is no function but 3"),
        ("random:build", "random.py defines"),  # the standard library's was imported before
        ("my_training:nothing", "my_training:nothing returned a NoneType; it must return ("),
        ("my_training:Factory.nested", "my_training:Factory.nested returned a NoneType"),
        ("my_training:five", "returned a tuple of 5; it must return ("),
        ("my_training:needs", "must take no argument; it needs length, lr: name"),
    ],
)
def test_what_leads_to_no_function_or_nothing_of_use(folder, command, name, told, capsys):
    assert run(command, name) == 2
    said = capsys.readouterr()
    assert told.format(folder=folder) in said.err.replace(os.sep, "/")
    assert said.err.startswith("lrcourse: ")
    assert "Traceback" not in said.err
    assert said.out == ""
    assert not list(folder.glob("*.png"))


@both
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "function, told",
    [
        ("later", "is an async def, which is not run here: name a function that runs it"),
        ("one_by_one", "is an async def, which is not run here"),
        ("not_awaited", "returned a coroutine; it must return ("),
    ],
)
def test_a_coroutine_is_refused_and_not_left_open(folder, command, function, told, capsys):
    assert run(command, f"my_training:{function}") == 2
    gc.collect()
    said = capsys.readouterr().err
    assert told in said
    assert "never awaited" not in said


@both
@pytest.mark.parametrize(
    "name, lines, last",
    [
        ("broken:build", ['broken.py", line 3'], "AttributeError: module 'math' has no attribute"),
        ("unreadable:build", ['unreadable.py", line 1'], "SyntaxError: invalid syntax"),
        ("needy:build", ['needy.py", line 1'], "ModuleNotFoundError: No module named 'not_in"),
        ("package:build", ["import package.missing"], "No module named 'package.missing'"),
        ("script:build", ["sys.exit("], "keep what a script does under if __name__"),
        (
            "my_training:fails",
            ["return json.loads(", "JSONDecodeError: Ex", "direct cause", "raise RuntimeError("],
            "RuntimeError: no data today",
        ),
        ("my_training:fails_elsewhere", ["torch.optim.SGD([], "], "ValueError: optimizer got"),
        ("my_training:leaves", ["raise SystemExit("], "SystemExit: bye"),
        ("my_training:leaves_in_its_own_way", ["raise GeneratorExit("], "GeneratorExit: bye"),
    ],
)
def test_an_error_in_the_module_is_shown_by_its_own_lines(
    folder, command, name, lines, last, capsys
):
    assert run(command, name) == 2
    error = capsys.readouterr().err
    for each in lines:
        assert each in error
    assert last in error.splitlines()[-1]
    places = re.findall(r'File "(.*?)"', error)
    assert places
    assert all(Path(place).is_relative_to(folder) for place in places)


def test_a_refusal_of_this_package_ends_with_2_and_other_errors_with_1():
    with pytest.raises(CommandError, match=r"^this: .*-3") as refused, working("this"):
        cosine(-3)
    assert refused.value.code == 2
    with pytest.raises(CommandError, match=r"^this, it fails:\n") as failed, working("this"):
        raise ValueError("of a net")
    assert failed.value.code == 1
    assert str(failed.value).endswith("ValueError: of a net")
    with pytest.raises(CommandError, match=r"^this, it fails:\n") as ended, working("this"):
        raise GeneratorExit
    assert ended.value.code == 1
    with pytest.raises(KeyboardInterrupt), working("this"):
        raise KeyboardInterrupt


def test_a_full_disk_ends_with_1():
    def full_disk(file):
        raise OSError(28, "No space left on device")

    with pytest.raises(CommandError, match=r"cannot write a\.png: No space") as full:
        write("figure", Path("a.png"), full_disk)
    assert full.value.code == 1
    write("figure", None, full_disk)  # none is wanted


def test_help_has_the_same_words_for_both(capsys):
    said = {}
    for command in COMMANDS:
        with pytest.raises(SystemExit) as end:
            cli.main([command, "--help"])
        assert end.value.code == 0
        said[command] = capsys.readouterr().out
    shared = [
        "MODULE:FUNCTION",
        "--out FILE",
        "the figure, a PNG",
        "--no-png",
        "looked for in the working folder first",
        "Exit codes:",
    ]
    for text in said.values():
        assert all(each in text for each in shared)
        assert max(map(len, text.splitlines())) <= 100
    assert "return optimizer, scheduler\n" in said["trace"]
    assert "return net, optimizer, batches\n" in said["find-lr"]
    assert '"held_out": few_batches' in said["find-lr"]


# What only a process of its own shows: where the module is looked for, and no trace of pytest.

SCRIPT = "import sys\nfrom lrcourse.commands.main import main\nsys.exit(main())\n"


@pytest.mark.slow
@both
@pytest.mark.parametrize("way", ["installed", "python -m"])
def test_from_a_shell_in_a_folder_of_one_s_own(tmp_path, command, way):
    """`installed` is the file that pip writes: its own folder, not the person's, is importable."""
    mine, scripts = tmp_path / "my folder", tmp_path / "bin"
    mine.mkdir()
    scripts.mkdir()
    (mine / "my_training.py").write_text(MODULE)
    (mine / "unreadable.py").write_text(OTHERS["unreadable.py"])
    (scripts / "lrcourse").write_text(SCRIPT)

    def shell(*words):
        if way == "python -m":
            return call(*words, cwd=mine)
        return subprocess.run(
            [sys.executable, str(scripts / "lrcourse"), *words],
            cwd=mine,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )

    ended = shell(command, GOOD[command], *COMMANDS[command])
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.endswith(f"figure: {FIGURES[command]}\n")
    assert (mine / FIGURES[command]).stat().st_size > 1000
    broken = shell(command, "unreadable:build", *COMMANDS[command])
    assert (broken.returncode, broken.stdout) == (2, "")
    assert "SyntaxError" in broken.stderr
    assert "Traceback" not in broken.stderr
