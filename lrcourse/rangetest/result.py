"""What a range test gives: curves over the learning rate, and what can be said of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lrcourse.rangetest.curves import Curves
from lrcourse.rangetest.rules import RULES
from lrcourse.rangetest.suggestion import SIDE, Suggestion, suggest
from lrcourse.support.checks import FLAG, PATH, POSITIVE, TEXT, arguments, optional

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


class RangeTest(Curves):
    """The result of a range test. `print` it for one line, `suggest()` for what it says.

    Example:
        >>> import numpy as np
        >>> from lrcourse.rangetest import RangeTest
        >>> from lrcourse.rangetest.curves import Curve
        >>> lr = np.geomspace(1e-4, 10, 100)
        >>> loss = 2 - np.exp(-np.log(lr / 0.3) ** 2)
        >>> columns = dict.fromkeys(["accuracy", "held_out_loss", "held_out_accuracy"])
        >>> ends = {"diverged_at": None, "why": None, "skipped": (), "seed": 0}
        >>> curve = Curve(lr=lr, group_lr=lr[:, None], loss=loss, **columns, **ends)
        >>> test = RangeTest((curve,), 1e-4, 10.0, 100, "log", smoothing=0.5, diverged=4.0)
        >>> print(test.suggest().sentence)
        Use 0.14 (steepest fall in log LR, the middle one of 3 rules within a factor 5; ...).
    """

    @arguments(on=SIDE)
    def suggest(self, on: str = "training") -> Suggestion:
        """Every rule side by side, and whether to trust them; `on` "training" or "held_out"."""
        return suggest(self, on)

    @arguments(on=SIDE)
    def calibrate(self, best: float | BestRate, on: str = "training") -> Calibration:
        """How far each rule is from `best`: a rate, or what `lrcourse.sweeps.best_rate` gives.

        `on` is "training" or "held_out", as for `suggest`.
        """
        lr = POSITIVE("calibrate", "best", getattr(best, "lr", best))
        good = getattr(best, "good", (lr, lr))
        suggestion = self.suggest(on)
        rates = {rule: suggestion.rules[rule].lr for rule in RULES}
        return Calibration(
            best=lr,
            good=good,
            decades={r: None if v is None else math.log10(v / lr) for r, v in rates.items()},
            within={r: None if v is None else good[0] <= v <= good[1] for r, v in rates.items()},
            rule=suggestion.rule,
            cost=self.cost,
            sweep_cost=getattr(best, "cost", None),
        )

    @arguments(title=TEXT, name=TEXT, path=optional(PATH), rules=FLAG)
    def plot(
        self,
        title: str = "",
        name: str = "range-test",
        path: str | Path | None = None,
        *,
        rules: bool = True,
    ) -> None:
        """Draw the curves and the suggestion, `title` over them; `path` keeps the figure as a PNG.

        `name` is that of its file in a headless run; `rules` says whether a panel shows what each
        rule reads off."""
        from lrcourse.rangetest.figure import plot  # matplotlib, only where it is needed

        plot(self, title=title, name=name, path=path, with_rules=rules)
