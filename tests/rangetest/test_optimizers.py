"""Optimizers of every kind: closures, wrappers, graphs of gradients, clipping, groups and rates."""

import copy

import numpy as np
import pytest
import torch
from helpers.toys import BATCHES, fingerprint, net_of, random_states, sgd
from torch import nn
from torch.nn import functional
from torch.optim import lr_scheduler as schedulers

from lrcourse.rangetest import range_test

HOW = {"start": 1e-3, "end": 0.1, "updates": 12, "progress": False}


class SAM(torch.optim.Optimizer):
    """Sharpness-aware minimization: climb, look again through a closure, step from where it was."""

    def __init__(self, params, base, rho=0.05, says=None, **options):
        super().__init__(params, {"rho": rho, **options})
        self.base_optimizer, self.says = base(self.param_groups, **options), says
        self.param_groups = self.base_optimizer.param_groups

    @torch.no_grad()
    def step(self, closure=None):
        if self.says is not None and closure is None:
            raise AssertionError(self.says)
        grads = [p.grad.norm() for g in self.param_groups for p in g["params"]]
        norm = torch.stack(grads).norm()
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["old"] = p.clone()
                p.add_(p.grad * (group["rho"] / norm))
        closure()
        for group in self.param_groups:
            for p in group["params"]:
                p.copy_(self.state[p]["old"])
        self.base_optimizer.step()


def by_hand_with_sam(rates, clip=None):
    net = net_of()
    optimizer = SAM(net.parameters(), torch.optim.SGD, lr=0.1, momentum=0.9)
    losses = []
    for t, rate in enumerate(rates):
        x, y = BATCHES[t % 8]
        optimizer.param_groups[0]["lr"] = rate

        def closure(x=x, y=y):
            optimizer.zero_grad()
            with torch.enable_grad():
                loss = functional.cross_entropy(net(x), y)
                loss.backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(net.parameters(), clip)
            return loss

        losses.append(closure().item())
        optimizer.step(closure)
    return losses


@pytest.mark.parametrize("says", [None, "", "this needs a closure"])
@pytest.mark.parametrize("clip", [None, 0.1])
def test_an_optimizer_that_needs_a_closure_gets_the_step_again(says, clip):
    """Whether it asks for one in words, by a bare assertion, or by calling None."""
    net = net_of()
    optimizer = SAM(net.parameters(), torch.optim.SGD, lr=0.1, momentum=0.9, says=says)
    before, states = fingerprint(net, optimizer), random_states()

    def step(net, batch):
        return functional.cross_entropy(net(batch[0]), batch[1])

    expected = by_hand_with_sam(np.geomspace(1e-3, 0.1, 12), clip)
    for options in ({}, {"step": step}):
        for batches in (BATCHES, iter(BATCHES * 2)):
            test = range_test(net, optimizer, batches, clip_norm=clip, **options, **HOW)
            np.testing.assert_array_equal(test.loss[0], expected)
            np.testing.assert_array_equal(test.lr, np.geomspace(1e-3, 0.1, 12))
            assert test.consumed == (None if batches is BATCHES else 12)
    assert fingerprint(net, optimizer) == before
    assert random_states() == states


def test_lbfgs():
    net = net_of()
    optimizer = torch.optim.LBFGS(net.parameters(), max_iter=3)
    before = fingerprint(net, optimizer)
    test = range_test(net, optimizer, BATCHES, accumulate=2, **HOW)
    assert len(test.lr) == 12 and test.loss[0, -1] < test.loss[0, 0]
    assert fingerprint(net, optimizer) == before
    with pytest.raises(ValueError, match=r"closure.*float16.*autocast=torch.bfloat16"):
        range_test(net, optimizer, BATCHES, autocast=torch.float16, **HOW)


def test_an_assertion_that_is_not_about_closures_comes_as_it_is():
    class Picky(torch.optim.SGD):
        def step(self, closure=None):
            raise AssertionError("the learning rate is odd")

    net = net_of()
    with pytest.raises(AssertionError, match="is odd"):
        range_test(net, Picky(net.parameters(), lr=0.1), BATCHES, **HOW)


