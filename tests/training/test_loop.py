"""The loop: what is recorded is what was applied, one seed gives one result, bad input is named."""

import json
import math
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from lrcourse import data, models, tracing, training
from lrcourse import schedules as s
from lrcourse.training import History, loop, measuring


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", device="cpu").subset(320)


@pytest.fixture(scope="module")
def with_valid():
    return data.load("digits", device="cpu", valid=200)


def net(seed=0):
    return models.mlp(2, 16, seed=seed)


def sgd(model, lr=0.1, **options):
    return torch.optim.SGD(model.parameters(), lr=lr, **options)


def fit(digits, schedule=None, *, lr=0.1, seed=0, **options):
    model = net(seed)
    options = {"epochs": 3, "batch_size": 32} | options
    return training.fit(model, digits, sgd(model, lr), schedule, seed=seed, **options)


# -- the LR drawn is the LR applied -----------------------------------------------------------


@pytest.mark.parametrize(
    "shape",
    [
        s.constant(0.5),
        s.warmup(4).then(s.cosine(26)),
        s.step(5, 0.5) * s.warmup(3, start=0.0),
        s.one_cycle(30),
        s.cyclical(5, 0.1, "hann"),
        s.wsd(30, 5, 10),
    ],
    ids=repr,
)
def test_recorded_lr_is_the_closed_form(digits, shape):
    history = fit(digits, shape, lr=0.2)
    np.testing.assert_array_equal(history.lr, 0.2 * shape(np.arange(30)))


def test_an_epoch_schedule_holds_through_each_epoch(digits):
    shape = s.exponential(0.5)
    history = fit(digits, shape, when="epoch")
    np.testing.assert_array_equal(history.lr, 0.1 * np.repeat(shape(np.arange(3)), 10))


def test_the_parameters_moved_by_the_recorded_lr(digits):
    """Plain SGD: each update moves the parameters by exactly its LR times the gradient."""
    model = net()
    moves, grads = [], []
    optimizer = sgd(model, 0.1)
    weight = next(model.parameters())

    def look(*_):
        moves.append(weight.detach().clone())
        grads.append(weight.grad.clone())

    optimizer.register_step_pre_hook(look)
    history = training.fit(model, digits, optimizer, s.linear(30), epochs=3, batch_size=32)
    for t in range(29):
        expected = moves[t] - history.lr[t] * grads[t]
        torch.testing.assert_close(moves[t + 1], expected, rtol=0, atol=1e-7)


def test_each_group_keeps_its_own_rate(digits):
    model = net()
    layers = [layer for layer in model if isinstance(layer, nn.Linear)]
    groups = [{"params": layers[0].parameters(), "lr": 0.1}, {"params": layers[1].parameters()}]
    optimizer = torch.optim.SGD(groups, lr=0.01)
    shape = s.cosine(30)
    history = training.fit(model, digits, optimizer, shape, epochs=3, batch_size=32)
    assert history.lr.shape == (30, 2)
    np.testing.assert_array_equal(history.lr, np.outer(shape(np.arange(30)), [0.1, 0.01]))
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.01]


def test_the_peak_is_back_after_the_run(digits):
    model = net()
    optimizer = sgd(model, 0.1)
    first = training.fit(model, digits, optimizer, s.linear(30), epochs=3, batch_size=32)
    second = training.fit(model, digits, optimizer, s.linear(30), epochs=3, batch_size=32)
    np.testing.assert_array_equal(first.lr, second.lr)


@pytest.mark.parametrize("when", ["update", "epoch"])
def test_a_torch_scheduler_is_stepped_as_torch_asks(digits, when):
    model = net()
    optimizer = sgd(model, 0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = training.fit(
            model, digits, optimizer, scheduler, epochs=3, batch_size=32, when=when
        )
    t = np.arange(30) if when == "update" else np.repeat(np.arange(3), 10)
    np.testing.assert_allclose(history.lr, 0.1 * 0.5**t, rtol=1e-12)


def test_a_torch_scheduler_that_begins_at_zero_is_recorded(digits):
    model = net()
    optimizer = sgd(model, 0.1)
    scheduler = s.to_torch(s.warmup(5, start=0.0), optimizer)
    history = training.fit(model, digits, optimizer, scheduler, epochs=1, batch_size=32)
    np.testing.assert_allclose(history.lr[:6], [0, 0.02, 0.04, 0.06, 0.08, 0.1])
    assert history.provenance["peak_lr"] == [0.1]
    optimizer = sgd(model, 0.1)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.3, total_steps=30)
    history = training.fit(model, digits, optimizer, scheduler, epochs=1, batch_size=32)
    assert history.provenance["peak_lr"] == [0.3]


