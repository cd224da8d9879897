"""Folders that can always be used, and files that are whole or not there."""

import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from helpers.repository import ROOT

from lrcourse.support import paths


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch, tmp_path):
    for variable in ("LRCOURSE_CACHE", "LRCOURSE_DATA", "LRCOURSE_RECORDS", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(paths.tempfile, "tempdir", str(tmp_path))
    paths.temporary_cache.cache_clear()
    yield
    paths.temporary_cache.cache_clear()


def test_the_cache_follows_its_variable_then_xdg_then_home(monkeypatch, tmp_path):
    home = tmp_path / "home" / ".cache" / "lrcourse"
    assert paths.cache_folder() == home and home.is_dir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert paths.cache_folder() == tmp_path / "xdg" / "lrcourse"
    monkeypatch.setenv("LRCOURSE_CACHE", "~/my caché")
    assert paths.cache_folder() == tmp_path / "home" / "my caché"
    assert list((tmp_path / "home" / "my caché").iterdir()) == []


def test_a_relative_xdg_folder_does_not_count(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    assert paths.cache_folder() == tmp_path / "home" / ".cache" / "lrcourse"


@pytest.mark.parametrize("kind", ["data", "records"])
def test_data_and_records_have_variables_of_their_own(kind, monkeypatch, tmp_path):
    folder = getattr(paths, f"{kind}_folder")
    assert folder() == tmp_path / "home" / ".cache" / "lrcourse" / kind
    monkeypatch.setenv(f"LRCOURSE_{kind.upper()}", str(tmp_path / "chosen"))
    assert folder() == tmp_path / "chosen"
    assert folder("~/given") == tmp_path / "home" / "given"
    assert folder(Path("given")) == Path("given")
    assert not (tmp_path / "chosen").exists()


def test_a_home_that_cannot_be_written_gives_a_temporary_folder_and_one_warning(tmp_path):
    (tmp_path / "home").write_text("not a folder")
    with pytest.warns(UserWarning, match="cannot be written: caches go to") as told:
        folder = paths.cache_folder()
        assert paths.cache_folder() == folder
    assert len(told) == 1 and str(folder) in str(told[0].message)
    assert folder.parent == tmp_path
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (folder / "probe").write_text("can be written")


def test_an_account_without_a_home_has_a_cache_too(monkeypatch, tmp_path):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(paths.Path, "home", no_home)
    with pytest.warns(UserWarning, match="LRCOURSE_CACHE"):
        assert paths.cache_folder().parent == tmp_path


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="links and owners are POSIX's")
def test_a_temporary_folder_that_somebody_else_made_is_not_trusted(tmp_path):
    (tmp_path / "home").write_text("not a folder")
    (tmp_path / "trap").mkdir()
    (tmp_path / f"lrcourse-{os.getuid()}").symlink_to(tmp_path / "trap")
    with pytest.warns(UserWarning):
        folder = paths.cache_folder()
    assert folder.is_dir() and folder.resolve() != tmp_path / "trap"


def test_written_text_and_bytes_come_back(tmp_path):
    path = tmp_path / "a new folder" / "Größe.json"
    assert paths.write_atomically(path, "η = 0.1\r\n") == path
    assert path.read_bytes() == "η = 0.1\r\n".encode()
    paths.write_atomically(str(path), b"\0\1")
    assert path.read_bytes() == b"\0\1"
    assert os.listdir(path.parent) == ["Größe.json"]


def test_a_written_file_has_the_usual_permissions(tmp_path):
    paths.write_atomically(tmp_path / "ours", "x")
    (tmp_path / "usual").write_text("x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_link_is_written_through(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    paths.write_atomically(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "new"


def test_only_text_and_bytes_are_written(tmp_path):
    with pytest.raises(TypeError, match="not dict"):
        paths.write_atomically(tmp_path / "x", {})


@pytest.mark.parametrize("moment", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, moment, error):
    path = paths.write_atomically(tmp_path / "record.json", "old")

    def fail(*_):
        raise error

    monkeypatch.setattr(paths.os, moment, fail)
    with pytest.raises(type(error)):
        paths.write_atomically(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["record.json"]


def test_an_error_of_the_disk_names_the_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space")

    monkeypatch.setattr(paths.os, "fsync", full)
    with pytest.raises(OSError, match=r"No space: .*record\.json"):
        paths.write_atomically(tmp_path / "record.json", "new")


def test_a_reader_never_sees_half_a_file(tmp_path):
    contents = [bytes([letter]) * 300_000 for letter in b"ab"]
    path = paths.write_atomically(tmp_path / "busy", contents[0])

    def write_often():
        for turn in range(20):
            paths.write_atomically(path, contents[turn % 2])

    writers = [threading.Thread(target=write_often) for _ in range(2)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert path.read_bytes() in contents
    assert os.listdir(tmp_path) == ["busy"]


def test_a_link_to_nowhere_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    paths.write_atomically(tmp_path / "link", "new")
    assert not (tmp_path / "elsewhere").exists()
    assert not (tmp_path / "link").is_symlink() and (tmp_path / "link").read_text() == "new"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX's")
def test_a_pipe_is_written_to_and_stays(tmp_path):
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    paths.write_atomically(pipe, "a,b\n")
    reader.join(10)
    assert got == [b"a,b\n"] and pipe.is_fifo() and os.listdir(tmp_path) == ["pipe"]


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="devices with names are POSIX's")
def test_a_device_is_written_to_and_stays(tmp_path):
    (tmp_path / "nowhere").symlink_to(os.devnull)
    for path in (os.devnull, tmp_path / "nowhere"):
        before = os.stat(path)
        paths.write_atomically(path, "gone")
        assert os.stat(path).st_ino == before.st_ino and stat.S_ISCHR(os.stat(path).st_mode)
    assert os.listdir(tmp_path) == ["nowhere"]


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="devices with names are POSIX's")
@pytest.mark.parametrize("redirected", [True, False])
def test_standard_output_is_written_to(tmp_path, redirected):
    code = (
        "from lrcourse.support.paths import write_atomically as w\n"
        "print('first')\nw('/dev/stdout', 'second\\n')\nprint('third')\n"
    )
    command = [sys.executable, "-c", code]
    with (tmp_path / "told").open("wb") as file:
        to = file if redirected else subprocess.PIPE
        done = subprocess.run(command, stdout=to, check=True, cwd=ROOT)
    told = (tmp_path / "told").read_bytes() if redirected else done.stdout
    assert told.split() == [b"first", b"second", b"third"]


def test_what_a_killed_writer_left_goes_after_a_day(tmp_path):
    names = [f".{'0' * 16}.partial", f".{'1' * 16}.partial", ".notes.partial"]
    for name in names:
        (tmp_path / name).write_text("half")
    for name in (names[0], names[2]):
        os.utime(tmp_path / name, (0, 0))
    paths.write_atomically(tmp_path / "x", "whole")
    assert sorted(os.listdir(tmp_path)) == [names[1], ".notes.partial", "x"]


def test_a_folder_is_not_written_to(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        paths.write_atomically(tmp_path / "folder", "x")
    assert os.listdir(tmp_path) == ["folder"] and os.listdir(tmp_path / "folder") == []


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="modes and owners are POSIX's")
def test_a_temporary_folder_that_others_may_write_is_not_trusted(tmp_path):
    (tmp_path / "home").write_text("not a folder")
    shared = tmp_path / f"lrcourse-{os.getuid()}"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.warns(UserWarning):
        folder = paths.cache_folder()
    assert folder != shared and stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_without_any_folder_the_way_out_is_told(tmp_path, monkeypatch):
    def none():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    (tmp_path / "home").write_text("not a folder")
    monkeypatch.setattr(paths.tempfile, "gettempdir", none)
    with pytest.raises(OSError, match=r"nor is there a temporary folder .*set LRCOURSE_CACHE to"):
        paths.cache_folder()


@pytest.mark.parametrize("kind", ["cache", "data", "records"])
def test_a_home_of_nobody_is_named(kind, monkeypatch):
    variable = f"LRCOURSE_{kind.upper()}"
    monkeypatch.setenv(variable, "~no-such-user/x")
    with pytest.raises(ValueError, match=f"{variable} is '~no-such-user/x': there is no such home"):
        getattr(paths, f"{kind}_folder")()
    if kind != "cache":
        with pytest.raises(ValueError, match="folder is '~no-such-user': there is no such home"):
            getattr(paths, f"{kind}_folder")("~no-such-user")
