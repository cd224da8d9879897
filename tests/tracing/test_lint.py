"""Lint finds the known mistakes, each with its update and value, and is silent on right usage."""

import numpy as np
import pytest
import torch
from helpers.peers import peer, sgd
from torch.optim import lr_scheduler as ls

from lrcourse import schedules as s
from lrcourse import tracing
from lrcourse.tracing import lint

N = 100


def only(findings):
    assert len(findings) == 1, findings
    return findings[0]


def found(findings, code):
    (finding,) = (each for each in findings if each.code == code)
    return finding


def two_groups(first=0.1, second=0.01, **options):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (first, second)]
    return torch.optim.SGD(groups, **options)


def sequential(o, first, second, milestone):
    return ls.SequentialLR(o, [first, second], [milestone])


# -- silent on what is right --------------------------------------------------------------------

RIGHT = {
    "step": lambda o: ls.StepLR(o, 30),
    "multistep": lambda o: ls.MultiStepLR(o, [30, 60, 80]),
    "multistep, half": lambda o: ls.MultiStepLR(o, [25]),
    "constant": lambda o: ls.ConstantLR(o, 0.1, 20),
    "linear": lambda o: ls.LinearLR(o, 0.01, total_iters=20),
    "linear, short": lambda o: ls.LinearLR(o, 0.01, total_iters=1),
    "linear decay": lambda o: ls.LinearLR(o, 1.0, 0.01, total_iters=N),
    "exponential": lambda o: ls.ExponentialLR(o, 0.95),
    "cosine": lambda o: ls.CosineAnnealingLR(o, N),
    "cosine, last step at the floor": lambda o: ls.CosineAnnealingLR(o, N - 1, eta_min=1e-3),
    "polynomial": lambda o: ls.PolynomialLR(o, N, 2.0),
    "restarts": lambda o: ls.CosineAnnealingWarmRestarts(o, 10, 2),
    "cyclic": lambda o: ls.CyclicLR(o, 0.1, 1, 10, cycle_momentum=False),
    "cyclic, own momentum": lambda o: ls.CyclicLR(
        o, 0.1, 1, 10, base_momentum=0.85, max_momentum=0.9
    ),
    "triangular2": lambda o: ls.CyclicLR(o, 0.1, 1, 8, mode="triangular2", cycle_momentum=False),
    "1cycle": lambda o: ls.OneCycleLR(o, 1.0, total_steps=N),
    "1cycle, three phases": lambda o: ls.OneCycleLR(o, 1.0, total_steps=N, three_phase=True),
    "warmup, cosine": lambda o: sequential(
        o, ls.LinearLR(o, 0.01, total_iters=10), ls.CosineAnnealingLR(o, N - 10), 10
    ),
    "warmup, milestones": lambda o: sequential(
        o, ls.LinearLR(o, 0.01, total_iters=10), ls.MultiStepLR(o, [30, 60]), 10
    ),
    "warmup, restarts": lambda o: sequential(
        o, ls.LinearLR(o, 0.01, total_iters=10), ls.CosineAnnealingWarmRestarts(o, 30), 10
    ),
    "constant warmup": lambda o: sequential(
        o, ls.ConstantLR(o, 0.1, total_iters=10), ls.ExponentialLR(o, 0.95), 10
    ),
    "two cosines": lambda o: sequential(
        o, ls.CosineAnnealingLR(o, 40), ls.CosineAnnealingLR(o, 60), 40
    ),
    "1cycle, then hold": lambda o: sequential(
        o, ls.OneCycleLR(o, 1.0, total_steps=80), ls.ConstantLR(o, 1.0, 1), 80
    ),
    "chained": lambda o: ls.ChainedScheduler(
        [ls.ConstantLR(o, 0.1, total_iters=10), ls.ExponentialLR(o, 0.95)]
    ),
    "chained cosine": lambda o: ls.ChainedScheduler(
        [ls.LinearLR(o, 0.1, total_iters=10), ls.CosineAnnealingLR(o, N)]
    ),
    "function": lambda o: ls.LambdaLR(o, lambda t: 0.95**t),
    "function with a short warmup": lambda o: ls.LambdaLR(o, lambda t: min(1, (t + 1) / 2)),
    "function with a warmup of 3": lambda o: ls.LambdaLR(o, lambda t: min(1, (t + 1) / 3)),
    "noam": lambda o: ls.LambdaLR(
        o, lambda t: 512**-0.5 * min((t + 1) ** -0.5, (t + 1) * 20**-1.5)
    ),
    "multiplicative": lambda o: ls.MultiplicativeLR(o, lambda t: 0.97),
}


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("every", [1, 7])
def test_silent_on_right_usage_of_torch(name, every):
    optimizer = sgd(momentum=0.9)
    options = {} if every == 1 else {"when": "epoch", "updates_per_epoch": every}
    assert str(lint(optimizer, RIGHT[name](optimizer), N * every, **options)) == "nothing found"


