"""What a range test refuses, before anything is touched."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from lrcourse.rangetest.feeding import Feed
from lrcourse.recorder import groups_of
from lrcourse.recorder.steppers import is_optimizer
from lrcourse.support import checks

DTYPES = (torch.float16, torch.bfloat16)
# float32 ends there.
RATE = checks.Number("a finite number > 0, up to 1e38", lambda v: 0 < v <= 1e38)


def autocast(owner: str, name: str, value: object) -> Any:
    """Rule: what torch.autocast takes here, or a flag."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, torch.dtype) and value in DTYPES:
        return value
    kind = ValueError if isinstance(value, torch.dtype) else TypeError
    raise kind(
        f"{owner}: {name} must be torch.bfloat16, torch.float16, True or None; got "
        f"{checks.shown(value)}"
    )


RULES: dict[str, Any] = {
    "start": RATE,
    "end": RATE,
    "updates": checks.whole(2, 10**7),  # the sweep has two ends
    "scale": checks.one_of("log", "linear"),
    "held_out_every": checks.whole(1),
    "repeats": checks.whole(1, 10**6),
    "accumulate": checks.whole(1, 10**6),
    "autocast": autocast,
    "diverged": checks.Number(
        "a finite number > 1, such as 4 times the lowest loss", lambda v: v > 1
    ),
    "look_every": checks.optional(checks.whole(1)),
    "smoothing": checks.optional(checks.Number("a number from 0 to below 1", lambda v: 0 <= v < 1)),
    "seed": checks.whole(0),
    "clip_norm": checks.optional(checks.POSITIVE),
    "create_graph": checks.FLAG,
    "batch_size": checks.optional(checks.whole(1)),
    "progress": checks.optional(checks.FLAG),
}


def rates_of(start: float, end: float, updates: int, scale: str) -> np.ndarray:
    """The rates of the sweep, both ends exact."""
    if start >= end:
        raise ValueError(
            f"range_test: end must be above start, for the rate rises; got start {start:.3g} and "
            f"end {end:.3g}"
        )
    return (np.geomspace if scale == "log" else np.linspace)(float(start), float(end), updates)


def check_functions(**functions: object) -> None:
    """Refuse a loss_fn and a step at once, and what cannot be called."""
    if all(value is not None for value in functions.values()):
        raise ValueError("give loss_fn or step, not both: a step computes the loss itself")
    for name, value in functions.items():
        if isinstance(value, type):
            raise TypeError(
                f"range_test: {name} must be a function, and {value.__name__} is a class: give an "
                f"object of it, {name}={value.__name__}()"
            )
        checks.optional(checks.function)("range_test", name, value)


def check_repeats(net: object, optimizer: object, feed: Feed, repeats: int) -> None:
    """Refuse what cannot be done several times, and factories without their counterpart."""
    if feed.one_shot and repeats > 1:
        raise ValueError(
            f"batches is an iterator, which can be gone through once, and {repeats} repeats are "
            f"asked for: give a DataLoader or a list, or repeats=1"
        )
    is_factory = callable(net) and not isinstance(net, nn.Module | type)
    if is_factory and is_optimizer(optimizer):
        raise ValueError(
            "net is a factory, so each repeat has parameters of its own: give the optimizer as a "
            "factory too, for instance lambda net: torch.optim.SGD(net.parameters(), lr=0.1)"
        )


def made_net(net: Any, seed: int) -> nn.Module:
    """The net of a repeat. Refuses what is no net and what cannot be trained."""
    made = _made("net", net, seed, lambda one: isinstance(one, nn.Module), "seed: {}()")
    tensors = (*made.parameters(), *made.buffers())
    if any(map(nn.parameter.is_lazy, tensors)):
        raise ValueError(
            "the net has lazy parameters without a shape: run one batch through it first, then "
            "build the optimizer"
        )
    if tensors and all(tensor.is_meta for tensor in tensors):
        raise ValueError(
            "the net lies on the meta device, without numbers: give them first, by "
            "net.to_empty(device=...) and its own start or a checkpoint, then build the optimizer"
        )
    if not any(parameter.requires_grad for parameter in made.parameters()):
        there = "all of its parameters have requires_grad False" if [*made.parameters()] else ""
        raise ValueError(f"the net has no parameter that trains{': ' if there else ''}{there}")
    return made


