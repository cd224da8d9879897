"""Records: whole or not there, damaged ones named and set aside."""

import json
import os
import shutil
import socket
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import pytest

from lrcourse import sweeps
from lrcourse.sweeps import Experiment, Records, RecordWarning
from lrcourse.sweeps.records import key_of

SPEC = {"data": "digits", "lr": 0.1}
HISTORY = {"lr": [0.1], "loss": [2.3]}


@pytest.fixture
def store(tmp_path):
    return Records(tmp_path / "records with space")


def test_write_then_read(store):
    key = key_of(SPEC)
    assert store.read(key) is None
    assert store.keys() == set()
    store.write(key, SPEC, HISTORY)
    assert store.read(key) == {"spec": SPEC, "history": HISTORY}
    assert store.keys() == {key}


def test_the_key_is_the_content():
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    assert key_of({"a": 1}) != key_of({"a": 2})


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_text(""),
        lambda path: path.write_bytes(path.read_bytes()[:-20]),
        lambda path: path.write_text(path.read_text().replace("2.3", "2.4")),
        lambda path: path.write_text("[1, 2]"),
        lambda path: path.write_bytes(b"\xff\xfe\x00"),
        lambda path: path.write_text(json.dumps({"spec": SPEC, "history": HISTORY})),
    ],
    ids=["empty", "truncated", "altered", "a list", "not text", "no checksum"],
)
def test_a_damaged_record_is_set_aside(store, damage):
    key = key_of(SPEC)
    path = store.write(key, SPEC, HISTORY)
    damage(path)
    with pytest.warns(RecordWarning, match=f"{key}.json is damaged"):
        assert store.read(key) is None
    assert not path.exists()
    assert path.with_name(f"{key}.json.damaged-1").exists()
    assert store.keys() == set()
    store.write(key, SPEC, HISTORY)
    assert store.read(key) is not None


def test_a_record_under_another_name_is_damaged(store):
    path = store.write(key_of(SPEC), SPEC, HISTORY)
    other = key_of({"lr": 0.2})
    path.rename(store.path(other))
    with pytest.warns(RecordWarning):
        assert store.read(other) is None


