"""Optimizers from scratch: each equals torch's, changes nothing in place, and can be stacked."""

import inspect

import pytest
import torch
from torch.nn.functional import cross_entropy

from lrcourse import models, optimizers
from lrcourse import schedules as s

CASES = [
    ("sgd", {}),
    ("sgd", {"weight_decay": 0.01}),
    ("sgd", {"momentum": 0.8}),
    ("sgd", {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01}),
    ("momentum", {}),
    ("momentum", {"momentum": 0.5, "weight_decay": 0.01}),
    ("momentum", {"momentum": 0.0}),
    ("momentum", {"nesterov": True}),
    ("nesterov", {}),
    ("nesterov", {"momentum": 0.7, "weight_decay": 0.01}),
    ("adagrad", {}),
    ("adagrad", {"lr_decay": 0.1, "weight_decay": 0.01, "initial_accumulator_value": 0.1}),
    ("adagrad", {"eps": 1e-3}),
    ("rmsprop", {}),
    ("rmsprop", {"alpha": 0.9, "eps": 1e-4, "weight_decay": 0.01}),
    ("adadelta", {}),
    ("adadelta", {"rho": 0.8, "eps": 1e-4, "weight_decay": 0.01}),
    ("adam", {}),
    ("adam", {"betas": (0.8, 0.99), "eps": 1e-4, "weight_decay": 0.01}),
    ("adamw", {}),
    ("adamw", {"betas": (0.8, 0.99), "weight_decay": 0.1}),
]
# Rates at which the small net learns: a large one lets rounding grow, whoever writes the updates.
PEAKS = {"rmsprop": 0.003, "adam": 0.003, "adamw": 0.003, "adagrad": 0.01, "adadelta": 1.0}
UPDATES = 50
SHAPE = s.warmup(10).then(s.cosine(40))


def problem(dtype):
    """A small net, its parameters by name, and batches."""
    net = models.mlp(2, 6, inputs=12, classes=4).to(dtype)
    draw = torch.Generator().manual_seed(1)
    X = torch.rand(UPDATES, 16, 12, generator=draw, dtype=torch.float64).to(dtype)
    y = torch.randint(4, (UPDATES, 16), generator=draw)
    return net, X, y


def trained_by_torch(name, options, dtype, rates):
    net, X, y = problem(dtype)
    optimizer = optimizers.torch_optimizer(name, net.parameters(), lr=1.0, **options)
    for t, lr in enumerate(rates):
        optimizer.param_groups[0]["lr"] = lr
        optimizer.zero_grad()
        cross_entropy(net(X[t]), y[t]).backward()
        optimizer.step()
    return dict(net.named_parameters())


def trained_by_hand(name, options, dtype, rates):
    net, X, y = problem(dtype)
    params = {key: p.detach() for key, p in net.named_parameters()}

    def loss(params, X, y):
        return cross_entropy(torch.func.functional_call(net, params, (X,)), y)

    init, update = optimizers.pure(name, **options)
    state = init(params)
    for t, lr in enumerate(rates):
        grads = torch.func.grad(loss)(params, X[t], y[t])
        params, state = update(params, grads, state, lr)
    return params


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
@pytest.mark.parametrize(("dtype", "within"), [(torch.float32, 1e-6), (torch.float64, 1e-13)])
def test_each_equals_torch_over_50_updates(name, options, dtype, within):
    lrs = [PEAKS.get(name, 0.1) * SHAPE(t) for t in range(UPDATES)]
    theirs = trained_by_torch(name, options, dtype, lrs)
    ours = trained_by_hand(name, options, dtype, lrs)
    start = dict(problem(dtype)[0].named_parameters())
    assert max(float((ours[key] - start[key]).detach().abs().max()) for key in ours) > 1e-3
    for key, value in ours.items():
        assert value.dtype == dtype
        torch.testing.assert_close(value, theirs[key].detach(), rtol=0, atol=within)


@pytest.mark.parametrize("name", optimizers.PURE)
def test_defaults_are_those_of_torch(name):
    kind, preset = optimizers.TORCH[name]
    theirs = inspect.signature(kind).parameters
    for option, parameter in inspect.signature(optimizers.PURE[name]).parameters.items():
        if option in ("beta1", "beta2"):
            expected = theirs["betas"].default[option == "beta2"]
        else:
            expected = preset.get(option, theirs[option].default)
        assert parameter.default == expected, option


