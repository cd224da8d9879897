"""What a scheduler will really do: the LR and the momentum of each of the next updates.

    trace = tracing.trace(optimizer, scheduler, updates=1000)
    print(trace)                     # a short table
    trace.lr                         # array (updates, groups)
    trace.plot("trace.png")
    print(tracing.lint(optimizer, scheduler, updates=1000))  # what looks wrong, and the mend

    with tracing.record(optimizer) as log:  # what your own loop really applies
        train()
    print(log.against(trace))

Optimizer and scheduler stay as they are, bit for bit: copies of them are stepped.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import cast

import numpy as np
import torch

from lrcourse.recorder import OptimizerLike, Recorder, SchedulerLike, groups_of
from lrcourse.recorder.groups import base_of, group_names
from lrcourse.recorder.steppers import is_optimizer, share_groups, stepping
from lrcourse.schedules.base import Schedule
from lrcourse.schedules.rules import plateau
from lrcourse.support.checks import of_kind, shown, whole
from lrcourse.tracing.anatomy import anatomy, inside_of
from lrcourse.tracing.checks import examine, examine_before
from lrcourse.tracing.condition import Condition
from lrcourse.tracing.findings import Finding, Findings
from lrcourse.tracing.log import Log
from lrcourse.tracing.parts import Anatomy, on_clock
from lrcourse.tracing.result import Trace
from lrcourse.tracing.stepping import (
    advance_of,
    clocked,
    first_change,
    metric_of,
    run,
    undisturbed,
)
from lrcourse.tracing.twin import twins

__all__ = ["Finding", "Findings", "Trace", "lint", "record", "trace"]

MOST_UPDATES = 10_000_000  # more take minutes and gigabytes
_COUNT = whole(1, MOST_UPDATES)


def trace(
    optimizer: OptimizerLike,
    scheduler: SchedulerLike | Schedule | plateau,
    updates: int,
    *,
    when: str = "update",
    updates_per_epoch: int | None = None,
    metrics: Iterable[float] | None = None,
) -> Trace:
    """What each group's LR and momentum will be at each of the next updates.

    The usual order is followed: `optimizer.step()`, then `scheduler.step()`, from the state
    in which both are now. Neither is changed, nor are the random states, torch's warnings and the
    parameters; no hook of the optimizer runs. A schedule's own function does run, so what it
    prints is printed, and a count that it keeps in a global variable is counted on.

    Args:
        optimizer: any torch optimizer.
        scheduler: of torch, transformers or timm, or any object with `step()` that was built on
            this optimizer; also a shape or a `plateau` from `lrcourse.schedules`, whose peak
            is the LR that the group has now.
        updates: how many.
        when: "update" steps the scheduler after each update, "epoch" after each epoch. With
            "epoch", timm's schedulers are told of both, each at its time, as timm's own loop does.
        updates_per_epoch: for "epoch"; 1 gives a trace in epochs.
        metrics: for schedulers that watch one, the value at each step of the scheduler.

    Returns:
        A `Trace`. An error inside the scheduler ends it there and is told in `error`, a
        warning in `notes`.

    Example:
        >>> import torch
        >>> from lrcourse import tracing
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.1)
        >>> scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        >>> tracing.trace(optimizer, scheduler, 3).lr.tolist()
        [[0.1], [0.05], [0.025]]

    Raises:
        TypeError: for things that cannot be traced, saying what can.
        ValueError: for arguments that cannot be meant, saying what would be right.
    """
    _check(optimizer, scheduler)
    updates = _COUNT("trace", "updates", updates)
    every = _updates_per_step(when, updates_per_epoch)
    groups, inside = groups_of(optimizer), inside_of(scheduler)
    built = anatomy(scheduler, groups)
    names = group_names(groups)
    with undisturbed() as notes:
        copied, scheduler_copy, inside_copy = twins(optimizer, scheduler, inside)
        with_metrics = _metrics(scheduler, metrics, updates // every)
        advance, every = advance_of(copied, scheduler_copy, when, every, with_metrics)
        advance, clock = clocked(advance, inside_copy)
        lr, momentum, error = run(copied, advance, updates)
        told = tuple(dict.fromkeys(notes))
        still = error is None and len(lr) > 1 and bool((lr == lr[0]).all())
        changes_at = first_change(scheduler_copy, copied, -(-updates // every)) if still else None
        if inside is not scheduler:
            built = on_clock(built, clock[::every], type(scheduler).__name__)
        before = examine_before(Condition(optimizer, scheduler, built, momentum))
    return Trace(
        lr=lr,
        momentum=momentum,
        names=names,
        error=error,
        notes=told,
        asked=updates,
        every=every,
        title=f"{built.name} on {type(optimizer).__name__}",
        changes_at=changes_at,
        anatomy=built,
        bases=tuple(map(base_of, groups)),
        before=before,
    )


def lint(
    subject: OptimizerLike | Schedule | plateau | Trace | Recorder,
    scheduler: SchedulerLike | Schedule | plateau | None = None,
    updates: int | None = None,
    *,
    when: str = "update",
    updates_per_epoch: int | None = None,
    metrics: Iterable[float] | None = None,
) -> Findings:
    """What looks wrong in a schedule, each finding with the update, the value and the mend.

    `lint(optimizer, scheduler, updates)`, `lint(shape, updates=...)`, `lint(trace)` or `lint(log)`.
    Findings are hints: each is something that has cost people a training run, and may still be
    meant. See `lrcourse.tracing.checks` for what is looked for and from which size on.

    Args:
        subject: an optimizer, or else a shape, a trace or a record, which needs no scheduler.
        scheduler: as for `trace`.
        updates: the length of the whole training (of what is left of it).
        when: as for `trace`; so are `updates_per_epoch` and `metrics`.

    Example:
        >>> from lrcourse import schedules, tracing
        >>> print(tracing.lint(schedules.cosine(100), updates=100))
        nothing found
        >>> tracing.lint(schedules.warmup(10, start=0).then(schedules.cosine(90)), updates=100)
        <Findings: zero-start>

    Raises:
        TypeError: for what is none of these.
        ValueError: for a length that is missing or cannot be meant.
    """
    if isinstance(subject, Trace):
        return examine(subject)
    if isinstance(subject, Recorder):
        return examine(_as_trace(subject, _updates_per_step(when, updates_per_epoch)))
    if not isinstance(subject, Schedule | plateau) and not is_optimizer(subject):
        raise TypeError(
            f"lint: subject must be an optimizer, a shape, a Trace or a record; got "
            f"{shown(subject)}, {of_kind(subject)}"
        )
    if updates is None:
        raise ValueError(
            "lint needs updates, the number of updates of the training, to see whether the "
            "schedule fits it: lint(optimizer, scheduler, updates=...) or lint(shape, updates=...)"
        )
    if isinstance(subject, Schedule | plateau):
        if scheduler is not None:
            raise TypeError(
                "lint takes a shape alone, lint(shape, updates=...), or with an optimizer before "
                "it, lint(optimizer, shape, updates=...)"
            )
        subject, scheduler = torch.optim.SGD([torch.zeros(1)], lr=1.0), subject
    options = {"when": when, "updates_per_epoch": updates_per_epoch, "metrics": metrics}
    # Where there is none, trace says what a scheduler is.
    return examine(trace(subject, cast(SchedulerLike, scheduler), updates, **options))


def record(optimizer: OptimizerLike) -> Log:
    """A recorder of the LR and momentum that each update uses, for any training loop.

    `with record(optimizer) as log: train()`, then `log.lr`, `log.momentum`, `lint(log)` and
    `log.against(shape or trace)`.

    Example:
        >>> import torch
        >>> from lrcourse import schedules, tracing
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.1)
        >>> scheduler = schedules.to_torch(schedules.linear(4), optimizer)
        >>> with tracing.record(optimizer) as log:
        ...     for _ in range(4):
        ...         optimizer.step()
        ...         scheduler.step()
        >>> print(log.against(schedules.linear(4)))
        nothing found

    Raises:
        TypeError: for what is no optimizer.
        ValueError: for an optimizer whose groups have no LR.
    """
    return Log(optimizer)


def _as_trace(log: Recorder, every: int) -> Trace:
    return Trace(
        lr=_filled(log.lr, log.absent),
        momentum=log.momentum,
        names=log.names,
        asked=len(log),
        every=every,
        title="record",
        anatomy=Anatomy("the schedule", ()),
        bases=getattr(log, "bases", ()),
    )


def _filled(lr: np.ndarray, absent: np.ndarray) -> np.ndarray:
    """The LR with those that a group would have had in updates in which it took no part.

    It is the one before, or else the first; 0 where it never took part.
    """
    if not len(lr):
        return lr
    known = np.where(absent, -1, np.arange(len(lr))[:, None])
    last = np.maximum.accumulate(known, axis=0)
    at = np.where(last < 0, (~absent).argmax(0), last)
    return np.where(absent.all(0), 0.0, np.take_along_axis(lr, at, axis=0))


# -- checking -----------------------------------------------------------------------------------


def _check(optimizer: object, scheduler: object) -> None:
    stepping(optimizer, "trace")
    if isinstance(scheduler, Schedule | plateau):
        return
    if isinstance(scheduler, type) or not callable(getattr(scheduler, "step", None)):
        raise TypeError(
            f"a scheduler is of torch, transformers or timm (an object with step()), or a shape "
            f"from lrcourse.schedules; got {scheduler!r}, {of_kind(scheduler)}"
        )
    owner = getattr(scheduler, "optimizer", optimizer)
    if hasattr(owner, "param_groups") and not share_groups(owner, optimizer):
        raise ValueError(
            f"this {type(scheduler).__name__} belongs to another optimizer and changes nothing "
            f"here; give the optimizer that it was built on"
        )


def _updates_per_step(when: str, updates_per_epoch: int | None) -> int:
    if when not in ("update", "epoch"):
        raise ValueError(f'when says what the scheduler counts: "update" or "epoch", not {when!r}')
    if updates_per_epoch is not None:
        updates_per_epoch = _COUNT("trace", "updates_per_epoch", updates_per_epoch)
    if when == "update":
        return 1
    if updates_per_epoch is None:
        raise ValueError(
            'when="epoch" needs updates_per_epoch=..., such as len(loader); 1 gives a trace in '
            "epochs"
        )
    return updates_per_epoch


def _metrics(scheduler: object, metrics: Iterable[float] | None, steps: int) -> list[float] | None:
    """The metrics as a list, if the scheduler watches any; None if it does not."""
    try:
        # As many as are needed: they may come from what has no end.
        values = None if metrics is None else [float(value) for value in islice(metrics, steps)]
    except (TypeError, ValueError):
        raise TypeError(
            f"metrics is a list of numbers, one for each step of the scheduler; got {metrics!r}"
        ) from None
    if values is not None and len(values) < steps:
        raise ValueError(
            f"trace: metrics has {len(values)} values, and the scheduler makes {steps} steps; it "
            f"must have one for each step; got {shown(metrics)}"
        )
    metric = metric_of(scheduler)
    if metric is None or (metric.optional and values is None):
        if values is not None:
            raise ValueError(f"{type(scheduler).__name__} watches no metric; leave metrics out")
        return None
    if values is None:
        raise ValueError(
            f"{type(scheduler).__name__} looks at a metric, so its LR depends on the training; "
            f"give metrics=[...] with {steps} values, one for each of its steps, such as the "
            f"validation losses of an earlier run"
        )
    return values
