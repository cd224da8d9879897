"""The first step of each weight: SGD's is its gradient, Adam's the sign, epsilon the bend."""

import functools

import pytest
import torch

from lrcourse import data, models
from lrcourse.study.first_steps import first_step

EPSILON = 1e-3


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", device="cpu").subset(64)


def first(digits, build, **how):
    net = models.mlp(1, 8).double()
    return first_step(net, build(net.parameters(), lr=0.5), digits.train, **how)


def test_sgd_steps_by_its_gradient_and_goes_with_the_loss(digits):
    gradients, steps = first(digits, torch.optim.SGD)
    torch.testing.assert_close(gradients, steps)
    scaled, longer = first(digits, torch.optim.SGD, scale=100.0)
    torch.testing.assert_close(longer, 100 * steps)
    torch.testing.assert_close(scaled, 100 * gradients)
    assert (gradients > 0).all() and gradients.shape == steps.shape


def test_adam_steps_by_the_rate_where_the_gradient_is_above_epsilon(digits):
    gradients, steps = first(digits, functools.partial(torch.optim.Adam, eps=EPSILON))
    torch.testing.assert_close(steps, gradients / (gradients + EPSILON))


def test_weights_that_the_loss_does_not_see_are_left_out(digits):
    net = models.mlp(1, 8)
    blind = torch.nn.Parameter(torch.ones(3))
    net.register_parameter("blind", blind)
    sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    gradients, _ = first_step(net, sgd, digits.train)
    assert 0 < len(gradients) <= sum(w.numel() for w in net.parameters()) - 3
