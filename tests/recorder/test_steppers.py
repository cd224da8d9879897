"""Behind a wrapper the optimizers that really step are recorded, at the rates that they use."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.peers import peer, sgd
from torch.nn import functional as F
from torch.optim import lr_scheduler as ls

from lrcourse.recorder import Recorder, groups_of
from lrcourse.recorder.steppers import stepping


def trained(count=1):
    """Parameters that have a gradient."""
    parameters = [torch.nn.Parameter(torch.ones(2)) for _ in range(count)]
    for parameter in parameters:
        parameter.grad = torch.ones(2)
    return parameters


class Around(torch.optim.Optimizer):
    """SAM's way: the groups are the base optimizer's own dictionaries."""

    def __init__(self, base):
        super().__init__(base.param_groups, base.defaults)
        self.base_optimizer, self.param_groups = base, base.param_groups

    def step(self, closure=None):
        self.base_optimizer.step()

    def second_step(self):
        self.base_optimizer.step()


class Both(torch.optim.Optimizer):
    """Two optimizers in one (Muon + AdamW), without super().__init__."""

    def __init__(self, *inner):
        self.inner = list(inner)
        self.param_groups = [group for each in inner for group in each.param_groups]
        self.state, self.defaults = {}, {}

    def step(self, closure=None):
        for each in self.inner:
            each.step()


class Passing:
    """No torch optimizer at all (mmengine, DeepSpeed): passes on what is asked of it."""

    def __init__(self, optimizer):
        self.by_name = {"inner": optimizer}

    @property
    def param_groups(self):
        return self.by_name["inner"].param_groups

    def step(self):
        self.by_name["inner"].step()


class Beside(torch.optim.Optimizer):
    """Updates some groups itself, and hands the others to an optimizer inside (Muon's way)."""

    def __init__(self, own, other):
        super().__init__([{"params": own}], {"lr": 0.5})
        self.param_groups += other.param_groups
        self.other = other

    def step(self, closure=None):
        self.other.step()


WRAPPERS = {
    "same groups": Around,
    "no torch optimizer": Passing,
    "without super().__init__": Both,
    "twice wrapped": lambda inner: Passing(Around(inner)),
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_wrapper_is_recorded_as_the_optimizer_inside(name):
    inner = torch.optim.SGD(trained(), lr=0.1, momentum=0.9)
    wrapper = WRAPPERS[name](inner)
    scheduler = ls.ExponentialLR(inner, 0.5)
    assert [each.optimizer for each in stepping(wrapper, "test")] == [inner]
    assert groups_of(wrapper)[0] is inner.param_groups[0]
    with Recorder(wrapper) as log:
        for _ in range(3):
            wrapper.step()
            scheduler.step()
    np.testing.assert_array_equal(log.lr[:, 0], [0.1, 0.05, 0.025])
    np.testing.assert_array_equal(log.momentum, np.full((3, 1), 0.9))
    inner.step()
    assert len(log) == 3


def test_a_step_that_passes_the_wrapper_by_is_recorded_too():
    wrapper = Around(sgd(0.1))
    with Recorder(wrapper) as log:
        wrapper.second_step()
    np.testing.assert_array_equal(log.lr, [[0.1]])


def test_a_wrapper_whose_groups_have_parted_from_the_inner_ones():
    """apex's: after load_state_dict of the inner optimizer, its groups are new dictionaries."""
    inner = torch.optim.SGD(trained(), lr=0.1)
    wrapper = Around(inner)
    inner.load_state_dict(inner.state_dict())
    wrapper.param_groups[0]["lr"] = 0.9
    with Recorder(wrapper) as log:
        wrapper.step()
    np.testing.assert_array_equal(log.lr, [[0.1]])


def test_two_optimizers_in_one_make_one_update():
    second = torch.optim.AdamW(trained(2), lr=0.01, betas=(0.8, 0.9))
    both = Both(torch.optim.SGD(trained(), lr=0.1), second)
    with Recorder(both) as log:
        both.step()
        second.param_groups[0]["lr"] = 0.02
        both.step()
    np.testing.assert_array_equal(log.lr, [[0.1, 0.01], [0.1, 0.02]])
    np.testing.assert_array_equal(log.momentum[:, 1], [0.8, 0.8])
    assert log.names == ("group 0", "group 1")
    assert not log.absent.any()


def test_the_columns_keep_the_order_of_the_wrapper():
    both = Both(sgd(0.1), sgd(0.01))
    both.param_groups.reverse()
    with Recorder(both) as log:
        both.step()
    np.testing.assert_array_equal(log.lr, [[0.01, 0.1]])


def test_an_optimizer_that_was_not_stepped_is_absent():
    both = Both(sgd(0.1), sgd(0.01))
    with Recorder(both) as log:
        both.step()
        both.inner[0].step()
        both.step()
    np.testing.assert_array_equal(log.lr, [[0.1, 0.01], [0.1, np.nan], [0.1, 0.01]])
    np.testing.assert_array_equal(log.absent, np.isnan(log.lr))


def test_a_wrapper_with_groups_of_its_own():
    other = torch.optim.AdamW(trained(), lr=0.01)
    wrapper = Beside(trained(), other)
    with Recorder(wrapper) as log:
        wrapper.step()
        wrapper.step()
    np.testing.assert_array_equal(log.lr, [[0.5, 0.01]] * 2)


def test_an_optimizer_that_only_knows_another_is_no_wrapper():
    """The two of a GAN: they share nothing."""
    mine, other = sgd(0.1), sgd(0.01)
    mine.discriminator = other
    with Recorder(mine) as log:
        other.step()
        mine.step()
    np.testing.assert_array_equal(log.lr, [[0.1]])


# -- what other libraries wrap -----------------------------------------------------------------


def test_accelerate_with_accumulation():
    accelerator = peer("accelerate").Accelerator(cpu=True, gradient_accumulation_steps=2)
    net = torch.nn.Linear(2, 1)
    optimizer, net = accelerator.prepare(torch.optim.AdamW(net.parameters(), lr=1e-3), net)
    with Recorder(optimizer) as log:
        for _ in range(6):
            with accelerator.accumulate(net):
                accelerator.backward(net(torch.ones(4, 2)).sum())
                optimizer.step()
                optimizer.zero_grad()
    np.testing.assert_array_equal(log.lr, np.full((3, 1), 1e-3))


@pytest.mark.parametrize("name", ["Lookahead", "ScheduleFreeWrapper", "OrthoGrad", "TRAC"])
def test_pytorch_optimizers_wrappers(name):
    wrap = getattr(peer("pytorch_optimizer"), name)
    inner = torch.optim.SGD(trained(), lr=0.1)
    wrapper = wrap(inner)
    getattr(wrapper, "train", lambda: None)()
    with Recorder(wrapper) as log:
        wrapper.step()
        inner.param_groups[0]["lr"] = 0.05
        wrapper.step()
    np.testing.assert_array_equal(log.lr, [[0.1], [0.05]])


def test_sam():
    parameters = trained()
    sam = peer("pytorch_optimizer").SAM(parameters, torch.optim.SGD, lr=0.1)
    with Recorder(sam) as log:
        for _ in range(2):
            sam.step(lambda: parameters[0].square().sum().backward())
    np.testing.assert_array_equal(log.lr, [[0.1], [0.1]])


def test_mmengine():
    wrapper = peer("mmengine.optim").OptimWrapper(torch.optim.SGD(trained(), lr=0.1))
    with Recorder(wrapper) as log:
        wrapper.step()
    np.testing.assert_array_equal(log.lr, [[0.1]])


def test_updates_that_a_scaler_leaves_out_are_no_updates():
    optimizer = torch.optim.SGD(trained(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    with Recorder(optimizer) as log:
        for gradient in (1.0, float("inf"), 1.0):
            optimizer.zero_grad()
            loss = (optimizer.param_groups[0]["params"][0] * gradient).sum()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
    assert len(log) == 2


# -- schedule-free -----------------------------------------------------------------------------

SCHEDULE_FREE = [
    ("schedulefree", "SGDScheduleFree"),
    ("schedulefree", "AdamWScheduleFree"),
    ("pytorch_optimizer", "ScheduleFreeSGD"),
    ("pytorch_optimizer", "ScheduleFreeAdamW"),
]


@pytest.mark.parametrize("library, name", SCHEDULE_FREE)
def test_a_schedule_free_optimizer_shows_the_warmup_that_it_applies(library, name):
    optimizer = getattr(peer(library), name)(trained(), lr=0.01, warmup_steps=4)
    with Recorder(optimizer) as log:
        optimizer.train()
        for _ in range(3):
            optimizer.step()
        optimizer.eval()  # to look at the averaged weights
        optimizer.train()
        for _ in range(3):
            optimizer.step()
    expected = np.array([0.25, 0.5, 0.75, 1, 1, 1]) * 0.01
    if library == "pytorch_optimizer":  # reaches the peak one update later
        assert log.lr[0, 0] < log.lr[1, 0] < log.lr[2, 0] <= log.lr[5, 0] == 0.01
    else:
        np.testing.assert_allclose(log.lr[:, 0], expected)


# -- what cannot be recorded -------------------------------------------------------------------


def test_what_cannot_be_recorded_says_why():
    with pytest.raises(TypeError, match=r"Both cannot be watched.*call super\(\).__init__"):
        Recorder(Both())
    for nonsense in (
        torch.optim.SGD,
        None,
        "sgd",
        3,
        np.zeros(()),
        SimpleNamespace(param_groups=[]),
    ):
        with pytest.raises(TypeError, match="Recorder: optimizer must be a torch optimizer"):
            Recorder(nonsense)
    no_rate = sgd()
    for group in no_rate.param_groups:
        del group["lr"]
    with pytest.raises(ValueError, match="SGD has no learning rate to record"):
        Recorder(no_rate)
    no_rate.param_groups[0]["lr"] = None  # transformers' Adafactor(relative_step=True)
    with pytest.raises(ValueError, match="is None, so it sets its step by itself"):
        Recorder(no_rate)


# -- compiled ----------------------------------------------------------------------------------


def test_a_compiled_step_is_compiled_as_often_as_without_a_record():
    import torch._dynamo
    from torch._dynamo.utils import counters

    def compiled(recorded):
        torch._dynamo.reset()
        counters.clear()
        torch.manual_seed(0)
        net = torch.nn.Linear(3, 2)
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01, foreach=False)
        log = Recorder(optimizer)

        def loop():
            step = torch.compile(optimizer.step, backend="eager")
            for _ in range(6):
                optimizer.zero_grad()
                F.cross_entropy(net(torch.ones(4, 3)), torch.ones(4, dtype=torch.long)).backward()
                step()

        if recorded:
            with log:
                loop()
            assert len(log) == 6
        else:
            loop()
        return counters["frames"]["ok"]

    assert compiled(True) <= compiled(False)
