"""Figures of warmup: what is drawn are the numbers that were measured."""

from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest

from lrcourse import plots
from lrcourse.study.gradient_noise import Noise
from lrcourse.sweeps import Experiment, Run, Runs
from lrcourse.training.history import History

matplotlib.use("Agg")


def named(axes):
    return {line.get_label(): line for line in axes.get_lines() if line.get_label()[0] != "_"}


def moved(factor):
    table = factor * np.array([[0.1, 0.2], [0.3, 0.4], [0.0, 0.6]])
    return SimpleNamespace(names=("0.weight", "2.weight"), steps=table, from_start=10 * table)


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
    with pytest.raises(ValueError, match='"steps" or "from_start"'):
        plots.displacement(runs, "far")


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


def outcome(value, diverged):
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
            Run(Experiment(lr=lr, seed=seed), outcome(v, diverged=(w, lr, seed) == (0, 1.0, 0)))
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
