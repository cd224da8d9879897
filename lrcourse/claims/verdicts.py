"""What comes of a claim: the verdict, the one line that says it, and what a run tells of many."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from lrcourse.claims.evidence import Evidence
from lrcourse.claims.margins import listed
from lrcourse.support.checks import TEXT, arguments, each, shown

Outcome = Literal["holds", "fails", "undecided", "not that large"]
Expected = Literal["holds", "fails", "undecided"]
EXPECTED: tuple[Expected, ...] = get_args(Expected)
Difference = Literal["no", "weaker", "decided", "opposite"]

NOT_THAT_LARGE: Outcome = "not that large"

_HERE = " on this processor"
_NUMBER = r"[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|inf|nan)"
_MEASURED = (
    rf"(?:\d+ of \d+|{_NUMBER})(?: \[{_NUMBER}, {_NUMBER}\])?(?:, no effect \([01]\) inside)?"
)
_LINE = re.compile(
    rf"^(HOLDS|FAILS|UNDECIDED|NOT THAT LARGE)({_HERE})?(?: \(expected(?: (\w+))?\))?"
    r" \| (.+) \| [^|\n]+$",
    re.MULTILINE,
)
_COLUMNS = (
    "verdict", "expected", "differs", "sentence", "n", "counted", "quantity", "effect", "low",
    "high", "margin_above", "margin_below", "alpha", "of", "test", "no_effect_inside", "revision",
    "seeds", "about",
)  # fmt: skip
_ROUNDING = 1e-12  # an effect this near to its margin, in shares of the margin, lies on it

SANITIZE = (
    (
        rf"(\| \d+ (?:seeds|splits|runs?|points|cases?))(?: \([^|)\n]+\))?"
        rf"(, [a-z ]+) {_MEASURED}(?=, margin [^|\n]+ \()",
        r"\1\2 (measured)",
    ),
    (rf"(?m)^UNDECIDED{_HERE} \(expected holds\) \|", "HOLDS |"),
    (rf"(?m)^UNDECIDED{_HERE} \(expected fails\) \|", "FAILS (expected) |"),
    (
        rf"(?m)^(?:HOLDS|FAILS|NOT THAT LARGE){_HERE} \(expected undecided\) \|",
        "UNDECIDED (expected) |",
    ),
    (r"(?m)^NOT THAT LARGE \(expected\) \|", "FAILS (expected) |"),
    (r"(?m), revision \d+\)$", ")"),
)
"""Patterns and replacements that hide from nbval what differs from machine to machine.