class SecondOrder(torch.optim.Optimizer):
    """It differentiates the gradient once more, along a fixed direction."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})
        self.asks = True

    def step(self, closure=None):
        held = [p for group in self.param_groups for p in group["params"]]
        if self.asks and any(p.grad.grad_fn is None for p in held):
            raise RuntimeError("gradients without a graph; call backward(create_graph=True)")
        along = torch.autograd.grad(sum(p.grad.sum() for p in held), held, allow_unused=True)
        with torch.no_grad():
            for p, h in zip(held, along, strict=True):
                p.sub_(self.param_groups[0]["lr"] * (p.grad + 0.01 * (0 if h is None else h)))


@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph")
def test_an_optimizer_of_second_order():
    net = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 3))
    optimizer = SecondOrder(net.parameters())
    before = fingerprint(net, optimizer)
    test = range_test(net, optimizer, BATCHES, create_graph=True, **HOW)
    assert len(test.lr) == 12
    assert fingerprint(net, optimizer) == before
    with pytest.raises(RuntimeError) as caught:
        range_test(net, optimizer, BATCHES, **HOW)
    assert "range_test(..., create_graph=True)" in caught.value.__notes__[0]
    assert fingerprint(net, optimizer) == before
    optimizer.asks = False  # torch's own words then, which do not name it
    with pytest.raises(RuntimeError, match="grad_fn") as caught:
        range_test(net, optimizer, BATCHES, **HOW)
    assert "range_test(..., create_graph=True)" in caught.value.__notes__[0]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_clipping_is_that_of_a_loop_by_hand(accumulate):
    test = range_test(
        net := net_of(), sgd(net), BATCHES, clip_norm=0.1, accumulate=accumulate, **HOW
    )
    twin = net_of()
    optimizer, losses, k = sgd(twin), [], 0
    for rate in np.geomspace(1e-3, 0.1, 12):
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        total = 0.0
        for _ in range(accumulate):
            x, y = BATCHES[k % 8]
            k += 1
            loss = functional.cross_entropy(twin(x), y)
            share = loss if accumulate == 1 else loss / accumulate
            share.backward()
            total = total + share.detach()
        nn.utils.clip_grad_norm_(twin.parameters(), 0.1)
        optimizer.step()
        losses.append(total.item())
    np.testing.assert_array_equal(test.loss[0], losses)
    free = range_test(net, sgd(net), BATCHES, accumulate=accumulate, **HOW)
    assert not np.array_equal(free.loss, test.loss)


def test_with_float16_the_gradient_is_clipped_at_its_own_scale():
    net = net_of()
    how = {"start": 1e-2, "end": 1.0, "updates": 20}
    half = range_test(net, sgd(net), BATCHES, clip_norm=0.1, autocast=torch.float16, **how)
    full = range_test(net, sgd(net), BATCHES, clip_norm=0.1, **how)
    np.testing.assert_allclose(half.loss, full.loss, rtol=0.05)


# -- wrappers ---------------------------------------------------------------------------------


class Ahead:
    """Lookahead: slow weights that follow the fast ones; not a torch optimizer itself."""

    def __init__(self, inner, every=3):
        self.inner, self.every, self.made = inner, every, 0
        self.slow = [p.detach().clone() for g in inner.param_groups for p in g["params"]]

    param_groups = property(lambda self: self.inner.param_groups)
    state = property(lambda self: self.inner.state)

    def zero_grad(self):
        self.inner.zero_grad()

    @torch.no_grad()
    def step(self):
        self.inner.step()
        self.made += 1
        if self.made % self.every == 0:
            held = [p for g in self.param_groups for p in g["params"]]
            for slow, fast in zip(self.slow, held, strict=True):
                slow.lerp_(fast, 0.5)
                fast.copy_(slow)


class Both(torch.optim.Optimizer):
    """Two optimizers in one, without the constructor of torch's."""

    def __init__(self, *inner):
        self.inner = inner
        self.param_groups = [group for one in inner for group in one.param_groups]
        self.state, self.defaults = {}, {}

    def zero_grad(self, set_to_none=True):
        for one in self.inner:
            one.zero_grad()

    def step(self, closure=None):
        for one in self.inner:
            one.step()


