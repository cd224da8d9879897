"""Checks of the parameter groups before the first update: unknown, parted, flattened, loaded."""

from __future__ import annotations

import math
from collections.abc import Iterator

from lrcourse.recorder.groups import base_of
from lrcourse.recorder.steppers import stepping
from lrcourse.tracing.anatomy import leaves
from lrcourse.tracing.condition import Condition
from lrcourse.tracing.findings import Finding

# Options that say nothing of why a group is a group of its own, or that a cyclic scheduler writes.
_PASSED_OVER = {
    *("params", "param_names", "name", "lr", "initial_lr", "max_lr", "min_lr"),
    *("momentum", "betas", "base_momentum", "max_momentum"),
}


def groups_unknown(now: Condition) -> Iterator[Finding]:
    for leaf in leaves(now.scheduler):
        bases = getattr(leaf, "base_lrs", None) or getattr(leaf, "base_values", None)
        if not isinstance(bases, list | tuple) or len(bases) in (0, len(now.groups)):
            continue
        g = min(len(bases), len(now.groups) - 1)
        message = (
            f"the optimizer has {len(now.groups)} groups and {type(leaf).__name__} knows "
            f"{len(bases)}: a group that was added after it was built is not scheduled, and "
            f"newer versions of torch fail at the step"
        )
        mend = "add every group before building the scheduler, or build it anew afterwards"
        yield now.finding("groups-added", g, message, mend)
        return


def parted(now: Condition) -> Iterator[Finding]:
    owner = getattr(now.scheduler, "optimizer", None)
    written = getattr(owner, "param_groups", now.groups)
    if not {id(group) for group in now.groups}.isdisjoint(map(id, written)):
        return
    used = ", ".join(type(each.optimizer).__name__ for each in stepping(now.optimizer, ""))
    message = (
        f"the scheduler writes into the groups of {type(owner).__name__}, and the updates are "
        f"made by {used}, whose groups are others: they stay at {now.rates[0]:.4g}"
    )
    mend = (
        "load_state_dict of a wrapper may replace the inner groups: build the scheduler on the "
        "optimizer inside, or set wrapper.param_groups = inner.param_groups again"
    )
    yield now.finding("groups-parted", 0, message, mend)


def flattened(now: Condition) -> Iterator[Finding]:
    """A scheduler gave one LR to groups that were surely, or most likely, to differ.

    Surely: another scheduler still knows their different LRs. Most likely: the groups have
    equal options otherwise, and why else should there be several?
    """
    known = any(len(set(map(float, each.base_lrs))) > 1 for each in now.others)
    options = [
        {name: repr(value) for name, value in group.items() if name not in _PASSED_OVER}
        for group in now.groups
    ]
    if len(now.groups) < 2 or not (known or all(each == options[0] for each in options)):
        return
    for leaf in now.rewriters:
        tops = getattr(leaf, "max_lrs", None) or [group.get("max_lr") for group in now.groups]
        if len({float(top) for top in tops if top is not None}) != 1:
            continue
        by = type(leaf).__name__
        message = (
            f"{by} was given one max_lr, so all {len(now.groups)} groups have one LR "
            f"({now.rates[0]:.4g} at update 0); the rates that the groups were built with are "
            f"gone"
        )
        mend = f"give {by} a list with one max_lr for each group"
        yield Finding("groups-flattened", 0, 1, now.rates[0], message, mend)
        return


def loaded(now: Condition) -> Iterator[Finding]:
    """A checkpoint has put another LR there than the optimizer was built with.

    It has a state and has not been stepped since the scheduler was built, which begins anew.
    """
    built, held = now.defaults.get("lr"), {base_of(group) for group in now.groups}
    anew = getattr(now.scheduler, "last_epoch", 0) == 0 and not now.stepped
    if now.rewriters or built is None or not (anew and now.used) or len(held) != 1:
        return
    (lr,) = held
    if math.isclose(lr, float(built)):
        return
    message = (
        f"the optimizer was built with an LR of {float(built):.4g} and holds {lr:.4g}, and the "
        f"scheduler begins anew: load_state_dict puts the checkpoint's LR into the groups"
    )
    mend = (
        "if the new LR is meant, set group['lr'] and drop group['initial_lr'] after loading "
        "and before building the scheduler"
    )
    yield now.finding("loaded-lr", 0, message, mend)
