"""Numbers over the rate: sweeps in both spellings, regions, range tests by hand, the choice."""

import numpy as np
import pytest

from lrcourse import look, plots
from lrcourse.rangetest import RangeTest
from lrcourse.rangetest.curves import Curve

BY_RATE = {0.1: [1.0, 3.0], 1.0: [2.0, 8.0], 10.0: [9.0, float("nan")]}


def test_a_sweep_by_rate_is_drawn_as_the_same_numbers_in_rows(figure):
    table = np.transpose(list(BY_RATE.values()))
    plots.over_rates({"by rate": BY_RATE, "in rows": (list(BY_RATE), table)}, "loss")
    by_rate, in_rows = figure().axes[0].get_lines()[:2]
    np.testing.assert_allclose(by_rate.get_xydata(), [[0.1, 2], [1, 5], [10, 9]])
    np.testing.assert_array_equal(by_rate.get_xydata(), in_rows.get_xydata())


def test_one_value_a_rate(figure):
    plots.over_rates({"one": {0.1: 1.0, 1.0: 2.0}}, "loss")
    np.testing.assert_allclose(figure().axes[0].get_lines()[0].get_xydata(), [[0.1, 1], [1, 2]])


def test_seeds_that_are_missing_at_a_rate_are_refused():
    with pytest.raises(ValueError, match="rows of one length, not of"):
        plots.over_rates({"one": {0.1: [1.0, 2.0], 1.0: [2.0]}}, "loss")


def test_regions_bear_their_names_and_lines_their_colours(figure):
    regions, colours = {"slope": (0.1, 0.9), "wall": (5, 10)}, {"a": 5, "wall": 2}
    plots.over_rates({"a": BY_RATE}, "loss", regions=regions, colours=colours, dashed=["a"])
    (axes,) = figure().axes
    assert [text.get_text() for text in axes.texts][:2] == ["slope", "wall"]
    slope, wall = axes.patches
    assert (slope.get_x(), slope.get_x() + slope.get_width()) == (0.1, 0.9)
    assert wall.get_facecolor()[:3] == pytest.approx(
        tuple(int(look.colour(2)[k : k + 2], 16) / 255 for k in (1, 3, 5))
    )
    assert axes.get_lines()[0].get_color() == look.colour(5)
    assert axes.get_lines()[0].get_linestyle() == "--"


def test_a_range_test_by_hand_has_dots_and_their_running_mean(figure):
    rates, losses = [0.01, 0.1, 1.0, 10.0], [2.0, 4.0, 6.0, 2.0]
    plots.ramps({0: (rates, losses)}, width=3, marks={"it falls": 0.1}, limits=(0, 9))
    (axes,) = figure().axes
    dots, mean = axes.get_lines()
    np.testing.assert_allclose(dots.get_xydata(), np.transpose([rates, losses]))
    np.testing.assert_allclose(mean.get_xydata(), [[0.1, 4], [1, 4]])
    assert [text.get_text() for text in axes.texts] == ["it falls"]
    with pytest.raises(ValueError, match=r"tests\[0\] must have a number for each of the 4"):
        plots.ramps({0: (rates, losses[:3])})


def falls_and_rises(repeats):
    """A range test whose losses fall and rise again, with nothing trained."""
    lr = np.geomspace(1e-4, 10, 100)
    loss = 2 - np.exp(-(np.log(lr / 0.3) ** 2))
    columns = dict.fromkeys(["accuracy", "held_out_loss", "held_out_accuracy"])
    ends = {"diverged_at": None, "why": None, "skipped": (), "seed": 0}
    curve = Curve(lr=lr, group_lr=lr[:, None], loss=loss, **columns, **ends)
    return RangeTest((curve,) * repeats, 1e-4, 10.0, 100, "log", smoothing=0.5, diverged=4.0)


def test_the_choice_marks_what_went_on(figure):
    test, applied = falls_and_rises(repeats=2), [0.3, 0.2, 0.1]
    plots.choice(test, {0.1: [0.3, 0.4], 0.3: [0.2, 0.3], 1.0: [0.1, np.nan]}, applied, epoch=2)
    left, middle, right = figure().axes
    assert len(left.get_lines()) == 3
    assert left.get_lines()[-1].get_xdata()[0] == test.suggest().lr
    assert middle.get_lines()[-1].get_xdata()[0] == 0.3  # 1.0 has a seed without a loss
    np.testing.assert_allclose(right.get_lines()[0].get_ydata()[:-1], applied)
    np.testing.assert_allclose(right.get_lines()[0].get_xdata(), [0, 0.5, 1, 1.5])


def test_a_cloud_leaves_out_what_a_log_axis_cannot_hold(figure):
    plots.scatter({"a": ([0.1, 0.0, 1.0], [1.0, 2.0, 3.0])}, ("x", "y"), limits=((0.01, 9), (1, 9)))
    (axes,) = figure().axes
    np.testing.assert_allclose(axes.get_lines()[0].get_xydata(), [[0.1, 1], [1, 3]])
    assert (axes.get_xlim(), axes.get_ylim()) == ((0.01, 9), (1, 9))
    with pytest.raises(ValueError, match=r"dots\['a'\] must have a number"):
        plots.scatter({"a": ([0.1], [1.0, 2.0])}, ("x", "y"))
