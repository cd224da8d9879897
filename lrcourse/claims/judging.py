"""Sentences that are tests: a claim, what it rests on, and a verdict on one line.

    from lrcourse.claims import claim, paired

    claim("A decayed rate ends with a higher test accuracy than the same rate held constant",
          paired(cosine, constant), margin=0.002)

where each arm maps seed -> value. Printed, on one line:

    HOLDS | A decayed rate ends ... | 10 seeds, difference +0.0123 [+0.0089, +0.0157],
    margin > 0.002 (paired t, alpha .01)

The verdict compares the confidence interval of the effect, at level 1 - alpha, with the margin:
**holds** when the interval lies wholly beyond it, **fails** when it lies wholly on the other
side, **undecided** when it spans it. An end that lies on the margin but for rounding is on neither
side of it: six equal ratios of a grid, all of them 2, neither hold nor fail "more than 2". What a
claim can rest on is in `lrcourse.claims.over_seeds`, `splits` and `counts`.

A sentence that fails although its direction holds, or is undecided, is **not that large**: it fails
at its margin, and would not at no effect (a difference of 0, a ratio of 1). To expect it is to
expect that it fails. Where no effect lies inside the interval, the line says so.

The margins of the course's own claims stand in `margins.toml`, with their reasons
(`lrcourse.claims.margins`). The line says "revision 3" where a margin has moved after data were
seen, and "planned > 2" where it is not the one that stands there.

Values that no interval is right on, such as six of ten equal ones for Student's t, are refused in
words. Where `margins.toml` plans the sentence, its own values were fit, and those of this processor
are not: it is undecided here.

What is not random, a formula or a count of updates, is no claim: `check` says it.

A claim says which verdict it expects, and the opposite one raises `ClaimError`, so that the cell
fails. At high rates another processor is another set of seeds, and a verdict near its margin can
become undecided there, or an undecided one decided: the line then says so, and nothing fails,
unless more verdicts of a notebook differ than chance allows (`most_that_differ`).
"""

from __future__ import annotations

import math
from typing import Any

from lrcourse.claims.counts import exact
from lrcourse.claims.evidence import Evidence
from lrcourse.claims.margins import planned
from lrcourse.claims.medians import about
from lrcourse.claims.pages import current
from lrcourse.claims.verdicts import EXPECTED, Expected, Verdict, range_of, verdict_on
from lrcourse.support import outputs
from lrcourse.support.checks import NUMBER, Number, arguments, kind, one_of, optional, shown

_LEVEL = Number("a level > 0 and <= 0.1, for instance 0.01", lambda v: 0 < v <= 0.1)


class ClaimError(AssertionError):
    """A claim came out otherwise than it expected, or too many of a notebook did."""


def sentence_rule(owner: str, name: str, value: object) -> str:
    """Rule: words on one line."""
    if isinstance(value, str) and value.strip() and "\n" not in value:
        return value
    problem = f"{owner}: {name} must be the claim in words, on one line; got {shown(value)}"
    raise ValueError(problem) if isinstance(value, str) else TypeError(problem)


def _ends(owner: str, name: str, value: object) -> tuple[float, float]:
    """Rule: a lower and an upper number."""
    if isinstance(value, tuple | list) and len(value) == 2:
        low, high = (NUMBER(owner, f"{name}[{k}]", end) for k, end in enumerate(value))
        if low < high:
            return float(low), float(high)
    problem = f"{owner}: {name} must be (lower, upper); got {shown(value)}"
    raise ValueError(problem) if isinstance(value, tuple | list) else TypeError(problem)


_RULES = {
    "sentence": sentence_rule,
    "evidence": kind("what paired, equivalent, spread, slope, share or exact returns", Evidence),
    "margin": optional(NUMBER),
    "below": optional(NUMBER),
    "within": optional(_ends),
    "expect": one_of(*EXPECTED),
    "alpha": _LEVEL,
}


@arguments(**_RULES)
def claim(
    sentence: str,
    evidence: Evidence,
    *,
    margin: float | None = None,
    below: float | None = None,
    within: tuple[float, float] | None = None,
    expect: Expected = "holds",
    alpha: float = 0.01,
) -> None:
    """Judge a sentence, print the verdict on one line, and fail if the opposite was expected.

    The sentence says that the effect is greater than `margin`, or less than `below`, or
    inside `within`: state one of them, in the unit of the effect (a ratio for ratios). With
    `equivalent`, `margin` means within it on both sides. Exact evidence needs none.

    Several statistical claims in one cell stand in `with several(k):`, which divides alpha by
    k (Bonferroni). In a notebook, a second one outside it is refused: correction cannot be
    forgotten.

    Raises:
        ClaimError: After printing: holds for fails or fails for holds; another verdict than
            expected on exact evidence; more verdicts of this notebook that differ than
            `most_that_differ`.
        ValueError: An empty or many-lined sentence; no margin or two; a margin that cannot be;
            alpha outside (0, 0.1]; an unknown `expect`; a second claim in a cell without
            `several`; evidence whose interval cannot be computed, or is not right on these values
            (`Evidence.unfit`), unless `margins.toml` plans the sentence.
        TypeError: An argument of another kind.

    >>> from lrcourse.claims import claim, paired
    >>> warm, cold = [0.95, 0.96, 0.94, 0.95, 0.97, 0.96], [0.91, 0.93, 0.9, 0.92, 0.92, 0.91]
    >>> claim("Warmup helps by a point", paired(warm, cold), margin=0.01)
    HOLDS | Warmup helps by a point | 6 seeds, difference +0.0400 [+0.0253, +0.0547], \
margin > 0.01 (paired t, alpha .01)
    """
    verdict = judge(
        sentence, evidence, margin=margin, below=below, within=within, expect=expect, alpha=alpha
    )
    here = current()
    if not evidence.exact:
        here.count(sentence)
    print(verdict.line())
    here.made.append(verdict)
    table = outputs.table_path("claims")
    if table is not None:
        outputs.write_csv(table, [one.to_dict() for one in here.made])
    if verdict.differs == "opposite" or (evidence.exact and verdict.differs != "no"):
        raise ClaimError(f"expected {expect}, found {verdict.verdict}: {sentence}")
    if verdict.differs != "no" and (problem := here.too_many_differ()):
        raise ClaimError(problem)


