"""State of every kind is put back: objects, averages, scalers, schedulers, samplers."""

import copy
import random

import numpy as np
import pytest
import torch
from helpers.toys import BATCHES, X, Y, net_of, sgd
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler, TensorDataset

from lrcourse.rangetest import range_test

HOW = {"start": 1e-3, "end": 0.1, "updates": 12, "progress": False}


class Momentum:
    """What some optimizers keep for a parameter, with attributes or with slots."""

    def __init__(self, p):
        self.mean, self.steps = torch.zeros_like(p), 0


class Slotted:
    __slots__ = ("mean", "steps")

    def __init__(self, p):
        self.mean, self.steps = torch.zeros_like(p), 0


class OfObjects(torch.optim.Optimizer):
    """SGD with momentum whose state lies in objects."""

    def __init__(self, params, kind, lr=0.1):
        super().__init__(params, {"lr": lr})
        self.kind = kind

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                own = self.state[p].setdefault("own", self.kind(p))
                own.steps += 1
                own.mean.mul_(0.9).add_(p.grad)
                p.add_(own.mean, alpha=-group["lr"])


def one_update(net, optimizer):
    optimizer.zero_grad()
    functional.cross_entropy(net(X[:8]), Y[:8]).backward()
    optimizer.step()


@pytest.mark.parametrize("kind", [Momentum, Slotted])
def test_state_in_objects(kind):
    net = net_of()
    optimizer = OfObjects(net.parameters(), kind)
    one_update(net, optimizer)
    own = [optimizer.state[p]["own"] for p in net.parameters()]
    before = [one.mean.clone() for one in own]
    range_test(net, optimizer, BATCHES, **HOW)
    assert [optimizer.state[p]["own"] for p in net.parameters()] == own
    assert all(torch.equal(one.mean, mean) for one, mean in zip(own, before, strict=True))
    assert {one.steps for one in own} == {1}


class Quantized(torch.Tensor):
    """Eight bits and a scale, as torchao's optimizers keep their state: its own copy_ rounds."""

    @staticmethod
    def __new__(cls, codes, scale):
        return torch.Tensor._make_wrapper_subclass(cls, codes.shape, dtype=torch.float32)

    def __init__(self, codes, scale):
        self.codes, self.scale = codes, scale

    def __tensor_flatten__(self):
        return ["codes", "scale"], None

    @classmethod
    def __tensor_unflatten__(cls, inner, meta, size, stride):
        return cls(inner["codes"], inner["scale"])

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        raise NotImplementedError(f"{function} is not written for quantized state")

    def add(self, gradient):
        value = self.codes.float() * self.scale * 0.9 + gradient
        self.scale.copy_(value.abs().max() / 127)
        self.codes.copy_((value / self.scale).round())
        return self.codes.float() * self.scale


class EightBits(torch.optim.Optimizer):
    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if "mean" not in self.state[p]:
                    codes = torch.zeros(p.shape, dtype=torch.int8)
                    self.state[p]["mean"] = Quantized(codes, torch.ones(()))
                p.sub_(group["lr"] * self.state[p]["mean"].add(p.grad))


@pytest.mark.parametrize("warm", [False, True])
def test_quantized_state(warm):
    net = net_of()
    optimizer = EightBits(net.parameters())
    if warm:
        one_update(net, optimizer)
    kept = {p: s["mean"] for p, s in optimizer.state.items()}
    before = {p: (mean.codes.clone(), mean.scale.clone()) for p, mean in kept.items()}
    test = range_test(net, optimizer, BATCHES, repeats=2, **HOW)
    assert test.state_before is warm
    assert {p: s["mean"] for p, s in optimizer.state.items()} == kept
    for p, (codes, scale) in before.items():
        assert torch.equal(kept[p].codes, codes) and torch.equal(kept[p].scale, scale)


def averaged(net):
    return torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)
    )


def everything_of(*modules):
    return [t.detach().clone() for m in modules for t in (*m.parameters(), *m.buffers())]


