import csv
import os
import stat
import sys

import pytest

from lrcourse.support import outputs


@pytest.fixture
def headless(tmp_path, monkeypatch):
    monkeypatch.setenv("LRCOURSE_OUT", str(tmp_path / "with space"))
    monkeypatch.setenv("LRCOURSE_CHAPTER", "02-schedulers")
    return tmp_path / "with space"


def test_nothing_is_kept_without_a_folder(monkeypatch):
    for unset in (
        lambda: monkeypatch.delenv("LRCOURSE_OUT", raising=False),
        lambda: monkeypatch.setenv("LRCOURSE_OUT", ""),
    ):
        unset()
        assert outputs.figure_path("lr") is None
        assert outputs.table_path("lr") is None


def test_figures_are_numbered_in_reading_order(headless):
    folder = headless / "figures" / "02-schedulers"
    assert outputs.figure_path("zebra") == folder / "01-zebra.png"
    assert outputs.figure_path("ant") == folder / "02-ant.png"
    assert outputs.figure_path("zebra") == folder / "01-zebra.png"
    assert outputs.figure_path("bee") == folder / "03-bee.png"
    assert folder.is_dir()


def test_each_chapter_counts_from_one(headless, monkeypatch):
    outputs.figure_path("first")
    monkeypatch.setenv("LRCOURSE_CHAPTER", "03-size")
    assert outputs.figure_path("second").name == "01-second.png"


def test_tables_keep_their_names(headless):
    folder = headless / "tables" / "02-schedulers"
    assert outputs.table_path("published_2") == folder / "published_2.csv"
    assert outputs.table_path("ant") == folder / "ant.csv"


def test_without_a_chapter_there_is_still_a_place(headless, monkeypatch):
    monkeypatch.delenv("LRCOURSE_CHAPTER")
    assert outputs.table_path("t") == headless / "tables" / "notebook" / "t.csv"


def test_a_relative_folder_is_taken_from_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRCOURSE_OUT", "build")
    assert outputs.table_path("t").is_absolute()


@pytest.mark.parametrize("name", ["", "a b", "../up", "a/b", "lr.png", "-x", "é", "x\n", None, 3])
@pytest.mark.parametrize("kept", [True, False])
def test_bad_names_are_refused_even_where_nothing_is_kept(name, kept, headless, monkeypatch):
    if not kept:
        monkeypatch.delenv("LRCOURSE_OUT")
    text = isinstance(name, str)
    error, told = (ValueError, "letters, digits") if text else (TypeError, "name must be a string")
    for path in (outputs.figure_path, outputs.table_path):
        with pytest.raises(error, match=told):
            path(name)


def test_a_chapter_cannot_leave_the_folder(headless, monkeypatch):
    monkeypatch.setenv("LRCOURSE_CHAPTER", "../elsewhere")
    with pytest.raises(ValueError, match="LRCOURSE_CHAPTER"):
        outputs.figure_path("lr")


def test_csv_round_trip_and_replacement(tmp_path):
    path = tmp_path / "t.csv"
    outputs.write_csv(path, [{"a": 'said "no", twice', "b": None}])
    outputs.write_csv(path, [{"a": 'said "no", twice', "b": None}, {"a": "µ", "b": 2}])
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [{"a": 'said "no", twice', "b": ""}, {"a": "µ", "b": "2"}]
    assert os.listdir(tmp_path) == ["t.csv"]
    with pytest.raises(ValueError, match="no rows"):
        outputs.write_csv(path, [])
    outputs.write_csv(path, [{"half a \ud83d": "\udc00"}])
    assert path.read_text(encoding="utf-8") == "half a \\ud83d\n\\udc00\n"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_files_are_readable_as_the_mask_allows(tmp_path):
    old = os.umask(0o022)
    try:
        outputs.write_csv(tmp_path / "t", [{"a": 1}])
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "t").stat().st_mode) == 0o644


def test_a_home_of_nobody_is_named(monkeypatch):
    monkeypatch.setenv("LRCOURSE_OUT", "~no-such-user/x")
    with pytest.raises(ValueError, match="LRCOURSE_OUT is '~no-such-user/x': there is no such"):
        outputs.figure_path("lr")
