"""Figures of what is measured on nets: the numbers drawn are those."""

import matplotlib
import numpy as np
import pytest
import torch

from lrcourse import plots
from lrcourse.study.curvature import Watch
from lrcourse.study.displacement import Displacement
from lrcourse.study.gradient_noise import Noise

matplotlib.use("Agg")


def named(axes):
    return {line.get_label(): line for line in axes.get_lines() if line.get_label()[0] != "_"}


class Moved(Displacement):
    """Numbers that no net has given."""

    names = ("0.weight", "2.weight")
    steps = np.array([[0.1, 0.2], [0.3, 0.4], [0.0, 0.6]])
    from_start = 10 * steps

    def __init__(self, factor):
        self.steps, self.from_start = factor * self.steps, factor * self.from_start


moved = Moved


def test_displacements_layer_by_layer(figure):
    runs = {"cold": moved(1), "warm": moved(0.5)}
    assert plots.displacement(runs, title="LeNet") is None
    left, right = figure().axes
    assert (left.get_title(loc="left"), right.get_title(loc="left")) == ("cold", "warm")
    line = named(right)["2.weight"]
    np.testing.assert_allclose(line.get_xdata(), [1, 2, 3])
    np.testing.assert_allclose(line.get_ydata(), [0.1, 0.2, 0.3])
    first = named(left)["0.weight"].get_ydata()
    assert np.isnan(first[2]) and first[1] == 0.3, "a log axis cannot hold a 0"
    plots.displacement(runs, "from_start", layers=("conv", "linear"))
    np.testing.assert_allclose(named(figure().axes[0])["linear"].get_ydata(), [2, 4, 6])
    with pytest.raises(ValueError, match="what must be one of 'steps', 'from_start'; got 'far'"):
        plots.displacement(runs, "far")
    with pytest.raises(ValueError, match="layers must be 2 names; it has 1"):
        plots.displacement(runs, layers=("conv",))


def test_gradient_and_noise_are_lengths(figure):
    looks = {"net": {0: Noise(4.0, 64.0, 10), 30: Noise(9.0, 256.0, 10)}}
    plots.gradient_noise(looks, 16)
    lines = named(figure().axes[0])
    np.testing.assert_allclose(lines["gradient"].get_xdata(), [0, 30])
    np.testing.assert_allclose(lines["gradient"].get_ydata(), [2, 3])
    np.testing.assert_allclose(lines["noise, batch 16"].get_ydata(), [2, 4])


def test_looks_now_and_then(figure):
    plots.over_looks({"a": ((0, 6, 12), (2.0, -0.1, 8.0))}, "sharpness")
    (line,) = named(figure().axes[0]).values()
    np.testing.assert_allclose(line.get_xdata(), [0, 6, 12])
    np.testing.assert_array_equal(line.get_ydata(), [2, np.nan, 8])


def test_looks_around_0_keep_what_is_negative(figure):
    lines = {"a": ((0, 6), (2.0, -0.1))}
    plots.over_looks(lines, "curvature", around_0=0.5, level=1.0, legend=True)
    (axes,) = figure().axes
    np.testing.assert_array_equal(named(axes)["a"].get_ydata(), [2, -0.1])
    assert axes.get_yscale() == "symlog" and axes.get_legend() is not None
    assert any(list(line.get_ydata()) == [1, 1] for line in axes.get_lines())


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
