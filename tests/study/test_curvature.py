"""Curvatures against whole Hessians that are known, and training against torch's own steps."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lrcourse.data import Split
from lrcourse.study.curvature import (
    along_gradient,
    largest_eigenvalue,
    share_down,
    sharpness,
    spectrum,
    squared_error,
    train_watching,
)


def tiny(seed=0, layer=nn.Tanh):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Flatten(), nn.Linear(4, 5), layer(), nn.Linear(5, 3)).double()
        X = torch.randn(20, 1, 2, 2).double()
        return net, Split(X, torch.randint(3, (20,)))


def whole_hessian(net, split, loss_fn):
    shapes = {name: w.shape for name, w in net.named_parameters()}

    def loss_of(flat):
        parts = flat.split([shape.numel() for shape in shapes.values()])
        named = {n: p.reshape(s) for (n, s), p in zip(shapes.items(), parts, strict=True)}
        return loss_fn(torch.func.functional_call(net, named, split.X), split.y)

    flat = torch.cat([w.detach().reshape(-1) for w in net.parameters()])
    return torch.autograd.functional.hessian(loss_of, flat)


@pytest.mark.parametrize("loss_fn", [squared_error, F.cross_entropy])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sharpness_is_the_largest_eigenvalue_of_the_whole_hessian(seed, loss_fn):
    net, split = tiny(seed)
    before = [w.detach().clone() for w in net.parameters()]
    expected = float(torch.linalg.eigvalsh(whole_hessian(net, split, loss_fn))[-1])
    assert sharpness(net, split, loss_fn, tolerance=1e-6) == pytest.approx(expected, rel=1e-6)
    assert all(torch.equal(w, b) for w, b in zip(net.parameters(), before, strict=True))
    assert all(w.grad is None for w in net.parameters())


@pytest.mark.parametrize("values", [[1.0, 2, 5], [-9.0, 1, 3], [-3.0, -2, -1], [0.0, 0, 4]])
def test_the_largest_eigenvalue_even_where_a_negative_one_is_farther_from_0(values):
    turn, _ = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(1)))
    a = (turn @ torch.diag(torch.tensor(values)) @ turn.T).double()
    value, vector = largest_eigenvalue(lambda v: a @ v, torch.ones(3).double(), 1e-7, 5000)
    assert value == pytest.approx(max(values), abs=1e-4)
    assert float((a @ vector - value * vector).norm()) < 1e-3


def test_the_value_lies_within_the_tolerance_of_an_eigenvalue():
    a = torch.diag(torch.linspace(0, 1, 40, dtype=torch.float64))  # no gap at the top
    value, vector = largest_eigenvalue(lambda v: a @ v, torch.ones(40).double(), 1e-2)
    assert float((a @ vector - value * vector).norm()) <= 1e-2 * value
    assert 0.98 < value <= 1


def test_a_far_negative_eigenvalue_does_not_loosen_the_tolerance():
    values = torch.cat([torch.tensor([-20.0, 1.0]), torch.linspace(-0.5, 0.5, 60)]).double()
    value, _ = largest_eigenvalue(lambda v: values * v, torch.ones(62).double(), 1e-2)
    assert value == pytest.approx(1, abs=0.02)


def test_no_curvature_and_no_number():
    assert largest_eigenvalue(lambda v: 0 * v, torch.ones(3))[0] == 0
    assert math.isnan(largest_eigenvalue(lambda v: v * math.nan, torch.ones(3))[0])


def test_squared_error_by_hand():
    outputs = torch.tensor([[1.0, 0.0], [0.5, 2.0]])
    assert float(squared_error(outputs, torch.tensor([0, 1]))) == pytest.approx((0 + 1.25) / 4)


def test_a_watched_training_is_torchs_full_batch_descent():
    net, split = tiny()
    watch = train_watching(net, split, 0.3, 25, every=10)
    other, _ = tiny()
    losses = []
    for _ in range(25):
        loss = squared_error(other(split.X), split.y)
        slopes = torch.autograd.grad(loss, list(other.parameters()))
        losses.append(float(loss.detach()))
        with torch.no_grad():
            for w, g in zip(other.parameters(), slopes, strict=True):
                w -= 0.3 * g
    assert watch.loss.tolist() == pytest.approx(losses, rel=1e-6)
    assert watch.looks.tolist() == [0, 10, 20, 25]
    assert watch.edge == pytest.approx(2 / 0.3)
    last = float(torch.linalg.eigvalsh(whole_hessian(other, split, squared_error))[-1])
    assert float(watch.sharpness[-1]) == pytest.approx(last, rel=0.02)


def test_mini_batches_come_from_the_seed():
    def losses(seed):
        net, split = tiny()
        return train_watching(net, split, 0.1, 8, every=8, batch_size=4, seed=seed).loss.tolist()

    assert losses(1) == losses(1) != losses(2)


def test_divergence_is_a_result():
    net, split = tiny()
    watch = train_watching(net, split, 1e200, 50, every=50)
    assert watch.diverged_at is not None and len(watch.loss) == watch.diverged_at + 1
    assert not math.isfinite(watch.loss[-1]) and watch.looks.tolist() == [0]


def test_bad_input():
    net, split = tiny()
    with pytest.raises(ValueError, match="lr must be a finite number > 0"):
        train_watching(net, split, 0, 5, every=1)
    with pytest.raises(ValueError, match="from 1 to 20"):
        train_watching(net, split, 0.1, 5, every=1, batch_size=21)
    with pytest.raises(ValueError, match="net must have weights that learn; got a Seq"):
        train_watching(net.requires_grad_(False), split, 0.1, 5, every=1)


@pytest.mark.parametrize("loss_fn", [squared_error, F.cross_entropy])
def test_the_curvature_along_the_gradient_is_that_of_the_whole_hessian(loss_fn):
    net, split = tiny(3)
    hessian = whole_hessian(net, split, loss_fn)
    parts = torch.autograd.grad(loss_fn(net(split.X), split.y), list(net.parameters()))
    g = torch.cat([part.reshape(-1) for part in parts])
    expected = float(g @ hessian @ g / (g @ g))
    found = along_gradient(net, split, loss_fn)
    assert found == pytest.approx(expected, rel=1e-9)
    assert found <= float(torch.linalg.eigvalsh(hessian)[-1])
    assert all(w.grad is None for w in net.parameters())


def test_a_step_at_2_over_the_curvature_along_the_gradient_ends_where_it_began():
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 3, bias=False)).double()
    split = tiny()[1]  # a linear net with a squared loss: a quadratic
    lr = 2 / along_gradient(net, split)
    before = squared_error(net(split.X), split.y)
    before.backward()
    torch.optim.SGD(net.parameters(), lr=lr).step()
    after = float(squared_error(net(split.X), split.y).detach())
    assert after == pytest.approx(float(before.detach()), rel=1e-9)


def test_no_gradient_no_curvature_along_it():
    net, split = tiny()
    nothing = lambda outputs, y: 0 * outputs.sum()  # noqa: E731
    assert along_gradient(net, split, nothing) == 0


# -- the whole spectrum --------------------------------------------------------------------------


def net_of(layers):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), *layers())


def images(count=12):
    draw = torch.Generator().manual_seed(1)
    return Split(
        torch.randn(count, 1, 2, 2, generator=draw),
        torch.randint(3, (count,), generator=draw),
    )


def halved_squares(outputs, y):
    return (outputs**2).sum(1).mean() / 2


def test_a_linear_net_with_squares_has_the_spectrum_of_its_inputs():
    split = images()
    net = net_of(lambda: [nn.Linear(4, 3, bias=False)])
    X = split.X.flatten(1).double()
    expected = torch.linalg.eigvalsh(X.T @ X / len(X)).repeat_interleave(3)
    torch.testing.assert_close(spectrum(net, split, halved_squares), expected)


def test_trace_by_differences_of_the_gradient():
    split = images()
    net = net_of(lambda: [nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 3)])
    values = spectrum(net, split)
    double = net.double()
    trace, h = 0.0, 1e-5
    for w in double.parameters():
        for k in range(w.numel()):
            slopes = []
            for sign in (1, -1):
                with torch.no_grad():
                    w.view(-1)[k] += sign * h
                loss = F.cross_entropy(double(split.X.double()), split.y)
                slopes.append(torch.autograd.grad(loss, w)[0].view(-1)[k])
                with torch.no_grad():
                    w.view(-1)[k] -= sign * h
            trace += float(slopes[0] - slopes[1]) / (2 * h)
    assert float(values.sum()) == pytest.approx(trace, rel=1e-6)
    assert float(values[0]) < 0 < float(values[-1])
    assert bool((values.diff() >= 0).all())


def test_the_net_is_not_changed():
    net, split = net_of(lambda: [nn.Linear(4, 3)]), images()
    before = [w.clone() for w in net.parameters()]
    spectrum(net, split)
    for w, old in zip(net.parameters(), before, strict=True):
        assert torch.equal(w, old) and w.dtype == torch.float32 and w.grad is None


def test_share_down_leaves_rounding_out():
    values = torch.tensor([-0.5, -1e-9, 0.0, 2.0])
    assert share_down(values) == 0.25
    assert share_down(values, least=0) == 0.5
    assert share_down(values, least=0.3) == 0.0


def test_refuses():
    with pytest.raises(ValueError, match="2000 weights at most"):
        spectrum(net_of(lambda: [nn.Linear(4, 600)]), images())
    broken = net_of(lambda: [nn.Linear(4, 3)])
    with torch.no_grad():
        broken[1].bias[0] = torch.nan
    with pytest.raises(ValueError, match="diverged"):
        spectrum(broken, images())
    with pytest.raises(ValueError, match="one row"):
        share_down(torch.zeros(2, 2))
    with pytest.raises(ValueError, match="least"):
        share_down(torch.zeros(2), least=-1)


def test_batchnorm_with_known_statistics_is_a_linear_net():
    split = images()
    net = net_of(lambda: [nn.BatchNorm1d(4, affine=False, eps=0), nn.Linear(4, 3, bias=False)])
    net[1].running_mean.fill_(0.5)
    net[1].running_var.fill_(4.0)
    X = (split.X.flatten(1).double() - 0.5) / 2
    expected = torch.linalg.eigvalsh(X.T @ X / len(X)).repeat_interleave(3)
    torch.testing.assert_close(spectrum(net.eval(), split, halved_squares), expected)
    assert net[1].running_mean.dtype == torch.float32