@arguments(**_RULES)
def judge(
    sentence: str,
    evidence: Evidence,
    *,
    margin: float | None = None,
    below: float | None = None,
    within: tuple[float, float] | None = None,
    expect: Expected = "holds",
    alpha: float = 0.01,
) -> Verdict:
    """The verdict on a sentence, without printing, keeping or raising it: for pilots.

    Arguments and errors as for `claim`, `ClaimError` excepted. Inside `several`, alpha is divided
    as it is there.

    >>> from lrcourse.claims import judge, paired
    >>> judge("Small", paired([0.1, 0.2, 0.3, 0.1, 0.2, 0.4], [0.0] * 6), below=1).verdict
    'holds'
    """
    target = _target(evidence, margin, below, within)
    of = 1 if evidence.exact else current().sharing
    entry = None if evidence.exact else planned(sentence.strip())
    low, high = 0.0 if evidence.ratio else -math.inf, math.inf
    if not evidence.unfit or entry is None:
        low, high = evidence.interval(alpha / of)
    if not evidence.unfit and any(map(math.isnan, (low, evidence.effect, high))):
        raise ValueError(
            f"the {evidence.quantity} is {evidence.effect:g} and its interval {low:g} to {high:g}: "
            "the values are too large or too far apart to compute with"
        )
    none = evidence.no_effect
    same = entry is None or entry.margin == range_of(target)
    return Verdict(
        verdict=verdict_on(low, high, target, exact=evidence.exact, no_effect=none),
        sentence=sentence.strip(),
        n=evidence.n,
        counted=evidence.counted,
        quantity=evidence.quantity,
        effect=evidence.effect,
        low=low,
        high=high,
        margin=target,
        alpha=alpha,
        of=of,
        test=evidence.test,
        expect=expect,
        exact=evidence.exact,
        no_effect=none,
        revision=entry and entry.revision,
        plan=None if entry is None or same else entry.margin,
        seeds=evidence.seeds,
        about=about(evidence, target),
        evidence=evidence,
    )


@arguments(sentence=sentence_rule)
def check(sentence: str, found: Any, expected: Any = True) -> None:
    """A sentence about what is not random: printed as CHECK, and no claim.

    `found` and `expected` as for `exact`. It has no verdict, stands in no table of claims and has
    no part in what chance may turn: it comes out, or it is an error.

    Raises:
        ClaimError: After printing, where a case is not as expected.
        ValueError: As `exact` does; an empty or many-lined sentence.

    >>> from lrcourse.claims import check
    >>> check("Two and two are four", 2 + 2, 4)
    CHECK | Two and two are four | 1 case, exceptions 0
    """
    cases = exact(found, expected)
    counted = "case" if cases.n == 1 else "cases"
    print(f"CHECK | {sentence.strip()} | {cases.n} {counted}, exceptions {cases.effect:.0f}")
    if cases.effect:
        raise ClaimError(f"{cases.effect:.0f} of {cases.n} {counted} are otherwise: {sentence}")


def _target(
    evidence: Evidence,
    margin: float | None,
    below: float | None,
    within: tuple[float, float] | None,
) -> tuple[float, float]:
    """The open range that the sentence claims for the effect."""
    stated = [value for value in (margin, below, within) if value is not None]
    if evidence.exact:
        if stated:
            raise ValueError("exact(...) allows no exceptions, and so takes no margin")
        return -math.inf, 1.0
    if len(stated) != 1:
        raise ValueError(
            f"{len(stated)} margins stated (margin {margin}, below {below}, within {within}): give "
            "exactly one of margin= (more than), below= (less than) and within= (between)"
        )
    if evidence.symmetric and margin is None:
        raise ValueError("equivalent(...) takes margin=, which is meant on both sides")
    low, high = within or (-math.inf, math.inf)
    if below is not None:
        high = float(below)
    elif margin is not None and evidence.symmetric:
        high = float(margin)
        low = 1 / high if evidence.ratio and high else -high
        if not low < high:
            neutral = "1 (a ratio)" if evidence.ratio else "0"
            raise ValueError(f"margin is {margin}: two equivalent arms need one above {neutral}")
    elif margin is not None:
        low = float(margin)
    bounds = [bound for bound in (low, high) if math.isfinite(bound)]
    if evidence.quantity == "share" and not all(0 < bound < 1 for bound in bounds):
        raise ValueError(f"the margin {stated[0]} stands for a share: give one between 0 and 1")
    if evidence.ratio and min(bounds) <= 0:
        raise ValueError(f"the margin {stated[0]} stands for a ratio: give one above 0, as 1.5")
    return low, high
