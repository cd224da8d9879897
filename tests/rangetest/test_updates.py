"""One rate belongs to each loss: who else makes updates, or writes the rate, is refused."""

import numpy as np
import pytest
import torch
from helpers.snapshots import snapshot
from torch import nn
from torch.nn import functional

from lrcourse.rangetest import range_test

torch.manual_seed(0)
X = torch.randn(64, 4)
DATA = X, (X[:, 0] > 0).long()


def fresh(kind=torch.optim.SGD, **options):
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    return net, kind(net.parameters(), lr=0.1, **options)


def loss_of(net, batch):
    return functional.cross_entropy(net(batch[0]), batch[1])


def swept(net, optimizer, step=loss_of, **options):
    options = {"batch_size": 16, "updates": 20, "end": 1.0} | options
    return range_test(net, optimizer, DATA, step=step, **options)


def once_itself(optimizer):
    def step(net, batch):
        optimizer.zero_grad()
        loss = loss_of(net, batch)
        loss.backward()
        optimizer.step()
        return loss

    return step


def twice(optimizer):
    def step(net, batch):
        for _ in range(2):
            loss = loss_of(net, batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        optimizer.zero_grad()
        return loss_of(net, batch)

    return step


def now_and_then(optimizer):
    calls = []

    def step(net, batch):
        calls.append(0)
        if len(calls) % 4 == 0:
            optimizer.step()
        return loss_of(net, batch)

    return step


@pytest.mark.parametrize("make", [once_itself, twice, now_and_then])
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_a_step_that_makes_updates_itself_is_refused_with_the_remedy(make, kind):
    net, optimizer = fresh(kind)
    before = snapshot(net, optimizer)
    with pytest.raises(ValueError, match=rf"step\(\) of the {kind.__name__}.*return the loss"):
        swept(net, optimizer, make(optimizer))
    assert snapshot(net, optimizer) == before


def test_so_is_one_that_steps_another_optimizer_of_the_same_net():
    net, optimizer = fresh()
    other = torch.optim.Adam(net.parameters(), lr=0.01)
    with pytest.raises(ValueError, match=r"step\(\) of the Adam:"):
        swept(net, optimizer, twice(other))


def test_a_step_that_trains_another_net_is_not():
    net, optimizer = fresh()
    critic = nn.Linear(2, 1)
    its_own = torch.optim.SGD(critic.parameters(), lr=0.01)

    def step(net, batch):
        its_own.zero_grad()
        critic(net(batch[0]).detach()).mean().backward()
        its_own.step()
        return loss_of(net, batch)

    assert len(swept(net, optimizer, step).lr) == 20


class Several(torch.optim.Optimizer):
    """Steps the optimizer inside it n times at each step, each at `factor` times the rate."""

    def __init__(self, inner, n=2, factor=1.0):
        super().__init__(inner.param_groups, inner.defaults)
        self.inner, self.n, self.factor, self.param_groups = inner, n, factor, inner.param_groups

    def step(self, closure=None):
        for _ in range(self.n):
            self.inner.step()
            for group in self.param_groups:
                group["lr"] *= self.factor


def test_several_updates_at_one_rate_in_a_step_are_one_entry_of_the_curve():
    net, optimizer = fresh()
    curve = swept(net, Several(optimizer)).curves[0]
    np.testing.assert_allclose(curve.lr, np.geomspace(1e-5, 1, 20), rtol=1e-9)


def test_several_updates_at_different_rates_in_a_step_are_refused():
    net, optimizer = fresh()
    with pytest.raises(ValueError, match="2 updates at different rates in its step 0"):
        swept(net, Several(optimizer, factor=0.5))


def test_a_scheduler_in_the_step_that_holds_the_rate_down_is_refused():
    net, optimizer = fresh()
    scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer, 0.5, 1000)

    def step(net, batch):
        for group in optimizer.param_groups:
            group["lr"] = 0.01
        scheduler.step()
        return loss_of(net, batch)

    with pytest.raises(ValueError, match=r"update 1 used 0\.01, and .* was set.*a scheduler"):
        swept(net, optimizer, step)


def test_a_rate_that_the_optimizer_scales_is_the_one_on_the_axis():
    class Half(torch.optim.Optimizer):
        def __init__(self, inner):
            super().__init__(inner.param_groups, inner.defaults)
            self.inner, self.param_groups = inner, inner.param_groups

        def step(self, closure=None):
            for group in self.param_groups:
                group["lr"] /= 2
            self.inner.step()

    net, optimizer = fresh()
    curve = swept(net, Half(optimizer)).curves[0]
    np.testing.assert_allclose(curve.lr, np.geomspace(1e-5, 1, 20) / 2, rtol=1e-9)
