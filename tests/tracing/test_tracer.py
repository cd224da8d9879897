"""Traces: the values, the peers, the arguments, the table; and what a record is compared with."""

import math
import time
import warnings

import matplotlib
import numpy as np
import pytest
import torch
from helpers.peers import peer, sgd
from torch.optim import lr_scheduler as ls

from lrcourse import data, models, tracing, training
from lrcourse import schedules as s

matplotlib.use("Agg")


def loop(optimizer, scheduler, updates, every=1):
    """A training loop as everyone writes it."""
    for t in range(updates):
        optimizer.step()
        if (t + 1) % every == 0:
            scheduler.step()


# -- values -----------------------------------------------------------------------------------


def test_shapes_of_the_result():
    first, second = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    groups = [{"params": [first], "name": "body"}, {"params": [second], "lr": 0.5}]
    optimizer = torch.optim.AdamW(groups, lr=0.1, betas=(0.8, 0.9))
    traced = tracing.trace(optimizer, ls.ExponentialLR(optimizer, 0.5), 3)
    assert traced.lr.dtype == traced.momentum.dtype == np.float64
    np.testing.assert_array_equal(traced.lr, [[0.1, 0.5], [0.05, 0.25], [0.025, 0.125]])
    np.testing.assert_array_equal(traced.momentum, np.full((3, 2), 0.8))
    assert traced.names == ("body", "group 1")
    assert (traced.stopped_at, traced.error, traced.notes) == (None, None, ())