@pytest.mark.parametrize("name", sorted(set(RIGHT) - {"1cycle, then hold"}))
@pytest.mark.parametrize("done", [3, 37, 95])
def test_silent_on_what_is_left_after_a_resume(name, done):
    first = sgd(momentum=0.9)
    scheduler = RIGHT[name](first)
    for parameter in first.param_groups[0]["params"]:
        parameter.grad = torch.ones_like(parameter)
    for _ in range(done):
        first.step()
        scheduler.step()
    optimizer = sgd(momentum=0.9)
    resumed = RIGHT[name](optimizer)
    resumed.load_state_dict(scheduler.state_dict())
    optimizer.load_state_dict(first.state_dict())
    assert str(lint(optimizer, resumed, N - done)) == "nothing found"


SHAPES = [
    s.cosine(N),
    s.warmup(10).then(s.cosine(90)),
    s.warmup(10, start=0.1, ramp="constant").then(s.constant()),
    s.warmup(10, ramp="exponential").then(s.cosine(90)),
    s.warmup(10) * s.cosine(N),
    s.warmup(5).then(s.restarts(10, 2)),
    s.cosine(50).then(s.cosine(50)),
    s.cyclical(10, 0.1),
    s.one_cycle(N),
    s.wsd(N, 10, 20),
    s.multistep([30, 60], 0.1),
    s.step(30, 0.1),
    s.power(),
    s.exponential(0.9, floor=0.001),
    s.from_function(lambda t: 1 / (1 + t)),
    0.5 * s.linear(N),
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: type(shape).__name__)
def test_silent_on_shapes(shape):
    assert lint(shape, updates=N) == ()
    optimizer = two_groups()
    assert lint(optimizer, s.to_torch(shape, optimizer), N) == ()


HF = {
    "linear": ["zero-start"],
    "cosine": ["zero-start"],
    "cosine_with_restarts": ["zero-start"],
    "polynomial": ["zero-start"],
    "constant": [],
    "constant_with_warmup": ["zero-start"],
    "inverse_sqrt": ["zero-start"],
}


@pytest.mark.parametrize("name", HF)
def test_transformers_wastes_the_first_update_and_is_right_otherwise(name):
    get_scheduler = peer("transformers").get_scheduler
    optimizer = sgd(0.1)
    scheduler = get_scheduler(name, optimizer, num_warmup_steps=10, num_training_steps=N)
    assert list(lint(optimizer, scheduler, N).codes) == HF[name]
    without = sgd(0.1)
    scheduler = get_scheduler(name, without, num_warmup_steps=0, num_training_steps=N)
    if name != "inverse_sqrt":  # divides by its warmup
        assert lint(without, scheduler, N) == ()


TIMM = {
    "CosineLRScheduler": {"t_initial": N - 5, "warmup_prefix": True},
    "PolyLRScheduler": {"t_initial": N - 5, "warmup_prefix": True},
    "TanhLRScheduler": {"t_initial": N - 5, "warmup_prefix": True},
    "StepLRScheduler": {"decay_t": 30},
    "MultiStepLRScheduler": {"decay_t": [30, 60]},
}


