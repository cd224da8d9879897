"""The loop of a trace: steps an optimizer that does nothing, and its scheduler as each wants it."""

from __future__ import annotations

import contextlib
import inspect
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lrcourse.recorder import OptimizerLike, SchedulerLike, groups_of
from lrcourse.recorder.groups import is_schedule_free, momentum_of, rate_of, rate_used
from lrcourse.recorder.protocols import Group
from lrcourse.schedules.base import Schedule
from lrcourse.schedules.rules import plateau
from lrcourse.support.checks import shown
from lrcourse.tracing.anatomy import inside_of
from lrcourse.tracing.twin import CannotCopy


def run(
    optimizer: OptimizerLike, advance: Callable[[int], None], updates: int
) -> tuple[np.ndarray, np.ndarray, str | None]:
    """LR and momentum of each update, shape (updates, groups), and the error that ended it."""
    lr, momentum, error = [], [], None
    groups = groups_of(optimizer)
    scaling = any(map(is_schedule_free, groups))
    rates = _rates(groups)
    for made in range(1, updates + 1):
        lr.append(rates)
        momentum.append(list(map(momentum_of, groups)))
        try:
            optimizer.step()
            if scaling:
                lr[-1] = list(map(rate_used, groups))
            advance(made)
            rates = _rates(groups)
        except CannotCopy as problem:
            raise TypeError(f"trace: {problem}") from None
        except Exception as problem:  # a foreign scheduler may raise anything
            error = f"{type(problem).__name__}: {problem}"
            break
    return _table(lr), _table(momentum), error


def _rates(groups: Sequence[Group]) -> list[float]:
    try:
        return list(map(rate_of, groups))
    except TypeError:  # of a complex one: a decay to a broken power that goes on below 0
        held = [group["lr"] for group in groups]
        raise TypeError(f"the LR that it sets is no real number: {shown(held)}") from None


def _table(rows: list[list[float]]) -> np.ndarray:
    """The rows as an array; a group that a scheduler adds on the way is NaN before."""
    table = np.full((len(rows), max(map(len, rows))), np.nan)
    for t, row in enumerate(rows):
        table[t, : len(row)] = row
    return table


def clocked(
    advance: Callable[[int], None], scheduler: object
) -> tuple[Callable[[int], None], list[float]]:
    """`advance`, and where the scheduler inside a wrapper stands at first and after each update."""

    def position() -> float:
        return float(getattr(scheduler, "last_epoch", 0))

    def step(made: int) -> None:
        advance(made)
        clock.append(position())

    clock = [position()]
    return step, clock


MOST_LOOKED_FOR = 2_000  # further steps


def first_change(scheduler: Any, optimizer: OptimizerLike, steps: int) -> int | None:
    """The step at which rates that held still for `steps` steps change; None where they do not.

    A function is asked for later and later t; any other scheduler is stepped on. Both are copies.
    """
    functions = getattr(scheduler, "lr_lambdas", None)
    with contextlib.suppress(Exception):  # a foreign scheduler may raise anything
        if isinstance(scheduler, Schedule | plateau) or metric_of(scheduler) is not None:
            return None
        if functions and not hasattr(type(scheduler), "_get_closed_form_lr"):
            before = [float(function(scheduler.last_epoch)) for function in functions]
            if type(scheduler).__name__ == "MultiplicativeLR":
                before = [1.0] * len(functions)
            for t in (scheduler.last_epoch + int(steps * 1.25**k) for k in range(80)):
                if [float(function(t)) for function in functions] != before:
                    return t
            return None
        groups = groups_of(optimizer)
        before = list(map(rate_of, groups))
        for k in range(min(9 * steps, MOST_LOOKED_FOR)):
            scheduler.step()
            if list(map(rate_of, groups)) != before:
                return steps + k
    return None


@dataclass(frozen=True)
class Metric:
    """How a scheduler takes the metric that it watches."""

    keyword: str | None = None  # None: as the first argument
    optional: bool = False


def metric_of(scheduler: Any) -> Metric | None:
    """How `step` takes a metric; None where the scheduler watches none."""
    if isinstance(scheduler, Schedule | plateau):
        return Metric() if isinstance(scheduler, plateau) else None
    if hasattr(scheduler, "step_update"):
        return Metric() if type(scheduler).__name__.startswith("Plateau") else None
    try:
        parameters = list(inspect.signature(scheduler.step).parameters.values())
    except (TypeError, ValueError):
        return None
    passes_on = any(each.kind is each.VAR_POSITIONAL for each in parameters)
    if passes_on and inside_of(scheduler) is not scheduler:
        return metric_of(inside_of(scheduler))
    first = parameters[0] if parameters else None
    named = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if first is not None and first.default is first.empty and first.kind in named:
        return Metric()
    for each in parameters:
        if any(word in each.name.lower() for word in ("metric", "loss", "score")):
            return Metric(each.name, optional=each.default is not each.empty)
    return None


def advance_of(
    optimizer: OptimizerLike,
    scheduler: SchedulerLike | Schedule | plateau,
    when: str,
    every: int,
    metrics: list[float] | None,
) -> tuple[Callable[[int], None], int]:
    """What to do once `made` updates are made, and the updates from one step to the next."""
    if isinstance(scheduler, Schedule | plateau):
        return _shape_writer(optimizer, scheduler, every, metrics), every
    if hasattr(scheduler, "step_update"):
        return _timm_stepper(scheduler, when, every, metrics)

    metric = metric_of(scheduler)

    def step(made: int) -> None:
        if made % every:
            return
        if metrics is None or metric is None:
            scheduler.step()
        elif metric.keyword is None:
            scheduler.step(metrics[made // every - 1])
        else:
            scheduler.step(**{metric.keyword: metrics[made // every - 1]})

    return step, every


def _shape_writer(
    optimizer: OptimizerLike, shape: Schedule | plateau, every: int, metrics: list[float] | None
) -> Callable[[int], None]:
    peaks = [float(group["lr"]) for group in optimizer.param_groups]
    state = shape.start() if isinstance(shape, plateau) else None

    def write(made: int) -> None:
        if made % every:
            return
        step = made // every
        if isinstance(shape, Schedule):
            factor = float(shape(step))
        else:
            assert state is not None and metrics is not None
            factor = state.observe(metrics[step - 1]) if made else state.factor
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * factor

    write(0)
    return write


def _timm_stepper(
    scheduler: Any, when: str, every: int, metrics: list[float] | None
) -> tuple[Callable[[int], None], int]:
    in_epochs = getattr(scheduler, "t_in_epochs", True)

    def step(made: int) -> None:
        scheduler.step_update(made)
        if made % every == 0 and (in_epochs or when == "epoch"):
            epoch = made // every
            scheduler.step(epoch, None if metrics is None else metrics[epoch - 1])

    return step, every if in_epochs else 1


@contextlib.contextmanager
def undisturbed() -> Iterator[list[str]]:
    """Random states come back afterwards; what is warned goes into the list that is given.

    `warnings.catch_warnings` will not do: it makes Python forget which warnings it has shown.
    """
    notes: list[str] = []

    def keep(message: Warning | str, *_: Any, **__: Any) -> None:
        notes.append(str(message))

    states = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    warn, warnings.warn = warnings.warn, keep
    try:
        with torch.random.fork_rng(devices=devices):
            yield notes
    finally:
        warnings.warn = warn
        random.setstate(states[0])
        np.random.set_state(states[1])
