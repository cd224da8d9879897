"""Two schedulers that write one optimizer's LR are told where it can be seen."""

import pytest
from helpers.peers import sgd
from torch.optim import lr_scheduler as ls

from lrcourse.tracing import lint, record

N = 100
pytestmark = pytest.mark.filterwarnings("ignore")


class Several:
    """Schedulers that are stepped together, or one after another."""

    def __init__(self, *schedulers, first=0):
        self.schedulers, self.first, self.made = list(schedulers), first, 0

    def step(self):
        self.made += 1
        turn = [self.schedulers[self.made > self.first]] if self.first else self.schedulers
        for each in turn:
            each.step()


def warmup(o):
    return ls.LinearLR(o, 0.1, total_iters=10)


def decay(o):
    return ls.LambdaLR(o, lambda t: 0.95**t)


def test_a_1cycle_beside_another_scheduler_before_the_first_update():
    optimizer = sgd(0.1)
    scheduler = ls.CosineAnnealingLR(optimizer, N)
    assert lint(optimizer, scheduler, N) == ()
    ls.OneCycleLR(optimizer, 0.1, total_steps=N)
    assert "two-writers" in lint(optimizer, scheduler, N).codes
    assert "two-writers" in lint(optimizer, ls.CosineAnnealingLR(optimizer, N), N).codes


@pytest.mark.parametrize(
    "other", [lambda o: ls.OneCycleLR(o, 0.1, total_steps=N), decay, lambda o: ls.StepLR(o, 10)]
)
def test_rates_that_another_scheduler_has_changed_on_the_way(other):
    optimizer = sgd(0.1)
    scheduler, second = ls.CosineAnnealingLR(optimizer, N), other(optimizer)
    for _ in range(40):
        optimizer.step()
        second.step()
        scheduler.step()
    found = {finding.code: finding for finding in lint(optimizer, scheduler, N - 40)}
    assert "its own formula gives an LR of 0.06545" in found["two-writers"].message


def test_one_that_writes_after_each_update_and_one_after_each_epoch():
    optimizer = sgd(0.1)
    often, seldom = (
        ls.LambdaLR(optimizer, lambda t: 1 - t / 340),
        ls.LambdaLR(optimizer, lambda epoch: 0.5**epoch),
    )
    with record(optimizer) as log:
        for t in range(340):
            optimizer.step()
            often.step()
            if t % 34 == 33:
                seldom.step()
    (finding,) = lint(log)
    assert (finding.code, finding.update, finding.value) == ("two-writers", 34, 0.05)
    assert "at every 34th update" in finding.message


def test_an_object_that_steps_two_of_which_one_forgets():
    optimizer = sgd(0.1)
    both = Several(warmup(optimizer), decay(optimizer))
    (finding,) = lint(optimizer, both, N)
    assert finding.code == "no-effect"
    assert "LambdaLR computes the LR from its base" in finding.message


def test_silent_on_one_after_the_other_and_on_what_may_be_chained():
    for second, first in ((decay, 10), (lambda o: ls.ExponentialLR(o, 0.95), 0)):
        optimizer = sgd(0.1)
        both = Several(warmup(optimizer), second(optimizer), first=first)
        assert str(lint(optimizer, both, N)) == "nothing found"
