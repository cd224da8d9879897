"""What reaches the terminal, and how a command ends when the system fails it."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
import tempfile

import nbformat
import pytest
from helpers.command_line import call
from helpers.repository import ROOT

from lrcourse.commands import main as cli
from lrcourse.commands import options
from lrcourse.commands.execution import parse
from lrcourse.commands.terminal import CLOSED, ended, plain

MODULE = """
import torch

def scheduled():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    return optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 3)

def red():
    raise ValueError("\\x1b[31mred\\x1b]0;title\\x07 \\u202eturned")
"""
TRACE = ["trace", "mine:scheduled", "--updates", "5", "--no-png"]
# Without buffering, argparse passes over its own output's errors.
BUFFERED = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""}
needs_posix = pytest.mark.skipif(os.name != "posix", reason="Windows has other pipes and devices")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def notebooks(tmp_path):
    """Three chapters: no UTF-8, a sound one, one with an error and a text that are unfit."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    cells = {"02-sound": "1 + 1", "03-red": "raise ValueError('\\x1b[31mred')"}
    for name, source in cells.items():
        cell = nbformat.v4.new_code_cell(source)
        text = nbformat.v4.new_markdown_cell("half a pair: HALF")
        notebook = nbformat.writes(nbformat.v4.new_notebook(cells=[text, cell]))
        (folder / f"{name}.ipynb").write_text(notebook.replace("HALF", "\\ud800"))
    (folder / "01-latin.ipynb").write_bytes('{"cells": "é"}'.encode("latin-1"))
    return folder


@pytest.mark.parametrize(
    "text, shown",
    [
        ("a × b\n\tα ≤ 1\u00a0s", "a × b\n\tα ≤ 1\u00a0s"),
        ("\x1b[31mred\x1b[0m \x1b[2J\x1b[1;1H!", "red !"),
        ("\x1b]0;title\x07a\x1b]8;;https://a.example\x1b\\b", "ab"),
        ("\x1b]0;never closed\nthe next line", "\nthe next line"),
        ("\x9b31mred\x9d0;title\x9c!", "red!"),
        ("\x1bc\x1b(Ba", "a"),
        ("one\r\ntwo\rthree", "one\ntwo\\rthree"),
        ("bell\x07, back\b, zero\0", "bell\\x07, back\\x08, zero\\x00"),
        ("\u202eturned\ud800", "\\u202eturned\\ud800"),
        ("a lone \x1b", "a lone \\x1b"),
    ],
)
def test_text_is_only_shown(text, shown):
    assert plain(text) == shown


@needs_posix
@pytest.mark.parametrize("words", [["doctor"], TRACE, ["--help"]])
def test_a_reader_who_has_gone_ends_a_command_quietly(words, folder):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "lrcourse", *words],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            env=BUFFERED,
            check=False,
        )
    assert (done.returncode, done.stderr) == (CLOSED, "")
    assert CLOSED == 128 + signal.SIGPIPE


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full, not Windows")
@pytest.mark.parametrize("words", [TRACE, ["--version"]])
def test_an_output_that_is_full_ends_in_a_sentence(words, folder):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "lrcourse", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=BUFFERED,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "lrcourse: writing failed: No space left on device\n"


def test_an_error_of_the_system_names_the_file(capsys):
    def fails():
        raise OSError(errno.EROFS, "Read-only file system", "/some/file")

    assert ended(fails) == 1
    assert capsys.readouterr().err == "lrcourse: /some/file: Read-only file system\n"


def test_an_output_that_the_command_s_own_work_closed_is_told(monkeypatch, capsys):
    def closes():
        sys.stdout.close()
        print("lost")
        return 0

    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert ended(closes) == 1
    assert capsys.readouterr().err == (
        "lrcourse: the standard output was closed while this ran: leave sys.stdout open\n"
    )


def test_an_output_of_few_characters_still_gets_everything(folder):
    words = ["trace", "mine\u00d7:scheduled", "--updates", "5"]
    done = call(*words, cwd=folder, PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert "there is no module 'mine\\xd7' in" in done.stderr


@needs_posix
@pytest.mark.parametrize("words", [["doctor"], ["run"], ["book"], TRACE])
def test_a_working_folder_that_is_gone(words, tmp_path, monkeypatch, capsys):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert cli.main(words) == 2
    assert capsys.readouterr().err == (
        "lrcourse: the working folder is gone: change into one that is there\n"
    )


def test_no_folder_for_temporary_files(folder, monkeypatch, capsys):
    def none():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    assert cli.main(TRACE) == 2
    assert "name one by TMPDIR" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--out", "~nobody-of-this-name/a"],
        ["run", "--notebooks", "~nobody-of-this-name"],
        [*TRACE, "--csv", "~nobody-of-this-name/a.csv"],
        ["trace", "mine:scheduled", "--updates", "5", "--out", "~nobody-of-this-name/a.png"],
    ],
)
def test_a_home_folder_that_is_not_there(words, folder, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    assert end.value.code == 2
    assert "there is no such home folder here" in capsys.readouterr().err


@pytest.mark.parametrize("name", options.FOLDER_VARIABLES)
def test_a_variable_with_a_home_folder_that_is_not_there(name, monkeypatch, capsys):
    monkeypatch.setenv(name, "~nobody-of-this-name/a")
    assert cli.main(["doctor"]) == 2
    told = capsys.readouterr()
    assert told.err.startswith(f"lrcourse: {name} is '~nobody-of-this-name/a': there is no such")
    assert told.out == ""


def test_a_backend_that_matplotlib_does_not_know_does_not_matter(folder):
    words = ["trace", "mine:scheduled", "--updates", "5"]
    done = call(*words, cwd=folder, MPLBACKEND="nonsense")
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "trace.png").exists()


