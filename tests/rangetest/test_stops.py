"""Where a range test stops: at NaN, at infinity, and where the loss has risen."""

import math

import numpy as np
import pytest
import torch
from helpers.toys import BATCHES, net_of, sgd
from torch import nn
from torch.nn import functional

from lrcourse.rangetest import range_test


@pytest.mark.parametrize("bad, why", [(math.nan, "NaN"), (math.inf, "infinite")])
def test_it_stops_at_a_loss_that_is_no_number(bad, why):
    calls = []

    def step(net, batch):
        calls.append(net.training)
        loss = functional.cross_entropy(net(batch[0]), batch[1])
        return loss * bad if sum(calls) == 7 else loss

    net = net_of()
    how = {"start": 1e-4, "end": 1e-2, "updates": 30}
    test = range_test(net, sgd(net), BATCHES, step=step, held_out=BATCHES[:1], **how)
    (curve,) = test.curves
    assert (curve.diverged_at, curve.why, len(curve)) == (6, why, 7)
    assert sum(calls) == 7 and len(calls) == 13  # no update after it, no measurement of it
    assert np.isfinite(curve.held_out_loss).tolist() == [True] * 6 + [False]
    assert not np.isfinite(curve.loss[6])


def test_it_stops_when_the_loss_has_risen():
    net = net_of()
    test = range_test(net, sgd(net), BATCHES, start=1e-3, end=1e4, updates=60)
    (curve,) = test.curves
    assert curve.why == "rose" and curve.diverged_at == len(curve) - 1 < 59
    patient = range_test(net, sgd(net), BATCHES, start=1e-3, end=1e4, updates=60, diverged=1e9)
    assert len(patient.curves[0]) > len(curve)


def test_a_negative_loss_runs_to_the_end():
    net = nn.Linear(6, 1)
    test = range_test(
        net,
        sgd(net),
        BATCHES,
        step=lambda n, b: -1 - torch.sigmoid(n(b[0])).mean(),
        start=1e-3,
        end=1,
        updates=20,
    )
    assert len(test.lr) == 20 and test.curves[0].why is None


def test_looking_at_the_losses_now_and_then_gives_the_same_curve():
    """As on a GPU: some updates too many are made, and the curve is cut where it diverged."""
    net = net_of()
    for end in (1e4, 1e-2):
        how = {"start": 1e-3, "end": end, "updates": 27, "held_out": BATCHES[:1], "accumulate": 2}
        each = range_test(net, sgd(net), BATCHES, **how)
        rare = range_test(net, sgd(net), BATCHES, look_every=10, **how)
        short = range_test(net, sgd(net), iter(BATCHES), look_every=10, **how)
        assert (each.curves[0].diverged_at is not None) == (end > 1)
        for quantity in ("loss", "accuracy", "held_out_loss", "held_out_accuracy"):
            np.testing.assert_array_equal(each.table(quantity), rare.table(quantity))
        np.testing.assert_array_equal(each.lr, rare.lr)
        assert rare.curves[0].why == each.curves[0].why
        np.testing.assert_array_equal(short.lr, each.lr[:4])
        assert short.curves[0].why == "out of batches"
