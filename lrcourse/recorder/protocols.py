"""What is taken for an optimizer and for a scheduler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

Group = dict[str, Any]


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
