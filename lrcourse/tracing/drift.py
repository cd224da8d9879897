"""What a loop applied, beside what it was to apply."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lrcourse.tracing.findings import Finding, Findings

RELATIVE = 1e-5  # an LR held in a float32 tensor has seven digits
ABSOLUTE = 1e-9  # of the peak: the foot of a cosine is rounding
LONGEST_LAG = 3  # steps of the scheduler


def compare(
    applied: np.ndarray, intended: np.ndarray, names: Sequence[str], every: int
) -> Findings:
    """Findings where the two, each of shape (updates, groups), differ; none where they agree.

    One finding says it all: that everything comes a few steps of the scheduler (``every`` updates
    each) late or early, or that it is scaled, or else where the two differ first.
    """
    return Findings(_findings(applied, intended, names, every))


def _findings(
    applied: np.ndarray, intended: np.ndarray, names: Sequence[str], every: int
) -> Iterator[Finding]:
    if not len(applied):
        yield Finding(
            "length",
            0,
            None,
            float("nan"),
            f"no update was recorded, and {len(intended)} are known to compare",
            "record the optimizer whose step() the loop calls, and compare after the loop",
        )
        return
    if len(applied) > len(intended):
        yield Finding(
            "length",
            len(intended),
            None,
            float(applied[len(intended), 0]),
            f"{len(applied)} updates were recorded, and only {len(intended)} are known to compare",
            "trace as many updates as the training makes",
        )
    n = min(len(applied), len(intended))
    applied, intended = applied[:n], intended[:n]
    # A group that was added on the way has no rate before, and nothing is wrong with that.
    absent = np.isnan(applied).cumprod(0).astype(bool) & ~np.isnan(applied).all(0)
    intended = np.where(absent, np.nan, intended)
    far = ~_close(applied, intended)
    if not far.any():
        return
    t = int(far.any(1).argmax())
    g = int(far[t].argmax())
    value, wanted = float(applied[t, g]), float(intended[t, g])
    group = "" if len(names) == 1 else f" in {names[g]}"
    here = f"at update {t} the LR applied is {value:.4g}{group}, and {wanted:.4g} was intended"
    lag, factor = _lag(applied, intended, every), _factor(applied, intended)
    if lag:
        count = _count(abs(lag) * every, "update")
        steps = "" if every == 1 else f" ({_count(abs(lag), 'step')} of the scheduler)"
        late = "after" if lag > 0 else "before"
        message = f"every LR is applied {count}{steps} {late} the one intended: {here}"
        mend = (
            "set the LR of t = 0 before the first update, and that of t once t updates (or epochs) "
            "are made"
        )
        yield Finding("lag", t, g, value, message, mend)
    elif factor is not None:
        message = f"every LR is {factor:.4g} times the one intended: {here}"
        mend = "compare with the peak that the run has: log.against(shape, peak=...)"
        yield Finding("scale", t, g, value, message, mend)
    else:
        still = "; it never changes" if (applied == applied[0]).all() else ""
        share = int(far.any(1).sum())
        message = f"{here}; {share} of {n} updates differ{still}"
        mend = (
            "look at what else writes group['lr'], and at when scheduler.step() is called; "
            "lint(optimizer, scheduler, updates) looks at the scheduler itself"
        )
        yield Finding("differs", t, g, value, message, mend)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _close(applied: np.ndarray, intended: np.ndarray) -> np.ndarray:
    peak = np.nanmax(np.abs(intended), initial=0.0)
    return np.isclose(applied, intended, rtol=RELATIVE, atol=ABSOLUTE * peak, equal_nan=True)


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
    some = intended > 0
    if not some.any():
        return None
    factor = float(applied[some][0] / intended[some][0])
    return factor if factor > 0 and _close(applied, factor * intended).all() else None
