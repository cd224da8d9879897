"""What a scheduler says of itself: its parts, how long each takes, the peak each leads to.

Read from the attributes of torch's, transformers' and timm's schedulers and of the shapes here,
without calling any of them. A part that is not known (a function of one's own, say) has no length
and no peak, and then nobody can say that it misses them.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

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
from lrcourse.schedules.rules import plateau

TORCH = "torch.optim.lr_scheduler"


@dataclass(frozen=True)
class Part:
    """One simple scheduler among those that make up a schedule.

    Times are counted in steps of the whole schedule. ``start`` and ``stop`` say when the part has
    its turn, ``length`` how long it takes by itself (None: for ever).
    """

    name: str
    start: float = 0
    stop: float = math.inf
    length: float | None = None
    known: bool = True  # its rises are its own design
    alone: bool = True  # not multiplied by another
    timed: bool = True  # its length is a plan, and no floor that it may or may not get to
    stepwise: bool = False  # milestones, and not a smooth decay
    rebounds: bool = False  # rises again when it is stepped past its length
    flat: bool = False  # one low rate until its end, and not a ramp
    first: float | None = None  # t of its first change, where it waits for that
    top: float | None = None  # t of its peak, counted from its start; None where it has none
    peaks: tuple[float, ...] = ()  # the highest LR of each group, by design
    ceiling: bool = True  # nothing but a wrong argument makes it rise above its peaks
    still: bool = False  # never moves, by design
    cycle: float | None = None  # length of its first cycle, where it rises again and again
    deaf: tuple[float, ...] = ()  # milestones that no step meets
    factors: bool = False  # a function of one's own, whose result multiplies the LR
    top_mend: str = ""

    @property
    def end(self) -> float | None:
        return None if self.length is None else self.start + self.length


@dataclass(frozen=True)
class Anatomy:
    """A schedule's name, its parts, and the number of steps that it has made already."""

    name: str
    parts: tuple[Part, ...]
    position: int = 0

    @property
    def length(self) -> float | None:
        """Number of steps until it holds still (or ends in an error); None: goes on for ever."""
        last = [part for part in self.parts if part.stop == math.inf]
        return None if any(p.end is None for p in last) else max((p.end for p in last), default=0)


def anatomy(scheduler: Any, groups: list[dict]) -> Anatomy:
    """Read a scheduler (or shape); ``groups`` are the optimizer's, with the LR of each."""
    parts = tuple(_parts(scheduler, groups))
    if isinstance(scheduler, Schedule | plateau):
        return Anatomy(repr(scheduler), parts)
    scheduler = inside_of(scheduler)
    children = list(getattr(scheduler, "_schedulers", ()))
    name = type(scheduler).__name__
    if children:
        name += f"({', '.join(anatomy(child, groups).name for child in children)})"
    elif _kind(scheduler) == "LambdaLR" and _shape_of(scheduler) is not None:
        name += f" ({_shape_of(scheduler)!r})"
    elif len(parts) == 1 and parts[0].name != name:
        name += f" ({parts[0].name})"
    return Anatomy(name, parts, _position(scheduler))


def inside_of(scheduler: Any) -> Any:
    """The scheduler that a wrapper without rates of its own steps (accelerate's); else itself."""
    seen = {id(scheduler)}
    while not isinstance(scheduler, Schedule | plateau | torch.optim.lr_scheduler.LRScheduler):
        held = [
            each
            for name, each in getattr(scheduler, "__dict__", {}).items()
            if "optim" not in name and callable(getattr(type(each), "step", None))
        ]
        if len(held) != 1 or not hasattr(held[0], "last_epoch") or id(held[0]) in seen:
            break
        scheduler = held[0]
        seen.add(id(scheduler))
    return scheduler


def on_clock(built: Anatomy, clock: list[float], wrapper: str) -> Anatomy:
    """The anatomy of a wrapped scheduler, in steps of its wrapper.

    ``clock`` is the position of the scheduler inside before the first step and after each one.
    Where that never moves nothing is known of what the wrapper does.
    """
    made = clock[-1] - clock[0]
    pace = made / (len(clock) - 1) if len(clock) > 1 else 1
    if made <= 0:
        return Anatomy(wrapper, (Part(wrapper, known=False),))
    if pace == 1:
        return built

    def outer(t: float) -> float:
        if clock[0] < t <= clock[-1]:
            return float(np.searchsorted(clock, t))
        return (t - clock[0]) / pace if t <= clock[0] else len(clock) - 1 + (t - clock[-1]) / pace

    def moved(part: Part) -> Part:
        start = outer(part.start) if part.start else 0 if not clock[0] else outer(0)
        times = {
            name: None if value is None else outer(part.start + value) - start
            for name in ("length", "first", "top", "cycle")
            for value in [getattr(part, name)]
        }
        name = f"{part.name} ({pace:.4g} of its steps at each step of {wrapper})"
        return replace(part, name=name, start=start, stop=outer(part.stop), **times)

    return Anatomy(f"{wrapper}({built.name})", tuple(map(moved, built.parts)))


