"""What a download leaves behind, and how long it waits."""

import os

import pytest

from lrcourse.data import download
from lrcourse.support import paths


def test_leftovers_of_a_killed_download_go_after_a_day(tmp_path):
    old, young = tmp_path / ".download-old", tmp_path / ".download-young"
    for folder in (old, young):
        folder.mkdir()
        (folder / "part").write_text("half")
    os.utime(old, (0, 0))
    paths.remove_leftovers(tmp_path, ".download-*")
    assert not old.exists() and young.exists()


def test_a_silent_network_is_given_up_and_the_timeout_restored():
    before = download.socket.getdefaulttimeout()
    with pytest.raises(ZeroDivisionError), download.impatient(7):
        assert download.socket.getdefaulttimeout() == (before or 7)
        raise ZeroDivisionError
    assert download.socket.getdefaulttimeout() == before
