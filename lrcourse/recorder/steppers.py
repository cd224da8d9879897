"""Which optimizer really makes the updates behind a wrapper, and which groups it steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lrcourse.recorder.protocols import Group, OptimizerLike
from lrcourse.support.checks import of_kind, shown

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Stepper:
    """An optimizer that makes updates; `inside` are those that step a part of its groups for it."""

    optimizer: torch.optim.Optimizer
    inside: tuple[Stepper, ...] = ()

    @property
    def groups(self) -> list[Group]:
        """The groups that it steps itself."""
        groups = self.optimizer.param_groups
        if not self.inside:
            return groups
        theirs = set().union(*(_ids(each.optimizer)[1] for each in self.inside))
        return [group for group in groups if theirs.isdisjoint(map(id, group["params"]))]


def stepping(optimizer: object, owner: str) -> list[Stepper]:
    """The optimizers that make the updates: itself, or those inside where it is a wrapper.

    Inside a wrapper are the optimizers in its attributes (in their lists and dictionaries, too)
    with which it shares a parameter group or a parameter. A wrapper with groups of its own beside
    theirs counts as well. `owner` begins the message.

    Raises:
        TypeError: where there is none, or one without torch's hooks.
    """
    if not is_optimizer(optimizer):
        raise TypeError(_no_optimizer(optimizer, owner))
    found = list(_steppers(optimizer, set()))
    for each in found:
        if not hasattr(each.optimizer, "_optimizer_step_pre_hooks"):
            raise TypeError(
                f"{owner}: {type(each.optimizer).__name__} cannot be watched: it holds no "
                f"optimizer that shares its parameter groups, and lacks torch's hooks; call "
                f"super().__init__(params, defaults) in its __init__"
            )
    return found


def groups_of(optimizer: OptimizerLike) -> list[Group]:
    """The parameter groups that the updates use, in the optimizer's own order where it has one.

    Example:
        >>> import torch
        >>> from lrcourse.recorder import groups_of
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.5)
        >>> [group["lr"] for group in groups_of(optimizer)]
        [0.5]

    Raises:
        TypeError: for what is no optimizer.
    """
    if not is_optimizer(optimizer):
        raise TypeError(_no_optimizer(optimizer, "groups_of"))
    steppers = list(_steppers(optimizer, set()))
    inside = [group for each in steppers for group in each.groups]
    own = optimizer.param_groups
    return own if set(map(id, own)) == set(map(id, inside)) else inside


def _no_optimizer(thing: object, owner: str) -> str:
    return (
        f"{owner}: optimizer must be a torch optimizer, or a wrapper around one that has its "
        f"param_groups; got {shown(thing)}, {of_kind(thing)}"
    )


def share_groups(one: object, other: object) -> bool:
    """Whether two optimizers have a parameter group (the same dictionary) or a parameter alike."""
    return any(not a.isdisjoint(b) for a, b in zip(_ids(one), _ids(other), strict=True))


def _steppers(optimizer: Any, seen: set[int]) -> Iterator[Stepper]:
    seen.add(id(optimizer))
    found: list[Stepper] = []
    for each in _held(optimizer):
        if id(each) not in seen and share_groups(optimizer, each):
            found += _steppers(each, seen)
    itself = Stepper(optimizer, tuple(found))
    if not found or itself.groups:
        yield itself
    yield from found


def _held(owner: object) -> Iterator[object]:
    for name, value in list(getattr(owner, "__dict__", {}).items()):
        if name in ("state", "param_groups", "defaults"):
            continue
        several = isinstance(value, list | tuple | dict)
        inside = list(value.values()) if isinstance(value, dict) else value if several else [value]
        yield from filter(is_optimizer, inside)


def is_optimizer(thing: object) -> bool:
    """Whether it has parameter groups and steps them."""
    # The class first: to ask an object for what it lacks may start something.
    if isinstance(thing, type) or not callable(getattr(type(thing), "step", None)):
        return False
    groups = getattr(thing, "param_groups", None)
    return isinstance(groups, list) and all(isinstance(group, dict) for group in groups)


def _ids(optimizer: Any) -> tuple[set[int], set[int]]:
    """The ids of its groups, and of its parameters."""
    groups = optimizer.param_groups
    return set(map(id, groups)), {id(p) for group in groups for p in group["params"]}
