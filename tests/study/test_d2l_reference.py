"""``fit`` equals D2L's loop update for update, and the notebook's real rates are those we name."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from lrcourse import data, models, published, training
from lrcourse import schedules as s
from lrcourse.recorder import Recorder
from lrcourse.study import d2l_reference

pytest.importorskip("d2l")

# The notebook's own schedules by their formulas, asked with the number of the epoch.


def square_root(epoch):
    return 0.1 * (epoch + 1) ** -0.5


def cosine(epoch, warmup=0):
    if epoch < warmup:
        return 0.3 * epoch / warmup
    share = min(epoch - warmup, 20 - warmup) / (20 - warmup)
    return 0.01 + 0.29 * (1 + math.cos(math.pi * share)) / 2


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", device="cpu").subset(192)


def run_reference(digits, epochs, lr, scheduler=None, seed=1, model=None):
    model = model or models.mlp(2, 8, seed=seed)
    trainer = torch.optim.SGD(model.parameters(), lr=lr)
    train_iter, test_iter = d2l_reference.iterators(digits, 64, seed)
    if isinstance(scheduler, type):
        scheduler = scheduler(trainer, [15, 30], gamma=0.5)
        d2l_reference.plot_by_stepping(trainer, scheduler, 30)
    with Recorder(trainer) as log:
        rows = d2l_reference.loop(
            model, train_iter, test_iter, epochs, nn.CrossEntropyLoss(), trainer,
            torch.device("cpu"), scheduler,
        )  # fmt: skip
    return model, log.lr[:, 0], np.array(rows)


@pytest.mark.parametrize(
    ("name", "first_lr", "scheduler"),
    [
        ("constant", 0.3, None),
        ("square root", 0.1, square_root),
        ("multistep", 0.5, torch.optim.lr_scheduler.MultiStepLR),
        ("cosine", 0.3, cosine),
        ("warmup + cosine", 0.3, lambda epoch: cosine(epoch, warmup=5)),
    ],
)
def test_the_applied_rates_are_those_of_the_notebook(digits, name, first_lr, scheduler):
    """Run D2L's loop with D2L's schedules, and compare what it applied with APPLIED."""
    _, lr, _ = run_reference(digits, 30, first_lr, scheduler)
    peak, shape = d2l_reference.APPLIED[name]
    expected = peak * shape(np.arange(30))
    np.testing.assert_allclose(lr, np.repeat(expected, 3), rtol=1e-12, atol=1e-17)


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("square root", square_root),
        ("cosine", cosine),
        ("warmup + cosine", lambda epoch: cosine(epoch, warmup=5)),
        ("multistep", lambda epoch: 0.5 if epoch < 15 else 0.25),
    ],
)
def test_the_intended_rates_are_those_of_the_text(name, formula):
    peak, shape = d2l_reference.INTENDED[name]
    expected = [formula(epoch) for epoch in range(30)]
    np.testing.assert_allclose(peak * shape(np.arange(30)), expected, rtol=1e-12, atol=1e-17)


@pytest.mark.parametrize("model", ["mlp", "lenet"])
def test_fit_is_the_same_training(digits, model):
    """Same weights, same batches, same rates: the same parameters after 45 updates."""

    def build():
        return models.lenet(seed=3) if model == "lenet" else models.mlp(2, 8, seed=3)

    def lag(epoch):
        return cosine(epoch, warmup=5)

    theirs, lr, rows = run_reference(digits, 15, 0.3, lag, seed=5, model=build())
    ours = build()
    shape = d2l_reference.APPLIED["warmup + cosine"][1]
    history = training.fit(
        ours, digits, torch.optim.SGD(ours.parameters(), lr=0.3), shape,
        epochs=15, batch_size=64, seed=5, when="epoch",
    )  # fmt: skip
    np.testing.assert_allclose(history.lr, lr, rtol=1e-12, atol=1e-17)
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(history.train_loss, rows[:, 0], rtol=1e-5)
    np.testing.assert_allclose(history.train_acc, rows[:, 1], atol=1e-9)
    np.testing.assert_allclose(history.test_acc, rows[:, 2], atol=1e-6)


def test_side_by_side_sees_a_difference(digits, monkeypatch):
    gaps = d2l_reference.side_by_side(digits, epochs=12, batch_size=64)
    assert gaps[0] < 1e-12
    assert gaps[1] < 1e-6
    late = d2l_reference.APPLIED | {"warmup + cosine": d2l_reference.INTENDED["warmup + cosine"]}
    monkeypatch.setattr(d2l_reference, "APPLIED", late)
    gaps = d2l_reference.side_by_side(digits, epochs=12, batch_size=64)
    assert gaps[0] > 0.05
    assert gaps[1] > 1e-3


def test_our_lenet_is_the_notebooks_net(digits):
    torch.manual_seed(11)
    theirs = d2l_reference.net()
    ours = models.lenet(seed=11)
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(one, other)
    X = digits.train.X[:50]
    torch.testing.assert_close(ours(X), theirs(X), rtol=1e-5, atol=1e-6)


def test_lagged_starts_at_the_optimizers_rate():
    shape = d2l_reference.lagged(s.linear(4))
    np.testing.assert_array_equal(shape(np.arange(6)), [1, 1, 0.75, 0.5, 0.25, 0])


def test_without_d2l_the_way_is_said(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "d2l", None)
    with pytest.raises(ImportError, match="pip install --no-deps d2l"):
        d2l_reference.d2l()


def test_every_run_has_its_published_numbers():
    assert set(d2l_reference.PUBLISHED) == set(d2l_reference.INTENDED) == set(d2l_reference.APPLIED)
    for entry in d2l_reference.PUBLISHED.values():
        assert len(published.find(entry)) == 3
