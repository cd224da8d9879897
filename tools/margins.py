"""The entries of notebooks/margins.toml beside what the notebooks claim, and drafts of new ones.

    python tools/margins.py           every difference, with its mend; exit code 1 if there is one
    python tools/margins.py PAGE ...  a draft for each claim of these pages that has no entry

The claims are those of results/*/tables/claims.csv. A draft has the sentence, the margin and the
seeds of the claim; effect and standard deviation are those that its interval shows, as an
assumption about the next seeds, and the power follows from them. The reason is yours: why is that
margin the smallest effect of interest?
"""

from __future__ import annotations

import csv
import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from scipy import stats

from lrcourse.claims import Margin, read_margins
from lrcourse.claims.intervals import clopper_pearson
from lrcourse.claims.verdicts import compare, range_of

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "notebooks" / "margins.toml"
NEAR = 0.01  # powers that differ by less agree

Row = Mapping[str, str]
Range = tuple[float, float]


def claims(root: Path = ROOT) -> dict[str, dict[str, dict[str, str]]]:
    """The statistical claims of each page, by sentence."""
    found = {}
    for table in sorted(root.glob("results/*/tables/claims.csv")):
        with table.open(encoding="utf-8", newline="") as lines:
            rows = {row["sentence"]: row for row in csv.DictReader(lines)}
        statistical = {k: row for k, row in rows.items() if row["test"] != "exact"}
        if statistical:
            found[table.parents[1].name] = statistical
    return found


def target_of(row: Row) -> Range:
    """The open range that a claim asks for."""
    low, high = row["margin_above"], row["margin_below"]
    return (float(low) if low else -math.inf), (float(high) if high else math.inf)


def differences(
    pages: Mapping[str, Mapping[str, Row]], planned: Mapping[str, Mapping[str, Margin]]
) -> Iterator[str]:
    """What does not fit between claims and entries, each with its mend."""
    for page in sorted(pages.keys() | planned.keys()):
        rows, entries = pages.get(page, {}), planned.get(page, {})
        for sentence in rows.keys() - entries.keys():
            yield (
                f"[[{page}]] has no entry for {sentence!r}: take the draft of "
                f"`python tools/margins.py {page}` and write its reason"
            )
        for sentence in entries.keys() - rows.keys():
            yield (
                f"[[{page}]] has an entry for {sentence!r}, which the page does not claim: leave "
                "it out, or execute the page and keep its table"
            )
        for sentence in rows.keys() & entries.keys():
            for name, wanted, found in _pairs(rows[sentence], entries[sentence]):
                yield (
                    f"[[{page}]] {sentence!r}: the claim has {name} {wanted}, the entry {found}; "
                    "mend the entry, and where a margin moved after data were seen raise its "
                    "revision and say why"
                )


def _pairs(row: Row, entry: Margin) -> Iterator[tuple[str, object, object]]:
    there = {"margin": range_of(target_of(row)), "n": int(row["n"])}
    if row.get("seeds"):  # older tables, and arms that name none, lack them
        there["seeds"] = row["seeds"]
    if row.get("revision"):
        there["revision"] = int(row["revision"])
    for name, wanted in there.items():
        if wanted != getattr(entry, name):
            yield name, wanted, getattr(entry, name)
    power = power_of(entry, row)
    if abs(power - entry.power) > NEAR:
        yield "power (for its effect and sd)", round(power, 3), entry.power


def power_of(entry: Margin, row: Row) -> float:
    """The chance of the expected verdict where the entry's effect and sd are true."""
    alpha, target = float(row["alpha"]) / int(row["of"]), target_of(row)
    if row["test"] == "Clopper-Pearson":
        chances = _of_share(entry, alpha, target)
    elif row["test"] == "McNemar":
        chances = _of_pairs(entry, alpha, target)
    else:
        chances = _of_sample(entry, row, alpha, target)
    chances["undecided"] = 1 - chances["holds"] - chances["fails"]
    return float(np.clip(chances[row["expected"]], 0, 1))


def _of_sample(entry: Margin, row: Row, alpha: float, target: Range) -> dict[str, float]:
    """Of a mean by Student's t, or of a median by order statistics, of normal values."""
    if entry.sd is None or isinstance(entry.effect, tuple):
        raise ValueError(f"{entry.sentence!r} needs a number as its effect, and an sd")
    n = entry.n
    scale = math.log if "ratio" in row["quantity"] else float
    low, high = (scale(end) if math.isfinite(end) else end for end in target)

    def beyond(distance: float) -> float:
        """The chance that the whole interval lies beyond a point so far from the effect."""
        if math.isinf(distance):
            return float(distance > 0)
        if row["test"].startswith("sign"):
            left_out = int(stats.binom.ppf(alpha / 2, n, 0.5))
            left_out -= int(2 * stats.binom.cdf(left_out, n, 0.5) > alpha)
            return float(stats.binom.cdf(left_out, n, stats.norm.cdf(-distance / entry.sd)))
        freedom = n - (2 if row["counted"] == "points" else 1)
        quantile = stats.t.ppf(1 - alpha / 2, freedom)
        return float(stats.nct.sf(quantile, freedom, distance / entry.sd * math.sqrt(n)))

    at = scale(entry.effect)
    return {
        "holds": max(0.0, beyond(at - low) + beyond(high - at) - 1),
        "fails": beyond(low - at) + beyond(at - high),
    }


