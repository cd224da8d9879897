"""Gradient noise, against the closed form of a linear model and against batches that are drawn."""

import numpy as np
import pytest
import torch
from torch import nn

from lrcourse import models
from lrcourse.data import Split
from lrcourse.study.gradient_noise import Noise, gradient_noise, scatter


def half_square(outputs, y):
    return ((outputs[:, 0] - y) ** 2).mean() / 2


@pytest.fixture
def linear():
    """A linear model with a squared loss: image i has the gradient (w x_i - y_i) x_i."""
    random = torch.Generator().manual_seed(0)
    X = torch.randn(150, 4, generator=random)
    y = X @ torch.tensor([1.0, -2.0, 0.5, 3.0]) + torch.randn(150, generator=random)
    y = y.round().long()  # whole numbers, as labels are
    net = nn.Linear(4, 1, bias=False)
    nn.init.constant_(net.weight, 0.3)
    each = (X @ torch.full((4,), 0.3) - y)[:, None].numpy() * X.numpy()
    return net, Split(X, y), each.astype(np.float64)


def test_signal_and_trace_are_those_of_the_closed_form(linear):
    net, split, each = linear
    noise = gradient_noise(net, split, half_square)
    signal = float((each.mean(0) ** 2).sum())
    trace = float(np.cov(each.T, bias=True).trace())
    assert noise.images == 150
    assert noise.signal == pytest.approx(signal, rel=1e-5)
    assert noise.trace == pytest.approx(trace, rel=1e-5)
    assert noise.variance(8) == pytest.approx(trace / 8, rel=1e-5)
    assert noise.share(8) == pytest.approx(trace / 8 / signal, rel=1e-5)
    assert noise.share(1) == pytest.approx(noise.critical_batch)


def test_drawn_batches_scatter_as_computed(linear):
    net, split, each = linear
    trace = float(np.cov(each.T, bias=True).trace())
    found = scatter(net, split, (1, 4, 16), draws=1000, loss_fn=half_square)
    np.testing.assert_allclose(found, [trace, trace / 4, trace / 16], rtol=0.12)


def test_a_net_agrees_with_gradients_one_by_one():
    random = torch.Generator().manual_seed(3)
    split = Split(
        torch.rand(70, 1, 28, 28, generator=random), torch.randint(10, (70,), generator=random)
    )
    net = models.lenet(seed=0)
    rows = []
    for x, label in zip(split.X, split.y, strict=True):
        loss = nn.functional.cross_entropy(net(x[None]), label[None])
        parts = torch.autograd.grad(loss, list(net.parameters()))
        rows.append(torch.cat([part.flatten() for part in parts]).double())
    rows = torch.stack(rows)
    noise = gradient_noise(net, split)
    assert noise.signal == pytest.approx(float((rows.mean(0) ** 2).sum()), rel=1e-4)
    assert noise.trace == pytest.approx(float(rows.var(0, correction=0).sum()), rel=1e-4)


def test_the_net_stays_as_it_was():
    net = models.mlp(2, 8, seed=0)
    net.train()
    net[1].weight.grad = torch.ones_like(net[1].weight)
    before = [w.detach().clone() for w in net.parameters()]
    split = Split(torch.rand(5, 1, 28, 28), torch.arange(5))
    gradient_noise(net, split)
    scatter(net, split, [2], draws=2)
    assert net.training
    assert bool((net[1].weight.grad == 1).all())
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))


def test_what_cannot_be_measured():
    split = Split(torch.rand(5, 1, 28, 28), torch.arange(5))
    for measure in (gradient_noise, lambda net, split: scatter(net, split, [2])):
        with pytest.raises(ValueError, match=r"net must be a net without BatchNorm, .*none has a"):
            measure(models.lenet(True), split)
    net = models.mlp(2, 8)
    for wrong in (0, -1, 2.5, True):
        with pytest.raises(
            (TypeError, ValueError), match=r"batch_sizes\[0\] must be a whole number >= 1"
        ):
            scatter(net, split, [wrong])
        with pytest.raises((TypeError, ValueError), match="batch_size must be a whole number >= 1"):
            Noise(1.0, 1.0, 5).variance(wrong)
    with pytest.raises(ValueError, match="draws must be a whole number >= 2"):
        scatter(net, split, [2], draws=1)
