"""Checks of functions of one's own by what they do: a cosine in the wrong unit, an endless warmup.

Nothing is known of such a function, nor of a class of another library, but its rates. Those of a
cosine tell its length: of its changes d, d[t + 1] + d[t - 1] = 2 cos(w) d[t] at each t, with a
length of pi / w.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lrcourse.schedules import lengths
from lrcourse.tracing.checks.lengths import mend_early, mend_late
from lrcourse.tracing.checks.rates import RISE, by_step, total_steps, where
from lrcourse.tracing.findings import Finding
from lrcourse.tracing.parts import Part
from lrcourse.tracing.result import Trace

FEWEST_CHANGES = 4  # in a row, from which a cosine is read
SHORTEST = 2.5  # steps: any cycle of two or three rates lies on a cosine
EXACT = 1e-6  # of its bend: how near to its law the changes of a cosine are, but for
ROUNDING = 1e-14  # of the peak
WHOLE = 1e-6  # steps: an end that is rounded to just above a whole step
STUCK = 0.9  # of the LR that the function multiplies: a rise to the end that stays below it


@dataclass(frozen=True)
class _Cosine:
    """The cosine that the longest fall of some rates follows; times are counted as they are."""

    top: float
    length: float
    mean: float
    height: float  # of its top above its mean

    def __call__(self, t: np.ndarray) -> np.ndarray:
        return self.mean + self.height * np.cos((t - self.top) * np.pi / self.length)

    @property
    def end(self) -> float:
        return self.top + self.length

    @property
    def low(self) -> float:
        return self.mean - self.height


def _cosine(rates: np.ndarray) -> _Cosine | None:
    """The cosine that `rates`, of shape (steps,), follow: where they fall for longest, or all."""
    changes = np.diff(rates)
    falls = np.flatnonzero(np.diff(np.r_[False, changes < 0, False])).reshape(-1, 2)
    if not len(falls):
        return None
    start, stop = (int(edge) for edge in falls[np.diff(falls).argmax()])
    if stop - start > FEWEST_CHANGES + 2:
        start, stop = start + 1, stop - 1  # it may be entered or left on the way
    return _through(rates, start, stop) or _through(rates, 0, len(changes))


def _through(rates: np.ndarray, start: int, stop: int) -> _Cosine | None:
    """The cosine whose changes are those from `start` to `stop`; None where none has them."""
    d, rounding = np.diff(rates)[start:stop], ROUNDING * np.abs(rates).max()
    if len(d) < FEWEST_CHANGES:
        return None
    middle, beside = d[1:-1], d[2:] + d[:-2]
    twice_cos = float(middle @ beside / max(middle @ middle, 1e-300))
    bend = (2 - twice_cos) * np.abs(d).max()
    if bend < 50 * rounding or np.abs(beside - twice_cos * middle).max() > rounding + EXACT * bend:
        return None
    w = math.acos(max(twice_cos / 2, -1))
    if math.pi / w < SHORTEST:
        return None
    times = w * np.arange(len(d))
    a, b = np.linalg.lstsq(np.c_[np.sin(times), np.cos(times)], d, rcond=None)[0]
    top = start + 0.5 - math.atan2(-b, -a) / w
    height = math.hypot(a, b) / (2 * math.sin(w / 2))
    mean = float(rates[start]) - height * math.cos(w * (start - top))
    return _Cosine(top, math.pi / w, mean, height)


def wrong_unit(trace: Trace) -> Iterator[Finding]:
    """A cosine that rises again after its end, is over early, or has hardly begun."""
    steps = by_step(trace)
    is_record = not trace.anatomy.parts
    own = [Part("")] if is_record else [part for part in trace.anatomy.parts if part.untold]
    if not own or not np.isfinite(steps).all() or trace.error is not None or not len(steps):
        return
    part, position, total = own[-1], trace.anatomy.position, total_steps(trace)
    begin = max(math.ceil(part.start) - position, 0)
    g = int(np.argmax(steps.max(0)))
    rates = steps[begin : max(int(min(part.stop - position, len(steps))), 0), g]
    cosine = _cosine(rates)
    # One that would go below 0 is meant to be left before it ends.
    if cosine is None or cosine.low < -RISE * rates.max():
        return
    t, end = np.arange(len(rates)), cosine.end
    up = (t > end) & (t < end + cosine.length - 0.5)
    again = t[up & (cosine(t) > cosine.low + RISE * rates.max())]
    again = again[np.isclose(rates[again], cosine(again), rtol=1e-4, atol=0)]
    told = f"the LR follows a cosine of {cosine.length:.4g} steps"
    if (np.diff(again) == 1).any():
        k = begin + int(again[0])
        message = (
            f"{told}, which is over at step {position + begin + end:.4g}, and rises again after "
            f"it: it is {steps[k, g]:.4g} at {where(trace, k * trace.every)}, and up to "
            f"{steps[k:, g].max():.4g} later"
        )
        mend = f"let it hold its last value, min(t, T) / T, and {mend_early(trace)}"
        yield Finding("rise-after-end", k * trace.every, g, float(steps[k, g]), message, mend)
        return
    if is_record or part.stop < math.inf:
        return
    over = math.ceil(end - WHOLE)
    if not part.known and over < len(rates) and (rates[over:] == rates[over]).all():
        if lengths.ends_early(position + begin + end, total):
            k = begin + over
            message = f"{told}, which is over at {where(trace, k * trace.every)} of {trace.asked}"
            value = float(steps[k, g])
            yield Finding("ends-early", k * trace.every, g, value, message, mend_early(trace))
    elif end > len(rates) and lengths.ends_late(position + begin + end, total):
        value = float(rates[-1])
        message = (
            f"{told}, which would be over at step {position + begin + end:.4g}, and the training "
            f"makes only {total}: at its last update, {trace.updates - 1}, the LR is still "
            f"{value:.4g}"
        )
        yield Finding("ends-late", trace.updates - 1, g, value, message, mend_late(trace))


def warmup_alone(trace: Trace) -> Iterator[Finding]:
    """A function that raises the LR to the very end, and does not get to the whole of it."""
    steps, bases, parts = by_step(trace), np.array(trace.bases), trace.anatomy.parts
    if len(parts) != 1 or not parts[0].factors or len(bases) != steps.shape[1]:
        return
    if len(steps) < lengths.FEWEST_STEPS or trace.error is not None:
        return
    if not (np.diff(steps, axis=0) > 0).all() or not (steps[-1] < STUCK * bases).all():
        return
    value = float(steps[-1, 0])
    message = (
        f"the LR rises until the last update, where it is {value:.4g}, and the optimizer was given "
        f"{bases[0]:.4g}: the training ends in the warmup"
    )
    mend = "shorten the warmup, or count it in the unit in which the scheduler is stepped"
    yield Finding("peak-missed", trace.updates - 1, 0, value, message, mend)


CHECKS = (wrong_unit, warmup_alone)