class Parted(torch.optim.Optimizer):
    """A wrapper whose groups are copies of those that are used, as after loading a checkpoint."""

    def __init__(self, inner):
        super().__init__(inner.param_groups, inner.defaults)
        self.inner = inner
        self.param_groups = [dict(group) for group in inner.param_groups]

    def step(self, closure=None):
        return self.inner.step()


def test_wrappers_around_the_optimizer_that_steps():
    net = net_of()
    plain = range_test(net, sgd(net, momentum=0.9), BATCHES, **HOW)
    parted = Parted(sgd(net, momentum=0.9))
    test = range_test(net, parted, BATCHES, **HOW)
    np.testing.assert_array_equal(test.loss, plain.loss)
    np.testing.assert_array_equal(test.lr, plain.lr)
    ahead = Ahead(sgd(net, momentum=0.9))
    slow, values = list(ahead.slow), [one.clone() for one in ahead.slow]
    test = range_test(net, ahead, BATCHES, **HOW)
    np.testing.assert_array_equal(test.lr, plain.lr)
    np.testing.assert_array_equal(test.loss[0, :3], plain.loss[0, :3])
    assert ahead.made == 0 and not np.array_equal(test.loss, plain.loss)
    assert all(
        a is b and torch.equal(a, v) for a, b, v in zip(ahead.slow, slow, values, strict=True)
    )
    first = torch.optim.SGD(net[0].parameters(), lr=0.2)
    rest = torch.optim.AdamW([*net[1].parameters(), *net[4].parameters()], lr=0.02)
    curve = range_test(net, Both(first, rest), BATCHES, **HOW).curves[0]
    np.testing.assert_allclose(curve.group_lr[:, 0], 10 * curve.group_lr[:, 1])
    assert not rest.state and first.param_groups[0]["lr"] == 0.2


def test_accelerate():
    accelerate = pytest.importorskip("accelerate")
    net = net_of()
    accelerator = accelerate.Accelerator(cpu=True)
    inner = torch.optim.AdamW(net.parameters(), lr=1e-3)
    prepared, optimizer = accelerator.prepare(net, inner)
    before = fingerprint(net, inner)
    test = range_test(prepared, optimizer, BATCHES, **HOW)
    plain = range_test(net, torch.optim.AdamW(net.parameters(), lr=1e-3), BATCHES, **HOW)
    np.testing.assert_array_equal(test.loss, plain.loss)
    assert fingerprint(net, inner) == before


@pytest.mark.parametrize("warm", [False, True])
def test_a_schedule_free_optimizer_has_modes_of_its_own(warm):
    kinds = pytest.importorskip("schedulefree")
    net = net_of()
    optimizer = kinds.AdamWScheduleFree(net.parameters(), lr=0.01)
    if warm:
        optimizer.train()
        functional.cross_entropy(net(BATCHES[0][0]), BATCHES[0][1]).backward()
        optimizer.step()
        optimizer.zero_grad()
        optimizer.eval()
    before = fingerprint(net, optimizer)
    test = range_test(net, optimizer, BATCHES, held_out=BATCHES[:2], **HOW)
    without = range_test(net, optimizer, BATCHES, **HOW)
    np.testing.assert_array_equal(test.loss, without.loss)
    assert np.isfinite(test.held_out_loss).all()
    assert fingerprint(net, optimizer) == before


# -- groups and their rates -------------------------------------------------------------------


def two_groups(first=1e-4, second=1e-3, kind=torch.optim.AdamW, **options):
    net = net_of()
    rest = [*net[1].parameters(), *net[4].parameters()]
    groups = [{"params": net[0].parameters(), "lr": first}, {"params": rest, "lr": second}]
    for group, (name, values) in ((g, item) for g in range(2) for item in options.items()):
        groups[group][name] = values[group]
    return net, kind(groups)


