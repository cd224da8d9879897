"""``lrcourse book`` where mdbook is missing, and what it tells mdbook."""

import os
import shlex
import sys
import time

import pytest

from lrcourse.commands import book as book_command
from lrcourse.commands import main as cli


def test_without_mdbook_one_line_says_how_to_get_it(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("USERPROFILE" if os.name == "nt" else "HOME", str(tmp_path))
    assert cli.main(["book", "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "cargo install mdbook --locked" in told and "conda" in told
    assert list((tmp_path / "out").iterdir()) == []


def test_mdbook_is_found_where_cargo_puts_it(monkeypatch, tmp_path):
    mdbook = tmp_path / ".cargo" / "bin" / "mdbook"
    mdbook.parent.mkdir(parents=True)
    mdbook.write_text("#!/bin/sh\n")
    mdbook.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("USERPROFILE" if os.name == "nt" else "HOME", str(tmp_path))
    assert book_command.find_mdbook() == str(mdbook)


@pytest.mark.skipif(os.name != "posix", reason="a script of a shell")
def test_what_a_call_that_was_killed_left_goes_after_a_day(monkeypatch, tmp_path):
    (tmp_path / "mdbook").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "mdbook").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    out = tmp_path / "out"
    for name, age in (("old", 90_000), ("new", 60)):
        (out / f".book-{name}" / "made").mkdir(parents=True)
        os.utime(out / f".book-{name}", times=(time.time() - age,) * 2)
    assert cli.main(["book", "--out", str(out)]) == 1
    assert os.listdir(out) == [".book-new"]


def test_mdbook_calls_the_preprocessor_of_this_python():
    given = book_command.environment({"PYTHONPATH": "mine", "A": "b"})
    name = "MDBOOK_PREPROCESSOR__LRCOURSE__COMMAND"
    assert shlex.split(given[name]) == [sys.executable, "-m", "lrcourse.book"]
    assert given["PYTHONPATH"].endswith("mine") and given["A"] == "b"


@pytest.mark.parametrize("words", [["book", "--port", "3"], ["run", "--serve"]])
def test_words_that_are_not_known_are_refused(words):
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    assert end.value.code == 2
