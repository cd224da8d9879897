"""What a scheduler says of itself: its parts, how long each takes, the peak each leads to.

Read from the attributes of torch's, transformers' and timm's schedulers and of the shapes here,
without calling any of them. A part that is not known (a function of one's own, say) has no length
and no peak, and then nobody can say that it misses them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from lrcourse.schedules.base import Product, Schedule, Then
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
    stepwise: bool = False  # milestones, and not a smooth decay
    rebounds: bool = False  # rises again when it is stepped past its length
    flat: bool = False  # one low rate until its end, and not a ramp
    first: float | None = None  # t of its first change, where it waits for that
    top: float | None = None  # t of its peak, counted from its start; None where it has none
    peaks: tuple[float, ...] = ()  # the LR of each group there
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
    children = list(getattr(scheduler, "_schedulers", ()))
    name = type(scheduler).__name__
    if children:
        name += f"({', '.join(anatomy(child, groups).name for child in children)})"
    elif _kind(scheduler) == "LambdaLR" and _shape_of(scheduler) is not None:
        name += f" ({_shape_of(scheduler)!r})"
    elif len(parts) == 1 and parts[0].name != name:
        name += f" ({parts[0].name})"
    return Anatomy(name, parts, _position(scheduler))


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
    return [Part(type(scheduler).__name__, known=False)]


def _shifted(parts: list[Part], start: float, stop: float) -> list[Part]:
    moved = [replace(p, start=p.start + start, stop=min(p.stop + start, stop)) for p in parts]
    return [part for part in moved if part.start < part.stop]


def _bases(scheduler: Any) -> tuple[float, ...]:
    return tuple(float(lr) for lr in scheduler.base_lrs)


def _linear(s: Any, groups: list[dict]) -> Part:
    rises = s.end_factor > s.start_factor
    peaks = tuple(base * s.end_factor for base in _bases(s))
    return Part("", length=s.total_iters, top=s.total_iters if rises else None, peaks=peaks)


def _constant(s: Any, groups: list[dict]) -> Part:
    top = s.total_iters if s.factor < 1 else None
    return Part("", length=s.total_iters, top=top, peaks=_bases(s), flat=True)


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
    peaks = tuple(float(lr) for lr in s.max_lrs)
    own = s._scale_fn_custom is not None  # a height that only its author knows
    return Part("", top=None if own else s.total_size * s.step_ratio, peaks=peaks)


def _milestones(marks: Any) -> Part:
    length, first = max(marks, default=None), min(marks, default=None)
    return Part("", length=length, stepwise=True, first=first)


_TORCH: dict[str, Callable[[Any, list[dict]], Part]] = {
    "LinearLR": _linear,
    "ConstantLR": _constant,
    "OneCycleLR": _one_cycle,
    "CyclicLR": _cyclic,
    "CosineAnnealingLR": lambda s, _: Part("", length=s.T_max, rebounds=True),
    "PolynomialLR": lambda s, _: Part("", length=s.total_iters),
    "MultiStepLR": lambda s, _: _milestones(s.milestones),
    "StepLR": lambda s, _: Part("", first=s.step_size),
    "CosineAnnealingWarmRestarts": lambda s, _: Part("", first=s.T_0),
}


def _parts_of_function(scheduler: Any, groups: list[dict]) -> list[Part]:
    """LambdaLR with a shape of this package or a function of transformers; else unknown."""
    name = type(scheduler).__name__
    functions = getattr(scheduler, "lr_lambdas", [])
    first = functions[0] if functions else None
    if name == "MultiplicativeLR" or any(each != first for each in functions):
        return [Part(name, known=False)]
    shape = _shape_of(scheduler)
    if shape is not None:
        return _parts_of_shape(shape, _bases(scheduler))
    module = getattr(getattr(first, "func", first), "__module__", None) or ""
    if not module.startswith("transformers."):
        return [Part(name, known=False)]
    given = first.keywords if isinstance(first, functools.partial) else {}
    length = given.get("num_training_steps")
    if "num_decay_steps" in given:
        stages = ("num_warmup_steps", "num_stable_steps", "num_decay_steps")
        length = sum(given.get(stage) or 0 for stage in stages)
    function = first.func.__name__ if given else first.__name__
    return [
        Part(
            function.strip("_").removesuffix("_lambda").removesuffix("_lr"),
            length=length,
            rebounds="cosine" in function,
            top=given.get("num_warmup_steps") or None,
            peaks=_bases(scheduler),
        )
    ]


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
    name = type(shape).__name__
    top = None
    if name == "warmup" and shape.length:
        top = shape.length if shape.start is not None else shape.length - 1
        if shape.ramp == "exponential":  # approaches the peak
            top = None
    elif name == "one_cycle":
        top = shape.peak_at
    elif name == "cyclical" and shape.scale is None:
        top = shape.half_cycle
    elif name == "wsd":
        top = shape.warmup or None
    waits = {"step": "every", "restarts": "first"}.get(name)
    return [
        Part(
            name,
            length=shape.length or None,  # 0: it never moves
            known=name != "from_function" and type(shape).__module__.startswith("lrcourse."),
            stepwise=name == "multistep",
            flat=name == "warmup" and shape.ramp == "constant",
            first=getattr(shape, waits) if waits else None,
            top=top or None,
            peaks=peaks,
        )
    ]
