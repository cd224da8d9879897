"""Splits of the data as a source of chance: of an experiment, of a sweep, of a comparison."""

import pytest
import torch

from lrcourse import sweeps
from lrcourse.sweeps import OnTheEdge, Records, fair_over_splits, stacks

SMALL = {"model": "mlp", "model_options": {"depth": 2, "width": 16}}
BASE = sweeps.Experiment(images=200, valid=0.5, epochs=1, batch_size=8, **SMALL)
ARMS = {"sgd": BASE, "momentum": BASE.but(optimizer="momentum")}
RATES = [1e-5, 0.03, 1e30]


@pytest.fixture
def options(tmp_path):
    return {"records": tmp_path, "jobs": 1, "device": "cpu", "progress": False}


def images(experiment):
    data = experiment.load_data("cpu")
    return [{X.numpy().tobytes() for X in part.X} for part in (data.train, data.valid, data.test)]


def test_split_0_is_that_of_the_course_and_has_its_key():
    assert BASE.but(split=0).key == BASE.key and "split" not in BASE.to_dict()
    assert BASE.but(split=1).key != BASE.key and BASE.but(split=1).to_dict()["split"] == 1


def test_each_split_draws_its_own_training_validation_and_test_images():
    for ours, theirs in zip(images(BASE), images(BASE.but(split=1)), strict=True):
        assert len(ours) == len(theirs) and ours != theirs
    assert images(BASE.but(split=1)) == images(BASE.but(split=1, seed=7))
    train, valid, test = images(BASE.but(split=3))
    assert not train & valid and not train & test and not valid & test


def test_a_split_that_leaves_a_class_out_is_refused_before_training(options):
    few = BASE.but(images=9, split=2)
    with pytest.raises(ValueError, match=r"split 2 would leave 1 of 10 classes .* 9 training"):
        sweeps.run([few], **options)
    assert not Records(options["records"]).keys()


def test_records_and_tables_name_the_split(options):
    runs = sweeps.run(sweeps.grid(BASE, split=[0, 2]), **options)
    assert [run.history.provenance["spec"].get("split", 0) for run in runs] == [0, 2]
    assert list(runs.frame()["split"]) == [0, 2]
    assert sorted(sweeps.load(options["records"])["split"]) == [0, 2]
    assert runs.where(split=2)[0].history.final("test_loss") != runs[0].history.final("test_loss")


def test_splits_are_not_stacked_together():
    points = sweeps.grid(BASE, split=[1, 2], seed=range(3))
    groups = stacks.group_by_shape(points)
    assert [{one.split for one in group} for group in groups] == [{1}, {2}]
    with pytest.raises(ValueError, match="differ in lr, schedule, when and seed only"):
        stacks.run_stack(points, "cpu")
    for one, stacked in zip(groups[1], stacks.run_stack(groups[1], "cpu"), strict=True):
        assert torch.allclose(
            torch.tensor(stacked.final("test_loss")),
            torch.tensor(one.run("cpu").final("test_loss")),
        )


def test_two_splits_are_no_sample_of_seeds(options):
    points = sweeps.grid(BASE, split=[1, 2], lr=[0.01, 0.1, 1e30], seed=range(2))
    runs = sweeps.run(points, **options)
    with pytest.raises(ValueError, match="a seed occurs more than once"):
        runs.where(lr=0.1).values("test_acc")
    for reading in (sweeps.best_rate, sweeps.best_by_seed):
        with pytest.raises(ValueError, match="differ in more than lr and seed"):
            reading(runs)


def test_each_split_is_tuned_on_its_own_validation_images_with_other_seeds(options):
    seeds = {"tuning_seeds": [50], "seeds": [0, 1], "splits": [1, 4]}
    compared = fair_over_splits(ARMS, rates=RATES, **seeds, **options)
    assert list(compared) == list(ARMS) and list(compared.splits) == [1, 4]
    for split, one in compared.splits.items():
        alone = {name: arm.but(split=split) for name, arm in ARMS.items()}
        given = {"tuning_seeds": [50], "seeds": [0, 1]}
        assert dict(one) == dict(sweeps.fair(alone, rates=RATES, **given, **options))
        for name, arm in one.arms.items():
            assert {run.experiment.split for run in arm.runs} == {split}
            assert compared[name][split, 1] == one[name][1]
    assert compared["sgd"].keys() == {(1, 0), (1, 1), (4, 0), (4, 1)}
    assert "split 4\nsgd       judged at its best rate" in repr(compared)


def test_a_comparison_over_splits_refuses_what_fair_refuses(options):
    one = {"tuning_seeds": [50], "seeds": [0], "splits": [0, 1]} | options
    with pytest.raises(OnTheEdge, match="sgd on split 0 at its"):
        fair_over_splits(ARMS, rates=[1e-30, 1e-29, 1e-28], **one)
    with pytest.raises(ValueError, match="would choose the rate and judge it"):
        fair_over_splits(ARMS, rates=RATES, **one | {"seeds": [50]})
    with pytest.raises(ValueError, match=r"the numbers of the splits, each once; got \[1, 1\]"):
        fair_over_splits(ARMS, rates=RATES, **one | {"splits": [1, 1]})
    with pytest.raises(ValueError, match="unequal valid"):
        fair_over_splits(ARMS | {"sgd": BASE.but(valid=0.4)}, rates=RATES, **one)
    with pytest.raises(ValueError, match="unequal split"):
        sweeps.fair(ARMS | {"sgd": BASE.but(split=1)}, shared_rate=0.1, seeds=[0], **options)
