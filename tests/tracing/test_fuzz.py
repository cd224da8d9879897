"""A trace tells what a real loop then does, bit for bit, and leaves everything as it was."""

import random
import warnings

import numpy as np
import pytest
import torch
from helpers.snapshots import snapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler as ls

from lrcourse import schedules as s
from lrcourse import tracing
from lrcourse.recorder import Recorder

pytestmark = pytest.mark.filterwarnings("ignore")


class Counting:
    """A schedule that counts its own calls, as the stateful ones of tutorials do."""

    def __init__(self):
        self.calls = 0
        self.history = []

    def __call__(self, t):
        self.calls += 1
        self.history.append(t)
        return 0.9**self.calls

    def method(self, t):
        return self(t) + 0.01


def counting_closure():
    state = {"calls": 0}
    rng = random.Random(3)
    calls = 0

    def factor(t, seen=[]):  # noqa: B006
        nonlocal calls
        calls += 1
        state["calls"] += 1
        seen.append(t)
        return 1 / (calls + len(seen)) + rng.random()

    return factor


def noisy(t):
    return 1 + 0.1 * (random.random() + np.random.rand() + float(torch.rand(())))


def from_list():
    values = iter([1 / (k + 1) for k in range(200)])
    return lambda t: next(values)


def reads_the_optimizer(optimizer):
    return lambda t: 0.5 + optimizer.param_groups[0]["lr"] * 0.1 + optimizer.param_groups[0]["eps_"]


FUNCTIONS = {
    "lambda": lambda o: lambda t: 0.95**t,
    "object": lambda o: Counting(),
    "bound method": lambda o: Counting().method,
    "closure": lambda o: counting_closure(),
    "random": lambda o: noisy,
    "iterator": lambda o: from_list(),
    "generator": lambda o: (lambda g: lambda t: 1 + g.random())(np.random.default_rng(0)),
    "torch generator": lambda o: (lambda g: lambda t: 1 + float(torch.rand((), generator=g)))(
        torch.Generator().manual_seed(1)
    ),
    "optimizer": reads_the_optimizer,
    "shape": lambda o: s.warmup(4).then(s.restarts(5)).__call__,
    "partial of a builtin": lambda o: [1.0 / (k + 1) for k in range(200)].__getitem__,
    "lists": lambda o: [Counting() for _ in o.param_groups],
}

SIMPLE = {
    "step": lambda o: ls.StepLR(o, 3, 0.5),
    "multistep": lambda o: ls.MultiStepLR(o, [2, 5, 9], 0.5),
    "constant": lambda o: ls.ConstantLR(o, 0.3, 4),
    "linear": lambda o: ls.LinearLR(o, 0.1, total_iters=5),
    "exponential": lambda o: ls.ExponentialLR(o, 0.9),
    "cosine": lambda o: ls.CosineAnnealingLR(o, 7),
    "polynomial": lambda o: ls.PolynomialLR(o, 8, 2.0),
    "restarts": lambda o: ls.CosineAnnealingWarmRestarts(o, 3, 2),
    "cyclic": lambda o: ls.CyclicLR(o, 0.01, 0.5, 4, mode="exp_range", gamma=0.99),
    "own cyclic": lambda o: ls.CyclicLR(o, 0.01, 0.5, 4, scale_fn=Counting()),
    "one cycle": lambda o: ls.OneCycleLR(o, 0.5, total_steps=40),
    "multiplicative": lambda o: ls.MultiplicativeLR(o, lambda t: 0.97),
} | {
    f"lambda: {name}": lambda o, build=build: ls.LambdaLR(o, build(o))
    for name, build in FUNCTIONS.items()
}


def sequential(first, second, milestone):
    def build(o):
        return ls.SequentialLR(o, [first(o), second(o)], [milestone])

    return build


def chained(first, second):
    return lambda o: ls.ChainedScheduler([first(o), second(o)])


simple = st.sampled_from(sorted(SIMPLE)).map(SIMPLE.get)
schedulers = (
    simple
    | st.builds(sequential, simple, simple, st.integers(1, 8))
    | st.builds(chained, simple, simple)
    | st.builds(chained, simple, st.builds(sequential, simple, simple, st.integers(1, 8)))
)

