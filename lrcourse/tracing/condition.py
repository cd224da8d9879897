"""What was already wrong before the first update: states, groups, chains, momentum.

It is read off the optimizer and its scheduler themselves, which stay as they are.
"""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from torch.optim import lr_scheduler as torch_schedulers

from lrcourse.recorder import OptimizerLike, SchedulerLike, groups_of
from lrcourse.recorder.groups import base_of, group_names, momentum_of, rate_of
from lrcourse.recorder.protocols import Group
from lrcourse.recorder.steppers import stepping
from lrcourse.schedules import Schedule
from lrcourse.schedules.rules import plateau
from lrcourse.tracing.anatomy import held_by, inside_of, leaves
from lrcourse.tracing.findings import Finding, which
from lrcourse.tracing.parts import Anatomy
from lrcourse.tracing.readers import TORCH
from lrcourse.tracing.twin import twins

_REWRITERS = ("OneCycleLR", "CyclicLR")
_OF_1CYCLE = ("min_lr", "initial_lr", "max_lr")  # what it leaves in the groups
# Options that say nothing of why a group is a group of its own, or that those schedulers write.
_PASSED_OVER = {
    *("params", "param_names", "name", "lr", "initial_lr", "max_lr", "min_lr"),
    *("momentum", "betas", "base_momentum", "max_momentum"),
}
FAR, FAR_BELOW = 0.1, 1e-3  # from the closed form: of what it gives, and of the base
STEPS_TRIED = 100  # of a scheduler that may forget at each what others have made of the LR


