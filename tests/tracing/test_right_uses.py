"""Lint keeps silent where people train as they should, before the training and in its record."""

import math

import numpy as np
import pytest
import torch
from helpers.peers import peer
from torch.optim import lr_scheduler as ls
from torch.optim.swa_utils import SWALR, AveragedModel, get_ema_multi_avg_fn

from lrcourse import schedules as s
from lrcourse.tracing import lint, record

N = 100
pytestmark = pytest.mark.filterwarnings("ignore")


def parameters():
    made = torch.nn.Parameter(torch.ones(2))
    made.grad = torch.ones(2)
    return [made]


def grouped(*rates, **options):
    groups = [{"params": parameters(), "lr": lr} for lr in rates]
    return torch.optim.SGD(groups, lr=rates[0], **options)


def sgd(lr=0.1, **options):
    return torch.optim.SGD(parameters(), lr=lr, **options)


def adam(lr=1e-3, **options):
    return torch.optim.AdamW(parameters(), lr=lr, **options)


def sequential(*parts, at):
    return lambda o: ls.SequentialLR(o, [part(o) for part in parts], list(at))


def linear_warmup(o):
    return ls.LinearLR(o, 0.1, total_iters=10)


def unfreeze(t):
    return float(t >= 30)


def nano(t, warmup=10, highest=6e-4, lowest=6e-5):
    """A rate (not a factor) as people's own loops compute it."""
    if t < warmup:
        return highest * (t + 1) / (warmup + 1)
    return lowest + 0.5 * (1 + math.cos(math.pi * (t - warmup) / (N - warmup))) * (highest - lowest)


class MyOneCycle(ls.OneCycleLR):
    """A subclass, as people derive to log what it does."""


def staircase(t):
    return (t + 1) / 5 if t < 5 else 0.1 ** ((t >= 30) + (t >= 60) + (t >= 80))


SCHEDULED = {
    "1cycle, batches of epochs": (
        lambda: sgd(momentum=0.9),
        lambda o: ls.OneCycleLR(o, 0.1, epochs=10, steps_per_epoch=10),
    ),
    "1cycle, Adam, linear": (
        adam,
        lambda o: ls.OneCycleLR(
            o, 1e-3, total_steps=N, pct_start=0.1, anneal_strategy="linear", div_factor=10
        ),
    ),
    "1cycle of one's own class": (adam, lambda o: MyOneCycle(o, 1e-3, total_steps=N)),
    "1cycle, one step more": (adam, lambda o: ls.OneCycleLR(o, 1e-3, total_steps=N + 1)),
    "1cycle, a rate for each layer": (
        lambda: grouped(0.1, 0.05, 0.025, momentum=0.9),
        lambda o: ls.OneCycleLR(o, [0.1, 0.05, 0.025], total_steps=N),
    ),
    "1cycle, no momentum": (
        lambda: torch.optim.Adagrad(parameters(), lr=0.01),
        lambda o: ls.OneCycleLR(o, 0.01, total_steps=N, cycle_momentum=False),
    ),
    "warmup, hold, cosine": (
        sgd,
        sequential(
            linear_warmup,
            lambda o: ls.ConstantLR(o, 1, 0),
            lambda o: ls.CosineAnnealingLR(o, 40),
            at=[10, 60],
        ),
    ),
    "warmup, hold, linear decay": (
        sgd,
        sequential(
            linear_warmup,
            lambda o: ls.LambdaLR(o, lambda t: 1.0),
            lambda o: ls.LinearLR(o, 1, 0.01, total_iters=40),
            at=[10, 60],
        ),
    ),
    "warmup, hold, 1 - sqrt": (
        sgd,
        lambda o: ls.LambdaLR(
            o, lambda t: (t + 1) / 10 if t < 10 else 1 if t < 80 else 1 - ((t - 80) / 20) ** 0.5
        ),
    ),
    "SWALR": (sgd, lambda o: SWALR(o, swa_lr=0.05, anneal_epochs=10)),
    "SWALR, upward": (sgd, lambda o: SWALR(o, swa_lr=0.5, anneal_epochs=5)),
    "cosine, then SWALR": (
        sgd,
        sequential(lambda o: ls.CosineAnnealingLR(o, 75), lambda o: SWALR(o, swa_lr=0.05), at=[75]),
    ),
    "foreach Adam": (lambda: adam(foreach=True), lambda o: ls.CosineAnnealingLR(o, N)),
    "fused Adam, rate in a tensor": (
        lambda: adam(torch.tensor(1e-3), fused=True),
        lambda o: ls.CosineAnnealingLR(o, N),
    ),
    "capturable Adam": (lambda: adam(capturable=True), lambda o: ls.CosineAnnealingLR(o, N)),
    "LBFGS": (
        lambda: torch.optim.LBFGS(parameters(), lr=1.0),
        lambda o: ls.ExponentialLR(o, 0.95),
    ),
    "of a GAN, decay from the half on": (
        lambda: adam(2e-4, betas=(0.5, 0.999)),
        lambda o: ls.LambdaLR(o, lambda t: 1 - max(0, t - 50) / 51),
    ),
    "Transformer, LR 1": (
        lambda: torch.optim.Adam(parameters(), lr=1.0, betas=(0.9, 0.98)),
        lambda o: ls.LambdaLR(o, lambda t: 32**-0.5 * min((t + 1) ** -0.5, (t + 1) * 20**-1.5)),
    ),
    "rates by a function, LR 1": (lambda: adam(1.0), lambda o: ls.LambdaLR(o, nano)),
    "a rate for each layer": (
        lambda: grouped(*(0.1 * 0.75**k for k in range(12))),
        lambda o: ls.CosineAnnealingLR(o, N),
    ),
    "a function for each group": (
        lambda: grouped(0.1, 0.01),
        lambda o: ls.LambdaLR(o, [lambda t: 0.95**t, lambda t: 0.9**t]),
    ),
    "unfrozen at a third": (
        lambda: grouped(0.1, 0.01),
        lambda o: ls.LambdaLR(o, [lambda t: 1.0, unfreeze]),
    ),
    "frozen at a third": (
        lambda: grouped(0.1, 0.01),
        lambda o: ls.LambdaLR(o, [lambda t: 1 - t / N, lambda t: 1 - unfreeze(t)]),
    ),
}


