"""Races of optimizers: what is drawn are the points of the paths, still and moving."""

import io

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from lrcourse import optimizers, plots
from lrcourse.landscapes import Ravine, descend

matplotlib.use("Agg")


def ground(turn=0.0):
    ravine, start = Ravine(5.0, turn), torch.tensor([-2.0, 0.5])
    runs = {
        name: descend(ravine.gradient, start, optimizers.pure(name), 0.1, updates)
        for name, updates in (("sgd", 6), ("adam", 9))
    }
    return plots.Ground(ravine, runs, ((-3, 1), (-1, 1)))


def test_a_race_draws_each_path_from_ring_to_dot_in_a_panel_of_its_own(figure):
    places = {"straight": ground(), "turned": ground(30)}
    assert plots.race(places) is None
    panels = iter(figure().axes)
    for place in places.values():
        for run in place.descents.values():
            axes = next(panels)
            path, dot, ring = axes.get_lines()
            np.testing.assert_allclose(path.get_xydata(), run.path)
            np.testing.assert_allclose(dot.get_xydata()[0], run.path[-1])
            np.testing.assert_allclose(ring.get_xydata()[0], run.path[0])
            assert path.get_color() == dot.get_color()
            assert axes.get_xlim() == (-3, 1)
    assert next(panels, None) is None


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