def test_an_error_of_somebody_s_code_cannot_write_to_the_terminal(folder):
    done = call("trace", "mine:red", "--updates", "5", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.endswith("ValueError: red \\u202eturned\n")


@pytest.mark.parametrize("file", ["a.pdf", "a.SVG", "a.png.gz"])
def test_a_figure_is_a_png_and_says_so(file, folder, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["trace", "mine:scheduled", "--updates", "5", "--out", file])
    assert end.value.code == 2
    assert "the figure is a PNG; name it a" in capsys.readouterr().err
    assert not (folder / file).exists()


def test_figure_and_table_are_two_files(folder, capsys):
    words = ["trace", "mine:scheduled", "--updates", "5", "--out", "a", "--csv", "./a"]
    assert cli.main(words) == 2
    assert "the figure and the table cannot both be a: name two" in capsys.readouterr().err


@needs_posix
def test_a_table_goes_into_a_pipe_and_leaves_it_a_pipe(folder, capsys):
    os.mkfifo(folder / "pipe")
    with subprocess.Popen(["cat", "pipe"], stdout=subprocess.PIPE, text=True) as reader:
        assert cli.main([*TRACE, "--csv", "pipe"]) == 0
        table, _ = reader.communicate(timeout=300)
    assert table.startswith("update,lr group 0")
    assert (folder / "pipe").is_fifo()


@pytest.mark.parametrize("text", ["0", "-1", "1e3", "1.0", "²", "٣", "", "9" * 16, "9" * 5000])
def test_what_is_no_number_to_count_up_to(text, folder, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["trace", "mine:scheduled", f"--updates={text}"])
    assert end.value.code == 2
    told = capsys.readouterr().err
    assert f"--updates: {text[:40]!r} is not a whole number from 1 on" in told
    assert len(told) < 600
    assert options.count("007") == 7


def test_one_notebook_that_cannot_be_read_does_not_stop_the_others(notebooks, tmp_path, capsys):
    (notebooks / "04-folder.ipynb").mkdir()
    assert cli.main(["run", "--notebooks", str(notebooks), "--out", str(tmp_path / "out")]) == 1
    told = capsys.readouterr().out
    assert [line.split()[:2] for line in told.splitlines() if line[:2].isdigit()] == [
        ["01-latin", "FAILED"],
        ["02-sound", "ok"],
        ["03-red", "FAILED"],
        ["04-folder", "FAILED"],
    ]
    assert "01-latin.ipynb\n    not a notebook: 'utf-8' codec" in told
    assert "    ValueError: red\n" in told
    assert "04-folder.ipynb\n    cannot be read: it is no regular file" in told
    executed = nbformat.read(tmp_path / "out" / "notebooks" / "03-red.ipynb", as_version=4)
    assert executed.cells[0].source == "half a pair: \ud800"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NaN",
        "[]",
        "[" * 100_000,
        '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
        '{"nbformat": 99, "nbformat_minor": 5, "metadata": {}, "cells": []}',
        '{"nbformat": 4, "nbformat_minor": 5, "metadata": [], "cells": []}',
        '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{}]}',
        '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": '
        '[{"cell_type": "markdown", "id": "a", "metadata": {}, "source": 5}]}',
        '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": '
        '[{"cell_type": "markdown", "id": "a", "metadata": {}, "source": "", "outputs": [0]}]}',
    ],
    ids=lambda text: text[:60],
)
def test_what_is_no_notebook_is_told_in_one_line(text):
    with pytest.raises(ValueError, match=r"^not a notebook: .+$") as told:
        parse(text.encode())
    assert "\n" not in str(told.value)


def test_an_id_that_stands_twice_is_mended(recwarn):
    cells = [nbformat.v4.new_code_cell("1", id="same") for _ in range(2)]
    notebook = parse(json.dumps(nbformat.v4.new_notebook() | {"cells": cells}).encode())
    assert len({cell.id for cell in notebook.cells}) == 2
    assert not recwarn.list
