"""What goes wrong in a sweep: said with the experiment and the folder, and nothing is lost."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest

from lrcourse import schedules as s
from lrcourse import sweeps
from lrcourse.support.names import find_function
from lrcourse.sweeps import Experiment, Records, RunFailed

BASE = Experiment(
    images=64, model="mlp", model_options={"depth": 1, "width": 1}, epochs=1, evaluate=None
)


@pytest.fixture
def shapes(tmp_path, monkeypatch):
    """A module whose functions end a run in several ways, once in a seed."""
    folder = tmp_path / "shapes"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (folder / "ending_shapes.py").write_text(
        textwrap.dedent("""
            import os, signal, sys

            def fails(t):
                if t > 2:
                    raise KeyError("no such thing")
                return 1.0

            def fails_at_once(t):
                raise KeyError("no such thing")

            def leaves(t):
                return 1.0 if t < 3 else sys.exit("enough")

            def leaves_at_once(t):
                sys.exit(0)

            class Ended(BaseException):
                pass

            def ends(t):
                if t > 2:
                    raise Ended
                return 1.0

            def is_stopped(t):
                if t > 2:
                    raise KeyboardInterrupt
                return 1.0

            def measures(seed):
                sys.exit(3)

            def kills(t):
                if t > 2:
                    os.kill(os.getpid(), signal.SIGKILL)
                return 1.0
        """)
    )
    yield lambda name: s.from_function(f"ending_shapes:{name}")
    sys.modules.pop("ending_shapes", None)


# -- before the first training ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": -1}, "epochs must be a whole number >= 1"),
        ({"images": 0}, "images must be a whole number >= 1"),
        ({"images": 10**5}, "from 1 to 1344"),
        ({"batch_size": 65}, "batch_size 65 is larger than the training set of 64 images"),
        ({"valid": 1344}, "leave at least one"),
        ({"valid": 1.5}, "valid must be a count"),
        ({"when": "week"}, "when must be one of 'update', 'epoch'"),
        ({"evaluate": "often"}, "evaluate must be"),
        ({"data": "imagenet"}, "data must be one of 'digits'"),
        ({"model": "transformer"}, r"name must be one of .*; got 'transformer'"),
        ({"model_options": {"depth": 2}}, "mlp needs width"),
        ({"model_options": {"depth": 2, "width": 4, "height": 1}}, "height"),
        ({"optimizer": "sgdd"}, "sgdd"),
        ({"optimizer_options": {"momentun": 0.9}}, "momentun"),
        ({"schedule": s.plateau(), "valid": 0.5, "evaluate": "end"}, "plateau watches valid_loss"),
    ],
)
def test_a_spec_that_cannot_be_run_is_refused_before_the_first_training(tmp_path, change, message):
    points = [BASE, BASE.but(seed=1), BASE.but(seed=2, **change)]
    with pytest.raises((ValueError, TypeError), match=message) as told:
        sweeps.run(points, records=tmp_path, jobs=1, device="cpu")
    name = next(iter(change))
    assert f"{name}={getattr(points[2], name)!r}" in str(told.value)
    assert "seed=2" in str(told.value)
    assert Records(tmp_path).keys() == set()


def test_a_folder_that_cannot_be_written_is_told_before_the_first_training(tmp_path, monkeypatch):
    monkeypatch.setattr(Experiment, "run", None)
    (tmp_path / "a file").write_text("mine")
    for folder in (tmp_path / "a file", tmp_path / "a file" / "below"):
        with pytest.raises(OSError, match=r"records cannot be written into .*a file.*records="):
            sweeps.run(BASE, records=folder, jobs=1)
    assert (tmp_path / "a file").read_text() == "mine"


# -- in a run ---------------------------------------------------------------------------------


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_in_a_run_names_it_and_the_folder(tmp_path, shapes, jobs):
    points = [BASE, BASE.but(seed=1), BASE.but(seed=2, schedule=shapes("fails"), batch_size=8)]
    with pytest.raises(RunFailed) as told:
        sweeps.run(points, records=tmp_path / "r", jobs=jobs, device="cpu")
    text = str(told.value)
    assert "schedule=from_function('ending_shapes:fails')" in text and "seed=2" in text
    assert "KeyError: 'no such thing'" in text
    assert f"Finished runs are kept in {tmp_path / 'r'}; the same call goes on from there" in text
    assert len(sweeps.run(points[:2], records=tmp_path / "r", jobs=1, device="cpu")) == 2


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("fails_at_once", "KeyError: 'no such thing'"),
        ("leaves", "SystemExit: enough"),
        ("leaves_at_once", "SystemExit: 0"),
        ("ends", "Ended"),
    ],
)
def test_a_function_cannot_end_the_sweep_without_a_word(tmp_path, shapes, name, told, jobs):
    points = [BASE, BASE.but(seed=1), BASE.but(seed=2, schedule=shapes(name), batch_size=8)]
    with pytest.raises(RunFailed) as error:
        sweeps.run(points, records=tmp_path / "r", jobs=jobs, device="cpu")
    text = str(error.value)
    assert f"schedule=from_function('ending_shapes:{name}')" in text and "seed=2" in text
    assert f"failed: {told}. Finished runs are kept in {tmp_path / 'r'}" in text


def test_an_interruption_stays_one(tmp_path, shapes):
    points = [BASE, BASE.but(schedule=shapes("is_stopped"), batch_size=8)]
    with pytest.raises(KeyboardInterrupt):
        sweeps.run(points, records=tmp_path, jobs=1, device="cpu")
    assert Records(tmp_path).keys() == {BASE.key}


def test_a_measurement_cannot_end_the_process(shapes):
    function = find_function(shapes("measures").f)
    with pytest.raises(RuntimeError, match=r"called sys\.exit\(3\) for seed 5"):
        sweeps.over_seeds(function, [5], jobs=1)


def test_one_bad_run_costs_no_other_of_its_stack(tmp_path, shapes):
    base = BASE.but(batch_size=8)
    points = [base, base.but(schedule=shapes("ends")), *sweeps.grid(base, seed=range(1, 4))]
    for _ in range(2):
        with pytest.raises(RunFailed, match=r"ending_shapes:ends.*failed: Ended"):
            sweeps.run(points, records=tmp_path, jobs=1, device="cpu", stack=5)
        assert Records(tmp_path).keys() == {one.key for k, one in enumerate(points) if k != 1}


def test_a_stack_that_cannot_be_trained_is_trained_one_by_one(tmp_path, monkeypatch):
    monkeypatch.setattr(
        sweeps.stacks, "train", lambda *_: (_ for _ in ()).throw(RuntimeError("no such kernel"))
    )
    points = sweeps.grid(BASE, seed=range(3))
    assert len(sweeps.run(points, records=tmp_path, jobs=1, device="cpu", stack=3)) == 3


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_worker_that_is_killed_is_told_with_what_was_kept(tmp_path, shapes):
    points = [*sweeps.grid(BASE, seed=range(4)), BASE.but(schedule=shapes("kills"), batch_size=8)]
    with pytest.raises(RunFailed) as told:
        sweeps.run(points, records=tmp_path / "r", jobs=2, device="cpu")
    text = str(told.value)
    assert "the sweep ended before" in text and "of its 5 runs" in text
    assert f"Finished runs are kept in {tmp_path / 'r'}" in text
    done = len(Records(tmp_path / "r").keys())
    runs = sweeps.run(points[:4], records=tmp_path / "r", jobs=2, device="cpu")
    assert done <= 4 == len(runs)


def test_a_full_disk_is_told_with_what_was_kept(tmp_path, monkeypatch):
    points, fsync, calls = sweeps.grid(BASE, seed=range(4)), os.fsync, []

    def full(fd):
        calls.append(fd)
        if len(calls) > 2:
            raise OSError(28, "No space left on device")
        fsync(fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(RunFailed, match=r"seed=2\).*No space left on device.*are kept in"):
            sweeps.run(points, records=tmp_path, jobs=1, device="cpu")
    assert Records(tmp_path).keys() == {one.key for one in points[:2]}
    assert len(sweeps.run(points, records=tmp_path, jobs=1, device="cpu")) == 4


# -- workers that share memory ----------------------------------------------------------------


@pytest.mark.parametrize(
    "config",
    [{"backend": "threading", "n_jobs": 4}, {"prefer": "threads"}, {"require": "sharedmem"}],
    ids=["threading", "prefer threads", "shared memory"],
)
def test_threads_give_what_single_runs_give(tmp_path, config):
    points = sweeps.grid(BASE.but(model_options={"depth": 2, "width": 8}), seed=range(8))
    alone = sweeps.run(points, records=tmp_path / "alone", jobs=1, device="cpu")
    with joblib.parallel_config(**config):
        runs = sweeps.run(points, records=tmp_path / "threads", jobs=None, device="cpu")
    for one, other in zip(alone, runs, strict=True):
        np.testing.assert_array_equal(one.history.loss, other.history.loss)


def test_sweeps_in_threads_of_the_users_own_give_the_same(tmp_path):
    points = sweeps.grid(BASE.but(model_options={"depth": 2, "width": 8}), seed=range(8))
    alone = sweeps.run(points, records=tmp_path / "alone", jobs=1, device="cpu")

    def one(point):
        return sweeps.run(point, records=tmp_path / "threads", jobs=1, device="cpu")[0]

    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(one, points))
    for one, other in zip(alone, runs, strict=True):
        np.testing.assert_array_equal(one.history.loss, other.history.loss)


# -- a process that dies ----------------------------------------------------------------------

SWEEP = """
    import os, sys
    from pathlib import Path
    from lrcourse import schedules as s, sweeps
    base = sweeps.Experiment(
        images=64, model="mlp", model_options={{"depth": 1, "width": 1}}, epochs=1, evaluate=None,
        batch_size=8, schedule=s.from_function("slow_shape:f"),
    )
    points = sweeps.grid(base, seed=range({runs}))
    sweeps.run(
        points, records={folder!r}, jobs={jobs}, device="cpu", progress=False, stack=1
    )