def leaves(scheduler: Any) -> list[Any]:
    """The simple schedulers inside a torch scheduler; itself where it is one."""
    children = getattr(scheduler, "_schedulers", None)
    if not isinstance(children, list | tuple):
        return [scheduler]
    return [leaf for child in children for leaf in leaves(child)]


def _position(scheduler: Any) -> int:
    while _kind(scheduler) == "ChainedScheduler":
        scheduler = scheduler._schedulers[0]
    position = getattr(scheduler, "last_epoch", 0)
    return max(int(position), 0) if isinstance(position, int | float) else 0


def _kind(scheduler: Any) -> str | None:
    """The class's name, for a class of torch itself: a subclass may do anything."""
    kind = type(scheduler)
    return kind.__name__ if kind.__module__ == TORCH else None


def _parts(scheduler: Any, groups: list[dict]) -> list[Part]:
    scheduler = inside_of(scheduler)
    kind = _kind(scheduler)
    if isinstance(scheduler, Schedule):
        peaks = tuple(float(group["lr"]) for group in groups)
        return _parts_of_shape(scheduler, peaks)
    if isinstance(scheduler, plateau):
        return [Part("plateau")]
    if kind == "SequentialLR":
        marks = [0, *scheduler._milestones, math.inf]
        parts = []
        for child, start, stop in zip(scheduler._schedulers, marks, marks[1:], strict=False):
            parts += _shifted(_parts(child, groups), start, stop)
        return parts
    if kind == "ChainedScheduler":
        inside = [part for child in scheduler._schedulers for part in _parts(child, groups)]
        return [replace(part, alone=part.alone and len(inside) == 1) for part in inside]
    if kind in ("LambdaLR", "MultiplicativeLR"):
        return _parts_of_function(scheduler, groups)
    if kind is not None:
        reader = _TORCH.get(kind)
        part = Part(kind) if reader is None else replace(reader(scheduler, groups), name=kind)
        return [part]
    if type(scheduler).__module__.startswith("timm."):
        return [_timm(scheduler, groups)]
    library = type(scheduler).__module__.split(".")[0] in _LIBRARIES
    return [Part(type(scheduler).__name__, known=library)]


# Their schedulers' rises are their own design.
_LIBRARIES = (
    *("transformers", "timm", "diffusers", "mmengine"),
    *("torch_geometric", "pytorch_optimizer", "warmup_scheduler"),
)


def _shifted(parts: list[Part], start: float, stop: float) -> list[Part]:
    moved = [replace(p, start=p.start + start, stop=min(p.stop + start, stop)) for p in parts]
    return [part for part in moved if part.start < part.stop]


def _bases(scheduler: Any) -> tuple[float, ...]:
    return tuple(float(lr) for lr in scheduler.base_lrs)


def _linear(s: Any, groups: list[dict]) -> Part:
    rises = s.end_factor > s.start_factor
    peaks = tuple(base * max(s.start_factor, s.end_factor) for base in _bases(s))
    top, still = s.total_iters if rises else None, s.end_factor == s.start_factor
    return Part("", length=s.total_iters, top=top, peaks=peaks, still=still)


def _constant(s: Any, groups: list[dict]) -> Part:
    top = s.total_iters if s.factor < 1 else None
    still = s.factor == 1
    return Part("", length=s.total_iters, top=top, peaks=_bases(s), flat=True, still=still)


def _one_cycle(s: Any, groups: list[dict]) -> Part:
    top = s._schedule_phases[0]["end_step"]
    whole = max(2, min(round(top + 1), s.total_steps - 1))
    mend = (
        f"make pct_start * total_steps whole, for instance pct_start={whole}/{s.total_steps}, or "
        f"use lrcourse.schedules.one_cycle({s.total_steps}), whose peak is always reached"
    )
    peaks = tuple(float(group["max_lr"]) for group in groups if "max_lr" in group)
    return Part("", length=s.total_steps, rebounds=True, top=top, peaks=peaks, top_mend=mend)


def _cyclic(s: Any, groups: list[dict]) -> Part:
    own = s._scale_fn_custom is not None  # a height that only its author knows
    top = s.total_size * s.step_ratio
    height = s.gamma**top if s.mode == "exp_range" and not own else 1
    peaks = tuple(
        float(low) + (float(high) - float(low)) * height
        for low, high in zip(s.base_lrs, s.max_lrs, strict=True)
    )
    falls = s.mode == "exp_range" and height < 1  # highest before the top of its first cycle
    upside_down = any(low > high for low, high in zip(s.base_lrs, s.max_lrs, strict=True))
    ceiling = not own and (not falls or upside_down)
    top = None if own or falls else top
    return Part("", top=top, peaks=peaks, ceiling=ceiling, cycle=s.total_size)


def _milestones(marks: Any) -> Part:
    length, first = max(marks, default=None), min(marks, default=None)
    return Part("", length=length, stepwise=True, first=first)


def _multistep(s: Any, groups: list[dict]) -> Part:
    deaf = tuple(mark for mark in s.milestones if mark != int(mark))
    return replace(_milestones(s.milestones), deaf=deaf, peaks=_bases(s), still=s.gamma == 1)


