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

import inspect
from collections.abc import Iterable
from typing import Any

import torch

from lrcourse.recorder import Recorder, group_names
from lrcourse.schedules.base import Schedule
from lrcourse.schedules.rules import plateau
from lrcourse.support.checks import Number
from lrcourse.tracing.anatomy import Anatomy, anatomy
from lrcourse.tracing.checks import examine
from lrcourse.tracing.condition import condition
from lrcourse.tracing.findings import Finding, Findings
from lrcourse.tracing.log import Log
from lrcourse.tracing.result import Trace
from lrcourse.tracing.stepping import advance_of, run, undisturbed
from lrcourse.tracing.twin import twins

__all__ = ["Finding", "Findings", "Trace", "lint", "record", "trace"]

_COUNT = Number("a whole number >= 1", lambda v: v >= 1, whole=True)


def trace(
    optimizer: torch.optim.Optimizer,
    scheduler: Any,
    updates: int,
    *,
    when: str = "update",
    updates_per_epoch: int | None = None,
    metrics: Iterable[float] | None = None,
) -> Trace:
    """What each group's LR and momentum will be at each of the next updates.

    The usual order is followed: ``optimizer.step()``, then ``scheduler.step()``, from the state
    in which both are now. Neither is changed, nor are the random states, torch's warnings and the
    parameters; no hook of the optimizer runs. A schedule's own function does run, so what it
    prints is printed, and a count that it keeps in a global variable is counted on.

    Args:
        optimizer: any torch optimizer.
        scheduler: of torch, transformers or timm, or any object with ``step()`` that was built on
            this optimizer; also a shape or a ``plateau`` from ``lrcourse.schedules``, whose peak
            is the LR that the group has now.
        updates: how many.
        when: "update" steps the scheduler after each update, "epoch" after each epoch. With
            "epoch", timm's schedulers are told of both, each at its time, as timm's own loop does.
        updates_per_epoch: for "epoch"; 1 gives a trace in epochs.
        metrics: for schedulers that watch one, the value at each step of the scheduler.

    Returns:
        A ``Trace``. An error inside the scheduler ends it there and is told in ``error``, a
        warning in ``notes``.

    Raises:
        TypeError: for things that cannot be traced, saying what can.
        ValueError: for arguments that cannot be meant, saying what would be right.
    """
    _check(optimizer, scheduler)
    updates = _COUNT("trace", "updates", updates)
    every = _updates_per_step(when, updates_per_epoch)
    built = anatomy(scheduler, optimizer.param_groups), condition(optimizer, scheduler)
    names = group_names(optimizer.param_groups)
    with undisturbed() as notes:
        copied, scheduler_copy = twins(optimizer, scheduler)
        with_metrics = _metrics(scheduler, metrics, updates // every)
        advance, every = advance_of(copied, scheduler_copy, when, every, with_metrics)
        lr, momentum, error = run(copied, advance, updates)
    return Trace(
        lr=lr,
        momentum=momentum,
        names=names,
        stopped_at=None if error is None else len(lr),
        error=error,
        notes=tuple(dict.fromkeys(notes)),
        asked=updates,
        every=every,
        title=f"{built[0].name} on {type(optimizer).__name__}",
        anatomy=built[0],
        condition=built[1],
    )


def lint(
    subject: torch.optim.Optimizer | Schedule | plateau | Trace | Recorder,
    scheduler: Any = None,
    updates: int | None = None,
    *,
    when: str = "update",
    updates_per_epoch: int | None = None,
    metrics: Iterable[float] | None = None,
) -> Findings:
    """What looks wrong in a schedule, each finding with the update, the value and the mend.

    ``lint(optimizer, scheduler, updates)``, ``lint(shape, updates=...)``, ``lint(trace)`` or
    ``lint(log)``. ``updates`` is the length of the whole training (of what is left of it), and the
    other arguments are those of ``trace``. See ``lrcourse.tracing.checks`` for what is looked
    for and from which size on. Findings are hints: each is
    something that has cost people a training run, and may still be meant.
    """
    if isinstance(subject, Trace):
        return examine(subject)
    if isinstance(subject, Recorder):
        return examine(_as_trace(subject, _updates_per_step(when, updates_per_epoch)))
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
    return examine(trace(subject, scheduler, updates, **options))


def record(optimizer: torch.optim.Optimizer) -> Log:
    """A recorder of the LR and momentum that each update uses, for any training loop.

    ``with record(optimizer) as log: train()``, then ``log.lr``, ``log.momentum``, ``lint(log)``
    and ``log.against(shape or trace)``.
    """
    return Log(optimizer)


def _as_trace(log: Recorder, every: int) -> Trace:
    return Trace(
        lr=log.lr,
        momentum=log.momentum,
        names=log.names,
        asked=len(log),
        every=every,
        title="record",
        anatomy=Anatomy("the schedule", ()),
    )


# -- checking -----------------------------------------------------------------------------------


def _check(optimizer: Any, scheduler: Any) -> None:
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(
            f"trace takes a torch optimizer and then its scheduler; the optimizer given is a "
            f"{type(optimizer).__name__}"
        )
    if isinstance(scheduler, Schedule | plateau):
        return
    if isinstance(scheduler, type) or not callable(getattr(scheduler, "step", None)):
        raise TypeError(
            f"a scheduler is of torch, transformers or timm (an object with step()), or a shape "
            f"from lrcourse.schedules; got {scheduler!r}, a {type(scheduler).__name__}"
        )
    owner = getattr(scheduler, "optimizer", optimizer)
    if owner is not optimizer and getattr(optimizer, "optimizer", None) is not owner:
        raise ValueError(
            f"this {type(scheduler).__name__} belongs to another optimizer and changes nothing "
            f"here; give the optimizer that it was built on"
        )


def _updates_per_step(when: str, updates_per_epoch: int | None) -> int:
    if when not in ("update", "epoch"):
        raise ValueError(f'when says what the scheduler counts: "update" or "epoch", not {when!r}')
    if when == "update":
        return 1
    if updates_per_epoch is None:
        raise ValueError(
            'when="epoch" needs updates_per_epoch=..., such as len(loader); 1 gives a trace in '
            "epochs"
        )
    return _COUNT("trace", "updates_per_epoch", updates_per_epoch)


def _metrics(scheduler: Any, metrics: Iterable[float] | None, steps: int) -> list[float] | None:
    """The metrics as a list, if the scheduler watches any; None if it does not."""
    try:
        values = None if metrics is None else [float(value) for value in metrics]
    except (TypeError, ValueError):
        raise TypeError(
            f"metrics is a list of numbers, one for each step of the scheduler; got {metrics!r}"
        ) from None
    if values is not None and len(values) < steps:
        raise ValueError(
            f"metrics has {len(values)} values, and the scheduler makes {steps} steps; give one "
            f"for each step"
        )
    if not _watches(scheduler):
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


def _watches(scheduler: Any) -> bool:
    if isinstance(scheduler, Schedule | plateau):
        return isinstance(scheduler, plateau)
    if hasattr(scheduler, "step_update"):
        return type(scheduler).__name__.startswith("Plateau")
    try:
        first = next(iter(inspect.signature(scheduler.step).parameters.values()), None)
    except (TypeError, ValueError):
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return first is not None and first.default is first.empty and first.kind in positional
