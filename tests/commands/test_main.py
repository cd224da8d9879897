"""The command line, and where caches go when the home folder cannot be written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from helpers.command_line import call

import lrcourse
from lrcourse.commands import main as cli
from lrcourse.commands import options
from lrcourse.support import home as environment


@pytest.fixture
def notebooks(tmp_path):
    """A folder with one chapter."""
    folder = tmp_path / "my notebooks"
    folder.mkdir()
    cells = [nbformat.v4.new_code_cell("import matplotlib; print(matplotlib.get_cachedir())")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "01-only.ipynb")
    return folder


def test_importing_the_command_line_is_light():
    code = "import lrcourse.commands.main, sys; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    heavy = {"torch", "numpy", "matplotlib", "nbclient", "nbformat", "jupyter_client", "d2l"}
    assert "lrcourse.commands.main" in loaded
    assert not heavy & set(loaded)


def test_version(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"lrcourse {lrcourse.__version__}\n"


@pytest.mark.parametrize(
    "words, told",
    [
        (["run", "--scale", "huge"], r"huge.*small.*full"),
        (["run", "--timeout", "0"], "timeout: '0' is not a whole number from 1 on"),
        (["run", "--no-such-option"], "no-such-option"),
        ([], "required"),
    ],
)
def test_a_request_that_makes_no_sense_ends_with_2(words, told, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    assert end.value.code == 2
    assert re.search(told, capsys.readouterr().err)


def test_an_unknown_chapter_ends_with_2_and_lists_the_known(notebooks, tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.main(["run", "9", "--notebooks", str(notebooks), "--out", str(out)]) == 2
    assert "01-only" in capsys.readouterr().err
    assert not out.exists()


def test_an_output_folder_that_cannot_be_made_ends_with_2(notebooks, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "out"
    assert cli.main(["run", "--notebooks", str(notebooks), "--out", str(out)]) == 2
    assert "cannot make the folder" in capsys.readouterr().err


def test_without_the_repository_it_says_where_notebooks_come_from(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(options, "CHECKOUT", tmp_path / "site-packages")
    assert cli.main(["run"]) == 2
    told = capsys.readouterr().err
    assert "repository" in told
    assert "--notebooks FOLDER" in told
    assert cli.main(["run", "--notebooks", "nowhere"]) == 2
    assert "nowhere is not a folder" in capsys.readouterr().err


def test_missing_packages_are_named(monkeypatch, capsys):
    found = cli.find_spec
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name == "nbclient" else found(name))
    assert cli.main(["run"]) == 2
    assert "nbclient missing" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="Windows starts a child instead")
def test_lab_becomes_jupyterlab_in_the_folder_of_the_notebooks(
    notebooks, tmp_path, monkeypatch, capsys
):
    seen = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "execv", lambda path, words: seen.append((Path.cwd(), words)) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["lab", "--notebooks", str(notebooks), "--no-browser", "--port=9999"])
    expected = [sys.executable, "-m", "jupyterlab", "--no-browser", "--port=9999"]
    assert seen == [(notebooks, expected)]


def test_a_run_without_a_writable_home_keeps_its_caches_in_the_output_folder(notebooks, tmp_path):
    (tmp_path / "not a folder").write_text("")
    unset = dict.fromkeys(environment.VARIABLES, "")
    ended = call(
        *["run", "1", "--notebooks", str(notebooks), "--out", "out"],
        cwd=tmp_path,
        HOME=str(tmp_path / "not a folder"),
        **unset,
    )
    assert ended.returncode == 0, ended.stderr
    caches = tmp_path / "out" / "cache"
    assert f"caches go to {caches}" in ended.stdout.splitlines()[0]
    assert ended.stdout.splitlines()[1].startswith("01-only  ok")
    executed = nbformat.read(tmp_path / "out" / "notebooks" / "01-only.ipynb", as_version=4)
    assert executed.cells[0].outputs[0].text == f"{caches / 'matplotlib'}\n"


def test_caches_stay_where_they_are_when_home_can_be_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert environment.use_writable_home(tmp_path / "out") == {}
    assert capsys.readouterr().out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_cache_folder_that_the_user_chose_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "missing"))
    for name in environment.VARIABLES:
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "mine"))
    moved = environment.use_writable_home(tmp_path / "out")
    assert set(moved) == set(environment.VARIABLES) - {"MPLCONFIGDIR"}
    assert all(os.environ[name] == folder for name, folder in moved.items())
    assert all(Path(folder).is_dir() and "out" in folder for folder in moved.values())