"""


@pytest.fixture
def slowly(tmp_path):
    """Start a sweep whose runs take their time and leave the number of their process."""
    (tmp_path / "slow_shape.py").write_text(
        textwrap.dedent(f"""
            import os, time

            def f(t):
                open(os.path.join({str(tmp_path)!r}, f"pid-{{os.getpid()}}"), "w").close()
                time.sleep(0.05)
                return 1.0
        """)
    )
    started = []

    def start(jobs, runs):
        code = textwrap.dedent(SWEEP.format(jobs=jobs, runs=runs, folder=str(tmp_path / "r")))
        env = os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
        started.append(subprocess.Popen([sys.executable, "-c", code], env=env))
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.wait()


def wait_until(true, seconds=300):
    """The limit is for a fault alone: a machine that is busy may take its time."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:  # one that has ended and was not waited for, where nobody adopts orphans
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_workers_end_with_the_process_that_started_them(tmp_path, slowly):
    parent = slowly(jobs=2, runs=200)
    wait_until(lambda: len(Records(tmp_path / "r").keys()) >= 2)
    workers = {int(one.name.partition("-")[2]) for one in tmp_path.glob("pid-*")} - {parent.pid}
    assert workers
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not any(map(is_running, workers)))
    kept = Records(tmp_path / "r").keys()
    assert len(kept) < 100, "they went on without their parent"
    time.sleep(0.5)
    assert Records(tmp_path / "r").keys() == kept


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_sweep_that_was_killed_goes_on_with_what_is_missing(tmp_path, slowly, how):
    child = slowly(jobs=1, runs=12)
    wait_until(lambda: len(Records(tmp_path / "r").keys()) >= 2)
    child.send_signal(how)
    assert child.wait(300) != 0
    store = Records(tmp_path / "r")
    kept = {one.stem: one.stat().st_mtime_ns for one in map(store.path, store.keys())}
    assert 2 <= len(kept) < 12
    assert slowly(jobs=1, runs=12).wait(300) == 0
    assert len(store.keys()) == 12
    assert all(store.path(key).stat().st_mtime_ns == then for key, then in kept.items())
    assert len(sweeps.load(store.folder)) == 12
