"""What people have reported of real trainings: each is found, and its right neighbour is not."""

import numpy as np
import pytest
import torch
from helpers.peers import peer, sgd
from torch.optim import lr_scheduler as ls

from lrcourse import schedules as s
from lrcourse import tracing
from lrcourse.tracing import lint

N = 100


def grouped(*rates, **options):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in rates]
    return torch.optim.SGD(groups, lr=rates[0], **options)


class Times:
    """Steps a scheduler n times at each of its steps, as accelerate does with n processes."""

    def __init__(self, scheduler, n):
        self.scheduler, self.n = scheduler, n

    def step(self):
        for _ in range(self.n):
            self.scheduler.step()


class Fraction:
    """Steps warm restarts by fractions of an epoch."""

    def __init__(self, scheduler, per_epoch):
        self.scheduler, self.per_epoch, self.made = scheduler, per_epoch, 0

    def step(self):
        self.made += 1
        self.scheduler.step(self.made / self.per_epoch)


class Recursive(ls.LRScheduler):
    """Goes on from the present LR, and so may be chained."""

    def get_lr(self):
        return [group["lr"] * 0.99 for group in self.optimizer.param_groups]


class OneMaximum(ls.LRScheduler):
    def get_lr(self):
        return [0.05 * (1 + np.cos(np.pi * self.last_epoch / N)) for _ in self.base_lrs]


def transformers(name, *steps, **special):
    return lambda o: peer("transformers").get_scheduler(
        name, o, *steps, scheduler_specific_kwargs=special or None
    )


def timm(name, *args, **options):
    return lambda o: getattr(peer("timm.scheduler"), name)(o, *args, **options)


def pytorch_optimizers_cosine(length):
    options = {"max_lr": 0.1, "min_lr": 1e-4, "init_lr": 1e-3, "warmup_steps": 5}
    return lambda o: peer("pytorch_optimizer").CosineScheduler(o, t_max=length, **options)


def chained(*builds):
    return lambda o: ls.ChainedScheduler([build(o) for build in builds])


def warmed(build, factor=0.1):
    """A warmup of 10 steps before it."""
    return lambda o: ls.SequentialLR(o, [ls.LinearLR(o, factor, total_iters=10), build(o)], [10])


def cut(build):
    """Left for a low constant at the half of the training."""
    return lambda o: ls.SequentialLR(o, [build(o), ls.ConstantLR(o, 0.1, N)], [50])