def test_no_momentum_is_nan():
    optimizer = torch.optim.Adagrad([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    assert np.isnan(tracing.trace(optimizer, ls.StepLR(optimizer, 1), 2).momentum).all()


def test_it_goes_on_from_where_the_scheduler_stands():
    optimizer = sgd(1.0)
    scheduler = ls.StepLR(optimizer, 4, 0.5)
    loop(optimizer, scheduler, 3)
    assert tracing.trace(optimizer, scheduler, 3).lr[:, 0].tolist() == [1.0, 0.5, 0.5]


def test_epochs():
    optimizer = sgd(1.0)
    traced = tracing.trace(
        optimizer, ls.ExponentialLR(optimizer, 0.5), 7, when="epoch", updates_per_epoch=3
    )
    assert traced.lr[:, 0].tolist() == [1, 1, 1, 0.5, 0.5, 0.5, 0.25]


def test_a_shape_is_what_fit_applies():
    digits = data.load("digits", device="cpu").subset(96)
    net = models.mlp(2, 8, seed=0)
    shape = s.warmup(1).then(s.power())
    for when, options in (("update", {}), ("epoch", {"updates_per_epoch": 3})):
        optimizer = torch.optim.SGD(net.parameters(), lr=0.3)
        traced = tracing.trace(optimizer, shape, 6, when=when, **options)
        history = training.fit(net, digits, optimizer, shape, epochs=2, batch_size=32, when=when)
        np.testing.assert_array_equal(traced.lr[:, 0], history.lr)


def test_plateaus_follow_the_metrics():
    metrics = [1.0, 0.9, 0.9, 0.9, 0.9, 0.5, 0.5, 0.5]
    optimizer = sgd(1.0)
    scheduler = ls.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    traced = tracing.trace(optimizer, scheduler, 8, metrics=metrics)
    rates = []
    for metric in metrics:
        rates.append(optimizer.param_groups[0]["lr"])
        scheduler.step(metric)
    assert traced.lr[:, 0].tolist() == rates
    assert min(rates) < 1
    rule = s.plateau(0.5, patience=1)
    assert tracing.trace(sgd(1.0), rule, 8, metrics=metrics).lr[:, 0].tolist() == rates


def test_metrics_are_asked_for():
    optimizer = sgd()
    scheduler = ls.ReduceLROnPlateau(optimizer)
    with pytest.raises(ValueError, match=r"metrics=\[...\] with 5 values"):
        tracing.trace(optimizer, scheduler, 10, when="epoch", updates_per_epoch=2)
    with pytest.raises(ValueError, match="has 2 values, and the scheduler makes 3 steps"):
        tracing.trace(optimizer, scheduler, 3, metrics=[1, 2])
    with pytest.raises(ValueError, match="StepLR watches no metric"):
        tracing.trace(optimizer, ls.StepLR(optimizer, 1), 3, metrics=[1, 2, 3])


@pytest.mark.parametrize("name", ["linear", "cosine", "cosine_with_restarts", "inverse_sqrt"])
def test_transformers(name):
    transformers = peer("transformers")
    optimizer = sgd(0.1)
    scheduler = transformers.get_scheduler(
        name, optimizer, num_warmup_steps=3, num_training_steps=12
    )
    traced = tracing.trace(optimizer, scheduler, 12)
    with tracing.record(optimizer) as log:
        loop(optimizer, scheduler, 12)
    np.testing.assert_array_equal(traced.lr, log.lr)
    assert len(np.unique(log.lr)) > 6
    assert log.against(traced) == ()


@pytest.mark.parametrize("in_epochs", [True, False])
def test_timm_as_in_its_own_loop(in_epochs):
    scheduler_of = peer("timm.scheduler").CosineLRScheduler
    length = 4 if in_epochs else 20

    def build():
        optimizer = sgd(0.1)
        return optimizer, scheduler_of(
            optimizer, length, warmup_t=length // 4, t_in_epochs=in_epochs, noise_range_t=(2, 3)
        )

    optimizer, scheduler = build()
    traced = tracing.trace(optimizer, scheduler, 20, when="epoch", updates_per_epoch=5)
    with tracing.record(optimizer) as log:
        for epoch in range(4):
            for batch in range(5):
                optimizer.step()
                scheduler.step_update(epoch * 5 + batch + 1)
            scheduler.step(epoch + 1)
    np.testing.assert_array_equal(traced.lr, log.lr)
    assert len(np.unique(log.lr)) >= length
    by_update = tracing.trace(*build(), 20)
    optimizer, scheduler = build()
    expected = []
    for made in range(1, 20):
        (scheduler.step if in_epochs else scheduler.step_update)(made)
        expected.append(optimizer.param_groups[0]["lr"])
    np.testing.assert_array_equal(by_update.lr[1:, 0], expected)


def test_timm_plateau():
    with (
        pytest.warns(FutureWarning)
        if hasattr(peer("timm.scheduler"), "WSDLRScheduler")
        else matplotlib.rc_context()
    ):
        optimizer = sgd(1.0)
        scheduler = peer("timm.scheduler").PlateauLRScheduler(optimizer, 0.5, 1, mode="min")
    traced = tracing.trace(optimizer, scheduler, 5, metrics=[1.0] * 5)
    assert traced.lr[:, 0].tolist() == [1, 1, 1, 0.5, 0.5]


# -- arguments --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change, error, told",
    [
        ({"updates": 0}, ValueError, "updates must be a whole number from 1 to 10000000; got 0"),
        ({"updates": 2.5}, ValueError, "from 1 to 10000000; got 2.5"),
        ({"updates": 1e308}, ValueError, "from 1 to 10000000; got 1e\\+308"),
        ({"updates": "9"}, TypeError, "got '9', a str"),
        ({"when": "batch"}, ValueError, '"update" or "epoch", not \'batch\''),
        ({"when": "epoch"}, ValueError, "needs updates_per_epoch"),
        ({"scheduler": lambda t: t}, TypeError, "an object with step"),
        ({"scheduler": ls.StepLR}, TypeError, "an object with step"),
        ({"optimizer": [1]}, TypeError, "must be a torch optimizer, or a wrapper .* a list"),
    ],
)
def test_arguments_that_cannot_be_meant(change, error, told):
    optimizer = sgd()
    given = {"optimizer": optimizer, "scheduler": ls.StepLR(optimizer, 1), "updates": 3} | change
    with pytest.raises(error, match=told):
        tracing.trace(**given)


def test_a_scheduler_of_another_optimizer():
    with pytest.raises(ValueError, match="belongs to another optimizer"):
        tracing.trace(sgd(), ls.StepLR(sgd(), 1), 3)


# -- the table --------------------------------------------------------------------------------


def test_the_table_shows_first_peak_and_last():
    optimizer = sgd(1.0, momentum=0.9)
    text = str(tracing.trace(optimizer, ls.OneCycleLR(optimizer, 1.0, total_steps=100), 100))
    lines = text.splitlines()
    assert "OneCycleLR on SGD: 100 updates" in lines[0]
    assert lines[2].split() == ["update", "group", "0", "momentum,", "group", "0"]
    assert lines[3].split() == ["0", "0.04", "0.95"]
    assert ["29", "1", "0.85", "peak"] in [line.split() for line in lines]
    assert lines[-1].split() == ["99", "4e-06", "0.95", "last"]


def test_rows():
    optimizer = sgd(1.0, momentum=0.9)
    rows = tracing.trace(optimizer, ls.ExponentialLR(optimizer, 0.5), 2).rows()
    assert rows == [
        {"update": 0, "lr group 0": 1.0, "momentum group 0": 0.9},
        {"update": 1, "lr group 0": 0.5, "momentum group 0": 0.9},
    ]


def test_the_figure_draws_the_trace(tmp_path, monkeypatch):
    import matplotlib.pyplot as plt
    from PIL import Image

    kept = []
    monkeypatch.setattr(plt, "close", kept.append)
    optimizer = sgd(1.0, momentum=0.9)
    traced = tracing.trace(optimizer, ls.OneCycleLR(optimizer, 1.0, total_steps=10), 12)
    traced.plot(tmp_path / "one.png")
    monkeypatch.undo()
    with Image.open(tmp_path / "one.png") as image:
        assert image.width > 600
    top, bottom = kept[0].axes
    np.testing.assert_array_equal(top.get_lines()[0].get_ydata()[:-1], traced.lr[:, 0])
    np.testing.assert_array_equal(bottom.get_lines()[0].get_ydata()[:-1], traced.momentum[:, 0])
    assert "error" in top.texts[0].get_text()
    plt.close(kept[0])


# -- records ----------------------------------------------------------------------------------


def test_a_record_of_a_right_loop_agrees_with_shape_trace_and_record():
    shape = s.warmup(3).then(s.cosine(7))
    optimizer = sgd(0.4, momentum=0.9)
    scheduler = s.to_torch(shape, optimizer)
    traced = tracing.trace(optimizer, scheduler, 10)
    with tracing.record(optimizer) as log:
        loop(optimizer, scheduler, 10)
    assert log.against(shape) == log.against(traced) == log.against(log) == ()
    assert log.against(0.4 * shape(range(10))) == ()
    assert str(log.against(shape)) == "nothing found"
    np.testing.assert_array_equal(log.momentum, np.full((10, 1), 0.9))
    assert tracing.lint(log) == ()


def test_the_lag_of_a_warmup_that_is_applied_after_the_epoch():
    """D2L's loop: `scheduler(epoch)` is written into the groups after epoch `epoch`."""
    shape = s.warmup(5, start=0.0).then(s.cosine(25, floor=1 / 30))
    optimizer = sgd(0.3)
    with tracing.record(optimizer) as log:
        for epoch in range(30):
            for _ in range(4):
                optimizer.step()
            optimizer.param_groups[0]["lr"] = 0.3 * shape(epoch)
    (finding,) = log.against(shape, updates_per_epoch=4)
    assert (finding.code, finding.update, finding.value) == ("lag", 0, 0.3)
    assert "4 updates (1 step of the scheduler) after the one intended" in finding.message
    np.testing.assert_allclose(log.lr[::4, 0][:4], [0.3, 0, 0.06, 0.12])


def test_a_loop_that_steps_before_the_update_is_early():
    shape = s.cosine(20)
    optimizer = sgd(1.0)
    scheduler = s.to_torch(shape, optimizer)
    with tracing.record(optimizer) as log:
        for _ in range(20):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch warns of the order
                scheduler.step()
            optimizer.step()
    (finding,) = log.against(shape)
    assert finding.code == "lag"
    assert "1 update before the one intended" in finding.message


def test_another_peak_and_another_schedule_are_told_apart():
    shape = s.cosine(20)
    optimizer = sgd(0.5)
    scheduler = s.to_torch(shape, optimizer)
    with tracing.record(optimizer) as log:
        loop(optimizer, scheduler, 20)
    (scaled,) = log.against(shape, peak=0.25)
    assert scaled.code == "scale"
    assert "every LR is 2 times" in scaled.message
    (other,) = log.against(s.linear(20))
    assert (other.code, other.update, other.group) == ("differs", 1, 0)
    assert f"the LR applied is {0.5 * shape(1):.4g}" in other.message
    assert "and 0.475 was intended; 18 of 20 updates differ" in other.message


def test_a_schedule_that_was_never_stepped():
    optimizer = sgd(1.0)
    shape = s.cosine(20)
    s.to_torch(shape, optimizer)
    with tracing.record(optimizer) as log:
        for _ in range(20):
            optimizer.step()
    (finding,) = log.against(shape)
    assert finding.code == "differs"
    assert "it never changes" in finding.message


def test_a_record_without_updates_agrees_with_nothing():
    optimizer = sgd()
    with tracing.record(optimizer) as log:
        pass
    assert log.against(s.cosine(10)).codes == ("length",)
    assert tracing.lint(log).codes == ("no-updates",)
    with pytest.raises(ValueError, match="updates_per_epoch must be a whole number >= 1; got 0"):
        log.against(s.cosine(10), updates_per_epoch=0)


def test_a_group_that_was_added_on_the_way_has_no_rate_before():
    optimizer = sgd(0.5)
    with tracing.record(optimizer) as log:
        optimizer.step()
        optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.1})
        optimizer.step()
        optimizer.step()
    assert log.against(s.constant(), peak=[0.5, 0.1]) == ()
    assert log.against([0.5] * 3).codes == ("differs",)


