"""What comes of a claim: the verdict, and the one line that says it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["holds", "fails", "undecided"]
OUTCOMES = ("holds", "fails", "undecided")

_NUMBER = r"[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|inf)"
_MEASURED = rf"{_NUMBER}(?: \[{_NUMBER}, {_NUMBER}\])?"

SANITIZE = (
    rf"(\| \d+ (?:seeds|points|cases?), [a-z ]+) {_MEASURED}(?=, margin [^|\n]+ \()",
    r"\1 (measured)",
)
"""Pattern and replacement that hide the measured numbers of a verdict line from nbval.

They differ in the last digits from machine to machine. Verdict, sentence, number of seeds, margin
and test stay, and are compared.
"""


@dataclass(frozen=True)
class Verdict:
    """A sentence judged. ``low`` to ``high`` is the interval of the effect at level 1 - alpha/of.

    ``margin`` is the open range (from, to) in which the effect lies if the sentence is true;
    ``of`` is among how many claims alpha is shared.
    """

    verdict: Outcome
    sentence: str
    n: int
    counted: str
    quantity: str
    effect: float
    low: float
    high: float
    margin: tuple[float, float]
    alpha: float
    of: int
    test: str
    expect: Outcome
    exact: bool

    @property
    def as_expected(self) -> bool:
        return self.verdict == self.expect

    @property
    def clearance(self) -> float:
        """Distance from the interval to the nearest margin, in lengths of the interval.

        Negative where the interval spans the margin, infinite for an interval without length.
        For pilots: a verdict that is to come out on every machine stands well clear.
        """
        low, high = self.low, self.high
        bounds = [bound for bound in self.margin if math.isfinite(bound)]
        distance = min(max(low - bound, bound - high) for bound in bounds)
        return distance / (high - low) if high > low else math.copysign(math.inf, distance)

    def line(self) -> str:
        """The verdict with its evidence, on one line."""
        said = self.verdict.upper()
        if not self.as_expected:
            said += f" (expected {self.expect})"
        elif self.expect != "holds":
            said += " (expected)"
        number = _plain if "ratio" in self.quantity else _signed
        if self.quantity == "exceptions":
            number = "{:.0f}".format
        measured = f"{self.quantity} {number(self.effect)}"
        how = self.test
        if not self.exact:
            measured += f" [{number(self.low)}, {number(self.high)}]"
            how += f", alpha {_level(self.alpha)}" + (f"/{self.of}" if self.of > 1 else "")
        counted = self.counted[:-1] if self.n == 1 else self.counted
        return (
            f"{said} | {self.sentence} | {self.n} {counted}, {measured}, "
            f"margin {_range(self.margin)} ({how})"
        )

    def to_dict(self) -> dict[str, object]:
        """Plain values for a table; the side of the margin that is open is None."""
        above, below = (bound if math.isfinite(bound) else None for bound in self.margin)
        return {
            "verdict": self.verdict,
            "expected": self.expect,
            "sentence": self.sentence,
            "n": self.n,
            "counted": self.counted,
            "quantity": self.quantity,
            "effect": self.effect,
            "low": self.low,
            "high": self.high,
            "margin_above": above,
            "margin_below": below,
            "alpha": self.alpha,
            "of": self.of,
            "test": self.test,
        }


def compare(low: float, high: float, target: tuple[float, float], *, exact: bool) -> Outcome:
    """The verdict on an interval and the open range claimed; exact evidence is never undecided."""
    if target[0] < low and high < target[1]:
        return "holds"
    if exact or high < target[0] or target[1] < low:
        return "fails"
    return "undecided"


def _signed(value: float) -> str:
    return f"{value:+#.3g}".removesuffix(".")


def _plain(value: float) -> str:
    return f"{value:#.3g}".removesuffix(".")


def _level(alpha: float) -> str:
    return f"{alpha:g}".removeprefix("0")


def _range(margin: tuple[float, float]) -> str:
    low, high = margin
    if math.isinf(high):
        return f"> {low:g}"
    if math.isinf(low):
        return f"< {high:g}"
    return f"{low:g} to {high:g}"
