"""What `fit` refuses: arguments that cannot be meant, each with what would be right."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from lrcourse.data.sets import Data, Split
from lrcourse.schedules.rules import Rule
from lrcourse.support.checks import COUNT_FROM_1, kind, of_kind, shown
from lrcourse.training.pacing import AnySchedule, TorchScheduler, base_rates, watched

PLATEAUS = (Rule, torch.optim.lr_scheduler.ReduceLROnPlateau)
SPLIT = kind("a split, such as data.test", Split)


def evaluate_rule(owner: str, name: str, value: object) -> Any:
    """Rule: when validation and test data are measured."""
    if value is None or (isinstance(value, str) and value in ("epoch", "end")):
        return value
    try:
        return COUNT_FROM_1(owner, name, value)
    except (TypeError, ValueError) as problem:
        kind_of_error = ValueError if isinstance(value, str) else type(problem)
        raise kind_of_error(
            f'{owner}: {name} must be "epoch", "end", a number of epochs or None; '
            f"got {shown(value)}, {of_kind(value)}"
        ) from None


def schedule_rule(owner: str, name: str, value: object) -> Any:
    """Rule: what `fit` can follow."""
    if value is None or isinstance(value, AnySchedule):
        return value
    raise TypeError(
        f"{owner}: {name} must be a shape from lrcourse.schedules, a plateau, a torch scheduler or "
        f"None; got {shown(value)}, {of_kind(value)}; a function is wrapped as "
        "schedules.from_function(f)"
    )


def check_together(
    net: nn.Module,
    data: Data,
    optimizer: torch.optim.Optimizer,
    schedule: AnySchedule | None,
    batch_size: int,
    when: str,
    evaluate: str | int | None,
) -> None:
    """Refuse arguments of `fit` that do not go together."""
    check_batch(batch_size, len(data.train))
    _check_parameters(net, data, optimizer)
    check_watch(schedule, data.valid is not None, evaluate)
    for g, lr in enumerate(base_rates(optimizer, schedule)):
        if not (math.isfinite(lr) and lr > 0):
            raise ValueError(f"the LR of parameter group {g} is {lr}; it must be above 0")
    if not isinstance(schedule, TorchScheduler):
        return
    if getattr(schedule, "optimizer", None) is not optimizer:
        raise ValueError(
            "this torch scheduler belongs to another optimizer and would change nothing here; "
            "build it on the optimizer that is given to fit"
        )
    if isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau) and when == "update":
        raise ValueError('ReduceLROnPlateau looks at epochs: call fit(..., when="epoch")')


def check_batch(batch_size: int, images: int) -> None:
    """Refuse a batch that is larger than the training set."""
    if batch_size > images:
        raise ValueError(
            f"batch_size {batch_size} is larger than the training set of {images} images; "
            "give at most that many"
        )


def check_watch(schedule: AnySchedule | None, has_valid: bool, evaluate: str | int | None) -> None:
    """Refuse a rule that looks at what is not measured after each epoch."""
    if isinstance(schedule, PLATEAUS):
        column = watched(schedule, has_valid)
        if column.startswith("valid") and evaluate not in ("epoch", 1):
            raise ValueError(
                f"the plateau watches {column}, which is to be measured after each epoch: "
                f'evaluate="epoch", not {evaluate!r}'
            )


def _check_parameters(net: nn.Module, data: Data, optimizer: torch.optim.Optimizer) -> None:
    parameters = list(net.parameters())
    if not parameters:
        raise ValueError("the net has no parameters to train")
    homes = {p.device for p in parameters}
    if homes != {data.train.X.device}:
        where = ", ".join(sorted(map(str, homes)))
        raise ValueError(
            f"the net is on {where} and the data are on {data.train.X.device}; "
            f"move one of them: net.to(...) before the optimizer is built, or data.to(...)"
        )
    own = set(map(id, parameters))
    if not any(id(p) in own for group in optimizer.param_groups for p in group["params"]):
        raise ValueError("this optimizer holds no parameter of this net; build it on net")