class Condition:
    """Optimizer and scheduler as they are when the trace begins; `findings` tells what is wrong.

    `momentum`, of shape (updates, groups), is what the trace has come to.
    """

    def __init__(
        self,
        optimizer: OptimizerLike,
        scheduler: SchedulerLike | Schedule | plateau,
        built: Anatomy,
        momentum: np.ndarray,
    ) -> None:
        self.optimizer, self.scheduler = optimizer, inside_of(scheduler)
        self.built, self.moved = built, momentum
        self.groups = groups_of(optimizer)
        self.names = group_names(self.groups)
        self.rates = [rate_of(group) for group in self.groups]
        known = leaves(self.scheduler)
        self.inside = [leaf for leaf in known if type(leaf).__module__ == TORCH]
        self.rewriters = [leaf for leaf in self.inside if type(leaf).__name__ in _REWRITERS]
        self.others = [
            leaf for leaf in self.inside if leaf not in self.rewriters and hasattr(leaf, "base_lrs")
        ]
        self.defaults = getattr(optimizer, "defaults", {})
        self.used = any(getattr(optimizer, "state", {}).values())
        self.stepped = getattr(optimizer, "_opt_called", False)

    def findings(self) -> Iterator[Finding]:
        """One for each thing that is wrong."""
        for wrong in (
            *(self._groups_unknown, self._parted, self._loaded, self._overwritten, self._stale),
            *(self._rewritten, self._flattened, self._not_resumed, self._stepped_before),
            *(self._written_by_others, self._momentum),
        ):
            yield from wrong()

    def _groups_unknown(self) -> Iterator[Finding]:
        for leaf in leaves(self.scheduler):
            bases = getattr(leaf, "base_lrs", None) or getattr(leaf, "base_values", None)
            if not isinstance(bases, list | tuple) or len(bases) in (0, len(self.groups)):
                continue
            g = min(len(bases), len(self.groups) - 1)
            message = (
                f"the optimizer has {len(self.groups)} groups and {type(leaf).__name__} knows "
                f"{len(bases)}: a group that was added after it was built is not scheduled, and "
                f"newer versions of torch fail at the step"
            )
            mend = "add every group before building the scheduler, or build it anew afterwards"
            yield Finding("groups-added", 0, g, self.rates[g], message, mend)
            return

    def _parted(self) -> Iterator[Finding]:
        owner = getattr(self.scheduler, "optimizer", None)
        written = getattr(owner, "param_groups", self.groups)
        if not {id(group) for group in self.groups}.isdisjoint(map(id, written)):
            return
        used = ", ".join(type(each.optimizer).__name__ for each in stepping(self.optimizer, ""))
        message = (
            f"the scheduler writes into the groups of {type(owner).__name__}, and the updates are "
            f"made by {used}, whose groups are others: they stay at {self.rates[0]:.4g}"
        )
        mend = (
            "load_state_dict of a wrapper may replace the inner groups: build the scheduler on the "
            "optimizer inside, or set wrapper.param_groups = inner.param_groups again"
        )
        yield Finding("groups-parted", 0, 0, self.rates[0], message, mend)

    def _loaded(self) -> Iterator[Finding]:
        """A checkpoint has put another LR there than the optimizer was built with.

        It has a state and has not been stepped since the scheduler was built, which begins anew.
        """
        built, held = self.defaults.get("lr"), {base_of(group) for group in self.groups}
        anew = getattr(self.scheduler, "last_epoch", 0) == 0 and not self.stepped
        if self.rewriters or built is None or not (anew and self.used) or len(held) != 1:
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
        yield Finding("loaded-lr", 0, 0, self.rates[0], message, mend)

    def _overwritten(self) -> Iterator[Finding]:
        for children in (*_chains(self.scheduler), _together(self.optimizer, self.scheduler)):
            forgetful = [each for each in children if _forgets(self.optimizer, each)]
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

    def _stale(self) -> Iterator[Finding]:
        ours = isinstance(self.scheduler, torch_schedulers.LRScheduler)
        said = getattr(self.scheduler, "_last_lr", None) if ours else None
        if said is None or len(said) != len(self.groups):
            return
        pairs = [(lr, float(last)) for lr, last in zip(self.rates, said, strict=True)]
        stale = np.flatnonzero([not _same(*pair) for pair in pairs]).tolist()
        if not stale:
            return
        lr, last = pairs[stale[0]]
        message = (
            f"the optimizer holds an LR of {lr:.4g} and its scheduler says {last:.4g} "
            f"(get_last_lr){which(self.names, stale)}: update 0 uses {lr:.4g}"
        )
        mend = (
            "after a restart load the optimizer's state as well as the scheduler's; and let one "
            "scheduler alone write the LR (several: SequentialLR or ChainedScheduler)"
        )
        yield Finding("stale-lr", 0, stale[0], lr, message, mend)

    def _rewritten(self) -> Iterator[Finding]:
        found: dict[int, tuple[float, float]] = {}
        for leaf in self.others if self.rewriters else ():
            for g, (base, group) in enumerate(zip(leaf.base_lrs, self.groups, strict=False)):
                now = float(group.get("initial_lr", base))
                if not _same(float(base), now):
                    found.setdefault(g, (float(base), now))
        if not found:
            return
        by, (g, (base, now)) = type(self.rewriters[-1]).__name__, next(iter(found.items()))
        message = (
            f"{by} has rewritten initial_lr from {base:.4g} to {now:.4g}"
            f"{which(self.names, list(found))}, so the part before it starts at "
            f"{self.rates[g]:.4g}, in proportion to that"
        )
        mend = (
            f"{by} brings its own warmup: use it alone, or build it before the other parts, or "
            f"follow the warmup by CosineAnnealingLR"
        )
        yield Finding("base-rewritten", 0, g, self.rates[g], message, mend)

    def _flattened(self) -> Iterator[Finding]:
        """A scheduler gave one LR to groups that were surely, or most likely, to differ.

        Surely: another scheduler still knows their different LRs. Most likely: the groups have
        equal options otherwise, and why else should there be several?
        """
        known = any(len(set(map(float, each.base_lrs))) > 1 for each in self.others)
        options = [
            {name: repr(value) for name, value in group.items() if name not in _PASSED_OVER}
            for group in self.groups
        ]
        if len(self.groups) < 2 or not (known or all(each == options[0] for each in options)):
            return
        for leaf in self.rewriters:
            tops = getattr(leaf, "max_lrs", None) or [group.get("max_lr") for group in self.groups]
            if len({float(top) for top in tops if top is not None}) != 1:
                continue
            by = type(leaf).__name__
            message = (
                f"{by} was given one max_lr, so all {len(self.groups)} groups have one LR "
                f"({self.rates[0]:.4g} at update 0); the rates that the groups were built with are "
                f"gone"
            )
            mend = f"give {by} a list with one max_lr for each group"
            yield Finding("groups-flattened", 0, 1, self.rates[0], message, mend)
            return

    def _not_resumed(self) -> Iterator[Finding]:
        """It was told to go on at a step (last_epoch), from other rates than it has there."""
        off = self._unlike_closed()
        if not off or self.used or self.stepped:
            return
        g, due = next(iter(off.items()))
        by, lr = type(self.scheduler).__name__, self.rates[g]
        message = (
            f"{by} stands at step {self.built.position}, where its own formula gives an LR of "
            f"{due:.4g}, and the optimizer holds {lr:.4g}{which(self.names, list(off))}: it goes "
            f"on from there, so that all later rates are others than in the run before"
        )
        mend = (
            "last_epoch alone does not resume: build optimizer and scheduler as for a new run, and "
            "load the state_dict of both"
        )
        yield Finding("not-resumed", 0, g, lr, message, mend)

    def _written_by_others(self) -> Iterator[Finding]:
        """Something beside the scheduler has written the LR, and the scheduler goes on from it."""
        found = None
        by = type(self.scheduler).__name__
        if off := self._unlike_closed() if self.used or self.stepped else {}:
            g, due = next(iter(off.items()))
            found = (
                g,
                f"{by} stands at step {self.built.position}, where its own formula gives an LR of "
                f"{due:.4g}, and it has come to {self.rates[g]:.4g}{which(self.names, list(off))}: "
                f"something else has changed the LR on the way, and it goes on from there",
            )
        for g, group in enumerate(() if self.rewriters else self.groups):
            low, base, high = (group.get(name, math.nan) for name in _OF_1CYCLE)
            if found is None and low <= base < high:
                found = (
                    g,
                    f"OneCycleLR was built on this optimizer, too: it has left an initial_lr of "
                    f"{base:.4g} and a max_lr of {high:.4g} in the groups",
                )
        if found is not None:
            g, message = found
            mend = (
                "let one scheduler alone write the LR (several: SequentialLR or ChainedScheduler, "
                "given to lint as a whole), on an optimizer that no other was built on; an LR that "
                "the loop has changed on purpose is no mistake"
            )
            yield Finding("two-writers", 0, g, self.rates[g], message, mend)

    def _unlike_closed(self) -> dict[int, float]:
        """Groups whose rate is not that of the closed form, and what this gives."""
        leaf = self.scheduler
        said, closed = (getattr(leaf, n, None) for n in ("_last_lr", "_get_closed_form_lr"))
        if not self.built.position or leaf not in self.inside or said is None or closed is None:
            return {}
        rows: list[list[float]] = []
        with contextlib.suppress(Exception):  # a formula may divide by a length of 0
            rows = [self.rates, [float(lr) for lr in said], [float(lr) for lr in closed()]]
        if len({len(row) for row in rows}) != 1:
            return {}
        return {
            g: due
            for g, (lr, last, due) in enumerate(zip(*rows, strict=True))
            if _same(lr, last)
            and abs(lr - due) > FAR * abs(due) + FAR_BELOW * abs(base_of(self.groups[g]))
        }

    def _stepped_before(self) -> Iterator[Finding]:
        made, length = self.built.position, self.built.length
        spent = length is not None and made >= length
        # An optimizer without a state may have been resumed: only a schedule that is over is told.
        stateful = type(self.optimizer).__name__ != "SGD" or any(map(momentum_of, self.groups))
        if not made or self.stepped or self.used or not (spent or stateful):
            return
        if self._unlike_closed():  # told already
            return
        over = f", and its {length:g} steps are over" if spent else ""
        message = (
            f"the scheduler has been stepped {made} times{over}, but the optimizer has made no "
            f"update: the training starts at an LR of {self.rates[0]:.4g}"
        )
        mend = (
            "build a new optimizer and scheduler after drawing or trying out a schedule (trace "
            "does not use it up); when resuming, load the optimizer's state, too"
        )
        yield Finding("stepped-before", 0, 0, self.rates[0], message, mend)

    def _momentum(self) -> Iterator[Finding]:
        built = momentum_of(self.defaults)
        for leaf in self.rewriters:
            differs = np.abs(self.moved - built) > 1e-9
            low, high, by_default = _cycle(leaf, self.groups)
            meant = low <= built <= high and not (by_default and type(leaf).__name__ == "CyclicLR")
            if not leaf.cycle_momentum or meant or not differs.any():
                continue
            t = int(differs.any(1).argmax())
            g = int(differs[t].argmax())
            by, value = type(leaf).__name__, float(self.moved[t, g])
            message = (
                f"{by} moves the momentum between {low:g} and {high:g}, and the optimizer was "
                f"given {built:g}: it is {value:.4g} at update {t}"
            )
            mend = (
                f"give {by} cycle_momentum=False, or base_momentum and max_momentum as you want "
                f"them"
            )
            yield Finding("momentum", t, g, value, message, mend)


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-6) or (math.isnan(one) and math.isnan(other))