def test_what_a_step_trains_beside_the_net():
    """An average of the weights, another net with an optimizer, a scheduler and a scaler."""
    net, other, optimizer = net_of(), nn.Linear(3, 1), None
    second = torch.optim.Adam(other.parameters(), lr=0.01)
    one_update(nn.Sequential(net_of(), other, nn.Linear(1, 3)), second)
    scheduler = torch.optim.lr_scheduler.StepLR(second, 2, 0.5)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=1)
    average, seen, own = averaged(net), [], {"centre": torch.zeros(3)}

    def step(net, batch):
        outputs = net(batch[0])
        second.zero_grad()
        scaler.scale(other(outputs.detach()).square().mean()).backward()
        scaler.step(second)
        scaler.update()
        scheduler.step()
        average.update_parameters(net)
        own["centre"].lerp_(outputs.detach().mean(0), 0.1)
        seen.append(len(seen))
        return functional.cross_entropy(outputs, batch[1])

    optimizer = sgd(net)
    before = everything_of(net, other, average), copy.deepcopy(second.state_dict())
    states = dict(vars(scheduler)), scaler.state_dict(), scheduler.get_last_lr()
    range_test(net, optimizer, BATCHES, step=step, repeats=2, **HOW)
    after = everything_of(net, other, average)
    assert all(torch.equal(a, b) for a, b in zip(before[0], after, strict=True))
    assert repr(second.state_dict()) == repr(before[1])
    assert (vars(scheduler), scaler.state_dict(), scheduler.get_last_lr()) == states
    assert torch.equal(own["centre"], torch.zeros(3))
    assert len(seen) == 24  # a list of its own is a person's way to look into a step


def test_an_average_that_a_hook_of_the_optimizer_keeps():
    net = net_of()
    optimizer, average = sgd(net), averaged(net)
    optimizer.register_step_post_hook(lambda *_: average.update_parameters(net))
    before = everything_of(average)
    range_test(net, optimizer, BATCHES, **HOW)
    assert all(torch.equal(a, b) for a, b in zip(before, everything_of(average), strict=True))


def test_objects_that_a_net_holds():
    class Bank:
        def __init__(self):
            self.queue, self.filled = torch.zeros(16, 3), 0

        def add(self, outputs):
            self.queue = torch.cat([self.queue[len(outputs) :], outputs.detach()])
            self.filled += len(outputs)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.bank = nn.Linear(6, 3), Bank()

        def forward(self, x):
            outputs = self.body(x)
            self.bank.add(outputs)
            return outputs

    net = Net()
    bank, queue = net.bank, net.bank.queue
    range_test(net, sgd(net), BATCHES, **HOW)
    assert net.bank is bank and bank.queue is queue and bank.filled == 0


def test_parameters_whose_memory_was_exchanged():
    """An average that changes places with the weights does so by `.data`."""
    net = nn.Linear(6, 3)
    shadow = {name: p.detach().clone() + 1 for name, p in net.named_parameters()}
    before = {n: (p.data_ptr(), p.detach().clone()) for n, p in net.named_parameters()}
    kept = {name: tensor.clone() for name, tensor in shadow.items()}

    def step(net, batch):
        for name, p in net.named_parameters():
            p.data, shadow[name] = shadow[name], p.data
        return functional.cross_entropy(net(batch[0]), batch[1])

    range_test(net, sgd(net), BATCHES, step=step, **(HOW | {"updates": 4}))
    for name, p in net.named_parameters():
        assert p.data_ptr() == before[name][0] and torch.equal(p, before[name][1])
        assert torch.equal(shadow[name], kept[name])


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_all_of_it_also_after_an_interruption(error):
    net = net_of()
    optimizer, average = OfObjects(net.parameters(), Momentum), averaged(net)
    one_update(net, optimizer)
    own = optimizer.state[net[0].weight]["own"]
    before = everything_of(net, average), own.mean.clone(), own.steps
    calls = []

    def step(net, batch):
        average.update_parameters(net)
        calls.append(1)
        if len(calls) == 5:
            raise error
        return functional.cross_entropy(net(batch[0]), batch[1])

    with pytest.raises(error):
        range_test(net, optimizer, BATCHES, step=step, **HOW)
    after = everything_of(net, average)
    assert all(torch.equal(a, b) for a, b in zip(before[0], after, strict=True))
    assert torch.equal(own.mean, before[1]) and own.steps == before[2]


# -- loaders ----------------------------------------------------------------------------------


