"""What a loop applied, beside what it was to apply: equal, late, scaled, at another pace."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from lrcourse.tracing.findings import Finding, Findings

RELATIVE = 1e-5  # an LR held in a float32 tensor has seven digits
ABSOLUTE = 1e-9  # of the peak: the foot of a cosine is rounding
LONGEST_LAG = 3  # steps of the scheduler
FEWEST_CHANGES = 2  # from which a pace is read
MOST_PACES = 20  # that are tried
_AT_AN_OVERFLOW = "a gradient scaler does so at an overflow"


def compare(
    applied: np.ndarray,
    absent: np.ndarray,
    intended: np.ndarray,
    names: Sequence[str],
    every: int,
) -> Findings:
    """Findings where the two, each of shape (updates, groups), differ; none where they agree.

    One finding says it all: that everything comes a few steps of the scheduler (`every` updates
    each) late or early, or is scaled, or goes at another pace, or else where the two differ first.
    Nothing is compared where a group is `absent` (one that always is was to be there), nor where
    what was intended is NaN.
    """
    return Findings(_findings(applied, absent, intended, names, every))


def _findings(
    applied: np.ndarray,
    absent: np.ndarray,
    intended: np.ndarray,
    names: Sequence[str],
    every: int,
) -> Iterator[Finding]:
    if not len(applied):
        message = f"no update was recorded, and {len(intended)} are known to compare"
        mend = "record the optimizer whose step() the loop calls, and compare after the loop"
        yield Finding("length", 0, None, math.nan, message, mend)
        return
    n = min(len(applied), len(intended))
    if len(applied) > n:
        message = f"{len(applied)} updates were recorded, and only {n} are known to compare"
        mend = "trace as many updates as the training makes"
        yield Finding("length", n, None, float(applied[n, 0]), message, mend)
    wrong = np.isnan(applied) & ~(absent & ~absent.all(0))
    seen = np.where(wrong, np.inf, applied)  # NaN is left for what is not compared
    far = ~_close(seen[:n], intended[:n])
    if not far.any():
        return
    t = int(far.any(1).argmax())
    g = int(far[t].argmax())
    value, wanted = float(applied[t, g]), float(intended[t, g])
    group = "" if len(names) == 1 else f" in {names[g]}"
    here = f"at update {t} the LR applied is {value:.4g}{group}, and {wanted:.4g} was intended"
    code, message, mend = _explained(seen[:n], intended, every) or (
        "differs",
        f"{{here}}; {int(far.any(1).sum())} of {n} updates differ"
        + ("; it never changes" if (applied[:n] == applied[0]).all() else ""),
        "look at what else writes group['lr'], and at when scheduler.step() is called; "
        "lint(optimizer, scheduler, updates) looks at the scheduler itself",
    )
    yield Finding(code, t, g, value, message.format(here=here), mend)


def _explained(applied: np.ndarray, known: np.ndarray, every: int) -> tuple[str, str, str] | None:
    """Code, message and mend of what one rule explains; `known` may go on after the record."""
    intended = known[: len(applied)]
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
            late += f", or the first {first} skipped"
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
            f"scheduler only after an update, or count what was skipped",
        )
    return None


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