def _cycle(leaf: Any, groups: Sequence[Group]) -> tuple[float, float, bool]:
    """The momentum's lowest and highest, and whether they are the scheduler's own choice."""
    low = min((float(g["base_momentum"]) for g in groups if "base_momentum" in g), default=math.nan)
    high = max((float(g["max_momentum"]) for g in groups if "max_momentum" in g), default=math.nan)
    usual = inspect.signature(type(leaf)).parameters
    by_default = (low, high) == (usual["base_momentum"].default, usual["max_momentum"].default)
    return low, high, by_default


def _chains(scheduler: Any) -> Iterator[list[Any]]:
    """The children of each chained scheduler in it, itself included."""
    if isinstance(scheduler, torch_schedulers.ChainedScheduler):
        yield list(scheduler._schedulers)
    for child in getattr(scheduler, "_schedulers", ()):
        yield from _chains(child)


def _together(optimizer: OptimizerLike, scheduler: object) -> list[Any]:
    """The schedulers that an object of one's own steps at the same time, not one after another."""
    held = held_by(scheduler)
    if len(held) < 2:
        return []
    with contextlib.suppress(Exception):  # what is foreign may raise anything
        copied, outside, *inside = twins(optimizer, scheduler, *held)
        for _ in range(STEPS_TRIED):
            before = [each.last_epoch for each in inside]
            copied.step()
            outside.step()
            moved = [one.last_epoch != t for one, t in zip(inside, before, strict=True)]
            if sum(moved) > 1:
                return [one for one, has in zip(held, moved, strict=True) if has]
    return []


def _forgets(optimizer: OptimizerLike, scheduler: SchedulerLike) -> bool:
    """Whether it writes the same LR at each step, whatever others have made of the one before.

    Two copies are stepped, one of them from an LR that is another before each step.
    """
    with contextlib.suppress(Exception):  # a foreign scheduler may raise anything
        pairs = [twins(optimizer, scheduler) for _ in range(2)]
        groups = [groups_of(copied) for copied, _ in pairs]
        for _ in range(STEPS_TRIED):
            for group in groups[1]:
                group["lr"] = group["lr"] + 1.0
            for copied, copied_scheduler in pairs:
                copied.step()
                copied_scheduler.step()
            written = [[rate_of(group) for group in each] for each in groups]
            if written[0] != written[1]:
                return False
        return True
    return False
