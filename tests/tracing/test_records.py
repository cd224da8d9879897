"""Records of two optimizers, of skipped updates, of schedulers stepped too often or too seldom."""

import time

import numpy as np
import pytest
import torch
from helpers.peers import sgd
from torch.optim import lr_scheduler as ls

from lrcourse import schedules as s
from lrcourse import tracing
from lrcourse.tracing import lint, record


def group(lr):
    return {"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr}


class Both(torch.optim.Optimizer):
    """Two optimizers in one."""

    def __init__(self, *inner):
        self.inner = list(inner)
        self.param_groups = [group for each in inner for group in each.param_groups]
        self.state, self.defaults = {}, {}

    def step(self, closure=None):
        for each in self.inner:
            each.step()


def alternating(updates=40, every=5):
    """The two of a GAN: the second one makes every fifth update only."""
    both = Both(sgd(0.1), sgd(0.01))
    with record(both) as log:
        for t in range(updates):
            both.inner[0].step()
            if t % every == every - 1:
                both.inner[1].step()
    return log


def stepped(build, updates, steps, lr=0.1):
    """A loop that steps its scheduler `steps(t)` times after update t."""
    optimizer = sgd(lr)
    scheduler = build(optimizer)
    with record(optimizer) as log:
        for t in range(updates):
            optimizer.step()
            for _ in range(steps(t)):
                scheduler.step()
    return log


def only(findings):
    assert len(findings) == 1, findings
    return findings[0]


# -- updates in which a group takes no part -----------------------------------------------------


def test_an_optimizer_that_steps_now_and_then_is_no_bad_rate():
    log = alternating()
    assert np.isnan(log.lr).sum() == log.absent.sum() == 32
    assert str(lint(log)) == "nothing found"
    assert log.against(s.constant()) == ()
    assert log.against(log) == ()
    assert only(log.against(s.constant(), peak=[0.1, 0.02])).group == 1


def test_an_optimizer_whose_updates_a_scaler_leaves_out_is_no_bad_rate():
    first, second = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    both = Both(torch.optim.SGD([first], lr=0.1), torch.optim.SGD([second], lr=0.01))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**4)
    with record(both) as log:
        for t in range(20):
            for p in (first, second):
                p.grad = None
            broken = float("inf") if t in (4, 5, 11) else 1.0
            scaler.scale(first.sum() + (second * broken).sum()).backward()
            for each in both.inner:
                scaler.step(each)
            scaler.update()
    assert log.absent.sum(0).tolist() == [0, 3]
    assert str(lint(log)) == "nothing found"
    assert log.against(s.constant()) == ()


def test_a_rate_that_is_no_number_is_bad_beside_an_absent_group():
    both = Both(sgd(0.1), sgd(0.01))
    with record(both) as log:
        for t in range(8):
            both.inner[1].param_groups[0]["lr"] = float("nan") if t == 5 else 0.01
            both.inner[0].step()
            if t % 2:
                both.inner[1].step()
    finding = only(lint(log))
    assert (finding.code, finding.update, finding.group) == ("bad-lr", 5, 1)
    assert only(log.against(s.constant())).update == 5


def test_a_group_that_never_takes_part_is_told_by_the_comparison():
    both = Both(sgd(0.1), sgd(0.01))
    with record(both) as log:
        for _ in range(8):
            both.inner[0].step()
    assert lint(log) == ()
    finding = only(log.against(s.constant()))
    assert (finding.code, finding.group) == ("differs", 1)


def unfrozen(lrs, added, updates=100, at=50):
    """A linear decay; halfway a group is added, which follows it, too."""
    optimizer = torch.optim.SGD([group(lr) for lr in lrs], lr=1.0)
    rates = list(lrs)
    with record(optimizer) as log:
        for t in range(updates):
            if t == at:
                optimizer.add_param_group(group(added) | {"initial_lr": 0.01})
                rates.append(added)
            for each, rate in zip(optimizer.param_groups, rates, strict=True):
                each["lr"] = rate * (1 - t / 100)
            optimizer.step()
    return log