def test_a_torch_scheduler_goes_on_in_a_second_run(digits):
    model = net()
    optimizer = sgd(model, 0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    options = {"epochs": 2, "batch_size": 320, "when": "epoch"}
    first = training.fit(model, digits, optimizer, scheduler, **options)
    second = training.fit(model, digits, optimizer, scheduler, **options)
    np.testing.assert_allclose([*first.lr, *second.lr], [0.1, 0.05, 0.025, 0.0125])


def test_a_consumed_torch_scheduler_is_recorded_as_it_acts(digits):
    """D2L's multistep run: its plot used the milestones up, and the run is constant at 0.125."""
    model = net()
    optimizer = sgd(model, 0.5)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [15, 30], gamma=0.5)
    for _ in range(30):
        optimizer.step()
        scheduler.step()
    history = training.fit(
        model, digits, optimizer, scheduler, epochs=3, batch_size=32, when="epoch"
    )
    assert set(history.lr) == {0.125}


def test_plateau_lowers_the_rate_when_the_loss_stops_falling(with_valid):
    model = net()
    rule = s.plateau(factor=0.1, patience=0, watch="valid_loss", threshold=0.9)
    history = training.fit(
        model, with_valid, sgd(model, 0.1), rule, epochs=4, batch_size=256, when="epoch"
    )
    state = rule.start()
    expected = [1.0] + [state.observe(loss) for loss in history.valid_loss[:-1]]
    np.testing.assert_allclose(history.lr[:: history.batches_per_epoch], 0.1 * np.array(expected))
    assert history.lr[-1] < history.lr[0]


# -- one seed, one result ---------------------------------------------------------------------


def test_one_seed_gives_the_same_bits(digits):
    first, second, other = fit(digits, seed=3), fit(digits, seed=3), fit(digits, seed=4)
    np.testing.assert_array_equal(first.loss, second.loss)
    np.testing.assert_array_equal(first.test_loss, second.test_loss)
    assert not np.array_equal(first.loss, other.loss)


def test_dropout_draws_from_the_seed_and_the_global_state_is_kept(digits):
    def run():
        torch.manual_seed(torch.randint(1000, ()).item())  # whatever state the user is in
        model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(784, 10))
        with torch.no_grad():
            for p in model.parameters():
                p.zero_()
        before = torch.get_rng_state()
        history = training.fit(model, digits, sgd(model), epochs=1, batch_size=32, seed=7)
        assert torch.equal(before, torch.get_rng_state())
        return history.loss

    np.testing.assert_array_equal(run(), run())


def test_every_image_is_seen_once_in_an_epoch(digits):
    seen = []
    model = net()
    model.register_forward_pre_hook(lambda m, X: seen.append(X[0]) if m.training else None)
    training.fit(model, digits, sgd(model), epochs=1, batch_size=50, progress=False)
    assert [len(X) for X in seen] == [50] * 6 + [20]
    once = torch.cat(seen).flatten(1).sum(1).sort().values
    torch.testing.assert_close(once, digits.train.X.flatten(1).sum(1).sort().values)


def test_it_learns():
    history = fit(data.load("digits", device="cpu"), lr=0.2, epochs=15)
    assert history.final("test_acc") > 0.8
    assert history.train_loss[-1] < 0.5 * history.train_loss[0]


def test_measures_are_those_of_the_net(digits):
    model = net()
    history = training.fit(model, digits, sgd(model), epochs=2, batch_size=32)
    with torch.no_grad():
        logits = model(digits.test.X)
    assert history.final("test_acc") == pytest.approx(
        (logits.argmax(1) == digits.test.y).double().mean().item()
    )
    assert history.final("test_loss") == pytest.approx(
        nn.functional.cross_entropy(logits, digits.test.y).item(), rel=1e-5
    )
    norm = torch.cat([p.flatten() for p in model.parameters()]).norm().item()
    assert history.final("norm") == pytest.approx(norm, rel=1e-5)


