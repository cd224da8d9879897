"""What a range test refuses, before anything is touched."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from lrcourse.rangetest.feeding import Feed
from lrcourse.rangetest.refusals import refusal
from lrcourse.recorder import groups_of
from lrcourse.recorder.steppers import is_optimizer
from lrcourse.support import checks

DTYPES = (torch.float16, torch.bfloat16)
# float32 ends there.
RATE = checks.Number("a finite number > 0, up to 1e38", lambda v: 0 < v <= 1e38)


def autocast(owner: str, name: str, value: object) -> torch.dtype | bool | None:
    """Rule: what torch.autocast takes here, or a flag."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, torch.dtype) and value in DTYPES:
        return value
    told = {"owner": owner, "name": name, "shown": checks.shown(value)}
    raise refusal("another dtype" if isinstance(value, torch.dtype) else "no dtype", **told)


RULES: dict[str, checks.Rule] = {
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
        raise refusal("rates that fall", start=start, end=end)
    return (np.geomspace if scale == "log" else np.linspace)(float(start), float(end), updates)


def check_functions(**functions: object) -> None:
    """Refuse a loss_fn and a step at once, and what cannot be called."""
    if all(value is not None for value in functions.values()):
        raise refusal("step and loss_fn")
    for name, value in functions.items():
        if isinstance(value, type):
            raise refusal("class as function", name=name, given=value.__name__)
        checks.optional(checks.function)("range_test", name, value)


def check_repeats(net: object, optimizer: object, feed: Feed, repeats: int) -> None:
    """Refuse what cannot be done several times, and factories without their counterpart."""
    if feed.one_shot and repeats > 1:
        raise refusal("iterator, repeats", repeats=repeats)
    is_factory = callable(net) and not isinstance(net, nn.Module | type)
    if is_factory and is_optimizer(optimizer):
        raise refusal("net alone a factory")


def made_net(net: nn.Module | Callable[[int], nn.Module], seed: int) -> nn.Module:
    """The net of a repeat. Refuses what is no net and what cannot be trained."""
    made = _made("net", net, seed, lambda one: isinstance(one, nn.Module), "seed: {}()")
    tensors = (*made.parameters(), *made.buffers())
    if any(map(nn.parameter.is_lazy, tensors)):
        raise refusal("lazy net")
    if tensors and all(tensor.is_meta for tensor in tensors):
        raise refusal("net without numbers")
    if not any(parameter.requires_grad for parameter in made.parameters()):
        why = ": all of its parameters have requires_grad False" if [*made.parameters()] else ""
        raise refusal("net that cannot train", why=why)
    return made


def made_optimizer(
    optimizer: Optimizer | Callable[[nn.Module], Optimizer], net: nn.Module
) -> Optimizer:
    """The optimizer of a repeat. Refuses what is none, trains another net, or has no rates."""
    example = "net: {}(net.parameters(), lr=0.1)"
    made = _made("optimizer", optimizer, net, is_optimizer, example)
    own = {id(parameter) for parameter in net.parameters() if parameter.requires_grad}
    if not any(id(held) in own for group in made.param_groups for held in group["params"]):
        raise refusal("optimizer of another net")
    base_rates(made)
    return made


def _made(
    name: str, given: Any, argument: object, is_right: Callable[[Any], bool], example: str
) -> Any:
    """What was given, or what comes out of it where it is a factory."""
    wanted = {"net": "torch module", "optimizer": "torch optimizer"}[name]
    if isinstance(given, type):
        kind, article = given.__name__, checks.with_article(name)
        raise refusal(
            "class as object", name=name, given=kind, article=article, example=example.format(kind)
        )
    is_factory = callable(given) and not is_right(given)
    made = given(argument) if is_factory else given
    if not is_right(made):
        what = f"the factory of the {name} gave" if is_factory else f"{name} is"
        raise refusal("another object", what=what, wanted=wanted, kind=checks.of_kind(made))
    return made


def base_rates(optimizer: Optimizer) -> np.ndarray:
    """The rate of each group, of which the sweep keeps the ratios.

    Where a scheduler is attached, it is the one that the scheduler begins from (`initial_lr`), for
    the group may stand at a small part of it; times `lr_scale` where timm's layer decay leaves that
    to its scheduler.
    """
    groups = groups_of(optimizer)
    if any("lr" not in group for group in groups):
        held = ", ".join(key for key in groups[0] if key != "params") or "nothing"
        raise refusal("optimizer without rates", optimizer=type(optimizer).__name__, held=held)
    name = "initial_lr" if all(_is_rate(g.get("initial_lr")) for g in groups) else "lr"
    rates = [group[name] for group in groups]
    for g, rate in enumerate(rates):
        if not _is_rate(rate) and not (rate == 0 and any(map(_is_rate, rates))):
            said = "None" if rate is None else checks.shown(rate)
            raise refusal("rate that is none", group=g, rate=said)
    bases = np.array([float(rate) for rate in rates])
    scales = [group.get("lr_scale", 1.0) for group in groups]
    if all(map(_is_rate, scales)) and np.ptp(bases) == 0:
        bases = bases * np.array(scales)
    return bases


def asks_for_closure(optimizer: Optimizer, problem: Exception) -> bool:
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
