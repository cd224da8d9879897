"""Checks of the learning rates themselves: zeros, jumps, missed peaks, rises after the end."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from lrcourse.tracing.findings import Finding, which
from lrcourse.tracing.parts import Part
from lrcourse.tracing.result import Trace

JUMP = 0.2  # of the peak, in one step
JUMP_TO_NEIGHBOURS = 3  # times the rise in the step before and after
PEAK_TOLERANCE = 0.005  # of the peak
RISE = 0.001  # of the peak
SPIKE = 0.2  # of its height: the changes beside it are no larger


def by_step(trace: Trace) -> np.ndarray:
    """The LR after each step of the scheduler, shape (steps, groups)."""
    return trace.lr[:: trace.every]


def frozen(rates: np.ndarray) -> np.ndarray:
    """Where a group's LR is exactly 0 and another's is not, shape as `rates`: it is held still."""
    return (rates == 0) & (rates > 0).any(1, keepdims=True)


def total_steps(trace: Trace) -> int:
    """Steps of the scheduler in the whole training, those made before the trace included."""
    return trace.anatomy.position + -(-trace.asked // trace.every)


def where(trace: Trace, update: int) -> str:
    """An update in words, with its epoch where the scheduler counts epochs."""
    if trace.every == 1:
        return f"update {update}"
    return f"update {update} (step {update // trace.every} of the scheduler)"


def error(trace: Trace) -> Iterator[Finding]:
    if trace.error is None:
        return
    mend = "see what the error asks for; the updates after it cannot be made"
    if any(part.name == "OneCycleLR" for part in trace.anatomy.parts):
        mend = (
            f"give OneCycleLR total_steps={total_steps(trace)} and step it as often, "
            f"or use lrcourse.schedules.one_cycle, which holds its last value"
        )
    stop = trace.updates
    message = f"scheduler.step() after update {stop - 1} raises {trace.error}"
    yield Finding("error", stop, None, math.nan, message, mend)


def bad(trace: Trace) -> Iterator[Finding]:
    wrong = ~(np.isfinite(trace.lr) & (trace.lr >= 0))
    if not wrong.any():
        return
    t = int(wrong.any(1).argmax())
    groups = np.flatnonzero(wrong[t]).tolist()
    value = float(trace.lr[t, groups[0]])
    message = f"the LR is {value:.4g} at {where(trace, t)}{which(trace.names, groups)}"
    mend = "a learning rate is a finite number >= 0: let the schedule hold at max(0, ...)"
    yield Finding("bad-lr", t, groups[0], value, message, mend)


def zeros(trace: Trace) -> Iterator[Finding]:
    if not trace.updates:
        return
    if (trace.lr == 0).all():
        message = f"the LR is 0 at every one of the {trace.updates} updates: nothing is trained"
        mend = (
            "a scheduler built on an optimizer whose LR has already fallen to 0 stays there: set "
            "group['lr'] and group['initial_lr'] before building it"
        )
        yield Finding("all-zero", 0, None, 0.0, message, mend)
        return
    held = frozen(by_step(trace)[:2]).all(0)  # and not for the first step only, as by a warmup
    starts = (trace.lr[0] == 0) & (trace.lr > 0).any(0) & ~held
    if not starts.any():
        return
    groups = np.flatnonzero(starts).tolist()
    wasted = int((trace.lr[:, groups[0]] > 0).argmax())
    span = "the first update" if wasted == 1 else f"the first {wasted} updates"
    verb = "changes" if wasted == 1 else "change"
    message = f"the LR is 0 at update 0{which(trace.names, groups)}: {span} {verb} nothing"
    mend = (
        "start the warmup above 0: (t + 1) / W in place of t / W, as lrcourse.schedules.warmup(W) "
        "does, or a small start_factor or warmup_lr_init"
    )
    yield Finding("zero-start", 0, groups[0], 0.0, message, mend)


def jumps(trace: Trace) -> Iterator[Finding]:
    steps = by_step(trace)
    if len(steps) < 3:
        return
    rises = np.diff(steps, axis=0)  # rises[k] leads to step k + 1
    beside = np.zeros_like(rises)
    beside[1:] = np.maximum(beside[1:], rises[:-1])
    beside[:-1] = np.maximum(beside[:-1], rises[1:])
    with np.errstate(invalid="ignore"):
        high = rises > JUMP * np.fmax.reduce(steps, axis=0)
        found = high & (rises > JUMP_TO_NEIGHBOURS * beside) & ~frozen(steps[:-1])
    found[0] = False  # a warmup of one step
    if not trace.anatomy.parts:  # of a record nothing is known: a return may be meant
        found &= steps[1:] > (1 + RISE) * np.fmax.accumulate(steps[:-1])
    times = [k + 1 for k in np.flatnonzero(found.any(1)).tolist() if _may_jump(trace, k + 1)]
    if not times:
        return
    k = times[0]
    t, groups = k * trace.every, np.flatnonzero(found[k - 1]).tolist()
    before, value = steps[k - 1, groups[0]], float(steps[k, groups[0]])
    again = f" (the first of {len(times)} such jumps)" if len(times) > 1 else ""
    message = (
        f"the LR jumps from {before:.4g} to {value:.4g} at {where(trace, t)}"
        f"{which(trace.names, groups)}{again}"
    )
    mend = (
        "let each part begin at the rate at which the one before it ends (a warmup's length equal "
        "to the milestone at which it is left); a restart that is meant is no mistake"
    )
    yield Finding("jump", t, groups[0], value, message, mend)


def spikes(trace: Trace) -> Iterator[Finding]:
    """Single updates, at regular distances, whose LR is not the one before and after them."""
    if any(part.known for part in trace.anatomy.parts) or trace.error is not None:
        return
    steps = np.pad(np.diff(trace.lr, axis=0), ((1, 1), (0, 0)))
    before, there, back, after = (steps[k : len(steps) - 3 + k] for k in range(4))
    least = np.minimum(np.abs(there), np.abs(back))
    others = np.maximum(np.abs(before), np.abs(after))
    alone = (least > RISE * trace.lr.max(0, initial=0)) & (there * back < 0)
    alone &= (np.abs(there + back) <= SPIKE * least) & (others <= SPIKE * least)
    times = np.flatnonzero(alone.any(1)) + 1
    apart = np.diff(times)
    if len(apart) < 2 or apart[0] < 3 or (apart != apart[0]).any():
        return
    t = int(times[0])
    g = int(np.argmax(least[t - 1]))
    value = float(trace.lr[t, g])
    message = (
        f"the LR is {value:.4g} at update {t} alone, {trace.lr[t - 1, g]:.4g} before and "
        f"{trace.lr[t + 1, g]:.4g} after it, and so again at every {apart[0]}th update: two write "
        f"it in turn, one after each update and another after every {apart[0]}"
    )
    mend = "let one scheduler alone write the LR (several: SequentialLR or ChainedScheduler)"
    yield Finding("two-writers", t, g, value, message, mend)


def _may_jump(trace: Trace, step: int) -> bool:
    """Whether a jump on arriving at this step is nobody's design."""
    if not trace.anatomy.parts:
        return True
    at = trace.anatomy.position + step
    before, after = (
        [part for part in trace.anatomy.parts if part.start <= t < part.stop] for t in (at - 1, at)
    )
    if before == after:
        return any(not part.known for part in after)
    # A handover. A low constant is left by a jump; and where a decay has ended, the next part
    # starts afresh. A ramp is to lead to the next part's rate.
    return not all(
        part.flat or (part.top is None and part.end is not None and part.end <= at)
        for part in before
    )


