"""The learning rate and the momentum that an optimizer really uses, read inside each update.

This is how the course keeps its first promise, that the LR drawn is the LR applied: nothing is
computed from the schedule again. The numbers are taken from the parameter groups at the moment in
which ``optimizer.step`` begins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


class Recorder:
    """Record the LR and the momentum of every parameter group at each update of ``optimizer``.

    Use it as a context manager around any training loop::

        with Recorder(optimizer) as log:
            train_as_you_always_do()
        log.lr  # array (updates, groups)
        log.momentum  # the same for the momentum

    The optimizer is not changed: a hook that torch itself offers reads the groups, and it is
    taken off again at the end, also after an error. Learning rates held in tensors are read too.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        if not hasattr(optimizer, "register_step_pre_hook"):
            raise TypeError(
                f"a Recorder watches a torch optimizer, but was given {type(optimizer).__name__}"
            )
        self._optimizer = optimizer
        self._rows: list[list[float]] = []
        self._momenta: list[list[float]] = []
        self._handle = None

    def __enter__(self) -> Recorder:
        self._handle = self._optimizer.register_step_pre_hook(self._read)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._handle.remove()

    def _read(self, optimizer: torch.optim.Optimizer, args: tuple, kwargs: dict) -> None:
        self._rows.append([float(group["lr"]) for group in optimizer.param_groups])
        self._momenta.append([momentum_of(group) for group in optimizer.param_groups])

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def lr(self) -> np.ndarray:
        """LR of each update so far, float64, shape (updates, groups).

        A group that was added on the way has NaN in the updates before it existed.
        """
        return self._table(self._rows)

    @property
    def momentum(self) -> np.ndarray:
        """Momentum of each update so far (beta 1 for Adam and its kin), shape as ``lr``.

        NaN for an optimizer without one, and where ``lr`` is NaN.
        """
        return self._table(self._momenta)

    @property
    def names(self) -> tuple[str, ...]:
        """What the groups are called: their own ``name``, else "group 0" and so on."""
        return group_names(self._optimizer.param_groups)

    def _table(self, rows: list[list[float]]) -> np.ndarray:
        groups = max((len(row) for row in rows), default=len(self._optimizer.param_groups))
        table = np.full((len(rows), groups), np.nan)
        for t, row in enumerate(rows):
            table[t, : len(row)] = row
        return table


def momentum_of(group: dict) -> float:
    """A parameter group's momentum, or its first beta; NaN where it has neither."""
    if group.get("momentum") is not None:
        return float(group["momentum"])
    betas = group.get("betas")
    return float(betas[0]) if betas else math.nan


def group_names(groups: Sequence[dict]) -> tuple[str, ...]:
    """A name for each parameter group: its own ``name`` if it has one."""
    return tuple(str(group.get("name", f"group {g}")) for g, group in enumerate(groups))
