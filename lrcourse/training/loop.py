"""The training loop: one net, one data set, one optimizer, one schedule, and a record of it all.

The loop is the only place that writes a learning rate, and what it records is read back from the
optimizer inside each update, so that a figure of a run's LR shows what the run did.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from lrcourse.recorder import Recorder
from lrcourse.schedules.base import Schedule
from lrcourse.schedules.rules import Rule
from lrcourse.support import progress as bars
from lrcourse.support import provenance
from lrcourse.training.arguments import check_arguments, check_clip_norm
from lrcourse.training.history import History
from lrcourse.training.pacing import Pace, ScheduleWarning, TorchScheduler, describe

if TYPE_CHECKING:
    from lrcourse.data.sets import Data, Split

__all__ = ["ScheduleWarning", "evaluate_on", "fit"]

EVALUATION_BATCH = 2000
EVALUATION_BATCH_ON_CPU = 250  # the activations of a few hundred images stay in its cache
CUDA_CHECKS_EVERY = 50  # updates; reading the loss back from the device each time would stall it


def fit(
    net: nn.Module,
    data: Data,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule | Rule | TorchScheduler | None = None,
    *,
    epochs: int,
    batch_size: int = 256,
    seed: int = 0,
    when: str = "update",
    evaluate: str | int | None = "epoch",
    progress: bool | None = None,
    loss_fn: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = functional.cross_entropy,
    clip_norm: float | None = None,
) -> History:
    """Train ``net`` in place and return the record of the run.

    Args:
        net: any classifier; its parameters must be on the device of ``data``.
        data: what ``lrcourse.data.load`` gives: the whole set in memory on the device.
        optimizer: any torch optimizer over ``net``. The ``lr`` of each of its parameter groups is
            that group's peak LR; it has the same value again after the run.
        schedule: a shape from ``lrcourse.schedules``, which multiplies each group's peak LR by
            ``schedule(t)``; a rule, ``plateau`` or ``warm_until``; a torch scheduler, which is
            stepped as torch asks, after the update or the epoch; or None for a constant LR.
        epochs: passes over the training images.
        batch_size: images in a batch; the last batch of an epoch may be smaller.
        seed: of the data order and of random layers. The order is drawn on the CPU, so it is the
            same on every device. The global random state is left as it was.
        when: what the schedule's t counts, "update" or "epoch": the number of updates (epochs)
            already made, so that the first has t = 0.
        evaluate: "epoch" measures validation and test data after each epoch, a number k after
            every k-th, "end" after the last only, None never.
        progress: a bar for people; None decides by itself (see ``lrcourse.support.progress``).
        loss_fn: from (logits (batch, classes), labels (batch,)) to a mean, as cross_entropy.
        clip_norm: where the gradient of all parameters together is longer than this, it is
            shortened to it before the update, keeping its direction; None never.

    Returns:
        A ``History``. A run whose loss becomes NaN or infinite stops and says so in
        ``diverged_at``. A run that is interrupted (Ctrl-C, Stop in Jupyter) returns what was
        recorded until then. On the CPU one seed gives the same bits twice.

    Raises:
        ValueError: for arguments that cannot be meant, saying what would be right.
    """
    check_arguments(net, data, optimizer, schedule, epochs, batch_size, when, evaluate)
    check_clip_norm(clip_norm)
    device = data.train.X.device
    samples = len(data.train.X)
    per_epoch = math.ceil(samples / batch_size)
    pace = Pace(schedule, optimizer, data, when, epochs, per_epoch)
    order = torch.Generator().manual_seed(seed)
    losses = torch.zeros(epochs * per_epoch, device=device)
    right = torch.zeros(epochs * per_epoch, device=device, dtype=torch.int64)
    rows: list[dict[str, float]] = []
    diverged_at, interrupted, was_training = None, False, net.training
    check_every = CUDA_CHECKS_EVERY if device.type == "cuda" else 1
    started = time.perf_counter()

    with Recorder(optimizer) as log, _own_random_state(seed, device):
        try:
            for epoch in bars.bar(range(epochs), total=epochs, label="epoch", progress=progress):
                net.train()
                shuffled = torch.randperm(samples, generator=order).to(device)
                first = epoch * per_epoch
                for t, batch in enumerate(shuffled.split(batch_size), start=first):
                    pace.before_update(t, epoch)
                    X, y = data.train.X[batch], data.train.y[batch]
                    logits = net(X)
                    loss = loss_fn(logits, y)
                    optimizer.zero_grad(set_to_none=True)
                    loss.backward()
                    if clip_norm is not None:
                        nn.utils.clip_grad_norm_(net.parameters(), clip_norm)
                    losses[t] = loss.detach()  # before the step: an interruption may come in it
                    optimizer.step()
                    pace.after_update()
                    right[t] = (logits.argmax(1) == y).sum()
                    if (t + 1) % check_every == 0 or t + 1 == first + per_epoch:
                        diverged_at = _first_not_finite(losses, t + 1 - check_every, t + 1)
                        if diverged_at is not None:
                            break
                done = diverged_at is not None or epoch + 1 == epochs
                made = t + 1 if diverged_at is None else diverged_at + 1
                so_far = losses[first:made].cpu(), right[first:made].cpu()
                train_loss, train_acc = means_of_epoch(*so_far, batch_size, samples)
                row = {"epoch": epoch + 1, "update": made}
                row |= {"train_loss": train_loss, "train_acc": train_acc}
                row |= _measure(net, data, loss_fn, is_due(evaluate, epoch, done))
                rows.append(row)
                if diverged_at is not None:
                    break
                pace.after_epoch(row)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            pace.restore()
            net.train(was_training)

    made = len(log) if diverged_at is None else diverged_at + 1
    lr = log.lr[:made]
    return History(
        lr=lr[:, 0] if lr.shape[1] == 1 else lr,
        loss=losses[:made].cpu().numpy(),
        epochs={name: np.array([row[name] for row in rows], float) for name in _columns(data)},
        batches_per_epoch=per_epoch,
        diverged_at=diverged_at,
        interrupted=interrupted,
        seconds=time.perf_counter() - started,
        provenance={
            "net": type(net).__name__,
            "parameters": sum(p.numel() for p in net.parameters()),
            "data": data.name,
            "data_fingerprint": data.fingerprint,
            "optimizer": type(optimizer).__name__,
            "peak_lr": pace.peaks,
            "schedule": describe(schedule),
            "when": when,
            "epochs": epochs,
            "batch_size": batch_size,
            "seed": seed,
            **({} if clip_norm is None else {"clip_norm": clip_norm}),
            "finished": provenance.now(),
            **provenance.machine(device),
        },
    )


def evaluate_on(
    net: nn.Module,
    split: Split,
    loss_fn: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = functional.cross_entropy,
) -> tuple[float, float]:
    """Mean loss and accuracy of ``net`` on a split, in eval mode; the net's mode is kept."""
    was_training = net.training
    net.eval()
    total = torch.zeros(2, device=split.X.device, dtype=torch.float64)
    at_once = measured_at_once(split)
    with torch.inference_mode():
        for X, y in zip(split.X.split(at_once), split.y.split(at_once), strict=True):
            logits = net(X)
            total[0] += loss_fn(logits, y) * len(y)
            total[1] += (logits.argmax(1) == y).sum()
    net.train(was_training)
    loss, accuracy = (total / len(split.y)).tolist()
    return loss, accuracy


