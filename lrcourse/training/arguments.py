"""What ``fit`` refuses: arguments that cannot be meant, each with what would be right."""

from __future__ import annotations

import math

import torch

from lrcourse.schedules.base import Schedule
from lrcourse.schedules.rules import Rule
from lrcourse.training.pacing import TorchScheduler, base_rates, watched


def check_arguments(net, data, optimizer, schedule, epochs, batch_size, when, evaluate) -> None:
    """Refuse arguments of ``fit`` that cannot be meant."""
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} is a whole number from 1 on, not {value!r}")
    if batch_size > len(data.train.X):
        raise ValueError(
            f"batch_size {batch_size} is larger than the training set of {len(data.train.X)} "
            f"images; give at most that many"
        )
    if when not in ("update", "epoch"):
        raise ValueError(f'when says what t counts: "update" or "epoch", not {when!r}')
    is_count = isinstance(evaluate, int) and not isinstance(evaluate, bool) and evaluate >= 1
    if evaluate not in (None, "epoch", "end") and not is_count:
        raise ValueError(f'evaluate is "epoch", "end", a number of epochs or None: {evaluate!r}')
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(f"optimizer is a torch optimizer, not {type(optimizer).__name__}")
    _check_parameters(net, data, optimizer)
    for g, lr in enumerate(base_rates(optimizer, schedule)):
        if not (math.isfinite(lr) and lr > 0):
            raise ValueError(f"the LR of parameter group {g} is {lr}; it must be above 0")
    _check_watch(schedule, data, evaluate)
    if isinstance(schedule, Schedule | Rule) or schedule is None:
        return
    if not isinstance(schedule, TorchScheduler):
        raise TypeError(
            f"schedule is a shape from lrcourse.schedules, a plateau, a torch scheduler or None, "
            f"not {type(schedule).__name__}; wrap a function as schedules.from_function(f)"
        )
    if getattr(schedule, "optimizer", None) is not optimizer:
        raise ValueError(
            "this torch scheduler belongs to another optimizer and would change nothing here; "
            "build it on the optimizer that is given to fit"
        )
    if isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau) and when == "update":
        raise ValueError('ReduceLROnPlateau looks at epochs: call fit(..., when="epoch")')


def check_clip_norm(clip_norm: float | None) -> None:
    """Refuse a length that no gradient can be shortened to."""
    is_number = isinstance(clip_norm, int | float) and not isinstance(clip_norm, bool)
    if clip_norm is not None and not (is_number and 0 < clip_norm < math.inf):
        raise ValueError(f"clip_norm is a number above 0, or None for no clipping: {clip_norm!r}")


def _check_parameters(net, data, optimizer) -> None:
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


def _check_watch(schedule, data, evaluate) -> None:
    rules = Rule | torch.optim.lr_scheduler.ReduceLROnPlateau
    if not isinstance(schedule, rules):
        return
    column = watched(schedule, data)
    if column.startswith("valid") and evaluate not in ("epoch", 1):
        raise ValueError(
            f"the plateau watches {column}, which is to be measured after each epoch: "
            f'evaluate="epoch", not {evaluate!r}'
        )
