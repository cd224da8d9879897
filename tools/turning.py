"""How likely another set of seeds, or another processor, turns each claim: a table.

    python tools/turning.py [--above 0.01] [TABLE ...]

Reads the tables of claims that the chapters leave (default: all of results/). A claim's effect and
interval give its standard error, on the scale on which it is judged (the logarithm for ratios). A
fresh set of seeds is another draw: it estimates its effect with the same error, so that the two
differ by a normal variable of sqrt(2) errors. The chance is the share of such draws whose verdict
is another one than expected; the error is taken as known.

Of a median (the sign test) the table says how many values do not lie above the margin, and how many
not below it, ties included: those decide its verdict, and fresh ones are drawn as counts are. Where
all values lie on the side that is expected, or the table lacks that column, the interval tells how
far off the margin is: each side then has the error of its own half.

Counts (a share; the odds of two arms on the same seeds) have no standard error: a fresh count is
drawn with the shares that this one leaves possible (beta-binomial, Jeffreys' prior), and judged.

Exact claims have no error and are left out, and so are the odds of two arms on other seeds.
"""

from __future__ import annotations

import argparse
import csv
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from lrcourse.claims.intervals import clopper_pearson
from lrcourse.claims.verdicts import compare

ROOT = Path(__file__).resolve().parent.parent
_NEVER = 1e-9  # an interval without length: all seeds alike


@dataclass(frozen=True)
class Turn:
    """A claim with its chance to come out otherwise on a fresh set of seeds."""

    page: str
    sentence: str
    verdict: str
    weaker: float
    opposite: float

    @property
    def chance(self) -> float:
        """Of any other verdict than the expected one."""
        return self.weaker + self.opposite


def turn(page: str, row: Mapping[str, str]) -> Turn | None:
    """The chances of a row of `claims.csv`; None for an exact claim."""
    if not row["alpha"] or row["test"].startswith(("exact", "Fisher")):
        return None
    if row["test"] in ("Clopper-Pearson", "McNemar"):
        return _turned(page, row, _of_counts(row))
    if (chances := _of_median(row)) is not None:
        return _turned(page, row, chances)
    ratio = "ratio" in row["quantity"]
    scale = math.log if ratio else float
    effect, low, high = (_on(scale, row[name]) for name in ("effect", "low", "high"))
    least = _on(scale, row["margin_above"], -math.inf)
    most = _on(scale, row["margin_below"], math.inf)
    # How far the interval reaches on each side, and the quantile that made it so.
    below, above = max(effect - low, _NEVER), max(high - effect, _NEVER)
    quantile = _quantile(row)
    chances = dict.fromkeys(("holds", "fails", "undecided"), 0.0)
    # The estimate on a fresh set lies at effect + sqrt(2) error z; its interval moves along.
    chances["holds"] = max(
        0.0,
        _share_below(most - above - effect, below / quantile, above / quantile)
        - _share_below(least + below - effect, below / quantile, above / quantile),
    )
    chances["fails"] = _share_below(least - above - effect, below / quantile, above / quantile) + (
        1 - _share_below(most + below - effect, below / quantile, above / quantile)
    )
    chances["undecided"] = max(0.0, 1 - chances["holds"] - chances["fails"])
    return _turned(page, row, chances)


def _of_median(row: Mapping[str, str]) -> dict[str, float] | None:
    """The chances of each verdict, from how many values lie about each end of the margin.

    The interval lies above an end if the values that do not are as few as are left out on a side.
    None where no value speaks against the verdict that is expected.
    """
    counts = re.findall(r"(\d+) not above, (\d+) not below", row.get("about", ""))
    if not counts:
        return None
    dead = re.search(r"\((\d+) dead, left out", row["counted"])
    n, alpha = int(row["n"]) - int(dead[1] if dead else 0), float(row["alpha"]) / int(row["of"])
    sides = [side for side in ("margin_above", "margin_below") if row[side]]
    # At each end the values that keep the sentence from holding, and from failing.
    ends = [
        tuple(map(int, pair if side == "margin_above" else reversed(pair)))
        for side, pair in zip(sides, counts, strict=True)
    ]
    against = {
        "holds": max(first for first, _ in ends),
        "fails": min(second for _, second in ends),
    }
    if not against.get(row["expected"], 1):
        return None
    left_out = int(stats.binom.ppf(alpha / 2, n, 0.5))
    left_out -= int(2 * stats.binom.cdf(left_out, n, 0.5) > alpha)

    def few(count: int) -> float:
        return float(stats.betabinom.cdf(left_out, n, count + 0.5, n - count + 0.5))

    holds = max(0.0, sum(few(first) for first, _ in ends) - len(ends) + 1)
    fails = min(1.0, sum(few(second) for _, second in ends))
    return {"holds": holds, "fails": fails, "undecided": max(0.0, 1 - holds - fails)}


