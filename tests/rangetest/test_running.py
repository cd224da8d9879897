"""The range test: what it measures, on batches of every kind."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.toys import BATCHES, X, Y, fingerprint, net_of, sgd
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from lrcourse import data, models, training
from lrcourse import schedules as s
from lrcourse.rangetest import range_test, range_test_of
from lrcourse.sweeps.experiment import Experiment


def test_the_curve_is_that_of_a_loop_by_hand():
    rates = np.geomspace(1e-3, 1, 20)
    test = range_test(
        net := net_of(), sgd(net, momentum=0.9), BATCHES, start=1e-3, end=1, updates=20
    )
    twin = net_of()
    optimizer = sgd(twin, momentum=0.9)
    losses, accuracies = [], []
    for t, rate in enumerate(rates):
        inputs, targets = BATCHES[t % len(BATCHES)]
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        outputs = twin(inputs)
        loss = functional.cross_entropy(outputs, targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        accuracies.append((outputs.argmax(1) == targets).float().mean().item())
    (curve,) = test.curves
    np.testing.assert_array_equal(curve.lr, rates)
    np.testing.assert_array_equal(curve.loss, losses)
    np.testing.assert_allclose(curve.accuracy, accuracies, rtol=1e-6)
    assert curve.diverged_at is None and curve.why is None
    assert test.loss.shape == test.accuracy.shape == (1, 20) and test.cost == 20


def test_on_an_experiment_it_draws_what_fit_draws():
    """The same losses, bit for bit, as a training whose schedule is the sweep."""
    experiment = Experiment(
        data="digits", images=200, model="mlp", model_options={"depth": 2, "width": 8}, seed=3
    )
    test = range_test_of(experiment, start=1e-3, end=1, updates=21, device="cpu")
    digits = data.load("digits", device="cpu").subset(200)
    net = models.build("mlp", depth=2, width=8, seed=3, data=digits)
    rates = np.geomspace(1e-3, 1, 21)
    history = training.fit(
        net,
        digits,
        torch.optim.SGD(net.parameters(), lr=1.0),
        s.from_function(lambda t: rates[t]),
        epochs=3,
        batch_size=32,
        seed=3,
        evaluate=None,
    )
    np.testing.assert_array_equal(test.curves[0].lr, history.lr)
    np.testing.assert_array_equal(np.float32(test.curves[0].loss), history.loss)
    more = range_test_of(experiment, start=1e-3, end=1, updates=21, repeats=2, device="cpu")
    other = range_test_of(experiment.but(seed=4), start=1e-3, end=1, updates=21, device="cpu")
    np.testing.assert_array_equal(more.loss[0], test.loss[0])
    np.testing.assert_array_equal(more.loss[1], other.loss[0])


def test_linear_sweep_and_both_ends():
    test = range_test(
        net := net_of(), sgd(net), BATCHES, start=0.01, end=0.5, updates=8, scale="linear"
    )
    np.testing.assert_allclose(test.lr, np.linspace(0.01, 0.5, 8))
    assert test.lr[0] == 0.01 and test.lr[-1] == 0.5


def test_groups_keep_their_ratios_and_rates_in_tensors_work():
    net = net_of()
    groups = [
        {"params": net[0].parameters(), "lr": 0.01},
        {"params": [*net[1].parameters(), *net[4].parameters()], "lr": 0.05},
    ]
    test = range_test(net, torch.optim.Adam(groups), BATCHES, start=1e-4, end=1e-2, updates=9)
    curve = test.curves[0]
    np.testing.assert_allclose(curve.group_lr[:, 0] * 5, curve.group_lr[:, 1])
    np.testing.assert_array_equal(curve.lr, curve.group_lr[:, 1])
    tensor = torch.tensor(0.3)
    optimizer = torch.optim.Adam(net.parameters(), lr=tensor)
    during = []
    optimizer.register_step_pre_hook(lambda o, *_: during.append(o.param_groups[0]["lr"]))
    test = range_test(net, optimizer, BATCHES, start=1e-4, end=1e-2, updates=9)
    assert all(lr is tensor for lr in during)
    np.testing.assert_allclose(test.lr, np.geomspace(1e-4, 1e-2, 9), rtol=1e-6)
    assert optimizer.param_groups[0]["lr"] is tensor and tensor == torch.tensor(0.3)


def test_the_rate_is_read_inside_the_update():
    net = net_of()
    optimizer = sgd(net)
    stubborn = optimizer.register_step_pre_hook(
        lambda o, *_: o.param_groups[0].update(lr=min(o.param_groups[0]["lr"], 0.02))
    )
    test = range_test(net, optimizer, BATCHES, start=1e-3, end=1, updates=20)
    stubborn.remove()
    assert test.lr.max() == 0.02


def test_accumulation_equals_one_large_batch():
    plain = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double()
    small = [(x.double(), y) for x, y in BATCHES]
    large = [
        (torch.cat([a, c]), torch.cat([b, d]))
        for (a, b), (c, d) in zip(small[::2], small[1::2], strict=True)
    ]
    how = {"start": 1e-2, "end": 1.0, "updates": 12}
    one = range_test(plain, sgd(plain), small, accumulate=2, **how)
    two = range_test(plain, sgd(plain), large, **how)
    np.testing.assert_allclose(one.loss, two.loss, rtol=1e-12)
    np.testing.assert_allclose(one.accuracy, two.accuracy, rtol=1e-12)


def test_held_out_is_measured_after_the_update_and_changes_nothing():
    net = net_of(dropout=0.5)
    how = {"start": 1e-3, "end": 0.5, "updates": 12}
    alone = range_test(net, sgd(net), BATCHES, **how)
    held = (X[:20], Y[:20])
    shuffled = DataLoader(TensorDataset(X[:20], Y[:20]), 7, shuffle=True)
    for held_out in (held, shuffled, iter([(X[:20], Y[:20])])):
        test = range_test(net, sgd(net), BATCHES, held_out=held_out, **how)
        np.testing.assert_array_equal(test.loss, alone.loss)
    third = range_test(net, sgd(net), BATCHES, held_out=held, held_out_every=3, **how)
    there = np.isfinite(third.held_out_loss[0])
    assert there.tolist() == [t % 3 == 0 for t in range(12)]
    np.testing.assert_allclose(third.held_out_loss[0][there], test.held_out_loss[0][there])
    twin = net_of()  # no dropout: the first update by hand
    net = net_of()
    test = range_test(net, sgd(net), BATCHES, held_out=held, **how)
    optimizer = sgd(twin, lr=1e-3)
    functional.cross_entropy(twin(BATCHES[0][0]), BATCHES[0][1]).backward()
    optimizer.step()
    twin.eval()
    expected = functional.cross_entropy(twin(X[:20]), Y[:20]).item()
    assert test.held_out_loss[0, 0] == pytest.approx(expected, rel=1e-6)
    right = (twin(X[:20]).argmax(1) == Y[:20]).float().mean().item()
    assert test.held_out_accuracy[0, 0] == pytest.approx(right)


def test_measuring_held_out_data_draws_no_random_numbers_of_the_training():
    class Noisy(nn.Linear):
        def forward(self, x):
            return super().forward(functional.dropout(x, 0.5, training=True))

    net = Noisy(6, 3)
    with_it = range_test(net, sgd(net), BATCHES, updates=12, end=0.1, held_out=BATCHES[:1])
    without = range_test(net, sgd(net), BATCHES, updates=12, end=0.1)
    np.testing.assert_array_equal(with_it.loss, without.loss)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_trains_where_gradients_are_switched_off(mode):
    net = net_of()
    how = {"updates": 12, "end": 0.1, "held_out": BATCHES[:1]}
    expected = range_test(net, sgd(net), BATCHES, **how)
    with mode():
        test = range_test(net, sgd(net), BATCHES, **how)
        assert not torch.is_grad_enabled()
    np.testing.assert_array_equal(test.loss, expected.loss)
    np.testing.assert_array_equal(test.held_out_loss, expected.held_out_loss)


def test_the_modes_during_the_sweep():
    """In train mode, but a submodule that is in eval mode inside a net in train mode stays so."""
    seen = []

    def step(net, batch):
        seen.append([module.training for module in net.modules()])
        return functional.cross_entropy(net(batch[0]), batch[1])

    def modes(net):
        seen.clear()
        range_test(net, sgd(net), BATCHES, step=step, updates=3, end=1e-3, held_out=BATCHES[:1])
        return seen

    net = net_of()
    net[1].eval()
    expected = [module.training for module in net.modules()]
    assert expected == [True, True, False, True, True, True]
    assert modes(net) == [expected, [False] * 6] * 3
    assert modes(net_of().eval()) == [[True] * 6, [False] * 6] * 3


def test_batches_of_every_kind():
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Linear(6, 3)

        def forward(self, x, scale=None, labels=None):
            outputs = {"logits": self.body(x if scale is None else x * scale)}
            if labels is not None:
                outputs["loss"] = functional.cross_entropy(outputs["logits"], labels)
            return outputs

    net = Words()
    how = {"start": 1e-2, "end": 1.0, "updates": 10}
    maps = [{"x": x, "labels": y} for x, y in BATCHES]
    named = range_test(net, sgd(net), maps, **how)
    pairs = range_test(net.body, sgd(net), BATCHES, **how)

    def step(net, batch):
        return functional.cross_entropy(net.body(batch[0]), batch[1])

    hook = range_test(net, sgd(net), BATCHES, step=step, **how)
    np.testing.assert_array_equal(named.loss, pairs.loss)
    np.testing.assert_array_equal(hook.loss, pairs.loss)
    np.testing.assert_array_equal(named.accuracy, pairs.accuracy)
    assert hook.accuracy is None
    bare = nn.Bilinear(6, 6, 1)
    many = [(x, x, y.float()[:, None]) for x, y in BATCHES]
    how = {"start": 1e-5, "end": 1e-3, "updates": 10, "diverged": 1e9}
    test = range_test(bare, sgd(bare), many, functional.mse_loss, **how)
    assert test.accuracy is None and len(test.lr) == 10


class Labelled(nn.Linear):
    """It computes its own loss, as the models of transformers do."""

    def __init__(self, gives):
        super().__init__(6, 3)
        self.gives = gives

    def forward(self, x, labels=None):
        outputs = super().forward(x)
        if labels is None:
            return self.gives(None, outputs)
        return self.gives(functional.cross_entropy(outputs, labels), outputs)


@pytest.mark.parametrize(
    "gives",
    [
        lambda loss, outputs: {"loss": loss, "logits": outputs},
        lambda loss, outputs: SimpleNamespace(loss=loss, logits=outputs),
        lambda loss, outputs: (outputs,) if loss is None else (loss, outputs),
        lambda loss, outputs: [outputs] if loss is None else [loss, outputs],
    ],
    ids=["mapping", "object", "tuple", "list"],
)
def test_what_a_net_with_its_own_loss_gives(gives):
    net = Labelled(gives)
    batches = [{"x": x, "labels": y} for x, y in BATCHES]
    test = range_test(net, sgd(net), batches, held_out=batches[:1], updates=5, end=0.1)
    assert test.accuracy is not None and test.held_out_accuracy is not None
    with pytest.raises(TypeError, match="put the labels into the batch"):
        range_test(net, sgd(net), [{"x": x} for x, _ in BATCHES], updates=5, end=0.1)


def test_tensors_are_cut_into_shuffled_batches():
    seen = []

    def step(net, batch):
        seen.append(batch[1].tolist())
        return functional.cross_entropy(net(batch[0]), batch[1])

    net = net_of()
    marks = torch.arange(10) % 3
    order = torch.Generator().manual_seed(7)
    range_test(net, sgd(net), (X[:10], marks), step=step, batch_size=4, updates=6, seed=7)
    expected = [marks[torch.randperm(10, generator=order)].split(4) for _ in range(2)]
    assert seen == [part.tolist() for one in expected for part in one]


def test_bfloat16_autocast_and_the_scaler_of_float16():
    seen = []

    def step(net, batch):
        outputs = net(batch[0])
        seen.append(outputs.dtype)
        return functional.cross_entropy(outputs, batch[1]), outputs, batch[1]

    for dtype in (torch.bfloat16, torch.float16, True):
        seen.clear()
        net = net_of()
        optimizer = sgd(net)
        before = fingerprint(net, optimizer)
        test = range_test(
            net, optimizer, BATCHES, step=step, autocast=dtype, start=1e-3, end=0.1, updates=10
        )
        assert set(seen) == {torch.bfloat16 if dtype is True else dtype}
        assert fingerprint(net, optimizer) == before
        np.testing.assert_allclose(test.lr, np.geomspace(1e-3, 0.1, 10))
        plain = range_test(net, optimizer, BATCHES, start=1e-3, end=0.1, updates=10)
        np.testing.assert_allclose(test.loss, plain.loss, rtol=0.05)


@pytest.mark.parametrize("options", [{}, {"fused": True}], ids=["called or not", "fused"])
def test_updates_that_the_scaler_leaves_out_are_told(options):
    net = nn.Linear(6, 3)

    def huge(net, batch):  # scaled by 65536 the gradient is infinite at first
        return functional.cross_entropy(net(batch[0]), batch[1]) * 100

    test = range_test(
        net,
        torch.optim.SGD(net.parameters(), lr=0.1, **options),
        BATCHES,
        step=huge,
        autocast=torch.float16,
        start=1e-6,
        end=1e-4,
        updates=20,
    )
    skipped = test.curves[0].skipped
    assert skipped and skipped[0] == 0 and len(skipped) < 20
    np.testing.assert_allclose(test.lr, np.geomspace(1e-6, 1e-4, 20))


def test_an_accelerator_that_leaves_out_every_update_is_told():
    accelerate = pytest.importorskip("accelerate")
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=4)
    net = nn.Linear(6, 3)
    net, optimizer = accelerator.prepare(net, torch.optim.SGD(net.parameters(), lr=0.1))
    with accelerator.accumulate(net):
        pass
    with pytest.raises(ValueError, match=r"left out every update.*gradient_accumulation_steps"):
        range_test(net, optimizer, BATCHES, updates=20)
