"""The training loop: one net, one data set, one optimizer, one schedule, and a record of it all.

The loop is the only place that writes a learning rate, and what it records is read back from the
optimizer inside each update, so that a figure of a run's LR shows what the run did.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from lrcourse.data.sets import DATA, Data
from lrcourse.models import parameters
from lrcourse.recorder import Recorder
from lrcourse.support import progress as bars
from lrcourse.support import provenance
from lrcourse.support.checks import (
    COUNT,
    COUNT_FROM_1,
    FLAG,
    POSITIVE,
    arguments,
    function,
    one_of,
    optional,
)
from lrcourse.support.kinds import NET, OPTIMIZER
from lrcourse.training.arguments import (
    check_together,
    evaluate_rule,
    schedule_rule,
)
from lrcourse.training.gradients import Loss, gradients_of
from lrcourse.training.history import History
from lrcourse.training.measuring import columns, is_due, means_of_epoch, measure
from lrcourse.training.pacing import AnySchedule, Pace, describe

CUDA_CHECKS_EVERY = 50  # updates; reading the loss back from the device each time would stall it


@arguments(
    net=NET,
    data=DATA,
    optimizer=OPTIMIZER,
    schedule=schedule_rule,
    epochs=COUNT_FROM_1,
    batch_size=COUNT_FROM_1,
    seed=COUNT,
    when=one_of("update", "epoch"),
    evaluate=evaluate_rule,
    progress=optional(FLAG),
    loss_fn=function,
    clip_norm=optional(POSITIVE),
)
def fit(
    net: nn.Module,
    data: Data,
    optimizer: torch.optim.Optimizer,
    schedule: AnySchedule | None = None,
    *,
    epochs: int,
    batch_size: int = 256,
    seed: int = 0,
    when: str = "update",
    evaluate: str | int | None = "epoch",
    progress: bool | None = None,
    loss_fn: Loss = functional.cross_entropy,
    clip_norm: float | None = None,
) -> History:
    """Train `net` in place and return the record of the run.

    Args:
        net: any classifier; its parameters must be on the device of `data`.
        data: what `lrcourse.data.load` gives: the whole set in memory on the device.
        optimizer: any torch optimizer over `net`. The `lr` of each of its parameter groups is
            that group's peak LR; it has the same value again after the run.
        schedule: a shape from `lrcourse.schedules`, which multiplies each group's peak LR by
            `schedule(t)`; a rule, `plateau` or `warm_until`; a torch scheduler, which is
            stepped as torch asks, after the update or the epoch; or None for a constant LR.
        epochs: passes over the training images.
        batch_size: images in a batch; the last batch of an epoch may be smaller.
        seed: of the data order and of random layers. The order is drawn on the CPU, so it is the
            same on every device. The global random state is left as it was.
        when: what the schedule's t counts, "update" or "epoch": the number of updates (epochs)
            already made, so that the first has t = 0.
        evaluate: "epoch" measures validation and test data after each epoch, a number k after
            every k-th, "end" after the last only, None never.
        progress: a bar for people; None decides by itself (see `lrcourse.support.progress`).
        loss_fn: from (logits (batch, classes), labels (batch,)) to a mean, as cross_entropy.
        clip_norm: where the gradient of all parameters together is longer than this, it is
            shortened to it before the update, keeping its direction; None never.

    Returns:
        A `History`. A run whose loss becomes NaN or infinite stops and says so in
        `diverged_at`. A run that is interrupted (Ctrl-C, Stop in Jupyter) returns what was
        recorded until then. On the CPU one seed gives the same bits twice.

    Raises:
        ValueError, TypeError: for arguments that cannot be meant, saying what would be right.

    Example:
        >>> import torch
        >>> from lrcourse import data, models, training
        >>> from lrcourse import schedules as s
        >>> digits = data.load("digits", device="cpu", progress=False).subset(320)
        >>> net = models.mlp(2, 16)
        >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        >>> history = training.fit(net, digits, optimizer, s.cosine(20), epochs=2, batch_size=32)
        >>> history.updates, float(history.lr[0])
        (20, 0.1)
    """
    check_together(net, data, optimizer, schedule, batch_size, when, evaluate)
    device = data.train.X.device
    samples = len(data.train.X)
    per_epoch = math.ceil(samples / batch_size)
    pace = Pace(schedule, optimizer, data, when, epochs, per_epoch)
    gradients = gradients_of(net, loss_fn, optimizer)
    order = torch.Generator().manual_seed(seed)
    losses = torch.zeros(epochs * per_epoch, device=device)
    predicted = torch.empty(samples, dtype=torch.int64, device=device)
    rows: list[dict[str, float]] = []
    diverged_at, interrupted, was_training = None, False, net.training
    check_every = updates_between_checks(device)
    started = time.perf_counter()

    with Recorder(optimizer) as log, _own_random_state(seed, device):
        try:
            for epoch in bars.bar(range(epochs), total=epochs, label="epoch", progress=progress):
                net.train()
                shuffled = torch.randperm(samples, generator=order).to(device)
                labels = data.train.y.index_select(0, shuffled)
                first = t = epoch * per_epoch
                last = first + per_epoch - 1
                for batch, y, guess in zip(
                    *(each.split(batch_size) for each in (shuffled, labels, predicted)), strict=True
                ):
                    pace.before_update(t, epoch)
                    logits, loss = gradients(data.train.X.index_select(0, batch), y)
                    if clip_norm is not None:
                        nn.utils.clip_grad_norm_(net.parameters(), clip_norm)
                    losses[t] = loss  # before the step: an interruption may come in it
                    optimizer.step()
                    pace.after_update()
                    torch.argmax(logits, 1, out=guess)
                    t += 1
                    if t % check_every == 0 or t > last:
                        diverged_at = first_not_finite(losses, t - check_every, t)
                        if diverged_at is not None:
                            break
                made = t if diverged_at is None else diverged_at + 1
                seen = min((made - first) * batch_size, samples)
                right = (predicted[:seen] == labels[:seen]).sum()
                train = means_of_epoch(losses[first:made].cpu(), right, batch_size, samples)
                row: dict[str, float] = {"epoch": epoch + 1, "update": made}
                row["train_loss"], row["train_acc"] = train
                done = diverged_at is not None or epoch + 1 == epochs
                row |= measure(net, data, loss_fn, is_due(evaluate, epoch, done))
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
    about = about_run(
        net, data, schedule, device, when=when, epochs=epochs, batch_size=batch_size, seed=seed
    )
    about |= {"optimizer": type(optimizer).__name__, "peak_lr": pace.peaks}
    return History(
        lr=lr[:, 0] if lr.shape[1] == 1 else lr,
        loss=losses[:made].cpu().numpy(),
        epochs={name: np.array([row[name] for row in rows], float) for name in columns(data)},
        batches_per_epoch=per_epoch,
        diverged_at=diverged_at,
        interrupted=interrupted,
        seconds=time.perf_counter() - started,
        provenance=about if clip_norm is None else about | {"clip_norm": clip_norm},
    )


def about_run(
    net: nn.Module,
    data: Data,
    schedule: AnySchedule | None,
    device: torch.device,
    **told: str | int,
) -> dict[str, Any]:
    """What a record says of any training: `told`, and what follows from the arguments."""
    return provenance.run_provenance(
        device,
        net=type(net).__name__,
        parameters=parameters(net),
        data=data.name,
        data_fingerprint=data.fingerprint,
        schedule=describe(schedule),
        **told,
    )


def updates_between_checks(device: torch.device) -> int:
    """After how many updates the losses are looked at for one that is not finite."""
    return CUDA_CHECKS_EVERY if device.type == "cuda" else 1


def first_not_finite(losses: torch.Tensor, start: int, stop: int) -> int | None:
    """The first of the updates from `start` to before `stop` whose loss is NaN or infinite."""
    start = max(start, 0)
    if stop - start == 1:  # on the CPU: the quickest look
        return None if math.isfinite(losses[start]) else start
    broken = ~torch.isfinite(losses[start:stop])
    return start + int(broken.int().argmax()) if bool(broken.any()) else None


@contextlib.contextmanager
def _own_random_state(seed: int, device: torch.device) -> Iterator[None]:
    """Random layers draw from `seed`; the global random state comes back afterwards."""
    on_gpu = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_gpu else []):
        # torch.manual_seed would also reseed every other GPU, and nothing would restore them
        torch.default_generator.manual_seed(seed)
        if on_gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
