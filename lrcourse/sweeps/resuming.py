"""Finish what has no record yet, whatever is run: the engine behind `sweeps.run` and `sweeps.tune`.

A job has a key. What is finished under it is read, what is missing is started, and whatever ends
in an error is named together with the folder in which the finished runs lie.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from lrcourse.support import progress as bars
from lrcourse.sweeps.records import Records
from lrcourse.sweeps.source_code import StaleCode


class Named(Protocol):
    """Something to run."""

    @property
    def key(self) -> str:
        """The name of its record."""
        ...


Job = TypeVar("Job", bound=Named)
Result = TypeVar("Result")
Done = tuple[str, dict[str, Any]]  # a key and what its record holds, as plain data


class RunFailed(RuntimeError):
    """A run of a sweep ended in an error; what was finished before is kept."""


AT_ONCE = (StaleCode, KeyboardInterrupt, RunFailed)  # no fault of one run: they end the sweep


def finished(
    wanted: Iterable[Job],
    store: Records,
    *,
    read: Callable[[str], Result | None],
    understand: Callable[[dict[str, Any]], Result],
    start: Callable[[Mapping[str, Job]], Iterable[Done]],
    told: Callable[[Job], str],
    check: Callable[[Iterable[Job]], None] = lambda jobs: None,
    progress: bool | None = None,
) -> dict[str, Result]:
    """What every job gave, by its key: read where it is there, else started and kept.

    Args:
        wanted: the jobs; those with the same key are one.
        store: where their records lie.
        read: what the record under a key says, or None.
        understand: what a job that was started says, from what its record holds.
        start: starts the jobs that are missing, keeps each as soon as it is finished, and gives it.
        told: a job in a message.
        check: raises where one of the missing jobs cannot be run, before the first is started.
        progress: a bar that shows how many are left; None decides by itself.
    """
    with naming(store.folder):
        jobs = {job.key: job for job in wanted}
        found = {key: result for key in jobs if (result := read(key)) is not None}
        missing = {key: job for key, job in jobs.items() if key not in found}
        check(missing.values())
        if not missing.keys() <= store.stuck:
            store.check_writable()
        done = start(missing) if missing else ()
        try:
            for key, record in bars.bar(done, total=len(missing), label="run", progress=progress):
                found[key] = understand(record)
        except (RunFailed, StaleCode, ImportError):
            raise
        except Exception as problem:
            left = [job for key, job in missing.items() if key not in found]
            raise RunFailed(
                f"the sweep ended before {len(left)} of its {len(missing)} runs, {told(left[0])} "
                f"among them: {type(problem).__name__}: {problem}. {kept(store.folder)}"
            ) from problem
    return found


@contextlib.contextmanager
def naming(folder: Path) -> Iterator[None]:
    """Around work with records in the folder: the error of an edited module names it."""
    try:
        yield
    except StaleCode as problem:
        raise StaleCode(f"{problem}. {kept(folder)}") from None


def run_failed(told: str, problem: BaseException, folder: Path) -> RunFailed:
    """The error of a run, which is told in words."""
    what = f"{type(problem).__name__}: {problem}" if str(problem) else type(problem).__name__
    return RunFailed(f"{told} failed: {what}. {kept(folder)}")


def kept(folder: Path) -> str:
    """What is said of the finished runs after an error."""
    return f"Finished runs are kept in {folder}; the same call goes on from there"
