"""Comparisons in which each arm is judged at a rate of its own, chosen on other data and seeds."""

import math

import pytest

from lrcourse import schedules as s
from lrcourse import sweeps
from lrcourse.claims import paired
from lrcourse.sweeps import OnTheEdge, fair

BASE = sweeps.Experiment(
    model="mlp",
    model_options={"depth": 3, "width": 32},
    images=200,
    valid=0.5,
    epochs=4,
    batch_size=8,
)
ARMS = {"sgd": BASE, "adam": BASE.but(optimizer="adam")}
RATES = {"sgd": [1e-4, 0.1, 100.0], "adam": [1e-6, 0.01, 100.0]}


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Every experiment that is run, in order."""
    monkeypatch.setenv("LRCOURSE_RECORDS", str(tmp_path))
    seen, run = [], sweeps.Experiment.run
    monkeypatch.setattr(
        sweeps.Experiment, "run", lambda self, *a, **k: seen.append(self) or run(self, *a, **k)
    )
    return seen


def test_each_arm_is_judged_at_its_own_best_rate_with_fresh_seeds(asked):
    compared = fair(ARMS, rates=RATES, tuning_seeds=[50, 51], seeds=range(6), jobs=1)
    assert {name: arm.lr for name, arm in compared.arms.items()} == {"sgd": 0.1, "adam": 0.01}
    for name in ARMS:
        assert list(compared[name]) == list(range(6))
        assert {run.experiment.lr for run in compared.arms[name].runs} == {RATES[name][1]}
    tuned = [one for one in asked if one.seed >= 50]
    assert len(tuned) == 2 * 3 * 2 and len(asked) == len(tuned) + 2 * 6
    assert paired(compared["sgd"], compared["adam"]).n == 6


def test_the_validation_split_chooses_and_the_test_split_judges(asked):
    compared = fair(ARMS, rates=RATES, tuning_seeds=[50], seeds=range(6), jobs=1)
    arm = compared.arms["sgd"]
    assert arm.tuning.column == "valid_acc"
    judged = {run.experiment.seed: run.history.final("test_acc") for run in arm.runs}
    assert compared["sgd"] == judged
    losses = {run.experiment.seed: run.history.final("test_loss") for run in arm.runs}
    assert compared.values_of("sgd", "test_loss") == losses


def test_the_choice_follows_the_column_that_was_asked_for(asked):
    """Rates between which validation loss and accuracy disagree choose by the one named."""
    chosen = fair(ARMS, rates=RATES, tuning_seeds=[50], seeds=range(6), choose="valid_loss", jobs=1)
    assert not chosen.arms["sgd"].tuning.higher


def test_one_shared_rate_has_to_be_said_and_tunes_nothing(asked):
    with pytest.raises(ValueError, match="shared_rate"):
        fair(ARMS, seeds=range(6))
    with pytest.raises(ValueError, match="shared_rate"):
        fair(ARMS, rates=[0.1, 0.2, 0.3], shared_rate=0.1, seeds=range(6))
    compared = fair(ARMS, shared_rate=0.01, seeds=range(6), jobs=1)
    assert len(asked) == 12 and {one.lr for one in asked} == {0.01}
    assert "shared rate 0.01" in repr(compared)


def test_an_arm_at_the_edge_of_its_grid_is_refused_before_it_is_judged(asked):
    narrow = RATES | {"sgd": [1e-5, 1e-4, 0.1]}
    with pytest.raises(OnTheEdge, match=r"sgd at its highest, 0\.1"):
        fair(ARMS, rates=narrow, tuning_seeds=[50], seeds=range(6), jobs=1)
    assert all(one.seed == 50 for one in asked)
    compared = fair(ARMS, rates=narrow, tuning_seeds=[50], seeds=range(6), allow_edge=True, jobs=1)
    assert compared.arms["sgd"].lr == 0.1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"seeds": range(48, 58), "tuning_seeds": [50]}, r"\[50\] would choose"),
        ({"tuning_seeds": []}, "no tuning_seeds"),
        ({"choose": "test_acc"}, "test data judge"),
        ({"rates": {"sgd": [1, 2, 3]}}, "the arms are sgd, adam"),
        ({"rates": RATES | {"adam": [1.0, 2.0, 3.0, 4.0]}}, "same budget"),
        ({"rates": [0.1, 0.1, 0.1]}, "3 or more"),
        ({"arms": {"sgd": BASE}}, "two arms"),
        ({"arms": ARMS | {"long": BASE.but(epochs=3)}}, "unequal epochs"),
        ({"arms": ARMS | {"big": BASE.but(batch_size=64)}}, "unequal batch_size"),
        ({"arms": {k: v.but(valid=0) for k, v in ARMS.items()}}, "valid=0.2"),
    ],
)
def test_unfair_comparisons_are_refused_before_anything_runs(asked, changed, said):
    call = {"arms": ARMS, "rates": RATES, "seeds": range(6)} | changed
    arms = call.pop("arms")
    with pytest.raises(ValueError, match=said):
        fair(arms, **call)
    assert asked == []


def test_a_diverged_run_is_nan_unless_given_a_value(asked):
    arms = {"calm": BASE, "wild": BASE.but(schedule=s.constant(1e39))}
    compared = fair(arms, shared_rate=0.1, seeds=range(6), jobs=1)
    assert all(map(math.isnan, compared["wild"].values()))
    assert set(compared.values_of("wild", diverged=0.1).values()) == {0.1}
    with pytest.raises(ValueError, match="share"):
        paired(compared["calm"], compared["wild"])
    with pytest.raises(KeyError, match="calm, wild"):
        compared["other"]
