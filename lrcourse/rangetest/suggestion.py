"""From the curves of a range test to one plain sentence: use this rate, or do not trust this."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from lrcourse.rangetest import rules
from lrcourse.rangetest.curves import Curve, Curves
from lrcourse.rangetest.refusals import refusal
from lrcourse.rangetest.rules import RULES
from lrcourse.support.checks import one_of

SIDE = one_of("training", "held_out")
RATE_RULES = ("steepest", "valley", "minimum_10")
DISAGREE = 10.0  # rules or repeats further apart than this factor are not trusted
FLAT = 2.0  # a fall of fewer times the noise from batch to batch is none
LEAST = 1e-3  # nor is one by less than this part of the first loss
LEVEL = 30.0  # a loss that stays level over this factor does not diverge for the start


@dataclass(frozen=True)
class Reading:
    """One rule over all repeats.

    Attributes:
        lr: the median of the repeats in which the rule found a rate (for an even number the
            geometric mean of the middle two), or None where at most half of them did.
        repeats: what each repeat gave, None where the curve does not show it.
        spread: highest by lowest of them; 1 for a single one, NaN for none.
    """

    lr: float | None
    repeats: tuple[float | None, ...]
    spread: float


@dataclass(frozen=True)
class Suggestion:
    """What a range test suggests.

    Attributes:
        rules: a `Reading` for each rule of `lrcourse.rangetest.rules`, by its name.
        rule, lr: the rule that is followed and its rate, or None where nothing is to be trusted.
            It is the middle one of steepest, valley and minimum/10.
        spread: how far these three are apart, highest by lowest; NaN if there are fewer than two.
        doubts: why not to trust it; empty where it can be trusted.
        sentence: all that in one sentence.
    """

    rules: Mapping[str, Reading]
    rule: str | None
    lr: float | None
    spread: float
    doubts: tuple[str, ...]
    sentence: str

    @property
    def base_lr(self) -> float | None:
        """Smith's lower bound: where the accuracy starts to rise, else where the loss falls."""
        return _first(self.rules, "base_lr_accuracy", "base_lr_loss")

    @property
    def max_lr(self) -> float | None:
        """Smith's upper bound: the lowest rate at which accuracy or loss show the end."""
        found = [self.rules[name].lr for name in self.rules if name.startswith("max_lr")]
        return min((lr for lr in found if lr is not None), default=None)

    def table(self) -> str:
        """The rules side by side: the median, and lowest to highest over the repeats."""
        rows = [("rule", "rate", "repeats")]
        for name, reading in self.rules.items():
            found = [lr for lr in reading.repeats if lr is not None]
            span = f"{min(found):.3g} to {max(found):.3g}" if len(found) > 1 else ""
            if missing := len(reading.repeats) - len(found):
                span = f"{span} (not seen in {missing} of {len(reading.repeats)})".strip()
            rows.append(
                (RULES[name].name, "-" if reading.lr is None else f"{reading.lr:.3g}", span)
            )
        wide = [max(len(row[k]) for row in rows) for k in range(2)]
        return "\n".join(
            f"{row[0]:{wide[0]}}  {row[1]:>{wide[1]}}  {row[2]}".rstrip() for row in rows
        )

    def __str__(self) -> str:
        return f"{self.table()}\n{self.sentence}"


