"""The whole spectrum against a Hessian that is known in closed form, and against differences."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lrcourse.data import Split
from lrcourse.study.spectrum import share_down, spectrum


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
    with pytest.raises(ValueError, match="2000 at most"):
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
