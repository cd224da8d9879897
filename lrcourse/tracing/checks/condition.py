"""Checks of what was already wrong before the first update: states, groups, momentum."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from lrcourse.tracing.checks.rates import which
from lrcourse.tracing.findings import Finding
from lrcourse.tracing.result import Trace


def stale(trace: Trace) -> Iterator[Finding]:
    if not trace.condition.stale:
        return
    groups = [g for g, _, _ in trace.condition.stale]
    g, lr, said = trace.condition.stale[0]
    message = (
        f"the optimizer holds an LR of {lr:.4g} and its scheduler says {said:.4g} (get_last_lr)"
        f"{which(trace, groups)}: update 0 uses {lr:.4g}"
    )
    mend = (
        "after a restart load the optimizer's state as well as the scheduler's; and let one "
        "scheduler alone write the LR (several: SequentialLR or ChainedScheduler)"
    )
    yield Finding("stale-lr", 0, g, lr, message, mend)


def rewritten(trace: Trace) -> Iterator[Finding]:
    if not trace.condition.rewritten:
        return
    groups = [g for g, *_ in trace.condition.rewritten]
    g, base, now, by = trace.condition.rewritten[0]
    value = float(trace.lr[0, g]) if trace.updates else math.nan
    message = (
        f"{by} has rewritten initial_lr from {base:.4g} to {now:.4g}{which(trace, groups)}, so the "
        f"part before it starts at {value:.4g}, in proportion to that"
    )
    mend = (
        f"{by} brings its own warmup: use it alone, or build it before the other parts, or follow "
        f"the warmup by CosineAnnealingLR"
    )
    yield Finding("base-rewritten", 0, g, value, message, mend)


def flattened(trace: Trace) -> Iterator[Finding]:
    by = trace.condition.flattened
    if not by or not trace.updates:
        return
    value = float(trace.lr[0, 0])
    message = (
        f"{by} was given one max_lr, so all {len(trace.names)} groups have one LR ({value:.4g} at "
        f"update 0); the rates that the groups were built with are gone"
    )
    mend = f"give {by} a list with one max_lr for each group"
    yield Finding("groups-flattened", 0, 1, value, message, mend)


def stepped(trace: Trace) -> Iterator[Finding]:
    made, length = trace.anatomy.position, trace.anatomy.length
    if not made or not trace.condition.unused or not trace.updates:
        return
    spent = length is not None and made >= length
    # An optimizer without a state may have been resumed: only a schedule that is over is told of.
    if not spent and not trace.condition.stateful:
        return
    value = float(trace.lr[0, 0])
    over = f", and its {length:g} steps are over" if spent else ""
    message = (
        f"the scheduler has been stepped {made} times{over}, but the optimizer has made no update: "
        f"the training starts at an LR of {value:.4g}"
    )
    mend = (
        "build a new optimizer and scheduler after drawing or trying out a schedule (trace does "
        "not use it up); when resuming, load the optimizer's state, too"
    )
    yield Finding("stepped-before", 0, 0, value, message, mend)


def momentum(trace: Trace) -> Iterator[Finding]:
    built = trace.condition.built_momentum
    for by, low, high, by_default in trace.condition.cycled:
        outside = not low <= built <= high
        if not outside and not (by == "CyclicLR" and by_default):
            continue
        differs = np.abs(trace.momentum - built) > 1e-9
        if not differs.any():
            continue
        t = int(differs.any(1).argmax())
        g = int(differs[t].argmax())
        value = float(trace.momentum[t, g])
        message = (
            f"{by} moves the momentum between {low:g} and {high:g}, and the optimizer was given "
            f"{built:g}: it is {value:.4g} at update {t}"
        )
        mend = f"give {by} cycle_momentum=False, or base_momentum and max_momentum as you want them"
        yield Finding("momentum", t, g, value, message, mend)


def groups_unknown(trace: Trace) -> Iterator[Finding]:
    if trace.condition.known_groups is None:
        return
    by, known = trace.condition.known_groups
    g = min(known, len(trace.names) - 1)
    value = float(trace.lr[0, g]) if trace.updates else math.nan
    message = (
        f"the optimizer has {len(trace.names)} groups and {by} knows {known}: a group that was "
        f"added after it was built is not scheduled, and newer versions of torch fail at the step"
    )
    mend = "add every group before building the scheduler, or build it anew afterwards"
    yield Finding("groups-added", 0, g, value, message, mend)


def parted(trace: Trace) -> Iterator[Finding]:
    if trace.condition.parted is None or not trace.updates:
        return
    written, used = trace.condition.parted
    value = float(trace.lr[0, 0])
    message = (
        f"the scheduler writes into the groups of {written}, and the updates are made by {used}, "
        f"whose groups are others: they stay at {value:.4g}"
    )
    mend = (
        "load_state_dict of a wrapper may replace the inner groups: build the scheduler on the "
        "optimizer inside, or set wrapper.param_groups = inner.param_groups again"
    )
    yield Finding("groups-parted", 0, 0, value, message, mend)


def loaded(trace: Trace) -> Iterator[Finding]:
    if trace.condition.loaded is None or not trace.updates:
        return
    built, held = trace.condition.loaded
    message = (
        f"the optimizer was built with an LR of {built:.4g} and holds {held:.4g}, and the "
        f"scheduler begins anew: load_state_dict puts the checkpoint's LR into the groups"
    )
    mend = (
        "if the new LR is meant, set group['lr'] and drop group['initial_lr'] after loading and "
        "before building the scheduler"
    )
    yield Finding("loaded-lr", 0, 0, float(trace.lr[0, 0]), message, mend)


def overwritten(trace: Trace) -> Iterator[Finding]:
    if trace.condition.overwritten is None or not trace.updates:
        return
    others, by = trace.condition.overwritten
    message = (
        f"{by} computes the LR from its base at every step, so that {', '.join(others)} beside it "
        f"in the ChainedScheduler has no lasting effect"
    )
    mend = (
        "chain only schedulers that go on from the present LR, or multiply shapes: "
        "lrcourse.schedules, restarts(50) * multistep([30, 60], 0.1)"
    )
    yield Finding("no-effect", 0, None, math.nan, message, mend)


def one_rate(trace: Trace) -> Iterator[Finding]:
    """Groups whose base rates differ, and whose rates do not, from the first step on."""
    bases, steps = np.array(trace.condition.bases), trace.lr[trace.every :]
    if trace.condition.flattened or len(bases) != trace.lr.shape[1] or len(steps) < 2:
        return
    moving = bases > 0
    some = steps[:, moving]
    if moving.sum() < 2 or np.ptp(bases[moving]) <= 1e-6 * bases.max() or not (some > 0).any():
        return
    if not np.allclose(some, some[:, :1], rtol=1e-6, atol=0):
        return
    g = int(np.flatnonzero(moving)[1])
    value = float(trace.lr[trace.every, g])
    told = ", ".join(f"{base:.4g}" for base in bases[:4])
    message = (
        f"the groups start from different rates ({told}), and all have one LR ({value:.4g} at "
        f"update {trace.every})"
    )
    mend = "let the schedule multiply each group's own base rate instead of setting one LR for all"
    yield Finding("groups-flattened", trace.every, g, value, message, mend)


CHECKS = (
    groups_unknown,
    parted,
    loaded,
    overwritten,
    one_rate,
    stale,
    rewritten,
    flattened,
    stepped,
    momentum,
)
