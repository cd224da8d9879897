"""What a range test says: the judgement, the calibration, the figure."""

import json
import math
import re
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from lrcourse import sweeps
from lrcourse.rangetest import RangeTest, range_test, range_test_of
from lrcourse.rangetest.curves import Curve
from lrcourse.rangetest.suggestion import RATE_RULES
from lrcourse.sweeps import Experiment, best_rate

matplotlib.use("Agg")
LR = np.geomspace(1e-5, 10, 121)


def bowl(lowest=0.1, noise=0.02, seed=0, lr=LR):
    x = np.log10(lr / lowest)
    loss = 2.3 - 2 / (1 + np.exp(-6 * (x + 1))) + 3 * np.maximum(x, 0) ** 2
    return loss + np.random.default_rng(seed).normal(0, noise, len(lr))


def result(losses, why=None, lr=LR, **options):
    """A range test from losses that are given; each ends where it diverged."""
    ends = why if isinstance(why, list) else [why] * len(losses)
    curves = [
        Curve(
            lr=lr[: len(loss)],
            group_lr=lr[: len(loss), None],
            loss=np.asarray(loss),
            accuracy=None,
            held_out_loss=None,
            held_out_accuracy=None,
            diverged_at=None if end in (None, "out of batches") else len(loss) - 1,
            why=end,
            skipped=(),
            seed=seed,
        )
        for seed, (loss, end) in enumerate(zip(losses, ends, strict=True))
    ]
    given = {"smoothing": 0.8, "diverged": 4.0, "scale": "log"} | options
    return RangeTest(tuple(curves), lr[0], lr[-1], len(lr), **given)


def broken(seed):
    return bowl(seed=seed)[:100]


def test_a_clear_curve_gets_a_rate_and_says_which_rule_and_why():
    said = result([broken(k) for k in range(3)], "rose").suggest()
    assert said.doubts == ()
    found = sorted(said.rules[name].lr for name in RATE_RULES)
    assert said.lr == found[1] == said.rules[said.rule].lr
    assert said.spread == pytest.approx(found[2] / found[0])
    assert 3e-3 < said.lr < 0.05
    assert said.sentence.startswith(f"Use {said.lr:.2g} (")
    assert "3 repeats within a factor" in said.sentence
    assert "middle one of 3 rules" in said.sentence
    assert str(said).endswith(said.sentence)
    assert said.base_lr < said.lr < said.max_lr
    one = result([broken(0)], "rose").suggest()
    assert "one repeat says nothing about the spread" in one.sentence


@pytest.mark.parametrize(
    "losses, why, told",
    [
        ([bowl(lowest=30.0)], None, "never diverged nor turned up.*raise the end"),
        ([bowl(lowest=1e9)], None, "flat.*more updates, or raise the end"),
        ([np.concatenate([np.full(20, 2.3), [9.0, 30.0]])], "rose", "lower the start"),
        ([np.concatenate([np.full(60, 2.3), [9.0, 30.0]])], "rose", "stayed.*nothing to learn"),
        ([np.concatenate([bowl(1e9)[:60], [math.nan]])], "NaN", "NaN at once: look for a root"),
        ([np.full(121, 0.7)], None, "the same number at every rate"),
        ([np.array([2.3, 2.0, 30.0])], "rose", "3 updates shows nothing: lower the start"),
        ([np.array([2.3, 2.2, 2.1])], None, "3 updates shows nothing: use more updates"),
        ([np.array([math.nan])], "NaN", "NaN before any update"),
        ([bowl()[:90]], "out of batches", "ran out at rate"),
    ],
    ids=[
        "never diverged",
        "flat",
        "start too high",
        "nothing to learn",
        "a logarithm of 0",
        "the wrong loss",
        "short",
        "few",
        "broken net",
        "ran out",
    ],
)
def test_when_not_to_trust_it(losses, why, told):
    said = result(losses, why).suggest()
    assert said.doubts and said.lr is None and said.rule is None
    assert said.sentence.startswith("Do not trust this: ")
    assert re.search(told, said.sentence), said.sentence


