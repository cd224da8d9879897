"""Sweeps in stacks, on a cluster, on threads: other ways of running give the same records."""

import contextlib
import sys

import joblib
import numpy as np
import pytest
import torch

from lrcourse import schedules as s
from lrcourse import sweeps
from lrcourse.support import progress
from lrcourse.sweeps import Experiment, Records, running, stacks

BASE = Experiment(
    images=160, model="mlp", model_options={"depth": 2, "width": 8}, epochs=2, evaluate="end"
)


@pytest.fixture(scope="module")
def singles(tmp_path_factory):
    """Six runs, one by one in this process."""
    points = sweeps.grid(BASE, lr=[0.01, 0.1], seed=range(3))
    return sweeps.run(points, records=tmp_path_factory.mktemp("records"), jobs=1, device="cpu")


def assert_equal_runs(runs, others, within=0):
    for one, other in zip(runs, others, strict=True):
        assert one.experiment == other.experiment
        assert one.history.diverged_at == other.history.diverged_at
        np.testing.assert_array_equal(one.history.lr, other.history.lr)
        np.testing.assert_allclose(one.history.loss, other.history.loss, rtol=0, atol=within)
        assert one.history.final("test_acc") == other.history.final("test_acc")


def test_a_sweep_in_stacks_gives_what_single_runs_give(singles, tmp_path):
    points = [run.experiment for run in singles]
    mixed = [*points, BASE.but(lr=1e30), BASE.but(schedule=s.plateau(), when="epoch")]
    stacked = sweeps.run(mixed, records=tmp_path, jobs=1, device="cpu", stack=4)
    assert_equal_runs(singles, stacked[:6], within=1e-5)
    assert stacked[6].history.diverged_at is not None
    sizes = [run.history.provenance.get("stacked", 1) for run in stacked]
    assert sizes == [3, 3, 3, 4, 4, 4, 4, 1]
    assert Records(tmp_path).keys() == {point.key for point in mixed}
    again = sweeps.run(mixed, records=tmp_path, device="cpu", stack=1)
    assert [run.history.to_dict() for run in again] == [run.history.to_dict() for run in stacked]


def test_a_sweep_of_many_dense_nets_on_the_cpu_has_the_bits_of_single_runs(tmp_path):
    points = sweeps.grid(BASE, lr=[0.1, 0.3, 1e6], seed=range(3))
    together = sweeps.run(points, records=tmp_path / "a", jobs=1, device="cpu")
    alone = sweeps.run(points, records=tmp_path / "b", jobs=1, device="cpu", stack=1)
    assert_equal_runs(together, alone)
    assert {run.history.provenance.get("stacked", 1) for run in together} <= {1, len(points)}


@pytest.mark.parametrize(
    ("device", "stack", "sizes"),
    [("cpu", None, [1] * 6), ("cuda", None, [6]), ("cuda", 1, [1] * 6), ("cuda:0", 4, [3, 3])],
)
def test_how_runs_are_grouped(singles, tmp_path, monkeypatch, device, stack, sizes):
    points = [run.experiment for run in singles]
    histories = {run.experiment: run.history.to_dict() for run in singles}
    seen = []

    def pretend(group, folder, device, stuck):
        seen.append(len(group))
        return [(key, histories[one]) for key, one in group.items()]

    monkeypatch.setattr(running, "run_and_keep", pretend)
    sweeps.run(points, records=tmp_path, device=device, stack=stack, jobs=1)
    assert seen == sizes


def test_records_are_there_as_soon_as_their_stack_is_finished(singles, tmp_path, monkeypatch):
    points = [run.experiment for run in singles]
    train, store, seen = stacks.train, Records(tmp_path), []

    def small(group, device):
        seen.append((len(group), len(store.keys())))
        if len(group) > 2:
            raise MemoryError
        return train(group, device)

    monkeypatch.setattr(stacks, "train", small)
    sweeps.run(points, records=tmp_path, jobs=1, device="cpu", stack=4)
    # Each three need two stacks: what the first has finished is kept before the second begins.
    assert seen == [(3, 0), (1, 0), (1, 1), (1, 2), (3, 3), (1, 3), (1, 4), (1, 5)]


