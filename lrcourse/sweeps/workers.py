"""Work side by side on the CPU: processes with one thread each, and a measurement over seeds."""

from __future__ import annotations

import contextlib
import inspect
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import torch

from lrcourse.support import progress as bars
from lrcourse.support.checks import COUNT, FLAG, Number, arguments, each, optional, shown
from lrcourse.sweeps import user_code
from lrcourse.sweeps.source_code import StaleCode

T = TypeVar("T")
JOBS = Number("a whole number of processes, or -1 for one per core", lambda n: n != 0, whole=True)

# torch's random numbers and its count of threads belong to the process: one run in it at a time.
_turn = threading.RLock()
_here = threading.local()
_born_to = os.getppid()
_watching = False


def something_to_call(owner: str, name: str, value: object) -> Any:
    """Rule: a function, or anything else that can be called, a class such as float."""
    try:
        inspect.signature(value).bind(0)  # pyright: ignore  # what cannot be called: TypeError
    except ValueError:  # a function of C that tells no signature
        return value
    except TypeError as problem:
        raise TypeError(
            f"{owner}: {name} must be a function of a seed; got {shown(value)} ({problem})"
        ) from None
    return value


@arguments(
    function=something_to_call,
    seeds=each(COUNT, least=0),
    jobs=optional(JOBS),
    progress=optional(FLAG),
)
def over_seeds(
    function: Callable[[int], T],
    seeds: Iterable[int],
    *,
    jobs: int | None = None,
    progress: bool | None = None,
) -> dict[int, T]:
    """`{seed: function(seed)}`, in the order of the seeds, computed side by side on the CPU.

    For what is measured inside a training, where a record of the run does not say enough; whole
    runs are a matter for `run`, which also keeps them. The function may be one of a notebook. It
    and what it uses travel to the processes, so both the function and its values have to pickle.
    torch has one thread while it runs, and its random state starts from the seed, wherever that
    is; this process's own random state is left as it was. With a backend whose workers are threads
    of this process the seeds follow one another, for threads share torch's random state.

    Args:
        function: from a seed to any value.
        seeds: whole numbers; equal ones are computed once.
        jobs: as for `run`.
        progress: a bar that shows how many seeds are left; None decides by itself.

    Raises:
        StaleCode: a module was edited after it was imported, so that this process and a new one
            would not run the same.
        RuntimeError: the function called `sys.exit`. An error of its own passes through.

    Example:
        >>> from lrcourse import sweeps
        >>> sweeps.over_seeds(float, [3, 1], jobs=1)
        {3: 3.0, 1: 1.0}
    """
    seeds = list(dict.fromkeys(seeds))
    code = user_code.loaded(function)
    calls = [(_with_seed, (function, code, seed)) for seed in seeds]
    work = side_by_side(calls, jobs)
    done = dict(bars.bar(work, total=len(seeds), label="seed", progress=progress))
    return {seed: done[seed] for seed in seeds}


def side_by_side(
    calls: list[tuple[Callable[..., T], tuple[Any, ...]]], jobs: int | None
) -> Iterator[T]:
    """The values of calls `(function, arguments)`, each given as soon as it is there.

    With one call or one job everything happens in this process, and so it does where the workers
    would share its memory. `jobs=None` asks an active `joblib.parallel_config` first, then takes
    one process for each core. Processes that live on and hold an older version of the user's code
    are replaced once.
    """
    if jobs == 1 or len(calls) == 1:
        for function, arguments in calls:
            yield function(*arguments)
        return
    try:
        import joblib
        from joblib.externals.loky import get_reusable_executor
        from joblib.externals.loky.process_executor import BrokenProcessPool, TerminatedWorkerError
    except ImportError as missing:
        raise ImportError("work side by side needs joblib: pip install joblib") from missing

    backend, asked = joblib.parallel.get_active_backend()
    if getattr(_here, "inside", False):
        jobs = 1
    elif jobs is None and asked is None:
        jobs = -1
    if jobs == 1 or getattr(backend, "supports_sharedmem", False):
        for function, arguments in calls:
            yield function(*arguments)
        return
    # Ray's backend, for one, gives its results all at the end; others on the way.
    streams = getattr(backend, "supports_return_generator", False)
    left = dict(enumerate(calls))
    for is_last_try in (False, True):
        work = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered" if streams else "list")
        tasks = [joblib.delayed(_as_worker)(k, *call) for k, call in left.items()]
        try:
            results: Any = work(tasks)
            for k, value in results:
                del left[k]
                yield value
            return
        except TerminatedWorkerError:
            raise
        except (StaleCode, BrokenProcessPool):  # the latter where a worker lacks a new function
            if is_last_try:
                raise
            get_reusable_executor().shutdown(wait=True)


def processes_here(jobs: int | None) -> int | None:
    """How many processes `side_by_side` would use; None where they may be on other machines."""
    import joblib

    backend, asked = joblib.parallel.get_active_backend()
    if getattr(_here, "inside", False) or getattr(backend, "supports_sharedmem", False):
        return 1
    if not isinstance(backend, joblib.parallel.BACKENDS["loky"]):
        return None
    wanted = asked if jobs is None else jobs
    return joblib.effective_n_jobs(wanted if isinstance(wanted, int) else -1)


def jobs_asked_for(jobs: int | None) -> int | None:
    """`jobs` as given; without it None where a `joblib.parallel_config` is active, else 1."""
    if jobs is not None:
        return jobs
    try:
        import joblib
    except ImportError:
        return 1
    backend, asked = joblib.parallel.get_active_backend()
    is_default = asked is None and isinstance(backend, joblib.parallel.BACKENDS["loky"])
    return 1 if is_default else None


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One run at a time in this process, with one thread for torch's arithmetic on the CPU."""
    with _turn:
        before, outer = torch.get_num_threads(), getattr(_here, "inside", False)
        torch.set_num_threads(1)
        # What starts in a thread while it has the turn must not wait for other threads to get it.
        _here.inside = threading.current_thread() is not threading.main_thread()
        try:
            yield
        finally:
            _here.inside = outer
            torch.set_num_threads(before)


def _as_worker(k: int, function: Callable[..., T], arguments: tuple[Any, ...]) -> tuple[int, T]:
    """A call in a process of its own, which ends when the one that asked has died."""
    _end_with_parent()
    return k, function(*arguments)


def _end_with_parent() -> None:
    global _watching
    if multiprocessing.parent_process() is None or os.name != "posix":
        return
    if _is_orphan():
        os._exit(1)
    if not _watching:
        _watching = True
        threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    while not _is_orphan():
        time.sleep(0.5)
    os._exit(1)  # a record is whole or not there, so this may come at any moment


def _is_orphan() -> bool:
    parent = multiprocessing.parent_process()
    if parent is None or parent.pid is None or os.getppid() == parent.pid:
        return False
    try:
        os.kill(parent.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return os.getppid() != _born_to  # dead, and still to be waited for


def _with_seed(function: Callable[[int], T], code: str, seed: int) -> tuple[int, T]:
    with alone(), bars.silent(), torch.random.fork_rng(devices=[]):
        if code and user_code.loaded(function) != code:
            raise StaleCode(
                "this process holds another version of the function, or of what it calls, than "
                "the one that asks: a module was edited; reload it there, or start Python anew"
            )
        torch.default_generator.manual_seed(seed)
        try:
            return seed, function(seed)
        except SystemExit as end:
            raise RuntimeError(
                f"over_seeds: the function called sys.exit({end.code!r}) for seed {seed}: it must "
                "return a value or raise an error"
            ) from end