def _of_share(entry: Margin, alpha: float, target: Range) -> dict[str, float]:
    counts = np.arange(entry.n + 1)
    chance = stats.binom.pmf(counts, entry.n, entry.effect)
    return _judged(chance, *clopper_pearson(counts, entry.n)(alpha), target)


def _of_pairs(entry: Margin, alpha: float, target: Range) -> dict[str, float]:
    """Of two shares in the same seeds, taken as independent."""
    if not isinstance(entry.effect, tuple):
        raise ValueError(f"{entry.sentence!r} needs the shares of both arms as its effect")
    a, b = entry.effect
    only_a, only_b = a * (1 - b), b * (1 - a)
    chances = {"holds": 0.0, "fails": 0.0}
    for differ in range(1, entry.n + 1):
        counts = np.arange(differ + 1)
        chance = stats.binom.pmf(differ, entry.n, only_a + only_b)
        chance = chance * stats.binom.pmf(counts, differ, only_a / (only_a + only_b))
        low, high = clopper_pearson(counts, differ)(alpha)
        with np.errstate(divide="ignore"):
            found = _judged(chance, low / (1 - low), high / (1 - high), target)
        chances = {name: chances[name] + found[name] for name in chances}
    return chances


def _judged(chance, lows, highs, target: Range) -> dict[str, float]:
    verdicts = [compare(*ends, target, exact=False) for ends in zip(lows, highs, strict=True)]
    return {
        name: float(sum(p for p, verdict in zip(chance, verdicts, strict=True) if verdict == name))
        for name in ("holds", "fails")
    }


def assumed(row: Row) -> tuple[float | tuple[float, ...], float | None]:
    """The effect and the standard deviation over seeds that a claim's interval shows."""
    if row["test"] == "Clopper-Pearson":
        return float(f"{float(row['effect']):.3g}"), None
    if row["test"] == "McNemar":
        a, m, b, n = map(int, re.findall(r"(\d+) of (\d+)", row["counted"])[0] + re.findall(
            r"(\d+) of (\d+)", row["counted"])[1])  # fmt: skip
        return (round(a / m, 3), round(b / n, 3)), None
    scale = math.log if "ratio" in row["quantity"] else float
    low, effect, high = (scale(float(row[name])) for name in ("low", "effect", "high"))
    n, half = int(row["n"]), (high - low) / 2
    tail = float(row["alpha"]) / int(row["of"]) / 2
    if row["test"].startswith("sign"):
        # A median has 1.2533 of a mean's error; order statistics reach not equally far each way,
        # and the side of the margin counts.
        quantile = 1.2533 * stats.norm.isf(tail)
        ends = [scale(end) for end in target_of(row) if math.isfinite(end)]
        nearest = min(ends, key=lambda end: abs(end - effect))
        half = (effect - low if nearest < effect else high - effect) or half
    else:
        quantile = stats.t.isf(tail, n - (2 if row["counted"] == "points" else 1))
    sd = half / quantile * math.sqrt(n)
    return float(f"{float(row['effect']):.3g}"), float(f"{sd:.2g}")


def draft(page: str, row: Row, **known: object) -> str:
    """An entry for a claim; `known` has what the table lacks."""
    effect, sd = assumed(row)
    fields: dict[str, object] = {
        "sentence": row["sentence"], "margin": range_of(target_of(row)), "reason": "",
        "n": int(row["n"]), "seeds": row.get("seeds", ""), "power": 0.0, "effect": effect,
        "sd": sd, **known,
    }  # fmt: skip
    made = Margin(**{**fields, "reason": "unknown", "seeds": "unknown"})
    fields["power"] = min(round(power_of(made, row), 3), 0.999)
    lines = [
        f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in fields.items() if v is not None
    ]
    return "\n".join([f"[[{page}]]", *lines]) + "\n"


def main(pages: list[str]) -> int:
    """Entry point; returns the exit code."""
    there, planned = claims(), read_margins(FILE)
    if pages:
        for page in pages:
            if page not in there:
                print(f"{page} has no statistical claims; there are: {', '.join(there)}")
                return 1
            for sentence in there[page].keys() - planned.get(page, {}).keys():
                print(draft(page, there[page][sentence]))
        return 0
    found = list(differences(there, planned))
    print("\n".join(found) or f"{sum(map(len, planned.values()))} entries, each as claimed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