@pytest.mark.parametrize("name", TIMM)
@pytest.mark.parametrize("noise", [None, (10, 60)])
def test_silent_on_right_usage_of_timm(name, noise):
    scheduler_of = getattr(peer("timm.scheduler.scheduler_factory"), name)
    optimizer = two_groups()
    more = {"warmup_t": 5, "warmup_lr_init": 1e-4, "noise_range_t": noise}
    scheduler = scheduler_of(optimizer, **TIMM[name], **more)
    assert lint(optimizer, scheduler, 3 * N, when="epoch", updates_per_epoch=3) == ()
    repeated = two_groups()
    scheduler = peer("timm.scheduler").CosineLRScheduler(repeated, 20, cycle_limit=5)
    assert lint(repeated, scheduler, N, when="epoch", updates_per_epoch=1) == ()


# -- what goes wrong after the end --------------------------------------------------------------


def test_cosine_rebounds():
    optimizer = sgd()
    finding = only(lint(optimizer, ls.CosineAnnealingLR(optimizer, 10), 15))
    assert (finding.code, finding.update, finding.group) == ("rise-after-end", 11, 0)
    assert finding.value == pytest.approx(0.5 * (1 + np.cos(1.1 * np.pi)))
    assert "0.3455" in finding.message  # the highest of the 15
    assert "holds its last value" in finding.mend


def test_a_cosine_that_is_past_its_end_already():
    optimizer = sgd(momentum=0.9)
    scheduler = ls.CosineAnnealingLR(optimizer, 10)
    for _ in range(12):
        optimizer.step()
        scheduler.step()
    finding = only(lint(optimizer, scheduler, 30))
    assert (finding.code, finding.update) == ("rise-after-end", 1)


def test_cosine_of_transformers_has_no_clamp():
    cosine = peer("transformers").get_cosine_schedule_with_warmup
    optimizer = sgd()
    finding = found(lint(optimizer, cosine(optimizer, 3, 10), 12), "rise-after-end")
    assert (finding.update, round(finding.value, 2)) == (11, 0.05)


def test_1cycle_rises_at_its_end_and_then_fails():
    def check(updates):
        optimizer = sgd(momentum=0.9)
        return lint(optimizer, ls.OneCycleLR(optimizer, 1.0, total_steps=10), updates)

    assert check(10) == ()
    after = check(11)
    rise, error = found(after, "rise-after-end"), found(after, "error")
    assert (rise.update, round(rise.value, 4)) == (10, 0.0495)
    assert error.update == 11
    assert "after update 10 raises ValueError" in error.message
    assert "total_steps=11" in error.mend
    assert set(check(30).codes) == {"ends-early", "rise-after-end", "error"}


# -- peaks --------------------------------------------------------------------------------------


def test_1cycle_misses_a_fractional_peak():
    optimizer = sgd(momentum=0.9)
    scheduler = ls.OneCycleLR(optimizer, 1.0, total_steps=10, pct_start=0.25)
    finding = only(lint(optimizer, scheduler, 10))
    assert (finding.code, finding.update) == ("peak-missed", 2)
    assert finding.value == pytest.approx(0.989, abs=1e-3)
    assert "pct_start=2/10" in finding.mend
    mended = sgd(momentum=0.9)
    assert lint(mended, ls.OneCycleLR(mended, 1.0, total_steps=10, pct_start=2 / 10), 10) == ()


def test_timm_without_prefix():
    cosine = peer("timm.scheduler").CosineLRScheduler
    optimizer = sgd()
    findings = lint(optimizer, cosine(optimizer, 10, warmup_t=3), 10)
    assert findings.codes == ("zero-start", "peak-missed")
    finding = findings[1]
    assert (finding.update, round(finding.value, 3)) == (3, 0.794)
    assert "from 0.6667 to 0.7939" in finding.message
    assert "warmup_prefix=True" in finding.mend