OPTIMIZERS = {
    "sgd": lambda groups, lr: torch.optim.SGD(groups, lr=lr, momentum=0.7),
    "plain": lambda groups, lr: torch.optim.SGD(groups, lr=lr, momentum=0.0),
    "adam": lambda groups, lr: torch.optim.Adam(groups, lr=lr, foreach=False, amsgrad=True),
    "adamw": lambda groups, lr: torch.optim.AdamW(groups, lr=lr, foreach=False),
    "rmsprop": lambda groups, lr: torch.optim.RMSprop(groups, lr=lr, momentum=0.3, foreach=False),
}


@st.composite
def situations(draw):
    """A net, its optimizer and scheduler, some updates made already."""
    torch.manual_seed(draw(st.integers(0, 100)))
    count = draw(st.integers(1, 3))
    layers = [torch.nn.Linear(2, 2) for _ in range(count)]
    groups = [
        {"params": list(each.parameters()), "eps_": 0.01 * g} for g, each in enumerate(layers)
    ]
    for group in groups[1:]:
        if draw(st.booleans()):
            group["lr"] = draw(st.sampled_from([0.5, 0.02]))
    lr = draw(st.sampled_from([0.1, 1.0]))
    held = torch.tensor(lr, dtype=torch.float64) if draw(st.booleans()) else lr
    kind = draw(st.sampled_from(sorted(OPTIMIZERS)))
    optimizer = OPTIMIZERS[kind](groups, held)
    scheduler = draw(schedulers)(optimizer)
    for layer in layers:
        for parameter in layer.parameters():
            parameter.grad = torch.randn_like(parameter)
    for _ in range(draw(st.integers(0, 6))):
        optimizer.step()
        scheduler.step()
    return layers, optimizer, scheduler


def real_loop(optimizer, scheduler, updates, every=1):
    with Recorder(optimizer) as log:
        for t in range(updates):
            optimizer.step()
            if (t + 1) % every == 0:
                scheduler.step()
    return log


@settings(max_examples=60, deadline=None)
@given(situations(), st.integers(1, 25), st.sampled_from([1, 1, 3]))
def test_a_trace_disturbs_nothing_and_tells_the_truth(situation, updates, every):
    layers, optimizer, scheduler = situation
    hooked = []
    optimizer.register_step_pre_hook(lambda *_: hooked.append(1))
    before = snapshot(layers, optimizer, scheduler)
    options = {} if every == 1 else {"when": "epoch", "updates_per_epoch": every}
    traced = tracing.trace(optimizer, scheduler, updates, **options)
    assert snapshot(layers, optimizer, scheduler) == before
    assert not hooked

    again = tracing.trace(optimizer, scheduler, updates, **options)
    np.testing.assert_array_equal(again.lr, traced.lr)
    tracing.lint(traced)

    assert traced.error is None
    log = real_loop(optimizer, scheduler, updates, every)
    np.testing.assert_array_equal(traced.lr, log.lr)
    np.testing.assert_array_equal(traced.momentum, log.momentum)


