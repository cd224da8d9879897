"""What can be seen of an optimizer and its scheduler before the first update is made."""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lrcourse.recorder import groups_of, momentum_of, stepping
from lrcourse.tracing.anatomy import TORCH, inside_of, leaves

if TYPE_CHECKING:
    import torch

_REWRITERS = ("OneCycleLR", "CyclicLR")
# Options that say nothing of why a group is a group of its own, or that those schedulers write.
_PASSED_OVER = {
    *("params", "param_names", "name", "lr", "initial_lr", "max_lr", "min_lr"),
    *("momentum", "betas", "base_momentum", "max_momentum"),
}


@dataclass(frozen=True)
class Condition:
    """The state of optimizer and scheduler when the trace begins; empty for a mere record."""

    stale: tuple[tuple[int, float, float], ...] = ()  # group, its LR, what the scheduler says
    rewritten: tuple[tuple[int, float, float, str], ...] = ()  # group, base, initial_lr, by whom
    bases: tuple[float, ...] = ()  # the LR that each group starts from
    known_groups: tuple[str, int] | None = None  # by whom, how many groups; where it is another
    parted: tuple[str, str] | None = None  # what the scheduler writes to, what makes the updates
    loaded: tuple[float, float] | None = None  # the LR built with, and the one that it holds
    overwritten: tuple[tuple[str, ...], str] | None = None  # who has no effect, and through whom
    flattened: str = ""  # the scheduler that gave all groups one LR
    unused: bool = False  # the optimizer has made no update that left a state
    stateful: bool = False  # it would have left one
    built_momentum: float = math.nan  # as the optimizer was given it
    cycled: tuple[tuple[str, float, float, bool], ...] = ()  # by whom, low, high, by default


def condition(optimizer: torch.optim.Optimizer, scheduler: Any) -> Condition:
    """Read the state of both, changing neither."""
    groups = groups_of(optimizer)
    scheduler = inside_of(scheduler)
    defaults, state = getattr(optimizer, "defaults", {}), getattr(optimizer, "state", {})
    unused = not getattr(optimizer, "_opt_called", False) and not any(state.values())
    inside = [leaf for leaf in leaves(scheduler) if type(leaf).__module__ == TORCH]
    rewriters = [leaf for leaf in inside if type(leaf).__name__ in _REWRITERS]
    built = momentum_of(defaults)
    return Condition(
        bases=tuple(float(group.get("initial_lr", group["lr"])) for group in groups),
        known_groups=_known_groups(scheduler, groups),
        parted=_parted(optimizer, scheduler, groups),
        loaded=None if rewriters else _loaded(optimizer, scheduler, groups),
        overwritten=_overwritten(scheduler),
        stale=_stale(scheduler, groups),
        rewritten=_rewritten(inside, rewriters, groups),
        flattened=_flattened(inside, rewriters, groups),
        unused=unused,
        stateful=type(optimizer).__name__ != "SGD" or any(map(momentum_of, groups)),
        built_momentum=built,
        cycled=tuple(_cycle(leaf, groups) for leaf in rewriters if leaf.cycle_momentum),
    )


def _known_groups(scheduler: Any, groups: list[dict]) -> tuple[str, int] | None:
    for leaf in leaves(scheduler):
        bases = getattr(leaf, "base_lrs", None) or getattr(leaf, "base_values", None)
        if isinstance(bases, list | tuple) and len(bases) not in (0, len(groups)):
            return type(leaf).__name__, len(bases)
    return None


def _parted(optimizer: Any, scheduler: Any, groups: list[dict]) -> tuple[str, str] | None:
    written = getattr(getattr(scheduler, "optimizer", None), "param_groups", groups)
    used = {id(group) for group in groups}
    if any(id(group) in used for group in written):
        return None
    inside = ", ".join(type(each.optimizer).__name__ for each in stepping(optimizer, "trace"))
    return type(scheduler.optimizer).__name__, inside


