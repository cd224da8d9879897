"""The range test beside fastai's finder: the same curve and the same stop where meanings agree."""

import copy

import numpy as np
import pytest
import torch
from helpers.peers import fastai_learner, peer
from helpers.toys import BATCHES, fingerprint, net_of, random_states
from torch.nn import functional

from lrcourse.rangetest import range_test

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")

START, UPDATES, SMOOTHING = 1e-3, 40, 0.98
ROUNDING = 1e-5  # fastai smooths in float32


def theirs(net, end, path, batches=BATCHES, kind=torch.optim.SGD):
    """The recorder after fastai's sweep; its losses are smoothed."""
    peer("fastai.callback.schedule")  # gives Learner its lr_find
    learner = fastai_learner(net, batches, functional.cross_entropy, kind, path)
    learner.lr_find(START, end, UPDATES, show_plot=False, suggest_funcs=None)
    return learner.recorder


def ours(net, end, batches=BATCHES, kind=torch.optim.SGD):
    """One update more, for theirs misses the end; the same smoothing and limit."""
    return range_test(
        net,
        kind(net.parameters(), lr=1.0),
        batches,
        start=START,
        end=end,
        updates=UPDATES + 1,
        smoothing=SMOOTHING,
        diverged=4.0,
    )


def smoothed(losses):
    """fastai's mean of the losses so far, written anew: the older, the less by .98 each time."""
    weights = SMOOTHING ** np.arange(len(losses))[::-1]
    return [np.average(losses[: n + 1], weights=weights[-n - 1 :]) for n in range(len(losses))]


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_the_curve_of_fastai(kind, tmp_path):
    end = {torch.optim.SGD: 1.0, torch.optim.AdamW: 0.1}[kind]
    recorder = theirs(net_of(), end, tmp_path, kind=kind)
    test = ours(net_of(), end, kind=kind)
    assert len(recorder.lrs) == UPDATES == len(test.lr) - 1
    np.testing.assert_allclose(test.lr[:-1], recorder.lrs, rtol=1e-12)
    np.testing.assert_allclose(smoothed(test.loss[0][:-1]), recorder.losses, rtol=ROUNDING)
    assert len(set(np.round(recorder.losses, 4))) > UPDATES / 2  # there is something to compare


def test_it_misses_the_end_and_ours_does_not(tmp_path):
    recorder = theirs(net_of(), 1.0, tmp_path)
    assert recorder.lrs[-1] == pytest.approx(START * (1 / START) ** (39 / 40))
    assert recorder.lrs[-1] < 0.85
    assert ours(net_of(), 1.0).lr[-1] == 1.0


@pytest.mark.parametrize("end, seed", [(100.0, 0), (1000.0, 0), (1000.0, 1)])
def test_both_stop_at_the_same_update(end, seed, tmp_path):
    """Above four times the best smoothed loss; with 3 or 5 times one of these would differ."""
    recorder = theirs(net_of(seed), end, tmp_path)
    test = ours(net_of(seed), end)
    assert len(recorder.lrs) == len(test.lr) < UPDATES
    assert test.curves[0].why == "rose"
    np.testing.assert_allclose(smoothed(test.loss[0]), recorder.losses, rtol=ROUNDING)
    assert recorder.losses[-1] > 4 * min(recorder.losses) >= recorder.losses[-2]


def test_after_nan_it_sweeps_on_and_ours_stops(tmp_path):
    """`loss > 4 * best` is false for NaN."""
    batches = copy.deepcopy(BATCHES)
    batches[6][0].fill_(torch.nan)
    recorder = theirs(net_of(), 1.0, tmp_path, batches)
    assert np.isnan(recorder.losses).tolist() == [False] * 6 + [True] * (UPDATES - 6)
    (curve,) = ours(net_of(), 1.0, batches).curves
    assert (curve.diverged_at, curve.why, len(curve)) == (6, "NaN", 7)
    np.testing.assert_allclose(smoothed(curve.loss[:6]), recorder.losses[:6], rtol=ROUNDING)


def test_it_puts_the_net_back_but_not_the_random_state(tmp_path):
    net = net_of(dropout=0.5).eval()
    values = copy.deepcopy(net.state_dict())
    before = random_states()
    theirs(net, 1.0, tmp_path)
    assert all(torch.equal(value, values[name]) for name, value in net.state_dict().items())
    assert net.training
    assert random_states() != before
    net = net_of(dropout=0.5).eval()
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    everything = fingerprint(net, optimizer), random_states()
    range_test(net, optimizer, BATCHES, start=START, end=1.0, updates=UPDATES)
    assert (fingerprint(net, optimizer), random_states()) == everything
