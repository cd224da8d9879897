"""The gallery and the figure of a loop: the numbers drawn are those of the runs."""

import json

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from lrcourse import plots, tracing
from lrcourse.plots.loops import running_mean
from lrcourse.training.history import History

matplotlib.use("Agg")


def run(losses, valid=None, lr=0.1, diverged_at=None):
    losses = np.array(losses, np.float64)
    epochs = {"epoch": np.arange(1.0, len(losses) + 1), "update": 2 * np.arange(1, len(losses) + 1)}
    epochs["train_loss"] = losses
    if valid is not None:
        epochs["valid_loss"] = np.array(valid, float)
    return History(
        lr=np.broadcast_to(np.asarray(lr, float), 2 * len(losses)).copy(),
        loss=np.repeat(losses, 2).astype(np.float32),
        epochs=epochs,
        batches_per_epoch=2,
        diverged_at=diverged_at,
    )


HEALTHY = [run([2.0, 1.0, 0.5]), run([2.0, 1.2, 0.7])]
SICK = [run([s, s + 0.1, s + 0.2], [4.0, 4.0 + s, 5.0], lr=0.2) for s in (2.0, 3.0, 5.0)]


def line(axes, gid):
    (found,) = [one for one in axes.get_lines() if one.get_gid() == gid]
    return np.asarray(found.get_xdata(), float), np.asarray(found.get_ydata(), float)


def test_a_panel_shows_the_median_over_the_updates_and_the_range(figure):
    assert plots.diagnosis(SICK, HEALTHY, title="Sick") is None
    loss, _ = figure().axes
    update, median = line(loss, "train_loss")
    np.testing.assert_allclose(update, [2, 4, 6])
    np.testing.assert_allclose(median, [3.0, 3.1, 3.2])
    np.testing.assert_allclose(line(loss, "valid_loss")[1], [4.0, 7.0, 5.0])
    np.testing.assert_allclose(line(loss, "healthy")[1], [2.0, 1.1, 0.6])
    spans = {
        (round(v[:, 1].min(), 6), round(v[:, 1].max(), 6))
        for v in (each.get_paths()[0].vertices for each in loss.collections)
    }
    assert spans == {(0.5, 2.0), (2.0, 5.2), (4.0, 9.0)}
    assert loss.get_title(loc="left") == "Sick  (median and range of 3 seeds)"


def test_every_batch_of_every_run_is_a_dot(figure):
    plots.diagnosis(SICK, HEALTHY)
    dots = [one for one in figure().axes[0].get_lines() if one.get_marker() == "."]
    drawn = np.sort(np.concatenate([one.get_ydata() for one in dots]))
    np.testing.assert_allclose(drawn, np.sort(np.concatenate([r.loss for r in SICK])))


def test_the_rate_drawn_is_the_one_recorded(figure):
    steps = [0.4, 0.3, 0.2, 0.1, 0.05, 0.0]
    plots.diagnosis([run([1.0, 1.0, 1.0], lr=steps)], HEALTHY)
    rate = figure().axes[1]
    drawn = [line.get_ydata() for line in rate.get_lines() if line.get_gid() == "applied"]
    np.testing.assert_allclose(drawn[0][:-1], 0.1)
    np.testing.assert_allclose(drawn[1][:-1], steps)
    assert "LR 0" in [text.get_text() for text in rate.texts]
    assert rate.get_yscale() == "log" and rate.get_ylim()[0] > 0


def test_limits_give_a_closer_look(figure):
    plots.diagnosis(SICK, HEALTHY, limits=(2.0, 3.0))
    loss = figure().axes[0]
    assert loss.get_yscale() == "linear" and loss.get_ylim() == (2.0, 3.0)


def test_the_gallery_has_a_panel_each_on_common_axes(figure):
    names = [f"case {k}" for k in range(5)]
    cases = {name: (SICK, HEALTHY) for name in names}
    cases["case 4"] = [run([0.03, 0.02, 0.01], lr=0.001)], HEALTHY  # in the second row
    plots.gallery(cases, title="All")
    shown = [axes for axes in figure().axes if axes.get_visible()]
    assert [a.get_title(loc="left") for a in shown if a.get_title(loc="left")] == names
    assert len(shown) == 10 and len(figure().axes) == 16
    assert len({axes.get_ylim() for axes in shown}) == 2  # one for the losses, one for the rates
    assert {text.get_text() for text in figure().legends[0].get_texts()} == {
        *("healthy", "training", "validation")
    }