The first hides the measured numbers of a verdict line, counts of runs included. The others give a
verdict that is weaker or firmer on this processor as the one that was expected, one that fails at
its margin alone as one that fails, and leave out a revision, which `margins.toml` says. Sentence,
number of seeds, margin and test stay, and are compared.
"""


@dataclass(frozen=True)
class Verdict:
    """A sentence judged.

    Attributes:
        verdict: what came out: "holds", "fails", "undecided", or "not that large": it fails at its
            margin, and would not fail if the margin were no effect.
        expect: "holds", "fails" (which "not that large" is as well) or "undecided".
        sentence: what was claimed.
        n, counted, quantity, effect, test, exact: as the `Evidence` has them.
        low, high: the interval of the effect at level 1 - alpha/of.
        margin: the open range (from, to) in which the effect lies if the sentence is true.
        alpha: the level that the claim, or all `of` claims together, may be wrong at.
        of: among how many claims alpha is shared.
        no_effect: the effect that is none, 0 or 1; None where there is no such.
        revision: that of the margin in `margins.toml`; None where the sentence is not there.
        plan: the margin that stands there, where it is another one; else None.
        seeds: those that the evidence names.
        about: of a median, how many values do not lie above the margin, and how many not below it.
        evidence: what was judged; None where the verdict comes from a table.

    >>> from lrcourse.claims import Verdict, exact, judge
    >>> verdict = judge("All are even", exact([k % 2 for k in (2, 4, 7)], 0), expect="fails")
    >>> isinstance(verdict, Verdict), verdict.effect, verdict.differs
    (True, 1, 'no')
    >>> print(verdict.line())
    FAILS (expected) | All are even | 3 cases, exceptions 1, margin < 1 (exact)
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
    expect: Expected
    exact: bool
    no_effect: float | None = None
    revision: int | None = None
    plan: str | None = None
    seeds: tuple[Any, ...] = field(default=(), compare=False)
    about: str = field(default="", compare=False)
    evidence: Evidence | None = field(default=None, compare=False, repr=False)

    @property
    def no_effect_inside(self) -> bool:
        """Whether the interval holds the effect that is none."""
        return self.no_effect is not None and all(
            compare(self.low, self.high, side, exact=False) != "holds"
            for side in ((self.no_effect, math.inf), (-math.inf, self.no_effect))
        )

    @property
    def differs(self) -> Difference:
        """How the verdict differs from the expected one.

        "weaker" is undecided where holds or fails was expected, "decided" is holds or fails where
        undecided was, and "opposite" is holds for fails or fails for holds.
        """
        came = "fails" if self.verdict == NOT_THAT_LARGE else self.verdict
        if came == self.expect:
            return "no"
        if self.verdict == "undecided":
            return "weaker"
        return "decided" if self.expect == "undecided" else "opposite"

    def line(self) -> str:
        """The verdict with its evidence, on one line."""
        said = self.verdict.upper()
        if self.differs != "no":
            here = "" if self.differs == "opposite" else _HERE
            said += f"{here} (expected {self.expect})"
        elif self.expect != "holds":
            said += " (expected)"
        number = _signed if self.quantity in ("difference", "slope") else _plain
        if self.exact:
            number = "{:.0f}".format
        effect = number(self.effect)
        if self.quantity == "share":
            effect = f"{self.effect * self.n:.0f} of {self.n}"
        measured = f"{self.quantity} {effect}"
        how = self.test
        if not self.exact:
            measured += f" [{number(self.low)}, {number(self.high)}]"
            if self.no_effect_inside:
                measured += f", no effect ({self.no_effect:g}) inside"
            how += f", alpha {_level(self.alpha)}" + (f"/{self.of}" if self.of > 1 else "")
            if self.plan:
                how += f", planned {self.plan}"
            if self.revision is not None and self.revision > 1:
                how += f", revision {self.revision}"
        counted = self.counted[:-1] if self.n == 1 else self.counted
        return (
            f"{said} | {self.sentence} | {self.n} {counted}, {measured}, "
            f"margin {range_of(self.margin)} ({how})"
        )

    def to_dict(self) -> dict[str, object]:
        """Plain values for a table; the side of the margin that is open is None."""
        values = vars(self) | {
            "expected": self.expect,
            "differs": self.differs,
            "no_effect_inside": self.no_effect_inside,
            "seeds": listed(self.seeds),
        }
        for side, bound in zip(("margin_above", "margin_below"), self.margin, strict=True):
            values[side] = bound if math.isfinite(bound) else None
        return {name: values[name] for name in _COLUMNS}


def verdict_of(row: Mapping[str, str]) -> Verdict:
    """The verdict that a row of `claims.csv` keeps, but for the values of its seeds."""
    sides = zip(("margin_above", "margin_below"), (-math.inf, math.inf), strict=True)
    least, most = (float(row[side]) if row[side] else end for side, end in sides)
    numbers: dict[str, Any] = {name: float(row[name]) for name in ("effect", "low", "high")}
    expect: Any = row["expected"]
    none = 0.0 if row["quantity"] in ("difference", "slope") else 1.0
    return Verdict(
        **{name: row[name] for name in ("verdict", "sentence", "counted", "quantity", "test")},
        **numbers,
        n=int(row["n"]),
        margin=(least, most),
        alpha=float(row["alpha"]),
        of=int(row["of"]),
        expect=expect,
        exact=row["test"] == "exact",
        no_effect=none if row.get("no_effect_inside") == "True" else None,
        revision=int(row["revision"]) if row.get("revision") else None,
    )


