"""The range test: what it measures, that it stops, and that everything is as before."""

import copy
import math
import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from lrcourse import data, models, training
from lrcourse import schedules as s
from lrcourse.experiments import Experiment
from lrcourse.rangetest import range_test, range_test_of

torch.manual_seed(0)
X = torch.randn(64, 6)
Y = (X @ torch.randn(6, 3)).argmax(1)
BATCHES = list(zip(X.split(8), Y.split(8), strict=True))


def net_of(seed=0, dropout=0.0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(dropout), nn.Linear(12, 3)
        )


def sgd(net, lr=0.1, **options):
    return torch.optim.SGD(net.parameters(), lr=lr, **options)


def fingerprint(net, optimizer):
    """Everything of a net and its optimizer, by other means than the package's."""
    tensors = [*net.parameters(), *net.buffers()]
    state = optimizer.state_dict()
    return (
        [(id(t), t.detach().numpy().tobytes(), t.stride(), t.requires_grad) for t in tensors],
        [(id(t.grad), None if t.grad is None else t.grad.numpy().tobytes()) for t in tensors],
        [m.training for m in net.modules()],
        repr(state["param_groups"]),
        [
            (k, n, v.numpy().tobytes() if torch.is_tensor(v) else v)
            for k, entry in state["state"].items()
            for n, v in entry.items()
        ],
        [[id(p) for p in group["params"]] for group in optimizer.param_groups],
    )


def random_states():
    return (
        random.getstate(),
        np.random.get_state()[1].tobytes(),
        torch.get_rng_state().numpy().tobytes(),
    )


# -- the sweep --------------------------------------------------------------------------------


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


def test_looking_at_the_losses_now_and_then_gives_the_same_curve(monkeypatch):
    """As on a GPU: some updates too many are made, and the curve is cut where it diverged."""
    net = net_of()
    for end in (1e4, 1e-2):
        how = {"start": 1e-3, "end": end, "updates": 27, "held_out": BATCHES[:1], "accumulate": 2}
        each = range_test(net, sgd(net), BATCHES, **how)
        monkeypatch.setattr("lrcourse.range_sweep.checks_every", lambda device: 10)
        rare = range_test(net, sgd(net), BATCHES, **how)
        short = range_test(net, sgd(net), iter(BATCHES), **how)
        monkeypatch.undo()
        assert (each.curves[0].diverged_at is not None) == (end > 1)
        for quantity in ("loss", "accuracy", "held_out_loss", "held_out_accuracy"):
            np.testing.assert_array_equal(each.table(quantity), rare.table(quantity))
        np.testing.assert_array_equal(each.lr, rare.lr)
        assert rare.curves[0].why == each.curves[0].why
        np.testing.assert_array_equal(short.lr, each.lr[:4])
        assert short.curves[0].why == "out of batches"


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