def test_a_warmup_longer_than_the_training():
    optimizer = sgd(0.1)
    finding = only(lint(optimizer, ls.LinearLR(optimizer, 0.1, total_iters=1000), N))
    assert (finding.code, finding.update) == ("peak-missed", 99)
    assert finding.value == pytest.approx(0.1 * (0.1 + 0.9 * 99 / 1000))


def test_a_part_that_goes_on_from_the_low_rate():
    optimizer = sgd(1.0)
    parts = ls.ConstantLR(optimizer, 0.1, 5), ls.MultiplicativeLR(optimizer, lambda t: 0.97)
    finding = only(lint(optimizer, sequential(optimizer, *parts, 5), 30))
    assert (finding.code, finding.update) == ("peak-missed", 0)
    assert finding.value == pytest.approx(0.1)


# -- zeros, jumps, broken rates -----------------------------------------------------------------


def test_zero_at_the_first_update():
    optimizer = two_groups()
    shape = s.warmup(10, start=0.0).then(s.cosine(90))
    finding = only(lint(optimizer, shape, 3 * N, when="epoch", updates_per_epoch=3))
    assert (finding.code, finding.update, finding.group, finding.value) == ("zero-start", 0, 0, 0)
    assert "the first 3 updates change nothing" in finding.message
    assert "in all 2 groups" in finding.message
    frozen = two_groups(0.1, 0.0)  # a group that is meant not to move
    assert lint(frozen, ls.CosineAnnealingLR(frozen, N), N) == ()


def test_a_scheduler_built_anew_on_a_rate_of_0():
    optimizer = sgd()
    used = ls.CosineAnnealingLR(optimizer, 10)
    for _ in range(10):
        optimizer.step()
        used.step()
    again = ls.CosineAnnealingLR(optimizer, N)
    assert "all-zero" in lint(optimizer, again, N).codes


def test_a_jump_where_a_warmup_is_left_too_soon():
    optimizer = sgd()
    parts = ls.LinearLR(optimizer, 0.1, total_iters=40), ls.CosineAnnealingLR(optimizer, 80)
    scheduler = sequential(optimizer, *parts, 20)
    finding = only(lint(optimizer, scheduler, N))
    assert (finding.code, finding.update, finding.value) == ("jump", 20, 1.0)
    assert "from 0.5275 to 1" in finding.message


def test_a_jump_of_an_unknown_function():
    optimizer = sgd()
    finding = only(lint(optimizer, ls.LambdaLR(optimizer, lambda t: 1 - (t % 10) / 10), 25))
    assert (finding.code, finding.update, finding.value) == ("jump", 10, 1.0)
    assert "the first of 2 such jumps" in finding.message
    shape = s.cosine(50).then(s.from_function(lambda t: 1 if t > 20 else 0.01))
    assert only(lint(shape, updates=N)).update == 71


def test_a_rate_below_zero():
    optimizer = sgd()
    finding = only(lint(optimizer, ls.LambdaLR(optimizer, lambda t: 1 - t / 10), 20))
    assert (finding.code, finding.update) == ("bad-lr", 11)
    assert finding.value == pytest.approx(-0.1)


def test_a_rate_that_is_no_number_from_the_beginning():
    optimizer = sgd()
    finding = found(lint(optimizer, ls.LambdaLR(optimizer, lambda t: np.nan), 20), "bad-lr")
    assert finding.update == 0 and "nan" in finding.message
    once = sgd()
    finding = only(lint(once, ls.LambdaLR(once, lambda t: 1.0 if t else np.nan), 20))
    assert (finding.code, finding.update) == ("bad-lr", 0)


# -- lengths and units --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "build, at",
    [
        (lambda o: ls.PolynomialLR(o, 30), 30),
        (lambda o: ls.CosineAnnealingLR(o, 30), 30),
        (lambda o: ls.MultiStepLR(o, [30, 60, 80]), 80),
        (lambda o: ls.ExponentialLR(o, 0.95), 270),
        (lambda o: s.to_torch(s.warmup(5).then(s.cosine(25)), o), 30),
        (lambda o: s.wsd(30, 3, 10), 30),
    ],
)
def test_a_schedule_in_epochs_that_is_stepped_per_update(build, at):
    optimizer = sgd()
    finding = found(lint(optimizer, build(optimizer), 3000), "ends-early")
    assert finding.update == at
    assert "once after each epoch" in finding.mend


