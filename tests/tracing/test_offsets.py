"""A record that begins on the way, a trace that does, and a group that comes too late are told."""

import numpy as np
import pytest
import torch
from helpers.peers import sgd
from torch.optim import lr_scheduler as ls

from lrcourse import schedules as s
from lrcourse import tracing

N = 100


def cosine(o):
    return ls.CosineAnnealingLR(o, N)


def adam():
    parameter = torch.nn.Parameter(torch.ones(1))
    parameter.grad = torch.ones(1)
    return torch.optim.Adam([parameter], lr=0.1)


def loop(optimizer, scheduler, updates, every=1, made=0):
    for t in range(made, made + updates):
        optimizer.step()
        if t % every == every - 1:
            scheduler.step()


def recorded_late(make, build, after, updates, every=1):
    """A loop that is recorded from its update `after` on."""
    optimizer = make()
    scheduler = build(optimizer)
    loop(optimizer, scheduler, after, every)
    with tracing.record(optimizer) as log:
        loop(optimizer, scheduler, updates, every, after)
    return log


def only(findings):
    (finding,) = findings
    return finding


@pytest.mark.parametrize("after, updates", [(1, 99), (2, 40), (20, 80), (40, 60), (70, 30)])
@pytest.mark.parametrize("make", [sgd, adam])
def test_a_record_that_began_late_is_told_with_its_offset(make, after, updates):
    log = recorded_late(make, cosine, after, updates)
    optimizer = make()
    traced = tracing.trace(optimizer, cosine(optimizer), N)
    for intended, rest in (
        (s.cosine(N), [log.peaks[0] * s.cosine(N)(t) for t in range(after, N)]),
        (traced, traced.lr[after:]),
    ):
        finding = only(log.against(intended))
        assert finding.code == "offset"
        assert f"begins at update {after} of what was intended" in finding.message
        assert f"[{after}:] of a trace" in finding.mend
        assert log.against(rest) == ()


@pytest.mark.parametrize("after, told", [(40, "update 40 (step 8)"), (43, "update 43 (step 8)")])
def test_the_offset_of_a_schedule_in_epochs(after, told):
    log = recorded_late(sgd, lambda o: ls.CosineAnnealingLR(o, 20), after, 100 - after, every=5)
    finding = only(log.against(s.cosine(20), updates_per_epoch=5))
    assert (finding.code, told in finding.message) == ("offset", True)


def test_a_record_of_a_loaded_training():
    first, second = adam(), adam()
    scheduler, resumed = cosine(first), cosine(second)
    loop(first, scheduler, 70)
    second.load_state_dict(first.state_dict())
    resumed.load_state_dict(scheduler.state_dict())
    with tracing.record(second) as log:
        loop(second, resumed, 30)
    assert "begins at update 70" in only(log.against(s.cosine(N))).message
    assert log.against(s.cosine(200)).codes == ("differs",)


def test_rates_that_a_loop_writes_itself_are_found_in_their_shape_but_for_the_peak():
    optimizer, shape = sgd(0.1), s.warmup(10).then(s.cosine(90))
    optimizer.param_groups[0]["lr"] = 0.1 * float(shape(70))
    with tracing.record(optimizer) as log:
        for t in range(70, N):
            optimizer.param_groups[0]["lr"] = 0.1 * float(shape(t))
            optimizer.step()
    finding = only(log.against(shape))
    assert finding.code == "offset"
    assert "begins at update 70 of what was intended" in finding.message
    assert "but for one factor" in finding.message and "the peak that the run has" in finding.mend
    assert "but for" not in only(log.against(shape, peak=0.1)).message


def test_a_trace_that_began_late_is_told_with_its_offset():
    optimizer = sgd(0.1)
    scheduler = cosine(optimizer)
    with tracing.record(optimizer) as log:
        loop(optimizer, scheduler, 40)
        traced = tracing.trace(optimizer, scheduler, 60)
        loop(optimizer, scheduler, 60)
    found = log.against(traced)
    assert found.codes == ("offset", "length")
    assert "what was intended begins at update 40 of the record" in found[0].message


def test_a_fresh_optimizer_that_left_out_its_first_updates_may_have_been_recorded_late():
    optimizer = sgd(0.1)
    optimizer.param_groups[0]["initial_lr"] = 0.1
    with tracing.record(optimizer) as log:
        for t in range(20, N):
            optimizer.param_groups[0]["lr"] = 0.1 * float(s.cosine(N)(t))
            optimizer.step()
    finding = only(log.against(s.cosine(N)))
    assert finding.code == "skipped" and "with 20 updates left out" in finding.message
    assert "or the record began later" in finding.mend


def test_constant_and_other_rates_have_no_offset():
    log = recorded_late(sgd, lambda o: ls.LambdaLR(o, lambda t: 1.0), 10, 50)
    assert only(log.against(s.cosine(N))).code == "differs"
    log = recorded_late(sgd, lambda o: ls.ExponentialLR(o, 0.9), 10, 50)
    assert only(log.against(s.cosine(N))).code == "differs"


# -- groups that never take part ----------------------------------------------------------------


def group(lr):
    return {"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr}


def test_a_group_that_is_added_after_the_last_update_is_called_so():
    optimizer = sgd(0.1)
    scheduler = cosine(optimizer)
    with tracing.record(optimizer) as log:
        loop(optimizer, scheduler, 50)
        optimizer.add_param_group(group(0.3))
    finding = only(log.against(s.cosine(N)))
    assert (finding.code, finding.group) == ("differs", 1)
    assert "group 1 took no part in any of the 50 updates" in finding.message
    assert "added to the optimizer after the last of them" in finding.message
    assert np.isnan(finding.value)
    late, other = sorted(log.against(s.cosine(80)), key=lambda one: one.group, reverse=True)
    assert late.message == finding.message
    assert other.group == 0 and "was intended" in other.message


def test_an_optimizer_that_is_never_stepped_is_called_so():
    class Both(torch.optim.Optimizer):
        def __init__(self, *inner):
            self.inner, self.state, self.defaults = list(inner), {}, {}
            self.param_groups = [group for each in inner for group in each.param_groups]

        def step(self, closure=None):
            pass

    both = Both(sgd(0.1), sgd(0.01))
    with tracing.record(both) as log:
        for _ in range(8):
            both.inner[0].step()
    finding = only(log.against(s.constant()))
    assert (finding.code, finding.group) == ("differs", 1)
    assert "the optimizer that holds it was not stepped" in finding.message
