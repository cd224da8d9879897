"""Numbers over updates, rates and other numbers: what is drawn are the numbers given."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from lrcourse import look, plots
from lrcourse.rangetest.result import Calibration
from lrcourse.rangetest.rules import RULES

matplotlib.use("Agg")


@pytest.fixture
def axes(monkeypatch):
    monkeypatch.setattr(plt, "close", lambda *_: None)
    monkeypatch.setattr(plt, "show", lambda: None)
    yield lambda: plt.figure(plt.get_fignums()[-1]).axes[0]
    monkeypatch.undo()
    plt.close("all")


def test_against_draws_median_and_range(axes):
    rows = [[1.0, 2.0, 9.0], [3.0, 4.0, 5.0], [2.0, 8.0, 7.0]]
    assert plots.against((1, 2, 3), {"a": rows, "b": [1, 1, 1]}, ("x", "y")) is None
    a, b = axes().get_lines()
    np.testing.assert_allclose(a.get_ydata(), [2, 4, 7])
    np.testing.assert_allclose(b.get_ydata(), [1, 1, 1])
    corners = axes().collections[0].get_paths()[0].vertices
    assert corners[:, 1].min() == 1 and corners[:, 1].max() == 9
    assert (axes().get_xlabel(), axes().get_ylabel()) == ("x", "y")


def test_against_has_log_axes_and_limits(axes):
    plots.against((1, 10), {"a": [0.1, 0.01]}, ("x", "y"), log_x=True, log_y=True, limits=(1e-3, 1))
    assert (axes().get_xscale(), axes().get_yscale()) == ("log", "log")
    assert axes().get_ylim() == (1e-3, 1)


def test_a_band_that_reaches_0_ends_at_the_lower_limit_of_a_log_axis(axes):
    rows = [[0.1, 0.0], [0.2, 0.02]]
    plots.against((1, 2), {"a": rows}, ("x", "y"), log_y=True, limits=(1e-3, 1))
    corners = axes().collections[0].get_paths()[0].vertices
    assert corners[:, 1].min() == 1e-3 and corners[:, 1].max() == 0.2


def calibration(**decades):
    every = dict.fromkeys(RULES) | decades
    return Calibration(0.1, (0.1, 0.1), every, dict.fromkeys(RULES), "valley", 10, 20)


def test_readings_draws_a_mark_a_rule_and_leaves_missing_ones_out(axes):
    cases = {"one": calibration(valley=-1.0, steepest=0.0), "two": calibration(valley=0.5)}
    plots.readings(cases)
    names = [one.get_text() for one in axes().get_yticklabels()]
    assert names == ["steepest", "valley"]
    drawn = {line.get_label(): line for line in axes().get_lines()}
    np.testing.assert_allclose(drawn["one"].get_xdata(), [1.0, 0.1])
    np.testing.assert_allclose(drawn["two"].get_xdata(), [10**0.5])
    assert np.round(drawn["two"].get_ydata()).tolist() == [1]


def test_numbers_over_the_updates(figure):
    seeds = [[4.0, 2.0, 1.0], [8.0, 4.0, 3.0]]
    broken = [[5.0, 6.0, 7.0, np.nan, 1.0], [5.0, 8.0, np.inf, 9.0, 9.0]]
    lines = {"fine": seeds, "broken": broken, "alone": np.array([1.0, 0.5])}
    plots.over_updates(lines, "loss", levels={"alone": 0.5}, limits=(0.1, 10))
    (axes,) = figure().axes
    drawn = {line.get_label(): line for line in axes.get_lines()}
    np.testing.assert_allclose(drawn["fine"].get_xydata(), [[1, 6], [2, 3], [3, 2]])
    np.testing.assert_allclose(drawn["broken"].get_xydata(), [[1, 5], [2, 7]])
    np.testing.assert_allclose(drawn["alone"].get_ydata(), [1, 0.5])
    crosses = [
        line.get_xydata()[0].tolist() for line in axes.get_lines() if line.get_marker() == "x"
    ]
    assert crosses == [[3, 7], [2, 8]]
    assert [line.get_ydata()[0] for line in axes.get_lines() if line.get_linestyle() == "--"] == [
        0.5
    ]
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert band.min() == 1 and band.max() == 8


def test_numbers_some_updates_apart(figure):
    plots.over_updates({"blocks": np.array([3.0, 2.0]), "broken": [[1.0, np.nan]]}, "x", every=20)
    (axes,) = figure().axes
    drawn = {line.get_label(): line for line in axes.get_lines()}
    np.testing.assert_allclose(drawn["blocks"].get_xdata(), [20, 40])
    assert [line.get_xdata()[0] for line in axes.get_lines() if line.get_marker() == "x"] == [20]


def test_numbers_by_parameter(figure):
    panels = {
        name: {"large": torch.tensor([1.0, k]), "small": torch.tensor([2.0, 3.0])}
        for k, name in enumerate(("sgd", "adam", "rmsprop", "adagrad"), start=4)
    }
    plots.by_parameter(panels)
    drawn = [axes for axes in figure().axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in drawn] == list(panels)
    np.testing.assert_allclose(drawn[2].get_lines()[0].get_xydata(), [[1, 1], [2, 6]])
    assert all(axes.get_yscale() == "log" for axes in drawn)


def test_numbers_over_rates(figure):
    rates = [0.1, 1.0, 10.0]
    lines = {"seeds": (rates, [[1, 2, 9], [3, 8, float("nan")]]), "one": (rates, [5, 50, 1])}
    plots.over_rates(lines, "loss", limits=(0.5, 10), level=1.0)
    (axes,) = figure().axes
    seeds, one, level = axes.get_lines()[:3]
    np.testing.assert_allclose(seeds.get_ydata(), [2, 5, 9])
    np.testing.assert_allclose(one.get_ydata(), [5, np.nan, 1])  # above the limits
    assert level.get_ydata()[0] == 1
    band = axes.collections[0].get_paths()[0].vertices
    assert band[band[:, 0] == 1.0][:, 1].min() == 2 and band[band[:, 0] == 1.0][:, 1].max() == 8
    assert axes.get_xscale() == "log"


def test_a_change_is_marked_and_lines_keep_their_colours(figure):
    plots.over_updates({"a": [2.0, 1.0], "b": [3.0, 1.0]}, "loss", mark=1.5, colours={"b": 6})
    (axes,) = figure().axes
    a, b, mark = axes.get_lines()
    assert (a.get_color(), b.get_color()) == (look.colour(0), look.colour(6))
    assert mark.get_xdata()[0] == 1.5 and mark.get_linestyle() == "--"