def peaks(trace: Trace) -> Iterator[Finding]:
    steps = by_step(trace)
    position = trace.anatomy.position
    for part in trace.anatomy.parts:
        if part.top is None or not part.alone or position > part.start or not len(steps):
            continue
        if part.flat and part.stop == math.inf and len(steps) <= part.top:
            continue  # a factor for the whole training
        if len(part.peaks) != steps.shape[1] or part.start >= position + len(steps):
            continue
        expected = np.array(part.peaks)
        reached = steps.max(0)
        missed = (expected > 0) & (reached < (1 - PEAK_TOLERANCE) * expected)
        if not missed.any():
            continue
        groups = np.flatnonzero(missed).tolist()
        g = groups[0]
        k = int(steps[:, g].argmax())
        why, mend = _why_missed(trace, part, steps[:, g])
        message = (
            f"{part.name} leads to a peak of {expected[g]:.4g}, but the LR reaches only "
            f"{reached[g]:.4g}, at {where(trace, k * trace.every)}"
            f"{which(trace.names, groups)}: {why}"
        )
        yield Finding("peak-missed", k * trace.every, g, float(reached[g]), message, mend)


def _why_missed(trace: Trace, part: Part, lr: np.ndarray) -> tuple[str, str]:
    top = part.start + (part.top or 0) - trace.anatomy.position
    if len(lr) <= top and trace.error is None:
        why = (
            f"the training ends after {len(lr)} steps of the scheduler, and the peak is at {top:g}"
        )
        return why, "shorten the warmup, or count it in the unit in which the scheduler is stepped"
    if part.top_mend:
        k = math.ceil(top)
        takes_over = part.name != "OneCycleLR" and 0 < k < len(lr)
        if takes_over:
            return f"at the end of the warmup it goes from {lr[k - 1]:.4g} to {lr[k]:.4g}", (
                part.top_mend
            )
        return f"the peak falls at t = {top:g}, between two steps", part.top_mend
    if part.stop < math.inf:
        why = f"the next part takes over at step {part.stop:g} and does not go on from the peak"
        return why, (
            "let the first part reach its peak before the milestone, and follow it by one that "
            "starts there: lrcourse.schedules joins them by warmup(W).then(...)"
        )
    return "its peak falls between two steps", "choose a length that puts the peak on a whole step"


def rises(trace: Trace) -> Iterator[Finding]:
    steps = by_step(trace)
    position = trace.anatomy.position
    for part in trace.anatomy.parts:
        if not part.rebounds or part.end is None:
            continue
        stop = int(min(part.stop - position, len(steps)))
        end = max(math.ceil(part.end) - position - 1, 0)  # 1cycle is lowest there, cosine one later
        if end + 1 >= stop:
            continue
        lowest = np.minimum.accumulate(steps[end:stop], axis=0)
        risen = steps[end:stop] - lowest > RISE * np.fmax.reduce(steps, axis=0)
        if not risen.any():
            continue
        k = end + int(risen.any(1).argmax())
        groups = np.flatnonzero(risen[k - end]).tolist()
        g, t = groups[0], k * trace.every
        value, highest = float(steps[k, g]), float(steps[k:stop, g].max())
        message = (
            f"{part.name} ends at step {part.end:g} and rises again after it: the LR is "
            f"{value:.4g} at {where(trace, t)}, and up to {highest:.4g} later"
            f"{which(trace.names, groups)}"
        )
        mend = (
            "give it the length of the whole training, or a shape of lrcourse.schedules (through "
            "to_torch in a loop of your own), which holds its last value"
        )
        yield Finding("rise-after-end", t, g, value, message, mend)
        return


CHECKS = (error, bad, zeros, jumps, spikes, peaks, rises)