def test_a_fall_at_the_very_beginning_is_seen():
    """As in a linear sweep, where it is over after a tenth of the updates."""
    x = np.linspace(0.001, 1, 200)
    loss = 2.3 - 2 * (1 - np.exp(-x / 0.05)) + 6 * x**2
    noisy = loss + np.random.default_rng(0).normal(0, 0.15, 200)
    said = result([noisy], None, lr=x, scale="linear", smoothing=0.9).suggest()
    assert said.lr is not None and 0.005 < said.lr < 0.15


def test_noise_alone_is_flat():
    random = np.random.default_rng(1)
    for _ in range(50):
        said = result([2.3 + random.normal(0, 0.1, 100)], lr=LR[:100]).suggest()
        assert "flat" in said.sentence


@pytest.mark.parametrize("every", [2, 5, 10])
def test_a_held_out_loss_measured_now_and_then_says_the_same(every):
    lr = np.geomspace(1e-5, 10, 401)
    held_out = np.full(len(lr), np.nan)
    held_out[::every] = bowl(noise=0, lr=lr)[::every]
    test = result([bowl(noise=0, lr=lr)], lr=lr, smoothing=0.95)
    each = test.suggest()
    test = replace(test, curves=(replace(test.curves[0], held_out_loss=held_out),))
    now_and_then = test.suggest("held_out")
    for rule in ("base_lr_loss", *RATE_RULES, "max_lr_loss"):
        ratio = now_and_then.rules[rule].lr / each.rules[rule].lr
        assert abs(math.log(ratio)) <= every * math.log(lr[1] / lr[0]) + 1e-9, rule


def test_rules_and_repeats_that_disagree():
    x = np.log10(LR)
    early = 2.3 - 1.5 / (1 + np.exp(-12 * (x + 4))) - 0.3 / (1 + np.exp(-12 * (x + 0.5)))
    loss = early + 30 * np.maximum(x - 0.3, 0) ** 2
    said = result([loss], None).suggest()
    rates = [said.rules[name].lr for name in RATE_RULES]
    assert max(rates) / min(rates) > 10
    assert f"the rules disagree by a factor {max(rates) / min(rates):.0f}" in said.sentence
    apart = [bowl(lowest=lowest) for lowest in (1e-3, 0.1, 1.0)]
    said = result(apart, None).suggest()
    assert "the repeats disagree by a factor" in said.sentence
    spread = said.rules["minimum_10"].spread
    found = said.rules["minimum_10"].repeats
    assert spread == pytest.approx(max(found) / min(found)) and spread > 100


def test_one_wild_batch_moves_little():
    loss = broken(0)
    calm = result([loss], "rose").suggest()
    wild = loss.copy()
    wild[40] = 1e6
    said = result([wild], "rose").suggest()
    assert said.rules["minimum_10"] == calm.rules["minimum_10"]
    assert said.lr is not None and 0.5 < said.lr / calm.lr < 2


def test_the_band_is_over_the_repeats_that_got_there():
    test = result([[1.0, 2.0, 3.0], [2.0, 4.0], [6.0, math.inf]], [None, "rose", "infinite"])
    assert test.lr.tolist() == LR[:3].tolist() and test.cost == 7
    band = test.band("loss")
    assert band.low.tolist() == [1, 2, 3]
    assert band.median.tolist() == [2, 3, 3]
    assert band.high.tolist() == [6, 4, 3]
    assert test.band("accuracy") is None
    with pytest.raises(ValueError, match=r"quantity must be one of.*held_out_accuracy"):
        test.band("los")
    with pytest.raises(ValueError, match="held_out"):
        test.suggest("held_out")
    with pytest.raises(ValueError, match="training"):
        test.suggest("test")


