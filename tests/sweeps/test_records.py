"""Records: whole or not there, damaged ones named and set aside."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

from lrcourse.sweeps import Records, RecordWarning
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
