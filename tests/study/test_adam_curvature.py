"""Adam's curvature against whole matrices, and its edge against torch's own steps."""

import pytest
import torch
from torch import nn

from lrcourse.data import Split
from lrcourse.study.adam_curvature import edge, preconditioned_sharpness
from lrcourse.study.curvature import squared_error

EPS = 1e-8


def linear():
    """A linear net with a squared loss, a quadratic, and its Hessian X'X / n for each class."""
    draw = torch.Generator().manual_seed(2)
    X = torch.randn(20, 1, 2, 2, generator=draw, dtype=torch.float64)
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 3, bias=False)).double()
    nn.init.normal_(net[1].weight, generator=draw)
    rows = X.flatten(1)
    hessian = torch.kron(torch.eye(3, dtype=torch.float64), rows.T @ rows / len(rows))
    return net, Split(X, torch.randint(3, (20,), generator=draw)), hessian


def largest(hessian, denominators):
    root = denominators.reshape(-1).sqrt()
    return float(torch.linalg.eigvalsh(hessian / root[:, None] / root)[-1])


def close(net, split, adam, expected):
    options = {"tolerance": 1e-6, "most": 5000}
    found = preconditioned_sharpness(net, split, adam, squared_error, **options)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", [torch.optim.Adam, torch.optim.AdamW])
def test_after_updates_it_is_the_eigenvalue_of_the_divided_hessian(kind):
    net, split, hessian = linear()
    adam = kind(net.parameters(), lr=0.01, betas=(0.8, 0.95))
    for _ in range(3):
        adam.zero_grad()
        squared_error(net(split.X), split.y).backward()
        adam.step()
    v = adam.state[net[1].weight]["exp_avg_sq"]
    denominators = (1 - 0.8**3) * ((v / (1 - 0.95**3)).sqrt() + EPS)
    before = net[1].weight.detach().clone()
    close(net, split, adam, largest(hessian, denominators))
    assert torch.equal(net[1].weight, before)


def test_before_the_first_update_the_denominators_are_those_of_the_first_gradient():
    net, split, hessian = linear()
    (g,) = torch.autograd.grad(squared_error(net(split.X), split.y), list(net.parameters()))
    close(net, split, torch.optim.Adam(net.parameters()), largest(hessian, 0.1 * (g.abs() + EPS)))


@pytest.mark.parametrize(("share", "leaves"), [(0.98, False), (1.02, True)])
@pytest.mark.parametrize("beta1", [0.0, 0.5, 0.9])
def test_torchs_adam_leaves_a_valley_just_above_the_edge(beta1, share, leaves):
    w = nn.Parameter(torch.ones(1, dtype=torch.float64))
    denominator, curvature = 0.25, 3.0  # the root of v, which a beta2 of nearly 1 holds
    betas = (beta1, 1 - 1e-9)
    corrected = (1 - betas[1] ** 1e9) ** 0.5  # by what torch divides the root of v
    lr = share * edge(beta1) * denominator / corrected / curvature
    adam = torch.optim.Adam([w], lr=lr, betas=betas, eps=0)
    adam.state[w] = {
        "step": torch.tensor(1e9),
        "exp_avg": torch.zeros_like(w),
        "exp_avg_sq": torch.full_like(w, denominator**2),
    }
    start = 1e-9
    with torch.no_grad():
        w.fill_(start)
    for _ in range(400):
        w.grad = curvature * w.detach()
        adam.step()
    assert (abs(float(w.detach())) > start) == leaves


def test_refuses_other_optimizers_and_weights_that_it_does_not_hold():
    net, split, _ = linear()
    sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    with pytest.raises(TypeError, match="Adam or AdamW"):
        preconditioned_sharpness(net, split, sgd)
    other = torch.optim.Adam([nn.Parameter(torch.ones(1))])
    with pytest.raises(ValueError, match="hold every weight"):
        preconditioned_sharpness(net, split, other)
