"""Which schedulers are stepped together, and which overwrite the others: tried out on copies."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from torch.optim import lr_scheduler as torch_schedulers

from lrcourse.recorder import OptimizerLike, SchedulerLike, groups_of
from lrcourse.recorder.groups import rate_of
from lrcourse.tracing.anatomy import held_by
from lrcourse.tracing.twin import twins

STEPS_TRIED = 100  # of a scheduler that may forget at each what others have made of the LR


def chains(scheduler: object) -> Iterator[list[torch_schedulers.LRScheduler]]:
    """The children of each chained scheduler in it, itself included."""
    if isinstance(scheduler, torch_schedulers.ChainedScheduler):
        yield list(scheduler._schedulers)
    for child in getattr(scheduler, "_schedulers", ()):
        yield from chains(child)


def together(optimizer: OptimizerLike, scheduler: SchedulerLike) -> list[SchedulerLike]:
    """The schedulers that an object of one's own steps at the same time, not one after another."""
    held = held_by(scheduler)
    if len(held) < 2:
        return []
    with contextlib.suppress(Exception):  # what is foreign may raise anything
        copied, outside, *inside = twins(optimizer, scheduler, *held)
        for _ in range(STEPS_TRIED):
            before = [each.last_epoch for each in inside]
            copied.step()
            outside.step()
            moved = [one.last_epoch != t for one, t in zip(inside, before, strict=True)]
            if sum(moved) > 1:
                return [one for one, has in zip(held, moved, strict=True) if has]
    return []


def forgets(optimizer: OptimizerLike, scheduler: SchedulerLike) -> bool:
    """Whether it writes the same LR at each step, whatever others have made of the one before.

    Two copies are stepped, one of them from an LR that is another before each step.
    """
    with contextlib.suppress(Exception):  # a foreign scheduler may raise anything
        pairs = [twins(optimizer, scheduler) for _ in range(2)]
        groups = [groups_of(copied) for copied, _ in pairs]
        for _ in range(STEPS_TRIED):
            for group in groups[1]:
                group["lr"] = group["lr"] + 1.0
            for copied, copied_scheduler in pairs:
                copied.step()
                copied_scheduler.step()
            written = [[rate_of(group) for group in each] for each in groups]
            if written[0] != written[1]:
                return False
        return True
    return False