def timm_warmup(optimizer):
    kinds = pytest.importorskip("timm.scheduler")
    return kinds.CosineLRScheduler(optimizer, 100, warmup_t=5, warmup_lr_init=1e-6)


def from_transformers(optimizer):
    return pytest.importorskip("transformers").get_cosine_schedule_with_warmup(optimizer, 5, 100)


@pytest.mark.parametrize(
    "attach",
    [
        timm_warmup,
        from_transformers,
        lambda o: schedulers.LambdaLR(o, lambda t: min(1, t / 10)),
        lambda o: schedulers.LambdaLR(o, [lambda t: 0.0, lambda t: 1.0]),
        lambda o: schedulers.LinearLR(o, 0.01),
        lambda o: schedulers.OneCycleLR(o, [1e-3, 1e-2], total_steps=10),
        lambda o: schedulers.SequentialLR(
            o, [schedulers.ConstantLR(o, 0.1), schedulers.ExponentialLR(o, 0.9)], [3]
        ),
        lambda o: None,
    ],
    ids=["timm", "transformers", "from 0", "one at 0", "linear", "1cycle", "sequence", "none"],
)
def test_the_ratio_of_groups_is_that_from_which_a_scheduler_begins(attach):
    net, optimizer = two_groups()
    scheduler = attach(optimizer)
    rates = [group["lr"] for group in optimizer.param_groups]
    curve = range_test(net, optimizer, BATCHES, **HOW).curves[0]
    np.testing.assert_allclose(curve.group_lr[:, 1], 10 * curve.group_lr[:, 0])
    np.testing.assert_allclose(curve.lr, np.geomspace(1e-3, 0.1, 12))
    assert [group["lr"] for group in optimizer.param_groups] == rates
    if isinstance(scheduler, schedulers.LRScheduler):
        assert scheduler.last_epoch == 0


def test_a_decay_of_layers_that_is_left_to_the_scheduler():
    net, optimizer = two_groups(1e-3, 1e-3, lr_scale=(0.25, 1.0))
    curve = range_test(net, optimizer, BATCHES, **HOW).curves[0]
    np.testing.assert_allclose(curve.group_lr[:, 1], 4 * curve.group_lr[:, 0])
    net, optimizer = two_groups(2.5e-4, 1e-3, lr_scale=(0.25, 1.0))  # it is in the rates already
    curve = range_test(net, optimizer, BATCHES, **HOW).curves[0]
    np.testing.assert_allclose(curve.group_lr[:, 1], 4 * curve.group_lr[:, 0])


def test_a_group_that_is_held_at_0_stays_there():
    net, optimizer = two_groups(0.0, 1e-3)
    curve = range_test(net, optimizer, BATCHES, **HOW).curves[0]
    assert not curve.group_lr[:, 0].any() and curve.lr[-1] == pytest.approx(0.1)
    net, optimizer = two_groups(0.0, 0.0)
    with pytest.raises(ValueError, match=r"rate of parameter group 0 is 0.0, .*above 0.*scheduler"):
        range_test(net, optimizer, BATCHES, **HOW)


@pytest.mark.parametrize("key", ["step_size", None])
def test_an_optimizer_without_a_rate(key):
    class NoRate(torch.optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {} if key is None else {key: 1.0})

        def step(self, closure=None):
            pass

    net = net_of()
    with pytest.raises(TypeError, match=rf"NoRate has no rate.*{key or 'nothing'}, but no 'lr'"):
        range_test(net, NoRate(net.parameters()), BATCHES, **HOW)


def test_an_optimizer_that_finds_its_own_rate():
    """transformers' Adafactor with lr=None."""
    net = net_of()
    optimizer = sgd(net)
    optimizer.param_groups[0]["lr"] = None
    kept = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(ValueError, match=r"group 0 is None.*must be above 0"):
        range_test(net, optimizer, BATCHES, **HOW)
    assert optimizer.state_dict() == kept
