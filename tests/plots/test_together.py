"""Figures beside one another are one figure, kept under one name."""

import matplotlib.pyplot as plt
import pytest

from lrcourse import plots


def draw(name):
    plots.over_rates({name: {0.1: 1.0, 1.0: 2.0}}, name, name=name)


def test_what_is_drawn_inside_stands_in_its_place(figure):
    before = len(plt.get_fignums())
    with plots.beside(3, title="both"):
        draw("left")
        plots.logs({"a": [(1.0, 0.1)]}, {"loss": 0, "rate": 1})
    assert len(plt.get_fignums()) == before + 1
    left, middle, right = figure().subfigs
    assert [axes.get_ylabel() for axes in left.axes] == ["left"]
    assert [axes.get_ylabel() for axes in middle.axes] == ["loss", "rate"]
    assert not right.axes


def test_there_is_one_file(tmp_path, monkeypatch):
    monkeypatch.setenv("LRCOURSE_OUT", str(tmp_path))
    monkeypatch.setenv("LRCOURSE_CHAPTER", "a")
    with plots.beside(name="pair"):
        draw("one")
        draw("two")
    draw("alone")
    assert sorted(path.name[3:] for path in tmp_path.rglob("*.png")) == ["alone.png", "pair.png"]


def test_one_more_is_refused_and_nothing_stays_open():
    before = plt.get_fignums()
    with pytest.raises(ValueError, match="no place for 'c' beside"), plots.beside(2):
        for name in "abc":
            draw(name)
    assert plt.get_fignums() == before


def test_after_an_error_figures_stand_alone_again(figure):
    with pytest.raises(ZeroDivisionError), plots.beside(2):
        1 / 0  # noqa: B018
    draw("alone")
    assert not figure().subfigs