@pytest.mark.parametrize("stack", [0, -1, 2.5, True, "many"])
def test_bad_stacks(stack):
    with pytest.raises((ValueError, TypeError), match="stack must be a whole number"):
        sweeps.run([BASE], stack=stack)


def test_a_bar_counts_runs_and_not_stacks(singles, tmp_path, monkeypatch):
    points = [run.experiment for run in singles]
    told = []

    def bar(items, *, total, label, progress):
        done = list(items)
        told.append((total, len(done), label))
        return done

    monkeypatch.setattr(progress, "bar", bar)
    sweeps.run(points[:4], records=tmp_path, jobs=1, device="cpu", stack=4)
    assert told == [(4, 4, "run")]


def test_workers_use_one_thread_and_give_the_others_back(tmp_path, monkeypatch):
    original, during = Experiment.run, []

    def watched(self, *arguments):
        during.append(torch.get_num_threads())
        if self.seed == 1:
            raise RuntimeError("on purpose")
        return original(self, *arguments)

    monkeypatch.setattr(Experiment, "run", watched)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        sweeps.run([BASE], records=tmp_path, jobs=1)
        assert torch.get_num_threads() == 2
        with pytest.raises(RuntimeError, match="on purpose"):
            sweeps.run([BASE.but(seed=1)], records=tmp_path, jobs=1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert during == [1, 1]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_same_call_runs_on_a_dask_cluster(singles, tmp_path):
    """A real cluster: a scheduler and two worker processes."""
    joblib = pytest.importorskip("joblib")
    distributed = pytest.importorskip("distributed")
    points = [run.experiment for run in singles]
    cluster = distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        local_directory=tmp_path,
    )
    with cluster, distributed.Client(cluster) as client:
        client.wait_for_workers(2, timeout=60)
        idle = client.run(lambda: "lrcourse.training" in sys.modules)
        with joblib.parallel_config(backend="dask"):
            runs = sweeps.run(points, records=tmp_path / "singles", device="cpu")
            stacked = sweeps.run(points, records=tmp_path / "stacks", device="cpu", stack=3)
        worked = client.run(lambda: "lrcourse.training" in sys.modules)
    assert list(idle.values()) == [False, False]
    assert list(worked.values()) == [True, True]
    assert_equal_runs(singles, runs)
    assert_equal_runs(singles, stacked, within=1e-5)
    assert Records(tmp_path / "singles").keys() == {point.key for point in points}


@pytest.mark.slow
def test_a_backend_that_gives_its_results_all_at_the_end(singles, tmp_path):
    """As Ray's does: joblib refuses to stream from it."""

    class AtTheEnd(joblib.parallel.LokyBackend):
        supports_return_generator = False

    joblib.parallel.register_parallel_backend("at-the-end", AtTheEnd)
    points = [run.experiment for run in singles]
    with joblib.parallel_config(backend="at-the-end", n_jobs=2):
        assert_equal_runs(singles, sweeps.run(points, records=tmp_path, device="cpu"))


@pytest.mark.parametrize(
    ("jobs", "configured", "expected"),
    [(None, None, -1), (None, 1, None), (None, 3, None), (2, 3, 2)],
)
def test_how_many_processes(tmp_path, monkeypatch, jobs, configured, expected):
    """One per core, unless the argument or an active joblib configuration says otherwise."""
    asked = []

    class Parallel(joblib.Parallel):
        def __init__(self, n_jobs=None, **options):
            asked.append(n_jobs)
            super().__init__(n_jobs=1, **options)

    monkeypatch.setattr(joblib, "Parallel", Parallel)
    points = sweeps.grid(BASE, seed=range(2))
    around = joblib.parallel_config(n_jobs=configured) if configured else contextlib.nullcontext()
    with around:
        sweeps.run(points, records=tmp_path, jobs=jobs, device="cpu")
    assert asked == [expected]
