"""What is said of a curve that batches have spoilt: NaN in them, or too few of them."""

from dataclasses import dataclass

import pytest
import torch
from helpers.toys import BATCHES, net_of, sgd
from torch import nn
from torch.nn import functional

from lrcourse.rangetest import range_test


@dataclass
class Record:
    x: torch.Tensor
    y: torch.Tensor


@pytest.mark.parametrize("where", [0, 1], ids=["inputs", "targets"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_nan_in_the_data_is_told_from_divergence(where, bad):
    batches = [[x.clone(), torch.nn.functional.one_hot(y, 3).float()] for x, y in BATCHES * 5]
    batches[20][where][0, 0] = bad
    net = nn.Sequential(nn.Linear(6, 3), nn.Tanh())
    for every in (1, 10):  # as on a CPU, and as on a GPU
        how = {"updates": 40, "start": 1e-5, "look_every": every}
        test = range_test(net, sgd(net), batches, functional.mse_loss, **how)
        (curve,) = test.curves
        # tanh makes a 1 of an infinity: it spoils the weights, and only the next loss shows it.
        hidden = where == 0 and bad == float("inf")
        assert curve.bad_batch == 20 and curve.diverged_at == 20 + hidden
        assert "(from the batch)" in repr(test)
        said = test.suggest().sentence
        assert "batch of update 20" in said and "look at the data" in said
        assert "lower" not in said


class OwnLoss(nn.Linear):
    """A net of transformers' kind."""

    def forward(self, x, labels):
        logits = super().forward(x)
        return {"loss": functional.cross_entropy(logits, labels), "logits": logits}


PAIRS = [(x, y.clone()) for x, y in BATCHES * 3]
IGNORED = {
    "by default": (nn.Linear, PAIRS, None, -100),
    "255": (nn.Linear, PAIRS, nn.CrossEntropyLoss(ignore_index=255), 255),
    "of a net's own loss": (OwnLoss, [{"x": x, "labels": y} for x, y in PAIRS], None, -100),
    "no sample": (nn.Linear, PAIRS, None, None),
}


@pytest.mark.parametrize("look_every", [1, 10])
@pytest.mark.parametrize("kind", IGNORED)
def test_a_batch_without_a_target_that_counts_is_told_from_divergence(kind, look_every):
    make, batches, loss_fn, ignored = IGNORED[kind]
    x, y = PAIRS[12]
    x, y = (x, torch.full_like(y, ignored)) if ignored is not None else (x[:0], y[:0])
    batches = [*batches[:12], {"x": x, "labels": y} if make is OwnLoss else (x, y), *batches[13:]]
    net = make(6, 3)
    test = range_test(net, sgd(net), batches, loss_fn, updates=40, look_every=look_every)
    assert (test.curves[0].why, test.curves[0].bad_batch) == ("NaN", 12)
    said = test.suggest()
    assert said.lr is None and "batch of update 12" in said.sentence
    assert "no target that counts" in said.sentence and "lower" not in said.sentence


def test_a_logarithm_of_zero_is_not_blamed_on_the_targets():
    """Finite outputs, and NaN all the same, for the rate has made one of them 0."""

    def entropy(outputs, targets):
        chances = outputs.softmax(1)
        return -(chances * chances.log()).sum(1).mean()

    net = nn.Linear(6, 3)
    test = range_test(net, sgd(net), BATCHES, entropy, updates=40, end=1e6)
    assert test.curves[0].why in ("NaN", "rose", None) and test.curves[0].bad_batch is None


class Slots:
    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x, self.y = x, y


NUMBERS = {
    "numpy": (lambda x, y: (x.numpy(), y), lambda b: (torch.from_numpy(b[0]), b[1])),
    "numpy complex": (
        lambda x, y: ((x + 0j).numpy(), y),
        lambda b: (torch.from_numpy(b[0]).real, b[1]),
    ),
    "complex": (lambda x, y: (x + 0j, y), lambda b: (b[0].real, b[1])),
    "sparse": (lambda x, y: (x.to_sparse(), y), lambda b: (b[0].to_dense(), b[1])),
    "slots": (Slots, lambda b: (b.x, b.y)),
    "record": (Record, lambda b: (b.x, b.y)),
    "double": (lambda x, y: {"x": x.double(), "y": y}, lambda b: (b["x"].float(), b["y"])),
}


@pytest.mark.parametrize("look_every", [1, 10])
@pytest.mark.parametrize("kind", NUMBERS)
def test_nan_is_found_in_batches_of_every_kind(kind, look_every):
    make, parts = NUMBERS[kind]

    def step(net, batch):
        x, y = parts(batch)
        return functional.cross_entropy(net(x), y)

    pairs = [(x.clone(), y) for x, y in BATCHES * 2]
    pairs[9][0][0, 0] = float("nan")
    net = nn.Linear(6, 3)
    batches = [make(*pair) for pair in pairs]
    how = {"updates": 14, "end": 0.1, "look_every": look_every, "held_out": batches[:1]}
    (curve,) = range_test(net, sgd(net), batches, step=step, **how).curves
    assert (curve.why, curve.bad_batch, curve.diverged_at) == ("NaN", 9, 9)


def test_infinities_in_all_batches_are_no_fault_of_the_data():
    """A mask, say; what diverges later does so for the rate."""
    net = nn.Linear(6, 3)
    mask = torch.full((8, 3), 0.0)
    mask[:, 2] = -torch.inf
    batches = [(x, mask, y % 2) for x, y in BATCHES]

    def step(net, batch):
        return functional.cross_entropy(net(batch[0]) + batch[1], batch[2])

    test = range_test(net, sgd(net), batches, step=step, updates=60, end=1e30, progress=False)
    assert test.curves[0].diverged_at > 1 and test.curves[0].bad_batch is None


def test_nan_of_the_net_is_not_blamed_on_the_data():
    net = nn.Linear(6, 3)

    def step(net, batch):
        return net(batch[0]).square().mean() - 1e9 * torch.log(1 - 100 * net.bias.square().sum())

    test = range_test(net, sgd(net), BATCHES, step=step, updates=40, progress=False)
    assert test.curves[0].why == "NaN" and test.curves[0].bad_batch is None


def test_a_generator_that_runs_out_is_the_only_thing_said():
    net = net_of()
    test = range_test(net, sgd(net), iter(BATCHES * 3), updates=100, progress=False)
    said = test.suggest()
    assert said.lr is None and len(said.doubts) == 1
    assert "after 24 of 100 updates" in said.sentence and "updates=24" in said.sentence
    assert "end" not in said.sentence.split("updates=24")[0]
