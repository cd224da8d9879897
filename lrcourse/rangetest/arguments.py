"""What a range test refuses, before anything is touched."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import torch
from torch import nn

from lrcourse.rangetest.feeding import Feed


def check_numbers(
    start: float,
    end: float,
    updates: int,
    scale: str,
    held_out_every: int,
    repeats: int,
    accumulate: int,
    diverged: float,
    smoothing: float,
    seed: int,
) -> np.ndarray:
    """Refuse numbers that cannot be meant; give the rates of the sweep, both ends exact."""
    for name, value in (("start", start), ("end", end)):
        if not (_is_number(value) and math.isfinite(value) and value > 0):
            raise ValueError(f"{name} is a rate above 0, not {value!r}")
    if start >= end:
        raise ValueError(f"the sweep rises from start to end; {start:g} is not below {end:g}")
    counts = {"held_out_every": 1, "repeats": 1, "accumulate": 1, "updates": 2, "seed": 0}
    given = {"held_out_every": held_out_every, "repeats": repeats, "accumulate": accumulate}
    given |= {"updates": updates, "seed": seed}
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < counts[name]:
            raise ValueError(
                f"{name} is a whole number from {counts[name]} on, not {value!r}"
                + ("; the sweep has two ends, and 100 is usual" if name == "updates" else "")
            )
    if not (_is_number(diverged) and diverged > 1):
        raise ValueError(f"diverged is a number of times above 1, such as 4, not {diverged!r}")
    if not (_is_number(smoothing) and 0 <= smoothing < 1):
        raise ValueError(f"smoothing is from 0 up to below 1, not {smoothing!r}")
    if scale not in ("log", "linear"):
        raise ValueError(f'scale is "log" or "linear", not {scale!r}')
    return (np.geomspace if scale == "log" else np.linspace)(float(start), float(end), updates)


def check_step(loss_fn: Any, step: Any) -> None:
    """Refuse a loss_fn and a step at once, and what cannot be called."""
    if step is not None and loss_fn is not None:
        raise ValueError("give loss_fn or step, not both: a step computes the loss itself")
    for name, value in (("loss_fn", loss_fn), ("step", step)):
        if value is not None and not callable(value):
            raise TypeError(f"{name} is a function, not a {type(value).__name__}")


def check_repeats(net: Any, optimizer: Any, feed: Feed, repeats: int) -> None:
    """Refuse what cannot be done several times, and factories without their counterpart."""
    if feed.one_shot and repeats > 1:
        raise ValueError(
            f"batches is an iterator, which can be gone through once, and {repeats} repeats are "
            f"asked for: give a DataLoader or a list, or repeats=1"
        )
    if isinstance(net, nn.Module) or not callable(net):
        return
    if isinstance(optimizer, torch.optim.Optimizer):
        raise ValueError(
            "net is a factory, so each repeat has parameters of its own: give the optimizer as a "
            "factory too, for instance lambda net: torch.optim.SGD(net.parameters(), lr=0.1)"
        )


def made_net(net: Any, seed: int) -> nn.Module:
    """The net of a repeat. Refuses what is no net and what cannot be trained."""
    made = net if isinstance(net, nn.Module) or not callable(net) else net(seed)
    if not isinstance(made, nn.Module):
        what = "net is" if made is net else "the factory of the net gave"
        raise TypeError(f"{what} no torch module but a {type(made).__name__}")
    if any(nn.parameter.is_lazy(tensor) for tensor in (*made.parameters(), *made.buffers())):
        raise ValueError(
            "the net has lazy parameters without a shape: run one batch through it first, then "
            "build the optimizer"
        )
    if not any(parameter.requires_grad for parameter in made.parameters()):
        there = "all of its parameters have requires_grad False" if [*made.parameters()] else ""
        raise ValueError(f"the net has no parameter that trains{': ' if there else ''}{there}")
    return made


def made_optimizer(optimizer: Any, net: nn.Module) -> torch.optim.Optimizer:
    """The optimizer of a repeat; TypeError where it is none."""
    is_factory = callable(optimizer) and not isinstance(optimizer, torch.optim.Optimizer)
    made = optimizer(net) if is_factory else optimizer
    if not isinstance(made, torch.optim.Optimizer):
        what = "the factory of the optimizer gave" if is_factory else "optimizer is"
        raise TypeError(f"{what} no torch optimizer but a {type(made).__name__}")
    return made


def check_optimizer(net: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Refuse an optimizer that needs a closure, has impossible rates or trains another net."""
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise ValueError(
            f"{type(optimizer).__name__} needs a closure and evaluates the loss several times in "
            f"one step, so that there is no one loss at one rate: a range test needs an optimizer "
            f"whose step() takes one gradient, such as SGD or Adam"
        )
    own = {id(parameter) for parameter in net.parameters() if parameter.requires_grad}
    held = [p for group in optimizer.param_groups for p in group["params"]]
    if not any(id(parameter) in own for parameter in held):
        raise ValueError(
            "this optimizer holds no parameter of this net that trains: build it on this net"
        )
    for g, group in enumerate(optimizer.param_groups):
        lr = group["lr"]
        if lr is None or not (math.isfinite(lr) and lr > 0):
            said = lr if lr is None else f"{float(lr):g}"
            raise ValueError(
                f"the rate of parameter group {g} is {said}, and a ratio to the other groups "
                f"cannot be kept with it: it must be above 0 (its size alone plays no part)"
            )


def precision_of(
    autocast: torch.dtype | bool | None, device: torch.device | None
) -> torch.dtype | None:
    """The dtype of torch.autocast, or None."""
    if autocast is None or autocast is False:
        return None
    if autocast is True:
        return torch.get_autocast_dtype(device.type if device else "cpu")
    if autocast not in (torch.float16, torch.bfloat16):
        raise ValueError(
            f"autocast is torch.bfloat16, torch.float16, True or None, not {autocast!r}"
        )
    return autocast


def _is_number(value: Any) -> bool:
    number: type | tuple[type, ...] = (int, float, np.integer, np.floating)
    return isinstance(value, number) and not isinstance(value, bool)
