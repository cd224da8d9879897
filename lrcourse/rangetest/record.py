"""The numbers of one sweep while it goes on, and the curve that they become."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from lrcourse.rangetest.curves import Curve
from lrcourse.rangetest.refusals import refusal
from lrcourse.rangetest.rules import DivergenceWatch
from lrcourse.rangetest.steps import total_of

MOST_PASSED_OVER = 100  # batches in a row
MOST_ANSWERS = 100  # updates whose answers are kept before they are marked


@dataclass(frozen=True)
class Part:
    """What one batch gave to an update; tensors stay on the device until somebody looks."""

    loss: torch.Tensor  # its share
    answers: tuple[torch.Tensor, torch.Tensor] | None  # beside the right ones
    batch: Any  # or the sum of it: no number where it holds none
    outputs: Any = None  # or their sum, where finite ones give NaN for want of targets alone


class Record:
    """The numbers of a sweep while it goes on; they stay on the device between two looks."""

    def __init__(self, updates: int, look_every: int, watch: DivergenceWatch) -> None:
        self._updates, self._look_every, self._watch = updates, look_every, watch
        self._parts: dict[int, list[Part]] = {}  # of updates that nobody has looked at
        self._batches: dict[int, list[Any]] = {}  # of the last two besides
        self._loss: list[float] = []
        self._accuracy: list[float] = []
        self._answers: list[list[tuple[torch.Tensor, torch.Tensor] | None]] = []  # not yet marked
        self._why: str | None = None
        self._diverged_at: int | None = None
        self._bad_batch: int | None = None
        self._passed_over = self._in_a_row = 0
        self.skipped: list[int] = []
        self.held_out: dict[int, tuple[float, float]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether no batch has been used yet."""
        return not self._parts and not self._loss

    def pass_over(self) -> None:
        """Count a batch for which the step gave None."""
        self._passed_over += 1
        self._in_a_row += 1
        if self._in_a_row >= MOST_PASSED_OVER:
            raise refusal("None in a row", count=MOST_PASSED_OVER)

    def add(self, t: int, part: Part) -> None:
        """Add a batch to update t."""
        self._in_a_row = 0
        self._parts.setdefault(t, []).append(part)

    def end_before(self, t: int, accumulate: int) -> None:
        """The batches have run out in update t, which is not made."""
        if t == 0:
            raise refusal("too few batches", accumulate=accumulate)
        self._parts.pop(t, None)
        if not self._look():
            self._why = "out of batches"

    def has_diverged(self, t: int) -> bool:
        """Whether the loss has, where it is time to look after update t."""
        is_due = (t + 1) % self._look_every == 0 or t + 1 == self._updates
        return is_due and self._look()

    def _look(self) -> bool:
        """Look at the losses since the last look; whether one of them has diverged."""
        new, self._parts = self._parts, {}
        sums = [sum((p.loss for p in parts[1:]), parts[0].loss) for parts in new.values()]
        losses = [sums[0].item()] if len(sums) == 1 else torch.stack(sums).tolist() if sums else []
        for (t, parts), loss in zip(new.items(), losses, strict=True):
            self._loss.append(loss)
            self._answers.append([part.answers for part in parts])
            if len(self._answers) >= MOST_ANSWERS:
                self._mark()
            self._batches[t] = [part.batch for part in parts]
            self._batches.pop(t - 3, None)
            self._why = self._watch.add(loss)
            if self._why is not None:
                self._diverged_at = t
                self._bad_batch = None if self._why == "rose" else self._blamed(t, parts)
                return True
        return False

    def _mark(self) -> None:
        """The accuracies of updates whose parts all have answers; together, which is quicker."""
        waiting, self._answers = self._answers, []
        known = [[pair for pair in pairs if pair is not None] for pairs in waiting]
        whole = [row for row, pairs in zip(known, waiting, strict=True) if len(row) == len(pairs)]
        pairs = [pair for row in whole for pair in row]
        if len({(one.device, one.shape) for one, _ in pairs}) == 1:
            answers, targets = (torch.stack(column) for column in zip(*pairs, strict=True))
            right = iter((answers == targets).sum(1).tolist())
        else:
            right = iter([int((one == other).count_nonzero()) for one, other in pairs])
        for row in whole:
            count = sum(len(target) for _, target in row)
            self._accuracy.append(sum(next(right) for _ in row) / count)

    def _blamed(self, t: int, parts: list[Part]) -> int | None:
        """The update whose batch spoilt the loss of update t: this one, or that of the weights.

        Infinities in all batches, as some masks have them, spoil nothing. Where finite outputs give
        NaN, the batch has no sample, or each of its targets is ignored.
        """
        if any(p.loss.isnan() and _is_finite(total_of(p.outputs)) for p in parts):
            return t

        def is_bad(k: int) -> bool:
            totals = map(total_of, self._batches.get(k, ()))
            return any(total is not None and not math.isfinite(total) for total in totals)

        return next((k for k in (t - 1, t) if is_bad(k) and not is_bad(k - 1)), None)

    def made_none(self) -> bool:
        """Whether each update was left out, though nothing diverged."""
        return self._diverged_at is None and 0 < len(self._loss) <= len(self.skipped)

    def curve(self, lr: np.ndarray, seed: int, measures: bool) -> Curve:
        """What has been recorded.

        `lr` has the rates of each step, of shape (steps, groups); `measures` says whether there are
        held-out data.
        """
        self._mark()
        made = len(self._loss)
        lr = lr[:made]
        has_accuracy = 0 < made == len(self._accuracy)
        held = np.full((2, made), np.nan)
        for t, pair in self.held_out.items():
            if t < made and t != self._diverged_at:
                held[:, t] = pair
        return Curve(
            lr=lr[:, int(np.argmax(lr[0])) if made else 0],
            group_lr=lr,
            loss=np.array(self._loss),
            accuracy=np.array(self._accuracy) if has_accuracy else None,
            held_out_loss=held[0] if measures else None,
            held_out_accuracy=held[1] if measures and has_accuracy else None,
            diverged_at=self._diverged_at,
            why=self._why,
            skipped=tuple(t for t in self.skipped if t < made),
            seed=seed,
            bad_batch=self._bad_batch,
            passed_over=self._passed_over,
        )


def _is_finite(total: torch.Tensor | None) -> bool:
    """Whether there is a sum, and it is a number."""
    return total is not None and math.isfinite(total)
