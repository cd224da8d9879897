"""Sweeps: what is asked for is run once, kept, and read back the same; a kill loses little."""

import importlib
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from lrcourse import schedules as s
from lrcourse import sweeps
from lrcourse.sweeps import Experiment, Records

BASE = Experiment(
    images=160, model="mlp", model_options={"depth": 2, "width": 8}, epochs=2, evaluate="end"
)


# -- specs ------------------------------------------------------------------------------------


def test_equal_specs_have_equal_keys():
    assert BASE.but(lr=1).key == BASE.but(lr=1.0).key == BASE.but(lr=np.float64(1)).key
    assert BASE.but(schedule=s.cosine(5)).key == BASE.but(schedule=s.cosine(5, floor=0.0)).key
    assert hash(BASE) == hash(BASE.but(lr=0.1))


@pytest.mark.parametrize(
    "change",
    [
        {"lr": 0.2},
        {"seed": 1},
        {"schedule": s.cosine(5)},
        {"when": "epoch"},
        {"optimizer_options": {"momentum": 0.9}},
        {"model_options": {"depth": 3, "width": 8}},
    ],
    ids=str,
)
def test_other_specs_have_other_keys(change):
    assert BASE.but(**change).key != BASE.key


def test_the_key_knows_the_numerics_of_the_package(monkeypatch):
    key = BASE.key
    monkeypatch.setattr("lrcourse.support.provenance.NUMERICS", 999)
    assert BASE.key != key


def test_specs_can_be_pickled_and_not_changed():
    assert pickle.loads(pickle.dumps(BASE)) == BASE
    with pytest.raises(TypeError, match="do not change"):
        BASE.model_options["depth"] = 5


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"lr": 0}, ValueError, "lr must be a finite number > 0"),
        ({"lr": float("nan")}, ValueError, "lr must be a finite number > 0"),
        ({"lr": "0.1"}, TypeError, "lr must be a finite number > 0"),
        ({"seed": -1}, ValueError, "seed must be a whole number >= 0"),
        ({"schedule": lambda t: 1}, TypeError, "is a value"),
        ({"learning_rate": 1}, TypeError, "its fields are"),
    ],
)
def test_bad_specs(change, error, message):
    with pytest.raises(error, match=message):
        BASE.but(**change)


def test_functions_in_specs_are_known_by_their_content(tmp_path, monkeypatch):
    module = tmp_path / "my_shapes.py"
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    module.write_text("def shape(t):\n    return 1.0\n")
    named = BASE.but(schedule=s.from_function("my_shapes:shape"))
    before = named.key
    assert named.to_dict()["functions"].keys() == {"my_shapes:shape"}
    module.write_text("def shape(t):\n    return 0.5  # another body\n")
    importlib.reload(sys.modules["my_shapes"])
    assert named.key != before
    for unnamed in (lambda t: 1.0, s.from_function(lambda t: 1.0) * s.cosine(5)):
        shape = unnamed if isinstance(unnamed, s.Schedule) else s.from_function(unnamed)
        with pytest.raises(ValueError, match="put it into a module"):
            BASE.but(schedule=shape)


def test_specs_hold_plain_numbers():
    assert BASE.but(valid=0.0).key == BASE.key
    options = {"depth": np.int64(2), "width": np.int64(8)}
    assert BASE.but(model_options=options).key == BASE.key


def test_grid_and_log_space():
    points = sweeps.grid(BASE, lr=sweeps.log_space(1e-3, 1, 4), seed=range(2))
    assert [(p.lr, p.seed) for p in points[:3]] == [(1e-3, 0), (1e-3, 1), (1e-2, 0)]
    assert len(points) == 8
    assert sweeps.log_space(1e-3, 1, 4) == [1e-3, 1e-2, 1e-1, 1.0]
    with pytest.raises(ValueError, match="seed must have 1 or more values"):
        sweeps.grid(BASE, seed=[])
    for name, values in (("model", "mlp"), ("lr", b"x"), ("seed", 3), ("optimizer", {"sgd": 1})):
        with pytest.raises(TypeError, match=f"{name} must be a sequence"):
            sweeps.grid(BASE, **{name: values})
    assert [one.seed for one in sweeps.grid(BASE, seed=np.arange(2))] == [0, 1]
    for bad in [(0, 1, 3), (1, 1, 3), (2, 1, 3), (1, 2, 1)]:
        with pytest.raises(ValueError, match="log_space"):
            sweeps.log_space(*bad)


# -- running ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    points = sweeps.grid(BASE, lr=[0.01, 0.1], seed=range(3))
    return folder, points, sweeps.run(points, records=folder, jobs=1)


def test_a_sweep_gives_what_single_runs_give(finished):
    _, points, runs = finished
    assert [run.experiment for run in runs] == points
    alone = points[4].run("cpu")
    np.testing.assert_array_equal(runs[4].history.loss, alone.loss)
    np.testing.assert_array_equal(runs[4].history.lr, alone.lr)
    assert runs[4].history.final("test_acc") == alone.final("test_acc")


def test_processes_side_by_side_give_the_same(finished, tmp_path):
    _, points, runs = finished
    side_by_side = sweeps.run(points, records=tmp_path, jobs=2)
    for one, other in zip(runs, side_by_side, strict=True):
        np.testing.assert_array_equal(one.history.loss, other.history.loss)


def test_a_second_call_trains_nothing(finished, monkeypatch):
    folder, points, runs = finished
    monkeypatch.setattr(Experiment, "run", None)
    again = sweeps.run(points, records=folder)
    for one, other in zip(runs, again, strict=True):
        assert one.history.to_dict() == other.history.to_dict()


