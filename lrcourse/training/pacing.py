"""Who writes the learning rate before each update: a shape, a rule or a torch scheduler."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from lrcourse.recorder import peak_of
from lrcourse.schedules import lengths, multistep, step
from lrcourse.schedules.base import Schedule
from lrcourse.schedules.rules import Rule, RuleState

if TYPE_CHECKING:
    from lrcourse.data.sets import Data

TorchScheduler = torch.optim.lr_scheduler.LRScheduler
AnySchedule = Schedule | Rule | TorchScheduler


class ScheduleWarning(UserWarning):
    """A schedule whose length does not fit the training."""


class HasGroups(Protocol):
    """An optimizer, as far as a schedule writes to it."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The parameter groups, each a dictionary with its `lr`."""
        ...


class Pace:
    """Writes the LR before each update, whatever kind of schedule there is."""

    def __init__(
        self,
        schedule: AnySchedule | None,
        optimizer: HasGroups,
        data: Data,
        when: str,
        epochs: int,
        per_epoch: int,
    ) -> None:
        self.groups = optimizer.param_groups
        self.when = when
        self.peaks = base_rates(optimizer, schedule)
        self.factors: np.ndarray | None = None
        self.state: RuleState | None = None
        self.torch: TorchScheduler | None = None
        if isinstance(schedule, Schedule):
            self.factors = schedule(np.arange(epochs * (per_epoch if when == "update" else 1)))
            _warn_of_length(schedule, self.factors, when, epochs, per_epoch)
        elif isinstance(schedule, Rule):
            self.state = schedule.start()
            self.watch = watched(schedule, data.valid is not None)
        elif isinstance(schedule, TorchScheduler):
            self.torch = schedule
            if isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau):
                self.watch = watched(schedule, data.valid is not None)

    def before_update(self, t: int, epoch: int) -> None:
        if self.factors is not None:
            self._write(float(self.factors[t if self.when == "update" else epoch]))
        elif self.state is not None:
            self._write(self.state.factor)

    def after_update(self) -> None:
        if self.torch is not None and self.when == "update":
            self.torch.step()

    def after_epoch(self, row: dict[str, float]) -> None:
        if self.state is not None:
            self.state.observe(row[self.watch])
        elif self.torch is not None and self.when == "epoch":
            if isinstance(self.torch, torch.optim.lr_scheduler.ReduceLROnPlateau):
                self.torch.step(row[self.watch])
            else:
                self.torch.step()

    def _write(self, factor: float) -> None:
        for group, peak in zip(self.groups, self.peaks, strict=True):
            group["lr"] = peak * factor

    def restore(self) -> None:
        """Give the groups their peak LR back, so that a second run starts from it."""
        if self.torch is None:
            self._write(1.0)


def base_rates(optimizer: HasGroups, schedule: AnySchedule | None) -> list[float]:
    """What the schedule scales, for each group: its LR, or with a torch scheduler its peak.

    A torch scheduler has already written its first LR, often 0, into the groups. It keeps the rate
    that it was built on in `initial_lr`, and OneCycleLR its peak in `max_lr`.
    """
    if not isinstance(schedule, TorchScheduler):
        return [float(group["lr"]) for group in optimizer.param_groups]
    return [peak_of(group) for group in optimizer.param_groups]


def watched(rule: Rule | TorchScheduler, has_valid: bool) -> str:
    """The column that a rule looks at. ValueError where it needs validation data."""
    column = getattr(rule, "watch", None)
    if not isinstance(column, str):
        usual = "valid_loss" if has_valid else "train_loss"
        column = "valid_acc" if getattr(rule, "mode", "min") == "max" else usual
    if column.startswith("valid") and not has_valid:
        raise ValueError(f"the plateau watches {column}, which needs data.load(..., valid=0.1)")
    return column


def _warn_of_length(
    schedule: Schedule, factors: np.ndarray, when: str, epochs: int, per_epoch: int
) -> None:
    """Warn of the usual mistake of units: a schedule in epochs that is counted in updates."""
    total = len(factors)
    unit = "updates" if when == "update" else "epochs"
    still = total - 1  # the t from which the factor no longer changes
    tolerance = 1e-6 * factors.max()  # a power that has fallen to nothing holds still, too
    while still > 0 and abs(factors[still - 1] - factors[-1]) <= tolerance:
        still -= 1
    ends_low = factors[-1] < factors.max()
    length = schedule.length
    stepwise = isinstance(schedule, step | multistep)
    if ends_low and lengths.ends_early(still, total, stepwise=stepwise):
        problem = f"holds still from t = {still} on"
    elif length is not None and lengths.ends_late(length, total):
        problem = f"takes {length:g} {unit}"
    else:
        return
    warnings.warn(
        f"{schedule!r} {problem}, and the training lasts {total} {unit} "
        f"({epochs} epochs of {per_epoch} updates). Its t counts {unit}: is that the unit meant? "
        f'fit(..., when="epoch"|"update") says it.',
        ScheduleWarning,
        stacklevel=5,
    )


def describe(schedule: AnySchedule | None) -> str | None:
    """A schedule as text for the record."""
    if schedule is None:
        return None
    is_value = isinstance(schedule, Schedule | Rule)
    return repr(schedule) if is_value else type(schedule).__name__
