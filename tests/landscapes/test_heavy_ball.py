"""The closed form of momentum on a quadratic, against eigenvalues and against descents."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lrcourse import optimizers
from lrcourse.landscapes import descend, heavy_ball


@given(x=st.floats(1e-6, 5), beta=st.floats(0, 0.99))
def test_the_factor_is_the_spectral_radius_of_one_update(x, beta):
    update = torch.tensor([[1 + beta - x, -beta], [1.0, 0.0]], dtype=torch.float64)
    radius = float(torch.linalg.eigvals(update).abs().max())
    assert float(heavy_ball.factor(x, beta)) == pytest.approx(radius, abs=1e-6)


@pytest.mark.parametrize(("x", "beta"), [(0.001, 0.9), (0.01, 0.9), (3.0, 0.9), (0.3, 0.0)])
def test_a_descent_shrinks_by_the_factor(x, beta):
    kind = optimizers.pure("momentum", momentum=beta) if beta else optimizers.pure("sgd")
    path = descend(lambda w: w, torch.ones(1), kind, x, 1200).path.abs().squeeze()
    # where the roots are complex the path oscillates: compare the highest points of two stretches
    early, late = path[200:600].max(), path[600:1000].max()
    expected = float(heavy_ball.factor(x, beta)) ** 400
    assert math.log(float(late / early)) == pytest.approx(math.log(expected), rel=0.03)


def test_without_momentum_it_is_gradient_descent():
    x = torch.tensor([0.1, 1.0, 1.5, 2.5])
    assert heavy_ball.factor(x).tolist() == pytest.approx([0.9, 0, 0.5, 1.5])


@given(smallest=st.floats(1e-3, 1), condition=st.floats(1, 1e4))
def test_the_best_pair_makes_both_ends_equally_bad(smallest, condition):
    lr, beta = heavy_ball.best(smallest, smallest * condition)
    ends = heavy_ball.factor(
        lr * torch.tensor([smallest, smallest * condition], dtype=torch.float64), beta
    )
    root = math.sqrt(condition)
    # a double root turns rounding of 1e-16 into 1e-8
    assert ends.tolist() == pytest.approx([(root - 1) / (root + 1)] * 2, abs=1e-6)
    for other_lr, other_beta in ((1.1 * lr, beta), (lr, min(0.999, beta + 0.01))):
        both = heavy_ball.factor(
            other_lr * torch.tensor([smallest, smallest * condition], dtype=torch.float64),
            other_beta,
        )
        assert float(both.max()) >= float(ends.max()) - 1e-6


def test_bad_input():
    with pytest.raises(ValueError, match="momentum must be a number from 0"):
        heavy_ball.factor(0.1, 1.0)
    with pytest.raises(ValueError, match="smallest"):
        heavy_ball.best(2.0, 1.0)
