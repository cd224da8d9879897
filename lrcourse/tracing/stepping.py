"""The loop of a trace: steps an optimizer that does nothing, and its scheduler as each wants it."""

from __future__ import annotations

import contextlib
import random
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from lrcourse.recorder import momentum_of
from lrcourse.schedules.base import Schedule
from lrcourse.schedules.rules import plateau
from lrcourse.tracing.twin import CannotCopy


def run(
    optimizer: Any, advance: Callable[[int], None], updates: int
) -> tuple[np.ndarray, np.ndarray, str | None]:
    """LR and momentum of each update, shape (updates, groups), and the error that ended it."""
    lr, momentum, error = [], [], None
    for made in range(1, updates + 1):
        lr.append([float(group["lr"]) for group in optimizer.param_groups])
        momentum.append([momentum_of(group) for group in optimizer.param_groups])
        try:
            optimizer.step()
            advance(made)
        except CannotCopy as problem:
            raise TypeError(f"trace: {problem}") from None
        except Exception as problem:  # a foreign scheduler may raise anything
            error = f"{type(problem).__name__}: {problem}"
            break
    return np.array(lr, np.float64), np.array(momentum, np.float64), error


def advance_of(
    optimizer: Any, scheduler: Any, when: str, every: int, metrics: list[float] | None
) -> tuple[Callable[[int], None], int]:
    """What to do once ``made`` updates are made, and the updates from one step to the next."""
    if isinstance(scheduler, Schedule | plateau):
        return _shape_writer(optimizer, scheduler, every, metrics), every
    if hasattr(scheduler, "step_update"):
        return _timm_stepper(scheduler, when, every, metrics)

    def step(made: int) -> None:
        if made % every == 0:
            scheduler.step(*([] if metrics is None else [metrics[made // every - 1]]))

    return step, every


def _shape_writer(
    optimizer: Any, shape: Schedule | plateau, every: int, metrics: list[float] | None
) -> Callable[[int], None]:
    peaks = [float(group["lr"]) for group in optimizer.param_groups]
    state = shape.start() if isinstance(shape, plateau) else None

    def write(made: int) -> None:
        if made % every:
            return
        step = made // every
        if state is not None:
            factor = state.observe(metrics[step - 1]) if made else state.factor
        else:
            factor = shape(step)
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

    ``warnings.catch_warnings`` will not do: it makes Python forget which warnings it has shown.
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