@pytest.mark.parametrize(
    "build",
    [
        lambda o: ls.CosineAnnealingLR(o, 3000),
        lambda o: ls.MultiStepLR(o, [1000, 2000]),
        lambda o: ls.StepLR(o, 1000),
        lambda o: ls.CosineAnnealingWarmRestarts(o, 1000),
        lambda o: s.step(1000, 0.1),
        lambda o: s.linear(3000),
    ],
)
def test_a_schedule_in_updates_that_is_stepped_per_epoch(build):
    optimizer = sgd()
    options = {"when": "epoch", "updates_per_epoch": 100}
    finding = only(lint(optimizer, build(optimizer), 3000, **options))
    assert (finding.code, finding.update) == ("ends-late", 2999)
    assert finding.value > 0.99
    assert "after each update" in finding.mend


def test_gradient_accumulation_doubles_the_length():
    finding = only(lint(s.cosine(2 * N), updates=N))
    assert finding.code == "ends-late"
    assert "gradient accumulation" in finding.mend
    assert only(lint(s.cosine(1.3 * N), updates=N)).code == "ends-late"
    assert lint(s.cosine(1.2 * N), updates=N) == ()
    assert only(lint(s.cosine(N), updates=2 * N)).code == "ends-early"
    assert only(lint(s.cosine(N), updates=int(1.2 * N))).code == "ends-early"  # 0 for a sixth
    assert lint(s.cosine(N, floor=0.01), updates=int(1.9 * N)) == ()  # trains on at its floor
    assert lint(s.cosine(N), updates=int(1.1 * N)) == ()


# -- the state before the first update ----------------------------------------------------------


def test_cyclic_overwrites_the_momentum():
    optimizer = sgd(momentum=0.9)
    finding = only(lint(optimizer, ls.CyclicLR(optimizer, 0.1, 1.0, 10), N))
    assert (finding.code, finding.update) == ("momentum", 1)
    assert finding.value == pytest.approx(0.89)
    assert "cycle_momentum=False" in finding.mend


@pytest.mark.parametrize("beta", [0.5, 0.0])
def test_1cycle_overwrites_a_momentum_that_is_not_around_its_own(beta):
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], betas=(beta, 0.99))
    finding = only(lint(optimizer, ls.OneCycleLR(optimizer, 1.0, total_steps=N), N))
    assert (finding.code, finding.update, finding.value) == ("momentum", 0, 0.95)
    assert f"was given {beta:g}" in finding.message


@pytest.mark.parametrize(
    "build",
    [
        lambda o, top: ls.OneCycleLR(o, top, total_steps=N),
        lambda o, top: ls.CyclicLR(o, 0.01, top, 10, cycle_momentum=False),
    ],
)
def test_flattened_groups(build):
    optimizer = two_groups(momentum=0.9)
    finding = only(lint(optimizer, build(optimizer, 1.0), N))
    assert finding.code == "groups-flattened"
    assert "one max_lr for each group" in finding.mend
    listed = two_groups(momentum=0.9)
    assert lint(listed, build(listed, [1.0, 0.1]), N) == ()
    split = two_groups(momentum=0.9)  # groups that differ in something else
    split.param_groups[1]["weight_decay"] = 0.1
    assert lint(split, build(split, 1.0), N) == ()


def test_1cycle_corrupts_the_warmup_before_it():
    optimizer = sgd(1.0, momentum=0.9)
    warmup = ls.LinearLR(optimizer, 0.5, total_iters=5)
    cycle = ls.OneCycleLR(optimizer, 1.0, total_steps=20)
    finding = only(lint(optimizer, sequential(optimizer, warmup, cycle, 5), 25))
    assert (finding.code, finding.update) == ("base-rewritten", 0)
    assert finding.value == pytest.approx(0.02)
    assert "from 1 to 0.04" in finding.message


