"""A record of a loop's learning rates that can be compared with what was intended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from lrcourse.recorder import Recorder, groups_of, peak_of
from lrcourse.schedules.base import Schedule
from lrcourse.tracing.findings import Finding, Findings
from lrcourse.tracing.result import Trace

RELATIVE = 1e-5  # an LR held in a float32 tensor has seven digits
ABSOLUTE = 1e-9  # of the peak: the foot of a cosine is rounding
LONGEST_LAG = 3  # steps of the scheduler


class Log(Recorder):
    """A ``Recorder`` that also remembers each group's peak, to compare shapes with.

    The peak is the LR that the group has when recording begins, or that its scheduler started from
    (``initial_lr``; 1cycle's ``max_lr``).
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        super().__init__(optimizer)
        groups = groups_of(optimizer)
        self.peaks = tuple(map(peak_of, groups))
        self.bases = tuple(float(group.get("initial_lr", group["lr"])) for group in groups)

    def against(
        self,
        intended: Schedule | Trace | Recorder | Sequence[float] | np.ndarray,
        *,
        peak: float | Sequence[float] | None = None,
        updates_per_epoch: int = 1,
    ) -> Findings:
        """Where the LR applied differs from the one intended: "nothing found" where it does not.

        ``intended`` is a shape, a trace, another record, or the rates themselves, of shape
        (updates,) or (updates, groups). A shape counts updates, or epochs of
        ``updates_per_epoch``; ``peak`` is what it multiplies, one number or one for each group
        (default: ``self.peaks``).
        """
        if updates_per_epoch < 1:
            raise ValueError(f"updates_per_epoch is a number from 1 on, not {updates_per_epoch!r}")
        wanted = self._wanted(intended, peak, updates_per_epoch)
        if wanted.ndim != 2 or wanted.shape[1] not in (1, self.lr.shape[1]):
            raise ValueError(
                f"the record has {self.lr.shape[1]} groups, and what was intended has the shape "
                f"{wanted.shape}; give (updates,) or (updates, groups)"
            )
        wanted = np.broadcast_to(wanted, (len(wanted), self.lr.shape[1]))
        every = intended.every if isinstance(intended, Trace) else updates_per_epoch
        return compare(self.lr, wanted, self.names, every)

    def _wanted(self, intended, peak, updates_per_epoch: int) -> np.ndarray:
        if isinstance(intended, Schedule):
            peaks = np.broadcast_to(
                np.asarray(self.peaks if peak is None else peak, float), (self.lr.shape[1],)
            )
            # Beyond the record, too: updates may have been left out.
            times = np.arange(len(self) + len(self) // 2 if updates_per_epoch == 1 else len(self))
            factors = intended(times // updates_per_epoch)
            return factors[:, None] * peaks
        if isinstance(intended, Trace | Recorder):
            return intended.lr
        wanted = np.asarray(intended, np.float64)
        return wanted[:, None] if wanted.ndim == 1 else wanted


# -- what a loop applied, beside what it was to apply ---------------------------------------------


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
    known, n = intended, min(len(applied), len(intended))
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
    skipped = 0 if lag or factor is not None or every > 1 else _skipped(applied, known)
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
    elif skipped:
        message = f"the rates are those intended with {_count(skipped, 'update')} left out: {here}"
        mend = (
            "updates were skipped while the scheduler was stepped (a gradient scaler does so at an "
            "overflow): step the scheduler only after an update, or count what was skipped"
        )
        yield Finding("skipped", t, g, value, message, mend)
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


def _skipped(applied: np.ndarray, intended: np.ndarray) -> int:
    """How many rows of those intended were passed over, where all applied are among them, or 0."""
    at, places = 0, []
    for row in applied:
        near = _close(intended[at : at + len(applied) // 2 + 1], row).all(1)
        if not near.any():
            return 0
        places.append(at + int(near.argmax()))
        at = places[-1] + 1
    moves = (intended[: at + 1] != intended[0]).any()
    return at - len(applied) if moves and at - len(applied) <= len(applied) // 2 else 0


def _factor(applied: np.ndarray, intended: np.ndarray) -> float | None:
    """The one number by which all the rates differ, or None."""
    some = intended > 0
    if not some.any():
        return None
    factor = float(applied[some][0] / intended[some][0])
    return factor if factor > 0 and _close(applied, factor * intended).all() else None
