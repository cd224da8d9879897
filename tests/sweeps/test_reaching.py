"""Updates to a level: from columns written by hand, and a race whose outcome is known."""

import math

import numpy as np
import pytest

from lrcourse import sweeps
from lrcourse.sweeps import Experiment, OnTheEdge, Run, Runs, reaching
from lrcourse.training.history import History


def history(**columns):
    count = len(next(iter(columns.values())))
    steps = {"epoch": np.arange(1.0, count + 1), "update": 10 * np.arange(1.0, count + 1)}
    return History(
        lr=np.full(10 * count, 0.1),
        loss=np.zeros(10 * count, np.float32),
        epochs=steps | {name: np.array(values, float) for name, values in columns.items()},
        batches_per_epoch=10,
    )


@pytest.mark.parametrize(
    ("column", "values", "level", "expected"),
    [
        ("test_acc", [0.5, 0.9, 0.8, 0.95], 0.9, 20),  # the first time counts, not the last
        ("test_acc", [0.5, 0.9, 0.8, 0.95], 0.95, 40),
        ("test_acc", [0.5, 0.9], 0.91, None),
        ("test_loss", [2.0, 1.0, 0.4], 1.0, 20),
        ("test_loss", [2.0, 1.0, 0.4], 0.3, None),
        ("test_acc", [math.nan, 0.9], 0.5, 20),
    ],
)
def test_updates_until(column, values, level, expected):
    assert reaching.updates_until(history(**{column: values}), column, level) == expected


def test_an_unknown_column_is_named():
    with pytest.raises(ValueError, match="there is no 'valid_acc'"):
        reaching.updates_until(history(test_acc=[0.5]), "valid_acc", 0.5)


def test_by_seed_with_a_value_for_those_that_never_get_there():
    rows = {3: [0.5, 0.9], 4: [0.1, 0.2]}
    runs = Runs(Run(Experiment(seed=k), history(test_acc=row)) for k, row in rows.items())
    assert reaching.updates_by_seed(runs, "test_acc", 0.8, missing=99) == {3: 20, 4: 99}
    with pytest.raises(ValueError, match="more than once"):
        reaching.updates_by_seed([*runs, *runs], "test_acc", 0.8)


# -- a race: the speed of an arm is written into its weight decay -------------------------------

BASE = Experiment(valid=0.2, epochs=8, evaluate="epoch")


@pytest.fixture
def told(monkeypatch):
    """Runs without training: accuracy rises by speed * lr / 0.1 an epoch, breaks above 0.4."""
    asked = []

    def fake(experiments, **_):
        experiments = list(experiments)
        asked.extend(experiments)
        return Runs(Run(one, made(one)) for one in experiments)

    def made(one):
        step = one.optimizer_options.get("weight_decay", 0.1) * one.lr / 0.1
        rising = np.minimum(1, step * np.arange(1, one.epochs + 1)) if one.lr < 0.4 else [0.1] * 8
        return history(test_acc=rising, valid_acc=rising)

    def arms(given, *, seeds, **_):
        return {n: fake(sweeps.grid(arm, seed=list(seeds))) for n, arm in given.items()}

    monkeypatch.setattr(reaching, "run_sweep", fake)
    monkeypatch.setattr(reaching, "run_arms", arms)
    return asked


def arm(speed):
    return BASE.but(optimizer_options={"weight_decay": speed})


RATES = (0.05, 0.1, 0.2, 0.5)
SEEDS = {"tuning_seeds": range(3), "seeds": range(10, 14)}


def test_each_arm_runs_at_its_own_quickest_rate(told):
    both = {"slow": arm(0.1), "quick": arm(0.3)}
    found = reaching.race(both, level=0.9, rates=RATES, **SEEDS)
    assert found.lr == {"slow": 0.2, "quick": 0.2}
    assert found.updates["slow"] == dict.fromkeys(range(10, 14), 50)  # 0.2 an epoch
    assert found.updates["quick"] == dict.fromkeys(range(10, 14), 20)
    assert found.missed == {"slow": 0, "quick": 0}
    assert "median 50 updates" in repr(found)
    judged = [one for one in told if one.seed >= 10]
    assert {one.lr for one in judged} == {0.2} and len(told) == 2 * (4 * 3 + 4)


def test_those_that_never_get_there_count_with_one_epoch_more_than_the_budget(told):
    both = {"never": arm(0.01), "quick": arm(0.3)}
    found = reaching.race(both, level=0.9, rates=RATES, allow_edge=True, **SEEDS)
    assert found.missed == {"never": 4, "quick": 0}
    assert set(found.updates["never"].values()) == {90}


def test_a_quickest_rate_at_the_end_of_its_grid_is_refused(told):
    with pytest.raises(OnTheEdge, match="slow"):
        reaching.race(
            {"slow": arm(0.1), "quick": arm(0.3)}, level=0.9, rates=(0.05, 0.1, 0.2), **SEEDS
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arms": {"one": BASE}}, "two arms"),
        ({"arms": {"a": BASE, "b": BASE.but(epochs=9)}}, "unequal epochs"),
        ({"arms": {"a": BASE, "b": BASE.but(evaluate="end")}}, "each epoch"),
        ({"choose": "test_acc"}, "test data judge"),
        ({"seeds": range(2, 5)}, "choose the rate and judge it"),
        ({"seeds": ()}, "give both"),
        ({"rates": (0.1, 0.1, 0.2)}, "3 or more"),
        ({"rates": {"a": RATES}}, "the arms are"),
        ({"rates": {"a": RATES, "b": RATES[:3]}}, "each as many"),
    ],
)
def test_what_would_not_be_fair_is_refused(told, change, message):
    given = {"arms": {"a": BASE, "b": BASE}, "level": 0.9, "rates": RATES, **SEEDS} | change
    with pytest.raises(ValueError, match=message):
        reaching.race(given.pop("arms"), **given)
    assert not told


def test_a_real_race(tmp_path):
    small = BASE.but(images=200, model="mlp", model_options={"depth": 2, "width": 16}, epochs=2)
    arms = {"plain": small, "momentum": small.but(optimizer="momentum")}
    options = {"records": tmp_path, "jobs": 1, "allow_edge": True}
    rates, seeds = (0.01, 0.1, 0.3), {"tuning_seeds": (0,), "seeds": (1, 2)}
    found = reaching.race(arms, level=0.3, rates=rates, **seeds, **options)
    for name, runs in found.runs.items():
        for run in runs:
            good = run.history.test_acc >= 0.3
            first = run.history.update[good.argmax()] if good.any() else 3 * 7
            assert found.updates[name][run.experiment.seed] == first
