"""Many runs of one shape trained as one, because a small net leaves most of a GPU idle.

The nets of a stack differ in their rates, schedules and seeds, and so in initial weights and data
order. torch.func maps one update of one net, written with the pure functions of
`lrcourse.optimizers`, over all of them. On a CPU this is slower than one run after another, and
dense nets are trained side by side instead (`dense_stacks`), which pays from four members on.
`benchmarks/stacked.py` measures both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch

from lrcourse import models, optimizers
from lrcourse.data import DataError
from lrcourse.schedules.base import Schedule
from lrcourse.support.checks import COUNT_FROM_1, arguments, each, kind
from lrcourse.sweeps import dense_stacks
from lrcourse.sweeps.experiment import Experiment
from lrcourse.sweeps.stack_training import train
from lrcourse.training.history import History

_WORDS_FOR_NO_MEMORY = ("out of memory", "not enough memory", "allocate memory", "alloc_failed")
LARGEST = 64  # members; a sweep that is killed loses the stack that was under way
LEAST_ON_CPU, MOST_ON_CPU = 8, 16  # 8 save a third of the time (0.65), 32 no more
# Of a net: 51,000 weights save that third, 203,000 leave the cache and save none.
MOST_WEIGHTS_ON_CPU = 2**16


@arguments(experiments=each(kind("an Experiment", Experiment), least=0), largest=COUNT_FROM_1)
def run_stack(
    experiments: Iterable[Experiment], device: str | None = None, *, largest: int = LARGEST
) -> list[History]:
    """Train experiments of one shape together; each one's record, in their order.

    A record is what `experiment.run` gives, within rounding, and for dense nets on a CPU in every
    bit, but for some tiny shapes whose products round otherwise in a stack: the LR that each update
    used, losses, measurements at the same epochs, `diverged_at`. A member that diverges is cut
    there and leaves the others as they would be. `seconds` is the member's share of the stack's
    time, and `provenance["stacked"]` the number of members.

    Args:
        experiments: those of one list of `group_by_shape`; more than `largest` of them are
            trained in several stacks.
        device: "cpu" or "cuda"; default: CUDA where there is one.
        largest: members in one stack. Where memory runs out, half as many are tried, down to 1.

    Raises:
        ValueError: experiments of several shapes, or one that cannot be stacked: a rule in
            place of a schedule, clipping, an optimizer's option that `optimizers.pure` does not
            know, and nets with random layers (dropout), whose draws would not be those of a run
            alone.
    """
    return [
        history for _, done in finished(experiments, device, largest=largest) for history in done
    ]


@arguments(experiments=each(kind("an Experiment", Experiment), least=0), largest=COUNT_FROM_1)
def finished(
    experiments: Iterable[Experiment], device: str | None = None, *, largest: int = LARGEST
) -> Iterator[tuple[list[Experiment], list[History]]]:
    """As `run_stack`, but each stack is given as soon as it is finished."""
    size, left = largest, list(experiments)
    _check_shapes(left)
    for experiment in left:
        experiment.check()
    while left:
        members = left[:size]
        histories = _unless_memory_runs_out(members, device)
        if histories is None:
            size = len(members) // 2
        else:
            yield members, histories
            left = left[size:]


def group_by_shape(
    experiments: Iterable[Experiment], *, largest: int | None = None
) -> list[list[Experiment]]:
    """Lists of experiments that can be stacked, each in the order given.

    They differ in lr, schedule, `when` and seed only. What cannot be stacked stands alone. With
    `largest` no list is longer; the members of one shape are then shared out evenly.
    """
    groups: dict[Any, list[Experiment]] = {}
    for place, experiment in enumerate(experiments):
        shape = _shape(experiment) if _obstacle(experiment) is None else place
        groups.setdefault(shape, []).append(experiment)
    if largest is None:
        return list(groups.values())
    return [part for group in groups.values() for part in _evenly(group, largest)]


def group_for_cpu(experiments: Iterable[Experiment], processes: int) -> list[list[Experiment]]:
    """As `group_by_shape`, where stacks pay on a CPU and change no number; else runs alone.

    That is so for small dense nets, of which each process gets at least `LEAST_ON_CPU`.
    """
    groups: list[list[Experiment]] = []
    for group in group_by_shape(experiments):
        rounds = -(-len(group) // (processes * MOST_ON_CPU))
        parts = _split(group, processes * rounds)
        pays = len(group) >= processes * LEAST_ON_CPU and _pay_and_keep_their_bits(parts)
        groups += parts if pays else [[one] for one in group]
    return groups


def _pay_and_keep_their_bits(parts: list[list[Experiment]]) -> bool:
    first = parts[0][0]
    if first.model != "mlp":  # the dense ones among the course's nets
        return False
    try:
        net, _, data = first.build("cpu")
    except (DataError, ImportError):  # not here, but maybe where the runs will be
        return False
    if models.parameters(net) > MOST_WEIGHTS_ON_CPU:
        return False
    sizes = {len(part) for part in parts}
    return all(dense_stacks.fits(net, first.batch_size, len(data.train), size) for size in sizes)


def _evenly(group: list[Experiment], largest: int) -> list[list[Experiment]]:
    return _split(group, -(-len(group) // largest))


def _split(group: list[Experiment], parts: int) -> list[list[Experiment]]:
    ends = [len(group) * part // parts for part in range(parts + 1)]
    return [group[start:end] for start, end in pairwise(ends)]


def _shape(experiment: Experiment) -> str:
    """A name for everything in which the members of a stack are alike."""
    return experiment.but(lr=1.0, schedule=None, when="update", seed=0).key


def _obstacle(experiment: Experiment) -> str | None:
    """Why this experiment cannot be stacked, or None."""
    if not isinstance(experiment.schedule, Schedule | None):
        return f"{experiment.schedule!r} looks at one run's progress"
    if experiment.clip_norm is not None:
        return "clip_norm is the length of one net's gradient"
    try:
        optimizers.pure(experiment.optimizer, **experiment.optimizer_options)
    except (TypeError, ValueError) as error:
        return str(error)
    return None


def _check_shapes(experiments: Sequence[Experiment]) -> None:
    for experiment in experiments:
        if obstacle := _obstacle(experiment):
            raise ValueError(f"{experiment} cannot be stacked: {obstacle}")
    if len(set(map(_shape, experiments))) > 1:
        raise ValueError(
            "the experiments of a stack differ in lr, schedule, when and seed only; "
            "group_by_shape(experiments) sorts others into lists that can be stacked"
        )


# -- memory -----------------------------------------------------------------------------------


def _unless_memory_runs_out(members: list[Experiment], device: str | None) -> list[History] | None:
    """Train the members; None where memory is too small for them and fewer can be tried."""
    try:
        return train(members, device)
    except (RuntimeError, MemoryError) as error:
        if len(members) == 1 or not _is_about_memory(error):
            raise
    # Outside of the except clause, whose traceback would hold on to the tensors.
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    return None


def _is_about_memory(error: Exception) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return any(words in text for words in _WORDS_FOR_NO_MEMORY)