@pytest.mark.parametrize("name", SCHEDULED)
def test_silent_before_the_training(name):
    make, build = SCHEDULED[name]
    optimizer = make()
    assert str(lint(optimizer, build(optimizer), N)) == "nothing found"


IN_EPOCHS = {
    "function": (lambda o: ls.LambdaLR(o, lambda e: 0.95**e), None),
    "warmup and milestones by a function": (lambda o: ls.LambdaLR(o, staircase), None),
    "plateau": (lambda o: ls.ReduceLROnPlateau(o, patience=2), [1 / (k + 1) for k in range(N)]),
    "plateau that acts": (lambda o: ls.ReduceLROnPlateau(o, patience=30), [1.0] * N),
}


@pytest.mark.parametrize("name", IN_EPOCHS)
def test_silent_on_what_counts_epochs(name):
    build, metrics = IN_EPOCHS[name]
    optimizer = sgd()
    options = {"when": "epoch", "updates_per_epoch": 10, "metrics": metrics}
    assert str(lint(optimizer, build(optimizer), 10 * N, **options)) == "nothing found"


RESUMED = {
    "1cycle": lambda o: ls.OneCycleLR(o, 0.1, total_steps=N),
    "cosine": lambda o: ls.CosineAnnealingLR(o, N),
    "warmup, cosine": sequential(linear_warmup, lambda o: ls.CosineAnnealingLR(o, 90), at=[10]),
}


@pytest.mark.parametrize("make", [lambda: sgd(momentum=0.9), adam], ids=["SGD", "Adam"])
@pytest.mark.parametrize("done", [5, 40, 90])
@pytest.mark.parametrize("name", RESUMED)
def test_silent_on_a_resumed_checkpoint(name, done, make):
    first, second = make(), make()
    scheduler, resumed = RESUMED[name](first), RESUMED[name](second)
    for _ in range(done):
        first.step()
        scheduler.step()
    second.load_state_dict(first.state_dict())
    resumed.load_state_dict(scheduler.state_dict())
    assert str(lint(second, resumed, N - done)) == "nothing found"