def test_updates_that_the_scaler_leaves_out_are_told():
    net = nn.Linear(6, 3)

    def huge(net, batch):  # scaled by 65536 the gradient is infinite at first
        return functional.cross_entropy(net(batch[0]), batch[1]) * 100

    test = range_test(
        net,
        sgd(net),
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


# -- divergence -------------------------------------------------------------------------------


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


# -- nothing is changed -----------------------------------------------------------------------


OPTIMIZERS = {
    "sgd": lambda g: torch.optim.SGD(g, lr=0.1),
    "momentum": lambda g: torch.optim.SGD(g, lr=0.1, momentum=0.9, weight_decay=0.01),
    "adam": lambda g: torch.optim.Adam(g, lr=0.1, amsgrad=True),
    "adamw": lambda g: torch.optim.AdamW(g, lr=0.1, foreach=True),
    "fused": lambda g: torch.optim.Adam(g, lr=0.1, fused=True),
    "rmsprop": lambda g: torch.optim.RMSprop(g, lr=0.1, momentum=0.5),
    "adagrad": lambda g: torch.optim.Adagrad(g, lr=0.1),
    "nadam": lambda g: torch.optim.NAdam(g, lr=0.1),
}


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_everything_is_as_before(pick):
    layers, width = pick.draw(st.integers(1, 3)), pick.draw(st.integers(1, 5))
    parts = [nn.Linear(6, width)]
    for _ in range(layers):
        kind = pick.draw(st.sampled_from(["bn", "drop", "linear", "relu", "group"]))
        parts.append(
            {
                "bn": nn.BatchNorm1d(width),
                "drop": nn.Dropout(0.3),
                "linear": nn.Linear(width, width),
                "relu": nn.ReLU(),
                "group": nn.utils.parametrizations.weight_norm(nn.Linear(width, width)),
            }[kind]
        )
    net = nn.Sequential(*parts, nn.Linear(width, 3))
    if pick.draw(st.booleans()):
        net[0].weight.requires_grad_(False)
    for module in net:
        if pick.draw(st.booleans()):
            module.eval()
    if pick.draw(st.booleans()):
        net.eval()
    parameters = list(net.parameters())
    cut = pick.draw(st.integers(0, len(parameters) - 1))
    groups = [{"params": parameters[cut:], "lr": 0.3}]
    if cut:
        groups.append({"params": parameters[:cut], "lr": 0.02})
    optimizer = OPTIMIZERS[pick.draw(st.sampled_from(sorted(OPTIMIZERS)))](groups)
    if pick.draw(st.booleans()):  # state from earlier updates, and gradients left behind
        functional.cross_entropy(net(BATCHES[0][0]), BATCHES[0][1]).backward()
        optimizer.step()
        if pick.draw(st.booleans()):
            optimizer.zero_grad()
    loader = DataLoader(
        TensorDataset(X, Y),
        8,
        shuffle=pick.draw(st.booleans()),
        generator=pick.draw(st.sampled_from([None, torch.Generator().manual_seed(1)])),
    )
    before, states = fingerprint(net, optimizer), random_states()
    own = None if loader.generator is None else loader.generator.get_state()
    test = range_test(
        net,
        optimizer,
        loader,
        start=1e-4,
        end=pick.draw(st.sampled_from([0.1, 1e6])),
        updates=pick.draw(st.integers(2, 12)),
        repeats=pick.draw(st.integers(1, 2)),
        accumulate=pick.draw(st.integers(1, 2)),
        held_out=pick.draw(st.sampled_from([None, BATCHES[:2]])),
        autocast=pick.draw(st.sampled_from([None, torch.bfloat16])),
    )
    assert len(test.lr) >= 1
    assert fingerprint(net, optimizer) == before
    assert random_states() == states
    assert own is None or torch.equal(own, loader.generator.get_state())


def test_a_training_goes_on_as_if_there_had_been_no_test():
    def losses(with_test):
        torch.manual_seed(5)
        net = net_of(dropout=0.3)
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
        loader = DataLoader(TensorDataset(X, Y), 8, shuffle=True)
        seen = []
        for epoch in range(3):
            under_way = iter(loader)
            for k, (x, y) in enumerate(under_way):
                if with_test and k == 3 and epoch == 1:
                    range_test(net, optimizer, loader, updates=15, repeats=2, held_out=loader)
                loss = functional.cross_entropy(net(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                seen.append(loss.item())
            scheduler.step()
        return seen

    assert losses(True) == losses(False)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("at", [1, 5])
def test_everything_is_as_before_after_an_error(error, at):
    calls = []

    def step(net, batch):
        calls.append(1)
        if len(calls) == at:
            raise error
        return functional.cross_entropy(net(batch[0]), batch[1])

    net = net_of()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    before, states = fingerprint(net, optimizer), random_states()
    with pytest.raises(error):
        range_test(net, optimizer, BATCHES, step=step, updates=10)
    assert fingerprint(net, optimizer) == before
    assert random_states() == states
    assert not optimizer._optimizer_step_pre_hooks


def test_workers_that_stay_alive_are_left_alone():
    loader = DataLoader(
        TensorDataset(X, Y), 16, shuffle=True, num_workers=1, persistent_workers=True
    )
    list(loader)  # now there are workers
    workers = loader._iterator
    under_way = iter(loader)
    next(under_way)
    torch.manual_seed(3)
    net = net_of()
    test = range_test(net, sgd(net), loader, updates=6)
    assert len(test.lr) == 6 and loader._iterator is workers
    rest = [y.tolist() for _, y in under_way]
    assert len(rest) == 3
    after = [y.tolist() for _, y in loader]
    torch.manual_seed(3)
    assert after == [y.tolist() for _, y in loader]


# -- repeats, iterators -----------------------------------------------------------------------


def test_repeats_differ_in_order_and_are_repeatable():
    net = net_of()
    for batches in (BATCHES, DataLoader(TensorDataset(X, Y), 8, shuffle=True)):
        torch.manual_seed(random.randrange(1000))  # the outside random state plays no part
        one = range_test(net, sgd(net), batches, updates=12, repeats=3)
        two = range_test(net, sgd(net), batches, updates=12, repeats=3)
        np.testing.assert_array_equal(one.loss, two.loss)
        assert len({row.tobytes() for row in one.loss}) == 3
        assert [curve.seed for curve in one.curves] == [0, 1, 2]


def test_a_factory_gives_each_repeat_a_net_of_its_own():
    seeds = []

    def factory(seed):
        seeds.append(seed)
        torch.rand(9)  # what building a net draws does not move the dropout of the sweep
        return net_of(seed, dropout=0.3)

    test = range_test(factory, sgd, BATCHES, updates=8, repeats=3, seed=4)
    assert seeds == [4, 5, 6]
    for r, seed in enumerate(seeds):
        net = net_of(seed, dropout=0.3)
        alone = range_test(net, sgd(net), BATCHES, updates=8, seed=seed)
        if r == 0:
            np.testing.assert_array_equal(test.loss[0], alone.loss[0])
    assert len({row[0] for row in test.loss}) == 3


def test_an_iterator_is_used_up_and_the_result_says_so():
    net = net_of()
    left = iter(BATCHES * 3)
    test = range_test(net, sgd(net), left, updates=10, start=1e-4, end=1e-2)
    assert test.consumed == 10 and len(list(left)) == 14
    assert "10 batches were consumed" in repr(test)
    assert range_test(net, sgd(net), BATCHES, updates=10).consumed is None
    short = range_test(net, sgd(net), (b for b in BATCHES), updates=30, start=1e-4, end=1e-2)
    assert short.curves[0].why == "out of batches" and len(short.lr) == 8
    assert "ran out" in short.suggest().sentence


# -- bad input --------------------------------------------------------------------------------


def refuse(told, *, net=None, optimizer=None, batches=BATCHES, error=ValueError, **options):
    """The call is refused, and nothing has been touched."""
    net = net_of() if net is None else net
    is_net = isinstance(net, nn.Module)
    optimizer = sgd(net) if optimizer is None else optimizer
    kept = copy.deepcopy(net.state_dict()) if is_net else {}
    states = random_states()
    with pytest.raises(error, match=told):
        range_test(net, optimizer, batches, **options)
    assert random_states() == states
    if is_net:
        assert all(torch.equal(v, kept[k]) for k, v in net.state_dict().items())
        assert all(p.grad is None for p in net.parameters())


@pytest.mark.parametrize(
    "options, told",
    [
        ({"start": 1.0, "end": 0.1}, "rises from start to end; 1 is not below 0.1"),
        ({"start": 1.0, "end": 1.0}, "not below"),
        ({"start": 0.0}, "start is a rate above 0, not 0.0"),
        ({"end": math.nan}, "end is a rate above 0"),
        ({"end": math.inf}, "end is a rate above 0"),
        ({"updates": 0}, "from 2 on, not 0"),
        ({"updates": 1}, "two ends"),
        ({"updates": 2.5}, "whole number"),
        ({"repeats": 0}, "repeats is a whole number from 1"),
        ({"accumulate": True}, "accumulate is a whole number"),
        ({"diverged": 1.0}, "above 1"),
        ({"smoothing": 1.0}, "below 1"),
        ({"scale": "square"}, "log.*linear.*square"),
        ({"batches": []}, "batches is empty"),
        ({"batches": iter([])}, "batches is empty"),
        ({"batches": iter(BATCHES), "repeats": 2}, "an iterator, which can be gone through once"),
        ({"batches": (X, Y)}, "batch_size"),
        ({"batches": (X, Y[:3]), "batch_size": 4}, r"one length above 0, not \[64, 3\]"),
        ({"batch_size": 4}, "batches already"),
        ({"held_out": []}, "held_out is empty"),
        ({"loss_fn": functional.nll_loss, "step": lambda n, b: 0}, "not both"),
        ({"loss_fn": lambda o, y: functional.cross_entropy(o, y, reduction="none")}, r"\(8,\)"),
        ({"loss_fn": lambda o, y: functional.cross_entropy(o, y).detach()}, "no gradient"),
        ({"autocast": torch.float32}, "bfloat16"),
    ],
)
def test_refuses_with_what_would_be_right(options, told):
    refuse(told, **options)


@pytest.mark.parametrize(
    "options, told",
    [
        ({"batches": TensorDataset(X, Y)}, "DataLoader"),
        ({"batches": 3}, "not a int"),
        ({"batches": X}, "one tensor"),
        ({"batches": [1, 2]}, "a batch is"),
        ({"step": lambda n, b: 0.5}, "a tensor with one number"),
        ({"loss_fn": "mse"}, "is a function"),
        ({"optimizer": 3}, "no torch optimizer but a int"),
        ({"net": 3, "optimizer": 3}, "net is no torch module but a int"),
        ({"net": lambda seed: 3, "optimizer": sgd}, "factory of the net gave no torch module"),
        ({"optimizer": lambda net: 3}, "factory of the optimizer gave"),
    ],
)
def test_refuses_the_wrong_kind(options, told):
    refuse(told, error=TypeError, **options)


def test_refuses_nets_and_optimizers_that_do_not_fit():
    frozen = net_of().requires_grad_(False)
    refuse("all of its parameters have requires_grad False", net=frozen, optimizer=sgd(net_of()))
    refuse("no parameter that trains", net=nn.ReLU(), optimizer=sgd(net_of()))
    refuse("no parameter of this net", optimizer=sgd(net_of()))
    refuse("needs a closure", net=(net := net_of()), optimizer=torch.optim.LBFGS(net.parameters()))
    refuse("optimizer as a factory too", net=net_of, optimizer=sgd(net_of()))
    with pytest.raises(ValueError, match="lazy"):
        range_test(nn.Sequential(nn.LazyLinear(3)), sgd(net_of()), BATCHES)
    for rate in (0.0, -0.1):
        optimizer = sgd(net := net_of())
        optimizer.param_groups[0]["lr"] = rate
        refuse("group 0", net=net, optimizer=optimizer)
