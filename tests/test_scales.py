"""Scales and progress bars: what an environment variable or an argument says."""

import sys

import pytest

from lrcourse.scales import SCALES, scale
from lrcourse.support import progress


def test_small_is_the_default_and_the_argument_wins(monkeypatch):
    monkeypatch.delenv("LRCOURSE_SCALE", raising=False)
    assert scale() == SCALES["small"]
    monkeypatch.setenv("LRCOURSE_SCALE", "full")
    assert scale() == SCALES["full"]
    assert scale("small") == SCALES["small"]


def test_full_is_the_published_budget():
    full = scale("full")
    assert (full.data, full.epochs, full.batch_size) == ("fashion-mnist", 30, 256)


@pytest.mark.parametrize(("name", "hint"), [("big", ""), ("FULL", " .did you mean 'full'")])
def test_an_unknown_scale_is_answered_with_the_known(monkeypatch, name, hint):
    monkeypatch.setenv("LRCOURSE_SCALE", name)
    known = "LRCOURSE_SCALE must be one of 'small', 'full'"
    with pytest.raises(ValueError, match=f"{known}; got '{name}'{hint}"):
        scale()


@pytest.mark.parametrize(
    ("argument", "setting", "terminal", "expected"),
    [
        (True, "0", False, True),
        (False, "1", True, False),
        (None, "1", False, True),
        (None, "0", True, False),
        (None, "", True, True),
        (None, "", False, False),
    ],
)
def test_who_decides_on_a_progress_bar(monkeypatch, argument, setting, terminal, expected):
    monkeypatch.setenv("LRCOURSE_PROGRESS", setting)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    assert progress.wanted(argument) is expected


def test_without_a_bar_the_items_come_as_they_are(capfd):
    items = [1, 2]
    assert progress.bar(items, total=2, label="run", progress=False) is items
    assert list(progress.bar(items, total=2, label="run", progress=True)) == items
    assert "run" in capfd.readouterr().err