def test_arms_keep_their_names(finished):
    folder, _, runs = finished
    arms = sweeps.run_arms(
        {"low": BASE.but(lr=0.01), "high": BASE.but(lr=0.1)}, seeds=range(3), records=folder
    )
    assert list(arms) == ["low", "high"]
    assert arms["high"].values("test_acc") == runs.where(lr=0.1).values("test_acc")


def test_equal_experiments_are_run_once(tmp_path):
    runs = sweeps.run([BASE, BASE, BASE], records=tmp_path, jobs=1)
    assert len(runs) == 3
    assert len(sweeps.run(BASE, records=tmp_path)) == 1
    assert len(Records(tmp_path).keys()) == 1


def test_downward_finds_the_largest_rate_with_fewer_runs(tmp_path):
    base = Experiment(data="digits", images=320, model="mlp", epochs=4, evaluate="end")
    arms = {
        name: base.but(model_options={"depth": 2, "width": width})
        for name, width in (("narrow", 16), ("wide", 64))
    }
    points = {
        name: sweeps.grid(arm, lr=sweeps.log_space(0.1, 100, 8), seed=range(3))
        for name, arm in arms.items()
    }
    both = [*points["narrow"], *points["wide"]]
    asked = []

    def trains(run):
        asked.append(run.experiment)
        return sweeps.trains(run)

    part = sweeps.downward(both, until=trains, records=tmp_path / "part", jobs=1)
    made = [one.experiment for one in part]
    assert made == [point for point in both if point in set(asked)]  # in the order of the points
    assert len(asked) == len(made) == len(Records(tmp_path / "part").keys()) < len(both)
    for those in points.values():
        whole = sweeps.run(those, records=tmp_path / "whole", jobs=1)
        found = [one for one in part if one.experiment in set(those)]
        largest = sweeps.largest_by_seed(whole)
        assert sweeps.largest_by_seed(found) == largest
        assert len(found) == sum(point.lr >= largest[point.seed] for point in those)
        if those is points["narrow"]:
            assert len(set(largest.values())) > 1  # seeds that stop at different rates


def test_downward_where_nothing_is_good_enough_is_the_whole_sweep(tmp_path):
    base = Experiment(data="digits", images=64, epochs=1)
    points = sweeps.grid(base, seed=range(2), lr=(0.1, 0.01, 1.0))
    runs = sweeps.downward(points, until=lambda run: False, records=tmp_path, jobs=1)
    assert [run.experiment for run in runs] == points
    assert len(sweeps.downward([], until=lambda run: False, records=tmp_path)) == 0


def test_a_damaged_record_is_run_again(tmp_path):
    first = sweeps.run([BASE], records=tmp_path)
    Records(tmp_path).path(BASE.key).write_text("{")
    with pytest.warns(UserWarning, match="damaged"):
        again = sweeps.run([BASE], records=tmp_path)
    np.testing.assert_array_equal(first[0].history.loss, again[0].history.loss)


def test_reading_runs(finished):
    _, _, runs = finished
    arm = runs.where(lr=0.1)
    assert len(arm) == 3
    assert list(arm.values("test_acc")) == [0, 1, 2]
    with pytest.raises(ValueError, match="more than once"):
        runs.values("test_acc")
    assert arm.values("train_loss", epoch=1)[2] == arm[2].history.train_loss[0]
    for epoch in (0, 3):
        with pytest.raises(ValueError, match="from 1 to 2"):
            arm.values("train_loss", epoch=epoch)
    frame = runs.frame()
    assert len(frame) == 6
    assert set(frame["lr"]) == {0.01, 0.1}
    assert frame["final_test_acc"].between(0, 1).all()
    assert repr(runs) == "<6 runs>"
    assert len(runs[:2]) == 2


@pytest.mark.slow
def test_a_killed_sweep_goes_on_where_it_was(tmp_path):
    """SIGKILL the whole process group at several moments; nothing is lost or doubled."""
    base = BASE.but(images=640, epochs=3)
    points = sweeps.grid(base, lr=[0.01, 0.03, 0.1], seed=range(8))
    unbroken = sweeps.run(points, records=tmp_path / "unbroken", jobs=1)
    script = textwrap.dedent(
        f"""
        from lrcourse import sweeps
        base = sweeps.Experiment(
            images=640, model="mlp", model_options={{"depth": 2, "width": 8}},
            epochs=3, evaluate="end",
        )
        points = sweeps.grid(base, lr=[0.01, 0.03, 0.1], seed=range(8))
        sweeps.run(points, records={str(tmp_path / "killed")!r}, jobs=1)
        """
    )
    store, kept = Records(tmp_path / "killed"), set()
    for wanted in (1, 9, 17):
        child = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
        deadline = time.monotonic() + 300
        while len(store.keys()) < wanted and child.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        assert child.poll() is None, "the sweep ended before it could be killed"
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        assert kept <= store.keys()
        kept = store.keys()
    assert len(kept) < len(points), "the last kill came too late to interrupt anything"
    times = {key: store.path(key).stat().st_mtime_ns for key in kept}
    resumed = sweeps.run(points, records=store.folder, jobs=1)
    assert store.keys() == {point.key for point in points}
    assert all(store.path(key).stat().st_mtime_ns == then for key, then in times.items())
    for one, other in zip(unbroken, resumed, strict=True):
        np.testing.assert_array_equal(one.history.loss, other.history.loss)
        np.testing.assert_array_equal(one.history.lr, other.history.lr)


def test_an_interrupted_run_is_not_kept(tmp_path, monkeypatch):
    original = Experiment.run

    def interrupted(self, *arguments, **options):
        history = original(self, *arguments, **options)
        history.interrupted = True
        return history

    monkeypatch.setattr(Experiment, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sweeps.run([BASE], records=tmp_path)
    assert Records(tmp_path).keys() == set()