@pytest.mark.parametrize("name", optimizers.PURE)
def test_nothing_is_changed_in_place(name):
    params = {"w": torch.tensor([1.0, -2.0])}
    grads = {"w": torch.tensor([0.5, 0.25])}
    init, update = optimizers.PURE[name]()
    once, state = update(params, grads, init(params), 0.1)
    before = torch.utils._pytree.tree_map(torch.clone, state)
    update(once, grads, state, 0.1)
    torch.testing.assert_close(state, before, rtol=0, atol=0)
    assert params["w"].tolist() == [1.0, -2.0]
    assert grads["w"].tolist() == [0.5, 0.25]


@pytest.mark.parametrize("name", optimizers.PURE)
def test_stacked_members_with_their_own_rates_equal_each_alone(name):
    draw = torch.Generator().manual_seed(2)
    params = {"w": torch.randn(3, 5, generator=draw), "b": torch.randn(3, 2, generator=draw)}
    grads = {"w": torch.randn(3, 5, generator=draw), "b": torch.randn(3, 2, generator=draw)}
    lrs = torch.tensor([0.001, 0.03, 0.5], dtype=torch.float64)
    init, update = optimizers.PURE[name]()

    def twice(params, grads, lr):
        params, state = update(params, grads, init(params), lr)
        return update(params, grads, state, lr)[0]

    together = torch.func.vmap(twice)(params, grads, lrs)
    for m, lr in enumerate(lrs.tolist()):
        alone = twice({k: p[m] for k, p in params.items()}, {k: g[m] for k, g in grads.items()}, lr)
        for key, value in alone.items():
            assert together[key].dtype == torch.float32
            torch.testing.assert_close(together[key][m], value, rtol=1e-6, atol=1e-7)


# -- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("sgd", {"weight_decay": -1}, "weight_decay must be a finite number >= 0; got -1"),
        ("momentum", {"momentum": -0.1}, "momentum must be a finite number >= 0"),
        ("nesterov", {"momentum": 0}, "momentum above 0"),
        ("sgd", {"nesterov": True}, "momentum above 0"),
        ("adagrad", {"lr_decay": float("nan")}, "lr_decay must be a finite number"),
        (
            "adagrad",
            {"initial_accumulator_value": -1},
            "initial_accumulator_value must be a finite",
        ),
        ("rmsprop", {"alpha": 1}, "alpha must be a number from 0 to below 1"),
        ("rmsprop", {"centered": True}, "rmsprop is written here without centered; it has alpha"),
        ("adadelta", {"rho": -0.1}, "rho must be a number from 0 to below 1"),
        ("adam", {"betas": (0.9, 1.0)}, "beta2 must be a number from 0 to below 1"),
        ("adam", {"eps": -1}, "eps must be a finite number >= 0"),
        ("adam", {"beta1": 0.9}, "without beta1; it has betas"),
        ("adamw", {"amsgrad": True}, "without amsgrad"),
        ("adma", {}, "one of 'sgd', 'momentum', .*; got 'adma' .did you mean 'adam'"),
    ],
)
def test_bad_options(name, options, message):
    with pytest.raises(ValueError, match=message):
        optimizers.pure(name, **options)


def test_unknown_names_of_torch_optimizers():
    with pytest.raises(ValueError, match=r"got 'adma' .did you mean 'adam'"):
        optimizers.torch_optimizer("adma", [torch.ones(1, requires_grad=True)], lr=0.1)


@pytest.mark.parametrize("name", optimizers.PURE)
def test_the_source_shown_is_the_update_that_runs(name):
    shown = optimizers.update_source(name)
    assert shown.startswith("def update(params, grads, state, lr):")
    whole = inspect.getsource(optimizers.PURE[name])
    assert all(line.strip() in whole for line in shown.splitlines())
    assert "return" in shown.splitlines()[-1] or "params" in shown.splitlines()[-1]
    compile(shown, name, "exec")


def test_the_source_of_an_unknown_optimizer():
    with pytest.raises(ValueError, match=r"name must be one of 'sgd', .*; got 'lion'"):
        optimizers.update_source("lion")
