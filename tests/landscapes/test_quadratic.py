"""Descents whose result is known in closed form."""

import numpy as np
import pytest
import torch

from lrcourse import optimizers
from lrcourse import schedules as s
from lrcourse.landscapes import Quadratic, best_descent, descend


def test_published_values_of_gradient_descent_on_a_parabola():
    """D2L, x^2 from 10 in ten steps: eta 0.2, 0.05 and 1.1."""
    for lr, end in [(0.2, 0.060466), (0.05, 3.486784), (1.1, 61.917364)]:
        run = descend(lambda w: 2 * w, torch.tensor([10.0]), optimizers.pure("sgd"), lr, 10)
        assert float(run.path[-1, 0]) == pytest.approx(end, abs=5e-7)
        assert run.path.shape == (11, 1) and run.gradients.shape == (10, 1)


def test_a_random_quadratic_has_the_curvatures_asked_for():
    bowl = Quadratic.random(dimension=20, condition=1000, largest=5, seed=3)
    assert bowl.largest == pytest.approx(5)
    assert bowl.condition == pytest.approx(1000)
    ratios = bowl.curvatures[1:] / bowl.curvatures[:-1]
    assert ratios.numpy() == pytest.approx(np.full(19, 1000 ** (1 / 19)))
    off_diagonal = bowl.matrix - torch.diag(bowl.matrix.diag())
    assert off_diagonal.abs().max() > 0.1
    other = Quadratic.random(dimension=20, condition=1000, largest=5, seed=4)
    assert not torch.equal(bowl.matrix, other.matrix)


def test_value_and_gradient_belong_together():
    bowl = Quadratic.random(dimension=6, condition=10, seed=0)
    w = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    bowl(w).sum().backward()
    assert torch.allclose(w.grad, bowl.gradient(w.detach()))
    assert bowl(w).shape == (4,)


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "adagrad"])
def test_a_descent_is_that_of_torch(name):
    bowl = Quadratic.random(dimension=5, condition=10, seed=1)
    shape = s.warmup(5).then(s.cosine(15))
    run = descend(bowl.gradient, torch.ones(5), optimizers.pure(name), 0.1, 20, shape)
    w = torch.ones(5, dtype=torch.float64, requires_grad=True)
    torchs = optimizers.torch_optimizer(name, [w], lr=0.1)
    for t in range(20):
        torchs.param_groups[0]["lr"] = 0.1 * shape(t)
        torchs.zero_grad()
        bowl(w).backward()
        torchs.step()
        assert torch.allclose(run.path[t + 1], w.detach(), atol=1e-9)
    assert run.lr.numpy() == pytest.approx(0.1 * shape(np.arange(20)))


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam"])
def test_several_rates_side_by_side_are_as_many_descents(name):
    bowl = Quadratic.random(dimension=5, condition=10, seed=1)
    rates, shape = torch.tensor([[0.01], [0.1], [1.0]]), s.cosine(10)
    together = descend(bowl.gradient, torch.ones(5), optimizers.pure(name), rates, 10, shape)
    assert together.path.shape == (11, 3, 5) and together.lr.shape == (10, 3, 1)
    for k, lr in enumerate(rates[:, 0].double()):
        alone = descend(bowl.gradient, torch.ones(5), optimizers.pure(name), float(lr), 10, shape)
        assert torch.allclose(together.path[:, k], alone.path, rtol=1e-12, atol=1e-14)


def test_the_rate_of_each_number():
    start, told = torch.tensor([1.0, 1.0]), torch.tensor([3.0, -0.5]).double()
    sgd = descend(lambda w: told, start, optimizers.pure("sgd"), 0.1, 3)
    assert sgd.rates.numpy() == pytest.approx(np.full((3, 2), 0.1))
    adagrad = descend(lambda w: told, start, optimizers.pure("adagrad"), 0.1, 3)
    expected = 0.1 / (told.abs() * torch.arange(1, 4).double()[:, None].sqrt())
    assert adagrad.rates.numpy() == pytest.approx(expected.numpy())


def test_divergence_is_a_result():
    run = descend(lambda w: w, torch.ones(1), optimizers.pure("sgd"), 1e200, 5)
    assert not torch.isfinite(run.path[-1]).all()


def test_bad_input():
    with pytest.raises(ValueError, match="symmetric"):
        Quadratic(torch.tensor([[1.0, 2.0], [0.0, 1.0]]))
    with pytest.raises(ValueError, match="condition must be a finite number >= 1"):
        Quadratic.random(dimension=3, condition=0.5)
    with pytest.raises(ValueError, match="lr must be a finite number > 0"):
        descend(lambda w: w, torch.ones(1), optimizers.pure("sgd"), -1, 5)
    with pytest.raises(TypeError, match=r"gradient must give a tensor; it gave 0\.5"):
        descend(lambda w: 0.5, torch.ones(1), optimizers.pure("sgd"), 0.1, 5)
    with pytest.raises(TypeError, match="f must have a gradient, or one is given; got"):
        best_descent(lambda w: w.sum(-1), torch.ones(1), optimizers.pure("sgd"), [0.1], 5)


def test_the_best_descent_is_the_lowest_of_all():
    bowl = Quadratic(torch.diag(torch.tensor([1.0, 20.0])))
    start, rates = torch.tensor([-2.0, 0.5]), [1e-3, 0.01, 2 / 21, 0.099, 5.0]
    lr, run = best_descent(bowl, start, optimizers.pure("sgd"), rates, 60)
    alone = descend(bowl.gradient, start, optimizers.pure("sgd"), lr, 60)
    assert lr == 2 / 21
    assert run.path.shape == (61, 2) and run.gradients.shape == (60, 2) and run.lr.shape == (60,)
    assert torch.allclose(run.path, alone.path) and torch.allclose(run.lr, alone.lr)
    ends = [
        bowl(descend(bowl.gradient, start, optimizers.pure("sgd"), r, 60).path[-1]) for r in rates
    ]
    assert float(bowl(run.path[-1])) == pytest.approx(float(min(ends)))


def test_the_best_descent_follows_another_gradient_if_told():
    bowl = Quadratic(torch.eye(2))
    start = torch.ones(2)
    _, away = best_descent(
        bowl, start, optimizers.pure("sgd"), [0.1], 3, gradient=lambda w: -torch.ones_like(w)
    )
    assert away.path[-1].tolist() == pytest.approx([1.3, 1.3])


def test_a_path_that_swings_through_the_minimum_at_its_end_does_not_win():
    """From 1, pushes at the last two of 20 updates: 0.5 ends at 0, 0.6 is lower over the two."""
    pushes = iter([0.0] * 18 + [1.0] * 2)
    lr, _ = best_descent(
        Quadratic(torch.eye(1)),
        torch.ones(1),
        optimizers.pure("sgd"),
        [0.5, 0.6],
        20,
        gradient=lambda w: torch.full_like(w, next(pushes)),
    )
    assert lr == 0.6


def test_no_descent_is_best_where_all_diverge():
    bowl = Quadratic(torch.eye(2))
    with pytest.raises(ValueError, match="diverges"):
        best_descent(bowl, torch.ones(2), optimizers.pure("sgd"), [1e200], 5)
    with pytest.raises(ValueError, match="one point"):
        best_descent(bowl, torch.ones(3, 2), optimizers.pure("sgd"), [0.1], 5)
