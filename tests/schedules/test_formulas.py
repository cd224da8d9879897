"""Schedules against the formulas of CLR, D2L, pytorch_warmup, nanoGPT and the warmup article."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import formulas

from lrcourse.schedules import cosine, cyclical, exp_range, exponential, power, triangular2, warmup


def same(shape, formula, updates, peak=1.0):
    theirs = [formula(t) for t in range(updates)]
    np.testing.assert_allclose(peak * shape(range(updates)), theirs, rtol=1e-10, atol=1e-13)


# bckenstler/CLR


@pytest.mark.parametrize("half", [1, 7, 2000])
@pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range"])
def test_clr_at_its_own_defaults(half, mode):
    scale = {"triangular": None, "triangular2": triangular2, "exp_range": exp_range(0.99994)}
    shape = cyclical(half, base=0.001 / 0.006, scale=scale[mode])
    same(shape, lambda t: formulas.clr(t, half, mode=mode), min(5 * half, 3000), peak=0.006)


def test_exp_range_counts_from_the_start_of_training_not_of_the_cycle():
    shape = cyclical(5, base=0, scale=exp_range(0.9))
    np.testing.assert_allclose(shape([5, 15, 25]), [0.9**5, 0.9**15, 0.9**25])


def test_the_windows_that_no_other_tool_has():
    t = np.arange(41) / 2
    triangle, welch, hann = (cyclical(5, 0.2, window=w)(t) for w in ("triangle", "welch", "hann"))
    x = np.abs(t / 5 - 2 * np.floor(1 + t / 10) + 1)
    np.testing.assert_allclose(triangle, 0.2 + 0.8 * (1 - x), atol=1e-15)
    np.testing.assert_allclose(welch, 0.2 + 0.8 * (1 - x**2), atol=1e-15)
    np.testing.assert_allclose(hann, 0.2 + 0.8 * np.cos(np.pi * x / 2) ** 2, atol=1e-15)
    for shape in (triangle, welch, hann):
        assert shape[10] == shape[30] == 1
        assert shape[0] == shape[20] == pytest.approx(0.2)


# D2L


def test_d2l_square_root():
    same(power(), lambda t: formulas.d2l_square_root(t, 0.1), 30, peak=0.1)


def test_d2l_factor_is_one_ahead():
    scheduler = formulas.D2LFactor(factor=0.9, stop=0.01, base=2.0)
    theirs = [scheduler(t) for t in range(80)]
    assert theirs[0] == 1.8  # as the source's figure starts
    shape = exponential(0.9, floor=0.01 / 2)
    np.testing.assert_allclose(2 * shape(range(1, 81)), theirs, rtol=1e-10)
    assert scheduler(0) == 0.01  # asking, as a figure does, exhausts it; a schedule does not care
    assert shape(0) == 1


@pytest.mark.parametrize("warm", [0, 5])
def test_d2l_cosine(warm):
    def theirs(t):
        return formulas.d2l_cosine(t, 20, base=0.3, final=0.01, warmup_steps=warm)

    shape = warmup(warm, start=0).then(cosine(20 - warm, floor=0.01 / 0.3))
    same(shape, theirs, 30, peak=0.3)


# pytorch_warmup


@pytest.mark.parametrize("beta2", [0.9, 0.99, 0.999])
def test_pytorch_warmup_untuned_linear(beta2):
    period = formulas.untuned_linear_period(beta2)
    same(warmup(period), lambda t: formulas.damp_linear(t, period), 2500)


@pytest.mark.parametrize("beta2", [0.9, 0.99, 0.999])
def test_pytorch_warmup_untuned_exponential(beta2):
    tau = formulas.untuned_exponential_tau(beta2)
    shape = warmup(None, ramp="exponential", tau=tau)
    same(shape, lambda t: formulas.damp_exponential(t, tau), 2500)


def test_pytorch_warmup_dampens_a_schedule_which_is_a_product():
    def theirs(t):
        return formulas.damp_linear(t, 10) * formulas.d2l_cosine(t, 100, 1.0)

    same(warmup(10) * cosine(100), theirs, 120)


# nanoGPT, and the warmup article


@pytest.mark.parametrize(("warm", "decay"), [(1, 10), (10, 100), (2000, 3000)])
def test_nano_gpt(warm, decay):
    def theirs(t):
        return formulas.nano_gpt(t, 6e-4, warm, decay, 6e-5)

    shape = warmup(warm + 1).then(cosine(decay - warm, floor=0.1), after=warm)
    same(shape, theirs, decay + 20, peak=6e-4)


@pytest.mark.parametrize(("warm", "total"), [(5, 30), (10, 100), (1, 20)])
def test_article_two_stage_form(warm, total):
    def theirs(t):
        return formulas.article_warmup_cosine(t, warm, total, 0.3, 0.01)

    shape = warmup(warm - 1, start=1 / warm).then(cosine(total - warm, floor=0.01 / 0.3))
    same(shape, theirs, total, peak=0.3)


def test_the_default_warmup_stands_at_the_peak_twice_where_the_article_does_once():
    theirs = [formulas.article_warmup_cosine(t, 5, 30, 1.0, 0.0) for t in range(30)]
    ours = warmup(5).then(cosine(25))(range(30))
    assert [t for t in range(30) if ours[t] == 1] == [4, 5]
    assert [t for t in range(30) if theirs[t] == 1] == [4]
    assert 0.03 < np.abs(ours - theirs).max() < 0.1


def test_yolo_burn_in():
    same(warmup(20, start=0, ramp="power"), lambda t: min(1, t / 20) ** 4, 30)
