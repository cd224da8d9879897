"""Figures: what is drawn is what was recorded, and a headless run keeps a PNG with its origin."""

import json

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from lrcourse import data, look, models, plots, training
from lrcourse import schedules as s
from lrcourse.plots import bands

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def histories():
    import torch

    digits = data.load("digits", device="cpu").subset(160)
    runs = []
    for seed in range(2):
        net = models.mlp(2, 8, seed=seed)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        shape = s.warmup(2, start=0.0).then(s.cosine(3, floor=0.1))
        runs.append(
            training.fit(
                net, digits, optimizer, shape, epochs=5, batch_size=32, seed=seed, when="epoch"
            )
        )
    return runs


def line(axes, label):
    return next(one for one in axes.get_lines() if one.get_label() == label)


def test_the_lr_panel_draws_the_record(histories, figure):
    histories[0].lr[7] = 0.0123  # a record that no schedule would give
    try:
        assert plots.training(histories) is None
        lower = figure().axes[-1]
        drawn = next(one for one in lower.get_lines() if one.get_gid() == "applied")
        np.testing.assert_array_equal(drawn.get_ydata()[:-1], histories[0].lr)
        np.testing.assert_allclose(drawn.get_xdata()[:-1], np.arange(25) / 5)
        assert lower.get_yscale() == "log"
    finally:
        histories[0].lr[7] = histories[0].lr[6]


def test_an_lr_of_zero_is_marked_on_the_log_axis(histories, figure):
    plots.training(histories[0])
    lower = figure().axes[-1]
    assert [text.get_text() for text in lower.texts] == ["LR 0"]


def test_bands_hold_all_seeds(histories, figure):
    plots.compare({"both": histories, "one": histories[0]}, "test_acc")
    upper = figure().axes[0]
    table = np.array([h.test_acc for h in histories])
    np.testing.assert_allclose(line(upper, "both").get_ydata(), table.mean(0))
    (band,) = upper.collections
    low, high = band.get_datalim(upper.transData).intervaly
    assert (low, high) == pytest.approx((table.min(), table.max()))


def test_medians_stand_between_quartiles(histories, figure):
    five = [histories[k] for k in (0, 1, 0, 0, 1)]
    plots.compare({"arm": five}, "test_loss", middle="median", log=True, log_lr=False)
    upper, lower = figure().axes
    table = np.array([h.test_loss for h in five])
    np.testing.assert_allclose(line(upper, "arm").get_ydata(), np.median(table, 0))
    (band,) = upper.collections
    low, high = band.get_datalim(upper.transData).intervaly
    quartiles = np.quantile(table, (0.25, 0.75), 0)
    assert (low, high) == pytest.approx((quartiles.min(), quartiles.max()))
    assert (upper.get_yscale(), lower.get_yscale()) == ("log", "linear")


def test_runs_of_different_length_and_unmeasured_epochs(histories, figure):
    import copy

    short = copy.deepcopy(histories[1])
    short.epochs = {name: column[:3] for name, column in short.epochs.items()}
    short.epochs["test_acc"][1] = np.nan
    plots.compare({"arm": [histories[0], short]}, "test_acc")
    drawn = line(figure().axes[0], "arm").get_ydata()
    assert len(drawn) == 5
    assert drawn[1] == pytest.approx(histories[0].test_acc[1])


def test_diverged_runs_are_counted_in_the_name(histories, figure):
    import copy

    lost = copy.deepcopy(histories[1])
    lost.diverged_at = 12
    plots.compare({"arm": [histories[0], lost]}, "test_acc")
    assert line(figure().axes[0], "arm (1 of 2 diverged)") is not None


def test_lines_that_meet_at_their_ends_are_named_in_a_box(figure):
    shapes = {"linear": s.warmup(5), "power": s.warmup(5, ramp="power")}
    plots.schedule(shapes, 10, legend=True)
    (box,) = figure().legends
    assert [text.get_text() for text in box.get_texts()] == list(shapes)
    assert not figure().axes[0].texts


def test_schedule_draws_the_values(figure):
    shape = s.cosine(20, floor=0.1)
    plots.schedule({"cosine": shape}, 30, peak=0.3)
    drawn = line(figure().axes[0], "cosine")
    np.testing.assert_allclose(drawn.get_ydata(), 0.3 * shape(np.arange(30)))


def test_traces_draw_each_record(histories, figure):
    plots.traces({"a": {"one": histories[0], "two": histories[1]}, "b": {"one": histories[1]}})
    first, second = figure().axes[:2]
    np.testing.assert_array_equal(line(first, "two").get_ydata()[:-1], histories[1].lr)
    np.testing.assert_array_equal(line(second, "one").get_ydata()[:-1], histories[1].lr)


def test_accuracies_are_shown_close_up_but_whole_after_the_first_quarter(histories):
    low, high = bands.accuracy_limits(histories)
    later = [h.epochs[c][1:] for h in histories for c in ("train_acc", "test_acc")]
    assert np.min(later) - 0.07 <= low <= np.min(later)
    assert high == 1


def test_names_do_not_overlap():
    places = look.apart(np.array([0.5, 0.5, 0.51, 0.9]), 0.05)
    assert (np.diff(places) >= 0.05 - 1e-6).all()
    np.testing.assert_array_equal(look.apart(np.array([0.1, 0.9]), 0.05), [0.1, 0.9])


def test_a_headless_run_keeps_png_and_origin(histories, monkeypatch, tmp_path):
    monkeypatch.setenv("LRCOURSE_OUT", str(tmp_path))
    monkeypatch.setenv("LRCOURSE_CHAPTER", "09-test")
    plots.training(histories, name="mine")
    (path,) = (tmp_path / "figures" / "09-test").glob("*-mine.png")
    with Image.open(path) as image:
        assert image.width > 600
        origin = json.loads(image.text["Description"])
    assert origin["run"]["seeds"] == [0, 1]
    assert origin["run"]["schedule"] == histories[0].provenance["schedule"]
    assert plt.get_fignums() == []


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="history must have 1 or more values; it has 0"):
        plots.training([])


def test_rates_of_a_loop_of_ones_own_are_drawn_as_they_were(histories, figure):
    panels = {"late": {"meant": [0.1, 0.2, 0.3, 0.4], "applied": [0.4, 0.1, 0.2, 0.3]}}
    plots.traces(panels, epoch=2, colours={"applied": 6})
    meant, applied = figure().axes[0].get_lines()
    np.testing.assert_allclose(applied.get_ydata()[:-1], panels["late"]["applied"])
    np.testing.assert_allclose(applied.get_xdata(), [0, 0.5, 1, 1.5, 2])
    assert (meant.get_color(), applied.get_color()) == (look.colour(0), look.colour(6))
    assert figure().get_supxlabel() == "epoch"
    plots.traces(panels)
    assert figure().get_supxlabel() == "update"
    plots.traces({"a net": {"run": histories[0]}})
    assert figure().get_supxlabel() == "epoch"
