"""Nets at one training loss: read off between the epochs around it."""

import math

import pytest
import torch

from lrcourse import data, models, optimizers, training
from lrcourse.study import matched


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", device="cpu", progress=False).subset(320)


def run(digits, level, most_epochs=8):
    net = models.build("mlp", seed=1, data=digits, depth=2, width=16)
    optimizer = optimizers.torch_optimizer("adam", net.parameters(), lr=0.01)
    options = {"level": level, "most_epochs": most_epochs, "batch_size": 32, "seed": 5}
    return net, matched.train_and_test(net, digits, optimizer, **options)


def test_it_stops_at_the_level_and_reads_between_epochs(digits):
    net, found = run(digits, 0.5)
    after = training.evaluate_on(net, digits.train)[0], *training.evaluate_on(net, digits.test)
    assert after[0] <= 0.5
    # the same training, one epoch at a time, by hand
    again = models.build("mlp", seed=1, data=digits, depth=2, width=16)
    optimizer = optimizers.torch_optimizer("adam", again.parameters(), lr=0.01)
    looks = []
    for epoch in range(math.ceil(found["epochs"])):
        training.fit(again, digits, optimizer, epochs=1, batch_size=32, seed=5000 + epoch,
                     evaluate=None, progress=False)  # fmt: skip
        looks.append((training.evaluate_on(again, digits.train)[0],
                      *training.evaluate_on(again, digits.test)))  # fmt: skip
    before = looks[-2]
    assert looks[-1] == after and before[0] > 0.5
    share = math.log(before[0] / 0.5) / math.log(before[0] / after[0])
    assert found["epochs"] == pytest.approx(len(looks) - 1 + share)
    assert found["test_loss"] == pytest.approx((1 - share) * before[1] + share * after[1])
    assert found["test_acc"] == pytest.approx((1 - share) * before[2] + share * after[2])


def test_a_level_that_is_not_reached_gives_nan(digits):
    _, found = run(digits, 1e-9, most_epochs=1)
    assert all(math.isnan(value) for value in found.values())


def test_bad_levels(digits):
    for level in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="level must be a finite number > 0"):
            run(digits, level)
    with pytest.raises(ValueError, match="untrained net"):
        run(digits, 100.0)
    assert torch.get_default_dtype() == torch.float32
