"""What a BatchNorm hides: the length of the weights before it."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lrcourse import models
from lrcourse.data import Split
from lrcourse.study.curvature import along_gradient
from lrcourse.study.scale_invariance import invariant_layers, length, watch


def net_and_images():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [nn.Flatten(), nn.Linear(4, 6), nn.BatchNorm1d(6, eps=1e-15), nn.Tanh()]
        net = nn.Sequential(*layers, nn.Linear(6, 3)).double()
        return net, Split(torch.randn(20, 1, 2, 2).double(), torch.randint(3, (20,)))


def only_the_first_learns(net):
    for layer in net[2:]:
        layer.requires_grad_(False)
    net[1].bias.requires_grad_(False)
    return net


@pytest.mark.parametrize("c", [0.5, 3.0])
def test_scaled_weights_give_the_same_outputs_and_the_curvature_times_their_squared_length(c):
    net, split = net_and_images()
    scaled = copy.deepcopy(net)
    with torch.no_grad():
        scaled[1].weight.mul_(c)
        scaled[1].bias.mul_(c)
    torch.testing.assert_close(scaled(split.X), net(split.X))
    assert length(scaled) == pytest.approx(c * length(net))
    first, second = (
        along_gradient(only_the_first_learns(one), split, F.cross_entropy) * length(one) ** 2
        for one in (net, scaled)
    )
    assert second == pytest.approx(first, rel=1e-9)


def test_a_gradient_step_makes_the_weights_longer():
    net, split = net_and_images()
    before = length(net)
    F.cross_entropy(net(split.X), split.y).backward()
    g = net[1].weight.grad
    assert float((g * net[1].weight).sum()) == pytest.approx(0, abs=1e-12)
    torch.optim.SGD([net[1].weight], lr=0.5).step()
    assert length(net) ** 2 == pytest.approx(before**2 + 0.25 * float((g**2).sum()))


def test_only_layers_right_before_a_batchnorm_count():
    net = net_and_images()[0]
    assert invariant_layers(net) == [net[1]]
    with pytest.raises(ValueError, match="BatchNorm right after"):
        length(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
    with pytest.raises(ValueError, match="BatchNorm right after"):
        length(nn.Linear(2, 2))


def test_a_watch_keeps_length_and_effective_rate_before_each_update():
    net = models.lenet(norm=True)
    sgd = torch.optim.SGD(net.parameters(), lr=0.5)
    watched, lengths = watch(net, sgd), []
    for lr in (0.5, 0.25):
        lengths.append(length(net) ** 2)
        sgd.param_groups[0]["lr"] = lr
        for w in net.parameters():
            w.grad = torch.ones_like(w)
        sgd.step()
    assert watched == [
        (1.0, pytest.approx(0.5 / lengths[0])),
        (pytest.approx(lengths[1] / lengths[0]), pytest.approx(0.25 / lengths[1])),
    ]
    with pytest.raises(ValueError, match="BatchNorm"):
        watch(models.lenet(), sgd)