def test_a_longer_record_and_other_groups():
    optimizer = sgd(1.0)
    scheduler = ls.ExponentialLR(optimizer, 0.5)
    traced = tracing.trace(optimizer, scheduler, 4)
    with tracing.record(optimizer) as log:
        loop(optimizer, scheduler, 6)
    (finding,) = log.against(traced)
    assert (finding.code, finding.update) == ("length", 4)
    with pytest.raises(ValueError, match="1 groups"):
        log.against(np.ones((6, 3)))


def test_lint_of_a_record():
    optimizer = sgd(1.0)
    with tracing.record(optimizer) as log:
        for lr in (0.0, 0.1, 0.1, 0.1, 1.0, 0.9, math.nan, 0.8):
            optimizer.param_groups[0]["lr"] = lr
            optimizer.step()
    found = {finding.code: finding for finding in tracing.lint(log)}
    assert set(found) == {"zero-start", "jump", "bad-lr"}
    assert (found["jump"].update, found["jump"].value) == (4, 1.0)
    assert found["bad-lr"].update == 6


# -- speed ------------------------------------------------------------------------------------


def quickest(function, times=7):
    """The least processor time in seconds: what else runs here can only add to it."""
    taken = []
    for _ in range(times):
        begin = time.process_time()
        function()
        taken.append(time.process_time() - begin)
    return min(taken)


@pytest.mark.timed
def test_a_trace_and_a_lint_take_milliseconds():
    optimizer = sgd(0.1, momentum=0.9)
    scheduler = ls.CosineAnnealingLR(optimizer, 1000)
    assert quickest(lambda: tracing.trace(optimizer, scheduler, 1000)) < 0.015
    assert quickest(lambda: tracing.lint(optimizer, scheduler, 1000)) < 0.05


@pytest.mark.timed
def test_a_record_adds_next_to_nothing_to_an_update():
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 64), torch.nn.Linear(64, 10)
    )
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    x, y = torch.randn(128, 64), torch.randint(0, 10, (128,))

    def train():
        for _ in range(100):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()

    def recorded():
        with tracing.record(optimizer):
            train()

    train()
    ratios = [quickest(recorded, 5) / quickest(train, 5) for _ in range(15)]
    assert min(ratios) < 1.02
