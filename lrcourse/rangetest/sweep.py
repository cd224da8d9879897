"""One sweep of a range test: train on while the learning rate rises, and record."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from lrcourse.rangetest.curves import Curve
from lrcourse.rangetest.feeding import Feed, OutOfBatches, Step, moved, right_answers, taken_apart
from lrcourse.rangetest.rules import DivergenceWatch
from lrcourse.rangetest.snapshot import Snapshot, modes_of
from lrcourse.recorder import Recorder
from lrcourse.support import progress as bars

DEVICE_CHECKS_EVERY = 10  # updates; reading the loss back from a GPU each time would stall it


@dataclass(frozen=True)
class Plan:
    """What every repeat of a range test does; see `lrcourse.rangetest.range_test`."""

    rates: np.ndarray
    step: Step
    held_out: list[Any] | None
    held_out_every: int
    accumulate: int
    autocast: torch.dtype | None
    diverged: float
    smoothing: float
    progress: bool | None


def sweep(
    net: nn.Module, optimizer: torch.optim.Optimizer, feed: Feed, plan: Plan, seed: int
) -> Curve:
    """Train `net` along `plan.rates` until the end or divergence. It is left changed."""
    device = home_of(net)
    bases = np.array([float(group["lr"]) for group in optimizer.param_groups])
    ratios = bases / bases.max()
    scaler = torch.amp.GradScaler(
        device.type if device else "cpu", enabled=plan.autocast is torch.float16
    )
    record = _Record(plan, checks_every(device))
    if not net.training:
        net.train()
    steps = bars.bar(
        range(len(plan.rates)), total=len(plan.rates), label="range test", progress=plan.progress
    )
    with Recorder(optimizer) as log, torch.enable_grad():
        for t in steps:
            try:
                batches = [feed.next() for _ in range(plan.accumulate)]
            except OutOfBatches:
                if t == 0:
                    raise ValueError(
                        f"the batches are not enough for one update, which takes accumulate="
                        f"{plan.accumulate} of them; give more"
                    ) from None
                record.check("out of batches")
                break
            for group, ratio in zip(optimizer.param_groups, ratios, strict=True):
                _set_rate(group, float(plan.rates[t] * ratio))
            optimizer.zero_grad(set_to_none=True)
            for batch in batches:
                with precision(device, plan.autocast):
                    loss, outputs, targets = taken_apart(plan.step(net, moved(batch, device)))
                if t == 0 and not loss.requires_grad:
                    raise ValueError(
                        "the loss has no gradient: it does not depend on a parameter that trains; "
                        "was it detached, or computed under no_grad?"
                    )
                share = loss if plan.accumulate == 1 else loss / plan.accumulate
                scaler.scale(share).backward()
                record.add(t, share.detach().view(()), right_answers(outputs, targets))
            scale = scaler.get_scale()
            scaler.step(optimizer)
            scaler.update()
            if len(log) + len(record.not_called) == t:
                record.not_called[t] = [float(group["lr"]) for group in optimizer.param_groups]
            # A fused optimizer is called and leaves the update out by itself.
            if t in record.not_called or scaler.get_scale() < scale:
                record.skipped.append(t)
            if record.is_due(t) and record.check():
                break
            if plan.held_out is not None and t % plan.held_out_every == 0:
                record.held_out[t] = measure(net, plan.held_out, plan.step, device, plan.autocast)
    return record.curve(log.lr, seed)


class _Record:
    """The numbers of a sweep while it goes on; they stay on the device between two looks."""

    def __init__(self, plan: Plan, check_every: int) -> None:
        self._plan, self._check_every = plan, check_every
        self._watch = DivergenceWatch(plan.diverged, plan.smoothing)
        self._pending: list[torch.Tensor] = []
        self._answers: list[tuple[torch.Tensor | int, int] | None] = []
        self._loss: list[float] = []
        self.not_called: dict[int, list[float]] = {}
        self.skipped: list[int] = []
        self.held_out: dict[int, tuple[float, float]] = {}
        self._why: str | None = None
        self._diverged_at: int | None = None

    def add(self, t: int, share: torch.Tensor, answers: tuple[torch.Tensor, int] | None) -> None:
        """Add a batch to update t."""
        if t == len(self._answers):
            self._pending.append(share)
            self._answers.append(answers)
            return
        self._pending[-1] = self._pending[-1] + share
        before = self._answers[-1]
        both = before is not None and answers is not None
        self._answers[-1] = (before[0] + answers[0], before[1] + answers[1]) if both else None

    def is_due(self, t: int) -> bool:
        return (t + 1) % self._check_every == 0 or t + 1 == len(self._plan.rates)

    def check(self, otherwise: str | None = None) -> bool:
        """Look at the losses since the last look; whether one of them has diverged."""
        if len(self._pending) == 1:
            new = [self._pending[0].item()]
        else:
            new = torch.stack(self._pending).tolist() if self._pending else []
        # Small tensors that outlive an update scatter the next one's activations over the memory.
        for t in range(len(self._loss), len(self._answers)):
            if self._answers[t] is not None:
                right, count = self._answers[t]
                self._answers[t] = int(right), count
        self._pending.clear()
        for loss in new:
            self._loss.append(loss)
            self._why = self._watch.add(loss)
            if self._why is not None:
                self._diverged_at = len(self._loss) - 1
                return True
        self._why = otherwise
        return False

    def curve(self, lr: np.ndarray, seed: int) -> Curve:
        made = len(self._loss)
        group_lr = np.zeros((made, lr.shape[1]))
        applied = [t for t in range(made) if t not in self.not_called]
        group_lr[applied] = lr[: len(applied)]
        for t, rates in self.not_called.items():
            group_lr[t:][:1] = rates
        largest = int(np.argmax(group_lr[0])) if made else 0
        answers = self._answers[:made]
        accuracy = None
        if made and None not in answers:
            accuracy = np.array([int(right) / count for right, count in answers])
        held = None
        if self._plan.held_out is not None:
            held = np.full((2, made), np.nan)
            for t, pair in self.held_out.items():
                if t < made and t != self._diverged_at:
                    held[:, t] = pair
        known = held is not None and accuracy is not None
        return Curve(
            lr=group_lr[:, largest],
            group_lr=group_lr,
            loss=np.array(self._loss),
            accuracy=accuracy,
            held_out_loss=None if held is None else held[0],
            held_out_accuracy=held[1] if known else None,
            diverged_at=self._diverged_at,
            why=self._why,
            skipped=tuple(t for t in self.skipped if t < made),
            seed=seed,
        )


def measure(
    net: nn.Module,
    batches: Sequence[Any],
    step: Step,
    device: torch.device | None,
    dtype: torch.dtype | None = None,
) -> tuple[float, float]:
    """Mean loss and accuracy (NaN if there is none) over batches, weighted by their sizes.

    In eval mode; modes and random state are kept.
    """
    state, back_to_mode = Snapshot(), modes_of(net)
    state.keep_random_state()
    net.eval()
    loss_sum, samples, right, answered = 0.0, 0, 0, 0
    try:
        with torch.no_grad():
            for batch in batches:
                with precision(device, dtype):
                    loss, outputs, targets = taken_apart(step(net, moved(batch, device)))
                size = _size(batch, targets)
                loss_sum, samples = loss_sum + loss.reshape(()) * size, samples + size
                if (answers := right_answers(outputs, targets)) is not None:
                    right, answered = right + answers[0], answered + answers[1]
    finally:
        back_to_mode()
        state.restore()
    return float(loss_sum / samples), float(right) / answered if answered else float("nan")


def checks_every(device: torch.device | None) -> int:
    """After how many updates the losses are looked at; the curve is the same either way."""
    return DEVICE_CHECKS_EVERY if device is not None and device.type != "cpu" else 1


def home_of(net: nn.Module) -> torch.device | None:
    """The device of the net, or None where it lies on several: batches then stay as they are."""
    devices = {tensor.device for tensor in (*net.parameters(), *net.buffers())}
    return devices.pop() if len(devices) == 1 else None


def precision(
    device: torch.device | None, dtype: torch.dtype | None
) -> contextlib.AbstractContextManager:
    """torch.autocast to `dtype`; nothing where it is None."""
    if dtype is None:
        return contextlib.nullcontext()
    return torch.autocast(device.type if device else "cpu", dtype=dtype)


def _set_rate(group: dict[str, Any], rate: float) -> None:
    if isinstance(group["lr"], torch.Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


def _size(batch: Any, targets: Any) -> int:
    if isinstance(targets, torch.Tensor) and targets.ndim:
        return len(targets)
    parts = batch.values() if hasattr(batch, "values") else batch
    first = next((p for p in parts if isinstance(p, torch.Tensor) and p.ndim), None)
    return 1 if first is None else len(first)
