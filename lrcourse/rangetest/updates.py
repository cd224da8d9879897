"""The updates of a sweep: the rates that each step used, and who else makes any."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from lrcourse.rangetest.refusals import refusal
from lrcourse.recorder import OptimizerLike, Recorder, groups_of
from lrcourse.recorder.steppers import share_groups

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle

SAME = 1e-5  # of a rate: a tensor of float32 has seven digits
Result = TypeVar("Result")


class Updates(Recorder):
    """The rates of each step of the sweep, of which the optimizer may make none or several updates.

    A `step` of the user's own that makes updates by itself is refused.
    """

    def __init__(self, optimizer: OptimizerLike, watches: bool) -> None:
        super().__init__(optimizer)
        self._watches = watches
        self._begins: list[int] = []  # for each step the updates made before it
        self._instead: dict[int, list[float]] = {}  # steps that made none: the rates there
        self._is_watching = False
        self._seen: torch.optim.Optimizer | None = None
        self._shares: dict[int, bool] = {}

    def _hooks(self) -> Iterator[RemovableHandle]:
        yield from super()._hooks()
        if self._watches:
            yield register_optimizer_step_pre_hook(self._look)

    def _look(self, optimizer: torch.optim.Optimizer, *_: object) -> None:
        if self._is_watching:
            known = self._shares.setdefault(id(optimizer), share_groups(self._optimizer, optimizer))
            self._seen = optimizer if known else self._seen

    def watched(self, step: Callable[..., Result], *given: Any) -> Result:
        """What the user's step gives. Refuses one that makes updates itself."""
        if not self._watches:
            return step(*given)
        self._is_watching = True
        result = step(*given)
        self._is_watching = False
        if self._seen is not None:
            raise refusal("update in step", optimizer=type(self._seen).__name__)
        return result

    def begin(self) -> None:
        """The optimizer's step follows."""
        self._begins.append(len(self))

    def was_called(self) -> bool:
        """Whether the step since `begin` has made an update; its rates are kept where not."""
        made = len(self) > self._begins[-1]
        if not made:
            rates = [float(group["lr"]) for group in groups_of(self._optimizer)]
            self._instead[len(self._begins) - 1] = rates
        return made

    def rates(self, planned: np.ndarray, swept: int) -> np.ndarray:
        """The rates of each step, shape (steps, groups), the group `swept` as `planned` has it.

        Refuses steps whose updates used several rates, and rates that do not rise as planned.
        """
        lr, ends = self.lr, [*self._begins[1:], len(self)]
        for t, (begin, end) in enumerate(zip(self._begins, ends, strict=True)):
            if end > begin + 1 and (np.ptp(lr[begin:end], axis=0) > SAME * lr[begin]).any():
                raise refusal("several rates in a step", made=end - begin, step=t)
        table = np.vstack([lr, np.zeros_like(lr, shape=(1, lr.shape[1]))])[self._begins]
        for t, rates in self._instead.items():
            table[t] = rates
        used, meant = table[:, swept], planned[: len(table)]
        others = np.abs(used - meant)[1:] > SAME * meant[1:]
        never = (used == used[:1]).all()  # a rate that is capped on the way may stay there
        if (wrong := np.flatnonzero(others & ((np.diff(used) < 0) | never))).size:
            t = int(wrong[0]) + 1
            raise refusal("another writer", update=t, used=used[t], meant=meant[t])
        return table
