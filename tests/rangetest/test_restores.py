"""After a range test everything is bit for bit as before."""

import random

import numpy as np
import pytest
import torch
from helpers.toys import BATCHES, X, Y, fingerprint, net_of, random_states, sgd
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from lrcourse.rangetest import range_test

OPTIMIZERS = {
    "sgd": lambda g: torch.optim.SGD(g, lr=0.1),
    "momentum": lambda g: torch.optim.SGD(g, lr=0.1, momentum=0.9, weight_decay=0.01),
    "adam": lambda g: torch.optim.Adam(g, lr=0.1, amsgrad=True),
    "adamw": lambda g: torch.optim.AdamW(g, lr=0.1, foreach=True),
    "fused": lambda g: torch.optim.Adam(g, lr=0.1, fused=True),
    "rmsprop": lambda g: torch.optim.RMSprop(g, lr=0.1, momentum=0.5),
    "adagrad": lambda g: torch.optim.Adagrad(g, lr=0.1),
    "nadam": lambda g: torch.optim.NAdam(g, lr=0.1),
}


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_everything_is_as_before(pick):
    layers, width = pick.draw(st.integers(1, 3)), pick.draw(st.integers(1, 5))
    parts = [nn.Linear(6, width)]
    for _ in range(layers):
        kind = pick.draw(st.sampled_from(["bn", "drop", "linear", "relu", "group"]))
        parts.append(
            {
                "bn": nn.BatchNorm1d(width),
                "drop": nn.Dropout(0.3),
                "linear": nn.Linear(width, width),
                "relu": nn.ReLU(),
                "group": nn.utils.parametrizations.weight_norm(nn.Linear(width, width)),
            }[kind]
        )
    net = nn.Sequential(*parts, nn.Linear(width, 3))
    if pick.draw(st.booleans()):
        net[0].weight.requires_grad_(False)
    for module in net:
        if pick.draw(st.booleans()):
            module.eval()
    if pick.draw(st.booleans()):
        net.eval()
    parameters = list(net.parameters())
    cut = pick.draw(st.integers(0, len(parameters) - 1))
    groups = [{"params": parameters[cut:], "lr": 0.3}]
    if cut:
        groups.append({"params": parameters[:cut], "lr": 0.02})
    optimizer = OPTIMIZERS[pick.draw(st.sampled_from(sorted(OPTIMIZERS)))](groups)
    if pick.draw(st.booleans()):  # state from earlier updates, and gradients left behind
        functional.cross_entropy(net(BATCHES[0][0]), BATCHES[0][1]).backward()
        optimizer.step()
        if pick.draw(st.booleans()):
            optimizer.zero_grad()
    loader = DataLoader(
        TensorDataset(X, Y),
        8,
        shuffle=pick.draw(st.booleans()),
        generator=pick.draw(st.sampled_from([None, torch.Generator().manual_seed(1)])),
    )
    before, states = fingerprint(net, optimizer), random_states()
    own = None if loader.generator is None else loader.generator.get_state()
    test = range_test(
        net,
        optimizer,
        loader,
        start=1e-4,
        end=pick.draw(st.sampled_from([0.1, 1e6])),
        updates=pick.draw(st.integers(2, 12)),
        repeats=pick.draw(st.integers(1, 2)),
        accumulate=pick.draw(st.integers(1, 2)),
        held_out=pick.draw(st.sampled_from([None, BATCHES[:2]])),
        autocast=pick.draw(st.sampled_from([None, torch.bfloat16])),
    )
    assert len(test.lr) >= 1
    assert fingerprint(net, optimizer) == before
    assert random_states() == states
    assert own is None or torch.equal(own, loader.generator.get_state())


class Recurrent(nn.Module):
    """It keeps its last state as a plain attribute, and its weights in a list as well."""

    def __init__(self):
        super().__init__()
        self.body, self.head, self.last = nn.LSTM(6, 5, batch_first=True), nn.Linear(5, 3), None

    def forward(self, x):
        outputs, self.last = self.body(x[:, None])
        return self.head(outputs[:, -1])


@pytest.mark.filterwarnings("ignore:.*(deprecated|torch.jit).*")
@pytest.mark.parametrize(
    "make",
    [
        Recurrent,
        lambda: torch.jit.script(nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4))),
        lambda: nn.utils.weight_norm(nn.Linear(6, 3)),
        lambda: nn.utils.spectral_norm(nn.Linear(6, 3)),
        lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(6, 3)),
        lambda: torch.compile(nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4)), backend="eager"),
    ],
    ids=["LSTM", "scripted", "weight norm", "spectral norm", "parametrized", "compiled"],
)
def test_nets_of_unusual_make(make):
    net = make().eval()
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.1)
    outputs = net(BATCHES[0][0]).detach().clone()
    last = getattr(net, "last", None)
    before = fingerprint(net, optimizer)
    test = range_test(net, optimizer, BATCHES, updates=12, repeats=2, held_out=BATCHES[:1])
    assert len(test.lr) == 12
    assert fingerprint(net, optimizer) == before
    assert getattr(net, "last", None) is last
    assert torch.equal(net(BATCHES[0][0]), outputs)


