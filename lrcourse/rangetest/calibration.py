"""How far the suggestions of a range test are from the best rate of a real sweep."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lrcourse.rangetest.curves import Curves
from lrcourse.rangetest.rules import RULES
from lrcourse.rangetest.suggestion import suggest
from lrcourse.support.checks import POSITIVE

if TYPE_CHECKING:
    from lrcourse.sweeps import BestRate


@dataclass(frozen=True)
class Calibration:
    """Each rule against the best rate of a sweep.

    Attributes:
        best: the best rate.
        good: (lowest, highest) of the rates that the sweep cannot tell from the best; both are
            the best where only a number was given.
        decades: for each rule log10(suggested / best), None where it found no rate. 0.3 is twice
            the best rate, -1 a tenth.
        within: for each rule whether its rate lies in `good`; None where it found no rate.
        rule: the rule that the test said to follow, or None where it said not to trust it.
        cost, sweep_cost: updates made by the test and by the sweep (None if unknown).
    """

    best: float
    good: tuple[float, float]
    decades: Mapping[str, float | None]
    within: Mapping[str, bool | None]
    rule: str | None
    cost: int
    sweep_cost: int | None

    def factor(self, rule: str) -> float | None:
        """suggested / best of a rule; None where it found no rate."""
        decades = self.decades[rule]
        return None if decades is None else 10**decades

    def __str__(self) -> str:
        wide = max(len(words.name) for words in RULES.values())
        lines = [f"{'rule':{wide}}  x best  decades  within seed noise"]
        for rule, decades in self.decades.items():
            if decades is None:
                lines.append(f"{RULES[rule].name:{wide}}       -        -")
                continue
            said = "yes" if self.within[rule] else "no"
            lines.append(
                f"{RULES[rule].name:{wide}}  {self.factor(rule):6.2g}  {decades:+7.2f}  {said}"
                + ("  <- followed" if rule == self.rule else "")
            )
        cost = f"Cost: {self.cost:,} updates"
        if self.sweep_cost is not None:
            cost += f", the sweep's {self.sweep_cost:,}"
        trusted = "" if self.rule else " The test itself said not to trust it."
        return "\n".join([*lines, f"Best rate {self.best:g}. {cost}.{trusted}"])


def calibrate(test: Curves, best: float | BestRate, on: str = "training") -> Calibration:
    """Compare; `best` is a rate or what `lrcourse.sweeps.best_rate` gives."""
    lr = POSITIVE("calibrate", "best", getattr(best, "lr", best))
    good = getattr(best, "good", (lr, lr))
    suggestion = suggest(test, on)
    rates = {rule: suggestion.rules[rule].lr for rule in RULES}
    return Calibration(
        best=lr,
        good=good,
        decades={r: None if v is None else math.log10(v / lr) for r, v in rates.items()},
        within={r: None if v is None else good[0] <= v <= good[1] for r, v in rates.items()},
        rule=suggestion.rule,
        cost=test.cost,
        sweep_cost=getattr(best, "cost", None),
    )
