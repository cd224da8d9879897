"""clip_norm: torch's clipping inside the loop, and records of before it that stay valid."""

import hashlib
import json

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lrcourse import data, models, sweeps, training
from lrcourse.sweeps import stacks


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", device="cpu", progress=False).subset(96)


def run(digits, lr=0.5, seed=0, **options):
    net = models.mlp(2, 16, seed=seed)
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    training.fit(net, digits, optimizer, epochs=2, batch_size=32, seed=seed, **options)
    return net


def by_hand(digits, lr, longest, seed=0):
    """Two epochs with the gradient shortened by the formula g min(1, c / (|g| + 1e-6))."""
    net, lengths = models.mlp(2, 16, seed=seed), []
    order = torch.Generator().manual_seed(seed)
    for _ in range(2):
        for batch in torch.randperm(96, generator=order).split(32):
            loss = F.cross_entropy(net(digits.train.X[batch]), digits.train.y[batch])
            slopes = torch.autograd.grad(loss, list(net.parameters()))
            length = float(torch.cat([g.flatten() for g in slopes]).norm())
            lengths.append(length)
            with torch.no_grad():
                for w, g in zip(net.parameters(), slopes, strict=True):
                    w -= lr * g * min(1.0, longest / (length + 1e-6))
    return net, lengths


def flat(net):
    return torch.cat([w.detach().flatten() for w in net.parameters()])


def test_clipping_is_that_of_the_formula(digits):
    ours = run(digits, clip_norm=0.8)
    expected, lengths = by_hand(digits, 0.5, 0.8)
    assert min(lengths) < 0.8 < max(lengths), "both cases must occur"
    torch.testing.assert_close(flat(ours), flat(expected), rtol=0, atol=1e-6)
    assert (flat(ours) - flat(run(digits))).norm() > 1e-3


def test_a_length_that_is_never_reached_changes_nothing(digits):
    assert torch.equal(flat(run(digits, clip_norm=1e6)), flat(run(digits)))


@pytest.mark.parametrize("wrong", [0, -1, float("inf"), float("nan"), True, "1"])
def test_lengths_that_cannot_be(digits, wrong):
    with pytest.raises((ValueError, TypeError), match="clip_norm must be a finite number > 0"):
        run(digits, clip_norm=wrong)
    with pytest.raises((ValueError, TypeError), match="clip_norm must be a finite number > 0"):
        sweeps.Experiment(clip_norm=wrong)


def test_specs_without_clipping_keep_the_key_of_before():
    spec = sweeps.Experiment(lr=0.2, seed=3)
    before = {
        "data": "digits", "images": None, "valid": 0, "model": "lenet", "model_options": {},
        "optimizer": "sgd", "optimizer_options": {}, "lr": 0.2, "schedule": None,
        "when": "update", "epochs": 10, "batch_size": 32, "evaluate": "epoch", "seed": 3,
        "numerics": spec.to_dict()["numerics"],
    }  # fmt: skip
    assert spec.to_dict() == before
    assert spec.but(clip_norm=1).key != spec.key
    assert spec.but(clip_norm=1).key == spec.but(clip_norm=1.0).key
    assert json.dumps(spec.but(clip_norm=np.float64(2)).to_dict())
    assert len(spec.key) == len(hashlib.sha256().hexdigest()) // 2


def test_experiments_clip_alone_and_say_so(tmp_path):
    spec = sweeps.Experiment(
        model="mlp", model_options={"depth": 2, "width": 16}, images=96, epochs=1, lr=1.0
    )
    clipped = spec.but(clip_norm=0.01)
    assert len(stacks.group_by_shape([clipped, clipped.but(seed=1)])) == 2
    with pytest.raises(ValueError, match="clip_norm is the length of one net's gradient"):
        stacks.run_stack([clipped])
    free, held = sweeps.run([spec, clipped], records=tmp_path, jobs=1).histories
    assert held.provenance["clip_norm"] == 0.01
    assert "clip_norm" not in free.provenance
    start = float(flat(models.build("mlp", 0, depth=2, width=16, inputs=784)).norm())
    assert abs(held.final("norm") - start) <= 3 * 0.01 + 1e-4  # three updates of at most lr * clip
    assert abs(free.final("norm") - start) > 3 * 0.01
