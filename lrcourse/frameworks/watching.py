"""One optimizer watched through a training: linted first, then each update's LR recorded."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self

from torch.optim.lr_scheduler import ReduceLROnPlateau

from lrcourse.recorder import OptimizerLike
from lrcourse.schedules import Schedule, plateau
from lrcourse.support.checks import COUNT_FROM_1, arguments, function, one_of, optional, shown
from lrcourse.tracing import Findings, Log, lint
from lrcourse.training import ScheduleWarning

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle

Report = Callable[[Mapping[str, float], int], object]


class Writer(Protocol):
    """What writes scalars, as torch's `SummaryWriter` does."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> object:
        """Write one number."""
        ...


def _scheduler(owner: str, name: str, value: Any) -> Any:
    """Rule: something with a step, or a shape."""
    steps = callable(getattr(value, "step", None)) and not isinstance(value, type)
    if steps or isinstance(value, Schedule | plateau):
        return value
    raise TypeError(f"{owner}: {name} must be a scheduler or a shape; got {shown(value)}")


_WHEN = {"when": one_of("update", "epoch"), "updates_per_epoch": optional(COUNT_FROM_1)}


class Watch(Log):
    """What `watch` gives: a record of the LR applied, and what lint found beforehand.

    Args:
        optimizer: as for `tracing.record`.
        report: as for `watch`; so is `every`.

    Attributes:
        findings: what lint found; empty where it was not asked.

    Example:
        >>> import torch
        >>> from lrcourse.frameworks import Watch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> with Watch(optimizer) as log:
        ...     optimizer.step()
        >>> log.latest()
        {'lr_applied': 0.1}
    """

    @arguments(report=optional(function), every=COUNT_FROM_1)
    def __init__(
        self, optimizer: OptimizerLike, report: Report | None = None, every: int = 50
    ) -> None:
        super().__init__(optimizer)
        self.findings = Findings()
        self._report, self._every = report, every

    @arguments(scheduler=_scheduler, updates=COUNT_FROM_1, **_WHEN)
    def examine(
        self,
        scheduler: Any,
        updates: int,
        *,
        when: str = "update",
        updates_per_epoch: int | None = None,
    ) -> Self:
        """Lint a schedule for so many updates, each finding as a ScheduleWarning.

        `scheduler`, `updates`, `when` and `updates_per_epoch` are as for `tracing.lint`. One that
        follows a metric is not asked, and neither is one that cannot be looked ahead of; of that
        the warning says why. Nothing is changed, and no training ends by it.
        """
        if isinstance(scheduler, ReduceLROnPlateau):
            return self
        try:
            told = {"when": when, "updates_per_epoch": updates_per_epoch}
            self.findings = lint(self._optimizer, scheduler, updates, **told)
        except (TypeError, ValueError, RuntimeError) as problem:
            said = [f"the schedule was not examined: {problem}"]
        else:
            said = [str(finding) for finding in self.findings]
        for text in said:
            warnings.warn(text, ScheduleWarning, stacklevel=3)
        return self

    def latest(self) -> dict[str, float]:
        """The LR that the latest update used: of the only group, or of each by its name.

        Empty before the first update.
        """
        rates = self.last()
        if len(rates) == 1:
            return {"lr_applied": rates[0]}
        return {f"lr_applied/{name}": lr for name, lr in zip(self.names, rates, strict=False)}

    def _hooks(self) -> Iterator[RemovableHandle]:
        yield from super()._hooks()
        if self._report is not None:
            yield self._stepping[-1].optimizer.register_step_post_hook(self._tell)

    def _tell(self, *_: object) -> None:
        if len(self) % self._every == 0 and self._report is not None:
            self._report(self.latest(), len(self))


@arguments(
    scheduler=optional(_scheduler),
    updates=optional(COUNT_FROM_1),
    every=COUNT_FROM_1,
    report=optional(function),
    **_WHEN,
)
def watch(
    optimizer: OptimizerLike,
    scheduler: Any = None,
    updates: int | None = None,
    *,
    report: Report | None = None,
    every: int = 50,
    when: str = "update",
    updates_per_epoch: int | None = None,
) -> Watch:
    """Look at a schedule before the training, record what each update applies, and report it.

    Args:
        optimizer: as for `tracing.record`.
        scheduler: as for `tracing.lint`, which is asked at once; without it nothing is.
        updates: the length of the training.
        report: called as `report({"lr_applied": lr}, update)`, with one number for each group
            where there are several: `wandb.log`, or what `to_tensorboard(writer)` gives.
        every: how many updates there are from one report to the next.
        when: as for `tracing.lint`; so is `updates_per_epoch`.

    Returns:
        A record, to be used in a `with` block around the training; see `tracing.record`.

    Raises:
        TypeError: for what is no optimizer.
        ValueError: for an optimizer without an LR, and for a scheduler without `updates`.

    Example:
        >>> import torch
        >>> from lrcourse.frameworks import watch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        >>> halved = torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.5)
        >>> with watch(optimizer, halved, updates=4, report=print, every=2) as log:
        ...     for _ in range(4):
        ...         optimizer.step()
        ...         halved.step()
        {'lr_applied': 0.1} 2
        {'lr_applied': 0.05} 4
    """
    made = Watch(optimizer, report, every)
    if scheduler is None:
        return made
    if updates is None:
        raise ValueError("watch needs updates, the length of the training, to examine a scheduler")
    return made.examine(scheduler, updates, when=when, updates_per_epoch=updates_per_epoch)


def to_tensorboard(writer: Writer) -> Report:
    """A `report` for `watch` that goes into TensorBoard.

    Args:
        writer: torch's own `SummaryWriter`, or another object with `add_scalar`.

    Raises:
        TypeError: for what has no `add_scalar`.

    Example:
        >>> from lrcourse.frameworks import to_tensorboard
        >>> class Writer:
        ...     def add_scalar(self, tag, value, step):
        ...         print(tag, value, step)
        >>> to_tensorboard(Writer())({"lr_applied": 0.1}, 50)
        lr_applied 0.1 50
    """
    add = getattr(writer, "add_scalar", None)
    if not callable(add):
        raise TypeError(
            "to_tensorboard: writer must have add_scalar(tag, value, step), as torch's "
            f"SummaryWriter; got a {type(writer).__name__}"
        )

    def report(rates: Mapping[str, float], update: int) -> None:
        for tag, lr in rates.items():
            add(tag, lr, update)

    return report
