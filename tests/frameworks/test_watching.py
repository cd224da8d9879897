"""A schedule is examined before the training, and what each update applies is reported."""

import warnings

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler as ls

from lrcourse import schedules as s
from lrcourse.frameworks import to_tensorboard, watch
from lrcourse.training import ScheduleWarning


def sgd(*rates):
    groups = [{"params": [torch.nn.Parameter(torch.ones(2))], "lr": lr} for lr in rates]
    for group in groups:
        group["params"][0].grad = torch.ones(2)
    return torch.optim.SGD(groups, lr=0.1)


def trained(optimizer, scheduler, updates, **options):
    with watch(optimizer, scheduler, updates, **options) as log:
        for _ in range(updates):
            optimizer.step()
            scheduler.step()
    return log


def test_each_report_tells_what_the_update_applied():
    told, optimizer = [], sgd(0.1)
    scheduler = s.to_torch(s.linear(10), optimizer)
    log = trained(optimizer, scheduler, 10, report=lambda *one: told.append(one), every=3)
    assert [update for _, update in told] == [3, 6, 9]
    assert [rates["lr_applied"] for rates, _ in told] == log.lr[[2, 5, 8], 0].tolist()
    assert log.latest() == {"lr_applied": log.lr[-1, 0]}
    assert str(log.against(s.linear(10))) == "nothing found"


def test_groups_are_told_by_name():
    optimizer = sgd(0.1, 0.01)
    optimizer.param_groups[1]["name"] = "head"
    log = watch(optimizer)
    assert log.latest() == {}
    with log:
        optimizer.step()
    assert log.latest() == {"lr_applied/group 0": 0.1, "lr_applied/head": 0.01}


def test_two_optimizers_in_one_make_one_report_an_update():
    one, other, told = sgd(0.1), sgd(0.01), []

    class Both:
        def __init__(self):
            self.optimizers = [one, other]

        @property
        def param_groups(self):
            return one.param_groups + other.param_groups

        def step(self):
            one.step()
            other.step()

    both = Both()
    with watch(both, report=lambda rates, update: told.append((rates, update)), every=1):
        both.step()
        both.step()
    assert [update for _, update in told] == [1, 2]
    assert list(told[0][0].values()) == [0.1, 0.01]


def test_what_lint_finds_is_warned_of_before_the_first_update():
    optimizer = sgd(0.1)
    scheduler = s.to_torch(s.cosine(300), optimizer)
    with pytest.warns(ScheduleWarning, match="Mend: "):
        log = watch(optimizer, scheduler, 100)
    assert log.findings.codes == ("ends-late",)
    assert len(log) == 0 and optimizer.param_groups[0]["lr"] == 0.1


@pytest.mark.parametrize("made", ["right", "plateau", "none"])
def test_nothing_is_said_of_a_schedule_that_is_right_or_follows_a_metric(made):
    optimizer = sgd(0.1)
    scheduler = {
        "right": lambda: s.to_torch(s.cosine(100), optimizer),
        "plateau": lambda: ls.ReduceLROnPlateau(optimizer),
        "none": lambda: None,
    }[made]()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not watch(optimizer, scheduler, 100).findings


def test_a_schedule_that_cannot_be_looked_at_ends_no_training():
    optimizer = sgd(0.1)

    class Stuck(ls.LRScheduler):
        def __deepcopy__(self, memo):
            raise RuntimeError("it holds a file")

        def __reduce_ex__(self, protocol):
            raise RuntimeError("it holds a file")

        def step(self, *args):
            raise ValueError("not today")

        def __init__(self, optimizer):
            self.optimizer = optimizer

    with pytest.warns(ScheduleWarning):
        log = watch(optimizer, Stuck(optimizer), 100)
    with log:
        optimizer.step()
    assert len(log) == 1


def test_an_error_of_the_training_takes_the_hooks_off():
    optimizer, told = sgd(0.1), []
    with pytest.raises(KeyError), watch(optimizer, report=lambda *one: told.append(one), every=1):
        optimizer.step()
        raise KeyError
    optimizer.step()
    assert len(told) == 1


def test_the_latest_rates_are_the_last_row():
    optimizer = sgd(0.3, 0.2)
    with watch(optimizer) as log:
        assert log.last() == []
        optimizer.step()
        optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], "lr": 0.7})
        assert np.isnan(log.last()[2])
        optimizer.step()
    assert log.last() == log.lr[-1].tolist() == [0.3, 0.2, 0.7]


def test_what_cannot_be_meant():
    with pytest.raises(ValueError, match="watch needs updates"):
        watch(sgd(0.1), ls.StepLR(sgd(0.1), 3))
    with pytest.raises(TypeError, match="add_scalar"):
        to_tensorboard(print)
    for wrong in (0, -1, 1.5, "10"):
        with pytest.raises((TypeError, ValueError), match="updates"):
            watch(sgd(0.1), None, wrong)