def made_optimizer(optimizer: Any, net: nn.Module) -> Any:
    """The optimizer of a repeat. Refuses what is none, trains another net, or has no rates."""
    example = "net: {}(net.parameters(), lr=0.1)"
    made = _made("optimizer", optimizer, net, is_optimizer, example)
    own = {id(parameter) for parameter in net.parameters() if parameter.requires_grad}
    if not any(id(held) in own for group in made.param_groups for held in group["params"]):
        raise ValueError(
            "this optimizer holds no parameter of this net that trains: build it on this net"
        )
    base_rates(made)
    return made


def _made(
    name: str, given: Any, argument: object, is_right: Callable[[Any], bool], example: str
) -> Any:
    """What was given, or what comes out of it where it is a factory."""
    wanted = {"net": "torch module", "optimizer": "torch optimizer"}[name]
    if isinstance(given, type):
        raise TypeError(
            f"{name} is a class, {given.__name__}; give {checks.with_article(name)} "
            f"of it, or a factory such as lambda {example.format(given.__name__)}"
        )
    is_factory = callable(given) and not is_right(given)
    made = given(argument) if is_factory else given
    if not is_right(made):
        what = f"the factory of the {name} gave" if is_factory else f"{name} is"
        raise TypeError(f"{what} no {wanted} but {checks.of_kind(made)}")
    return made


def base_rates(optimizer: torch.optim.Optimizer) -> np.ndarray:
    """The rate of each group, of which the sweep keeps the ratios.

    Where a scheduler is attached, it is the one that the scheduler begins from (`initial_lr`), for
    the group may stand at a small part of it; times `lr_scale` where timm's layer decay leaves that
    to its scheduler.
    """
    groups = groups_of(optimizer)
    if any("lr" not in group for group in groups):
        raise TypeError(
            f"{type(optimizer).__name__} has no rate to sweep: its parameter groups hold "
            f"{', '.join(key for key in groups[0] if key != 'params') or 'nothing'}, but no 'lr'. "
            f"Only an optimizer that uses group['lr'] can be tested"
        )
    name = "initial_lr" if all(_is_rate(g.get("initial_lr")) for g in groups) else "lr"
    rates = [group[name] for group in groups]
    for g, rate in enumerate(rates):
        if not _is_rate(rate) and not (rate == 0 and any(map(_is_rate, rates))):
            said = "None" if rate is None else checks.shown(rate)
            raise ValueError(
                f"the rate of parameter group {g} is {said}, and it must be above 0: the sweep "
                f"keeps the ratio of the groups (the size alone plays no part). Where a scheduler "
                f"has put it there, give the rate that the scheduler begins from as "
                f"group['initial_lr'], or build the optimizer anew without it"
            )
    bases = np.array([float(rate) for rate in rates])
    scales = [group.get("lr_scale", 1.0) for group in groups]
    if all(map(_is_rate, scales)) and np.ptp(bases) == 0:
        bases = bases * np.array(scales)
    return bases


def asks_for_closure(optimizer: torch.optim.Optimizer, problem: Exception) -> bool:
    """Whether its step failed for want of a closure."""
    if "closure" not in inspect.signature(optimizer.step).parameters:
        return False
    said = str(problem)
    is_bare = isinstance(problem, AssertionError) and not said
    return is_bare or "closure" in said.lower() or "'NoneType' object is not callable" in said


def _is_rate(value: Any) -> bool:
    try:
        return math.isfinite(value) and value > 0
    except (TypeError, ValueError, OverflowError):
        return False