class Shuffled(Sampler):
    """A sampler that shuffles its own order, of one kind or another, at each epoch."""

    def __init__(self, n, kind):
        make = {"list": lambda n: list(range(n)), "array": np.arange, "tensor": torch.arange}
        self.order = make[kind](n)

    def __iter__(self):
        if isinstance(self.order, list):
            random.shuffle(self.order)
        elif isinstance(self.order, np.ndarray):
            np.random.shuffle(self.order)
        else:
            self.order.copy_(self.order[torch.randperm(len(self.order))])
        return iter([int(k) for k in self.order])

    def __len__(self):
        return len(self.order)


class Files(IterableDataset):
    """It shuffles its list of files, as those for large data do."""

    def __init__(self, n):
        self.files = list(range(n))

    def __iter__(self):
        random.shuffle(self.files)
        return ((X[k % 64], Y[k % 64]) for k in self.files)


class Own:
    """A loader written by hand."""

    def __init__(self, n):
        self.order, self.epoch = np.arange(n), 0

    def __iter__(self):
        self.epoch += 1
        np.random.shuffle(self.order)
        for rows in self.order.reshape(-1, 8):
            yield X[rows % 64], Y[rows % 64]


class Counting:
    """An iterator that only counts: it can be put back."""

    def __init__(self):
        self.k = 0

    def __iter__(self):
        return self

    def __next__(self):
        self.k += 1
        return BATCHES[self.k % 8]


LOADERS = {
    "list": lambda: DataLoader(TensorDataset(X, Y), 8, sampler=Shuffled(64, "list")),
    "long list": lambda: DataLoader(
        TensorDataset(X.repeat(4, 1), Y.repeat(4)), 8, sampler=Shuffled(256, "list")
    ),
    "array": lambda: DataLoader(TensorDataset(X, Y), 8, sampler=Shuffled(64, "array")),
    "tensor": lambda: DataLoader(TensorDataset(X, Y), 8, sampler=Shuffled(64, "tensor")),
    "iterable data set": lambda: DataLoader(Files(208), 8),
    "by hand": lambda: Own(208),
    "counting": Counting,
}


@pytest.mark.parametrize("name", LOADERS)
def test_what_shuffles_in_place_has_the_same_future(name):
    def next_epoch(tested):
        loader = LOADERS[name]()
        if tested:
            test = range_test(net := net_of(), sgd(net), loader, **(HOW | {"updates": 30}))
            assert test.consumed is None
        torch.manual_seed(1)
        random.seed(1)
        np.random.seed(1)
        return [batch[1].tolist() for batch, _ in zip(loader, range(26), strict=False)]

    assert next_epoch(True) == next_epoch(False)


def test_a_live_iterator_inside_a_loader_is_told():
    """Some loaders keep one iterator for ever; what was drawn from it is gone."""

    class Endless(DataLoader):
        def __iter__(self):
            if not hasattr(self, "running"):
                self.running = super().__iter__()
            for _ in range(len(self)):
                try:
                    yield next(self.running)
                except StopIteration:
                    self.running = super().__iter__()
                    yield next(self.running)

    loader = Endless(TensorDataset(X, Y), 8)
    fresh = range_test(net := net_of(), sgd(net), loader, **HOW)
    assert fresh.consumed is None and not hasattr(loader, "running")
    next(iter(loader))
    test = range_test(net, sgd(net), loader, **HOW)
    assert test.consumed == 12 and "12 batches were consumed" in repr(test)


def test_a_live_iterator_with_workers_goes_on():
    loader = DataLoader(TensorDataset(X, Y), 8, num_workers=1)
    under_way = iter(loader)
    next(under_way)
    test = range_test(net := net_of(), sgd(net), under_way, **(HOW | {"updates": 3}))
    assert test.consumed == 3
    assert [y.tolist() for _, y in under_way] == [y.tolist() for _, y in BATCHES[4:]]


def test_data_sets_that_a_function_uses_are_not_copied():
    class Counted(Dataset):
        def __init__(self):
            self.images = X

        def __len__(self):
            return 64

        def __getitem__(self, k):
            return self.images[k], Y[k]

    data = Counted()
    version = data.images._version

    def step(net, batch):
        inputs, _ = data[int(batch[1][0])]
        return functional.cross_entropy(net(batch[0] + inputs * 0), batch[1])

    range_test(net := net_of(), sgd(net), BATCHES, step=step, **HOW)
    assert data.images._version == version  # nothing was written back into it
