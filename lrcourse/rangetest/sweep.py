"""One sweep of a range test: train on while the learning rate rises, and record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from lrcourse.rangetest.arguments import asks_for_closure, base_rates
from lrcourse.rangetest.curves import Curve
from lrcourse.rangetest.feeding import Feed, OutOfBatches
from lrcourse.rangetest.measuring import dtype_of, home_of, measure, precision, switch_modes
from lrcourse.rangetest.record import Part, Record
from lrcourse.rangetest.refusals import refusal
from lrcourse.rangetest.rules import DivergenceWatch
from lrcourse.rangetest.steps import Step, answers_of, moved, taken_apart, total_of
from lrcourse.rangetest.updates import Updates
from lrcourse.recorder import groups_of
from lrcourse.recorder.protocols import Group
from lrcourse.support import progress as bars

DEVICE_LOOKS_EVERY = 10  # updates; reading the loss back from a GPU each time would stall it


class NeedsClosure(Exception):
    """The optimizer did not step without a closure; nothing has been recorded."""


@dataclass(frozen=True)
class Plan:
    """What every repeat of a range test does; see `lrcourse.rangetest.range_test`."""

    rates: np.ndarray
    step: Step
    is_own_step: bool  # of the user's, who may do anything in it
    counts_targets: bool  # whether the loss is a cross-entropy, the mean over targets that count
    held_out: list[Any] | None
    held_out_every: int
    accumulate: int
    autocast: torch.dtype | bool | None
    clip_norm: float | None
    create_graph: bool
    diverged: float
    look_every: int | None
    smoothing: float
    progress: bool | None


def sweep(
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    feed: Feed,
    plan: Plan,
    seed: int,
    with_closure: bool = False,
) -> Curve:
    """Train `net` along `plan.rates` until the end or divergence. It is left changed.

    Raises:
        NeedsClosure: from an optimizer that does not step without one.
    """
    device, updates = home_of(net), len(plan.rates)
    dtype = dtype_of(plan.autocast, device)
    groups, bases = groups_of(optimizer), base_rates(optimizer)
    planned = np.outer(plan.rates, bases / bases.max()).tolist()  # of each update and group
    if dtype is torch.float16 and with_closure:
        raise refusal("closure with float16", optimizer=type(optimizer).__name__)
    device_type = device.type if device else "cpu"
    scaled = dtype is torch.float16
    scaler = torch.amp.GradScaler(device_type, enabled=scaled)
    look_every = plan.look_every or (1 if device_type == "cpu" else DEVICE_LOOKS_EVERY)
    record = Record(updates, look_every, DivergenceWatch(plan.diverged, plan.smoothing))
    log = Updates(optimizer, watches=plan.is_own_step)
    drawn: list[Any] = []  # for one update
    used: list[Any] = []  # of them

    def part_of(batch: Any) -> Part | None:
        """The gradient of one batch is added up; None where the step passes it over."""
        fresh = moved(batch, device)
        # A sum on the device costs little and holds no batch; it comes before the step, which may
        # work on the batch in place. On a CPU it is made where somebody asks.
        seen = batch if look_every == 1 else total_of(fresh)
        with precision(device, dtype):
            given = log.watched(plan.step, net, fresh)
            if given is None:
                return None
            loss, outputs, targets = taken_apart(given)
        if record.is_empty and _have_gradients(groups):
            raise refusal("backward in step")
        if not loss.requires_grad:
            raise refusal("loss without gradient")
        share = loss if plan.accumulate == 1 else loss / plan.accumulate
        scaler.scale(share).backward(create_graph=plan.create_graph)
        said = None  # as for the batch
        if plan.counts_targets:
            said = outputs if look_every == 1 else total_of(outputs)
        answers = answers_of(outputs, targets)
        if answers is not None and (plan.is_own_step or type(batch) not in (list, tuple, dict)):
            answers = answers[0], targets.clone()  # they are no copy of ours, and looked at later
        return Part(share.detach().view(()), answers, seen, said)

    def clip() -> None:
        if plan.clip_norm is not None:
            nn.utils.clip_grad_norm_(net.parameters(), plan.clip_norm)

    def closure() -> Any:  # a tensor, which torch calls a float
        with torch.enable_grad():
            optimizer.zero_grad()
            again = [part.loss for part in map(part_of, used) if part is not None]
            clip()
        return torch.stack(again).sum()

    def gather(t: int) -> None:
        """The gradients of the batches of update t."""
        drawn[:] = [feed.next() for _ in range(plan.accumulate)]
        used[:] = drawn
        for group, rate in zip(groups, planned[t], strict=True):
            _set_rate(group, rate)
        optimizer.zero_grad()
        for k in range(plan.accumulate):
            while (part := part_of(used[k])) is None:
                record.pass_over()
                drawn.append(feed.next())
                used[k] = drawn[-1]
            record.add(t, part)
        if t == 0 and not _have_gradients(groups):
            raise refusal("no gradient")

    def update(t: int) -> None:
        """The optimizer's step, or why it makes none."""
        if plan.clip_norm is not None:
            scaler.unscale_(optimizer)
            clip()
        try:
            if with_closure:
                optimizer.step(closure)
            else:
                scaler.step(optimizer)
        except Exception as problem:
            if t == 0 and not with_closure and asks_for_closure(optimizer, problem):
                feed.put_back(drawn)
                raise NeedsClosure from problem
            said = str(problem)
            if not plan.create_graph and ("create_graph" in said or "have a grad_fn" in said):
                problem.add_note("range_test(..., create_graph=True) keeps the gradients' graph")
            raise

    if not net.training:
        net.train()
    switch_modes(optimizer, training=True)
    steps = bars.bar(range(updates), total=updates, label="range test", progress=plan.progress)
    with log, torch.inference_mode(False), torch.enable_grad():
        for t in steps:
            try:
                gather(t)
            except OutOfBatches:
                record.end_before(t, plan.accumulate)
                break
            scale = scaler.get_scale() if scaled else 1.0
            log.begin()
            update(t)
            scaler.update()
            # A fused optimizer is called and leaves the update out by itself.
            if not log.was_called() or (scaled and scaler.get_scale() < scale):
                record.skipped.append(t)
            if record.has_diverged(t):
                break
            if plan.held_out is not None and t % plan.held_out_every == 0:
                record.held_out[t] = measure(net, plan.held_out, plan.step, dtype, optimizer)
    if record.made_none():
        raise refusal("no update")
    rates = log.rates(plan.rates, int(bases.argmax()))
    return record.curve(rates, seed, measures=plan.held_out is not None)


def _set_rate(group: Group, rate: float) -> None:
    if isinstance(group["lr"], torch.Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


def _have_gradients(groups: list[Group]) -> bool:
    return any(p.grad is not None for group in groups for p in group["params"])
