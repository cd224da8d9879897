"""Checks of a schedule against what it is for: rates too high, too low, never moved."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator

import numpy as np

from lrcourse.schedules.lengths import FEWEST_STEPS
from lrcourse.tracing.checks.cosines import warmup_alone, wrong_unit
from lrcourse.tracing.checks.lengths import ends_late
from lrcourse.tracing.checks.rates import RISE, by_step, total_steps, where
from lrcourse.tracing.findings import Finding, which
from lrcourse.tracing.result import Trace

SMALL_FACTOR = 0.1  # of the LR given, at its highest
WHOLE_RATE = 0.3  # from here on the optimizer's LR may be meant as a multiplier
JUST_RESTARTED = 0.85  # of the peak, at the last update
HARDLY_FALLEN = 0.95  # of the LR at the first update, at the last


def above(trace: Trace) -> Iterator[Finding]:
    """A rate above the one that its schedule is meant to be highest at."""
    steps, position = by_step(trace), trace.anatomy.position
    for part in trace.anatomy.parts:
        if not (part.ceiling and part.alone) or len(part.peaks) != trace.lr.shape[1]:
            continue
        begin = max(math.ceil(part.start) - position, 0)
        turn = steps[begin : max(int(min(part.stop - position, len(steps))), 0)]
        high = turn > (1 + RISE) * np.array(part.peaks)
        if not high.any():
            continue
        groups = np.flatnonzero(high.any(0)).tolist()
        g = groups[0]
        k = begin + int(turn[:, g].argmax())
        value = float(steps[k, g])
        message = (
            f"{part.name} is meant to be at its highest at an LR of {part.peaks[g]:.4g}, and rises "
            f"to {value:.4g} at {where(trace, k * trace.every)}{which(trace.names, groups)}"
        )
        mend = (
            "where a decay is meant, its floor (eta_min, min_lr, base_lr) lies below the LR of "
            "every group, and its gamma below 1"
        )
        yield Finding("above-peak", k * trace.every, g, value, message, mend)
        return


def deaf(trace: Trace) -> Iterator[Finding]:
    """Milestones that are no whole numbers: no step is equal to them."""
    for part in trace.anatomy.parts:
        if part.deaf and trace.updates:
            told = ", ".join(f"{mark:g}" for mark in part.deaf)
            message = (
                f"{part.name} has milestones ({told}) that are no whole numbers: it never comes to "
                f"them, and the LR does not change there"
            )
            mend = "give milestones as counts of steps, int(0.5 * steps) for the half of a training"
            value = float(trace.lr[-1, 0])
            yield Finding("milestones", trace.updates - 1, 0, value, message, mend)
            return


def still(trace: Trace) -> Iterator[Finding]:
    """A schedule that never changes the rate, and is not one that is meant not to."""
    steps, position = by_step(trace), trace.anatomy.position
    parts = [
        p for p in trace.anatomy.parts if p.start < position + len(steps) and p.stop > position
    ]
    if len(steps) < FEWEST_STEPS or trace.error is not None or not parts:
        return
    if (steps != steps[0]).any() or not (steps > 0).any() or any(part.deaf for part in parts):
        return
    low = [part.flat and part.top is not None for part in parts]  # for the whole training
    if all(map(operator.or_, low, (part.still for part in parts))) or any(ends_late(trace)):
        return
    bases = np.array(trace.bases)
    moved = position and len(bases) == steps.shape[1] and not np.allclose(bases, steps[0])
    turns = [
        part.start + turn
        for part in parts
        for turn in (part.length, part.first, part.cycle)
        if turn is not None
    ]
    if moved or any(turn <= position for turn in turns):
        return
    unknown = any(not part.known for part in parts)
    if (trace.changes_at is None) if unknown else not turns:
        return
    value, firsts = float(steps[0, 0]), [p.start + p.first for p in parts if p.first is not None]
    later = min(firsts, default=trace.changes_at)
    why = f" (it would first change at step {later:g})" if later is not None else ""
    message = (
        f"{trace.anatomy.name} never changes the LR: it is {value:.4g} at each of the "
        f"{trace.updates} updates, in {total_steps(trace)} steps of the scheduler{why}"
    )
    mend = "count in the unit in which the scheduler is stepped, and give it a floor below the LR"
    if any(part.name in ("LinearLR", "ConstantLR") for part in parts):
        mend = (
            "give LinearLR two factors that differ (start_factor below end_factor is a warmup, "
            "above it a decay), and ConstantLR one below 1"
        )
    mend += "; a constant LR needs no scheduler"
    yield Finding("never-changes", trace.updates - 1, 0, value, message, mend)


def factor(trace: Trace) -> Iterator[Finding]:
    """A LambdaLR whose function seems to return a rate, which is multiplied with the rate."""
    steps, parts = by_step(trace), trace.anatomy.parts
    bases = np.array(trace.bases)
    if len(parts) != 1 or not (parts[0].factors and parts[0].alone) or trace.anatomy.position:
        return
    if len(steps) < FEWEST_STEPS or len(bases) != steps.shape[1] or trace.error is not None:
        return
    if not ((bases > 0) & (bases <= WHOLE_RATE)).all() or not np.isfinite(steps).all():
        return
    factors = (steps / bases).max(0)
    small = (factors > 0) & ((factors <= SMALL_FACTOR) | np.isclose(factors, bases))
    if not small.all() or any(warmup_alone(trace)):
        return
    k = int(steps[:, 0].argmax())
    message = (
        f"the function of LambdaLR returns {factors[0]:.4g} at most, so the LR is never above "
        f"{steps[k, 0]:.4g}, and the optimizer was given {bases[0]:.4g}"
    )
    mend = (
        "LambdaLR multiplies: let the function return a factor, 1 for the whole LR, or give the "
        "optimizer lr=1 where it returns the LR itself"
    )
    yield Finding("small-factor", k * trace.every, 0, float(steps[k, 0]), message, mend)


def ends_high(trace: Trace) -> Iterator[Finding]:
    """A last rate that is next to the peak: just after a restart, or a decay that hardly began."""
    steps, position = by_step(trace), trace.anatomy.position
    last = [part for part in trace.anatomy.parts if part.stop == math.inf]
    if len(last) != 1 or not last[0].alone or trace.error is not None or len(steps) < 10:
        return
    if (steps == steps[0]).all():
        return
    (part,) = last
    value = float(steps[-1, 0])
    if part.cycle is not None:
        into = position + len(steps) - part.start
        if len(part.peaks) != steps.shape[1] or into <= part.cycle:
            return
        high = part.ceiling and steps[-1] >= JUST_RESTARTED * np.array(part.peaks)
        if not np.all(high) or not (steps[-1] > 0).all():
            return
        message = (
            f"the training ends at an LR of {value:.4g}, {value / part.peaks[0]:.0%} of the peak, "
            f"in the middle of a cycle of {part.name}"
        )
        mend = "choose cycles whose last one ends with the training, where the LR is lowest"
    else:
        falls = (np.diff(steps, axis=0) < 0).all() and len(trace.anatomy.parts) == 1
        hardly = falls and (steps[-1] >= HARDLY_FALLEN * steps[0]).all()
        if not hardly or position or part.length is not None or any(wrong_unit(trace)):
            return
        message = (
            f"{part.name} hardly lowers the LR: from {steps[0, 0]:.4g} to {value:.4g} in "
            f"{len(steps)} steps of the scheduler"
        )
        mend = "choose its rate of decay for the steps that the training makes"
    yield Finding("ends-high", trace.updates - 1, 0, value, message, mend)


def one_rate(trace: Trace) -> Iterator[Finding]:
    """Groups whose base rates differ, and whose rates do not, from the first step on."""
    bases, steps = np.array(trace.bases), trace.lr[trace.every :]
    told = any(finding.code == "groups-flattened" for finding in trace.before)
    if told or len(bases) != trace.lr.shape[1] or len(steps) < 2:
        return
    moving = bases > 0
    some = steps[:, moving]
    if moving.sum() < 2 or np.ptp(bases[moving]) <= 1e-6 * bases.max() or not (some > 0).any():
        return
    if not np.allclose(some, some[:, :1], rtol=1e-6, atol=0):
        return
    g = int(np.flatnonzero(moving)[1])
    value = float(trace.lr[trace.every, g])
    rates = ", ".join(f"{base:.4g}" for base in bases[:4])
    message = (
        f"the groups start from different rates ({rates}), and all have one LR ({value:.4g} at "
        f"update {trace.every})"
    )
    mend = "let the schedule multiply each group's own base rate instead of setting one LR for all"
    yield Finding("groups-flattened", trace.every, g, value, message, mend)


CHECKS = (above, deaf, still, factor, ends_high, one_rate)
