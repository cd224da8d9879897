"""How far the suggestions of a range test are from the best rate of a real sweep."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lrcourse.rangetest.suggestion import NAMES

if TYPE_CHECKING:
    from lrcourse.rangetest.result import RangeTest
    from lrcourse.sweeps.experiment import Experiment
    from lrcourse.sweeps.reading import BestRate


@dataclass(frozen=True)
class Calibration:
    """Each rule against the best rate of a sweep.

    Attributes:
        best: the best rate.
        good: (lowest, highest) of the rates that the sweep cannot tell from the best; both are
            the best where only a number was given.
        decades: for each rule log10(suggested / best), None where it found no rate. 0.3 is twice
            the best rate, -1 a tenth.
        within: for each rule whether its rate lies in ``good``; None where it found no rate.
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
        wide = max(map(len, NAMES.values()))
        lines = [f"{'rule':{wide}}  x best  decades  within seed noise"]
        for rule, decades in self.decades.items():
            if decades is None:
                lines.append(f"{NAMES[rule]:{wide}}       -        -")
                continue
            said = "yes" if self.within[rule] else "no"
            lines.append(
                f"{NAMES[rule]:{wide}}  {self.factor(rule):6.2g}  {decades:+7.2f}  {said}"
                + ("  <- followed" if rule == self.rule else "")
            )
        cost = f"Cost: {self.cost:,} updates"
        if self.sweep_cost is not None:
            cost += f", the sweep's {self.sweep_cost:,}"
        trusted = "" if self.rule else " The test itself said not to trust it."
        return "\n".join([*lines, f"Best rate {self.best:g}. {cost}.{trusted}"])


def calibrate(test: RangeTest, best: float | BestRate, on: str = "training") -> Calibration:
    """Compare; ``best`` is a rate or what ``lrcourse.sweeps.best_rate`` gives."""
    lr = float(getattr(best, "lr", best))
    if not (math.isfinite(lr) and lr > 0):
        raise ValueError(f"the best rate is a number above 0, not {lr!r}")
    good = getattr(best, "good", (lr, lr))
    suggestion = test.suggest(on)
    rates = {rule: suggestion.rules[rule].lr for rule in NAMES}
    return Calibration(
        best=lr,
        good=good,
        decades={r: None if v is None else math.log10(v / lr) for r, v in rates.items()},
        within={r: None if v is None else good[0] <= v <= good[1] for r, v in rates.items()},
        rule=suggestion.rule,
        cost=test.cost,
        sweep_cost=getattr(best, "cost", None),
    )


def equal_budget(experiment: Experiment, test: RangeTest, rates: int = 6) -> list[Experiment]:
    """The sweep that costs what the range test cost: ``rates`` rates over the test's own range.

    One experiment a rate and seed (as many seeds as the test had repeats), each of as many whole
    epochs as the budget allows, so that the sweep never makes more updates than the test::

        test = range_test_of(experiment, updates=600, repeats=3)
        best = best_rate(sweeps.run(equal_budget(experiment, test)))
        print(test.calibrate(best))

    Raises:
        ValueError: where not even one epoch each can be afforded; it says how long a test would do.
    """
    from lrcourse.sweeps.experiment import load_data
    from lrcourse.sweeps.running import grid, log_space

    images = len(load_data(experiment.data, experiment.valid, experiment.images, None).train)
    per_epoch = math.ceil(images / experiment.batch_size)
    seeds = range(experiment.seed, experiment.seed + len(test.curves))
    epochs = test.cost // (rates * len(seeds) * per_epoch)
    if epochs < 1:
        raise ValueError(
            f"{rates} rates with {len(seeds)} seeds need {rates * len(seeds) * per_epoch} updates "
            f"for one epoch each, and the range test made {test.cost}: compare fewer rates, or "
            f"give it {rates * per_epoch} updates a repeat"
        )
    lrs = log_space(test.start, test.end, rates)
    return grid(experiment.but(epochs=epochs), lr=lrs, seed=seeds)
