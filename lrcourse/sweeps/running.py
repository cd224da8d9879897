"""Many runs: grids of experiments, run side by side, each kept as soon as it is finished."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lrcourse.support import progress as bars
from lrcourse.sweeps.experiment import Experiment
from lrcourse.sweeps.records import Records
from lrcourse.sweeps.workers import each, one_thread, over_seeds
from lrcourse.training.history import History

if TYPE_CHECKING:
    import pandas

__all__ = [
    "Experiment",
    "Run",
    "Runs",
    "downward",
    "grid",
    "load",
    "log_space",
    "over_seeds",
    "run",
    "run_arms",
]


def log_space(low: float, high: float, count: int) -> list[float]:
    """``count`` numbers from ``low`` to ``high`` at equal ratios, both ends exact."""
    if not (0 < low < high < float("inf")):
        raise ValueError(f"log_space needs 0 < low < high, not low={low!r}, high={high!r}")
    if count < 2:
        raise ValueError(f"log_space needs a count of 2 or more, not {count!r}")
    inner = np.exp(np.linspace(np.log(low), np.log(high), count)).tolist()
    # three more digits than a float32 holds: the same numbers on every machine
    return [float(low), *(float(f"{value:.10g}") for value in inner[1:-1]), float(high)]


def grid(base: Experiment, **axes: Iterable[Any]) -> list[Experiment]:
    """Every combination of the values in ``axes``, the last axis running fastest.

    ``grid(base, lr=log_space(1e-3, 1, 13), seed=range(10))`` gives 130 experiments.
    """
    values = {name: list(axis) for name, axis in axes.items()}
    empty = [name for name, axis in values.items() if not axis]
    if empty:
        raise ValueError(f"no values for {', '.join(empty)}: the grid would be empty")
    return [
        base.but(**dict(zip(values, point, strict=True)))
        for point in itertools.product(*values.values())
    ]


@dataclass(frozen=True, eq=False)
class Run:
    """An experiment and what it gave."""

    experiment: Experiment
    history: History


class Runs(Sequence[Run]):
    """Finished runs, in the order in which they were asked for."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self._runs = list(runs)

    def __len__(self) -> int:
        return len(self._runs)

    def __getitem__(self, index: int | slice) -> Any:
        return Runs(self._runs[index]) if isinstance(index, slice) else self._runs[index]

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def __repr__(self) -> str:
        diverged = sum(run.history.diverged_at is not None for run in self)
        return f"<{len(self)} runs{f', {diverged} diverged' if diverged else ''}>"

    def where(self, **fields: Any) -> Runs:
        """The runs whose experiment has these values: ``runs.where(lr=0.1)``."""
        return Runs(
            run
            for run in self
            if all(getattr(run.experiment, name) == value for name, value in fields.items())
        )

    @property
    def histories(self) -> list[History]:
        """The records alone."""
        return [run.history for run in self]

    def values(self, column: str, epoch: int | None = None) -> dict[int, float]:
        """A column's last value (or its value after ``epoch``, from 1 on) of each run by its seed.

        NaN for a run that diverged before that epoch. ValueError if a seed occurs twice (two arms
        cannot be one sample) or the runs have no such epoch.
        """
        seeds = [run.experiment.seed for run in self]
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed occurs more than once: choose one arm with where(...) first")
        if epoch is None:
            return {run.experiment.seed: run.history.final(column) for run in self}
        return {run.experiment.seed: _after(run, column, epoch) for run in self}

    def frame(self) -> pandas.DataFrame:
        """One row a run: the fields of the experiment, then the last value of each column."""
        import pandas

        return pandas.DataFrame(_row(run.experiment.to_dict(), run.history) for run in self)


def _after(run: Run, column: str, epoch: int) -> float:
    if not 1 <= epoch <= run.experiment.epochs:
        raise ValueError(f"epoch is from 1 to {run.experiment.epochs}, not {epoch!r}")
    values = run.history.epochs[column]
    return float(values[epoch - 1]) if epoch <= len(values) else float("nan")


