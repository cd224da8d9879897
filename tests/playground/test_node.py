"""The page's numbers are the package's: page.js under Node against Python."""

import itertools
import random

import numpy as np
import pytest
from helpers.playground_node import node, numbers
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcourse.playground import Setting, edge, simulate, verdict
from lrcourse.playground.descent import LIMIT, OPTIMIZERS, RANGES, SCHEDULES, normals
from lrcourse.playground.places import PLACES
from lrcourse.playground.sentences import figure

NEAR = 1e-9
COMBINATIONS = list(itertools.product(PLACES, OPTIMIZERS, SCHEDULES))


def nudged(run):
    """The same run with gradients that are a hair off, each by chance, and a rate a hair higher.

    The hair is wider than the languages' rounding: in Adam's 1 - 0.999^t a last bit counts 1e-13.
    """
    known, hair = run.setting, 1e-12
    changed = {
        "start": [x + hair for x in known.start],
        "peak_lr": min(known.peak_lr * (1 + hair), 10),
        "noise": known.noise + hair,
    }
    return simulate(Setting(**known.to_dict() | changed))


def distances(one, other):
    """|one - other| / (1 + |one|) at each place that both have; 0 where neither is finite."""
    count = min(len(one), len(other))
    one, other = np.asarray(one)[:count], np.asarray(other)[:count]
    with np.errstate(invalid="ignore"):
        found = np.abs(one - other) / (1 + np.abs(one))
    found[~np.isfinite(one) & ~np.isfinite(other)] = 0
    return np.nan_to_num(found, nan=np.inf)


def steady(run):
    """For how many points the path is settled by its settings.

    On some settings (a rate just above an edge, Adam in its own noise) a last bit grows until it
    decides. There Python's path from a hair's breadth beside is another one, too, and no two
    languages can agree; that is measured, and the comparison ends there.
    """
    beside = nudged(run)
    apart = distances(run.path, beside.path).max(axis=1)
    apart = np.maximum(apart, distances(run.losses, beside.losses))
    far = np.flatnonzero(apart > NEAR)
    same = run.diverged_at == beside.diverged_at
    return int(far[0]) if len(far) else len(apart) - (not same)


def compare(node, setting):
    """Assert that Node gives the same run; True where all of it could be compared."""
    run, answer = simulate(setting), node.ask("simulate", setting.to_dict())
    peak = setting.peak_lr
    assert distances(run.planned / peak, numbers(answer["planned"]) / peak).max() < NEAR
    assert len(answer["planned"]) == setting.updates
    assert answer["edge"] == (pytest.approx(edge(setting), rel=NEAR) if edge(setting) else None)
    points = steady(run)
    path = np.stack([numbers(answer["xs"]), numbers(answer["ys"])], axis=1)
    assert len(path) >= points
    assert distances(run.path[:points], path).max(initial=0) < NEAR
    assert distances(run.losses[:points], numbers(answer["losses"])).max(initial=0) < NEAR
    if points < len(run.path):
        return False
    assert answer["divergedAt"] == run.diverged_at
    assert len(path) == len(run.path)
    assert len(answer["lr"]) == len(run.lr)
    if np.isclose(run.losses[-1], numbers(answer["losses"])[-1], rtol=1e-6, atol=0):
        assert answer["verdict"] == verdict(run)
    return True


def test_every_surface_optimizer_and_schedule(node):
    draw = random.Random(0)
    whole = 0
    for surface, optimizer, schedule in COMBINATIONS:
        place = PLACES[surface]
        setting = Setting(
            surface=surface,
            start=tuple(x + draw.uniform(-0.1, 0.1) for x in place.start),
            optimizer=optimizer,
            schedule=schedule,
            peak_lr=place.peak_lr * draw.choice([0.1, 1, 1, 5]),
            momentum=draw.choice([0.0, 0.5, 0.9]),
            warmup=draw.choice([0, 7, 20]),
            updates=draw.choice([50, 100, 101]),
            noise=draw.choice([0.0, 0.0, 0.5]),
            seed=draw.randrange(1000),
        )
        whole += compare(node, setting)
    assert whole > 0.95 * len(COMBINATIONS), whole


def anywhere():
    return st.builds(
        Setting,
        surface=st.sampled_from(list(PLACES)),
        start=st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
        optimizer=st.sampled_from(list(OPTIMIZERS)),
        schedule=st.sampled_from(list(SCHEDULES)),
        peak_lr=st.floats(-4, 1).map(lambda power: 10**power),
        momentum=st.floats(0, 0.99),
        warmup=st.integers(0, 600),
        updates=st.integers(10, 500),
        noise=st.sampled_from([0.0, 0.1, 1.0]),
        seed=st.integers(*RANGES["seed"][:2]),
    )


@settings(max_examples=60, deadline=None)
@given(setting=anywhere())
def test_settings_from_anywhere(node, setting):
    compare(node, setting)


def test_two_thousand_updates(node):
    for optimizer in OPTIMIZERS:
        for surface in ("rosenbrock", "noisy-bowl"):
            rate = PLACES[surface].peak_lr / 4
            assert compare(node, Setting(surface, None, optimizer, "cosine", rate, updates=2000))


@given(seed=st.integers(*RANGES["seed"][:2]), updates=st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_the_noise_is_the_same_to_the_last_bit(node, seed, updates):
    assert node.ask("normals", [seed, updates]) == normals(seed, updates).ravel().tolist()


@given(number=st.floats(0, 1e12) | st.floats(0, 1e-300) | st.floats(0, 10).map(lambda x: x / 8))
@settings(max_examples=300, deadline=None)
def test_numbers_are_spelled_alike(node, number):
    assert node.ask("figure", number) == figure(number)


def test_both_offer_the_same(node):
    offered = node.ask("offered")
    assert offered["main"] == ["render"]
    assert offered["LIMIT"] == LIMIT
    assert list(offered["SURFACES"]) == list(PLACES)
    assert list(offered["SCHEDULES"]) == list(SCHEDULES)
    assert {name: one["label"] for name, one in offered["OPTIMIZERS"].items()} == OPTIMIZERS
    for name, place in PLACES.items():
        theirs = offered["SURFACES"][name]
        assert theirs["label"] == place.label
        assert tuple(theirs["limits"]) == place.limits
        assert tuple(theirs["start"]) == place.start
        assert (theirs["peak_lr"], theirs["noise"]) == (place.peak_lr, place.noise)
        assert theirs["quadratic"] == place.quadratic
    mine = Setting().to_dict() | {"start": None, "peak_lr": None}
    assert offered["DEFAULTS"] == mine