def test_train_loss_is_the_mean_over_the_images_of_the_epoch(digits):
    history = fit(digits, epochs=2, batch_size=100)
    weights = np.array([100, 100, 100, 20])
    expected = (history.loss[4:] * weights).sum() / 320
    assert history.train_loss[1] == pytest.approx(expected, rel=1e-6)


def test_batch_norm_and_the_mode_of_the_net(digits):
    model = models.lenet(norm=True)
    model.eval()
    training.fit(model, digits, sgd(model), epochs=1, batch_size=32)
    assert not model.training
    moved = [b for name, b in model.named_buffers() if name.endswith("running_mean")]
    assert all(b.abs().sum() > 0 for b in moved)


# -- divergence, interruption, measuring less -------------------------------------------------


def test_divergence_is_a_result(digits):
    model = models.mlp(3, 16)
    history = training.fit(model, digits, sgd(model, 1e20), epochs=3, batch_size=32)
    assert history.diverged_at is not None
    assert len(history.lr) == len(history.loss) == history.diverged_at + 1
    assert not math.isfinite(history.loss[-1])
    assert np.isfinite(history.loss[:-1]).all()
    assert math.isnan(history.final("test_loss"))
    assert "diverged" in repr(history)


def test_divergence_found_late_is_cut_to_the_first_bad_loss(digits, monkeypatch):
    monkeypatch.setattr(loop, "updates_between_checks", lambda device: 10)
    late = training.fit(m := models.mlp(3, 16), digits, sgd(m, 1e20), epochs=3, batch_size=32)
    monkeypatch.undo()
    at_once = training.fit(m := models.mlp(3, 16), digits, sgd(m, 1e20), epochs=3, batch_size=32)
    assert late.diverged_at == at_once.diverged_at
    np.testing.assert_array_equal(late.loss, at_once.loss)
    np.testing.assert_array_equal(late.epochs["update"], at_once.epochs["update"])
    assert late.epochs["update"][-1] == late.updates


def test_interruption_returns_what_was_recorded(digits):
    model = net()
    count = iter(range(100))

    def stop(*_):
        if next(count) == 15:
            raise KeyboardInterrupt

    model.register_forward_pre_hook(lambda m, X: stop() if m.training else None)
    optimizer = sgd(model)
    history = training.fit(model, digits, optimizer, s.linear(30), epochs=3, batch_size=32)
    assert history.interrupted
    assert len(history.lr) == len(history.loss) == 15
    assert len(history.test_acc) == 1
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert model.training


def test_interruption_while_measuring_keeps_the_finished_epochs(digits):
    model = net()
    calls = iter(range(100))
    once = -(-len(digits.test.y) // measuring.measured_at_once(digits.test))

    def stop(m, _):
        if not m.training and next(calls) == once:  # the evaluation after epoch 2
            raise KeyboardInterrupt

    model.register_forward_pre_hook(stop)
    history = training.fit(model, digits, sgd(model), epochs=3, batch_size=32)
    assert history.interrupted
    assert [len(column) for column in history.epochs.values()] == [1] * len(history.epochs)
    assert history.updates == 20


def test_interruption_inside_a_step_leaves_no_empty_loss(digits):
    model = net()
    optimizer = sgd(model)
    steps = iter(range(100))

    def stop(*_):
        if next(steps) == 4:
            raise KeyboardInterrupt

    optimizer.register_step_post_hook(stop)
    history = training.fit(model, digits, optimizer, epochs=1, batch_size=32)
    assert len(history.lr) == len(history.loss) == 5
    assert (history.loss > 0).all()
    assert history.epochs["test_acc"].size == 0


@pytest.mark.parametrize(
    ("evaluate", "measured"),
    [("epoch", [1, 2, 3, 4, 5]), ("end", [5]), (2, [2, 4, 5]), (None, [])],
)
def test_evaluate_says_when(digits, evaluate, measured):
    history = fit(digits, epochs=5, evaluate=evaluate)
    there = ~np.isnan(history.epochs["test_acc"])
    assert history.epochs["epoch"][there].tolist() == measured


# -- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number"),
        ({"epochs": 1.5}, "epochs must be a whole number"),
        ({"batch_size": 0}, "batch_size must be a whole number"),
        ({"batch_size": 321}, "larger than the training set of 320"),
        ({"when": "step"}, "one of 'update', 'epoch'"),
        ({"evaluate": "often"}, "evaluate must be"),
        ({"evaluate": 0}, "evaluate must be"),
    ],
)
def test_bad_numbers(digits, options, message):
    with pytest.raises(ValueError, match=message):
        fit(digits, **options)


