"""The learning rate and the momentum that an optimizer really uses, read inside each update.

This is how the course keeps its first promise, that the LR drawn is the LR applied: nothing is
computed from the schedule again. The numbers are taken from the parameter groups at the moment in
which `optimizer.step` begins. Where a wrapper passes the step on (accelerate, SAM, Lookahead, two
optimizers in one), the optimizers inside are the ones that make the update, and theirs are read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

import numpy as np

from lrcourse.support.checks import of_kind, shown

if TYPE_CHECKING:
    import torch
    from torch.utils.hooks import RemovableHandle

__all__ = ["Hooked", "OptimizerLike", "Recorder", "SchedulerLike", "groups_of", "peak_of"]

Group = dict[str, Any]
Table = np.ndarray[tuple[int, int], np.dtype[np.float64]]


class OptimizerLike(Protocol):
    """Any optimizer: torch's, or a wrapper around one."""

    @property
    def param_groups(self) -> list[Group]:
        """The parameter groups, as torch has them."""
        ...

    @property
    def step(self) -> Callable[..., Any]:
        """Make one update."""
        ...


class SchedulerLike(Protocol):
    """Any scheduler: of torch, transformers, timm or one's own."""

    @property
    def step(self) -> Callable[..., Any]:
        """Write the next LR into the optimizer's groups."""
        ...