@pytest.mark.parametrize("name", sorted(SIMPLE))
def test_each_scheduler_by_itself(name):
    parameters = [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
    for parameter in parameters:
        parameter.grad = torch.ones(2)
    groups = [{"params": [each], "eps_": 0.1 * g} for g, each in enumerate(parameters)]
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    scheduler = SIMPLE[name](optimizer)
    before = snapshot(optimizer, scheduler)
    traced = tracing.trace(optimizer, scheduler, 12)
    assert snapshot(optimizer, scheduler) == before
    np.testing.assert_array_equal(traced.lr, real_loop(optimizer, scheduler, 12).lr)
    assert len(np.unique(traced.lr)) > 1


def one(lr=0.1, **options):
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.grad = torch.ones(2)
    return torch.optim.SGD([parameter], lr=lr, **options)


def test_a_warning_that_was_shown_once_stays_shown():
    optimizer = one()
    scheduler = ls.SequentialLR(
        optimizer, [ls.LinearLR(optimizer), ls.ExponentialLR(optimizer, 0.9)], [3]
    )
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")
        for _ in range(2):
            warnings.warn("mine", stacklevel=1)
            tracing.trace(optimizer, scheduler, 6)
    assert [str(each.message) for each in shown] == ["mine"]


def test_what_is_warned_of_becomes_a_note():
    def factor(t):
        warnings.warn(f"t is {min(t, 2)}", stacklevel=1)
        return 1.0

    optimizer = one()
    scheduler = ls.LambdaLR(optimizer, factor)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        traced = tracing.trace(optimizer, scheduler, 5)
    assert traced.notes == ("t is 1", "t is 2")
    assert traced.error is None
    assert "warned: t is 1" in str(traced)


def test_after_a_trace_torch_still_sees_a_wrong_order():
    optimizer = one()
    scheduler = ls.ExponentialLR(optimizer, 0.9)
    tracing.trace(optimizer, scheduler, 3)
    with pytest.warns(UserWarning, match=r"lr_scheduler.step\(\)` before `optimizer.step"):
        scheduler.step()


def test_an_error_inside_leaves_everything_in_place():
    optimizer = one(momentum=0.9)
    scheduler = ls.OneCycleLR(optimizer, 0.1, total_steps=5)
    before = snapshot(optimizer, scheduler)
    traced = tracing.trace(optimizer, scheduler, 20)
    assert snapshot(optimizer, scheduler) == before
    assert traced.stopped_at == len(traced.lr) == 6
    for _ in range(5):
        optimizer.step()
        scheduler.step()
    optimizer.step()
    with pytest.raises(ValueError, match="Tried to step 6 times"):
        scheduler.step()
    assert "ValueError: Tried to step 6 times" in traced.error


def test_an_interruption_leaves_everything_in_place():
    def factor(t):
        if t == 3:
            raise KeyboardInterrupt
        return 1.0

    optimizer = one()
    scheduler = ls.LambdaLR(optimizer, factor)
    before = snapshot(optimizer, scheduler)
    with pytest.raises(KeyboardInterrupt):
        tracing.trace(optimizer, scheduler, 5)
    assert snapshot(optimizer, scheduler) == before


def test_a_generator_is_refused_and_not_used_up():
    values = (1 / (k + 1) for k in range(9))
    optimizer = one()
    scheduler = ls.LambdaLR(optimizer, lambda t: next(values))
    with pytest.raises(TypeError, match="can be used only once"):
        tracing.trace(optimizer, scheduler, 3)
    assert next(values) == 0.5  # building the scheduler took the first


def test_what_cannot_be_copied_is_shared():
    import threading

    class Trainer:
        def __init__(self):
            self.lock = threading.Lock()
            self.net = torch.nn.BatchNorm1d(2)
            self.unused = (k for k in range(3))
            self.steps = 0

        def factor(self, t):
            with self.lock:
                self.steps += 1
                return float(self.net.weight.mean()) / self.steps

    trainer = Trainer()
    optimizer = torch.optim.SGD(trainer.net.parameters(), lr=1.0)
    scheduler = ls.LambdaLR(optimizer, trainer.factor)
    traced = tracing.trace(optimizer, scheduler, 4)
    np.testing.assert_array_equal(traced.lr[:, 0], [1, 1 / 2, 1 / 3, 1 / 4])
    assert trainer.steps == 1
    assert next(trainer.unused) == 0


def test_large_parameters_are_not_copied():
    parameter = torch.nn.Parameter(torch.zeros(50_000_000))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    scheduler = ls.StepLR(optimizer, 2)
    allocated = []
    real = torch.Tensor.clone
    torch.Tensor.clone = lambda self, *a, **k: allocated.append(self.numel()) or real(self, *a, **k)
    try:
        tracing.trace(optimizer, scheduler, 3)
    finally:
        torch.Tensor.clone = real
    assert max(allocated, default=0) < 10


HOOKED = []


def test_no_hook_runs():
    class Rude(ls.ExponentialLR):
        def step(self, epoch=None):
            type(self.optimizer).step(self.optimizer)
            super().step(epoch)

    optimizer = one()
    scheduler = Rude(optimizer, 0.9)
    optimizer.register_step_pre_hook(lambda *_: HOOKED.append(1))
    tracing.trace(optimizer, scheduler, 3)
    assert HOOKED == []


def test_a_copy_that_calls_the_optimizer_itself_changes_no_parameter():
    class Rude(ls.ExponentialLR):
        def step(self, epoch=None):
            if hasattr(self, "_last_lr"):
                type(self.optimizer).step(self.optimizer)
            super().step(epoch)

    optimizer = one()
    scheduler = Rude(optimizer, 0.9)
    before = snapshot(optimizer, scheduler)
    with Recorder(optimizer) as log:
        tracing.trace(optimizer, scheduler, 3)
    assert snapshot(optimizer, scheduler) == before
    assert len(log) == 0
