"""Stacks: each member's run is the run that it would have been alone, whoever else is there."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lrcourse import models, optimizers
from lrcourse import schedules as s
from lrcourse.data import Split
from lrcourse.sweeps import dense_stacks, stack_training, stacks
from lrcourse.sweeps import experiment as experiments
from lrcourse.sweeps.experiment import Experiment

BASE = Experiment(
    images=100,  # in batches of 32 the last has 4
    valid=50,
    model="mlp",
    model_options={"depth": 2, "width": 8},
    epochs=2,
    batch_size=32,
)
LENET = {"model": "lenet", "model_options": {}}
LENET_NORM = {"model": "lenet", "model_options": {"norm": True}}
PEAKS = {"sgd": 0.1, "momentum": 0.03, "adam": 0.003, "adamw": 0.003, "adagrad": 0.01}


def members(base):
    """Different rates, schedules, units of t and seeds, and one member that diverges."""
    lr = PEAKS[base.optimizer]
    return [
        base.but(lr=lr, seed=1),
        base.but(lr=lr / 2, schedule=s.warmup(3).then(s.cosine(5)), seed=2),
        base.but(lr=1e30, seed=3),
        base.but(lr=2 * lr, schedule=s.exponential(0.5), when="epoch", seed=1),
    ]


def assert_same_runs(ours, theirs, within, accuracies_within=1e-12):
    """Every number of two lists of histories, except times."""
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one.lr, other.lr)
        np.testing.assert_allclose(one.loss, other.loss, rtol=0, atol=within)
        assert one.loss.dtype == other.loss.dtype
        assert one.diverged_at == other.diverged_at
        assert one.batches_per_epoch == other.batches_per_epoch
        assert list(one.epochs) == list(other.epochs)
        for name, column in other.epochs.items():
            tolerance = accuracies_within if name.endswith("_acc") else within
            np.testing.assert_allclose(
                one.epochs[name], column, rtol=0, atol=tolerance, err_msg=name
            )


# -- a stacked run is the run alone -----------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"optimizer": "momentum", "optimizer_options": {"momentum": 0.5, "weight_decay": 0.01}},
        {"optimizer": "adam"},
        {"optimizer": "adamw", "evaluate": "end", "valid": 0},
        {"optimizer": "adagrad", "evaluate": None},
        {"epochs": 3, "evaluate": 2, "batch_size": 25},
        LENET,
        LENET | {"optimizer": "momentum"},
        LENET | {"optimizer": "adam"},
    ],
    ids=str,
)
def test_stacked_equals_alone(change):
    """Within 1e-5 in single precision, over 8 to 12 updates."""
    group = members(BASE.but(**change))
    alone = [one.run("cpu") for one in group]
    assert [history.diverged_at is None for history in alone] == [True, True, False, True]
    assert alone[0].loss[0] - alone[0].loss[-1] > 0.005, "nothing was learned"
    assert_same_runs(stacks.run_stack(group, "cpu"), alone, within=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        *({"optimizer": name, "model_options": {"depth": 2, "width": 32}} for name in PEAKS),
        {"model_options": {"depth": 1, "width": 8}},
        {"model_options": {"depth": 3, "width": 100}, "batch_size": 25},
        {"model_options": {"depth": 9, "width": 32}, "evaluate": 2},
        {"optimizer": "momentum", "optimizer_options": {"weight_decay": 0.01, "momentum": 0.5}},
    ],
    ids=str,
)
def test_dense_nets_in_a_stack_on_the_cpu_have_the_bits_of_runs_alone(change):
    base = BASE.but(**{"model_options": {"depth": 2, "width": 64}, "images": 128} | change)
    if not side_by_side_has_the_bits(base):
        pytest.skip("this processor multiplies many matrices in another way than one")
    for ours, one in zip(stacks.run_stack(members(base), "cpu"), members(base), strict=True):
        assert numbers(ours) == numbers(one.run("cpu"))


def side_by_side_has_the_bits(base):
    net, _, data = base.build("cpu")
    return dense_stacks.fits(net, base.batch_size, len(data.train), members=4)


def numbers(history):
    told = history.to_dict()
    return {name: told[name] for name in ("lr", "loss", "epochs", "diverged_at")}


def test_matrices_whose_products_differ_side_by_side_are_not_trained_so():
    """One image and few units: torch and its library have kernels of their own for these."""
    layers = [torch.nn.Flatten(), torch.nn.Linear(16, 10)]
    told = {
        rows: dense_stacks.fits(torch.nn.Sequential(*layers), rows, 64, members=4)
        for rows in (1, 32)
    }
    X, w, b = torch.randn(4, 1, 16), torch.randn(4, 10, 16), torch.randn(4, 10)
    together = torch.baddbmm(b[:, None], X, w.mT)
    if not all(torch.equal(together[k], torch.addmm(b[k], X[k], w[k].t())) for k in range(4)):
        assert not told[1]


@pytest.fixture
def double_precision(monkeypatch):
    """Data and nets in float64, for both ways."""
    load, build = experiments.load_data, models.build

    def load_double(*arguments):
        data = load(*arguments)
        splits = {name: getattr(data, name) for name in ("train", "valid", "test")}
        return replace(data, **{k: Split(split.X.double(), split.y) for k, split in splits.items()})

    monkeypatch.setattr(experiments, "load_data", load_double)
    monkeypatch.setattr(models, "build", lambda *a, **options: build(*a, **options).double())


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_stacked_equals_alone_with_batch_norm(optimizer, double_precision):
    """Within 1e-7, running statistics included: they make the validation and test losses.

    In double precision, because BatchNorm in training lets rounding grow: after 8 updates in single
    precision two ways of computing one net may differ by a hundredth.
    """
    group = members(BASE.but(optimizer=optimizer, **LENET_NORM))
    del group[2]  # losses that overflow in single precision only
    alone = [one.run("cpu") for one in group]
    assert_same_runs(stacks.run_stack(group, "cpu"), alone, within=1e-7)


def test_the_first_updates_with_batch_norm_in_single_precision():
    group = members(BASE.but(images=64, evaluate=None, **LENET_NORM))
    for one, history in zip(group, stacks.run_stack(group, "cpu"), strict=True):
        alone = one.run("cpu")
        np.testing.assert_allclose(history.loss[:2], alone.loss[:2], rtol=0, atol=5e-3)
        assert history.diverged_at == alone.diverged_at


def test_a_member_does_not_depend_on_the_others():
    """Bit for bit, in stacks of one size, a diverging companion included."""
    one = BASE.but(seed=7, lr=0.05, **LENET_NORM)
    tame = [one, one.but(seed=1), one.but(seed=2)]
    wild = [one, one.but(seed=3, lr=1e30), one.but(seed=4, lr=1.0, schedule=s.exponential(0.9))]
    first, second = (stacks.run_stack(group, "cpu")[0] for group in (tame, wild))
    assert_same_runs([first], [second], within=0)


def test_members_may_all_diverge():
    group = [BASE.but(lr=1e30, seed=seed) for seed in range(2)]
    assert_same_runs(stacks.run_stack(group, "cpu"), [one.run("cpu") for one in group], within=1e-5)


def test_divergence_is_found_between_checks(monkeypatch):
    """On a GPU the losses are looked at now and then; the cut is at the same update."""
    group = members(BASE)
    every_update = stacks.run_stack(group, "cpu")
    monkeypatch.setattr(stack_training.loop, "updates_between_checks", lambda device: 3)
    now_and_then = stacks.run_stack(group, "cpu")
    assert [history.diverged_at for history in now_and_then] == [None, None, 1, None]
    assert_same_runs(now_and_then, every_update, within=1e-5)


# -- the record -------------------------------------------------------------------------------


def test_the_recorded_lr_is_the_one_that_the_update_was_given(monkeypatch):
    """An update at three times its rate has to show in the weights, and a table of them in lr."""
    shape = s.warmup(3).then(s.cosine(5))
    group = [BASE.but(schedule=shape, lr=0.1), BASE.but(schedule=shape, lr=0.3)]
    low, high = stacks.run_stack(group, "cpu")
    np.testing.assert_array_equal(low.lr, 0.1 * shape(np.arange(8)))
    np.testing.assert_array_equal(high.lr, 0.3 * shape(np.arange(8)))
    assert low.lr.dtype == np.float64

    seen = []
    make = optimizers.pure

    def watched(name, **options):
        pair = make(name, **options)

        def update(params, grads, state, lr):
            seen.append(lr)
            return pair.update(params, grads, state, 3 * lr)

        return pair._replace(update=update)

    monkeypatch.setattr(optimizers, "pure", watched)
    tripled = stacks.run_stack(group, "cpu")[0]
    assert len(seen) == 8
    assert_same_runs([replace(tripled, lr=high.lr)], [high], within=1e-5)


def test_provenance_is_that_of_a_run_alone_and_tells_of_the_stack():
    group = members(BASE)
    for one, history in zip(group, stacks.run_stack(group, "cpu"), strict=True):
        alone = one.run("cpu").provenance
        told = dict(history.provenance)
        assert told.pop("stacked") == 4
        assert told.keys() == alone.keys()
        assert told | {"finished": ""} == alone | {"finished": ""}
        assert history.seconds > 0
        assert history.to_dict()["provenance"]["device"] == "cpu"


def test_the_global_random_state_is_kept():
    before = torch.get_rng_state()
    stacks.run_stack([BASE, BASE.but(seed=1)], "cpu")
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("change", [{}, LENET, {"optimizer": "adam"}], ids=str)
def test_on_a_gpu(change):
    """Rates, data order and divergence are those of a run alone; rounding is the GPU's own."""
    group = members(BASE.but(**change))
    stacked = stacks.run_stack(group, "cuda")
    alone = [one.run("cuda") for one in group]
    assert stacked[2].diverged_at == alone[2].diverged_at
    assert {history.provenance["device"] for history in stacked} == {"cuda"}
    del stacked[2], alone[2]  # alone on a GPU, its last epoch is measured at the next check
    assert_same_runs(stacked, alone, within=0.05, accuracies_within=0.1)
