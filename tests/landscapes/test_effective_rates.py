"""Effective rates: times the weighted mean of the gradients they are the steps that torch makes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcourse import optimizers
from lrcourse import schedules as s
from lrcourse.landscapes import Ravine, descend, effective_rates, noisy

UPDATES = 40
SHAPE = s.warmup(5).then(s.cosine(UPDATES - 5, floor=0.1))
CASES = [
    ("sgd", {}, None),
    ("momentum", {}, 0.9),
    ("momentum", {"momentum": 0.5}, 0.5),
    ("adagrad", {}, None),
    ("adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.2, "eps": 1e-3}, None),
    ("rmsprop", {}, None),
    ("rmsprop", {"alpha": 0.8, "eps": 1e-3}, None),
    ("adadelta", {}, None),
    ("adadelta", {"rho": 0.7, "eps": 1e-4}, None),
    ("adam", {}, 0.9),
    ("adam", {"betas": (0.6, 0.9), "eps": 1e-3}, 0.6),
    ("adamw", {}, 0.9),
]


def weighted_mean(gradients, share):
    """Of each update, from its definition: weights share^age, divided by their sum."""
    if share is None:
        return gradients
    rows = []
    for t in range(len(gradients)):
        weights = share ** torch.arange(t, -1, -1, dtype=torch.float64)
        shaped = weights.reshape(-1, *(1,) * (gradients.ndim - 1))
        rows.append((shaped * gradients[: t + 1]).sum(0) / weights.sum())
    return torch.stack(rows)


def stepped_by_torch(name, options, run):
    """torch's optimizer on the gradients of a descent; decay off, as rates know none."""
    extra = {"weight_decay": 0.0} if name == "adamw" else {}
    w = torch.nn.Parameter(run.path[0].clone())
    optimizer = optimizers.torch_optimizer(name, [w], lr=1.0, **(options | extra))
    steps = []
    for gradient, lr in zip(run.gradients, run.lr, strict=True):
        optimizer.param_groups[0]["lr"] = float(lr)
        before, w.grad = w.detach().clone(), gradient.clone()
        optimizer.step()
        steps.append(w.detach() - before)
    return torch.stack(steps)


@pytest.mark.parametrize(("name", "options", "share"), CASES, ids=str)
def test_rate_times_mean_is_the_step_of_torch(name, options, share):
    gradient = noisy(Ravine(5.0).gradient, 0.5, seed=3)
    start = torch.tensor([[1.0, -2.0], [0.3, 0.1]])
    extra = {"weight_decay": 0.0} if name == "adamw" else {}
    pure = optimizers.pure(name, **(options | extra))
    run = descend(gradient, start, pure, 0.05, UPDATES, SHAPE)
    rates = effective_rates.along(run, name, **options)
    assert rates.shape == run.gradients.shape
    expected = stepped_by_torch(name, options, run)
    torch.testing.assert_close(
        -rates * weighted_mean(run.gradients, share), expected, atol=1e-12, rtol=1e-9
    )


def test_nesterov_has_the_rate_of_its_velocity():
    run = descend(lambda w: w, torch.ones(2), optimizers.pure("nesterov"), 0.01, 300)
    rates = effective_rates.along(run, "nesterov")
    assert rates[0].tolist() == pytest.approx([0.01] * 2)
    assert rates[-1].tolist() == pytest.approx([0.1] * 2)


def test_rates_of_problems_side_by_side():
    lr = torch.tensor([[0.1], [0.2]], dtype=torch.float64)
    run = descend(lambda w: w, torch.ones(3), optimizers.pure("momentum"), lr, 4)
    rates = effective_rates.along(run, "momentum")
    assert rates.shape == (4, 2, 3)
    assert rates[:, 1, 0].tolist() == pytest.approx([0.2, 0.38, 0.542, 0.6878])


@settings(max_examples=30)
@given(size=st.floats(1e-3, 1e3), updates=st.integers(1, 50))
def test_adagrad_under_gradients_of_one_size(size, updates):
    gradient = torch.tensor([size, 1.0])
    run = descend(
        lambda w: gradient + 0 * w, torch.zeros(2), optimizers.pure("adagrad"), 0.1, updates
    )
    found = effective_rates.along(run, "adagrad")[-1].tolist()
    assert found == pytest.approx([0.1 / (size * updates**0.5), 0.1 / updates**0.5], rel=1e-6)


def test_bad_input():
    run = descend(lambda w: w, torch.ones(1), optimizers.pure("sgd"), 0.1, 2)
    with pytest.raises(ValueError, match="weight_decay"):
        effective_rates.along(run, "adam", weight_decay=0.1)
    with pytest.raises(ValueError, match=r"name must be one of 'sgd', .*; got 'lion'"):
        effective_rates.along(run, "lion")
    with pytest.raises(ValueError, match="without foreach"):
        effective_rates.along(run, "adam", foreach=True)
