"""Saving and restoring: the same objects with the same bits, whatever happened in between."""

import copy
import random
from collections import deque

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, RandomSampler, Sampler, TensorDataset

from lrcourse.rangetest.randomness import seed_everything
from lrcourse.rangetest.snapshot import Snapshot


class Odd(nn.Module):
    """A net with everything that is easily forgotten."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)
        self.second.weight = self.first.weight  # tied
        self.norm = nn.BatchNorm1d(4)
        self.frozen = nn.Parameter(torch.ones(3), requires_grad=False)
        self.register_buffer("replaced", torch.zeros(2))
        self.register_buffer("hidden", torch.zeros(2), persistent=False)
        self.register_buffer("shown_often", torch.zeros(1).expand(5))
        self.calls = 0
        self.plain = torch.zeros(2)
        self.seen = []
        self.draw = torch.Generator().manual_seed(5)
        self.noise = np.random.default_rng(5)

    def disturb(self):
        with torch.no_grad():
            for p in self.parameters():
                p.mul_(1.5).add_(float("nan"))
            self.norm.running_mean.add_(1)
            self.hidden.add_(1)
            self.plain.add_(1)
        self.replaced = self.replaced + 1
        self.calls += 1
        self.seen.append(1)
        self.later = 3
        self.norm.eval()
        self.first.bias.requires_grad_(False)
        self.frozen.requires_grad_(True)
        self.first.bias.grad = torch.ones(4)
        self.second.bias.grad.zero_()
        self.first.weight.grad = None
        torch.rand(3, generator=self.draw)
        self.noise.random(3)


def test_a_net_comes_back_with_its_objects():
    net = Odd()
    net.first.weight.grad = torch.full((4, 4), 2.0)
    net.second.bias.grad = torch.full((4,), 3.0)
    objects = {name: getattr(net, name) for name in ("replaced", "hidden", "plain", "seen", "draw")}
    objects |= dict(net.named_parameters(remove_duplicate=False))
    grads = {n: p.grad for n, p in net.named_parameters()}
    numbers = {n: None if g is None else g.clone() for n, g in grads.items()}
    twin = copy.deepcopy(net)
    state = Snapshot()
    state.keep(net)
    for _ in range(2):  # one snapshot serves several repeats
        net.disturb()
        assert not torch.equal(net.hidden, twin.hidden)
        state.restore()
        now = dict(net.named_parameters(remove_duplicate=False))
        for name, thing in objects.items():
            assert (now[name] if name in now else getattr(net, name)) is thing, name
        for (name, p), q in zip(net.named_parameters(), twin.parameters(), strict=True):
            assert p.detach().numpy().tobytes() == q.detach().numpy().tobytes(), name
            assert p.requires_grad == q.requires_grad, name
            assert p.grad is grads[name], name
            assert p.grad is None or torch.equal(p.grad, numbers[name]), name
        for p, q in zip(net.buffers(), twin.buffers(), strict=True):
            assert torch.equal(p, q)
        assert torch.equal(net.plain, twin.plain)
        assert net.second.weight is net.first.weight
        assert (net.calls, net.seen, hasattr(net, "later")) == (0, [], False)
        assert net.norm.training and net.training
        assert torch.equal(net.draw.get_state(), twin.draw.get_state())
        assert net.noise.bit_generator.state == twin.noise.bit_generator.state


def test_strides_and_bits_survive():
    net = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last).to(torch.bfloat16)
    with torch.no_grad():
        net.weight.view(torch.int16)[0, 0, 0, 0] = -1  # a NaN with a payload
        net.weight[0, 0, 0, 1] = -0.0
    stride, bits = net.weight.stride(), net.weight.view(torch.int16).clone()
    state = Snapshot()
    state.keep(net)
    with torch.no_grad():
        net.weight.zero_()
    state.restore()
    assert net.weight.stride() == stride
    assert torch.equal(net.weight.view(torch.int16), bits)


@pytest.mark.parametrize("warm", [False, True], ids=["new", "with state"])
@pytest.mark.parametrize(
    "kind, options",
    [
        (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
        (torch.optim.AdamW, {"amsgrad": True}),
        (torch.optim.Adam, {"fused": True}),
        (torch.optim.Adam, {"foreach": True}),
        (torch.optim.Adam, {"lr": torch.tensor(0.1)}),
        (torch.optim.RMSprop, {"centered": True, "momentum": 0.5}),
        (torch.optim.Rprop, {}),
        (torch.optim.ASGD, {}),
    ],
)
def test_an_optimizer_comes_back(kind, options, warm):
    net = nn.Linear(3, 2)
    optimizer = kind(net.parameters(), **({"lr": 0.1} | options))

    def step():
        net.zero_grad()
        net(torch.ones(1, 3)).sum().backward()
        optimizer.step()

    if warm:
        step()
    before = copy.deepcopy(optimizer.state_dict())
    rates = [group["lr"] for group in optimizer.param_groups]
    inner = {p: (id(s), {k: id(v) for k, v in s.items()}) for p, s in optimizer.state.items()}
    attributes = dict(vars(optimizer))
    state = Snapshot()
    state.keep(net, optimizer)
    step()
    for group in optimizer.param_groups:
        group["momentum"] = 0.123
        group["new"] = 1
        if torch.is_tensor(group["lr"]):
            group["lr"].fill_(7.0)
        else:
            group["lr"] = 7.0
    optimizer._opt_called = True
    state.restore()
    after = optimizer.state_dict()
    assert repr(after) == repr(before)
    assert all(g["lr"] is lr for g, lr in zip(optimizer.param_groups, rates, strict=True))
    again = {p: (id(s), {k: id(v) for k, v in s.items()}) for p, s in optimizer.state.items()}
    assert {p: i for p, (i, _) in again.items()} == {p: i for p, (i, _) in inner.items()}
    tensors = [(p, k) for p, s in optimizer.state.items() for k in s if torch.is_tensor(s[k])]
    assert all(again[p][1][k] == inner[p][1][k] for p, k in tensors)
    assert vars(optimizer) == attributes


def test_random_state_of_python_numpy_and_torch():
    state = Snapshot()
    state.keep_random_state()
    first = random.random(), np.random.rand(), torch.rand(1).item()
    seed_everything(99)
    seeded = random.random(), np.random.rand(), torch.rand(1).item()
    seed_everything(99)
    assert seeded == (random.random(), np.random.rand(), torch.rand(1).item())
    assert seeded != first
    state.restore()
    assert first == (random.random(), np.random.rand(), torch.rand(1).item())


class Wandering(Sampler):
    """A sampler with state of every kind."""

    def __init__(self, n):
        self.n, self.epoch, self.queue = n, 0, deque([1])
        self.rng, self.old, self.python = (
            np.random.default_rng(1),
            np.random.RandomState(1),
            random.Random(1),
        )

    def __iter__(self):
        self.epoch += 1
        self.queue.append(self.epoch)
        a, b = self.old.randint(self.n), self.python.randrange(self.n)
        yield from [self.epoch % self.n, a, b, *self.rng.permutation(self.n).tolist()]


def test_a_loader_s_future():
    data = TensorDataset(torch.arange(10.0))
    own = torch.Generator().manual_seed(3)
    loaders = [
        DataLoader(data, 2, shuffle=True),
        DataLoader(data, 2, shuffle=True, generator=own),
        DataLoader(data, 2, sampler=Wandering(10)),
        DataLoader(data, 3, sampler=RandomSampler(data, replacement=True, generator=own)),
    ]

    def future(loader):
        return [batch[0].tolist() for _ in range(2) for batch in loader]

    for loader in loaders:
        state = Snapshot()
        state.keep_random_state()
        state.keep_feed([loader, None])
        expected = future(loader)
        assert future(loader) != expected
        state.restore()
        assert future(loader) == expected


def test_the_data_of_a_loader_are_not_copied():
    class Heavy(TensorDataset):
        names = ()

    data = Heavy(torch.zeros(10))
    data.names = [[k] for k in range(101)]
    data.epoch = 0
    state = Snapshot()
    state.keep_feed(DataLoader(data, 2))
    data.epoch = 1
    data.names[0].append("new")
    data.tensors[0].add_(1)
    state.restore()
    assert data.epoch == 0
    assert data.names[0] == [0, "new"] and data.tensors[0].sum() == 10


def test_large_tensors_and_arrays_of_a_function_are_taken_for_data():
    small, large, array = torch.zeros(3), torch.zeros(300), np.zeros(300)
    state = Snapshot(room=100)
    state.keep_functions(lambda: (small, large, array))
    for numbers in (small, large, array):
        numbers += 1
    state.restore()
    assert small.sum() == 0 and large[0] == array[0] == 1


class Stubborn(list):
    """A list whose clearing fails a few times."""

    def __init__(self, error, times):
        super().__init__([1])
        self.error, self.times = error, iter(range(times))

    def clear(self):
        if next(self.times, None) is not None:
            raise self.error
        super().clear()


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_the_rest_is_restored_when_a_part_fails_or_is_interrupted(error):
    state = Snapshot()
    fails, numbers = Stubborn(error, 1), [1]
    state.keep(fails, numbers)
    fails.append(2)
    numbers.append(2)
    with pytest.raises(error):
        state.restore()
    assert numbers == [1]
    assert fails == ([1] if error is KeyboardInterrupt else [1, 2])