def verdict_on(
    low: float,
    high: float,
    target: tuple[float, float],
    *,
    exact: bool = False,
    no_effect: float | None = None,
) -> Outcome:
    """The verdict on an interval and the open range claimed, as `compare` gives it.

    One that fails because the range begins beyond no effect, and that does not fail from there on,
    is not that large.
    """
    verdict = compare(low, high, target, exact=exact)
    if verdict != "fails" or no_effect is None:
        return verdict
    least, most = target
    bare = target
    if most == math.inf and least > no_effect:
        bare = (no_effect, math.inf)
    elif least == -math.inf and most < no_effect:
        bare = (-math.inf, no_effect)
    return verdict if compare(low, high, bare, exact=exact) == "fails" else NOT_THAT_LARGE


def compare(low: float, high: float, target: tuple[float, float], *, exact: bool) -> Expected:
    """The verdict on an interval and the open range claimed; exact evidence is never undecided.

    An end that differs from a margin by rounding alone lies on the margin, on neither side.
    """
    least, most = target
    near_least, near_most = (_ROUNDING * abs(end) if math.isfinite(end) else 0.0 for end in target)
    above = least == -math.inf or least + near_least < low  # an end may be infinite as well
    if above and (most == math.inf or high < most - near_most):
        return "holds"
    if exact or high < least - near_least or most + near_most < low:
        return "fails"
    return "undecided"


@arguments(text=TEXT)
def read_lines(text: str) -> list[dict[str, str]]:
    """The verdicts in a `text` that a notebook printed: `differs` and `sentence`, as in a table.

    >>> from lrcourse.claims import read_lines
    >>> read_lines("HOLDS | Two and two are four | 1 case, exceptions 0, margin < 1 (exact)")
    [{'differs': 'no', 'sentence': 'Two and two are four'}]
    """
    found = []
    for verdict, here, expected, sentence in _LINE.findall(text):
        differs = "opposite" if expected else "no"
        if here:
            differs = "weaker" if verdict == "UNDECIDED" else "decided"
        found.append({"differs": differs, "sentence": sentence})
    return found


def _row(owner: str, name: str, value: object) -> Mapping[str, str]:
    """Rule: a row of `claims.csv`, or as `read_lines` gives it."""
    if isinstance(value, Mapping) and {"differs", "sentence"} <= value.keys():
        return value
    raise TypeError(f"{owner}: {name} must have differs and sentence; got {shown(value)}")


@arguments(rows=each(_row, least=0))
def summarise(rows: Iterable[Mapping[str, str]]) -> str:
    """One line on all verdicts of a run: how many differ from those expected, and which.

    `rows` have `differs` and `sentence` as in `claims.csv`, and may say `where` the claim stands.

    >>> from lrcourse.claims import summarise
    >>> here = {"differs": "weaker", "sentence": "Decay wins", "where": "claims"}
    >>> summarise([here, {"differs": "no", "sentence": "Warmup helps"}])
    '1 of 2 verdicts is undecided on this processor: “Decay wins” (claims)'
    """
    rows = list(rows)
    parts = []
    for differs, said in (
        ("weaker", f"undecided{_HERE}"),
        ("decided", f"decided{_HERE} and undecided in the course"),
        ("opposite", "the opposite of the expected one"),
    ):
        those = [
            f"“{row['sentence']}”" + (f" ({row['where']})" if row.get("where") else "")
            for row in rows
            if row["differs"] == differs
        ]
        if those:
            verb = "is" if len(those) == 1 else "are"
            listed = ", ".join(those)
            parts.append(f"{len(those)} of {len(rows)} verdicts {verb} {said}: {listed}")
    return "; ".join(parts) or f"{len(rows)} verdicts, all as expected"


def _signed(value: float) -> str:
    return f"{value:+#.3g}".removesuffix(".")


def _plain(value: float) -> str:
    return f"{value:#.3g}".removesuffix(".")


def _level(alpha: float) -> str:
    return f"{alpha:g}".removeprefix("0")


def range_of(margin: tuple[float, float]) -> str:
    """A margin as a line prints it."""
    low, high = margin
    if math.isinf(high):
        return f"> {low:g}"
    if math.isinf(low):
        return f"< {high:g}"
    return f"{low:g} to {high:g}"
