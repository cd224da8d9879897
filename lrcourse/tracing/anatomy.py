"""The anatomy of a schedule: its name, its parts, and the steps that it has made already.

Read from the attributes of torch's, transformers' and timm's schedulers and of the shapes here,
without calling any of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from lrcourse.recorder.protocols import Group, SchedulerLike
from lrcourse.schedules import Schedule
from lrcourse.schedules.rules import plateau
from lrcourse.tracing import readers
from lrcourse.tracing.parts import Anatomy, Part, shifted


def anatomy(scheduler: SchedulerLike | Schedule | plateau, groups: Sequence[Group]) -> Anatomy:
    """Read a scheduler (or shape); `groups` are the optimizer's, with the LR of each."""
    parts = tuple(_parts(scheduler, groups))
    if isinstance(scheduler, Schedule | plateau):
        return Anatomy(repr(scheduler), parts)
    scheduler = inside_of(scheduler)
    children = list(getattr(scheduler, "_schedulers", ()))
    name = type(scheduler).__name__
    if children:
        name += f"({', '.join(anatomy(child, groups).name for child in children)})"
    elif type(scheduler) is LambdaLR and (shape := readers.shape_of(scheduler)) is not None:
        name += f" ({shape!r})"
    elif len(parts) == 1 and parts[0].name != name:
        name += f" ({parts[0].name})"
    return Anatomy(name, parts, _position(scheduler))


def inside_of(scheduler: Any) -> Any:
    """The scheduler that a wrapper without rates of its own steps (accelerate's); else itself."""
    seen = {id(scheduler)}
    while len(held := held_by(scheduler)) == 1 and id(held[0]) not in seen:
        (scheduler,) = held
        seen.add(id(scheduler))
    return scheduler


def held_by(scheduler: object) -> list[Any]:
    """The schedulers in the attributes of what is no scheduler of torch itself, nor a shape."""
    if isinstance(scheduler, Schedule | plateau | LRScheduler):
        return []
    held = []
    for name, value in getattr(scheduler, "__dict__", {}).items():
        for each in value if isinstance(value, list | tuple) else [value]:
            steps = "optim" not in name and callable(getattr(type(each), "step", None))
            if steps and hasattr(each, "last_epoch"):
                held.append(each)
    return held


def leaves(scheduler: object) -> list[Any]:
    """The simple schedulers inside a torch scheduler; itself where it is one."""
    children = getattr(scheduler, "_schedulers", None)
    if not isinstance(children, list | tuple):
        return [scheduler]
    return [leaf for child in children for leaf in leaves(child)]


def _position(scheduler: Any) -> int:
    while readers.kind_of(scheduler) == "ChainedScheduler":
        scheduler = scheduler._schedulers[0]
    position = getattr(scheduler, "last_epoch", 0)
    return max(int(position), 0) if isinstance(position, int | float) else 0


def _parts(scheduler: Any, groups: Sequence[Group]) -> list[Part]:
    scheduler = inside_of(scheduler)
    kind = readers.kind_of(scheduler)
    if isinstance(scheduler, Schedule):
        peaks = tuple(float(group["lr"]) for group in groups)
        return readers.parts_of_shape(scheduler, peaks)
    if isinstance(scheduler, plateau):
        return [Part("plateau")]
    if kind == "SequentialLR":
        marks = [0, *scheduler._milestones, math.inf]
        parts = []
        for child, start, stop in zip(scheduler._schedulers, marks, marks[1:], strict=False):
            parts += shifted(_parts(child, groups), start, stop)
        return parts
    if kind == "ChainedScheduler":
        inside = [part for child in scheduler._schedulers for part in _parts(child, groups)]
        return [replace(part, alone=part.alone and len(inside) == 1) for part in inside]
    if kind in ("LambdaLR", "MultiplicativeLR"):
        return readers.parts_of_function(scheduler, groups)
    if kind is not None:
        return [readers.of_torch(scheduler, groups)]
    if type(scheduler).__module__.startswith("timm."):
        return [readers.of_timm(scheduler, groups)]
    library = type(scheduler).__module__.split(".")[0] in (*readers.LIBRARIES, "torch")
    return [Part(type(scheduler).__name__, known=library)]
