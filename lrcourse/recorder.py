"""The learning rate that an optimizer really uses, read inside each update.

This is how the course keeps its first promise, that the LR drawn is the LR applied: nothing is
computed from the schedule again. The numbers are taken from the parameter groups at the moment in
which ``optimizer.step`` begins.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


class Recorder:
    """Record the LR of every parameter group at each update of ``optimizer``.

    Use it as a context manager around any training loop::

        with Recorder(optimizer) as log:
            train_as_you_always_do()
        log.lr  # array (updates, groups)

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

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def lr(self) -> np.ndarray:
        """LR of each update so far, float64, shape (updates, groups).

        A group that was added on the way has NaN in the updates before it existed.
        """
        groups = max((len(row) for row in self._rows), default=len(self._optimizer.param_groups))
        table = np.full((len(self._rows), groups), np.nan)
        for t, row in enumerate(self._rows):
            table[t, : len(row)] = row
        return table