def test_numbers_of_numpy_are_numbers(digits):
    counts = {"epochs": np.int64(2), "batch_size": np.int32(32), "evaluate": np.int8(1)}
    history = fit(digits, seed=np.int64(3), clip_norm=np.float32(1e9), **counts)
    np.testing.assert_array_equal(history.loss, fit(digits, seed=3, epochs=2, clip_norm=1e9).loss)
    json.dumps(history.to_dict(), allow_nan=False)


@pytest.mark.parametrize("lr", [0.0, math.nan, math.inf])
def test_bad_rates(digits, lr):
    model = net()
    optimizer = sgd(model)
    optimizer.param_groups[0]["lr"] = lr
    with pytest.raises(ValueError, match="must be above 0"):
        training.fit(model, digits, optimizer, epochs=1)


def test_foreign_scheduler(digits):
    model = net()
    other = torch.optim.lr_scheduler.StepLR(sgd(model), 1)
    with pytest.raises(ValueError, match="another optimizer"):
        training.fit(model, digits, sgd(model), other, epochs=1)


def test_foreign_optimizer(digits):
    with pytest.raises(ValueError, match="no parameter of this net"):
        training.fit(net(), digits, sgd(net()), epochs=1)


def test_a_function_is_not_a_schedule(digits):
    with pytest.raises(TypeError, match="from_function"):
        fit(digits, lambda t: 1.0)


def test_net_on_another_device(digits):
    model = net().to("meta")
    with pytest.raises(ValueError, match="the net is on meta and the data are on cpu"):
        training.fit(model, digits, sgd(model), epochs=1)


def test_nothing_to_train(digits):
    with pytest.raises(ValueError, match="no parameters"):
        training.fit(nn.Flatten(), digits, sgd(net()), epochs=1)


def test_plateau_on_validation_data_that_are_not_there(digits):
    with pytest.raises(ValueError, match=r"needs data\.load"):
        fit(digits, s.plateau(watch="valid_loss"))


@pytest.mark.parametrize("evaluate", ["end", None, 2])
def test_a_plateau_needs_its_column_after_each_epoch(with_valid, evaluate):
    model = net()
    torch_rule = torch.optim.lr_scheduler.ReduceLROnPlateau(sgd(model))
    for rule, optimizer in ((s.plateau(), sgd(model)), (torch_rule, torch_rule.optimizer)):
        with pytest.raises(ValueError, match="measured after each epoch"):
            training.fit(
                model, with_valid, optimizer, rule, epochs=2, when="epoch", evaluate=evaluate
            )


def test_a_plateau_that_waits_for_a_maximum_watches_accuracy(digits, with_valid):
    rule = s.plateau(factor=0.1, patience=0, mode="max")
    with pytest.raises(ValueError, match="watches valid_acc"):
        fit(digits, rule, when="epoch")
    model = net()
    history = training.fit(
        model, with_valid, sgd(model), rule, epochs=5, batch_size=256, when="epoch", evaluate=1
    )
    state = rule.start()
    expected = [1.0] + [state.observe(value) for value in history.valid_acc[:-1]]
    np.testing.assert_allclose(history.lr[:: history.batches_per_epoch], 0.1 * np.array(expected))


@pytest.mark.parametrize(
    "shape",
    [s.cosine(3), s.warmup(1).then(s.cosine(2)), s.multistep((1, 2), 0.1), s.exponential(0.1)],
    ids=repr,
)
def test_epochs_counted_as_updates_are_warned_of(digits, shape):
    with pytest.warns(training.ScheduleWarning, match=r"lasts 300 updates \(30 epochs of 10"):
        fit(digits, shape, epochs=30)


def test_updates_counted_as_epochs_are_warned_of(digits):
    for length in (37, 300):
        told = f"takes {length} epochs.*lasts 30 epochs"
        with pytest.warns(training.ScheduleWarning, match=told):
            fit(digits, s.cosine(length), epochs=30, when="epoch")


