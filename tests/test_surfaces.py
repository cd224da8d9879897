"""Surfaces over the plane against automatic differentiation and what is known of them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lrcourse import optimizers
from lrcourse.landscapes import Quadratic, descend
from lrcourse.surfaces import DoubleWell, Wells, curvatures

SURFACES = [
    DoubleWell(),
    DoubleWell(steepness=7.0),
    Wells(),
    Wells(((0.3, -0.2), (1, 1), (-2, 0.5)), (0.2, 1.0, 0.5), (1.0, 0.3, 2.0), bowl=0.01),
]
place = st.floats(-3, 3)


@pytest.mark.parametrize("surface", SURFACES)
@given(x=place, y=place)
def test_the_gradient_is_that_of_autograd(surface, x, y):
    w = torch.tensor([[x, y], [y, x]], dtype=torch.float64, requires_grad=True)
    heights = surface(w)
    assert heights.shape == (2,)
    heights.sum().backward()
    assert torch.allclose(surface.gradient(w.detach()), w.grad, atol=1e-10)


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


def test_bad_input():
    with pytest.raises(ValueError, match="steepness"):
        DoubleWell(steepness=-1)
    with pytest.raises(ValueError, match="one of each"):
        Wells(widths=(1.0,))
    with pytest.raises(ValueError, match="width"):
        Wells(widths=(0.0, 1.0))
    with pytest.raises(ValueError, match="one point"):
        curvatures(DoubleWell(), torch.zeros(3, 2))
