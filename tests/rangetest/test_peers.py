"""The range test beside the finders that people use: the same curve where the meanings agree."""

import contextlib
import copy
import io

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from lrcourse.rangetest import range_test

torch.manual_seed(1)
X = torch.randn(96, 8)
Y = (X @ torch.randn(8, 4)).argmax(1)
DATA = TensorDataset(X, Y)


def net_of():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 4))


def peer(net, optimizer, loader, start, **options):
    """torch-lr-finder's history of a sweep, without its smoothing; and the finder."""
    finders = pytest.importorskip("torch_lr_finder")
    finder = finders.LRFinder(net, optimizer, nn.CrossEntropyLoss(), device="cpu")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        finder.range_test(loader, start_lr=start, smooth_f=0, **options)
    return finder


@pytest.mark.parametrize("mode, scale", [("exp", "log"), ("linear", "linear")])
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_curve_of_torch_lr_finder(mode, scale, kind, accumulate):
    loader = DataLoader(DATA, 12, shuffle=True)
    net = net_of()
    torch.manual_seed(5)
    theirs = peer(
        net,
        kind(net.parameters(), lr=0.1),
        loader,
        1e-4,
        end_lr=0.5,
        num_iter=25,
        step_mode=mode,
        accumulation_steps=accumulate,
        diverge_th=1e9,
    ).history
    net = net_of()
    ours = range_test(
        net,
        kind(net.parameters(), lr=0.1),
        loader,
        start=1e-4,
        end=0.5,
        updates=25,
        scale=scale,
        accumulate=accumulate,
        diverged=1e9,
        seed=5,
    )
    np.testing.assert_allclose(ours.lr, theirs["lr"], rtol=1e-12)
    np.testing.assert_allclose(ours.loss[0], theirs["loss"], rtol=1e-5)


def test_the_held_out_curve_of_torch_lr_finder():
    net, held_out = net_of(), DataLoader(TensorDataset(X[:30], Y[:30]), 7)
    loader = DataLoader(DATA, 12)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    options = {"end_lr": 0.5, "num_iter": 20, "diverge_th": 1e9}
    theirs = peer(net, optimizer, loader, 1e-3, val_loader=held_out, **options).history
    net = net_of()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    ours = range_test(
        net, optimizer, loader, start=1e-3, end=0.5, updates=20, held_out=held_out, diverged=1e9
    )
    np.testing.assert_allclose(ours.held_out_loss[0], theirs["loss"], rtol=1e-5)


def test_its_reset_is_ours_without_asking():
    """After its reset the model is as before; here the random state and the grads are, too."""
    net, loader = net_of(), DataLoader(DATA, 12, shuffle=True)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    before = copy.deepcopy((net.state_dict(), optimizer.state_dict()))
    finder = peer(net, optimizer, loader, None, end_lr=1.0, num_iter=10)
    finder.reset()
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[0][name])
    assert net[0].weight.grad is not None  # theirs leaves these
    net = net_of()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    state = torch.get_rng_state()
    test = range_test(net, optimizer, loader, start=0.1, end=1.0, updates=10)
    assert len(test.lr) == len(test.loss[0]) == len(finder.history["lr"]) == 10
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[0][name])
    assert optimizer.state_dict() == before[1]
    assert net[0].weight.grad is None
    assert torch.equal(state, torch.get_rng_state())


def test_the_range_test_of_pytorch_cifar100_by_its_formula():
    """weiaicunzai's lr_finder.py: base (max/base)**(k/N), stepped before use, so from k = 1."""
    base, highest, count = 1e-4, 0.5, 20
    batches = list(zip(X.split(12), Y.split(12), strict=True))
    how = {"momentum": 0.9, "weight_decay": 1e-4, "nesterov": True}
    net = net_of()
    optimizer = torch.optim.SGD(net.parameters(), lr=base, **how)
    rates, losses = [], []
    for n in range(count):
        rates.append(base * (highest / base) ** ((n + 1) / count))
        optimizer.param_groups[0]["lr"] = rates[-1]
        inputs, targets = batches[n % len(batches)]
        optimizer.zero_grad()
        loss = functional.cross_entropy(net(inputs), targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    net = net_of()
    optimizer = torch.optim.SGD(net.parameters(), lr=base, **how)
    test = range_test(
        net, optimizer, batches, start=rates[0], end=highest, updates=count, diverged=1e9
    )
    np.testing.assert_allclose(test.lr, rates, rtol=1e-12)
    np.testing.assert_allclose(test.loss[0], losses, rtol=1e-6)
    through = range_test(
        net, optimizer, batches, start=base, end=highest, updates=count + 1, diverged=1e9
    )
    np.testing.assert_allclose(through.lr[1:], rates, rtol=1e-12)


def test_a_model_of_transformers():
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=20,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        num_labels=3,
    )
    torch.manual_seed(0)
    net = transformers.BertForSequenceClassification(config)
    words = torch.randint(0, 20, (24, 5))
    encoded = [
        transformers.BatchEncoding({"input_ids": part, "labels": part[:, 0] % 3})
        for part in words.split(8)
    ]
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    before = copy.deepcopy(net.state_dict())
    test = range_test(net, optimizer, encoded, start=1e-5, end=1e-2, updates=12, held_out=encoded)
    assert test.accuracy.shape == test.held_out_accuracy.shape == (1, 12)
    assert test.loss[0, -1] < test.loss[0, 0]
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
