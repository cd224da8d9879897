"""Figures of descents: what is drawn are the points of the paths and the numbers measured."""

import io

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from lrcourse import optimizers, plots
from lrcourse.landscapes import Quadratic, Ravine, descend

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


# -- several optimizers -------------------------------------------------------------------------


def ground(turn=0.0):
    ravine, start = Ravine(5.0, turn), torch.tensor([-2.0, 0.5])
    runs = {
        name: descend(ravine.gradient, start, optimizers.pure(name), 0.1, updates)
        for name, updates in (("sgd", 6), ("adam", 9))
    }
    return plots.Ground(ravine, runs, ((-3, 1), (-1, 1)))


def test_a_race_draws_each_path_from_ring_to_dot(figure):
    places = {"straight": ground(), "turned": ground(30)}
    assert plots.race(places) is None
    for axes, place in zip(figure().axes, places.values(), strict=True):
        lines = axes.get_lines()
        for k, run in enumerate(place.descents.values()):
            path, dot, ring = lines[3 * k : 3 * k + 3]
            np.testing.assert_allclose(path.get_xydata(), run.path)
            np.testing.assert_allclose(dot.get_xydata()[0], run.path[-1])
            np.testing.assert_allclose(ring.get_xydata()[0], run.path[0])
            assert path.get_color() == dot.get_color()
        assert axes.get_xlim() == (-3, 1)


def test_a_moving_race_is_an_animated_png_with_its_end_as_still(monkeypatch, tmp_path):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    monkeypatch.setenv("LRCOURSE_OUT", str(tmp_path))
    monkeypatch.setenv("LRCOURSE_CHAPTER", "05-optimizers")
    plots.moving_race({"ravine": ground()}, frames=5, seconds=1.0, alt="two paths", name="moving")
    (image,) = shown
    assert image.format == "png" and image.alt == "two paths"
    (kept,) = (tmp_path / "figures" / "05-optimizers").iterdir()
    assert kept.name == "01-moving.png" and kept.read_bytes() == image.data
    with Image.open(io.BytesIO(image.data)) as moving:
        assert moving.is_animated and moving.n_frames == 6 and moving.info["default_image"]
        frames = []
        for k in range(moving.n_frames):
            moving.seek(k)
            frames.append(np.asarray(moving.convert("RGB")).astype(int))
    still, first, *_, last = frames
    assert np.array_equal(still, last) and not np.array_equal(first, last)
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    ("frames", "seconds", "wanted"),
    [
        (1, 1.0, "frames must be a whole number from 2"),
        (5, 0.0, "seconds must be a number from 0.1"),
    ],
)
def test_a_moving_race_that_cannot_move(frames, seconds, wanted):
    with pytest.raises(ValueError, match=wanted):
        plots.moving_race({"ravine": ground()}, frames=frames, seconds=seconds)


def test_bad_grounds():
    with pytest.raises(ValueError, match="no surface"):
        plots.race({})
    many = descend(Ravine().gradient, torch.ones(3, 2), optimizers.pure("sgd"), 0.01, 2)
    with pytest.raises(ValueError, match="updates"):
        plots.race({"ravine": plots.Ground(Ravine(), {"sgd": many}, ((-1, 1), (-1, 1)))})
    plt.close("all")
