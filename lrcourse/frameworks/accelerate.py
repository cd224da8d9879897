"""For loops on accelerate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lrcourse.frameworks.watching import Watch, watch
from lrcourse.recorder import OptimizerLike
from lrcourse.support.checks import shown

if TYPE_CHECKING:
    from accelerate import Accelerator  # pyright: ignore[reportMissingImports]


def for_accelerate(
    accelerator: Accelerator,
    optimizer: OptimizerLike,
    scheduler: Any = None,
    updates: int | None = None,
    *,
    every: int = 50,
) -> Watch:
    """Watch a loop on accelerate: `watch`, with reports to what the accelerator logs to.

    Args:
        accelerator: its `log` gets `lr_applied` (its trackers: TensorBoard and so on).
        optimizer: what `accelerator.prepare` gave, or what it was given.
        scheduler: the same, of the scheduler; it is linted. One that was prepared steps once for
            each process: the plan is meant for one process then, and so is `updates`.
        updates: how many updates the training makes.
        every: how many updates there are from one report to the next.

    Returns:
        The record, to be used in a `with` block around the loop.

    Raises:
        TypeError: for what is no Accelerator; else as `watch` does.

    Example:
        >>> import torch
        >>> from lrcourse import frameworks
        >>> class Accelerator:  # in its place: accelerate.Accelerator(log_with="tensorboard")
        ...     def log(self, values, step):
        ...         print(step, values)
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> with frameworks.for_accelerate(Accelerator(), optimizer, every=1):
        ...     optimizer.step()
        1 {'lr_applied': 0.1}
    """

    log = getattr(accelerator, "log", None)
    if not callable(log):
        raise TypeError(
            f"for_accelerate: accelerator must be an Accelerator; got {shown(accelerator)}"
        )

    def report(rates: Any, update: int) -> None:
        log(dict(rates), step=update)

    return watch(optimizer, scheduler, updates, report=report, every=every)
