"""A function that follows a cosine is judged by what it does, and a warmup by whether it ends."""

import math

import pytest
from helpers.peers import sgd
from torch.optim import lr_scheduler as ls

from lrcourse.tracing import lint, record

EPOCHS, PER_EPOCH = 30, 100
UPDATES = EPOCHS * PER_EPOCH
IN_EPOCHS = {"when": "epoch", "updates_per_epoch": PER_EPOCH}


def cosine(length, floor=0.0):
    return lambda t: floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * t / length))


def warm(warmup, length):
    return lambda t: (t + 1) / warmup if t < warmup else cosine(length - warmup)(t - warmup)


def only(function, updates=UPDATES, **options):
    optimizer = sgd(0.1)
    (finding,) = lint(optimizer, ls.LambdaLR(optimizer, function), updates, **options)
    return finding


@pytest.mark.parametrize(
    "function, at",
    [
        (cosine(EPOCHS), 31),
        (cosine(EPOCHS, floor=0.1), 31),
        (cosine(3), 4),
        (warm(5, EPOCHS), 31),
        (lambda t: max(0.1, cosine(EPOCHS)(t)), 37),
    ],
)
def test_a_cosine_in_epochs_that_is_stepped_per_update_rises_again(function, at):
    finding = only(function)
    assert (finding.code, finding.update) == ("rise-after-end", at)
    assert f"over at step {3 if at == 4 else EPOCHS}, and rises again" in finding.message
    assert "once after each epoch" in finding.mend


def test_a_cosine_that_holds_still_after_a_hundredth_of_the_training():
    finding = only(lambda t: cosine(EPOCHS, floor=0.01)(min(t, EPOCHS)))
    assert (finding.code, finding.update) == ("ends-early", EPOCHS)


@pytest.mark.parametrize("function", [cosine(UPDATES), cosine(UPDATES, 0.2), warm(3, UPDATES)])
def test_a_cosine_in_updates_that_is_stepped_per_epoch_ends_far_from_low(function):
    finding = only(function, **IN_EPOCHS)
    assert (finding.code, finding.update) == ("ends-late", UPDATES - 1)
    assert f"over at step {UPDATES}, and the training makes only {EPOCHS}" in finding.message
    assert "after each update" in finding.mend


def test_a_cosine_of_twice_the_updates_ends_at_half_its_height():
    finding = only(cosine(200), 100)
    assert finding.code == "ends-late"
    assert "gradient accumulation" in finding.mend


def test_a_training_that_ends_in_the_warmup():
    finding = only(warm(500, UPDATES), **IN_EPOCHS)
    assert (finding.code, finding.update) == ("peak-missed", UPDATES - 1)
    assert "rises until the last update" in finding.message


def test_a_record_of_a_cosine_that_rises_again():
    optimizer = sgd(0.1)
    scheduler = ls.CosineAnnealingLR(optimizer, 20)
    with record(optimizer) as log:
        for _ in range(60):
            optimizer.step()
            scheduler.step()
    assert lint(log).codes == ("rise-after-end",)


RIGHT = {
    "cosine": cosine(100),
    "one step less": cosine(99),
    "floor": cosine(100, 0.1),
    "a little longer": cosine(115),
    "two thirds": lambda t: cosine(66, 0.01)(min(t, 66)),
    "warmup": warm(10, 100),
    "part of a period": lambda t: math.cos(7 / 16 * math.pi * t / 100),
    "up and down": lambda t: cosine(30)(29 - t) if t < 30 else cosine(70)(t - 30),
    "triangles": lambda t: 0.1 + 0.9 * (1 - abs((t / 10) % 2 - 1)),
    "tanh": lambda t: 0.5 * (1 - math.tanh(8 * t / 100 - 4)),
    "linear": lambda t: 1 - t / 100,
    "power 0.9": lambda t: (1 - t / 100) ** 0.9,
    "power 2": lambda t: (1 - t / 100) ** 2,
    "power 3": lambda t: (1 - t / 100) ** 3,
    "root": lambda t: (1 + t) ** -0.5,
    "exponential": lambda t: 0.98**t,
    "warmup, then still": lambda t: min(1, (t + 1) / 20),
    "range test": lambda t: (t + 1) / 100,
}


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("options", [{}, IN_EPOCHS], ids=["updates", "epochs"])
def test_silent_on_other_functions(name, options):
    optimizer = sgd(0.1)
    updates = 100 * options.get("updates_per_epoch", 1)
    found = lint(optimizer, ls.LambdaLR(optimizer, RIGHT[name]), updates, **options)
    assert str(found) == "nothing found"
