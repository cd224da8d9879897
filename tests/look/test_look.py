"""The look of the figures: bands with gaps, lines that hold their last value, figures that end."""

import json
import os
import stat
import threading

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from lrcourse import look

matplotlib.use("Agg")
NAN = float("nan")


@pytest.fixture
def axes():
    yield plt.subplots()[1]
    plt.close("all")


def test_a_band_is_the_middle_and_the_range_of_the_seeds_that_are_there(axes):
    rows = [[1.0, NAN, 3.0, NAN], [2.0, 5.0, NAN, NAN], [9.0, 7.0, NAN, NAN]]
    line = look.band(axes, [1, 2, 3, 4], rows, "#000000", label="a")
    np.testing.assert_array_equal(line.get_ydata(), [2.0, 6.0, 3.0, NAN])
    corners = axes.collections[0].get_paths()[0].vertices
    at = {x: sorted({y for place, y in corners if place == x}) for x in (1, 2, 3)}
    assert at == {1: [1.0, 9.0], 2: [5.0, 7.0], 3: [3.0]}
    mean = look.band(axes, [1, 2, 3, 4], rows, "#000000", middle=np.nanmean)
    np.testing.assert_array_equal(mean.get_ydata(), [4.0, 6.0, 3.0, NAN])


def test_one_row_has_no_band(axes):
    assert list(look.band(axes, [1, 2], [3, 4], "#000000").get_ydata()) == [3, 4]
    assert not axes.collections


def test_a_band_ends_at_its_floor(axes):
    line = look.band(axes, [1, 2], [[0.0, 1.0], [2.0, 3.0]], "#000000", floor=0.5)
    assert axes.collections[0].get_paths()[0].vertices[:, 1].min() == 0.5
    assert list(line.get_ydata()) == [1.0, 2.0]


def test_the_last_number_is_held_as_long_as_the_others(axes):
    line = look.steps(axes, [0.1, 0.2, 0.4], per=2)
    np.testing.assert_allclose(line.get_xydata(), [[0, 0.1], [0.5, 0.2], [1, 0.4], [1.5, 0.4]])
    assert line.get_drawstyle() == "steps-post"
    assert not len(look.steps(axes, []).get_ydata())


def test_an_lr_axis_holds_what_is_above_0_and_marks_the_rest(axes):
    look.steps(axes, [0.0, 0.1, NAN, 0.4], gid="applied")
    look.lr_axis(axes, "update")
    assert axes.get_ylim() == pytest.approx((0.1 / 1.6, 0.4 * 1.6))
    assert [text.get_text() for text in axes.texts] == ["LR 0"]
    assert axes.get_xlabel() == "update"


def test_an_lr_that_is_always_0_is_no_error(axes):
    look.steps(axes, [0.0, 0.0], gid="applied")
    look.lr_axis(axes)
    assert [text.get_text() for text in axes.texts] == ["LR 0"]


def test_contours_lie_at_their_shares(axes):
    options = {"points": (20, 10), "shares": np.array([0.25, 0.5, 1.0])}
    look.contours(axes, lambda at: at[..., 0] + 10 * at[..., 1], ((0, 2), (0, 1)), **options)
    (drawn,) = axes.collections
    np.testing.assert_allclose(drawn.levels, [3.0, 6.0, 12.0])
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 2), (0, 1))


def test_an_error_closes_the_figure_and_nothing_is_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("LRCOURSE_OUT", str(tmp_path))
    with pytest.raises(RuntimeError, match="broke"), look.sheet("mine", {}, (3, 2)):
        raise RuntimeError("it broke")
    assert not plt.get_fignums() and not list(tmp_path.rglob("*.png"))


def test_a_sheet_has_its_panels_row_by_row_and_says_where_it_comes_from(monkeypatch, tmp_path):
    monkeypatch.setattr(plt, "show", lambda: pytest.fail("it has a path"))
    path = tmp_path / "here.png"
    with look.sheet("mine", {"a": 1}, (3, 2), 2, 3, path=path) as (figure, panels):
        assert panels == figure.axes and len(panels) == 6
    with Image.open(path) as image:
        assert json.loads(image.text["Description"]) == {"a": 1}
        assert image.text["Software"] == "lrcourse"
    assert not plt.get_fignums()


def test_a_full_disk_leaves_the_figure_that_was_there(monkeypatch, tmp_path):
    def full(_):
        raise OSError(28, "No space left on device")

    path = tmp_path / "here.png"
    path.write_text("the old one")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"), look.sheet("mine", {}, (3, 2), path=path):
        pass
    assert path.read_text() == "the old one" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_a_figure_goes_through_a_pipe(tmp_path):
    pipe, drawn = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: drawn.append(pipe.read_bytes()), daemon=True)
    reader.start()
    with look.sheet("mine", {}, (3, 2), path=pipe):
        pass
    reader.join(60)
    assert drawn[0].startswith(b"\x89PNG") and drawn[0].rstrip().endswith(b"IEND\xaeB`\x82")
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_panels_of_given_heights_share_their_x_axis(monkeypatch):
    monkeypatch.setattr(plt, "show", lambda: None)
    with look.sheet("mine", {}, (3, 4), heights=(3, 1)) as (_, (top, bottom)):
        top.plot([0, 7], [0, 1])
        assert bottom.get_xlim() == top.get_xlim()
        assert top.get_gridspec().get_height_ratios() == (3, 1)
    assert bottom.get_visible()  # though nothing is drawn there


def test_an_empty_panel_of_a_grid_is_not_shown(monkeypatch):
    monkeypatch.setattr(plt, "show", lambda: None)
    with look.sheet("mine", {}, (3, 4), 1, 2) as (_, (left, right)):
        left.plot([0, 7], [0, 1])
    assert (left.get_visible(), right.get_visible()) == (True, False)


def test_what_pillow_writes_says_the_same(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png", pnginfo=look.png_info({"a": 1}))
    with Image.open(tmp_path / "a.png") as image:
        assert image.text == look.origin_of({"a": 1})
