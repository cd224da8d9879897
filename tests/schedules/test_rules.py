"""warm_until: low until the training accuracy is there, then the peak for good."""

import math
import pickle

import numpy as np
import pytest
import torch

from lrcourse import data, models, sweeps, training
from lrcourse import schedules as s


def test_it_switches_once_and_for_good():
    state = s.warm_until(accuracy=0.2, factor=0.1).start()
    seen = [state.factor]
    seen += [state.observe(a) for a in (0.1, 0.2, math.nan, 0.21, 0.1, math.nan)]
    assert seen == [0.1, 0.1, 0.1, 0.1, 1.0, 1.0, 1.0]


def test_two_runs_do_not_share_their_state():
    rule = s.warm_until()
    rule.start().observe(0.9)
    assert rule.start().factor == 0.1


def test_it_is_a_value():
    rule = s.warm_until(0.5, factor=0.25)
    assert rule == pickle.loads(pickle.dumps(rule)) == eval(f"s.{rule!r}")
    assert repr(s.warm_until()) == "warm_until(0.2, factor=0.1)"
    assert hash(rule) != hash(s.warm_until())
    with pytest.raises(AttributeError):
        rule.accuracy = 0.1


@pytest.mark.parametrize("name", ["accuracy", "factor"])
@pytest.mark.parametrize("wrong", [0, 1, -0.1, 1.5, math.nan, "0.2", True])
def test_values_that_cannot_be(name, wrong):
    with pytest.raises((ValueError, TypeError), match=f"warm_until: {name} must be"):
        s.warm_until(**{name: wrong})


def test_observe_wants_a_number():
    with pytest.raises(TypeError, match="observe takes a number"):
        s.warm_until().start().observe("0.3")


def test_the_loop_applies_the_rule_of_resnet_110():
    digits = data.load("digits", device="cpu", progress=False).subset(640)
    net = models.build("mlp", seed=0, data=digits, depth=3, width=64)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    rule = s.warm_until(accuracy=0.2, factor=0.1)
    history = training.fit(net, digits, optimizer, rule, epochs=12, batch_size=32, evaluate=None)
    low = 1 + int(np.argmax(history.train_acc > 0.2))  # epochs at the low rate, by the record
    assert 1 < low < 12, "the run must show both parts"
    expected = np.repeat([0.01] * low + [0.1] * (12 - low), 20)
    np.testing.assert_allclose(history.lr, expected, rtol=1e-12)
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert history.provenance["schedule"] == "warm_until(0.2, factor=0.1)"


def test_an_experiment_holds_one(tmp_path):
    spec = sweeps.Experiment(
        model="mlp", model_options={"depth": 2, "width": 16}, images=320, epochs=2,
        schedule=s.warm_until(0.05, factor=0.5), lr=0.1,
    )  # fmt: skip
    assert spec.key != spec.but(schedule=s.warm_until(0.05, factor=0.4)).key
    (history,) = sweeps.run([spec], records=tmp_path, jobs=1).histories
    assert history.train_acc[0] > 0.05
    np.testing.assert_allclose(history.lr, [0.05] * 10 + [0.1] * 10)
