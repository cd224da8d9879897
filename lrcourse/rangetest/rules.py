"""What to read off a curve over the learning rate: each rule a pure function of two arrays.

Every rule takes the rates (ascending, all above 0) and one smoothed value for each, and gives a
rate of the curve (`minimum_10`: a tenth of one), or None where the curve does not show what the
rule asks for. Slopes are taken in log LR. The curve ends where it diverged; nothing here sees NaN.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import NamedTuple

import numpy as np

START = 0.1  # of the curve: its level before anything happens
PART = 0.1  # of the whole way: "starts to" after this part, "levels off" before the last part
ROUGHER = 2.0  # ragged: this many times as rough as during the rise
FEWEST = 10  # updates that a curve needs


class Words(NamedTuple):
    """What a rule is called in a sentence, and on the axis of a figure."""

    name: str
    mark: str


RULES = {
    "base_lr_loss": Words("base_lr: loss starts to fall", "base_lr, loss"),
    "base_lr_accuracy": Words("base_lr: accuracy starts to rise", "base_lr, accuracy"),
    "steepest": Words("steepest fall in log LR", "steepest"),
    "valley": Words("valley", "valley"),
    "minimum_10": Words("minimum / 10", "minimum / 10"),
    "max_lr_loss": Words("max_lr: loss turns up", "max_lr, loss"),
    "max_lr_levels_off": Words("max_lr: accuracy levels off", "max_lr, levels off"),
    "max_lr_ragged": Words("max_lr: accuracy turns ragged", "max_lr, ragged"),
}


class DivergenceWatch:
    """Follow a loss and say when it has diverged.

    The loss is smoothed as it comes: an exponential mean without the bias of its start,
    `sum(b**(t-i) x_i) / sum(b**(t-i))` over i <= t with b = `smoothing`. It has diverged

    - where it is NaN or infinite, or
    - where the smoothed loss is above `factor` times the lowest smoothed loss so far. Where a
      loss of 0 or below has occurred, "times" means nothing; then it is
      `best + (factor - 1) * max(|best|, |first|)` with the first loss.
    """

    def __init__(self, factor: float, smoothing: float) -> None:
        self._factor, self._smoothing = factor, smoothing
        self._sum = self._weight = 0.0
        self._lowest = self.best = math.inf
        self._first = 0.0

    def add(self, loss: float) -> str | None:
        """Why the loss has diverged ("NaN", "infinite", "rose"), or None."""
        if not math.isfinite(loss):
            return "NaN" if math.isnan(loss) else "infinite"
        self._sum = self._smoothing * self._sum + (1 - self._smoothing) * loss
        self._weight = self._smoothing * self._weight + (1 - self._smoothing)
        self._first = loss if math.isinf(self._lowest) else self._first
        self._lowest = min(self._lowest, loss)
        if self.smoothed > self.limit:
            return "rose"
        self.best = min(self.best, self.smoothed)
        return None

    @property
    def smoothed(self) -> float:
        """The smoothed loss after the last one that was added."""
        return self._sum / self._weight

    @property
    def limit(self) -> float:
        """Above this smoothed loss it has diverged; infinite before the first one."""
        if math.isinf(self.best):
            return math.inf
        if self._lowest > 0:
            return self._factor * self.best
        return self.best + (self._factor - 1) * max(abs(self.best), abs(self._first))


def ceiling(loss: np.ndarray, factor: float, smoothing: float) -> float:
    """The highest loss that tells something: higher ones say no more than "diverged".

    Cut off there, the explosion at the end of a curve does not reach into its mean to both sides
    and make the loss turn up too early. With the limit that a `DivergenceWatch` of the whole curve
    has at the end, and the beginning, the highest smoothed loss before the lowest one: it is as far
    above the beginning as the lowest loss is below it, but no higher than the limit, nor lower than
    the beginning (a fall from 2.3 to 0.1 is not cut off at 0.4). Infinite where there is no loss
    that is a number.
    """
    watch, seen = DivergenceWatch(factor, smoothing), []
    for value in loss:
        if watch.add(float(value)):
            break
        seen.append(watch.smoothed)
    if not seen:
        return math.inf
    beginning, lowest = max(seen[: int(np.argmin(seen)) + 1]), min(seen)
    return min(2 * beginning - lowest, max(watch.limit, beginning))


def smoothed(values: np.ndarray, smoothing: float) -> np.ndarray:
    """An exponential mean to both sides, without bias at either end and without lag.

        s_t = sum_i b**|t-i| x_i / sum_i b**|t-i|

    A mean over the past alone would lag by b / (1-b) updates and put every feature of the curve
    at too high a rate.
    """
    values = np.asarray(values, float)

    def past(x: np.ndarray) -> np.ndarray:
        sums, total = np.empty(len(x)), 0.0
        for t, value in enumerate(x):
            total = smoothing * total + value
            sums[t] = total
        return sums

    def both(x: np.ndarray) -> np.ndarray:
        return past(x) + past(x[::-1])[::-1] - x

    return both(values) / both(np.ones(len(values)))


def smoothed_loss(loss: np.ndarray, factor: float, smoothing: float) -> np.ndarray:
    """The loss below its `ceiling`, smoothed: one wild value does not smear over its neighbours."""
    return smoothed(np.minimum(loss, ceiling(loss, factor, smoothing)), smoothing)


def per_value(smoothing: float, there: np.ndarray) -> float:
    """The b for a curve with values at some updates only, that reaches as far as every update's.

    `there` says for each update whether there is a value; with one at every k-th it is b**k.
    """
    gaps = np.diff(np.flatnonzero(there))
    return smoothing ** float(np.median(gaps)) if len(gaps) else smoothing


def noise(values: np.ndarray) -> float:
    """How far one value usually is from the curve without noise: 1.05 x the median |x_t - x_t-1|.

    For normal noise around a slow curve that is its standard deviation (1.4826 / sqrt(2) times
    the median difference); a few wild values or a steep fall do not move it.
    """
    if len(values) < 2:
        return 0.0
    return float(1.4826 / math.sqrt(2) * np.median(np.abs(np.diff(values))))


def level(rising: np.ndarray) -> float:
    """Where a rising curve begins: its first value or the mean of its first tenth, the lower."""
    return float(min(rising[0], np.mean(rising[: max(1, round(START * len(rising)))])))


# -- one rate ---------------------------------------------------------------------------------


def steepest(lr: np.ndarray, loss: np.ndarray) -> float | None:
    """The rate at which the loss falls fastest per factor of the rate.

    The lowest d loss / d ln(lr) (central differences) between the rate before `base_lr_loss`
    and the minimum of the loss: a bump before the fall has a steep side, too. None where the loss
    never falls.
    """
    begin = base_lr_loss(lr, loss)
    if begin is None or len(lr) < 3:
        return None
    first, last = max(0, int(np.searchsorted(lr, begin)) - 1), int(np.argmin(loss))
    slope = np.gradient(loss, np.log(lr))
    return float(lr[first + int(np.argmin(slope[first : last + 1]))])


def valley(lr: np.ndarray, loss: np.ndarray) -> float | None:
    """The middle of the longest fall.

    Between `base_lr_loss` and the minimum, the longest strictly decreasing subsequence of the
    loss (of equally long ones the one with the highest end); its middle member, the later of two.
    None where the loss never falls. fastai's rule of this name looks for the same on the whole
    curve: then plateaus before and after the fall count too, and the answer moves with the start
    of the sweep.
    """
    begin = base_lr_loss(lr, loss)
    if begin is None:
        return None
    first, last = int(np.searchsorted(lr, begin)), int(np.argmin(loss))
    fall = longest_fall(loss[first : last + 1])
    return float(lr[first + fall[len(fall) // 2]])


def minimum_10(lr: np.ndarray, loss: np.ndarray) -> float | None:
    """A tenth of the rate with the lowest loss; None where that is the first rate."""
    lowest = int(np.argmin(loss))
    return float(lr[lowest]) / 10 if lowest else None


def longest_fall(values: np.ndarray) -> list[int]:
    """Indices of a longest strictly decreasing subsequence (patience sorting)."""
    tops: list[float] = []  # negated last value of the best fall of each length
    at: list[int] = []
    before = [-1] * len(values)
    for i, value in enumerate(values):
        place = bisect_left(tops, -value)
        if place:
            before[i] = at[place - 1]
        tops[place : place + 1] = [-value]
        at[place : place + 1] = [i]
    path, i = [], at[-1] if at else -1
    while i >= 0:
        path.append(i)
        i = before[i]
    return path[::-1]


# -- Smith's range ----------------------------------------------------------------------------


def base_lr_loss(lr: np.ndarray, loss: np.ndarray) -> float | None:
    """Where the loss starts to fall: after a tenth of its fall, for good.

    The fall goes from the beginning of the curve (see `level`) to the lowest value. The rate is
    the first of the stretch before the minimum that lies wholly below a tenth of it.
    """
    return _starts(lr, -np.asarray(loss))


def base_lr_accuracy(lr: np.ndarray, accuracy: np.ndarray) -> float | None:
    """Where the accuracy starts to rise: as `base_lr_loss`, upwards."""
    return _starts(lr, np.asarray(accuracy))


def max_lr_loss(lr: np.ndarray, loss: np.ndarray) -> float | None:
    """Where the loss turns up: the rate with the lowest loss; None where it is the last or first.

    Beyond it every rate of the curve has a higher loss.
    """
    lowest = int(np.argmin(loss))
    return float(lr[lowest]) if 0 < lowest < len(lr) - 1 else None


def max_lr_levels_off(lr: np.ndarray, accuracy: np.ndarray) -> float | None:
    """Where the accuracy levels off: the first rate with nine tenths of its rise behind it.

    The rise goes from the beginning of the curve (see `level`) to the highest value. None where
    the accuracy never rises, or still does at the last rate.
    """
    accuracy = np.asarray(accuracy)
    begin, top = level(accuracy), int(np.argmax(accuracy))
    if accuracy[top] <= begin or top in (0, len(lr) - 1):
        return None
    high = accuracy >= begin + (1 - PART) * (accuracy[top] - begin)
    return float(lr[int(np.argmax(high))])


def max_lr_ragged(lr: np.ndarray, accuracy: np.ndarray, raw: np.ndarray) -> float | None:
    """Where the accuracy turns ragged: its ups and downs become twice what they were.

    Roughness at t: the root mean square of the second differences of `raw` (the accuracy as it
    was measured) in a window of a tenth of the curve, 5 at least, that ends at t. The usual
    roughness is the median over the rise, from `base_lr_accuracy` to `max_lr_levels_off`;
    the rate is the first above that range at which it is more than doubled and stays so for half
    a window. None where that never happens.
    """
    first, off = base_lr_accuracy(lr, accuracy), max_lr_levels_off(lr, accuracy)
    window = max(5, len(lr) // 10)
    if first is None or off is None or len(lr) < 2 * window:
        return None
    bends = np.zeros(len(lr))
    bends[2:] = np.diff(raw, 2) ** 2
    sums = np.cumsum(bends)
    rough = np.sqrt((sums - np.concatenate([np.zeros(window), sums[:-window]])) / window)
    rise = (lr >= first) & (lr <= off) & (np.arange(len(lr)) >= window)
    usual = float(np.median(rough[rise])) if rise.any() else 0.0
    beyond = (rough > ROUGHER * usual) & (lr > off)
    run, stays = 0, max(2, window // 2)
    for t, is_rough in enumerate(beyond):
        run = run + 1 if is_rough else 0
        if run == stays:
            return float(lr[t - stays + 1])
    return None


def _starts(lr: np.ndarray, rising: np.ndarray) -> float | None:
    begin, top = level(rising), int(np.argmax(rising))
    if top == 0 or rising[top] <= begin:
        return None
    above = rising[: top + 1] > begin + PART * (rising[top] - begin)
    below = np.flatnonzero(~above)
    return float(lr[int(below[-1]) + 1 if len(below) else 0])