def suggest(test: Curves, on: str = "training") -> Suggestion:
    """Apply every rule to every repeat and judge them; `RangeTest.suggest` is the way in."""
    if on == "held_out" and test.table("held_out_loss") is None:
        raise refusal("no held-out curve")
    readings = [_read(test, curve, on) for curve in test.curves]
    table = {name: _reading([r.rates.get(name) for r in readings]) for name in RULES}
    found = sorted((lr, name) for name in RATE_RULES if (lr := table[name].lr) is not None)
    spread = found[-1][0] / found[0][0] if len(found) > 1 else math.nan
    lr, rule = found[len(found) // 2] if found else (None, "")
    doubts = tuple(_doubts(test, readings, table.get(rule), spread))
    if doubts:
        return Suggestion(
            table, None, None, spread, doubts, f"Do not trust this: {'; '.join(doubts)}."
        )
    why = "the only rule that found a rate"
    if len(found) > 1:
        why = f"the middle one of {len(found)} rules within a factor {spread:.2g}"
    repeats = "; one repeat says nothing about the spread between repeats"
    if len(test.curves) > 1:
        repeats = f"; {len(test.curves)} repeats within a factor {table[rule].spread:.2g}"
    sentence = f"Use {lr:.2g} ({RULES[rule].name}, {why}{repeats})."
    return Suggestion(table, rule, lr, spread, doubts, sentence)


@dataclass(frozen=True)
class _OneRepeat:
    rates: Mapping[str, float | None]
    numbers: int  # updates whose loss is a number
    empty: bool = False
    short: bool = False  # too few of them
    still: bool = False  # not one of them differs
    flat: bool = False
    still_falling: bool = False
    rises: bool = False
    rises_from: float = math.nan  # where it left the level of its beginning


def _read(test: Curves, curve: Curve, on: str) -> _OneRepeat:
    prefix = "held_out_" if on == "held_out" else ""
    loss, accuracy = getattr(curve, prefix + "loss"), getattr(curve, prefix + "accuracy")
    there = np.isfinite(loss)
    lr, loss = curve.lr[there], loss[there]
    accuracy = None if accuracy is None else accuracy[there]
    if len(lr) < rules.FEWEST:
        return _OneRepeat({}, len(lr), empty=len(lr) == 0, short=True)
    b = rules.per_value(test.smoothing, there)
    smooth = rules.smoothed_loss(loss, test.diverged, b)
    begin = -rules.level(-smooth)
    fall = begin - smooth.min()
    lowest = int(np.argmin(smooth))
    tail = max(1, len(lr) // 20)
    before = slice(0, max(lowest + 1, rules.FEWEST))
    least = max(FLAT * rules.noise(loss[before]), LEAST * abs(begin))
    flat = fall <= least
    rates: dict[str, float | None] = {}
    if not flat:
        for name in ("base_lr_loss", *RATE_RULES, "max_lr_loss"):
            rates[name] = getattr(rules, name)(lr, smooth)
        if accuracy is not None and np.isfinite(accuracy).all():
            even = rules.smoothed(accuracy, b)
            rates["base_lr_accuracy"] = rules.base_lr_accuracy(lr, even)
            rates["max_lr_levels_off"] = rules.max_lr_levels_off(lr, even)
            rates["max_lr_ragged"] = rules.max_lr_ragged(lr, even, accuracy)
    high = np.flatnonzero(smooth > begin + least)
    return _OneRepeat(
        rates,
        len(lr),
        still=bool(np.ptp(loss) == 0),
        flat=flat,
        rises=flat and curve.diverged_at is not None,
        rises_from=float(lr[high[0]] if len(high) else lr[-1]),
        still_falling=not flat and curve.diverged_at is None and lowest >= len(lr) - tail,
    )


def _reading(repeats: list[float | None]) -> Reading:
    found = [lr for lr in repeats if lr is not None]
    usual = None
    if 2 * len(found) > len(repeats):
        middle = math.exp(statistics.median(map(math.log, found)))
        # Of an odd number it is one of them, to the last digit.
        usual = min(found, key=lambda lr: abs(lr - middle)) if len(found) % 2 else middle
    spread = max(found) / min(found) if found else math.nan
    return Reading(usual, tuple(repeats), spread)


def _doubts(
    test: Curves, readings: list[_OneRepeat], followed: Reading | None, spread: float
) -> Iterator[str]:
    """Why not to trust it; what hides everything else is said alone."""
    alone = _spoilt(test) or _shape(test, readings)
    if alone or followed is None:
        yield alone or "no rule found a rate in most repeats: use more updates"
        return
    if spread > DISAGREE:
        yield f"the rules disagree by a factor {spread:.0f}: use more updates or larger batches"
    if followed.spread > DISAGREE:
        yield f"the repeats disagree by a factor {followed.spread:.0f}: use more updates"


def _spoilt(test: Curves) -> str | None:
    """What went wrong with a sweep itself, so that its curve says nothing."""
    for curve in test.curves:
        if (bad := curve.bad_batch) is not None:
            return (
                f"the batch of update {bad} (repeat {test.curves.index(curve)}) holds NaN or "
                f"infinity, or no target that counts, and the rate there, {curve.lr[bad]:.3g}, has "
                f"nothing to do with it: look at the data"
            )
        if curve.diverged_at == 0:
            return f"the loss is {curve.why} before any update: look at the net and the data first"
    if short := [curve for curve in test.curves if curve.why == "out of batches"]:
        made = min(map(len, short))
        reached = min(curve.lr[-1] for curve in short)
        return (
            f"the batches ran out at rate {reached:.3g}, after {made} of {test.updates} updates: "
            f"give more of them, or something that can be begun again (a DataLoader, a list); "
            f"with these, updates={made} goes to the end"
        )
    return None


def _shape(test: Curves, readings: list[_OneRepeat]) -> str | None:
    """What most curves look like, where that lets no rule say anything."""
    diverged = [curve.why for curve in test.curves if curve.diverged_at is not None]
    fewest = min(reading.numbers for reading in readings)
    more = "lower the start or use more updates" if diverged else "use more updates"
    said = {
        "empty": "the loss is no number at any rate: look at these batches first",
        "short": f"a curve of {fewest} updates shows nothing: {more}",
        "still": "the loss is the same number at every rate: it does not depend on what is "
        "trained, or is not the loss that is meant (loss_fn, step)",
        "rises": _never_fell(test, diverged, readings),
        "flat": "the curve is flat: the loss never fell by more than its noise from batch to "
        "batch; use more updates, or raise the end",
        "still_falling": f"the loss never diverged nor turned up and was still falling at "
        f"{test.end:g}: raise the end",
    }
    usual = (s for s in said if 2 * sum(getattr(r, s) for r in readings) >= len(readings))
    return said.get(next(usual, ""))


def _never_fell(test: Curves, diverged: list[str | None], readings: list[_OneRepeat]) -> str:
    """The loss diverged without falling first: for the start, the net, or for want of a lesson."""
    leaves = statistics.median([r.rises_from for r in readings if r.rises] or [0.0])
    if leaves < LEVEL * test.start:
        return "the loss diverged without ever falling clearly: lower the start"
    level = f"from {test.start:.3g} to {leaves:.3g} the loss stayed where it was"
    sudden = [why for why in diverged if why != "rose"]
    if 2 * len(sudden) > len(diverged):
        return (
            f"{level}, and then it was {sudden[0]} at once: look for a root or a logarithm of 0 "
            f"in the net and the loss, or for numbers too large for float16"
        )
    return (
        f"{level}, and then it diverged, so there was nothing to learn: do the labels belong to "
        f"the inputs, and is the net untrained? If so, use more updates or larger batches"
    )


def _first(table: Mapping[str, Reading], *names: str) -> float | None:
    return next((table[name].lr for name in names if table[name].lr is not None), None)
