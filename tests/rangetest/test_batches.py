"""Batches of every class, held-out data of every kind, and what is said where they do not fit."""

import itertools
from collections import UserDict, namedtuple
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.toys import BATCHES, X, Y, net_of, sgd
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from lrcourse.rangetest import range_test

HOW = {"start": 1e-3, "end": 0.1, "updates": 10, "progress": False}


class Attributes(dict):
    """A dictionary that answers by attributes, as some collate functions make them."""

    __getattr__ = dict.__getitem__


Pair = namedtuple("Pair", "x y")


class OwnPair(tuple):
    """A tuple that is built from two arguments."""

    def __new__(cls, x, y):
        return super().__new__(cls, (x, y))

    x, y = property(lambda self: self[0]), property(lambda self: self[1])


@dataclass
class Record:
    x: torch.Tensor
    y: torch.Tensor


class User(UserDict):
    x, y = property(lambda self: self["x"]), property(lambda self: self["y"])


KINDS = {
    "attributes": lambda x, y: Attributes(x=x, y=y),
    "named tuple": Pair,
    "own tuple": OwnPair,
    "dataclass": Record,
    "user dict": lambda x, y: User(x=x, y=y),
    "namespace": lambda x, y: SimpleNamespace(x=x, y=y),
}


@pytest.mark.parametrize("kind", KINDS)
def test_batches_keep_their_class(kind):
    batches = [KINDS[kind](x, y) for x, y in BATCHES]
    seen = []

    def step(net, batch):
        seen.append(type(batch))
        return functional.cross_entropy(net(batch.x), batch.y)

    net = net_of()
    test = range_test(net, sgd(net), batches, step=step, held_out=batches[:2], **HOW)
    assert set(seen) == {type(batches[0])}
    plain = range_test(net, sgd(net), BATCHES, held_out=BATCHES[:2], **HOW)
    np.testing.assert_array_equal(test.loss, plain.loss)
    np.testing.assert_allclose(test.held_out_loss, plain.held_out_loss, rtol=1e-6)


def test_what_works_in_place_leaves_the_data_alone():
    batches = [(x.clone(), y) for x, y in BATCHES]
    for x, _ in batches:
        x.requires_grad_()

    def step(net, batch):
        with torch.no_grad():
            batch[0].mul_(2).sub_(1)
        return functional.cross_entropy(net(batch[0]), batch[1])

    net = net_of()
    test = range_test(net, sgd(net), batches, step=step, held_out=batches[:1], **HOW)
    for (x, _), (before, _) in zip(batches, BATCHES, strict=True):
        assert torch.equal(x, before) and x.grad is None
    once = [(x.detach() * 2 - 1, y) for x, y in BATCHES]
    plain = range_test(net, sgd(net), once, held_out=once[:1], **HOW)
    np.testing.assert_array_equal(test.loss, plain.loss)
    np.testing.assert_array_equal(test.held_out_loss, plain.held_out_loss)


def test_a_step_that_passes_batches_over():
    """None where a batch has nothing to learn from; the next one takes its place."""
    calls = []

    def step(net, batch):
        calls.append(1)
        return functional.cross_entropy(net(batch[0]), batch[1]) if len(calls) % 3 else None

    net = net_of()
    test = range_test(net, sgd(net), BATCHES, step=step, **HOW)
    assert test.curves[0].passed_over == 4 and len(calls) == 14
    assert len(test.lr) == 10 and "passed over 4 batches" in repr(test)
    drawn = enumerate(itertools.islice(itertools.cycle(BATCHES), 14), 1)
    kept = [batch for k, batch in drawn if k % 3]
    plain = range_test(net, sgd(net), kept, **HOW)
    np.testing.assert_array_equal(test.loss, plain.loss)
    with pytest.raises(ValueError, match=r"None for 100 batches in a row.*return the loss"):
        range_test(net, sgd(net), BATCHES, step=lambda net, batch: None, **HOW)


def test_the_last_batches_of_an_accumulation_are_missing():
    calls = []

    def step(net, batch):
        calls.append(1)
        return functional.cross_entropy(net(batch[0]), batch[1]) if len(calls) != 6 else None

    net = net_of()
    test = range_test(net, sgd(net), iter(BATCHES[:6]), step=step, accumulate=2, **HOW)
    assert len(test.curves[0]) == 2 and test.curves[0].why == "out of batches"


# -- held-out data ----------------------------------------------------------------------------


class Numbers(IterableDataset):
    def __init__(self, rows):
        self.rows = rows

    def __iter__(self):
        return ((X[k % 64], Y[k % 64]) for k in itertools.islice(itertools.count(), self.rows))


