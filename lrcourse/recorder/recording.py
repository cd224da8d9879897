"""Looking on at an optimizer's updates, and what its groups hold at each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

import numpy as np

from lrcourse.recorder.groups import (
    check_rate,
    group_names,
    is_schedule_free,
    momentum_of,
    rate_used,
)
from lrcourse.recorder.protocols import Group, OptimizerLike
from lrcourse.recorder.steppers import Stepper, groups_of, stepping

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle

Table = np.ndarray[tuple[int, int], np.dtype[np.float64]]


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
            check_rate(group, optimizer)

    def _hooks(self) -> Iterator[RemovableHandle]:
        for k, each in enumerate(self._stepping):
            read = partial(self._read, k, each)
            yield each.optimizer.register_step_pre_hook(_uncompiled(read))
            if any(map(is_schedule_free, each.groups)):  # scaled inside the step
                again = _uncompiled(partial(read, rate=rate_used))
                yield each.optimizer.register_step_post_hook(again)

    def _read(
        self, k: int, stepper: Stepper, *_: object, rate: Callable[[Group], float] | None = None
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

    def last(self) -> list[float]:
        """LR of each group in the latest update, as the last row of `lr`; empty before the first.

        It takes no longer after a million updates than after one.
        """
        if not self._rows:
            return []
        row = self._rows[-1]
        used = {
            id(group): lr
            for k, each in enumerate(self._stepping)
            for group, (lr, _) in zip(each.groups, row.get(k, ()), strict=False)
        }
        return [used.get(id(group), math.nan) for group in groups_of(self._optimizer)]

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