@pytest.mark.parametrize("lrs", [(0.1,), (0.1, 0.02)])
def test_a_group_that_is_added_on_the_way_is_judged_by_its_own_peak(lrs):
    log, new = unfrozen(lrs, 0.01), len(lrs)
    assert log.peaks == log.bases == (*lrs, 0.01)
    assert log.absent.sum(0).tolist() == [0] * new + [50]
    for intended in (s.linear(100), log):
        assert log.against(intended) == ()
    finding = only(unfrozen(lrs, 0.02).against(s.linear(100)))
    assert (finding.code, finding.update, finding.group) == ("differs", 50, new)
    finding = only(log.against(s.linear(100), peak=[*lrs, 0.02]))
    assert (finding.update, finding.group) == (50, new)
    with pytest.raises(ValueError, match=f"one for each of the {new + 1} groups"):
        log.against(s.linear(100), peak=[0.1] * (new + 2))


def test_a_group_that_is_added_after_the_last_update_is_no_obstacle():
    optimizer = sgd(0.1)
    with record(optimizer) as log:
        optimizer.step()
        optimizer.add_param_group(group(0.3))
    assert log.peaks == (0.1, 0.3)
    assert log.absent.tolist() == [[False, True]]
    assert only(log.against(s.constant())).group == 1  # it was to take part


# -- the wrong pace -----------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 8])
@pytest.mark.parametrize(
    "build, shape",
    [
        (lambda o: ls.CosineAnnealingLR(o, 100), s.cosine(100)),
        (lambda o: ls.StepLR(o, 8, 0.5), s.step(8, 0.5)),
        (lambda o: ls.ExponentialLR(o, 0.99), s.exponential(0.99)),
    ],
)
def test_a_scheduler_that_is_stepped_n_times_too_often(n, build, shape):
    log = stepped(build, 100, lambda t: n)
    traced = tracing.trace(*(lambda o: (o, build(o)))(sgd(0.1)), 100)
    for intended in (shape, traced):
        finding = only(log.against(intended))
        assert finding.code == "pace"
        assert f"the schedule runs {n} times too fast" in finding.message
        assert "once" in finding.mend


@pytest.mark.parametrize("n", [2, 10])
def test_a_scheduler_that_is_stepped_n_times_too_seldom(n):
    log = stepped(lambda o: ls.CosineAnnealingLR(o, 100), 100, lambda t: (t + 1) % n == 0)
    finding = only(log.against(s.cosine(100)))
    assert finding.code == "pace"
    assert f"the schedule runs {n} times too slowly" in finding.message


def test_the_pace_of_a_schedule_in_epochs():
    def every_epoch(times):
        return stepped(
            lambda o: ls.CosineAnnealingLR(o, 30), 150, lambda t: times * (t % 5 == 4)
        ).against(s.cosine(30), updates_per_epoch=5)

    assert every_epoch(1) == ()
    assert "2 times too fast" in only(every_epoch(2)).message
    each_update = stepped(lambda o: ls.CosineAnnealingLR(o, 30), 150, lambda t: 1)
    finding = only(each_update.against(s.cosine(30), updates_per_epoch=5))
    assert "5 times too fast" in finding.message


def test_another_schedule_is_not_a_matter_of_pace():
    log = stepped(lambda o: ls.CosineAnnealingLR(o, 100), 100, lambda t: 1)
    for shape in (s.linear(100), s.step(30, 0.1), s.cosine(100, floor=0.1), s.cosine(50)):
        assert only(log.against(shape)).code == "differs"
    assert only(log.against(s.cosine(200))).code == "pace"  # half the length, seen from there


@pytest.mark.timed
def test_a_long_record_is_compared_in_time_linear_in_its_length():
    def seconds(updates):
        optimizer, shape = sgd(0.1), s.cosine(updates)
        with record(optimizer) as log:
            for t in range(updates):
                optimizer.param_groups[0]["lr"] = 0.1 * float(shape(t))
                if t % 10 != 7:
                    optimizer.step()
        begin = time.process_time()
        assert only(log.against(shape)).code == "skipped"
        return time.process_time() - begin

    seconds(1000)
    short, long = (min(seconds(n) for _ in range(3)) for n in (4_000, 16_000))
    assert long < 8 * short  # quadratic: 16 times
