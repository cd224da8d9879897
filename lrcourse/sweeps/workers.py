"""Work side by side on the CPU: processes with one thread each, and a measurement over seeds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from lrcourse.support import progress as bars

T = TypeVar("T")


def over_seeds(
    function: Callable[[int], T],
    seeds: Iterable[int],
    *,
    jobs: int | None = None,
    progress: bool | None = None,
) -> dict[int, T]:
    """``{seed: function(seed)}``, in the order of the seeds, computed side by side on the CPU.

    For what is measured inside a training, where a record of the run does not say enough; whole
    runs are a matter for ``run``, which also keeps them. The function may be one of a notebook. It
    and what it uses travel to the processes, so both the function and its values have to pickle.
    torch has one thread while it runs, and its random state starts from the seed, wherever that
    is; this process's own random state is left as it was. (With joblib's threading backend neither
    is so, for threads share both: use processes where the function draws at random.)

    Args:
        function: from a seed to any value.
        seeds: whole numbers; equal ones are computed once.
        jobs: as for ``run``.
        progress: a bar that shows how many seeds are left; None decides by itself.
    """
    seeds = list(dict.fromkeys(seeds))
    calls = [(_with_seed, (function, seed)) for seed in seeds]
    done = dict(bars.bar(each(calls, jobs), total=len(seeds), label="seed", progress=progress))
    return {seed: done[seed] for seed in seeds}


def each(calls: list[tuple[Callable[..., T], tuple]], jobs: int | None) -> Iterator[T]:
    """The values of calls ``(function, arguments)``, each given as soon as it is there.

    With one call or one job everything happens in this process. ``jobs=None`` asks an active
    ``joblib.parallel_config`` first, then takes one process for each core.
    """
    try:
        import joblib
    except ImportError as missing:
        raise ImportError("work side by side needs joblib: pip install joblib") from missing

    backend, asked = joblib.parallel.get_active_backend()
    if len(calls) == 1:
        jobs = 1
    elif jobs is None and asked is None:
        jobs = -1
    # Ray's backend, for one, gives its results all at the end; others on the way.
    streams = getattr(backend, "supports_return_generator", False)
    work = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered" if streams else "list")
    yield from work(joblib.delayed(function)(*arguments) for function, arguments in calls)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch's arithmetic on the CPU; as many as before afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _with_seed(function: Callable[[int], Any], seed: int) -> tuple[int, Any]:
    import torch

    with one_thread(), bars.silent(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return seed, function(seed)
