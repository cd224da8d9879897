"""Checks of who writes LR and momentum before the first update: several at once, or out of step."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from torch.optim import lr_scheduler as torch_schedulers

from lrcourse.recorder.groups import momentum_of
from lrcourse.recorder.protocols import Group
from lrcourse.tracing.condition import Condition, same
from lrcourse.tracing.findings import Finding, which
from lrcourse.tracing.trials import chains, forgets, together

_OF_1CYCLE = ("min_lr", "initial_lr", "max_lr")  # what it leaves in the groups
ONE_WRITER = (
    "let one scheduler alone write the LR (several: SequentialLR or ChainedScheduler, given to "
    "lint as a whole), on an optimizer that no other was built on; an LR that the loop has changed "
    "on purpose is no mistake"
)


def overwritten(now: Condition) -> Iterator[Finding]:
    for children in (*chains(now.scheduler), together(now.optimizer, now.scheduler)):
        forgetful = [each for each in children if forgets(now.optimizer, each)]
        if len(children) < 2 or not forgetful:
            continue
        by = forgetful[-1]
        others = ", ".join(type(each).__name__ for each in children if each is not by)
        message = (
            f"{type(by).__name__} computes the LR from its base at every step, so that "
            f"{others}, stepped together with it, has no lasting effect"
        )
        mend = (
            "chain only schedulers that go on from the present LR, or multiply shapes: "
            "lrcourse.schedules, restarts(50) * multistep([30, 60], 0.1)"
        )
        yield Finding("no-effect", 0, None, math.nan, message, mend)
        return


def stale(now: Condition) -> Iterator[Finding]:
    ours = isinstance(now.scheduler, torch_schedulers.LRScheduler)
    said = getattr(now.scheduler, "_last_lr", None) if ours else None
    if said is None or len(said) != len(now.groups):
        return
    pairs = [(lr, float(last)) for lr, last in zip(now.rates, said, strict=True)]
    stale = np.flatnonzero([not same(*pair) for pair in pairs]).tolist()
    if not stale:
        return
    lr, last = pairs[stale[0]]
    message = (
        f"the optimizer holds an LR of {lr:.4g} and its scheduler says {last:.4g} "
        f"(get_last_lr){which(now.names, stale)}: update 0 uses {lr:.4g}"
    )
    mend = (
        "after a restart load the optimizer's state as well as the scheduler's; and let one "
        "scheduler alone write the LR (several: SequentialLR or ChainedScheduler)"
    )
    yield now.finding("stale-lr", stale[0], message, mend)


def rewritten(now: Condition) -> Iterator[Finding]:
    found: dict[int, tuple[float, float]] = {}
    for leaf in now.others if now.rewriters else ():
        for g, (base, group) in enumerate(zip(leaf.base_lrs, now.groups, strict=False)):
            held = float(group.get("initial_lr", base))
            if not same(float(base), held):
                found.setdefault(g, (float(base), held))
    if not found:
        return
    by, (g, (base, held)) = type(now.rewriters[-1]).__name__, next(iter(found.items()))
    message = (
        f"{by} has rewritten initial_lr from {base:.4g} to {held:.4g}"
        f"{which(now.names, list(found))}, so the part before it starts at "
        f"{now.rates[g]:.4g}, in proportion to that"
    )
    mend = (
        f"{by} brings its own warmup: use it alone, or build it before the other parts, or "
        f"follow the warmup by CosineAnnealingLR"
    )
    yield now.finding("base-rewritten", g, message, mend)


def off_formula(now: Condition) -> Iterator[Finding]:
    """A known scheduler has come to other rates than its own formula gives at its step.

    Where updates have been made, something else has written the LR; else it was told to go on
    at that step (last_epoch).
    """
    off = now.unlike_closed()
    if not off:
        return
    g, due = next(iter(off.items()))
    by, lr, groups = type(now.scheduler).__name__, now.rates[g], which(now.names, list(off))
    message = (
        f"{by} stands at step {now.built.position}, where its own formula gives an LR of "
        f"{due:.4g}, and "
    )
    if now.used or now.stepped:
        message += (
            f"it has come to {lr:.4g}{groups}: something else has changed the LR on the way, "
            f"and it goes on from there"
        )
        yield now.finding("two-writers", g, message, ONE_WRITER)
        return
    message += (
        f"the optimizer holds {lr:.4g}{groups}: it goes on from there, so that all later rates "
        f"are others than in the run before"
    )
    mend = (
        "last_epoch alone does not resume: build optimizer and scheduler as for a new run, and "
        "load the state_dict of both"
    )
    yield now.finding("not-resumed", g, message, mend)


def stepped_before(now: Condition) -> Iterator[Finding]:
    made, length = now.built.position, now.built.length
    spent = length is not None and made >= length
    # An optimizer without a state may have been resumed: only a schedule that is over is told.
    stateful = type(now.optimizer).__name__ != "SGD" or any(map(momentum_of, now.groups))
    if not made or now.stepped or now.used or not (spent or stateful):
        return
    if now.unlike_closed():  # told already
        return
    over = f", and its {length:g} steps are over" if spent else ""
    message = (
        f"the scheduler has been stepped {made} times{over}, but the optimizer has made no "
        f"update: the training starts at an LR of {now.rates[0]:.4g}"
    )
    mend = (
        "build a new optimizer and scheduler after drawing or trying out a schedule (trace "
        "does not use it up); when resuming, load the optimizer's state, too"
    )
    yield now.finding("stepped-before", 0, message, mend)


def left_by_1cycle(now: Condition) -> Iterator[Finding]:
    """A OneCycleLR that is not among the schedulers has been built on the optimizer, too."""
    itself = any("OneCycle" in kind.__name__ for kind in type(now.scheduler).__mro__)
    if itself or now.rewriters or ((now.used or now.stepped) and now.unlike_closed()):
        return
    for g, group in enumerate(now.groups):
        low, base, high = (group.get(name, math.nan) for name in _OF_1CYCLE)
        if low <= base < high:
            message = (
                f"OneCycleLR was built on this optimizer, too: it has left an initial_lr of "
                f"{base:.4g} and a max_lr of {high:.4g} in the groups"
            )
            yield now.finding("two-writers", g, message, ONE_WRITER)
            return


def momentum(now: Condition) -> Iterator[Finding]:
    built = momentum_of(now.defaults)
    for leaf in now.rewriters:
        differs = np.abs(now.moved - built) > 1e-9
        low, high, by_default = _cycle(leaf, now.groups)
        meant = low <= built <= high and not (by_default and type(leaf).__name__ == "CyclicLR")
        if not leaf.cycle_momentum or meant or not differs.any():
            continue
        t = int(differs.any(1).argmax())
        g = int(differs[t].argmax())
        by, value = type(leaf).__name__, float(now.moved[t, g])
        message = (
            f"{by} moves the momentum between {low:g} and {high:g}, and the optimizer was "
            f"given {built:g}: it is {value:.4g} at update {t}"
        )
        mend = f"give {by} cycle_momentum=False, or base_momentum and max_momentum as you want them"
        yield Finding("momentum", t, g, value, message, mend)


def _cycle(leaf: Any, groups: Sequence[Group]) -> tuple[float, float, bool]:
    """The momentum's lowest and highest, and whether they are the scheduler's own choice."""
    low = min((float(g["base_momentum"]) for g in groups if "base_momentum" in g), default=math.nan)
    high = max((float(g["max_momentum"]) for g in groups if "max_momentum" in g), default=math.nan)
    usual = inspect.signature(type(leaf)).parameters
    by_default = (low, high) == (usual["base_momentum"].default, usual["max_momentum"].default)
    return low, high, by_default
