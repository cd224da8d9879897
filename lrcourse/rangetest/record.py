"""The numbers of one sweep while it goes on, and the curve that they become."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from lrcourse.rangetest.curves import Curve
from lrcourse.rangetest.rules import DivergenceWatch

DEVICE_CHECKS_EVERY = 10  # updates; reading the loss back from a GPU each time would stall it
MOST_PASSED_OVER = 100  # batches in a row

Answers = tuple[torch.Tensor | int, int]  # how many are right, of how many


@dataclass(frozen=True)
class Part:
    """What one batch gave to an update; tensors stay on the device until somebody looks."""

    loss: torch.Tensor  # its share
    answers: Answers | None
    total: Callable[[], torch.Tensor | None]  # of the batch: no number where it holds none


class Record:
    """The numbers of a sweep while it goes on; they stay on the device between two looks."""

    def __init__(
        self, updates: int, check_every: int, watch: DivergenceWatch, measures: bool
    ) -> None:
        """`measures`: whether there is held-out data."""
        self._updates, self._check_every, self._watch = updates, check_every, watch
        self._measures = measures
        self._pending: list[torch.Tensor] = []
        self._totals: dict[int, list[Callable[[], torch.Tensor | None]]] = {}  # of the last batches
        self._answers: list[Answers | None] = []
        self._loss: list[float] = []
        self.not_called: dict[int, list[float]] = {}
        self.skipped: list[int] = []
        self.held_out: dict[int, tuple[float, float]] = {}
        self._why: str | None = None
        self._diverged_at: int | None = None
        self._bad_batch: int | None = None
        self._passed_over = self._in_a_row = 0

    @property
    def is_empty(self) -> bool:
        """Whether no batch has been used yet."""
        return not self._answers

    def pass_over(self) -> None:
        """Count a batch for which the step gave None."""
        self._passed_over += 1
        self._in_a_row += 1
        if self._in_a_row >= MOST_PASSED_OVER:
            raise ValueError(
                f"step returned None for {MOST_PASSED_OVER} batches in a row, which passes a batch "
                f"over: return the loss"
            )

    def add(self, t: int, part: Part) -> None:
        """Add a batch to update t."""
        self._in_a_row = 0
        if t == len(self._answers):
            self._pending.append(part.loss)
            self._totals[t] = [part.total]
            self._answers.append(part.answers)
            return
        self._pending[-1] = self._pending[-1] + part.loss
        self._totals[t].append(part.total)
        before, now = self._answers[-1], part.answers
        self._answers[-1] = (
            None if before is None or now is None else (before[0] + now[0], before[1] + now[1])
        )

    def end_before(self, t: int, accumulate: int) -> None:
        """The batches have run out in update t, which is not made."""
        if t == 0:
            raise ValueError(
                f"the batches are not enough for one update, which takes accumulate={accumulate} "
                f"of them; give more"
            )
        if len(self._answers) > t:
            self._pending.pop()
            self._answers.pop()
        self.check("out of batches")

    def is_due(self, t: int) -> bool:
        """Whether to look at the losses after update t."""
        return (t + 1) % self._check_every == 0 or t + 1 == self._updates

    def check(self, otherwise: str | None = None) -> bool:
        """Look at the losses since the last look; whether one of them has diverged."""
        if len(self._pending) == 1:
            new = [self._pending[0].item()]
        else:
            new = torch.stack(self._pending).tolist() if self._pending else []
        # Small tensors that outlive an update scatter the next one's activations over the memory.
        for t in range(len(self._loss), len(self._answers)):
            if (answers := self._answers[t]) is not None:
                self._answers[t] = int(answers[0]), answers[1]
        self._pending = []
        for loss in new:
            self._loss.append(loss)
            self._why = self._watch.add(loss)
            if self._why is not None:
                self._diverged_at = len(self._loss) - 1
                self._bad_batch = None if self._why == "rose" else self._blamed(self._diverged_at)
                return True
        for old in [t for t in self._totals if t < len(self._loss) - 2]:
            del self._totals[old]
        self._why = otherwise
        return False

    def _blamed(self, t: int) -> int | None:
        """The update whose batch spoilt the loss of update t: this one, or that of the weights.

        Infinities in all batches, as some masks have them, spoil nothing.
        """

        def is_bad(k: int) -> bool:
            totals = [total() for total in self._totals.get(k, ())]
            return any(total is not None and not math.isfinite(total) for total in totals)

        return next((k for k in (t - 1, t) if is_bad(k) and not is_bad(k - 1)), None)

    def curve(self, lr: np.ndarray, seed: int) -> Curve:
        """What has been recorded; `lr` are the rates of the updates that were made."""
        made = len(self._loss)
        group_lr = np.zeros((made, lr.shape[1]))
        applied = [t for t in range(made) if t not in self.not_called]
        group_lr[applied] = lr[: len(applied)]
        for t, rates in self.not_called.items():
            if t < made:
                group_lr[t] = rates
        largest = int(np.argmax(group_lr[0])) if made else 0
        answers = [pair for pair in self._answers[:made] if pair is not None]
        accuracy = None
        if made and len(answers) == made:
            accuracy = np.array([int(right) / count for right, count in answers])
        held_loss = held_accuracy = None
        if self._measures:
            held = np.full((2, made), np.nan)
            for t, pair in self.held_out.items():
                if t < made and t != self._diverged_at:
                    held[:, t] = pair
            held_loss, held_accuracy = held[0], held[1] if accuracy is not None else None
        return Curve(
            lr=group_lr[:, largest],
            group_lr=group_lr,
            loss=np.array(self._loss),
            accuracy=accuracy,
            held_out_loss=held_loss,
            held_out_accuracy=held_accuracy,
            diverged_at=self._diverged_at,
            why=self._why,
            skipped=tuple(t for t in self.skipped if t < made),
            seed=seed,
            bad_batch=self._bad_batch,
            passed_over=self._passed_over,
        )


def checks_every(device: torch.device | None) -> int:
    """After how many updates the losses are looked at; the curve is the same either way."""
    return DEVICE_CHECKS_EVERY if device is not None and device.type != "cpu" else 1