def run(
    experiments: Experiment | Iterable[Experiment],
    *,
    records: str | Path | None = None,
    jobs: int | None = None,
    device: str | None = None,
    stack: int | None = None,
    progress: bool | None = None,
) -> Runs:
    """Run what has no record yet, keep each run as soon as it is finished, return them all.

    Args:
        experiments: one or any number; equal ones are run once.
        records: the folder; default ``$LRCOURSE_RECORDS``, else the cache folder.
        jobs: processes side by side on the CPU, each with one thread; default: the backend and
            count of an active ``joblib.parallel_config``, else one per core.
        device: "cpu" or "cuda"; default: CUDA where there is one. On CUDA everything runs in this
            process.
        stack: how many runs of one shape are trained as one (see ``lrcourse.sweeps.stacks``).
            Default: 64 on CUDA, 1 on the CPU, where stacks do not pay.
        progress: a bar that shows how many runs are left; None decides by itself.

    A killed sweep loses the runs that were under way; the next call runs only what is missing.
    On the CPU a run gives the same numbers however it is started; a stacked one gives them within
    rounding.
    """
    if stack is not None and (isinstance(stack, bool) or not isinstance(stack, int) or stack < 1):
        raise ValueError(f"stack is a whole number of runs from 1 on, or None, not {stack!r}")
    if isinstance(experiments, Experiment):
        experiments = [experiments]
    experiments = list(experiments)
    store = Records(records)
    wanted = {experiment.key: experiment for experiment in experiments}
    histories = {key: _read(store, key) for key in wanted}
    missing = [experiment for key, experiment in wanted.items() if histories[key] is None]
    done = _run_missing(missing, store.folder, jobs, device, stack)
    for key, record in bars.bar(done, total=len(missing), label="run", progress=progress):
        histories[key] = History.from_dict(record)
    return Runs(Run(experiment, histories[experiment.key]) for experiment in experiments)


def run_arms(
    arms: Mapping[str, Experiment], *, seeds: Iterable[int], **options: Any
) -> dict[str, Runs]:
    """Run several arms over the same seeds, all side by side; the runs of each arm by its name.

    ``options`` go to ``run``.
    """
    seeds = list(seeds)
    points = {name: grid(arm, seed=seeds) for name, arm in arms.items()}
    done = iter(run([point for arm in points.values() for point in arm], **options))
    return {name: Runs(next(done) for _ in arm) for name, arm in points.items()}


def downward(
    experiments: Iterable[Experiment], until: Callable[[Run], bool], **options: Any
) -> Runs:
    """Run a sweep from its highest rates down, each part of it until a run is good enough.

    Experiments that are alike but for ``lr`` belong together: one arm with one seed, say. All of
    these parts go on side by side, a rate at a time; where ``until(run)`` is true, the lower rates
    are left out. So "which is the largest rate that ..." gets the whole sweep's answer for fewer
    runs: ``reading.largest_by_seed(downward(grid(...), until=reading.trains))``.

    Args:
        experiments: as from ``grid``.
        until: is asked once for each finished run.
        options: for ``run``.

    Returns:
        The runs that were made, in the order of ``experiments``.
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


def load(folder: str | Path | None = None) -> pandas.DataFrame:
    """All records of a folder (default as in ``run``), one row each, as ``Runs.frame`` has them.

    The record's name is in the column ``key``. A damaged record is named in a warning and set
    aside.
    """
    import pandas

    store, rows = Records(folder), []
    for key in sorted(store.keys()):
        if record := store.read(key):
            rows.append(_row(record["spec"], History.from_dict(record["history"])) | {"key": key})
    return pandas.DataFrame(rows)


def _row(spec: dict[str, Any], history: History) -> dict[str, Any]:
    """A run in one line: its spec, then the last value of each column."""
    ends = {f"final_{name}": history.final(name) for name in history.epochs}
    told = {"diverged_at": history.diverged_at, "updates": history.updates}
    return spec | ends | told | {"seconds": history.seconds}


def _read(store: Records, key: str) -> History | None:
    record = store.read(key)
    return None if record is None else History.from_dict(record["history"])


def _run_missing(
    missing: list[Experiment],
    folder: Path,
    jobs: int | None,
    device: str | None,
    stack: int | None,
) -> Iterator[tuple[str, dict[str, Any]]]:
    if not missing:
        return
    import torch

    from lrcourse.sweeps import stacks as stacking

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    on_gpu = torch.device(device).type != "cpu"
    stack = stack or (stacking.LARGEST if on_gpu else 1)
    groups = stacking.group_by_shape(missing, largest=stack)
    calls = [(_run_and_keep, (group, folder, device)) for group in groups]
    for done in each(calls, 1 if on_gpu else jobs):
        yield from done


def _run_and_keep(
    group: list[Experiment], folder: Path, device: str
) -> list[tuple[str, dict[str, Any]]]:
    """In a worker: train with one thread, write the records, send them back as plain data."""
    from lrcourse.sweeps import stacks as stacking

    store, done = Records(folder), []
    with one_thread():
        if len(group) == 1:
            finished = [(group, [group[0].run(device)])]
        else:
            finished = stacking.stacks(group, device, largest=len(group))
        for experiments, histories in finished:
            for experiment, history in zip(experiments, histories, strict=True):
                if history.interrupted:
                    raise KeyboardInterrupt  # half a run is no record
                record = history.to_dict()
                store.write(experiment.key, experiment.to_dict(), record)
                done.append((experiment.key, record))
    return done