def test_a_stale_rate_after_loading_the_scheduler_alone():
    optimizer = sgd()
    scheduler = ls.CosineAnnealingLR(optimizer, N)
    for _ in range(90):
        optimizer.step()
        scheduler.step()
    fresh = sgd()
    loaded = ls.CosineAnnealingLR(fresh, N)
    loaded.load_state_dict(scheduler.state_dict())
    finding = found(lint(fresh, loaded, 10), "stale-lr")
    assert (finding.update, finding.value) == (0, 1.0)
    assert "0.02447" in finding.message
    fresh.load_state_dict(optimizer.state_dict())
    assert lint(fresh, loaded, 10) == ()


@pytest.mark.filterwarnings("ignore:Detected call")
@pytest.mark.parametrize("lr, momentum", [(0.5, 0.0), (0.5, 0.9)])
def test_milestones_that_were_used_up_by_a_drawing(lr, momentum):
    """D2L steps its MultiStepLR 30 times to draw it, and then trains with it."""
    optimizer = sgd(lr, momentum=momentum)
    scheduler = ls.MultiStepLR(optimizer, [15, 30], 0.5)
    for _ in range(30):
        scheduler.step()
    finding = only(lint(optimizer, scheduler, 30 * 8, when="epoch", updates_per_epoch=8))
    assert (finding.code, finding.update, finding.value) == ("stepped-before", 0, 0.125)
    assert "stepped 30 times, and its 30 steps are over" in finding.message


RESUMED = [
    (lambda o, at: ls.CosineAnnealingLR(o, N, last_epoch=at), 0.6545),
    (lambda o, at: ls.StepLR(o, 15, last_epoch=at), 0.01),
    (lambda o, at: ls.PolynomialLR(o, N, last_epoch=at), 0.6),
]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("build, due", RESUMED)
def test_a_resume_by_last_epoch_without_the_rates_of_the_run_before(build, due, momentum):
    fresh, first = sgd(momentum=momentum), sgd()
    fresh.param_groups[0]["initial_lr"] = 1.0
    finding = only(lint(fresh, build(fresh, 39), N - 40))
    assert (finding.code, finding.update, finding.group) == ("not-resumed", 0, 0)
    assert f"step 40, where its own formula gives an LR of {due}" in finding.message

    scheduler = build(first, -1)
    for _ in range(40):
        first.step()
        scheduler.step()
    loaded = sgd()
    resumed = build(loaded, -1)
    loaded.load_state_dict(first.state_dict())
    resumed.load_state_dict(scheduler.state_dict())
    assert lint(loaded, resumed, N - 40) == ()


@pytest.mark.filterwarnings("ignore:Detected call")
def test_a_length_of_0_is_no_error_of_lint():
    optimizer = sgd()
    scheduler = ls.PolynomialLR(optimizer, 0)
    scheduler.step()
    assert "not-resumed" not in lint(optimizer, scheduler, 10).codes


# -- how they are given -------------------------------------------------------------------------


def test_findings_read_well():
    assert str(tracing.Findings()) == "nothing found"
    findings = lint(s.warmup(10, start=0).then(s.cosine(300)), updates=N)
    text = str(findings)
    assert text.startswith("zero-start: the LR is 0 at update 0")
    assert "Mend: start the warmup above 0" in text
    assert max(map(len, text.splitlines())) <= 100
    assert findings.codes == ("zero-start", "ends-late")
    assert repr(findings) == "<Findings: zero-start, ends-late>"
    assert [finding.update for finding in findings] == [0, 99]


def test_lint_says_what_it_needs():
    with pytest.raises(ValueError, match="needs updates"):
        lint(s.cosine(10))
    with pytest.raises(TypeError, match="takes a shape alone"):
        lint(s.cosine(10), s.cosine(10), 10)
    optimizer = sgd()
    traced = tracing.trace(optimizer, ls.CosineAnnealingLR(optimizer, 10), 15)
    assert lint(traced).codes == ("rise-after-end",)
