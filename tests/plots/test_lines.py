"""Figures of the chapter on cyclical rates: the numbers drawn are those that were given."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from lrcourse import plots
from lrcourse.rangetest.calibration import Calibration
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
