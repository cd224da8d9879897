"""Checks of a schedule's length against the training's: most often a wrong unit."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from lrcourse.schedules import lengths
from lrcourse.schedules.lengths import FEWEST_STEPS
from lrcourse.tracing.checks.rates import by_step, frozen, total_steps
from lrcourse.tracing.findings import Finding
from lrcourse.tracing.result import Trace

ZERO = 0.1  # of the training, at a rate of exactly 0
VANISHED = 1e-6  # of the peak
MISSED = 0.005  # of the peak: what a part that is cut short must still have before it


def nothing(trace: Trace) -> Iterator[Finding]:
    if not trace.updates:
        message = "no update was recorded: the loop has not called step() of this optimizer"
        mend = "record the optimizer that the loop steps, around the loop"
        yield Finding("no-updates", 0, None, math.nan, message, mend)


def ends_early(trace: Trace) -> Iterator[Finding]:
    steps, total = by_step(trace), total_steps(trace)
    length, position = trace.anatomy.length, trace.anatomy.position
    if total < FEWEST_STEPS or len(steps) < 2:
        return
    if length is None or not trace.anatomy.parts:
        yield from _vanishes(trace, steps, total)
        return
    last = [part for part in trace.anatomy.parts if part.stop == math.inf]
    stepwise = all(part.stepwise for part in last if part.end == length)
    falls = (steps[-1] < 0.999 * steps.max(0)).any() or any(part.rebounds for part in last)
    zero = len(steps) == total - position and (steps[max(math.ceil(length) - position, 0) :] == 0)
    zero = zero is not False and zero.size > 0 and bool(zero.all())
    early = lengths.ends_early(length, total, stepwise=stepwise) or (
        zero and _wasted(length, total)
    )
    if not falls or not position < length or not early:
        return
    k = min(math.ceil(length) - position, len(steps) - 1)
    t, value = k * trace.every, float(steps[k, 0])
    message = (
        f"{trace.anatomy.name} takes {length:g} steps, and the training {total}: it is over at "
        f"update {t}, with an LR of {value:.4g}"
    )
    yield Finding("ends-early", t, 0, value, message, mend_early(trace))


def _vanishes(trace: Trace, steps: np.ndarray, total: int) -> Iterator[Finding]:
    gone = (np.abs(steps) <= VANISHED * steps.max(0)) & (steps.max(0) > 0) & ~frozen(steps)
    # for good: no later step is above the limit
    gone = np.flip(np.flip(gone, 0).cumprod(0), 0).astype(bool).any(1)
    if not gone.any():
        return
    k = int(gone.argmax())
    late = trace.anatomy.position + k
    dead = bool((steps[k:] == 0).any(1).all()) and _wasted(late, total)
    if not (dead or lengths.ends_early(late, total)) or len(steps) < total - trace.anatomy.position:
        return
    g = int((steps[k] <= VANISHED * steps.max(0)).argmax())
    t, value = k * trace.every, float(steps[k, g])
    message = (
        f"from update {t} on the LR has vanished ({value:.4g}, a millionth of its peak or less), "
        f"and the training lasts {trace.asked} updates"
    )
    yield Finding("ends-early", t, g, value, message, mend_early(trace))


def _wasted(length: float, total: int) -> bool:
    """Whether a rate of 0 from there on leaves a part of the training without effect."""
    return length <= (1 - max(ZERO, 1.5 / total)) * total


def mend_early(trace: Trace) -> str:
    if trace.every == 1:
        return (
            "if its length is meant in epochs, call scheduler.step() once after each epoch; else "
            "give it the number of updates"
        )
    return "it is stepped once an epoch: give it the number of epochs of the whole training"


def ends_late(trace: Trace) -> Iterator[Finding]:
    total, length = total_steps(trace), trace.anatomy.length
    if not trace.updates or trace.error is not None:
        return
    last = [part for part in trace.anatomy.parts if part.stop == math.inf]
    waits = [part.start + part.first for part in last if part.first is not None]
    timed = any(part.top != part.length and part.timed for part in last)
    if last and length is not None and timed:
        long, does = length, f"takes {length:g} steps"
    elif length is None and waits:
        long, does = min(waits), f"first changes the LR (or restarts) after {min(waits):g} steps"
    else:
        return
    if not lengths.ends_late(long, total):
        return
    t, value = trace.updates - 1, float(trace.lr[-1, 0])
    message = (
        f"{trace.anatomy.name} {does}, and the training makes only {total}: at its last update, "
        f"{t}, the LR is still {value:.4g}"
    )
    yield Finding("ends-late", t, 0, value, message, mend_late(trace))


def mend_late(trace: Trace) -> str:
    if trace.every > 1:
        return "if its length is meant in updates, call scheduler.step() after each update"
    return (
        "count what steps the scheduler: updates of the optimizer, of which there are fewer than "
        "batches with gradient accumulation, and fewer on each of several workers"
    )


def cut_short(trace: Trace) -> Iterator[Finding]:
    """A part that is as long as the whole training, and to which milestones leave less."""
    steps, total, position = by_step(trace), total_steps(trace), trace.anatomy.position
    if total < FEWEST_STEPS or trace.error is not None or any(ends_late(trace)):
        return
    for part in trace.anatomy.parts:
        if part.length is None or not part.timed or part.stepwise or part.top == part.length:
            continue
        stop = min(part.stop, total)
        for warmup in {0, part.top or 0}:
            begin, takes = part.start + warmup, part.length - warmup
            has, last = stop - begin, int(min(stop - position, len(steps))) - 1
            shared = begin > 0 or stop < total
            if not shared or abs(takes - total) > 1 or not 0 < has < takes or last < 1:
                continue
            missed = np.abs(steps[last] - steps[last - 1]) * (takes - has)
            if not (missed > MISSED * steps.max(0)).any():
                continue
            t, value = last * trace.every, float(steps[last, 0])
            message = (
                f"{part.name} takes {takes:g} steps, as many as the whole training, and gets "
                f"{has:g} of them (from step {begin:g} to {stop:g}): it is left at an LR of "
                f"{value:.4g}, before its end"
            )
            mend = f"give it the {has:g} steps that the parts beside it leave to it"
            yield Finding("ends-late", t, 0, value, message, mend)
            return


CHECKS = (nothing, ends_early, ends_late, cut_short)