def measured_at_once(split: Split) -> int:
    """How many images of a split one forward pass measures."""
    return EVALUATION_BATCH_ON_CPU if split.X.device.type == "cpu" else EVALUATION_BATCH


def _first_not_finite(losses: torch.Tensor, start: int, stop: int) -> int | None:
    start = max(start, 0)
    chosen = losses[start:stop]
    if math.isfinite(chosen.sum()):  # the quickest look, and nearly always the last
        return None
    broken = ~torch.isfinite(chosen)
    return start + int(broken.int().argmax()) if bool(broken.any()) else None


def means_of_epoch(
    losses: torch.Tensor, right: torch.Tensor, batch_size: int, samples: int
) -> tuple[float, float]:
    """Training loss and accuracy over an epoch, or over its first batches, of ``samples`` images.

    Of each batch, on the CPU: its mean loss, and how many of its images were classified correctly.
    """
    sizes = torch.full(losses.shape, batch_size)
    sizes[math.ceil(samples / batch_size) - 1 :] = samples % batch_size or batch_size
    seen = int(sizes.sum())
    return float((losses * sizes).double().sum()) / seen, int(right.sum()) / seen


# -- measuring --------------------------------------------------------------------------------


def is_due(evaluate: str | int | None, epoch: int, last: bool) -> bool:
    """Whether to measure after this epoch (counted from 0)."""
    if evaluate is None:
        return False
    if evaluate == "end":
        return last
    return last or (epoch + 1) % (1 if evaluate == "epoch" else evaluate) == 0


def _columns(data: Data) -> list[str]:
    names = ["epoch", "update", "train_loss", "train_acc"]
    for split in ("valid", "test"):
        if getattr(data, split) is not None:
            names += [f"{split}_loss", f"{split}_acc"]
    return [*names, "norm"]


def _measure(net: nn.Module, data: Data, loss_fn: Callable, due: bool) -> dict[str, float]:
    row: dict[str, float] = {}
    for name, split in (("valid", data.valid), ("test", data.test)):
        if split is not None:
            values = evaluate_on(net, split, loss_fn) if due else (math.nan, math.nan)
            row[f"{name}_loss"], row[f"{name}_acc"] = values
    with torch.no_grad():
        row["norm"] = float(torch.stack([p.norm() for p in net.parameters()]).norm())
    return row


class _own_random_state:
    """Random layers draw from ``seed``; the global random state comes back afterwards."""

    def __init__(self, seed: int, device: torch.device):
        self._device = device
        cuda = [device] if device.type == "cuda" else []
        self._fork = torch.random.fork_rng(devices=cuda)
        self._seed = seed

    def __enter__(self):
        self._fork.__enter__()
        # torch.manual_seed would also reseed every other GPU, and nothing would restore them
        torch.default_generator.manual_seed(self._seed)
        if self._device.type == "cuda":
            with torch.cuda.device(self._device):
                torch.cuda.manual_seed(self._seed)

    def __exit__(self, *error):
        self._fork.__exit__(*error)