def test_a_full_disk_leaves_no_half_record(store, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    store.write(key_of(SPEC), SPEC, HISTORY)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            store.write(key_of({"lr": 0.2}), {"lr": 0.2}, HISTORY)
    assert [entry.name for entry in store.folder.iterdir()] == [f"{key_of(SPEC)}.json"]


# -- whatever lies where a record should ------------------------------------------------------

SMALL = Experiment(
    images=64, model="mlp", model_options={"depth": 1, "width": 1}, epochs=1, evaluate=None
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of one good record."""
    folder = tmp_path_factory.mktemp("whole")
    sweeps.run(SMALL, records=folder, jobs=1, device="cpu")
    return Records(folder).path(SMALL.key).read_bytes()


def sealed(whole, **history):
    """The record with another history, under a checksum that fits."""
    record = json.loads(whole)
    changed = record["history"] | history
    changed = {name: value for name, value in changed.items() if value is not None}
    folder = Records("sealed")
    return folder.write(SMALL.key, record["spec"], changed).read_bytes()


TEXTS = {
    "deeply nested": lambda whole: b"[" * 100_000,
    "objects deeply nested": lambda whole: b'{"a":' * 100_000,
    "a huge number": lambda whole: b"9" * 10_000,
    "NaN": lambda whole: b"NaN",
    "NaN in it": lambda whole: whole.replace(b'"seconds": ', b'"seconds": NaN, "s": ', 1),
    "a name twice": lambda whole: whole.replace(b'"format"', b'"format": 1, "format"', 1),
    "a string": lambda whole: b'"spec"',
    "no object": lambda whole: b"null",
    "nothing in it": lambda whole: b"{}",
    "zeros": lambda whole: bytes(len(whole)),
    "half": lambda whole: whole[: len(whole) // 2],
    "spec no object": lambda whole: b'{"check": "a", "spec": 3, "history": []}',
    "two records": lambda whole: whole * 2,
    "history of words": lambda whole: sealed(whole, lr=["abc"]),
    "history a list": lambda whole: sealed(whole, epochs=[1, 2]),
    "no rates": lambda whole: sealed(whole, lr=None),
    "too few rates": lambda whole: sealed(whole, lr=[0.1]),
    "columns unequal": lambda whole: sealed(whole, epochs={"epoch": [1.0], "update": []}),
    "ragged": lambda whole: sealed(whole, lr=[[0.1], [0.1, 0.2]]),
    "diverged nowhere": lambda whole: sealed(whole, diverged_at=-1),
    "not yet": lambda whole: sealed(whole, batches_per_epoch="two"),
    "interrupted": lambda whole: sealed(whole, interrupted=True),
    "an update too few": lambda whole: sealed(whole, lr=[0.1], loss=[2.3]),
    "an update too many": lambda whole: sealed(whole, lr=[0.1] * 3, loss=[2.3] * 3),
    "other batches": lambda whole: sealed(whole, batches_per_epoch=1),
    "diverged at another update": lambda whole: sealed(whole, diverged_at=0),
    "epochs that end elsewhere": lambda whole: sealed(
        whole, epochs=json.loads(whole)["history"]["epochs"] | {"update": [1]}
    ),
    "a loss of no number": lambda whole: sealed(whole, loss=["nan", 2.3]),
    "a loss below zero": lambda whole: sealed(whole, loss=[2.3, -2.3]),
    "older format": lambda whole: sealed(whole, format=0),
    "format a word": lambda whole: sealed(whole, format="one"),
}


def assert_run_again(folder, why="damaged"):
    """The record is named and set aside, and its run made again, once."""
    path = Records(folder).path(SMALL.key)
    with pytest.warns(RecordWarning, match=rf"{SMALL.key}\.json is {why} .*set aside as") as told:
        assert len(sweeps.run(SMALL, records=folder, jobs=1, device="cpu")) == 1
    assert [one.filename for one in told] == [__file__]
    assert path.is_file() and not path.is_symlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(sweeps.load(folder)) == 1
    return path.with_name(f"{path.name}.{why.split()[-1]}-1")


@pytest.mark.parametrize("kind", TEXTS)
def test_a_bad_record_is_run_again(whole, tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    text, store = TEXTS[kind](whole), Records(tmp_path / "records")
    store.folder.mkdir()
    store.path(SMALL.key).write_bytes(text)
    shutil.copytree(store.folder, tmp_path / "loaded")
    assert assert_run_again(store.folder).read_bytes() == text
    with pytest.warns(RecordWarning, match="damaged"):
        assert len(sweeps.load(tmp_path / "loaded")) == 0


@pytest.mark.parametrize("text", ["[]", "null", "3", '"spec"', "true", "[1, 2]"])
def test_what_is_no_object_is_called_so(store, text):
    store.folder.mkdir()
    store.path(key_of(SPEC)).write_text(text)
    with pytest.warns(RecordWarning, match=r"is damaged \(it is no JSON object\)"):
        assert store.read(key_of(SPEC)) is None


@pytest.mark.parametrize("part", ["spec", "history"])
@pytest.mark.parametrize("given", [None, [], 3, "text"])
def test_a_part_that_is_no_object_is_called_so(store, part, given):
    store.folder.mkdir()
    content = {"check": "0", "spec": SPEC, "history": HISTORY} | {part: given}
    store.path(key_of(SPEC)).write_text(json.dumps(content))
    with pytest.warns(RecordWarning, match=rf"\(its {part} is no JSON object\)"):
        assert store.read(key_of(SPEC)) is None


def test_a_record_of_a_newer_format_says_what_helps(whole, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "records"
    folder.mkdir()
    Records(folder).path(SMALL.key).write_bytes(sealed(whole, format=2))
    with pytest.warns(RecordWarning, match="a newer lrcourse wrote it; update yours"):
        assert len(sweeps.run(SMALL, records=folder, jobs=1, device="cpu")) == 1
    assert sorted(one.name for one in folder.iterdir()) == [
        f"{SMALL.key}.json",
        f"{SMALL.key}.json.newer-1",
    ]


PLACED = {
    "a folder": lambda path: (path.mkdir(), (path / "inside").write_text("mine")),
    "a link to nowhere": lambda path: path.symlink_to("/nowhere/at/all"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to a text": lambda path: (
        path.with_name("notes.txt").write_text("mine"),
        path.symlink_to("notes.txt"),
    ),
    "a link to what never ends": lambda path: path.symlink_to("/proc/kmsg"),
    "a link to what no memory holds": lambda path: (
        path.with_name("huge").touch(),
        os.truncate(path.with_name("huge"), 2**40),
        path.symlink_to("huge"),
    ),
    "a pipe": lambda path: os.mkfifo(path),
}


@pytest.mark.skipif(os.name != "posix", reason="links and pipes")
@pytest.mark.parametrize("what", PLACED)
def test_what_is_no_file_is_set_aside_and_not_followed(tmp_path, what):
    path = Records(tmp_path).path(SMALL.key)
    PLACED[what](path)
    aside = assert_run_again(tmp_path)
    assert aside.is_symlink() == what.startswith("a link")
    if what == "a folder":
        assert (aside / "inside").read_text() == "mine"
    if what == "a link to a text":
        assert (tmp_path / "notes.txt").read_text() == "mine"
    assert not Path("/nowhere").exists()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no such sockets")
def test_a_socket_is_set_aside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's name may have a hundred letters
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(f"{SMALL.key}.json")
        assert_run_again(tmp_path)


def test_other_files_are_left_alone(whole, tmp_path):
    others = ("package.json", "notes.JSON", "a" * 31 + ".json", f"{SMALL.key}.json.bak", ".json")
    for name in others:
        (tmp_path / name).write_text("{}")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / f"{SMALL.key}.json").write_bytes(whole)
    before = {one.name for one in tmp_path.iterdir()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(sweeps.load(tmp_path)) == 1
    assert Records(tmp_path).keys() == {SMALL.key}
    assert {one.name for one in tmp_path.iterdir()} == before


def test_each_damaged_record_gets_a_name_of_its_own(store):
    key = key_of(SPEC)
    store.folder.mkdir()
    for n in (1, 2, 3):
        store.path(key).write_text(f"damaged {n}")
        with pytest.warns(RecordWarning, match=f"damaged-{n}"):
            assert store.read(key) is None
        assert store.path(key).with_name(f"{key}.json.damaged-{n}").read_text() == f"damaged {n}"


@pytest.mark.slow
def test_one_damaged_record_that_many_processes_meet_is_set_aside_once(tmp_path):
    keys = [key_of({"lr": k}) for k in range(200)]
    for key in keys:
        (tmp_path / f"{key}.json").write_text("{")
    script = f"""
        import warnings
        from lrcourse.sweeps import Records
        print("ready", flush=True), input()
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            found = [Records({str(tmp_path)!r}).read(key) for key in {keys!r}]
        print(len(told), found == [None] * {len(keys)})
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    readers = [subprocess.Popen(command, **pipes) for _ in range(3)]
    for one in readers:
        assert one.stdout.readline() == "ready\n"
    for one in readers:
        one.stdin.write("go\n")
        one.stdin.flush()
    said = [one.communicate(timeout=60)[0].split() for one in readers]
    assert [right for _, right in said] == ["True"] * 3
    assert sum(int(count) for count, _ in said) == len(keys)
    aside = sorted(one.name.partition(".json.damaged-")[0] for one in tmp_path.iterdir())
    assert aside == sorted(keys)
    assert all(one.read_text() == "{" for one in tmp_path.iterdir())


def test_a_record_that_another_process_has_just_written_stays(store, monkeypatch):
    """It is damaged when it is read, and whole when it is to be set aside."""
    key = key_of(SPEC)
    store.folder.mkdir()
    store.path(key).write_text("{")
    replace = os.replace

    def too_late(old, new):
        if Path(old) == store.path(key):
            monkeypatch.setattr(os, "replace", replace)
            store.write(key, SPEC, HISTORY)
        replace(old, new)

    monkeypatch.setattr(os, "replace", too_late)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store.read(key)
    assert store.read(key) == {"spec": SPEC, "history": HISTORY}
    assert [one.name for one in store.folder.iterdir()] == [f"{key}.json"]


def test_a_damaged_record_in_a_folder_for_reading_only_stops_nothing(tmp_path, monkeypatch):
    other = SMALL.but(seed=1)
    sweeps.run(other, records=tmp_path, jobs=1, device="cpu")
    Records(tmp_path).path(SMALL.key).write_text("{")

    def read_only(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "replace", read_only)
    monkeypatch.setattr(Path, "touch", read_only)
    with pytest.warns(RecordWarning, match="cannot be set aside .Read-only file system"):
        assert len(sweeps.run([SMALL, other], records=tmp_path, jobs=1, device="cpu")) == 2
    with pytest.warns(RecordWarning, match="cannot be set aside"):
        assert len(sweeps.load(tmp_path)) == 1


def test_a_damaged_record_that_is_protected_stops_nothing(tmp_path, monkeypatch):
    other, path, replace = SMALL.but(seed=1), Records(tmp_path).path(SMALL.key), os.replace
    path.write_text("{")

    def protected(old, new):
        if path in (Path(old), Path(new)):
            raise PermissionError(1, "Operation not permitted")
        replace(old, new)

    monkeypatch.setattr(os, "replace", protected)
    for _ in range(2):
        with pytest.warns(RecordWarning, match="Operation not permitted.*no other record is kept"):
            assert len(sweeps.run([SMALL, other], records=tmp_path, jobs=1, device="cpu")) == 2
        assert sorted(one.name for one in tmp_path.iterdir()) == sorted(
            f"{one.key}.json" for one in (SMALL, other)
        )
    assert path.read_text() == "{"


def test_a_record_that_cannot_be_set_aside_leaves_nothing_beside_it(store, monkeypatch):
    """As in a folder that files are only added to."""
    key = key_of(SPEC)
    store.folder.mkdir()
    store.path(key).write_text("{")

    def refused(*_, **__):
        raise PermissionError(1, "Operation not permitted")

    for name in ("replace", "unlink", "rename"):
        monkeypatch.setattr(os, name, refused)
    with pytest.warns(RecordWarning, match="cannot be set aside"):
        assert store.read(key) is None
    assert [one.name for one in store.folder.iterdir()] == [f"{key}.json"]


@pytest.mark.skipif(shutil.which("chattr") is None, reason="attributes of Linux")
def test_a_folder_that_lets_go_of_no_file_is_told_before_the_first_training(tmp_path, monkeypatch):
    monkeypatch.setattr(Experiment, "run", None)
    if subprocess.run(["chattr", "+a", str(tmp_path)], check=False).returncode:
        pytest.skip("not for this user, or not on this disk")
    try:
        with pytest.raises(OSError, match="nothing was trained"):
            sweeps.run(SMALL, records=tmp_path, jobs=1, device="cpu")
    finally:
        subprocess.run(["chattr", "-a", str(tmp_path)], check=True)


@pytest.mark.slow
def test_many_writers_of_one_record(store, tmp_path):
    script = textwrap.dedent(
        f"""
        from lrcourse.sweeps.records import Records, key_of
        spec, history = {SPEC!r}, {{"lr": [0.1] * 20000}}
        for _ in range(30):
            Records({str(store.folder)!r}).write(key_of(spec), spec, history)
            assert Records({str(store.folder)!r}).read(key_of(spec)) is not None
        """
    )
    writers = [subprocess.Popen([sys.executable, "-W", "error", "-c", script]) for _ in range(4)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0, 0]
    assert store.keys() == {key_of(SPEC)}
    assert len(list(store.folder.iterdir())) == 1


@pytest.mark.skipif(os.name != "posix", reason="links")
@pytest.mark.parametrize("name", ["loop", "n" * 300])
def test_a_folder_that_leads_nowhere_is_told_before_the_first_training(tmp_path, monkeypatch, name):
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.setattr(Experiment, "run", None)
    with pytest.raises(OSError, match=r"no record can be read in .*another folder as records="):
        sweeps.run(Experiment(), records=tmp_path / name, jobs=1)


def test_what_is_no_folder_is_called_so(tmp_path, monkeypatch):
    (tmp_path / "nowhere").symlink_to("gone")
    monkeypatch.setattr(Experiment, "run", None)
    with pytest.raises(OSError, match="it is no folder"):
        sweeps.run(Experiment(), records=tmp_path / "nowhere", jobs=1)