def _turned(page: str, row: Mapping[str, str], chances: Mapping[str, float]) -> Turn:
    expected = row["expected"]
    against = {"holds": "fails", "fails": "holds"}.get(expected)
    opposite = chances[against] if against else 0.0
    return Turn(page, row["sentence"], row["verdict"], 1 - chances[expected] - opposite, opposite)


def _of_counts(row: Mapping[str, str]) -> dict[str, float]:
    """The chances of each verdict on fresh runs."""
    target = tuple(
        float(row[side]) if row[side] else otherwise
        for side, otherwise in (("margin_above", -math.inf), ("margin_below", math.inf))
    )
    chances = dict.fromkeys(("holds", "fails", "undecided"), 0.0)
    for chance, low, high in _fresh_counts(row):
        chances[compare(low, high, target, exact=False)] += chance
    return chances


def _fresh_counts(row: Mapping[str, str]) -> Iterator[tuple[float, float, float]]:
    """The chance of each count that may come up, and its interval."""
    n, alpha = int(row["n"]), float(row["alpha"]) / int(row["of"])
    if row["test"] == "Clopper-Pearson":
        count = round(float(row["effect"]) * n)
        chance = stats.betabinom.pmf(np.arange(n + 1), n, count + 0.5, n - count + 0.5)
        yield from zip(chance, *clopper_pearson(np.arange(n + 1), n)(alpha), strict=True)
        return
    a, b, differ = map(
        int,
        re.search(r"\((\d+) of \d+ against (\d+) of \d+, (\d+) differ", row["counted"]).groups(),
    )
    only_a, only_b = (differ + a - b) // 2, (differ + b - a) // 2
    for pairs in range(n + 1):
        chance = stats.betabinom.pmf(pairs, n, differ + 0.5, n - differ + 0.5)
        if not pairs:
            yield float(chance), 0.0, math.inf
            continue
        split = stats.betabinom.pmf(np.arange(pairs + 1), pairs, only_a + 0.5, only_b + 0.5)
        low, high = clopper_pearson(np.arange(pairs + 1), pairs)(alpha)
        with np.errstate(divide="ignore"):
            yield from zip(chance * split, low / (1 - low), high / (1 - high), strict=True)


def read(paths: Iterable[Path]) -> list[Turn]:
    """The statistical claims of some tables, the shakiest first."""
    turns = []
    for path in paths:
        with path.open(encoding="utf-8", newline="") as lines:
            turns += [turn(path.parents[1].name, row) for row in csv.DictReader(lines)]
    return sorted((one for one in turns if one), key=lambda one: -one.chance)


def table(turns: Iterable[Turn], above: float) -> str:
    """Those with a chance above some number, and what to expect of all together."""
    turns = list(turns)
    lines = [
        f"{one.chance:7.2%}  {one.opposite:7.2%}  {one.verdict:14}  {one.page}: {one.sentence}"
        for one in turns
        if one.chance > above
    ]
    sums = sum(one.chance for one in turns), sum(one.opposite for one in turns)
    return "\n".join(
        [
            " chance  opposite  verdict         claim",
            *lines,
            f"{len(lines)} of {len(turns)} statistical claims above {above:.1%}; expected on a "
            f"fresh set: {sums[0]:.2f} that differ, {sums[1]:.3f} of them turned round",
        ]
    )


def _on(scale, text: str, otherwise: float = math.nan) -> float:
    if not text:
        return otherwise
    value = float(text)
    return -math.inf if value == 0 and scale is math.log else scale(value)


def _quantile(row: Mapping[str, str]) -> float:
    """The quantile by which the interval's half is longer than the standard error."""
    tail = float(row["alpha"]) / int(row["of"]) / 2
    if row["test"].startswith("sign"):
        return float(stats.norm.isf(tail))
    dead = re.search(r"\((\d+) dead, left out", row["counted"])
    left_out = int(dead[1]) if dead else 0
    freedom = int(row["n"]) - left_out - (2 if row["counted"] == "points" else 1)
    return float(stats.t.isf(tail, freedom))


def _share_below(distance: float, error_below: float, error_above: float) -> float:
    """The share of fresh estimates that lie less than so far above this one."""
    error = error_above if distance > 0 else error_below
    return float(stats.norm.cdf(distance / (math.sqrt(2) * error)))


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tables", nargs="*", type=Path, help="default: results/*/tables/claims.csv")
    parser.add_argument("--above", type=float, default=0.01, help="list claims with more chance")
    given = parser.parse_args(arguments)
    paths = given.tables or sorted(ROOT.glob("results/*/tables/claims.csv"))
    print(table(read(paths), given.above))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