@pytest.mark.parametrize(
    "held_out",
    [
        lambda: BATCHES[:2],
        lambda: tuple(BATCHES[:2]),
        lambda: iter(BATCHES[:2]),
        lambda: (X[:16], Y[:16]),
        lambda: DataLoader(TensorDataset(X[:16], Y[:16]), 8),
        lambda: DataLoader(Numbers(16), 8),
        lambda: zip(X[:16].split(8), Y[:16].split(8), strict=True),
    ],
)
def test_held_out_data_of_every_kind(held_out):
    net = net_of()
    test = range_test(net, sgd(net), BATCHES, held_out=held_out(), **HOW)
    same = range_test(net, sgd(net), BATCHES, held_out=BATCHES[:2], **HOW)
    np.testing.assert_allclose(test.held_out_loss, same.held_out_loss, rtol=1e-5)
    np.testing.assert_array_equal(test.held_out_accuracy, same.held_out_accuracy)


def test_held_out_batches_of_one_tensor_are_weighted_by_their_rows():
    net = nn.Linear(6, 6)
    batches = [X[:12], X[12:16]]
    test = range_test(
        net,
        sgd(net),
        batches,
        step=lambda net, batch: functional.mse_loss(net(batch), batch),
        held_out=batches,
        **HOW,
    )
    whole = range_test(
        net,
        sgd(net),
        batches,
        step=lambda net, batch: functional.mse_loss(net(batch), batch),
        held_out=[X[:16]],
        **HOW,
    )
    np.testing.assert_allclose(test.held_out_loss, whole.held_out_loss, rtol=1e-5)
    assert test.held_out_accuracy is None


@pytest.mark.parametrize(
    "endless",
    [
        lambda: itertools.repeat((X[:1], Y[:1])),
        lambda: DataLoader(Numbers(10**9), 1),
        lambda: (pair for pair in itertools.cycle(BATCHES)),
    ],
)
def test_held_out_data_without_an_end_are_refused(endless):
    net = net_of()
    with pytest.raises(ValueError, match=r"goes on.*itertools.islice\(held_out, 10\)"):
        range_test(net, sgd(net), BATCHES, held_out=endless(), **HOW)


def test_held_out_batches_may_be_passed_over_but_not_all():
    net = net_of()

    def step(net, batch):
        few = len(batch[0]) < 8
        return None if few else functional.cross_entropy(net(batch[0]), batch[1])

    short = (X[:3], Y[:3])
    test = range_test(net, sgd(net), BATCHES, step=step, held_out=[short, BATCHES[0]], **HOW)
    same = range_test(net, sgd(net), BATCHES, step=step, held_out=BATCHES[:1], **HOW)
    np.testing.assert_array_equal(test.held_out_loss, same.held_out_loss)
    with pytest.raises(ValueError, match="None for all held-out batches"):
        range_test(net, sgd(net), BATCHES, step=step, held_out=[short], **HOW)


