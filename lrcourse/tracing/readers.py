"""What one simple scheduler of torch, transformers or timm, or a shape, says of itself.

Read from its attributes, without calling it. What is not known (a function of one's own, say) has
no length and no peak, and then nobody can say that it misses them.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from torch.optim import lr_scheduler

from lrcourse.recorder.protocols import Group
from lrcourse.schedules import (
    Product,
    Schedule,
    Then,
    cyclical,
    exponential,
    from_function,
    multistep,
    restarts,
    step,
    warmup,
)
from lrcourse.tracing.parts import Part, shifted

FunctionLR = lr_scheduler.LambdaLR | lr_scheduler.MultiplicativeLR
TORCH = "torch.optim.lr_scheduler"
# Their schedulers' rises are their own design.
LIBRARIES = (
    *("transformers", "timm", "diffusers", "mmengine"),
    *("torch_geometric", "pytorch_optimizer", "warmup_scheduler"),
)


def kind_of(scheduler: object) -> str | None:
    """The class's name, for a class of torch itself: a subclass may do anything."""
    kind = type(scheduler)
    return kind.__name__ if kind.__module__ == TORCH else None


def _bases(scheduler: lr_scheduler.LRScheduler) -> tuple[float, ...]:
    return tuple(float(lr) for lr in scheduler.base_lrs)


Fields = dict[str, Any]  # of a Part; without `peaks` they are the base rates


def _linear(s: lr_scheduler.LinearLR, groups: Sequence[Group]) -> Fields:
    highest = max(s.start_factor, s.end_factor)
    return {
        "length": s.total_iters,
        "top": s.total_iters if s.end_factor > s.start_factor else None,
        "peaks": tuple(base * highest for base in _bases(s)),
        "timed": s.end_factor != s.start_factor,
    }


def _one_cycle(s: lr_scheduler.OneCycleLR, groups: Sequence[Group]) -> Fields:
    top = s._schedule_phases[0]["end_step"]
    whole = max(2, min(round(top + 1), s.total_steps - 1))
    mend = (
        f"make pct_start * total_steps whole, for instance pct_start={whole}/{s.total_steps}, or "
        f"use lrcourse.schedules.one_cycle({s.total_steps}), whose peak is always reached"
    )
    peaks = tuple(float(group["max_lr"]) for group in groups if "max_lr" in group)
    length = {"length": s.total_steps, "rebounds": True}
    return {**length, "top": top, "peaks": peaks, "top_mend": mend}


def _cyclic(s: lr_scheduler.CyclicLR, groups: Sequence[Group]) -> Fields:
    own = s._scale_fn_custom is not None  # a height that only its author knows
    top = s.total_size * s.step_ratio
    height = s.gamma**top if s.mode == "exp_range" and not own else 1
    ends = [(float(low), float(high)) for low, high in zip(s.base_lrs, s.max_lrs, strict=True)]
    falls = height < 1  # highest before the top of its first cycle
    upside_down = any(low > high for low, high in ends)
    return {
        "top": None if own or falls else top,
        "peaks": tuple(low + (high - low) * height for low, high in ends),
        "ceiling": not own and (not falls or upside_down),
        "cycle": s.total_size,
    }


def _milestones(marks: Collection[float]) -> Fields:
    length, first = max(marks, default=None), min(marks, default=None)
    return {"length": length, "first": first, "stepwise": True}


BY_CLASS: dict[str, Callable[[Any, Sequence[Group]], Fields]] = {
    "LinearLR": _linear,
    "ConstantLR": lambda s, _: {
        "length": s.total_iters,
        "top": s.total_iters if s.factor < 1 else None,
        "flat": True,
        "timed": s.factor != 1,
    },
    "OneCycleLR": _one_cycle,
    "CyclicLR": _cyclic,
    "CosineAnnealingLR": lambda s, _: {"length": s.T_max, "rebounds": True},
    "PolynomialLR": lambda s, _: {"length": s.total_iters},
    "MultiStepLR": lambda s, _: {
        **_milestones(s.milestones),
        "deaf": tuple(mark for mark in s.milestones if mark != int(mark)),
        "still": s.gamma == 1,
    },
    # One that rises from next to nothing is a sweep for a range test.
    "ExponentialLR": lambda s, _: {
        "ceiling": not (s.gamma > 1 and max(_bases(s)) <= 1e-6),
        "still": s.gamma == 1,
    },
    "StepLR": lambda s, _: {"first": s.step_size, "stepwise": True, "still": s.gamma == 1},
    "CosineAnnealingWarmRestarts": lambda s, _: {"first": s.T_0, "cycle": s.T_0},
}


def of_torch(s: lr_scheduler.LRScheduler, groups: Sequence[Group]) -> Part:
    """A simple scheduler of torch; one that is not known has a name alone."""
    name = type(s).__name__
    if name not in BY_CLASS:
        return Part(name)
    fields: Fields = {"peaks": _bases(s), **BY_CLASS[name](s, groups)}
    return Part(name, **fields)


