"""Figures of descents: what is drawn are the points of the paths and the numbers measured."""

import matplotlib
import numpy as np
import pytest
import torch

from lrcourse import optimizers, plots
from lrcourse.landscapes import Quadratic, descend
from lrcourse.study.curvature import Watch

matplotlib.use("Agg")


def parabola(lr, updates=4):
    return descend(lambda w: 2 * w, torch.tensor([10.0]), optimizers.pure("sgd"), lr, updates)


def test_steps_on_a_curve(figure):
    runs = {"small": parabola(0.05), "large": parabola(1.1)}
    assert plots.curve(lambda x: x**2, runs, (-12, 12)) is None
    left, right = figure().axes
    for axes, lr in ((left, 0.05), (right, 1.1)):
        path = axes.get_lines()[1]
        expected = 10 * (1 - 2 * lr) ** np.arange(5)
        np.testing.assert_allclose(path.get_xdata(), expected)
        np.testing.assert_allclose(path.get_ydata(), expected**2)
        assert axes.get_xlim() == (-12, 12)
    assert left.get_title(loc="left") == "small"


def test_paths_on_a_surface(figure):
    bowl = Quadratic(torch.diag(torch.tensor([1.0, 10.0])))
    sgd = optimizers.pure("sgd")
    one = descend(bowl.gradient, torch.tensor([2.0, 1.0]), sgd, 0.1, 3)
    two = descend(bowl.gradient, torch.tensor([[2.0, 1.0], [-1.0, 0.5]]), sgd, 0.1, 3)
    plots.surface(bowl, {"one": one, "two": two}, ((-3, 3), (-2, 2)))
    left, right = figure().axes
    assert len(left.get_lines()) == 3 and len(right.get_lines()) == 6
    np.testing.assert_allclose(left.get_lines()[0].get_xydata(), one.path)
    np.testing.assert_allclose(right.get_lines()[3].get_xydata(), two.path[:, 1])
    np.testing.assert_allclose(left.get_lines()[1].get_xydata()[0], [2, 1])
    np.testing.assert_allclose(left.get_lines()[2].get_xydata()[0], one.path[-1])


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


def test_sharpness_beside_its_edge(figure):
    watch = Watch(
        lr=0.1,
        loss=torch.tensor([3.0, 2.0, 1.0, 0.5]),
        looks=torch.tensor([0, 2, 4]),
        sharpness=torch.tensor([4.0, 19.0, 20.5]),
        batch_size=None,
        diverged_at=None,
    )
    plots.sharpness({"rate 0.1": watch})
    top, bottom = figure().axes
    np.testing.assert_allclose(top.get_lines()[0].get_ydata(), [3, 2, 1, 0.5])
    measured, edge = bottom.get_lines()
    np.testing.assert_allclose(measured.get_xydata(), [[0, 4], [2, 19], [4, 20.5]])
    assert edge.get_ydata()[0] == pytest.approx(20)


def test_numbers_some_updates_apart(figure):
    plots.over_updates({"blocks": np.array([3.0, 2.0]), "broken": [[1.0, np.nan]]}, "x", every=20)
    (axes,) = figure().axes
    drawn = {line.get_label(): line for line in axes.get_lines()}
    np.testing.assert_allclose(drawn["blocks"].get_xdata(), [20, 40])
    assert [line.get_xdata()[0] for line in axes.get_lines() if line.get_marker() == "x"] == [20]