def test_calibration_says_how_far_off():
    test = result([broken(0)], "rose")
    said = test.calibrate(0.04)
    rates = test.suggest().rules
    for rule, decades in said.decades.items():
        if rates[rule].lr is None:
            assert decades is None and said.factor(rule) is None
        else:
            assert said.factor(rule) == pytest.approx(rates[rule].lr / 0.04)
            assert decades == pytest.approx(math.log10(rates[rule].lr / 0.04))
    assert said.cost == 100 and said.sweep_cost is None
    assert "<- followed" in str(said)
    with pytest.raises(ValueError, match="best must be a finite number > 0"):
        test.calibrate(0.0)


def test_calibration_against_a_sweep_of_equal_budget():
    experiment = Experiment(
        data="digits", images=96, valid=96, model="mlp", model_options={"depth": 2, "width": 8}
    )
    test = range_test_of(experiment, start=1e-2, end=1.0, updates=20, repeats=2, diverged=100.0)
    rates = sweeps.log_space(test.start, test.end, 3)
    grid = sweeps.grid(experiment.but(epochs=2), lr=rates, seed=range(2))
    best = best_rate(sweeps.run(grid, jobs=1, progress=False))
    assert best.cost == 36 <= test.cost == 40
    said = test.calibrate(best)
    assert said.sweep_cost == 36 and said.good == best.good and said.best == best.lr


# -- the figure -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real():
    experiment = Experiment(
        data="digits", images=320, valid=64, model="mlp", model_options={"depth": 2, "width": 16}
    )
    return range_test_of(experiment, updates=60, repeats=2, start=1e-4)


def test_the_figure_shows_the_curves_and_the_suggestions(real, figure):
    real.plot("a title")
    figure = figure()
    loss, accuracy, marks = figure.axes
    suggestion = real.suggest()
    lines = {line.get_gid(): line for axes in figure.axes for line in axes.get_lines()}
    for rule, reading in suggestion.rules.items():
        assert (rule in lines) == (reading.lr is not None)
        if rule in lines:
            assert lines[rule].get_xdata()[0] == reading.lr
    for column in ("loss", "held_out_loss", "accuracy", "held_out_accuracy"):
        np.testing.assert_array_equal(lines[column].get_xdata(), real.lr)
    assert {axes.get_xscale() for axes in figure.axes} == {"log"}
    assert suggestion.sentence.split(".")[0] in figure._supxlabel.get_text().replace("\n", " ")
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("loss", "accuracy")
    assert marks.get_xlabel() == "learning rate"


@pytest.mark.parametrize(
    "test",
    [
        result([[2.3]], "NaN"),
        result([[math.nan]], "NaN"),
        result([[2.3, math.inf]], "infinite"),
        result([np.linspace(-1, -9, 121)]),
        result([np.zeros(121)]),
    ],
)
def test_figures_of_curves_that_show_nothing(test, tmp_path):
    test.plot(path=tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 1000


def test_a_headless_run_keeps_the_figure_with_its_origin(real, tmp_path, monkeypatch):
    monkeypatch.setenv("LRCOURSE_OUT", str(tmp_path))
    real.plot(title="a title", name="range")
    (path,) = tmp_path.rglob("*.png")
    with Image.open(path) as image:
        told = json.loads(image.text["Description"])
    assert told["updates"] == 60 and told["optimizer"] == "SGD" and told["net"]


def test_a_result_prints_what_happened():
    net = nn.Linear(4, 2)
    batches = [(torch.randn(8, 4), torch.zeros(8, dtype=torch.long))]
    optimizer = torch.optim.Adam(net.parameters())
    test = range_test(net, optimizer, batches, updates=5, start=1e-5, end=1e-4)
    assert repr(test) == (
        "RangeTest(1e-05 to 0.0001 in 5 updates, log scale, repeats: 1 x went to the end)"
    )
    assert not test.state_before