def parts_of_function(scheduler: FunctionLR, groups: Sequence[Group]) -> list[Part]:
    """LambdaLR with a shape of this package or a function of transformers; else unknown."""
    name = type(scheduler).__name__
    functions = getattr(scheduler, "lr_lambdas", [])
    first = functions[0] if functions else None
    own = [Part(name, known=False, factors=name == "LambdaLR")]
    if name == "MultiplicativeLR" or any(each != first for each in functions):
        return own
    shape = shape_of(scheduler)
    if shape is not None:
        return parts_of_shape(shape, _bases(scheduler))
    module = getattr(getattr(first, "func", first), "__module__", None) or ""
    if module.split(".")[0] not in LIBRARIES:
        return own
    given = first.keywords if isinstance(first, functools.partial) else _enclosed(first)
    length = given.get("num_training_steps")
    if "num_decay_steps" in given:
        stages = ("num_warmup_steps", "num_stable_steps", "num_decay_steps")
        length = sum(given.get(stage) or 0 for stage in stages)
    function = getattr(getattr(first, "func", first), "__qualname__", "")
    function = function.removesuffix(".<locals>.<lambda>").removesuffix(".<locals>.lr_lambda")
    piecewise = "piecewise" in function  # its rules may raise the rate
    return [
        Part(
            function.split(".")[0].strip("_").removesuffix("_lambda").removesuffix("_lr"),
            length=length,
            rebounds="cosine" in function,
            top=given.get("num_warmup_steps") or None,
            peaks=() if piecewise else _bases(scheduler),
            still="constant" in function and not piecewise,
        )
    ]


def _enclosed(function: Any) -> dict[str, Any]:
    """The variables that a nested function has enclosed."""
    return dict(inspect.getclosurevars(function).nonlocals) if inspect.isfunction(function) else {}


def shape_of(scheduler: FunctionLR) -> Schedule | None:
    """The shape of a LambdaLR that `schedules.to_torch` has made."""
    owners = [getattr(function, "__self__", None) for function in scheduler.lr_lambdas]
    same = owners and isinstance(owners[0], Schedule) and all(o is owners[0] for o in owners)
    return owners[0] if same else None


def of_timm(s: Any, groups: Sequence[Group]) -> Part:
    """A scheduler of timm."""
    length = s.get_cycle_length() if hasattr(s, "get_cycle_length") else None
    cuts = getattr(s, "decay_t", None)
    fields: Fields = {"length": length}
    if isinstance(cuts, list | tuple) and cuts:
        fields = _milestones(cuts)
    elif isinstance(cuts, int | float) and length is None:  # StepLRScheduler
        fields = {"first": cuts}
    prefix = (
        "give it warmup_prefix=True: without it the decay runs on under the warmup, and takes over "
        "at the rate that it has got to"
    )
    return Part(
        type(s).__name__,
        top=getattr(s, "warmup_t", 0) or None,
        peaks=tuple(
            float(base) * group.get("lr_scale", 1.0)
            for base, group in zip(s.base_values, groups, strict=False)
        ),
        ceiling=s.noise_range_t is None,
        cycle=getattr(s, "t_initial", None) if getattr(s, "cycle_limit", 1) > 1 else None,
        top_mend="" if getattr(s, "warmup_prefix", True) else prefix,
        **fields,
    )


def parts_of_shape(shape: Schedule, peaks: tuple[float, ...]) -> list[Part]:
    """A shape of this package; `peaks` are the LR that each group has at its factor 1."""
    if isinstance(shape, Then):
        first = shifted(parts_of_shape(shape.first, peaks), 0, shape._start)
        return first + shifted(parts_of_shape(shape.second, peaks), shape._start, math.inf)
    if isinstance(shape, Product):
        inside = parts_of_shape(shape.left, peaks) + parts_of_shape(shape.right, peaks)
        return [replace(part, alone=False) for part in inside]
    peak, cycle = shape.peak_at, None
    if isinstance(shape, cyclical):
        cycle = 2 * shape.half_cycle
    elif isinstance(shape, restarts):
        cycle = shape.holds_until
    return [
        Part(
            type(shape).__name__,
            length=shape.length or None,  # 0: it never moves
            known=type(shape).__module__.startswith("lrcourse.")
            and not isinstance(shape, from_function),
            stepwise=isinstance(shape, step | multistep),
            flat=isinstance(shape, warmup) and shape.ramp == "constant",
            first=shape.holds_until or None,
            top=peak or None,
            peaks=() if peak is None else tuple(lr * float(shape(peak)) for lr in peaks),
            still=shape.length == 0,
            cycle=cycle,
            timed=not isinstance(shape, exponential),
        )
    ]
