"""The logs of loops of one's own: means where they were made, rates as they were applied."""

import numpy as np
import pytest

from lrcourse import look, plots

ONE = np.array([[4.0, 0.1], [2.0, 0.1], [1.0, 0.2], [3.0, 0.2]])
TWO = np.array([[8.0, 0.9], [4.0, 0.9]])  # another seed, which ended early


def lines(axes, label):
    return [line for line in axes.get_lines() if line.get_label() == label]


def test_each_update_stands_at_its_number(figure):
    assert plots.logs({"a": ONE}, {"loss": 0, "length": 1}) is None
    top, bottom = figure().axes
    np.testing.assert_allclose(lines(top, "a")[0].get_xydata(), [[1, 4], [2, 2], [3, 1], [4, 3]])
    np.testing.assert_allclose(lines(bottom, "a")[0].get_ydata(), ONE[:, 1])
    assert (top.get_yscale(), bottom.get_yscale()) == ("log", "log")
    assert bottom.get_xlabel() == "update" and top.get_ylabel() == "loss"


def test_a_point_of_an_epoch_is_its_mean_over_seeds_the_median(figure):
    plots.logs({"a": [ONE, TWO]}, {"loss": 0}, epoch=2)
    (axes,) = figure().axes
    (line,) = lines(axes, "a")
    np.testing.assert_allclose(line.get_xydata(), [[0.5, (3 + 6) / 2], [1.5, 2]])
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (2, 6)
    assert axes.get_xlabel() == "epoch"


def test_rates_are_steps_of_the_first_seed_from_zero(figure):
    plots.logs({"a": [ONE, TWO]}, {"loss": 0, "rate": 1}, epoch=2)
    bottom = figure().axes[1]
    (line,) = lines(bottom, "a")
    assert line.get_drawstyle() == "steps-post"
    np.testing.assert_allclose(line.get_xdata(), [0, 0.5, 1, 1.5, 2])
    np.testing.assert_allclose(line.get_ydata(), [0.1, 0.1, 0.2, 0.2, 0.2])
    assert bottom.get_yscale() == "linear" and bottom.get_ylim()[0] == 0


def test_a_rate_that_falls_to_nothing_does_not_flatten_a_log_axis(figure):
    plots.logs({"a": [(1.0, 0.3), (1.0, 1e-9), (1.0, 0.0)]}, {"rate": 1}, log_lr=True)
    (axes,) = figure().axes
    assert axes.get_yscale() == "log"
    low, high = axes.get_ylim()
    assert 1e-5 < low < 1e-4 and 0.3 < high < 0.6


def test_what_is_not_finite_is_a_gap(figure):
    plots.logs({"a": [(1.0,), (np.nan,), (np.inf,), (2.0,)]}, {"loss": 0})
    (line,) = lines(figure().axes[0], "a")
    np.testing.assert_allclose(line.get_ydata(), [1, np.nan, np.nan, 2])


def test_first_updates_single_updates_and_a_level(figure):
    plots.logs({"a": ONE}, {"loss": 0}, every=2, upto=3, dots=True, level=2.3)
    (axes,) = figure().axes
    drawn = axes.get_lines()
    assert [len(line.get_xdata()) for line in drawn] == [3, 2, 2]
    assert drawn[2].get_ydata()[0] == 2.3 and drawn[2].get_linestyle() == "--"
    np.testing.assert_allclose(drawn[1].get_xdata(), [1.5, 3.5])


def test_arms_keep_their_colours_and_dashes(figure):
    plots.logs({"a": ONE, "b": ONE}, {"loss": 0}, colours={"b": 4}, dashed=["b"])
    (axes,) = figure().axes
    (a,), (b,) = lines(axes, "a"), lines(axes, "b")
    assert (a.get_color(), b.get_color()) == (look.colour(0), look.colour(4))
    assert (a.get_linestyle(), b.get_linestyle()) == ("-", "--")


@pytest.mark.parametrize(
    ("arms", "columns", "said"),
    [
        ({"a": ONE}, {"loss": 2}, r"columns\['loss'\] must be below 2, .*arms\['a'\]; got 2"),
        ({"a": [1.0, 2.0]}, {"loss": 0}, r"arms\['a'\] must be a log of shape"),
        ({"a": "x"}, {"loss": 0}, r"arms\['a'\] must be a log of shape"),
        ({}, {"loss": 0}, "no arm to draw"),
        ({"a": ONE}, {"loss": -1}, r"columns\['loss'\] must be a whole number >= 0"),
    ],
)
def test_other_logs_are_refused(arms, columns, said):
    with pytest.raises((TypeError, ValueError), match=said):
        plots.logs(arms, columns)


def test_dashes_for_an_arm_that_is_not_there_are_refused():
    with pytest.raises(ValueError, match=r"dashed must be names of lines, .'a'.; got 'b'"):
        plots.logs({"a": ONE}, {"loss": 0}, dashed=["b"])
