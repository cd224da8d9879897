"""Surfaces over the plane against automatic differentiation and what is known of them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lrcourse import optimizers
from lrcourse.landscapes import (
    DoubleWell,
    Quadratic,
    Ravine,
    Rosenbrock,
    Wells,
    curvatures,
    descend,
    noisy,
)

SURFACES = [
    DoubleWell(),
    DoubleWell(steepness=7.0),
    Wells(),
    Wells(((0.3, -0.2), (1, 1), (-2, 0.5)), (0.2, 1.0, 0.5), (1.0, 0.3, 2.0), bowl=0.01),
    Ravine(),
    Ravine(steepness=7.0, turn=33.0),
    Rosenbrock(),
    Rosenbrock(steepness=3.0),
]
place = st.floats(-3, 3)


@pytest.mark.parametrize("surface", SURFACES)
@given(x=place, y=place)
def test_the_gradient_is_that_of_autograd(surface, x, y):
    w = torch.tensor([[x, y], [y, x]], dtype=torch.float64, requires_grad=True)
    heights = surface(w)
    assert heights.shape == (2,)
    heights.sum().backward()
    assert torch.allclose(surface.gradient(w.detach()), w.grad, atol=1e-9)


def test_the_saddle_and_the_minima_of_the_double_well():
    well = DoubleWell(steepness=3.0)
    assert curvatures(well, [0.0, 0.0]).tolist() == pytest.approx([-1, 3])
    assert curvatures(well, [1.0, 0.0]).tolist() == pytest.approx([2, 3])
    assert float(well(torch.tensor([-1.0, 0.0]))) == 0
    assert float(well(torch.tensor([0.0, 0.0]))) == 0.25


def test_a_lone_well_has_the_curvature_of_its_formula():
    well = Wells(((0.5, -0.5),), (0.3,), (2.0,), bowl=1e-9)
    assert curvatures(well, [0.5, -0.5]).tolist() == pytest.approx([2 / 0.09] * 2, rel=1e-6)
    assert float(well(torch.tensor([0.5, -0.5]).double())) == pytest.approx(-2, abs=1e-6)


def test_curvatures_of_a_quadratic_are_its_eigenvalues():
    bowl = Quadratic.random(dimension=4, condition=30, largest=2, seed=1)
    found = curvatures(bowl, torch.randn(4))
    assert torch.allclose(found, bowl.curvatures, atol=1e-10)


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_below_two_over_the_curvature_descent_stays_in_the_narrow_well(share):
    wells, sgd = Wells(), optimizers.pure("sgd")
    bottom = descend(wells.gradient, torch.tensor([-1.0, 0.0]), sgd, 0.01, 2000).path[-1]
    lr = share * 2 / float(curvatures(wells, bottom)[-1])
    near = bottom + torch.tensor([0.05, 0.02])
    end = descend(wells.gradient, near, sgd, lr, 500).path[-1]
    assert float((end - bottom).norm()) < 1e-3


@pytest.mark.parametrize("turn", [0.0, 30.0, 45.0, -110.0])
def test_a_ravine_has_its_curvatures_in_its_own_directions(turn):
    ravine = Ravine(steepness=9.0, turn=turn)
    assert curvatures(ravine, [0.3, -2.0]).tolist() == pytest.approx([1, 9])
    angle = torch.tensor(turn).double().deg2rad()
    floor = torch.stack([angle.cos(), angle.sin()])
    assert float(ravine(2 * floor)) == pytest.approx(2)
    assert torch.allclose(ravine.at(2.0, 0.0), 2 * floor)
    assert ravine.along_and_across(ravine.at(0.7, -0.2)).tolist() == pytest.approx([0.7, -0.2])
    assert float(ravine(ravine.at(0.7, -0.2))) == pytest.approx((0.49 + 9 * 0.04) / 2)


def test_the_valley_of_rosenbrock():
    valley = Rosenbrock()
    assert float(valley(torch.tensor([-1.2, 1.0]).double())) == pytest.approx(24.2)
    assert float(valley(torch.tensor([1.0, 1.0]))) == 0
    assert valley.gradient(torch.tensor([1.0, 1.0])).tolist() == [0, 0]


def test_noise_has_its_size_and_belongs_to_its_seed():
    point = torch.zeros(20_000, 2, dtype=torch.float64)
    gradient = noisy(Ravine().gradient, sd=3.0, seed=1)
    first, second = gradient(point), gradient(point)
    assert float(first.std()) == pytest.approx(3, rel=0.02)
    assert abs(float(first.mean())) < 0.05
    assert not torch.equal(first, second)
    assert torch.equal(noisy(Ravine().gradient, sd=3.0, seed=1)(point), first)
    assert not torch.equal(noisy(Ravine().gradient, sd=3.0, seed=2)(point), first)
    there = torch.tensor([1.0, 2.0]).double()
    assert torch.allclose(noisy(Ravine().gradient, 1e-9)(there), Ravine().gradient(there))


def test_bad_input():
    with pytest.raises(ValueError, match="turn must be"):
        Ravine(turn=float("inf"))
    with pytest.raises(ValueError, match="steepness"):
        Rosenbrock(steepness=0)
    with pytest.raises(ValueError, match="sd must be a finite number > 0"):
        noisy(Ravine().gradient, sd=0.0)
    with pytest.raises(ValueError, match="steepness"):
        DoubleWell(steepness=-1)
    with pytest.raises(ValueError, match="one of each"):
        Wells(widths=(1.0,))
    with pytest.raises(ValueError, match="width"):
        Wells(widths=(0.0, 1.0))
    with pytest.raises(ValueError, match="one point"):
        curvatures(DoubleWell(), torch.zeros(3, 2))