WRONG = [
    # rises where a decay was meant
    ("above-peak", 0.01, lambda o: ls.CosineAnnealingLR(o, N, eta_min=0.1), N),
    ("above-peak", 0.01, lambda o: ls.CosineAnnealingWarmRestarts(o, 50, eta_min=0.1), N),
    ("above-peak", 1e-4, transformers("cosine_with_min_lr", 0, N, min_lr=1e-3), N),
    ("above-peak", 0.01, timm("CosineLRScheduler", N, lr_min=0.1), N),
    ("above-peak", 0.1, lambda o: ls.CyclicLR(o, 0.1, 0.01, 10, cycle_momentum=False), N),
    ("above-peak", 0.1, lambda o: ls.StepLR(o, 30, gamma=10), N),
    ("above-peak", 0.1, lambda o: ls.MultiStepLR(o, [30, 60], gamma=10), N),
    ("above-peak", 0.1, lambda o: ls.ExponentialLR(o, 1.05), N),
    ("above-peak", 0.1, lambda o: s.to_torch(s.step(30, 10), o), N),
    # never moves
    ("milestones", 0.1, lambda o: ls.MultiStepLR(o, [0.5, 0.75]), N),
    ("ends-late", 0.1, lambda o: ls.MultiStepLR(o, [120.0, 160.0]), N),
    ("ends-late", 0.1, lambda o: ls.MultiStepLR(o, [30, 160]), N),
    ("never-changes", 0.1, lambda o: ls.StepLR(o, 110), N),
    ("never-changes", 4e-5, lambda o: ls.CosineAnnealingLR(o, N, eta_min=4e-5), N),
    ("never-changes", 0.1, lambda o: ls.LambdaLR(o, lambda t: 0.97 ** (t // 500)), 200),
    ("never-changes", 0.1, lambda o: ls.MultiplicativeLR(o, lambda t: 1 if t < 150 else 0.5), N),
    ("never-changes", 0.1, lambda o: ls.LinearLR(o, 1.0, total_iters=10), N),
    ("never-changes", 0.1, lambda o: ls.LinearLR(o, 0.5, 0.5, total_iters=1000), N),
    ("never-changes", 0.1, lambda o: ls.ConstantLR(o, 1.0, total_iters=10), N),
    ("never-changes", 0.1, lambda o: ls.CyclicLR(o, 0.1, 0.1, 10, cycle_momentum=False), N),
    ("never-changes", 0.1, warmed(lambda o: ls.ConstantLR(o, 1.0, 50), factor=1), N),
    # a rate and no factor
    ("small-factor", 0.01, lambda o: ls.LambdaLR(o, lambda t: 0.01 * 0.95**t), N),
    ("small-factor", 0.2, lambda o: ls.LambdaLR(o, lambda t: 0.2 * 0.95**t), N),
    # over too early, too late, too high
    ("ends-early", 0.1, transformers("linear", 0, 60), N),
    ("ends-early", 0.1, lambda o: ls.LambdaLR(o, lambda t: max(0, 1 - t / 60)), N),
    ("ends-late", 0.1, lambda o: ls.CosineAnnealingLR(o, 190), N),
    ("ends-late", 0.1, warmed(lambda o: ls.CosineAnnealingLR(o, N)), N),
    ("ends-late", 0.1, warmed(lambda o: ls.PolynomialLR(o, N)), N),
    ("ends-late", 0.1, warmed(lambda o: ls.OneCycleLR(o, 0.1, total_steps=N)), N),
    ("ends-late", 0.1, cut(lambda o: ls.CosineAnnealingLR(o, N)), N),
    ("ends-late", 0.1, cut(lambda o: ls.LinearLR(o, 1, 0.01, total_iters=N)), N),
    ("ends-late", 0.1, lambda o: s.warmup(10).then(s.cosine(N)), N),
    ("ends-late", 0.1, lambda o: s.to_torch(s.warmup(10).then(s.linear(N)), o), N),
    ("ends-late", 0.1, transformers("cosine", 10, N + 10), N),
    ("ends-late", 0.1, timm("CosineLRScheduler", N, warmup_t=10, warmup_prefix=True), N),
    ("ends-high", 0.1, lambda o: ls.CosineAnnealingWarmRestarts(o, 45), N),
    ("ends-high", 0.1, lambda o: s.to_torch(s.restarts(45), o), N),
    ("ends-high", 0.1, lambda o: ls.CyclicLR(o, 0.01, 0.1, 20, cycle_momentum=False), 60),
    ("ends-high", 0.1, lambda o: ls.ExponentialLR(o, 0.9999), N),
    # chained, without effect
    (
        "no-effect",
        0.1,
        chained(
            lambda o: ls.CosineAnnealingWarmRestarts(o, 50), lambda o: ls.MultiStepLR(o, [30, 60])
        ),
        120,
    ),
    (
        "no-effect",
        0.1,
        chained(
            lambda o: ls.LinearLR(o, 0.1, total_iters=5),
            lambda o: ls.LambdaLR(o, lambda t: 0.95**t),
        ),
        N,
    ),
    (
        "no-effect",
        0.1,
        chained(
            lambda o: ls.LambdaLR(o, lambda t: 0.95**t),
            lambda o: ls.LinearLR(o, 0.1, total_iters=5),
        ),
        N,
    ),
    (
        "no-effect",
        0.1,
        chained(lambda o: ls.ExponentialLR(o, 0.95), lambda o: OneMaximum(o)),
        N,
    ),
    (
        "no-effect",
        0.1,
        lambda o: ls.SequentialLR(
            o,
            [
                ls.LinearLR(o, 0.1, total_iters=5),
                ls.ChainedScheduler(
                    [ls.CosineAnnealingWarmRestarts(o, 95), ls.ExponentialLR(o, 0.95)]
                ),
            ],
            [5],
        ),
        N,
    ),
    # stepped several times
    ("rise-after-end", 0.1, lambda o: Times(ls.CosineAnnealingLR(o, 1000), 8), 1000),
    ("ends-early", 0.1, lambda o: Times(ls.PolynomialLR(o, 1000), 8), 1000),
    ("ends-late", 0.1, lambda o: Fraction(ls.CosineAnnealingWarmRestarts(o, 30), 10), N),
    # classes of other libraries, of which nothing is known but their rates
    ("ends-late", 0.1, pytorch_optimizers_cosine(10 * N), N),
    ("rise-after-end", 0.1, pytorch_optimizers_cosine(20), N),
    ("rise-after-end", 0.1, lambda o: peer("mmengine.optim").CosineAnnealingLR(o, T_max=20), N),
    # (1 - t / T) ** 0.9 is complex from t = T + 1 on
    ("error", 0.1, lambda o: ls.LambdaLR(o, lambda t: (1 - t / 60) ** 0.9), N),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("code, lr, build, updates", WRONG)
def test_a_wrong_use_is_found(code, lr, build, updates):
    optimizer = sgd(lr)
    assert code in lint(optimizer, build(optimizer), updates).codes


RIGHT = [
    (0.1, lambda o: ls.CosineAnnealingLR(o, N, eta_min=0.01), N),
    (1e-7, lambda o: ls.ExponentialLR(o, 1.2), N),  # a sweep for a range test
    (0.1, lambda o: ls.CyclicLR(o, 1e-4, 1.0, N - 1, cycle_momentum=False), N),  # another
    (
        0.1,
        lambda o: ls.CyclicLR(
            o, 0.01, 0.1, 2000, mode="exp_range", gamma=0.99994, cycle_momentum=False
        ),
        20000,
    ),
    (0.1, lambda o: ls.ConstantLR(o, 0.2, total_iters=10**5), 1000),
    (0.1, lambda o: ls.LambdaLR(o, lambda t: 1), N),
    (0.1, lambda o: ls.StepLR(o, 30, gamma=1), N),
    (0.1, warmed(lambda o: ls.CosineAnnealingLR(o, N - 10)), N),
    (0.1, warmed(lambda o: ls.CosineAnnealingLR(o, N - 5)), N),
    (0.1, warmed(lambda o: ls.MultiStepLR(o, [30, 60, N])), N),
    (0.1, warmed(lambda o: ls.ConstantLR(o, 1, N)), N),
    (0.1, warmed(lambda o: ls.PolynomialLR(o, 10 * N)), 10 * N + 10),
    (0.1, cut(lambda o: ls.CosineAnnealingLR(o, 50)), N),
    (0.1, lambda o: ls.ConstantLR(o, 1, 0), N),
    (0.1, lambda o: ls.MultiStepLR(o, [30, 60, 90]), 90),
    (1.0, lambda o: ls.LambdaLR(o, lambda t: 0.01 * 0.95**t), N),
    (0.1, transformers("constant"), N),
    (0.1, transformers("linear", 0, 95), N),
    (0.1, lambda o: ls.CosineAnnealingWarmRestarts(o, 50), N),
    (0.1, lambda o: s.to_torch(s.exponential(0.99, floor=0.01), o), N),
    (
        0.1,
        chained(lambda o: ls.LinearLR(o, 0.1, total_iters=5), lambda o: ls.ExponentialLR(o, 0.95)),
        N,
    ),
    (0.1, chained(lambda o: ls.ConstantLR(o, 0.1, 5), lambda o: ls.MultiStepLR(o, [50])), N),
    (0.1, chained(lambda o: ls.CosineAnnealingLR(o, N), lambda o: Recursive(o)), N),
    (
        0.1,
        chained(
            lambda o: ls.SequentialLR(
                o, [ls.LinearLR(o, 0.1, total_iters=5), ls.CosineAnnealingLR(o, N - 5)], [5]
            ),
            lambda o: ls.ExponentialLR(o, 0.99),
        ),
        N,
    ),
    (0.1, chained(lambda o: ls.LambdaLR(o, lambda t: 0.95**t)), N),
    (0.1, lambda o: Times(ls.CosineAnnealingLR(o, 8000), 8), 1000),
    (0.1, lambda o: Times(ls.CosineAnnealingLR(o, N), 1), N),
    (0.1, lambda o: Fraction(ls.CosineAnnealingWarmRestarts(o, 5), 10), N),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("lr, build, updates", RIGHT)
def test_its_right_neighbour_is_not(lr, build, updates):
    optimizer = sgd(lr)
    assert str(lint(optimizer, build(optimizer), updates)) == "nothing found"


# -- groups ------------------------------------------------------------------------------------


def test_a_floor_above_one_group():
    optimizer = grouped(0.1, 0.01, 0.001)
    (finding,) = lint(optimizer, ls.CosineAnnealingLR(optimizer, N, eta_min=0.01), N)
    assert (finding.code, finding.group) == ("above-peak", 2)
    assert "in group 2" in finding.message


def test_groups_flattened_by_a_scheduler_of_ones_own():
    optimizer = grouped(0.1, 0.01)
    assert "groups-flattened" in lint(optimizer, OneMaximum(optimizer), N).codes
    same = grouped(0.1, 0.1)
    assert lint(same, OneMaximum(same), N) == ()


def test_groups_flattened_by_a_loop():
    optimizer = grouped(0.1, 0.01)
    with tracing.record(optimizer) as log:
        for t in range(10):
            optimizer.step()
            for group in optimizer.param_groups:
                group["lr"] = 0.1 * 0.9**t
    assert lint(log).codes == ("groups-flattened",)


def test_a_group_that_was_added_after_the_scheduler():
    optimizer = sgd()
    scheduler = ls.CosineAnnealingLR(optimizer, N)
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 0.01})
    found = {finding.code: finding for finding in lint(optimizer, scheduler, N)}
    assert "has 2 groups and CosineAnnealingLR knows 1" in found["groups-added"].message
    assert lint(optimizer, ls.CosineAnnealingLR(optimizer, N), N) == ()


# -- wrappers, checkpoints, the present position -----------------------------------------------


class Around(torch.optim.Optimizer):
    def __init__(self, base):
        super().__init__(base.param_groups, base.defaults)
        self.base_optimizer, self.param_groups = base, base.param_groups

    def step(self, closure=None):
        self.base_optimizer.step()


def test_a_scheduler_on_the_base_optimizer_of_a_wrapper():
    optimizer = Around(sgd(0.1))
    scheduler = ls.CosineAnnealingLR(optimizer.base_optimizer, N)
    assert tracing.trace(optimizer, scheduler, N).lr[50, 0] == pytest.approx(0.05)
    assert lint(optimizer, scheduler, N) == ()


def test_a_wrapper_whose_groups_have_parted():
    optimizer = Around(sgd(0.1))
    scheduler = ls.CosineAnnealingLR(optimizer, N)
    optimizer.base_optimizer.load_state_dict(optimizer.base_optimizer.state_dict())
    assert "groups-parted" in lint(optimizer, scheduler, N).codes
    np.testing.assert_array_equal(tracing.trace(optimizer, scheduler, N).lr, np.full((N, 1), 0.1))


def test_accelerates_optimizer_and_scheduler():
    accelerate = peer("accelerate")
    optimizer = sgd(0.1)
    wrapped, scheduler = accelerate.Accelerator(cpu=True).prepare(
        optimizer, ls.CosineAnnealingLR(optimizer, N)
    )
    traced = tracing.trace(wrapped, scheduler, N)
    assert traced.lr[50, 0] == pytest.approx(0.05)
    assert lint(traced) == ()
    assert "rise-after-end" in lint(wrapped, scheduler, 2 * N).codes


def test_a_checkpoint_that_brings_the_old_rate():
    def adam(lr):
        parameter = torch.nn.Parameter(torch.ones(1))
        parameter.grad = torch.ones(1)
        return torch.optim.Adam([parameter], lr=lr)

    old = adam(7.9e-4)
    old.step()
    new = adam(1e-5)
    new.load_state_dict(old.state_dict())
    assert lint(new, ls.CosineAnnealingLR(new, N), N).codes == ("loaded-lr",)
    resumed = adam(7.9e-4)
    resumed.load_state_dict(old.state_dict())
    assert lint(resumed, ls.CosineAnnealingLR(resumed, N), N) == ()


def test_the_mend_of_a_1cycle_counts_from_the_present_position():
    optimizer = sgd(0.1, momentum=0.9)
    scheduler = ls.OneCycleLR(optimizer, 0.1, total_steps=600)
    for _ in range(400):
        optimizer.step()
        scheduler.step()
    assert "total_steps=900" in str(lint(optimizer, scheduler, 500))


def test_the_warmup_of_a_schedule_free_optimizer_is_traced():
    parameter = torch.nn.Parameter(torch.ones(1))
    optimizer = peer("schedulefree").AdamWScheduleFree([parameter], lr=0.01, warmup_steps=4)
    traced = tracing.trace(optimizer, ls.LambdaLR(optimizer, lambda t: 1.0), 6)
    np.testing.assert_allclose(traced.lr[:, 0], np.array([0.25, 0.5, 0.75, 1, 1, 1]) * 0.01)
    assert optimizer.param_groups[0]["k"] == 0 and parameter.item() == 1
    assert optimizer.param_groups[0]["params"][0] is parameter


# -- metrics, records --------------------------------------------------------------------------


def test_an_optional_metric_is_used():
    class Halving:
        def __init__(self, optimizer):
            self.optimizer = optimizer

        def step(self, epoch=None, metrics=None):
            if metrics is not None:
                self.optimizer.param_groups[0]["lr"] *= metrics

    optimizer = sgd(1.0)
    endless = iter(lambda: 0.5, None)
    traced = tracing.trace(optimizer, Halving(optimizer), 3, metrics=endless)
    assert traced.lr[:, 0].tolist() == [1, 0.5, 0.25]
    assert tracing.trace(optimizer, Halving(optimizer), 3).lr[:, 0].tolist() == [1, 1, 1]


def test_a_record_that_falls_to_nothing():
    optimizer = sgd(0.1)
    scheduler = ls.ExponentialLR(optimizer, 0.4)
    with tracing.record(optimizer) as log:
        for _ in range(N):
            optimizer.step()
            scheduler.step()
    assert lint(log).codes == ("ends-early",)


@pytest.mark.parametrize("left_out", [range(7), (3, 20, 21, 40)])
def test_updates_that_were_left_out_are_told(left_out):
    optimizer = sgd(0.1)
    scheduler = ls.CosineAnnealingLR(optimizer, 50)
    with tracing.record(optimizer) as log:
        for t in range(50):
            if t not in left_out:
                optimizer.step()
            scheduler.step()
    (finding,) = log.against(s.cosine(50))
    assert finding.code == "skipped"
    assert f"with {len(left_out)} updates left out" in finding.message


@pytest.mark.parametrize("skipped", [1, 2, 3, 5])
@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
def test_the_first_updates_that_a_gradient_scaler_leaves_out_are_told(skipped):
    p = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([p], lr=0.1)
    scheduler = ls.CosineAnnealingLR(optimizer, 100)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    with tracing.record(optimizer) as log:
        for t in range(100):
            optimizer.zero_grad()
            scaler.scale((p**2).sum() * (float("inf") if t < skipped else 1.0)).backward()
            scaler.step(optimizer)
            scaler.update()
            scheduler.step()
    assert len(log) == 100 - skipped
    (finding,) = log.against(s.cosine(100))
    assert finding.code == ("lag" if skipped <= 3 else "skipped")
    if skipped <= 3:
        first = "the first update was" if skipped == 1 else f"the first {skipped} updates were"
        assert f"before the one intended, or {first} skipped" in finding.message
        assert "set the LR of t = 0" in finding.mend
    assert "gradient scaler" in finding.mend and "only after an update" in finding.mend


# -- other libraries, right --------------------------------------------------------------------

PEERS = {
    "mmengine cosine": ("mmengine.optim", lambda m, o: m.CosineAnnealingLR(o, T_max=N)),
    "mmengine steps": ("mmengine.optim", lambda m, o: m.MultiStepLR(o, [30, 60])),
    "mmengine constant": ("mmengine.optim", lambda m, o: m.ConstantLR(o, 0.1, end=5)),
    "mmengine linear": ("mmengine.optim", lambda m, o: m.LinearLR(o, 0.1, end=5)),
    "mmengine poly": ("mmengine.optim", lambda m, o: m.PolyLR(o, end=N)),
    "mmengine 1cycle": ("mmengine.optim", lambda m, o: m.OneCycleLR(o, 0.1, total_steps=N)),
    "mmengine restarts": (
        "mmengine.optim.scheduler",
        lambda m, o: m.CosineRestartLR(o, [50, 50], [1, 1], eta_min=0),
    ),
    "diffusers constant": ("diffusers.optimization", lambda m, o: m.get_scheduler("constant", o)),
    "diffusers piecewise": (
        "diffusers.optimization",
        lambda m, o: m.get_scheduler("piecewise_constant", o, step_rules="1:10,0.1:50,0.01"),
    ),
    "geometric": ("torch_geometric.nn.lr_scheduler", lambda m, o: m.CosineWithWarmupLR(o, 0, N)),
    "pytorch_optimizer": (
        "pytorch_optimizer",
        lambda m, o: m.CosineScheduler(o, t_max=N, max_lr=0.1, min_lr=0.001, init_lr=0.001),
    ),
    "pytorch_optimizer rex": (
        "pytorch_optimizer",
        lambda m, o: m.REXScheduler(o, total_steps=N, max_lr=0.1, min_lr=0.0001),
    ),
    "warmup_scheduler": (
        "warmup_scheduler",
        lambda m, o: m.GradualWarmupScheduler(o, 8, 5, ls.CosineAnnealingLR(o, N - 5)),
    ),
} | {
    f"diffusers {name}": (
        "diffusers.optimization",
        lambda m, o, name=name: m.get_scheduler(name, o, num_warmup_steps=0, num_training_steps=N),
    )
    for name in ("linear", "cosine", "cosine_with_restarts", "polynomial")
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PEERS)
def test_silent_on_right_usage_of_other_libraries(name):
    module, build = PEERS[name]
    optimizer = sgd(0.1)
    assert str(lint(optimizer, build(peer(module), optimizer), N)) == "nothing found"