class Hooked:
    """What looks on at an optimizer's updates inside a `with` block, through hooks that torch has.

    They are taken off at the end of the block, also after an error.

    Example:
        >>> import torch
        >>> from lrcourse.recorder import Hooked
        >>> class Told(Hooked):
        ...     def _hooks(self):
        ...         yield optimizer.register_step_post_hook(lambda *_: print("an update"))
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        >>> with Told():
        ...     optimizer.step()
        an update
    """

    def __init__(self) -> None:
        self._handles: list[RemovableHandle] = []

    def _hooks(self) -> Iterator[RemovableHandle]:
        """Hang on what is to be called, one after the other."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        for handle in self._hooks():
            self._handles.append(handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._handles:
            self._handles.pop().remove()


class Recorder(Hooked):
    """Record the LR and the momentum of every parameter group at each update of `optimizer`.

    Use it as a context manager around any training loop::

        with Recorder(optimizer) as log:
            train_as_you_always_do()
        log.lr  # array (updates, groups)
        log.momentum  # the same for the momentum

    The optimizer is not changed: a hook that torch itself offers reads the groups, and it is
    taken off again at the end, also after an error. Learning rates held in tensors are read too.
    Of a wrapper around other optimizers, these are recorded (see `stepping`); of a schedule-free
    optimizer the rate that its own warmup has scaled (`scheduled_lr`).

    Example:
        >>> import torch
        >>> from lrcourse.recorder import Recorder
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.5)
        >>> with Recorder(optimizer) as log:
        ...     optimizer.step()
        >>> log.lr
        array([[0.5]])

    Raises:
        TypeError: for what is no optimizer, or one without torch's hooks.
        ValueError: for an optimizer whose groups have no LR.
    """

    def __init__(self, optimizer: OptimizerLike) -> None:
        super().__init__()
        self._optimizer = optimizer
        self._stepping = stepping(optimizer, "Recorder")
        # For each update: index of the optimizer that made it -> (LR, momentum) of its groups.
        self._rows: list[dict[int, list[tuple[float, float]]]] = []
        self._met = [0] * len(self._stepping)  # how many groups each of them has had
        for group in groups_of(optimizer):
            _check_rate(group, optimizer)

    def _hooks(self) -> Iterator[RemovableHandle]:
        for k, each in enumerate(self._stepping):
            read = partial(self._read, k, each)
            yield each.optimizer.register_step_pre_hook(_uncompiled(read))
            if any(map(is_schedule_free, each.groups)):  # scaled inside the step
                again = _uncompiled(partial(read, rate=rate_used))
                yield each.optimizer.register_step_post_hook(again)

    def _read(
        self, k: int, stepper: _Stepper, *_: object, rate: Callable[[Group], float] | None = None
    ) -> None:
        # At each update of a training: no call that can be left out.
        rows, groups = self._rows, stepper.groups
        # Several optimizers in a wrapper make one update between them, each once.
        if rate is None and (not rows or k in rows[-1]):
            rows.append({})
        if len(groups) > self._met[k]:
            self._meet(k, groups)
        if rate is None:
            rows[-1][k] = [(float(group["lr"]), momentum_of(group)) for group in groups]
        else:
            rows[-1][k] = [(rate(group), momentum_of(group)) for group in groups]

    def _meet(self, k: int, groups: list[Group]) -> None:
        """Groups of the k-th optimizer are seen for the first time."""
        self._met[k] = len(groups)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def lr(self) -> Table:
        """LR of each update so far, float64, shape (updates, groups).

        NaN where `absent` is True.
        """
        return self._tables()[0]

    @property
    def momentum(self) -> Table:
        """Momentum of each update so far (beta 1 for Adam and its kin), shape as `lr`.

        NaN for an optimizer without one, and where `absent` is True.
        """
        return self._tables()[1]

    @property
    def absent(self) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
        """Where a group took no part in an update, shape as `lr`.

        It did not exist yet, or its optimizer (of several in a wrapper) was not stepped.
        """
        return self._tables()[2] == 0

    @property
    def names(self) -> tuple[str, ...]:
        """What the groups are called: their own `name`, else "group 0" and so on."""
        return group_names(groups_of(self._optimizer))

    def _tables(self) -> tuple[Table, Table, Table]:
        """LR, momentum, and 1 where a group took part (else 0), each of shape (updates, groups)."""
        columns = self._columns()
        lr = np.full((len(self), len(columns)), np.nan)
        momentum, there = lr.copy(), np.zeros_like(lr)
        for t, row in enumerate(self._rows):
            for k, pairs in row.items():
                for g, pair in enumerate(pairs):
                    at = t, columns[k, g]
                    lr[at], momentum[at] = pair
                    there[at] = 1
        return lr, momentum, there

    def _columns(self) -> dict[tuple[int, int], int]:
        """The column of each group, by its optimizer and its place there."""
        order = {id(group): column for column, group in enumerate(groups_of(self._optimizer))}
        ranks: dict[tuple[int, int], int] = {}
        for k, each in enumerate(self._stepping):
            known = [order.get(id(group), len(order)) for group in each.groups]
            width = max([len(known), *(len(row.get(k, ())) for row in self._rows)])
            for g in range(width):
                ranks[k, g] = known[g] if g < len(known) else len(order)
        return {place: column for column, place in enumerate(sorted(ranks, key=ranks.__getitem__))}


def _uncompiled(hook: Callable[..., None]) -> Callable[..., None]:
    """A hook that torch.compile leaves alone.

    What grows at every update would have it compile a new step at every update.
    """
    import torch  # takes a second; with an optimizer at hand it is there already

    return cast(Callable[..., None], torch.compiler.disable(hook))


# -- which optimizer, which groups ------------------------------------------------------------


@dataclass(frozen=True)
class _Stepper:
    """An optimizer that makes updates; `inside` are those that step a part of its groups for it."""

    optimizer: torch.optim.Optimizer
    inside: tuple[_Stepper, ...] = ()

    @property
    def groups(self) -> list[Group]:
        """The groups that it steps itself."""
        groups = self.optimizer.param_groups
        if not self.inside:
            return groups
        theirs = set().union(*(_ids(each.optimizer)[1] for each in self.inside))
        return [group for group in groups if theirs.isdisjoint(map(id, group["params"]))]


def stepping(optimizer: object, owner: str) -> list[_Stepper]:
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


def _steppers(optimizer: Any, seen: set[int]) -> Iterator[_Stepper]:
    seen.add(id(optimizer))
    found: list[_Stepper] = []
    for each in _held(optimizer):
        if id(each) not in seen and share_groups(optimizer, each):
            found += _steppers(each, seen)
    itself = _Stepper(optimizer, tuple(found))
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


# -- what a group says ------------------------------------------------------------------------


def _check_rate(group: Group, optimizer: object) -> None:
    try:
        float(group["lr"])
    except (KeyError, TypeError, ValueError):
        raise ValueError(
            f"{type(optimizer).__name__} has no learning rate to record: 'lr' of a parameter "
            f"group is {shown(group.get('lr'))}, so it sets its step by itself"
        ) from None


def is_schedule_free(group: Group) -> bool:
    """Whether a group belongs to a schedule-free optimizer, which scales its LR by itself."""
    return "scheduled_lr" in group or {"weight_sum", "lr_max"} <= group.keys()


def rate_of(group: Group) -> float:
    """The LR that stands in a group."""
    return float(group["lr"])


def rate_used(group: Group) -> float:
    """The LR that an update has just used: a schedule-free one has scaled its own."""
    if "scheduled_lr" in group:
        return float(group["scheduled_lr"])
    # pytorch_optimizer's keep the highest rate so far, which a warmup is still below.
    return (
        min(rate_of(group), float(group["lr_max"])) if is_schedule_free(group) else rate_of(group)
    )


def base_of(group: Group) -> float:
    """The LR that a group's schedule starts from: `initial_lr`, where a scheduler keeps one."""
    return float(group.get("initial_lr", group["lr"]))


def peak_of(group: Group) -> float:
    """The LR that a group's schedule leads to: 1cycle's `max_lr`, else what it starts from.

    Example:
        >>> from lrcourse.recorder import peak_of
        >>> peak_of({"lr": 0.004, "initial_lr": 0.004, "max_lr": 0.1})
        0.1

    Raises:
        TypeError: for what is no parameter group.
    """
    if not isinstance(group, dict) or "lr" not in group:
        raise TypeError(
            f"peak_of: group must be a parameter group, a dictionary with 'lr'; got {shown(group)}"
        )
    return float(group.get("max_lr", base_of(group)))


def momentum_of(group: Group) -> float:
    """A parameter group's momentum, or its first beta; NaN where it has neither."""
    momentum = group.get("momentum")
    if momentum is None:
        betas = group.get("betas")
        momentum = betas[0] if betas else math.nan
    return float(momentum)


def group_names(groups: Sequence[Group]) -> tuple[str, ...]:
    """A name for each parameter group: its own `name` if it has one."""
    return tuple(str(group.get("name", f"group {g}")) for g, group in enumerate(groups))