def _loaded(optimizer: Any, scheduler: Any, groups: list[dict]) -> tuple[float, float] | None:
    """The LR that the optimizer was built with, and another one that a checkpoint has put there.

    It has a state and has not been stepped since the scheduler was built, which begins anew.
    """
    built, state = getattr(optimizer, "defaults", {}).get("lr"), getattr(optimizer, "state", {})
    fresh = getattr(scheduler, "last_epoch", 0) == 0
    if built is None or not fresh or getattr(optimizer, "_opt_called", False):
        return None
    held = {float(group.get("initial_lr", group["lr"])) for group in groups}
    if len(held) != 1 or not any(state.values()) or math.isclose(*held, float(built)):
        return None
    return float(built), *held


# They compute the LR from its base at every step, whatever others have made of it.
_FROM_THE_BASE = ("CosineAnnealingWarmRestarts", "CyclicLR", "LambdaLR", "OneCycleLR")


def _overwritten(scheduler: Any) -> tuple[tuple[str, ...], str] | None:
    if type(scheduler).__name__ != "ChainedScheduler" or not _is_torch(scheduler):
        return None
    names = [type(each).__name__ for each in scheduler._schedulers]
    by = [name for name in names if name in _FROM_THE_BASE]
    if len(names) < 2 or not by:
        return None
    others = list(names)
    others.remove(by[-1])
    return tuple(others), by[-1]


def _stale(scheduler: Any, groups: list[dict]) -> tuple:
    said = getattr(scheduler, "_last_lr", None) if _is_torch(scheduler) else None
    if said is None or len(said) != len(groups):
        return ()
    pairs = [(float(group["lr"]), float(last)) for group, last in zip(groups, said, strict=True)]
    return tuple(
        (g, lr, last)
        for g, (lr, last) in enumerate(pairs)
        if not (math.isclose(lr, last, rel_tol=1e-6) or (math.isnan(lr) and math.isnan(last)))
    )


def _is_torch(scheduler: Any) -> bool:
    return any(kind.__module__ == TORCH for kind in type(scheduler).__mro__)


def _rewritten(inside: list, rewriters: list, groups: list[dict]) -> tuple:
    if not rewriters:
        return ()
    found = {}
    for leaf in inside:
        if leaf in rewriters or not hasattr(leaf, "base_lrs"):
            continue
        for g, (base, group) in enumerate(zip(leaf.base_lrs, groups, strict=False)):
            now = float(group.get("initial_lr", base))
            if not math.isclose(float(base), now, rel_tol=1e-6):
                found.setdefault(g, (g, float(base), now, type(rewriters[-1]).__name__))
    return tuple(found.values())


def _flattened(inside: list, rewriters: list, groups: list[dict]) -> str:
    """The scheduler that gave one LR to groups that were surely, or most likely, to differ.

    Surely: another scheduler still knows their different LRs. Most likely: the groups have equal
    options otherwise, and why else should there be several?
    """
    if len(groups) < 2:
        return ""
    for leaf in rewriters:
        tops = getattr(leaf, "max_lrs", None) or [group.get("max_lr") for group in groups]
        if len({float(top) for top in tops if top is not None}) != 1:
            continue
        others = [each for each in inside if each not in rewriters and hasattr(each, "base_lrs")]
        known = any(len({float(base) for base in each.base_lrs}) > 1 for each in others)
        options = [
            {name: repr(value) for name, value in group.items() if name not in _PASSED_OVER}
            for group in groups
        ]
        if known or all(each == options[0] for each in options):
            return type(leaf).__name__
    return ""


def _cycle(leaf: Any, groups: list[dict]) -> tuple[str, float, float, bool]:
    usual = inspect.signature(type(leaf)).parameters
    low = [float(group["base_momentum"]) for group in groups if "base_momentum" in group]
    high = [float(group["max_momentum"]) for group in groups if "max_momentum" in group]
    low, high = min(low, default=math.nan), max(high, default=math.nan)
    by_default = (low, high) == (usual["base_momentum"].default, usual["max_momentum"].default)
    return type(leaf).__name__, low, high, by_default