@pytest.mark.parametrize("length", [10, 15, 16, 30, 36, 37, 61])
def test_fit_and_lint_call_the_same_lengths_wrong(digits, length):
    shape = s.cosine(length, floor=0.01)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", training.ScheduleWarning)
        fit(digits, shape, epochs=30, when="epoch", evaluate=None)
    found = tracing.lint(shape, updates=30).codes
    assert bool(told) == bool(found) == (length not in (16, 30, 36))


@pytest.mark.parametrize(
    "shape",
    [
        s.constant(0.5),
        s.warmup(3),
        s.cosine(20),
        s.cosine(30),
        s.step(10, 0.5),
        s.multistep((15, 30), 0.5),
        s.warmup(5).then(s.cosine(15)),
        s.restarts(10),
        s.cosine(36),
        s.multistep((5, 10), 0.5),
    ],
    ids=repr,
)
def test_fitting_lengths_are_not(digits, shape):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(digits, shape, epochs=30, when="epoch", evaluate=None)


# -- the record -------------------------------------------------------------------------------


def through_json(history):
    return History.from_dict(json.loads(json.dumps(history.to_dict(), allow_nan=False)))


def test_json_gives_the_same_record_back(digits):
    history = fit(digits, s.cosine(30))
    again = through_json(history)
    assert again.to_dict() == {**history.to_dict()}
    np.testing.assert_array_equal(again.lr, history.lr)
    np.testing.assert_array_equal(again.loss, history.loss)
    assert again.loss.dtype == history.loss.dtype


def test_the_final_loss_is_that_of_the_last_measured_epoch_nan_included(digits):
    history = fit(digits)
    history.epochs["test_loss"][-1] = math.nan
    assert math.isnan(history.final("test_loss"))
    history.epochs["test_acc"][-1] = math.nan  # not measured: the epoch before counts
    assert history.final("test_loss") == history.test_loss[1]


def test_json_of_a_diverged_run(digits):
    history = training.fit(m := models.mlp(3, 16), digits, sgd(m, 1e20), epochs=1, batch_size=32)
    assert not np.isfinite(history.loss).all()
    np.testing.assert_array_equal(through_json(history).loss, history.loss)


@pytest.mark.parametrize("given", [99, 2, 0, "1", None, [1]])
def test_another_format_is_refused(given):
    with pytest.raises(ValueError, match="reads format 1") as told:
        History.from_dict({"format": given})
    assert ("newer" in str(told.value)) is (given in (99, 2))


@pytest.mark.parametrize(
    "change",
    [
        {"lr": ["abc"]},
        {"lr": 0.1},
        {"lr": [[[0.1]]]},
        {"lr": [[0.1], [0.1, 0.2]]},
        {"lr": [10**400]},
        {"lr": {"0": 0.1}},
        {"lr": [True]},
        {"lr": ["0.1"]},
        {"loss": [None]},
        {"loss": [1.0]},
        {"epochs": []},
        {"epochs": {"epoch": [1.0], "train_loss": []}},
        {"epochs": {"epoch": "1"}},
        {"epochs": {"epoch": [1.0]}},
        {"batches_per_epoch": 0},
        {"diverged_at": "3"},
        {"interrupted": 0},
        {"seconds": None},
        {"provenance": "mine"},
    ],
    ids=str,
)
def test_a_value_that_no_run_leaves_is_named(digits, change):
    record = fit(digits, epochs=1).to_dict()
    with pytest.raises(ValueError, match=rf"{next(iter(change))}|unequal lengths"):
        History.from_dict(record | change)
    del record[next(iter(change))]
    with pytest.raises(ValueError, match="record has no"):
        History.from_dict(record)


def test_unknown_columns_are_named(digits):
    history = fit(digits)
    with pytest.raises(AttributeError, match="its columns are epoch"):
        history.accuracy  # noqa: B018
    with pytest.raises(ValueError, match="must be one of epoch"):
        history.final("accuracy")


def test_provenance_says_what_ran(digits):
    told = fit(digits, s.cosine(30), seed=5).provenance
    assert told["schedule"] == "cosine(30)"
    assert told["seed"] == 5
    assert told["data"] == "digits"
    assert told["peak_lr"] == [0.1]
    assert told["torch"] == torch.__version__
