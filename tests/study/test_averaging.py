"""Averages and votes along a run against arithmetic by hand, and BatchNorm's statistics."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lrcourse.data import Split
from lrcourse.study import averaging


def net_of(seed=0, norm=False):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = [nn.Flatten(), nn.Linear(4, 6), *[nn.BatchNorm1d(6)] * norm, nn.ReLU()]
        return nn.Sequential(*layers, nn.Linear(6, 3))


def images(count=40, shift=0.0):
    draw = torch.Generator().manual_seed(7)
    X = torch.randn(count, 1, 2, 2, generator=draw) + shift
    return Split(X, torch.randint(3, (count,), generator=draw))


def walk(net, optimizer, split, updates):
    seen = []
    for _ in range(updates):
        optimizer.zero_grad()
        F.cross_entropy(net(split.X), split.y).backward()
        optimizer.step()
        seen.append(copy.deepcopy(net))
    return seen


def weights(net):
    return torch.cat([w.detach().flatten() for w in net.parameters()])


def test_takes_the_net_after_those_updates_and_leaves_the_run_alone():
    split, net, other = images(), net_of(), net_of()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    with averaging.collect(net, optimizer, [2, 5]) as taken:
        seen = walk(net, optimizer, split, 6)
    walk(net, optimizer, split, 3)  # the hook is gone: nothing more is taken
    assert taken.after == [2, 5]
    for k, one in zip((2, 5), taken.nets, strict=True):
        assert torch.equal(weights(one), weights(seen[k - 1]))
        assert not one.training
    plain = walk(other, torch.optim.SGD(other.parameters(), lr=0.5), split, 9)
    assert torch.equal(weights(plain[-1]), weights(net)) and net.training


@pytest.mark.parametrize("after", [[], [0], [3, 3], [-1, 2]])
def test_refuses_numbers_that_cannot_be_meant(after):
    net = net_of()
    optimizer = torch.optim.SGD(net.parameters(), lr=1)
    with (
        pytest.raises(ValueError, match=r"after(\[0\])? must"),
        averaging.collect(net, optimizer, after),
    ):
        pass


def test_says_what_the_run_has_not_reached():
    net = net_of()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    said = r"made 2 updates; nothing was taken after \[4\]"
    with pytest.raises(ValueError, match=said), averaging.collect(net, optimizer, [1, 4]):
        walk(net, optimizer, images(), 2)


def test_an_error_of_the_run_is_not_hidden_and_the_hook_goes():
    net = net_of()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    collecting = averaging.collect(net, optimizer, [1])
    with pytest.raises(RuntimeError, match="broke"), collecting as taken:
        raise RuntimeError("it broke")
    walk(net, optimizer, images(), 2)
    assert taken.nets == []


def test_the_average_is_the_mean_of_the_weights():
    nets = [net_of(k) for k in range(3)]
    before = [weights(net) for net in nets]
    mean = averaging.average(nets, images())
    expected = (before[0].double() + before[1].double() + before[2].double()) / 3
    torch.testing.assert_close(weights(mean).double(), expected, atol=1e-6, rtol=0)
    assert not mean.training
    assert all(torch.equal(weights(net), old) for net, old in zip(nets, before, strict=True))


def test_batchnorm_statistics_are_those_of_the_average():
    nets, split = [net_of(k, norm=True) for k in range(2)], images(shift=3.0)
    fresh = averaging.average(nets, split, batch_size=40)
    hidden = fresh[1](split.X.flatten(1))
    torch.testing.assert_close(fresh[2].running_mean, hidden.mean(0), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(fresh[2].running_var, hidden.var(0), atol=1e-4, rtol=1e-4)
    stale = averaging.average(nets, None)
    assert torch.equal(stale[2].running_mean, nets[1][2].running_mean)


def test_the_vote_is_the_mean_probability():
    class Says(nn.Module):
        def __init__(self, row):
            super().__init__()
            self.row = torch.tensor(row)

        def forward(self, X):
            return self.row.log().expand(len(X), -1)

    split = Split(torch.zeros(2, 1, 1, 1), torch.tensor([0, 1]))
    loss, accuracy = averaging.ensemble([Says([0.9, 0.1]), Says([0.3, 0.7])], split)
    assert accuracy == 0.5  # the mean says 0.6 and 0.4
    assert loss == pytest.approx(-(torch.tensor([0.6, 0.4]).log().mean()).item(), abs=1e-6)


def test_a_vote_puts_the_modes_back():
    net = net_of(norm=True).train()
    averaging.ensemble([net], images())
    assert net.training


def test_nothing_to_average_or_to_ask():
    with pytest.raises(ValueError, match="average: taken must have 1 or more values"):
        averaging.average([], None)
    with pytest.raises(ValueError, match="ensemble: nets must have 1 or more values"):
        averaging.ensemble([], images())