def test_a_training_goes_on_as_if_there_had_been_no_test():
    def losses(with_test):
        torch.manual_seed(5)
        net = net_of(dropout=0.3)
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
        loader = DataLoader(TensorDataset(X, Y), 8, shuffle=True)
        seen = []
        for epoch in range(3):
            under_way = iter(loader)
            for k, (x, y) in enumerate(under_way):
                if with_test and k == 3 and epoch == 1:
                    range_test(net, optimizer, loader, updates=15, repeats=2, held_out=loader)
                loss = functional.cross_entropy(net(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                seen.append(loss.item())
            scheduler.step()
        return seen

    assert losses(True) == losses(False)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("at", [1, 5])
def test_everything_is_as_before_after_an_error(error, at):
    calls = []

    def step(net, batch):
        calls.append(1)
        if len(calls) == at:
            raise error
        return functional.cross_entropy(net(batch[0]), batch[1])

    net = net_of()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    before, states = fingerprint(net, optimizer), random_states()
    with pytest.raises(error):
        range_test(net, optimizer, BATCHES, step=step, updates=10)
    assert fingerprint(net, optimizer) == before
    assert random_states() == states
    assert not optimizer._optimizer_step_pre_hooks


def test_workers_that_stay_alive_are_left_alone():
    loader = DataLoader(
        TensorDataset(X, Y), 16, shuffle=True, num_workers=1, persistent_workers=True
    )
    list(loader)  # now there are workers
    workers = loader._iterator
    under_way = iter(loader)
    next(under_way)
    torch.manual_seed(3)
    net = net_of()
    test = range_test(net, sgd(net), loader, updates=6)
    assert len(test.lr) == 6 and loader._iterator is workers
    range_test(net, sgd(net), BATCHES, held_out=loader, updates=6)
    assert loader._iterator is workers and workers._tasks_outstanding > 0
    rest = [y.tolist() for _, y in under_way]
    assert len(rest) == 3
    after = [y.tolist() for _, y in loader]
    torch.manual_seed(3)
    assert after == [y.tolist() for _, y in loader]


def test_repeats_differ_in_order_and_are_repeatable():
    net = net_of()
    for batches in (BATCHES, DataLoader(TensorDataset(X, Y), 8, shuffle=True)):
        torch.manual_seed(random.randrange(1000))  # the outside random state plays no part
        one = range_test(net, sgd(net), batches, updates=12, repeats=3)
        two = range_test(net, sgd(net), batches, updates=12, repeats=3)
        np.testing.assert_array_equal(one.loss, two.loss)
        assert len({row.tobytes() for row in one.loss}) == 3
        assert [curve.seed for curve in one.curves] == [0, 1, 2]


def test_a_factory_gives_each_repeat_a_net_of_its_own():
    seeds = []

    def factory(seed):
        seeds.append(seed)
        torch.rand(9)  # what building a net draws does not move the dropout of the sweep
        return net_of(seed, dropout=0.3)

    test = range_test(factory, sgd, BATCHES, updates=8, repeats=3, seed=4)
    assert seeds == [4, 5, 6]
    for r, seed in enumerate(seeds):
        net = net_of(seed, dropout=0.3)
        alone = range_test(net, sgd(net), BATCHES, updates=8, seed=seed)
        if r == 0:
            np.testing.assert_array_equal(test.loss[0], alone.loss[0])
    assert len({row[0] for row in test.loss}) == 3


def test_an_iterator_is_used_up_and_the_result_says_so():
    net = net_of()
    left = iter(BATCHES * 3)
    test = range_test(net, sgd(net), left, updates=10, start=1e-4, end=1e-2)
    assert test.consumed == 10 and len(list(left)) == 14
    assert "10 batches were consumed" in repr(test)
    assert range_test(net, sgd(net), BATCHES, updates=10).consumed is None
    short = range_test(net, sgd(net), (b for b in BATCHES), updates=30, start=1e-4, end=1e-2)
    assert short.curves[0].why == "out of batches" and len(short.lr) == 8
    assert "ran out" in short.suggest().sentence
