"""What a loop applied, beside what it was to apply: equal, late, scaled, at another pace."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from lrcourse.tracing.findings import Finding, Findings

RELATIVE = 1e-5  # an LR held in a float32 tensor has seven digits
ABSOLUTE = 1e-9  # of the peak: the foot of a cosine is rounding
LONGEST_LAG = 3  # steps of the scheduler
FEWEST_CHANGES = 2  # from which a pace or an offset is read
MOST_PACES = 20  # that are tried
MOST_PLACES = 200  # that are tried for the beginning of a record
_AT_AN_OVERFLOW = "a gradient scaler does so at an overflow"


def compare(
    applied: np.ndarray,
    absent: np.ndarray,
    intended: np.ndarray,
    names: Sequence[str],
    every: int,
    *,
    added: Sequence[bool],
    used: bool,
) -> Findings:
    """Findings where the two, each of shape (updates, groups), differ; none where they agree.

    One finding says it all: that everything comes a few steps of the scheduler (`every` updates
    each) late or early, or is scaled, or goes at another pace, or begins on the way, or else where
    the two differ first. Nothing is compared where a group is `absent`, nor where what was intended
    is NaN; a group that always is absent was to be there, and has a finding of its own.

    Args:
        applied: the rates recorded; NaN where absent.
        absent: where a group took no part.
        intended: may go on after the record.
        names: of the groups.
        every: updates from one step of the scheduler to the next.
        added: for each group whether its optimizer made updates without it.
        used: whether the optimizer had made updates before the record.
    """
    if not len(applied):
        message = f"no update was recorded, and {len(intended)} are known to compare"
        mend = "record the optimizer whose step() the loop calls, and compare after the loop"
        return Findings([Finding("length", 0, None, math.nan, message, mend)])
    never = absent.all(0)
    due = np.isfinite(intended).any(0)
    kept = np.where(never, np.nan, intended)
    here, there = _wanting(np.logical_and(never, due), names, added, len(applied)), []
    if not never.all():
        there = _findings(applied, absent, kept, names, every, used)
    return Findings([*here, *there])


def _wanting(
    groups: np.ndarray, names: Sequence[str], added: Sequence[bool], updates: int
) -> Iterator[Finding]:
    """Groups that were to take part and never did."""
    for g in np.flatnonzero(groups).tolist():
        message = f"{names[g]} took no part in any of the {updates} updates recorded: "
        if added[g]:
            message += "it was added to the optimizer after the last of them"
            mend = "compare again once it has made updates, or record it from its first one on"
        else:
            message += "the optimizer that holds it was not stepped"
            mend = "step it, too, or record the optimizer that the loop steps"
        yield Finding("differs", 0, g, math.nan, message, mend)


def _findings(
    applied: np.ndarray,
    absent: np.ndarray,
    intended: np.ndarray,
    names: Sequence[str],
    every: int,
    used: bool,
) -> Iterator[Finding]:
    n = min(len(applied), len(intended))
    if len(applied) > n:
        message = f"{len(applied)} updates were recorded, and only {n} are known to compare"
        mend = "trace as many updates as the training makes"
        yield Finding("length", n, None, float(applied[n, 0]), message, mend)
    seen = np.where(np.isnan(applied) & ~absent, np.inf, applied)  # NaN: what is not compared
    far = ~_close(seen[:n], intended[:n])
    if not far.any():
        return
    t = int(far.any(1).argmax())
    g = int(far[t].argmax())
    value, wanted = float(applied[t, g]), float(intended[t, g])
    group = "" if len(names) == 1 else f" in {names[g]}"
    here = f"at update {t} the LR applied is {value:.4g}{group}, and {wanted:.4g} was intended"
    code, message, mend = _explained(seen, intended, every, used) or (
        "differs",
        f"{{here}}; {int(far.any(1).sum())} of {n} updates differ"
        + ("; it never changes" if (applied[:n] == applied[0]).all() else ""),
        "look at what else writes group['lr'], and at when scheduler.step() is called; "
        "lint(optimizer, scheduler, updates) looks at the scheduler itself",
    )
    yield Finding(code, t, g, value, message.format(here=here), mend)


def _explained(
    whole: np.ndarray, known: np.ndarray, every: int, used: bool
) -> tuple[str, str, str] | None:
    """Code, message and mend of what one rule explains; either may go on after the other."""
    applied, intended = whole[: len(known)], known[: len(whole)]
    begun = _begun(whole, known, every)
    if begun and used:
        return begun
    if lag := _lag(applied, intended, every):
        steps = "" if every == 1 else f" ({_count(abs(lag), 'step')} of the scheduler)"
        side = "after" if lag > 0 else "before"
        late = f"{_count(abs(lag) * every, 'update')}{steps} {side} the one intended"
        mend = (
            "set the LR of t = 0 before the first update, and that of t once t updates (or epochs) "
            "are made"
        )
        if lag < 0 and every == 1:  # the rates alone do not tell the two causes apart
            first = "update was" if lag == -1 else f"{-lag} updates were"
            late += f", or the first {first} skipped (or made before the record)"
            mend = (
                f"where updates were skipped while the scheduler was stepped ({_AT_AN_OVERFLOW}), "
                f"step it only after an update; else {mend}"
            )
        return "lag", f"every LR is applied {late}: {{here}}", mend
    if factor := _factor(applied, intended):
        return (
            "scale",
            f"every LR is {factor:.4g} times the one intended: {{here}}",
            "compare with the peak that the run has: log.against(shape, peak=...)",
        )
    if pace := _pace(applied, intended, every):
        fast = pace > 1
        times = f"{pace if fast else 1 / pace:g} times too {'fast' if fast else 'slowly'}"
        return (
            "pace",
            f"the schedule runs {times}: {{here}}",
            "step the scheduler once for each step that its length counts: a wrapper may step it "
            "once for each process or micro-batch, a loop once an update instead of once an epoch",
        )
    if every == 1 and (skipped := _skipped(applied, known)):
        return (
            "skipped",
            f"the rates are those intended with {_count(skipped, 'update')} left out: {{here}}",
            f"updates were skipped while the scheduler was stepped ({_AT_AN_OVERFLOW}): step the "
            f"scheduler only after an update, or count what was skipped"
            + (f"; or the record began later: {begun[-1]}" if begun else ""),
        )
    return begun


def _begun(applied: np.ndarray, known: np.ndarray, every: int) -> tuple[str, str, str] | None:
    """What explains rates that are those intended from another update on, if they are."""
    for scaled in (False, True):
        if place := _place(applied, known, scaled):
            rest = (
                f"[{place}:] of a trace, [peak * shape(t) for t in range({place}, ...)] of a shape"
            )
            peak = ", with the peak that the run has" if scaled else ""
            at = f"update {place}" + (f" (step {place // every})" if every > 1 else "")
            return (
                "offset",
                f"the record begins at {at} of what was intended, from where on the two agree"
                f"{' but for one factor' * scaled}: {{here}}",
                f"begin the record before the first update, or compare with the rest: {rest}{peak}",
            )
        if place := _place(known, applied, scaled):
            return (
                "offset",
                f"what was intended begins at update {place} of the record, from where on the two "
                f"agree{' but for one factor' * scaled}: {{here}}",
                "trace the scheduler, and begin the record, before the first update",
            )
    return None


def _place(late: np.ndarray, whole: np.ndarray, scaled: bool) -> int:
    """The row of `whole` at which `late` begins (times one factor, if scaled); 0 where none is."""
    first = _first_change(late)
    if not first:
        return 0
    here, before = late[first], late[first - 1]
    if scaled:  # the change alone tells the place
        near = _close(whole[1:] * before, whole[:-1] * here).all(1)
    else:
        near = (_close(whole[1:], here) & _close(whole[:-1], before)).all(1)
    for row in (np.flatnonzero(near) + 1).tolist()[:MOST_PLACES]:
        place = row - first
        meant = whole[place:][: len(late)] if place > 0 else whole[:0]
        part = late[: len(meant)]
        if 2 * len(part) < len(late) or (np.diff(part, axis=0) != 0).any(1).sum() < FEWEST_CHANGES:
            continue
        g = int(np.nanargmax(np.abs(here)))
        factor = here[g] / whole[row, g] if scaled and whole[row, g] else 1.0
        if _close(part, factor * meant).all():
            return place
    return 0


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _close(applied: np.ndarray, intended: np.ndarray) -> np.ndarray:
    """Where the two agree, or one of them is NaN."""
    peak = np.max(np.abs(intended), initial=0.0, where=np.isfinite(intended))
    near = np.isclose(applied, intended, rtol=RELATIVE, atol=ABSOLUTE * peak)
    return near | np.isnan(applied) | np.isnan(intended)


def _lag(applied: np.ndarray, intended: np.ndarray, every: int) -> int:
    """By how many steps of the scheduler all is late (> 0) or early (< 0); 0 where that is not."""
    for lag in (k * sign for k in range(1, LONGEST_LAG + 1) for sign in (1, -1)):
        shift = abs(lag) * every
        late, early = (applied, intended) if lag > 0 else (intended, applied)
        late, early = late[shift:], early[: len(early) - shift]
        if len(late) > shift and (early != early[0]).any() and _close(late, early).all():
            return lag
    return 0


def _factor(applied: np.ndarray, intended: np.ndarray) -> float | None:
    """The one number by which all the rates differ, or None."""
    some = (intended > 0) & np.isfinite(applied)
    if not some.any():
        return None
    factor = float(applied[some][0] / intended[some][0])
    return factor if factor > 0 and _close(applied, factor * intended).all() else None


def _pace(applied: np.ndarray, intended: np.ndarray, every: int) -> float | None:
    """How many times too fast (n) or too slowly (1 / n) the schedule runs; None where neither."""
    t = np.arange(len(applied))
    for unit in sorted({1, every}):
        rates, steps = applied[::unit], intended[::unit]
        first, due = _first_change(rates), _first_change(steps)
        if not first or not due:
            continue
        if first > due and first % due == 0:
            paces, places = [due / first], [t // (first // due * unit) * unit]
        else:
            fast = np.flatnonzero(_close(steps[first::first], rates[first]).all(1)) + 1
            paces = [int(n) for n in fast[fast > 1][:MOST_PACES]]
            places = [t // unit * unit * n for n in paces]
        for pace, at in zip(paces, places, strict=True):
            within = at < len(intended)
            seen, meant = applied[within], intended[at[within]]
            changes = (np.diff(seen, axis=0) != 0).any(1).sum()
            if changes >= FEWEST_CHANGES and _close(seen, meant).all():
                return pace
    return None


def _first_change(rates: np.ndarray) -> int:
    """The first row that is another than row 0; 0 where there is none."""
    return int((~_close(rates, rates[:1])).any(1).argmax()) if len(rates) else 0


def _skipped(applied: np.ndarray, known: np.ndarray) -> int:
    """How many of the rows known were passed over, where all applied are among them, or 0.

    At most half as many as were applied.
    """
    slack = ABSOLUTE * np.nanmax(np.abs(known), initial=0.0)
    wanted, at, most = known.tolist(), 0, len(applied) // 2
    for t, row in enumerate(applied.tolist()):
        while at < len(wanted) and any(
            abs(a - b) > slack + RELATIVE * abs(b) for a, b in zip(row, wanted[at], strict=True)
        ):
            at += 1
        if at >= len(wanted) or at - t > most:
            return 0
        at += 1
    moves = (known[: at + 1] != known[0]).any()
    return at - len(applied) if moves else 0