def _exponential(s: Any, groups: list[dict]) -> Part:
    # One that rises from next to nothing is a sweep for a range test.
    sweep = s.gamma > 1 and max(_bases(s)) <= 1e-6
    return Part("", peaks=_bases(s), ceiling=not sweep, still=s.gamma == 1)


_TORCH: dict[str, Callable[[Any, list[dict]], Part]] = {
    "LinearLR": _linear,
    "ConstantLR": _constant,
    "OneCycleLR": _one_cycle,
    "CyclicLR": _cyclic,
    "CosineAnnealingLR": lambda s, _: Part("", length=s.T_max, rebounds=True, peaks=_bases(s)),
    "PolynomialLR": lambda s, _: Part("", length=s.total_iters, peaks=_bases(s)),
    "MultiStepLR": _multistep,
    "ExponentialLR": _exponential,
    "StepLR": lambda s, _: Part(
        "", first=s.step_size, peaks=_bases(s), stepwise=True, still=s.gamma == 1
    ),
    "CosineAnnealingWarmRestarts": lambda s, _: Part("", first=s.T_0, peaks=_bases(s), cycle=s.T_0),
}


def _parts_of_function(scheduler: Any, groups: list[dict]) -> list[Part]:
    """LambdaLR with a shape of this package or a function of transformers; else unknown."""
    name = type(scheduler).__name__
    functions = getattr(scheduler, "lr_lambdas", [])
    first = functions[0] if functions else None
    own = [Part(name, known=False, factors=name == "LambdaLR")]
    if name == "MultiplicativeLR" or any(each != first for each in functions):
        return own
    shape = _shape_of(scheduler)
    if shape is not None:
        return _parts_of_shape(shape, _bases(scheduler))
    module = getattr(getattr(first, "func", first), "__module__", None) or ""
    if module.split(".")[0] not in _LIBRARIES:
        return own
    given = first.keywords if isinstance(first, functools.partial) else _enclosed(first)
    length = given.get("num_training_steps")
    if "num_decay_steps" in given:
        stages = ("num_warmup_steps", "num_stable_steps", "num_decay_steps")
        length = sum(given.get(stage) or 0 for stage in stages)
    function = getattr(first, "func", first).__qualname__
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


def _shape_of(scheduler: Any) -> Schedule | None:
    """The shape of a LambdaLR that ``schedules.to_torch`` has made."""
    owners = [getattr(function, "__self__", None) for function in scheduler.lr_lambdas]
    same = owners and isinstance(owners[0], Schedule) and all(o is owners[0] for o in owners)
    return owners[0] if same else None


def _timm(s: Any, groups: list[dict]) -> Part:
    length = s.get_cycle_length() if hasattr(s, "get_cycle_length") else None
    cuts = getattr(s, "decay_t", None)
    steps = _milestones(cuts) if isinstance(cuts, list | tuple) and cuts else Part("")
    if isinstance(cuts, int | float) and length is None:  # StepLRScheduler
        steps = replace(steps, first=cuts)
    peaks = tuple(
        float(base) * group.get("lr_scale", 1.0)
        for base, group in zip(s.base_values, groups, strict=False)
    )
    return replace(
        steps,
        name=type(s).__name__,
        length=steps.length or length,
        top=getattr(s, "warmup_t", 0) or None,
        peaks=peaks,
        ceiling=s.noise_range_t is None,
        cycle=getattr(s, "t_initial", None) if getattr(s, "cycle_limit", 1) > 1 else None,
        top_mend=""
        if getattr(s, "warmup_prefix", True)
        else "give it warmup_prefix=True: without "
        "it the decay runs on under the warmup, and takes over at the rate that it has got to",
    )


def _parts_of_shape(shape: Schedule, peaks: tuple[float, ...]) -> list[Part]:
    if isinstance(shape, Then):
        first = _shifted(_parts_of_shape(shape.first, peaks), 0, shape._start)
        return first + _shifted(_parts_of_shape(shape.second, peaks), shape._start, math.inf)
    if isinstance(shape, Product):
        inside = _parts_of_shape(shape.left, peaks) + _parts_of_shape(shape.right, peaks)
        return [replace(part, alone=False) for part in inside]
    ours = type(shape).__module__.startswith("lrcourse.")
    ramp = isinstance(shape, warmup)
    step_by_step = isinstance(shape, step | multistep)
    return [
        Part(
            type(shape).__name__,
            length=shape.length or None,  # 0: it never moves
            known=ours and not isinstance(shape, from_function),
            stepwise=step_by_step,
            flat=ramp and shape.ramp == "constant",
            first=shape.holds_until or None,
            top=shape.peak_at or None,
            peaks=tuple(peak * shape(shape.peak_at) for peak in peaks)
            if shape.peak_at is not None
            else (),
            still=shape.length == 0,
            cycle=2 * shape.half_cycle
            if isinstance(shape, cyclical)
            else shape.holds_until
            if isinstance(shape, restarts)
            else None,
            timed=not isinstance(shape, exponential),
        )
    ]
