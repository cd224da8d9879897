"""Schedules against torch's: equal where the meanings agree, the difference pinned where not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.peers import plateau_trace, sgd, torch_trace
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from lrcourse.schedules import (
    constant,
    cosine,
    cyclical,
    exp_range,
    exponential,
    linear,
    multistep,
    one_cycle,
    plateau,
    polynomial,
    restarts,
    step,
    to_torch,
    triangular2,
    warmup,
)


def same(shape, build, updates, rtol=1e-10):
    """The schedule's factors are the rates of torch's scheduler at peak 1."""
    theirs = torch_trace(build, updates)
    np.testing.assert_allclose(shape(range(updates)), theirs, rtol=rtol, atol=1e-12)


# Equal


@pytest.mark.parametrize("every", [1, 3, 10, 30])
@pytest.mark.parametrize("gamma", [0.1, 0.5, 0.97, 1.0])
def test_step(every, gamma):
    same(step(every, gamma), lambda o: lr_scheduler.StepLR(o, every, gamma), 65)


@pytest.mark.parametrize("milestones", [[1], [5, 6], [15, 30], [10, 20, 40]])
@pytest.mark.parametrize("gamma", [0.1, 0.5, 2.0])
def test_multistep(milestones, gamma):
    same(multistep(milestones, gamma), lambda o: lr_scheduler.MultiStepLR(o, milestones, gamma), 50)


@pytest.mark.parametrize("gamma", [0.5, 0.9, 0.999, 1.0, 1.01])
def test_exponential(gamma):
    same(exponential(gamma), lambda o: lr_scheduler.ExponentialLR(o, gamma), 60)


@pytest.mark.parametrize("start", [0.01, 1 / 3, 1.0])
@pytest.mark.parametrize("length", [1, 5, 20])
def test_linear_warmup(start, length):
    same(
        warmup(length, start=start),
        lambda o: lr_scheduler.LinearLR(o, start, total_iters=length),
        length + 10,
    )


@pytest.mark.parametrize("factor", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("length", [1, 5, 20])
def test_constant_warmup(factor, length):
    same(
        warmup(length, start=factor, ramp="constant"),
        lambda o: lr_scheduler.ConstantLR(o, factor, length),
        length + 10,
    )


@pytest.mark.parametrize(("start", "end"), [(1.0, 0.0), (1.0, 0.2), (0.8, 0.2), (0.2, 0.8)])
def test_linear_between_any_two_factors(start, end):
    fall = start > end
    shape = start * linear(12, floor=end / start) if fall else end * warmup(12, start=start / end)
    same(shape, lambda o: lr_scheduler.LinearLR(o, start, end, total_iters=12), 20)


@pytest.mark.parametrize("total", [1, 2, 7, 30])
@pytest.mark.parametrize("exponent", [0.5, 0.9, 1, 2, 3.5])
def test_polynomial(total, exponent):
    same(
        polynomial(total, exponent),
        lambda o: lr_scheduler.PolynomialLR(o, total, exponent),
        total + 10,
    )


@pytest.mark.parametrize("total", [1, 2, 7, 30, 100])
@pytest.mark.parametrize("floor", [0.0, 1 / 30, 0.5])
def test_cosine_up_to_its_end(total, floor):
    same(
        cosine(total, floor),
        lambda o: lr_scheduler.CosineAnnealingLR(o, total, eta_min=floor),
        total + 1,
    )


@pytest.mark.parametrize("first", [1, 3, 10])
@pytest.mark.parametrize("multiply", [1, 2, 3])
@pytest.mark.parametrize("floor", [0.0, 0.1])
def test_restarts(first, multiply, floor):
    def build(optimizer):
        return lr_scheduler.CosineAnnealingWarmRestarts(optimizer, first, multiply, eta_min=floor)

    same(restarts(first, multiply, floor), build, 150)


@pytest.mark.parametrize("half", [1, 4, 9])
@pytest.mark.parametrize("base", [0.0, 1 / 6, 0.5])
@pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range"])
def test_cyclical(half, base, mode):
    def build(optimizer):
        return lr_scheduler.CyclicLR(
            optimizer, base, 1.0, half, mode=mode, gamma=0.98, cycle_momentum=False
        )

    scale = {"triangular": None, "triangular2": triangular2, "exp_range": exp_range(0.98)}[mode]
    same(cyclical(half, base, scale=scale), build, 80)


@pytest.mark.parametrize(
    ("total", "warm"), [(10, 0.2), (10, 0.3), (20, 0.25), (40, 0.05), (100, 0.3), (100, 0.99)]
)
@pytest.mark.parametrize("anneal", ["cosine", "linear"])
@pytest.mark.parametrize(("div", "final_div"), [(25.0, 1e4), (10.0, 10.0)])
def test_one_cycle_where_its_peak_falls_on_an_update(total, warm, anneal, div, final_div):
    def build(optimizer):
        return lr_scheduler.OneCycleLR(
            optimizer,
            1.0,
            total_steps=total,
            pct_start=warm,
            anneal_strategy={"cosine": "cos", "linear": "linear"}[anneal],
            div_factor=div,
            final_div_factor=final_div,
            cycle_momentum=False,
        )

    shape = one_cycle(total, warm, start=1 / div, end=1 / div / final_div, anneal=anneal)
    same(shape, build, total)


def test_then_is_sequential():
    def build(optimizer):
        parts = [
            lr_scheduler.LinearLR(optimizer, 0.1, total_iters=5),
            lr_scheduler.StepLR(optimizer, 4, 0.5),
            lr_scheduler.CosineAnnealingLR(optimizer, 10),
        ]
        return lr_scheduler.SequentialLR(optimizer, parts, milestones=[5, 17])

    shape = warmup(5, start=0.1).then(step(4, 0.5), after=5).then(cosine(10), after=17)
    same(shape, build, 28)


@pytest.mark.parametrize("length", [1, 5, 12])
def test_times_is_chained(length):
    def build(optimizer):
        parts = [
            lr_scheduler.LinearLR(optimizer, 0.1, total_iters=length),
            lr_scheduler.CosineAnnealingLR(optimizer, 30),
            lr_scheduler.ExponentialLR(optimizer, 0.95),
        ]
        return lr_scheduler.ChainedScheduler(parts)

    same(warmup(length, start=0.1) * cosine(30) * exponential(0.95), build, 31)


metric = st.one_of(st.floats(0.01, 10), st.sampled_from([1.0, 2.0, math.nan, math.inf]))


@settings(max_examples=60, deadline=None)
@given(
    metrics=st.lists(metric, min_size=5, max_size=30),
    factor=st.sampled_from([0.1, 0.5, 0.9]),
    patience=st.integers(0, 3),
    threshold=st.sampled_from([0.0, 1e-4, 0.1]),
    floor=st.sampled_from([0.0, 0.3]),
    cooldown=st.integers(0, 3),
    mode=st.sampled_from(["min", "max"]),
)
def test_plateau_counts_as_torch(metrics, factor, patience, threshold, floor, cooldown, mode):
    theirs = lr_scheduler.ReduceLROnPlateau(
        sgd(), mode, factor, patience, threshold, cooldown=cooldown, min_lr=floor, eps=0
    )
    state = plateau(factor, patience, threshold, floor, cooldown, mode).start()
    assert [state.observe(each) for each in metrics] == plateau_trace(theirs, metrics)


# Different on purpose


def test_torch_takes_a_standstill_below_zero_for_progress_and_plateau_does_not():
    metrics = [-1.0] * 6
    theirs = lr_scheduler.ReduceLROnPlateau(sgd(), factor=0.5, patience=2)
    state = plateau(0.5, patience=2).start()
    assert plateau_trace(theirs, metrics) == [1.0] * 6
    assert [state.observe(each) for each in metrics] == [1, 1, 1, 0.5, 0.5, 0.5]


def test_torch_cosine_rebounds_and_ours_holds():
    theirs = torch_trace(lambda o: lr_scheduler.CosineAnnealingLR(o, 10), 21)
    assert theirs[10] == pytest.approx(0, abs=1e-12)
    assert theirs[20] == pytest.approx(1)
    assert set(cosine(10)(range(10, 21))) == {0.0}


def test_torch_one_cycle_never_reaches_a_peak_between_updates():
    def build(optimizer):
        return lr_scheduler.OneCycleLR(
            optimizer, 1.0, total_steps=10, pct_start=0.25, cycle_momentum=False
        )

    assert max(torch_trace(build, 10)) == pytest.approx(0.989, abs=5e-4)
    assert max(one_cycle(10, 0.25)(range(10))) == 1


def test_torch_one_cycle_rises_after_its_end_and_then_fails():
    optimizer = sgd()
    scheduler = lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=10, cycle_momentum=False)
    for _ in range(9):
        optimizer.step()
        scheduler.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(4e-6)
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.0495, abs=1e-4)
    with pytest.raises(ValueError, match="Tried to step"):
        scheduler.step()
    assert set(one_cycle(10)([9, 10, 11, 1000])) == {4e-6}


def test_torch_one_cycle_is_odd_when_it_is_short():
    def build(total, warm):
        return lambda o: lr_scheduler.OneCycleLR(
            o, 1.0, total_steps=total, pct_start=warm, cycle_momentum=False
        )

    with pytest.raises(ZeroDivisionError):
        torch_trace(build(10, 0.1), 10)
    assert torch_trace(build(2, 0.3), 1) == [pytest.approx(0.81, abs=5e-3)]
    assert torch_trace(build(3, 0.3), 1) == [pytest.approx(0.99, abs=5e-3)]
    np.testing.assert_allclose(one_cycle(10, 0.1)([0, 1]), [1 / 25, 1])
    np.testing.assert_allclose(one_cycle(2)(range(2)), [1, 4e-6])
    np.testing.assert_allclose(one_cycle(3)(range(3)), [1 / 25, 1, 4e-6])


def test_torch_restarts_lose_one_to_rounding_when_given_the_epoch():
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(sgd(), 1, 3)
    scheduler.step(121)
    assert scheduler.get_last_lr()[0] < 1e-12
    assert restarts(1, 3)(121) == 1


def test_torch_cyclic_overwrites_the_momentum():
    optimizer = sgd(momentum=0.5)
    lr_scheduler.CyclicLR(optimizer, 0.1, 1.0, 4)
    assert optimizer.param_groups[0]["momentum"] == 0.9
    optimizer = sgd(momentum=0.5)
    to_torch(cyclical(4, 0.1), optimizer)
    assert optimizer.param_groups[0]["momentum"] == 0.5


def test_torch_one_cycle_corrupts_the_warmup_before_it_and_then_does_not():
    def build(optimizer):
        first = lr_scheduler.LinearLR(optimizer, 0.5, total_iters=5)
        second = lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=10, cycle_momentum=False)
        return lr_scheduler.SequentialLR(optimizer, [first, second], milestones=[5])

    assert torch_trace(build, 1) == [pytest.approx(0.02)]
    assert warmup(5, start=0.5).then(one_cycle(10))(0) == 0.5


def test_torch_constant_before_a_running_product_never_returns_to_the_peak():
    def build(optimizer):
        first = lr_scheduler.ConstantLR(optimizer, 0.1, 3)
        second = lr_scheduler.MultiplicativeLR(optimizer, lambda t: 1.0)
        return lr_scheduler.SequentialLR(optimizer, [first, second], milestones=[3])

    assert max(torch_trace(build, 10)) == pytest.approx(0.1)
    assert warmup(3, start=0.1, ramp="constant").then(constant())(9) == 1