def test_what_is_wild_leaves_the_panel_and_what_is_infinite_is_no_error(figure):
    wild = run([1e9, 2.3, 2.3], [np.inf, 2.3, np.nan], diverged_at=5)
    plots.gallery({"wild": ([wild, wild], HEALTHY)})
    low, high = figure().axes[0].get_ylim()
    assert high == pytest.approx(10 * 2.0) and low == pytest.approx(0.6 / 1.5)


def test_runs_without_validation_data_have_one_line_less(figure):
    plots.diagnosis(HEALTHY, HEALTHY)
    assert "valid_loss" not in [one.get_gid() for one in figure().axes[0].get_lines()]


def test_a_panel_needs_runs_and_healthy_runs():
    with pytest.raises(ValueError, match=r"panels\['a'\] must be \(runs, healthy runs\); got"):
        plots.gallery({"a": (SICK,)})
    with pytest.raises(
        ValueError, match=r"panels\[.a.\]\[1\] must have 1 or more values; it has 0"
    ):
        plots.gallery({"a": (SICK, [])})
    with pytest.raises(ValueError, match="no panel to draw"):
        plots.gallery({})


def test_a_headless_run_keeps_the_gallery_with_its_origin(tmp_path, monkeypatch):
    monkeypatch.setenv("LRCOURSE_OUT", str(tmp_path))
    monkeypatch.setattr(plt, "show", lambda: None)
    plots.gallery({"sick": (SICK, HEALTHY)})
    (kept,) = tmp_path.rglob("*.png")
    assert set(json.loads(Image.open(kept).info["Description"])) == {"sick", "sick, healthy"}


# -- a loop of one's own ------------------------------------------------------------------------


def recorded(rates):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=1.0)
    with tracing.record(optimizer) as log:
        for rate in rates:
            optimizer.param_groups[0]["lr"] = rate
            optimizer.step()
    return log


def test_a_loop_is_drawn_with_its_losses_and_what_it_applied(figure):
    rates = [0.4, 0.2, 0.1, 0.05]
    losses = [2.0, 1.5, 1.2, 1.1]
    plots.loop({"mine": (losses, recorded(rates))}, intended=[0.4] * 4, chance=2.3)
    top, bottom = figure().axes
    (dots,) = [one for one in top.get_lines() if one.get_marker() == "."]
    np.testing.assert_allclose(dots.get_ydata(), losses)
    drawn = {one.get_label(): one.get_ydata()[:-1] for one in bottom.get_lines()}
    np.testing.assert_allclose(drawn["applied"], rates)
    np.testing.assert_allclose(drawn["meant"], 0.4)
    assert [2.3, 2.3] in [list(one.get_ydata()) for one in top.get_lines()]


def test_several_loops_keep_their_names(figure):
    log = recorded([0.1, 0.1])
    plots.loop({"before": ([2.0, 2.0], log), "after": ([2.0, 1.0], log)})
    assert [one.get_label() for one in figure().axes[1].get_lines()] == ["before", "after"]


@pytest.mark.parametrize("count", [1, 7, 19, 20, 39, 40, 100])
def test_the_running_mean_is_that_of_the_last_twentieth(count):
    losses = np.random.default_rng(0).normal(size=count)
    width = max(1, count // 20)
    wanted = [losses[max(0, t + 1 - width) : t + 1].mean() for t in range(count)]
    np.testing.assert_allclose(running_mean(losses), wanted, atol=1e-12)


def test_a_loop_without_updates_is_refused():
    with pytest.raises(ValueError, match="'mine' has 0 losses and 0 updates"):
        plots.loop({"mine": ([], recorded([]))})
    with pytest.raises(ValueError, match="no run to draw"):
        plots.loop({})


def test_the_figure_of_a_trace_is_kept_under_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("LRCOURSE_OUT", str(tmp_path))
    monkeypatch.setattr(plt, "show", lambda: None)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=1.0)
    trace = tracing.trace(optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 3), 10)
    trace.plot(name="first")
    trace.plot(name="second")
    names = {path.stem.split("-", 1)[1] for path in tmp_path.rglob("*.png")}
    assert names == {"first", "second"}