def test_silent_on_a_resume_by_last_epoch():
    first, second = adam(), adam()
    scheduler = ls.CosineAnnealingLR(first, N)
    for _ in range(40):
        first.step()
        scheduler.step()
    second.load_state_dict(first.state_dict())
    resumed = ls.CosineAnnealingLR(second, N, last_epoch=39)
    assert str(lint(second, resumed, N - 40)) == "nothing found"


def test_silent_on_the_net_of_a_moving_average():
    net = torch.nn.Linear(2, 1)
    AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.99))
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    assert str(lint(optimizer, ls.CosineAnnealingLR(optimizer, N), N)) == "nothing found"


@pytest.mark.parametrize("name", ["step", "poly", "multistep"])
def test_silent_on_what_timms_factory_makes(name):
    optimizer = sgd()
    scheduler, epochs = peer("timm.scheduler").create_scheduler_v2(
        optimizer,
        sched=name,
        num_epochs=90,
        warmup_epochs=0,
        decay_epochs=30,
        decay_milestones=(30, 60),
    )
    options = {"when": "epoch", "updates_per_epoch": 5}
    assert str(lint(optimizer, scheduler, 5 * epochs, **options)) == "nothing found"


# -- records ------------------------------------------------------------------------------------


RECORDED = {
    "warm restarts": lambda o: ls.CosineAnnealingWarmRestarts(o, 25),
    "cycles": lambda o: ls.CyclicLR(o, 0.01, 0.1, 10, cycle_momentum=False),
    "staircase": lambda o: ls.StepLR(o, 30),
    "warmup, cosine": sequential(linear_warmup, lambda o: ls.CosineAnnealingLR(o, 90), at=[10]),
}


@pytest.mark.parametrize("name", RECORDED)
@pytest.mark.parametrize("every", [1, 7])
def test_silent_on_records(name, every):
    optimizer = sgd()
    scheduler = RECORDED[name](optimizer)
    with record(optimizer) as log:
        for t in range(N * every):
            optimizer.step()
            if t % every == every - 1:
                scheduler.step()
    assert str(lint(log)) == "nothing found"


@pytest.mark.parametrize("rate", [nano, lambda t: 1e-6 * 1.15**t], ids=["own", "range test"])
def test_silent_on_rates_that_a_loop_writes(rate):
    optimizer = adam()
    with record(optimizer) as log:
        for t in range(N):
            optimizer.param_groups[0]["lr"] = rate(t)
            optimizer.step()
    assert str(lint(log)) == "nothing found"
    assert log.against([rate(t) for t in range(N)]) == ()


def test_silent_on_groups_that_are_added_or_set_free_on_the_way():
    added, freed = sgd(), grouped(0.1, 0.0)
    with record(added) as first, record(freed) as second:
        for t in range(30):
            if t in (10, 20):
                added.add_param_group({"params": parameters(), "lr": 0.1 / t})
                freed.param_groups[1]["lr"] = 0.1 / t
            added.step()
            freed.step()
    assert str(lint(first)) == str(lint(second)) == "nothing found"


def test_silent_on_a_scaler_and_on_accumulation():
    optimizer = sgd()
    scheduler = ls.CosineAnnealingLR(optimizer, 50)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**4)
    with record(optimizer) as log:
        for batch in range(104):
            broken = float("inf") if batch in (20, 60) else 1.0
            scaler.scale((optimizer.param_groups[0]["params"][0] * broken).sum()).backward()
            if batch % 2:
                before = scaler.get_scale()
                scaler.step(optimizer)
                scaler.update()
                optimizer.zero_grad()
                if scaler.get_scale() >= before:
                    scheduler.step()
    assert len(log) == 50
    assert str(lint(log)) == str(log.against(s.cosine(50))) == "nothing found"


def test_silent_on_a_closure():
    optimizer = torch.optim.LBFGS(parameters(), lr=1.0)
    scheduler = ls.ExponentialLR(optimizer, 0.95)

    def closure():
        optimizer.zero_grad()
        loss = (optimizer.param_groups[0]["params"][0] - 3).square().sum()
        loss.backward()
        return loss

    with record(optimizer) as log:
        for _ in range(30):
            optimizer.step(closure)
            scheduler.step()
    np.testing.assert_allclose(log.lr[:, 0], 0.95 ** np.arange(30))
    assert str(lint(log)) == "nothing found"
