"""What a search for the rate has found: each rate with its seeds, the best, those equal to it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lrcourse.support.checks import PATH, TEXT, arguments, optional
from lrcourse.sweeps.reading import interval_around

if TYPE_CHECKING:
    import pandas

TWICE = 2.0  # standard errors within which two means are equal


class Table(str):
    """Text in columns, which a notebook shows as it is."""

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class TriedRate:
    """All runs at one rate.

    Attributes:
        lr: the rate.
        values: seed -> last value of the runs that came to their end alive.
        dead: seed -> why, of those that ended in NaN, infinity or an error that says so.
        stopped: seed -> after how many values, of those that were stopped far behind the best.
    """

    lr: float
    values: Mapping[int, float]
    dead: Mapping[int, str]
    stopped: Mapping[int, int]

    @property
    def is_whole(self) -> bool:
        """Whether every run came to its end alive."""
        return not self.dead and not self.stopped

    @property
    def mean(self) -> float:
        """Of the values; NaN where there is none."""
        return statistics.fmean(self.values.values()) if self.values else math.nan

    @property
    def sd(self) -> float:
        """Between seeds; NaN where there are fewer than two values."""
        return statistics.stdev(self.values.values()) if len(self.values) > 1 else math.nan


@dataclass(frozen=True, repr=False)
class Tuned:
    """What `sweeps.tune` has found; printed, one paragraph.

    Attributes:
        rates: each rate that was tried, from the lowest to the highest.
        column, higher: what was compared, and whether higher is better.
        limit: what kept it from widening further at "lowest" or "highest", or "".
        seconds: of all runs together, those that were there already among them.

    Example:
        >>> import tempfile
        >>> from math import log10
        >>> from lrcourse import sweeps
        >>> def train(lr, seed):
        ...     return (log10(lr) + 2) ** 2 + 0.01 * seed
        >>> found = sweeps.tune(train, start=0.1, records=tempfile.mkdtemp())
        >>> found.lr, found.edge
        (0.01, '')
        >>> found.table()
           rate    mean        sd  seeds  value
        0.00316  0.2553  0.007071      2  0.2503  0.2603
           0.01   0.005  0.007071      2  0  0.01 <- best
         0.0316  0.2547  0.007071      2  0.2497  0.2597
        ...
    """

    rates: tuple[TriedRate, ...]
    column: str
    higher: bool
    limit: str
    seconds: float

    @property
    def best(self) -> TriedRate | None:
        """The rate with the best mean, of those at which every run came to its end alive."""
        whole = [rate for rate in self.rates if rate.is_whole]
        return min(whole, key=self._loss, default=None)

    @property
    def lr(self) -> float | None:
        """The best rate; None where at every rate some run died."""
        return None if self.best is None else self.best.lr

    @property
    def noise(self) -> float:
        """The sd between seeds, pooled over the best rate and its neighbours; 0 if unknown."""
        if self.best is None:
            return 0.0
        k = self.rates.index(self.best)
        near = [one for one in self.rates[max(0, k - 1) : k + 2] if one.is_whole]
        degrees = sum(len(one.values) - 1 for one in near)
        squares = sum((len(one.values) - 1) * one.sd**2 for one in near if len(one.values) > 1)
        return math.sqrt(squares / degrees) if degrees else 0.0

    @property
    def equal(self) -> tuple[float, ...]:
        """The best rate and those around it, without a gap, that the seeds' noise leaves equal.

        Their means differ from the best one by no more than twice the standard error of such a
        difference.
        """
        if self.best is None:
            return ()
        low, high = interval_around(
            [rate.lr for rate in self.rates],
            [self._is_equal(rate) for rate in self.rates],
            self.rates.index(self.best),
        )
        return tuple(rate.lr for rate in self.rates if low <= rate.lr <= high)

    @property
    def edge(self) -> str:
        """ "lowest" or "highest" where the equal rates reach that of the rates tried, or both."""
        if self.best is None:
            return "lowest"
        ends = {"lowest": self.rates[0].lr, "highest": self.rates[-1].lr}
        return " and ".join(name for name, lr in ends.items() if lr in self.equal)

    @property
    def runs(self) -> int:
        """How many runs there were."""
        return sum(len(one.values) + len(one.dead) + len(one.stopped) for one in self.rates)

    def _loss(self, rate: TriedRate) -> float:
        return -rate.mean if self.higher else rate.mean

    def _is_equal(self, rate: TriedRate) -> bool:
        if self.best is None or not rate.is_whole:
            return False
        error = math.sqrt(1 / len(rate.values) + 1 / len(self.best.values)) * self.noise
        return abs(rate.mean - self.best.mean) <= TWICE * error

    # -- what is shown --------------------------------------------------------------------------

    def __repr__(self) -> str:
        return " ".join(filter(None, self._sentences()))

    def _sentences(self) -> list[str]:
        dead = [one for one in self.rates if one.dead]
        if self.best is None:
            return [
                f"No rate of {self._span()} brought every seed to its end{self._limited()}.",
                self._deaths(dead),
                self._cost(),
            ]
        seeds = len(self.best.values)
        spread = "" if math.isnan(self.best.sd) else f" ± {self.best.sd:.2g}"
        best = f"{self.best.lr:g}: {self.column} {self.best.mean:.4g}{spread}"
        said = [f"Use {best} ({seeds} seed{'s' * (seeds > 1)}, {self._better()} is better)."]
        if len(self.equal) > 1:
            equal = ", ".join(f"{lr:g}" for lr in self.equal if lr != self.best.lr)
            said.append(f"Within the seeds' noise equal to it: {equal}.")
        if self.edge:
            said.append(
                f"It is not worse at the {self.edge} of the rates tried, {self._span()}"
                f"{self._limited()}: a better one may lie beyond."
            )
        else:
            said.append(f"Worse on both sides ({self._span()}).")
        if self._ignores_seed():
            said.append(
                "Every seed gives the same number, so that nothing is known of the noise: "
                "does train use its seed?"
            )
        return [*said, self._deaths(dead), self._stops(), self._cost()]

    def _span(self) -> str:
        return f"{self.rates[0].lr:g} to {self.rates[-1].lr:g}"

    def _limited(self) -> str:
        return f" ({self.limit})" if self.limit else ""

    def _better(self) -> str:
        return "higher" if self.higher else "lower"

    def _deaths(self, dead: list[TriedRate]) -> str:
        if not dead:
            return "No run died."
        count = sum(len(one.dead) for one in dead)
        at = ", ".join(f"{one.lr:g}" for one in dead)
        why = next(iter(dead[0].dead.values()))
        return f"{count} run{'s' * (count > 1)} died, at {at} ({why})."

    def _stops(self) -> str:
        stopped = [f"{one.lr:g}" for one in self.rates if one.stopped]
        return f"Stopped early, far behind: {', '.join(stopped)}." if stopped else ""

    def _cost(self) -> str:
        return f"{self.runs} runs, {_lasted(self.seconds)} of training."

    def _ignores_seed(self) -> bool:
        several = [one for one in self.rates if len(one.values) > 1]
        return len(several) > 1 and all(len(set(one.values.values())) == 1 for one in several)

    def table(self) -> Table:
        """The rates with mean and sd over the seeds, what died or was stopped, and each value."""
        rows = [("rate", "mean", "sd", "seeds", self.column)]
        for one in self.rates:
            each = [f"{value:.4g}" for _, value in sorted(one.values.items())]
            each += [f"{len(one.dead)} dead"] * bool(one.dead)
            each += [f"{len(one.stopped)} stopped"] * bool(one.stopped)
            known = [f"{x:.4g}" if math.isfinite(x) else "-" for x in (one.mean, one.sd)]
            seeds = len(one.values) + len(one.dead) + len(one.stopped)
            mark = " <- best" if one is self.best else " = equal" * (one.lr in self.equal)
            rows.append((f"{one.lr:g}", known[0], known[1], str(seeds), "  ".join(each) + mark))
        wide = [max(len(row[k]) for row in rows) for k in range(4)]
        told = [[f"{row[k]:>{wide[k]}}" for k in range(4)] + [row[4]] for row in rows]
        return Table("\n".join("  ".join(row).rstrip() for row in told))

    def frame(self) -> pandas.DataFrame:
        """One row a run: rate, seed, value (NaN where it died or was stopped), and its end."""
        import pandas

        rows = []
        for one in self.rates:
            ends = dict.fromkeys(one.values, "") | dict(one.dead)
            ends |= {seed: f"stopped after {n} values" for seed, n in one.stopped.items()}
            for seed in sorted(ends):
                value = one.values.get(seed, math.nan)
                rows.append({"lr": one.lr, "seed": seed, self.column: value, "end": ends[seed]})
        return pandas.DataFrame(rows)

    @arguments(title=TEXT, name=TEXT, path=optional(PATH))
    def plot(self, title: str = "", name: str = "tuned", path: str | Path | None = None) -> None:
        """Draw the values over the rates, with the seeds' range; `path` keeps it as a PNG.

        `title` stands over the figure; `name` is that of its file in a headless run.
        """
        from lrcourse.sweeps.figure import plot  # matplotlib, only where it is needed

        values = {rate.lr: list(rate.values.values()) for rate in self.rates}
        lost = {rate.lr: rate.dead for rate in self.rates if rate.dead}
        plot(values, list(lost), self.lr, self.equal, self.column, repr(self), title, name, path)


def _lasted(seconds: float) -> str:
    """Seconds in words."""
    if seconds < 60:
        return f"{seconds:.2g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
