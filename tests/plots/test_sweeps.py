"""Figures of sweeps and samples: the numbers drawn are those of the runs."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy import stats

from lrcourse import plots
from lrcourse.sweeps import Experiment, Run, Runs
from lrcourse.training.history import History

matplotlib.use("Agg")


def outcome(value, diverged=False):
    epochs = {"epoch": [1.0], "valid_loss": [value], "valid_acc": [1 / (1 + value)]}
    return History(
        lr=np.full(3, 0.1),
        loss=np.zeros(3, np.float32),
        epochs={name: np.array(column) for name, column in epochs.items()},
        batches_per_epoch=3,
        diverged_at=2 if diverged else None,
    )


@pytest.fixture
def runs():
    values = {0.01: [2.0, 4.0, 3.0], 0.1: [0.5, 0.2, 0.3], 1.0: [None, 1.0, None]}
    return Runs(
        Run(Experiment(lr=lr, seed=seed), outcome(v or 9.0, diverged=v is None))
        for lr, row in values.items()
        for seed, v in enumerate(row)
    )


@pytest.fixture
def axes(monkeypatch):
    """Keeps figures open for a look; call it for the axes of the last one."""
    monkeypatch.setattr(plt, "close", lambda *_: None)
    monkeypatch.setattr(plt, "show", lambda: None)
    yield lambda: plt.figure(plt.get_fignums()[-1]).axes[0]
    monkeypatch.undo()
    plt.close("all")


def lines(axes, marker):
    return [one for one in axes.get_lines() if one.get_marker() == marker]


def test_median_and_range_over_the_rate(runs, axes):
    assert plots.rates(runs, "valid_loss", title="SGD") is None
    (curve,) = lines(axes(), ".")
    np.testing.assert_allclose(curve.get_xdata(), [0.01, 0.1, 1.0])
    np.testing.assert_allclose(curve.get_ydata(), [3.0, 0.3, 1.0])
    corners = axes().collections[0].get_paths()[0].vertices
    assert corners[:, 1].min() == pytest.approx(0.2) and corners[:, 1].max() == pytest.approx(4)
    assert axes().get_title(loc="left") == "SGD  (median and range of 3 seeds)"


def test_several_columns_have_a_panel_each(runs, axes):
    plots.rates({"SGD": runs}, ("valid_loss", "valid_acc"), limits=(0.1, 10))
    loss, accuracy = axes().figure.axes
    np.testing.assert_allclose(lines(loss, ".")[0].get_ydata(), [3.0, 0.3, 1.0])
    expected = [1 / 4, 1 / 1.3, 1 / 2]
    np.testing.assert_allclose(lines(accuracy, ".")[0].get_ydata(), expected)
    assert [list(lines(panel, "x")[0].get_xdata()) for panel in (loss, accuracy)] == [[1.0]] * 2
    assert loss.get_ylim() == (0.1, 10) and accuracy.get_yscale() == "linear"


def test_rates_at_which_a_seed_diverged_are_marked_and_do_not_count(runs, axes):
    plots.rates({"SGD": runs}, "valid_loss", marks={"SGD": {0: 0.1, 1: 0.1, 2: 0.01}})
    (lost,) = lines(axes(), "x")
    assert list(lost.get_xdata()) == [1.0]
    assert sorted(x for dot in lines(axes(), "o") for x in dot.get_xdata()) == [0.01, 0.1, 0.1]
    assert len({tuple(dot.get_ydata()) for dot in lines(axes(), "o")}) == 2


def test_by_seed_shows_every_seed(axes):
    samples = {"a": {0: 0.1, 1: 0.5, 2: 0.5}, "b": {1: 0.7, 0: 0.2}}
    assert plots.by_seed(samples, "accuracy") is None
    dots = lines(axes(), "o")
    assert [list(dot.get_xdata()) for dot in dots] == [[0.1, 0.5, 0.5], [0.2, 0.7]]
    places = {tuple(place) for dot in dots for place in dot.get_xydata()}
    assert len(places) == 5
    bars = [one.get_xdata()[0] for one in axes().get_lines() if one.get_marker() != "o"]
    assert bars == pytest.approx([0.5, 0.45])
    assert [tick.get_text() for tick in axes().get_yticklabels()] == ["a", "b"]


def test_by_seed_gives_arms_that_belong_together_one_colour(axes):
    samples = {"SGD, at .01": {0: 0.1, 1: 0.5}, "SGD, at its best": {0: 0.7, 1: 0.8}}
    plots.by_seed(samples, "x", colours=dict.fromkeys(samples, 2), hollow=["SGD, at .01"])
    ring, dot = lines(axes(), "o")
    assert ring.get_color() == dot.get_color()
    assert (ring.get_markerfacecolor(), dot.get_markerfacecolor()) == ("white", dot.get_color())


def test_by_seed_shows_a_mean_with_its_interval(axes):
    values = [0.1, 0.2, 0.4, 0.7]
    plots.by_seed({"a": dict(enumerate(values))}, "x", interval=True)
    ((mean,),) = [one.get_xdata() for one in lines(axes(), "|") if one.get_markersize() == 16]
    assert mean == pytest.approx(0.35)
    (bar,) = [one for one in axes().collections if len(one.get_segments())]
    low, high = (float(x) for x in bar.get_segments()[0][:, 0])
    expected = stats.t.interval(0.99, 3, 0.35, stats.sem(values))
    assert (low, high) == pytest.approx(expected)


@pytest.mark.parametrize("log", [False, True])
def test_by_seed_takes_equal_values(axes, log):
    plots.by_seed({"a": dict.fromkeys(range(30), 0.1)}, "rate", log=log)
    (dots,) = lines(axes(), "o")
    assert len(set(dots.get_ydata())) == 30 and np.abs(dots.get_ydata()).max() < 0.5


def outcome_of(value, diverged):
    return History(
        lr=np.full(3, 0.1),
        loss=np.zeros(3, np.float32),
        epochs={"epoch": np.array([1.0]), "train_acc": np.array([value])},
        batches_per_epoch=3,
        diverged_at=2 if diverged else None,
    )


def test_lengths_by_rates(figure):
    values = {0: {0.1: (0.2, 0.4), 1.0: (0.9, 0.5)}, 10: {0.1: (0.6, 0.8), 1.0: (1.0, 0.8)}}
    runs = {
        w: Runs(
            Run(Experiment(lr=lr, seed=seed), outcome_of(v, diverged=(w, lr, seed) == (0, 1.0, 0)))
            for lr, pair in row.items()
            for seed, v in enumerate(pair)
        )
        for w, row in values.items()
    }
    plots.warmup_lengths(runs, title="LeNet")
    axes = figure().axes[0]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.3, 0.25], [0.7, 0.9]])
    assert [text.get_text() for text in axes.texts] == ["0.30", "0.25", "0.70", "0.90"]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0.1", "1"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["0", "10"]
    assert axes.get_title(loc="left") == "LeNet  (mean of 2 seeds)"