class Merging(nn.Module):
    """A low-rank addition that is merged into the weights by eval() and taken out by train()."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(3, 6), requires_grad=False)
        self.a, self.b = nn.Parameter(torch.randn(2, 6)), nn.Parameter(torch.randn(3, 2))
        self.merged = False

    def train(self, mode=True):
        super().train(mode)
        if mode == self.merged:
            self.w.data += (-1 if mode else 1) * self.b.data @ self.a.data
            self.merged = not mode
        return self

    def forward(self, x):
        low = 0 if self.merged else functional.linear(functional.linear(x, self.a), self.b)
        return functional.linear(x, self.w) + low


class Remembering(nn.Module):
    """It keeps its last state for the next batch, also in eval mode."""

    def __init__(self):
        super().__init__()
        self.body, self.calls = nn.Linear(6, 3), 0
        self.register_buffer("last", torch.zeros(3))

    def forward(self, x):
        outputs = self.body(x) + self.last
        self.last = outputs.detach().mean(0) * 0.5
        self.calls += 1
        return outputs + self.calls / 100


@pytest.mark.parametrize("kind", [Merging, Remembering])
@pytest.mark.parametrize("in_eval_mode", [False, True])
def test_measuring_leaves_no_trace_in_a_net_whose_modes_or_calls_do_work(kind, in_eval_mode):
    torch.manual_seed(0)
    net = kind().train(not in_eval_mode)
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with_it = range_test(net, optimizer, BATCHES, held_out=BATCHES[:2], **HOW)
    without = range_test(net, optimizer, BATCHES, **HOW)
    np.testing.assert_array_equal(with_it.loss, without.loss)
    assert len(set(with_it.held_out_loss[0])) == 10
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert net.training is not in_eval_mode and getattr(net, "calls", 0) == 0
    assert getattr(net, "merged", in_eval_mode) is in_eval_mode


# -- what does not fit ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "batch, line",
    [
        (((X[:8], X[:8]), Y[:8]), "loss_fn(net(*batch[0]), batch[1])"),
        (({"x": X[:8]}, Y[:8]), "loss_fn(net(**batch[0]), batch[1])"),
        ((X[:8], X[:8], Y[:8]), "loss_fn(net(batch[0]), batch[2])"),
        ({"image": X[:8], "label": Y[:8]}, "loss_fn(net(batch['image']), batch['label'])"),
        (X[:8], "loss_fn(net(batch), batch)"),
        ([X[:8]], "loss_fn(net(batch[0]), batch[0])"),
        (Record(X[:8], Y[:8]), "loss_fn(net(batch.x), batch.y)"),
        ((X[:8, :5], Y[:8]), "loss_fn(net(batch[0]), batch[1])"),
        ((X[:8], [{"boxes": X[:8]}]), "loss_fn(net(batch[0]), batch[1])"),
        ("words", "step=step"),
        (None, "step=step"),
    ],
)
def test_a_batch_that_does_not_fit_gets_the_lines_to_write(batch, line):
    net = net_of()
    with pytest.raises(TypeError) as caught:
        range_test(net, sgd(net), [batch], **HOW)
    said = str(caught.value)
    assert "def step(net, batch):\n        return" in said and line in said
    assert "step=step" in said


@pytest.mark.parametrize(
    "batch", [((X[:8], X[:8]), Y[:8]), {"image": X[:8], "label": Y[:8]}, X[:8]], ids=str
)
def test_the_lines_work_as_they_are_written(batch):
    """Typed in as they stand, with the loss and a net for such batches."""

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Linear(6, 6)

        def forward(self, x, other=None):
            return self.body(x)

    net, loss_fn = Both(), lambda outputs, y: outputs.square().mean() + 0 * y.sum()
    with pytest.raises(TypeError) as caught:
        range_test(net, sgd(net), [batch], functional.nll_loss, **HOW)
    lines = str(caught.value).split("step=step:\n")[1]
    written = {"loss_fn": loss_fn}
    exec("\n".join(line[4:] for line in lines.splitlines()), written)
    assert len(range_test(net, sgd(net), [batch], step=written["step"], **HOW).lr) == 10


def test_an_error_of_a_later_batch_and_of_a_step_comes_as_it_is():
    net = net_of()
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        range_test(net, sgd(net), [BATCHES[0], (X[:8, :5], Y[:8])], **HOW)
    with pytest.raises(KeyError):
        range_test(net, sgd(net), BATCHES, step=lambda net, batch: {}["loss"], **HOW)
    with pytest.raises(torch.OutOfMemoryError):

        def full(outputs, targets):
            raise torch.OutOfMemoryError("no room")

        range_test(net, sgd(net), BATCHES, full, **HOW)


def test_a_loss_beside_mappings_is_refused():
    net = net_of()
    with pytest.raises(TypeError, match="Leave loss_fn out"):
        range_test(net, sgd(net), [{"x": X}], functional.nll_loss, **HOW)


@pytest.mark.parametrize(
    "outputs, targets",
    [
        (1, X[:, :1]),  # one number
        (1, Y % 2),  # one output for answers 0 and 1
        (3, X[:, :3]),  # several numbers
        (3, (X[:, :3] > 0).float()),  # several answers 0 and 1
    ],
)
def test_cross_entropy_where_another_loss_is_meant(outputs, targets):
    net = nn.Linear(6, outputs)
    with pytest.raises(ValueError, match=r"cross-entropy, the default.*loss_fn"):
        range_test(net, sgd(net), (X, targets), batch_size=16, **HOW)
    squeezed = nn.Sequential(nn.Linear(6, 1), nn.Flatten(0))
    with pytest.raises(ValueError, match=r"shape \(16,\).*loss_fn"):
        range_test(squeezed, sgd(squeezed), (X, X[:, 0]), batch_size=16, **HOW)


def test_probabilities_are_targets_of_cross_entropy():
    net = nn.Linear(6, 3)
    test = range_test(net, sgd(net), (X, torch.softmax(X[:, :3], 1)), batch_size=16, **HOW)
    assert len(test.lr) == 10


@pytest.mark.parametrize(
    "step, told",
    [
        (lambda n, b: functional.cross_entropy(n(b[0]), b[1]).detach(), "was it detached"),
        (lambda n, b: (n(b[0]), b[1]), "not 2 things"),
        (lambda n, b: functional.cross_entropy(n(b[0]), b[1]).item(), "return the tensor itself"),
        (lambda n, b: torch.zeros(1, requires_grad=True) * 1, "no parameter of this optimizer"),
    ],
)
def test_what_a_step_must_give(step, told):
    net = net_of()
    with pytest.raises((TypeError, ValueError), match=told):
        range_test(net, sgd(net), BATCHES, step=step, **HOW)


def test_a_step_that_calls_backward_itself():
    def step(net, batch):
        loss = functional.cross_entropy(net(batch[0]), batch[1])
        loss.backward(retain_graph=True)
        return loss

    net = net_of()
    with pytest.raises(ValueError, match="step has called backward"):
        range_test(net, sgd(net), BATCHES, step=step, **HOW)
    assert all(p.grad is None for p in net.parameters())
