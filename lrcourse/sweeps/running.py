"""Many runs: grids of experiments, run side by side, each kept as soon as it is finished."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lrcourse.data import DataError
from lrcourse.schedules.base import Schedule
from lrcourse.support.checks import (
    COUNT,
    COUNT_FROM_1,
    FLAG,
    PATH,
    arguments,
    each,
    function,
    optional,
)
from lrcourse.sweeps import stacks
from lrcourse.sweeps.committed import note_asked, stored_run
from lrcourse.sweeps.experiment import Experiment
from lrcourse.sweeps.grids import arms_rule, experiments_rule, grid
from lrcourse.sweeps.records import Records
from lrcourse.sweeps.resuming import AT_ONCE, Done, RunFailed, finished, naming, run_failed
from lrcourse.sweeps.rules import device_rule
from lrcourse.sweeps.runs import Run, Runs
from lrcourse.sweeps.source_code import StaleCode
from lrcourse.sweeps.workers import JOBS, alone, processes_here, side_by_side
from lrcourse.training.arguments import check_batch
from lrcourse.training.history import History


@arguments(
    experiments=experiments_rule,
    records=optional(PATH),
    jobs=optional(JOBS),
    device=optional(device_rule),
    stack=optional(COUNT_FROM_1),
    progress=optional(FLAG),
)
def run(
    experiments: Experiment | Iterable[Experiment],
    *,
    records: str | Path | None = None,
    jobs: int | None = None,
    device: str | torch.device | None = None,
    stack: int | None = None,
    progress: bool | None = None,
) -> Runs:
    """Run what has no record yet, keep each run as soon as it is finished, return them all.

    Inside of a block of `evidence`, what the repository holds counts as a record.

    Args:
        experiments: one or any number; equal ones are run once.
        records: the folder; default `$LRCOURSE_RECORDS`, else the cache folder.
        jobs: processes side by side on the CPU, each with one thread; default: the backend and
            count of an active `joblib.parallel_config`, else one per core. Where its workers are
            threads of this process, the runs follow one another.
        device: "cpu" or "cuda"; default: CUDA where there is one. On CUDA everything runs in this
            process.
        stack: how many runs of one shape are trained as one (see `lrcourse.sweeps.stacks`).
            Default: 64 on CUDA; on the CPU 8 to 16 small dense nets where each process gets as many
            and the stack has the bits of runs alone, else 1.
        progress: a bar that shows how many runs are left; None decides by itself.

    A killed sweep loses the runs that were under way; the next call runs only what is missing.
    On the CPU a run gives the same numbers however it is started; one in a stack that was asked for
    gives them within rounding.

    A damaged record that cannot be set aside is warned of, and its run is made at each call.

    Raises:
        ValueError, TypeError: an experiment that cannot be run, before the first training.
        OSError: a folder that cannot be written, before the first training.
        StaleCode: a module was edited after it was imported.
        RunFailed: an error in a run or `sys.exit` there, a worker that was killed, a full disk: it
            names the experiment and the folder. Finished runs are kept, and the next call goes on.

    Example:
        >>> import tempfile
        >>> from lrcourse import sweeps
        >>> small = {"model": "mlp", "model_options": {"depth": 1, "width": 1}}
        >>> base = sweeps.Experiment(images=64, epochs=1, **small)
        >>> folder = tempfile.mkdtemp()
        >>> sweeps.run(sweeps.grid(base, seed=range(2)), records=folder, jobs=1, device="cpu")
        <2 runs>
    """
    experiments = experiments_rule("run", "experiments", experiments)
    store = Records(records)

    def read(key: str) -> History | None:
        found = store.read_run(key) or stored_run(key)
        return found[1] if found else None

    with naming(store.folder):
        wanted = {experiment.key: experiment for experiment in experiments}
    note_asked(wanted)
    histories = finished(
        wanted.values(),
        store,
        read=read,
        understand=History.from_dict,
        start=lambda missing: _run_missing(missing, store, jobs, device, stack),
        told=Experiment.short,
        check=lambda missing: _check(missing, store.folder),
        progress=progress,
    )
    return Runs(Run(experiment, histories[experiment.key]) for experiment in experiments)


@arguments(arms=arms_rule, seeds=each(COUNT))
def run_arms(
    arms: Mapping[str, Experiment], *, seeds: Iterable[int], **options: Any
) -> dict[str, Runs]:
    """Run several `arms` over the same `seeds`, all side by side; the runs of each arm by its name.

    `options` go to `run`.

    Example:
        >>> import tempfile
        >>> from lrcourse import sweeps
        >>> small = {"model": "mlp", "model_options": {"depth": 2, "width": 16}}
        >>> base = sweeps.Experiment(images=640, epochs=5, **small)
        >>> arms = {"low": base.but(lr=1e-5), "high": base.but(lr=0.3)}
        >>> options = {"records": tempfile.mkdtemp(), "jobs": 1, "device": "cpu"}
        >>> sweeps.run_arms(arms, seeds=range(2), **options)
        {'low': <2 runs>, 'high': <2 runs>}
    """
    points = {name: grid(arm, seed=seeds) for name, arm in arms.items()}
    return run_parts(points, **options)


def run_parts(parts: Mapping[str, list[Experiment]], **options: Any) -> dict[str, Runs]:
    """Run the experiments of several parts all side by side; the runs of each by its name."""
    done = iter(run([point for part in parts.values() for point in part], **options))
    return {name: Runs(next(done) for _ in part) for name, part in parts.items()}


@arguments(experiments=experiments_rule, until=function)
def downward(
    experiments: Iterable[Experiment], until: Callable[[Run], bool], **options: Any
) -> Runs:
    """Run a sweep from its highest rates down, each part of it until a run is good enough.

    Experiments that are alike but for `lr` belong together: one arm with one seed, say. All of
    these parts go on side by side, a rate at a time; where `until(run)` is true, the lower rates
    are left out. So "which is the largest rate that ..." gets the whole sweep's answer for fewer
    runs: `largest_by_seed(downward(grid(...), until=trains))`.

    Args:
        experiments: as from `grid`.
        until: is asked once for each finished run.
        options: for `run`.

    Returns:
        The runs that were made, in the order of `experiments`.

    Example:
        >>> import tempfile
        >>> from lrcourse import sweeps
        >>> small = {"model": "mlp", "model_options": {"depth": 2, "width": 16}}
        >>> base = sweeps.Experiment(images=640, epochs=5, **small)
        >>> points = sweeps.grid(base, lr=[1e-5, 0.1, 1e30], seed=range(2))
        >>> options = {"records": tempfile.mkdtemp(), "jobs": 1, "device": "cpu"}
        >>> sweeps.downward(points, until=sweeps.trains, **options)
        <4 runs, 2 diverged>
    """
    experiments = list(experiments)
    parts: dict[str, list[Experiment]] = {}
    for one in sorted(experiments, key=lambda one: -one.lr):
        parts.setdefault(one.but(lr=1.0).key, []).append(one)
    done: dict[str, Run] = {}
    left = [iter(part) for part in parts.values()]
    while level := [(one, part) for part in left if (one := next(part, None))]:
        finished = run([one for one, _ in level], **options)
        done |= {one.experiment.key: one for one in finished}
        left = [part for (_, part), one in zip(level, finished, strict=True) if not until(one)]
    return Runs(done[one.key] for one in experiments if one.key in done)


def _check(experiments: Iterable[Experiment], folder: Path) -> None:
    """See that all of them can be run: their names and numbers, and those of their images."""
    sizes: dict[tuple[str, float, int | None, int], int] = {}
    tried = set()
    for one in experiments:
        one.check()
        which = one.data, one.valid, one.images, one.split
        try:
            if isinstance(one.schedule, Schedule) and one.schedule not in tried:
                spec = one.to_dict()
                one.schedule(np.arange(3))
                one.check_still(spec)
                tried.add(one.schedule)
            if which not in sizes:
                sizes[which] = len(one.load_data("cpu").train)
            check_batch(one.batch_size, sizes[which])
        except (DataError, ImportError):  # not here, but maybe where the runs will be
            continue
        except (StaleCode, KeyboardInterrupt):
            raise
        except (TypeError, ValueError) as problem:
            kind = TypeError if isinstance(problem, TypeError) else ValueError
            raise kind(f"{problem} (in {one.short()})") from None
        except BaseException as problem:  # of a function of the user's, which may end the process
            raise _run_failed(one, problem, folder) from problem


def _run_missing(
    missing: Mapping[str, Experiment],
    store: Records,
    jobs: int | None,
    device: str | torch.device | None,
    stack: int | None,
) -> Iterator[Done]:
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    on_gpu = device.type != "cpu"
    keys = {one: key for key, one in missing.items()}
    processes = None if on_gpu or stack else processes_here(jobs)
    if processes:
        groups = stacks.group_for_cpu(missing.values(), processes)
    else:
        largest = stack or (stacks.LARGEST if on_gpu else 1)
        groups = stacks.group_by_shape(missing.values(), largest=largest)
    rest = store.folder, str(device), frozenset(store.stuck)
    calls = [(run_and_keep, ({keys[one]: one for one in group}, *rest)) for group in groups]
    for done in side_by_side(calls, 1 if on_gpu else jobs):
        yield from done


def run_and_keep(
    group: Mapping[str, Experiment], folder: Path, device: str, stuck: frozenset[str]
) -> list[Done]:
    """In a worker: train with one thread, write the records, send them back as plain data.

    Args:
        group: experiments by the keys that the process which asks has for them.
        folder: of the records.
        stuck: keys that get no record, for a damaged one lies there that cannot be moved.
    """
    done: list[Done] = []

    def keep(key: str, history: History) -> None:
        if history.interrupted:
            raise KeyboardInterrupt  # half a run is no record
        record = history.to_dict()
        if key not in stuck:
            try:
                Records(folder).write(key, history.provenance["spec"], record)
            except OSError as problem:
                raise _run_failed(group[key], problem, folder) from problem
        done.append((key, record))

    with alone():
        if stale := [one for key, one in group.items() if one.key != key]:
            raise StaleCode(
                f"this process holds other code for {stale[0].short()} than the one that asks:"
                " a module was edited; reload it there, or start Python anew"
            )
        if len(group) > 1:
            keys = iter(group)
            try:
                for _, histories in stacks.finished(group.values(), device, largest=len(group)):
                    for history in histories:
                        keep(next(keys), history)
            except AT_ONCE:
                raise
            except BaseException:  # no other member is to be lost by it: each is now tried alone
                pass
        failures = []
        for key in list(group)[len(done) :]:
            try:
                keep(key, group[key].run(device))
            except AT_ONCE:
                raise
            except BaseException as problem:  # sys.exit in a function of the user's, too
                failures.append((group[key], problem))
    if failures:
        one, problem = failures[0]
        raise _run_failed(one, problem, folder) from problem
    return done


def _run_failed(one: Experiment, problem: BaseException, folder: Path) -> RunFailed:
    return run_failed(one.short(), problem, folder)
