"""Figures of descents: what is drawn are the points of the paths and the numbers measured."""

import matplotlib
import numpy as np
import torch

from lrcourse import optimizers, plots
from lrcourse.landscapes import Quadratic, descend

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
