"""Sentences that are tests: a claim, what it rests on, and a verdict on one line.

    from lrcourse.claims import claim, paired

    claim("A decayed rate ends with a higher test accuracy than the same rate held constant",
          paired(cosine, constant), margin=0.002)

where each arm maps seed -> value. Printed, on one line:

    HOLDS | A decayed rate ends ... | 10 seeds, difference +0.0123 [+0.0089, +0.0157],
    margin > 0.002 (paired t, alpha .01)

The verdict compares the confidence interval of the effect, at level 1 - alpha, with the margin:
**holds** when the interval lies wholly beyond it, **fails** when it lies wholly on the other
side, **undecided** when it spans it. A claim says which verdict it expects; another one raises
`ClaimError`, so that the cell fails. What a claim can rest on is in `lrcourse.claims.evidence`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lrcourse.claims.evidence import Evidence, equivalent, exact, paired, separation, slope, spread
from lrcourse.claims.verdicts import OUTCOMES, SANITIZE, Outcome, Verdict, compare
from lrcourse.support import outputs

__all__ = [
    "SANITIZE",
    "ClaimError",
    "Evidence",
    "Verdict",
    "claim",
    "equivalent",
    "exact",
    "judge",
    "made",
    "paired",
    "separation",
    "several",
    "slope",
    "spread",
]


class ClaimError(AssertionError):
    """A claim came out otherwise than it expected."""


made: list[Verdict] = []
"""Every claim of this process, in order. A headless run keeps them as ``claims.csv``."""


def claim(
    sentence: str,
    evidence: Evidence,
    *,
    margin: float | None = None,
    below: float | None = None,
    within: tuple[float, float] | None = None,
    expect: Outcome = "holds",
    alpha: float = 0.01,
) -> None:
    """Judge a sentence, print the verdict on one line, and fail if another was expected.

    The sentence says that the effect is greater than ``margin``, or less than ``below``, or
    inside ``within``: state one of them, in the unit of the effect (a ratio for ratios). With
    `equivalent`, ``margin`` means within it on both sides. Exact evidence needs none.

    Several statistical claims in one cell stand in ``with several(k):``, which divides alpha by
    k (Bonferroni). In a notebook, a second one outside it is refused: correction cannot be
    forgotten.

    Raises
    ------
    ClaimError
        After printing: the verdict is not the one in ``expect``.
    ValueError
        An empty or many-lined sentence; no margin or two; a margin that cannot be; alpha
        outside (0, 0.5); an unknown ``expect``; a second claim in a cell without `several`.
    TypeError
        Evidence that is something else.
    """
    verdict = judge(
        sentence, evidence, margin=margin, below=below, within=within, expect=expect, alpha=alpha
    )
    if not evidence.exact:
        _family.count(sentence)
    print(verdict.line())
    made.append(verdict)
    table = outputs.table_path("claims")
    if table is not None:
        outputs.write_csv(table, [one.to_dict() for one in made])
    if not verdict.as_expected:
        raise ClaimError(f"expected {expect}, found {verdict.verdict}: {sentence}")


def judge(
    sentence: str,
    evidence: Evidence,
    *,
    margin: float | None = None,
    below: float | None = None,
    within: tuple[float, float] | None = None,
    expect: Outcome = "holds",
    alpha: float = 0.01,
) -> Verdict:
    """The verdict on a sentence, without printing, keeping or raising it: for pilots.

    Arguments and errors as for `claim`, `ClaimError` excepted. Inside `several`, alpha is divided
    as it is there.
    """
    if not isinstance(sentence, str) or not sentence.strip() or "\n" in sentence:
        raise ValueError(f"sentence is {sentence!r}: give the claim in words, on one line")
    if not isinstance(evidence, Evidence):
        raise TypeError(
            f"evidence is a {type(evidence).__name__}: give what paired, equivalent, spread, "
            "slope, separation or exact returns"
        )
    if expect not in OUTCOMES:
        raise ValueError(f"expect is {expect!r}: use one of {', '.join(OUTCOMES)}")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha is {alpha}: give a level between 0 and 0.5, for instance 0.01")
    target = _target(evidence, margin, below, within)
    of = 1 if evidence.exact else _family.size
    low, high = evidence.interval(alpha / of)
    return Verdict(
        verdict=compare(low, high, target, exact=evidence.exact),
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
    )


@contextmanager
def several(k: int) -> Iterator[None]:
    """Share alpha between the k statistical claims made inside (Bonferroni).

    Raises ValueError for k < 2, inside another `several`, and at its end if the number of
    claims made is not k. Exact claims need no correction and do not count.
    """
    if isinstance(k, bool) or not isinstance(k, int) or k < 2:
        raise ValueError(f"k is {k!r}: give the number of claims, 2 or more")
    if _family.size > 1:
        raise ValueError("several(...) inside several(...): name all the claims in the outer one")
    _family.refuse_second("several(...)")
    _family.size, _family.made = k, 0
    try:
        yield
        if _family.made != k:
            raise ValueError(
                f"several({k}) held {_family.made} statistical claims: give their true number"
            )
    finally:
        _family.size = 1


class _Family:
    """How many claims share alpha just now, and which notebook cell has made one already."""

    size = 1
    made = 0
    cell: int | None = None

    def count(self, sentence: str) -> None:
        if self.size == 1:
            self.refuse_second(repr(sentence))
        self.made += 1
        self.cell = _running_cell()

    def refuse_second(self, what: str) -> None:
        if self.cell is not None and self.cell == _running_cell():
            raise ValueError(
                f"this cell has made a claim already, and {what} comes on top: put all of its "
                "claims into one 'with several(k):', k their number, so that they share alpha"
            )


_family = _Family()


def _running_cell() -> object:
    """What tells one execution of a cell from the next; None outside notebooks.

    IPython's own count stands still where cells are run without history, as nbval runs them, so
    in a kernel it is the identity of the request.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        return kernel.get_parent().get("header", {}).get("msg_id")
    return None if shell is None else shell.execution_count


def _target(
    evidence: Evidence,
    margin: float | None,
    below: float | None,
    within: tuple[float, float] | None,
) -> tuple[float, float]:
    """The open range that the sentence claims for the effect."""
    stated = [value for value in (margin, below, within) if value is not None]
    if not stated and evidence.default is not None:
        return evidence.default
    if len(stated) != 1:
        raise ValueError(
            f"{len(stated)} margins stated: give exactly one of margin= (more than), below= "
            "(less than) and within= (between)"
        )
    if evidence.quantity == "exceptions":
        raise ValueError("exact(...) allows no exceptions, and so takes no margin")
    low, high = -math.inf, math.inf
    if within is not None:
        low, high = map(float, within)
        if not low < high:
            raise ValueError(f"within is {within}: give (lower, upper)")
    elif below is not None:
        high = float(below)
    elif evidence.symmetric:
        high = float(margin)
        low = 1 / high if evidence.ratio and high else -high
        if not low < high:
            neutral = "1 (a ratio)" if evidence.ratio else "0"
            raise ValueError(f"margin is {margin}: two equivalent arms need one above {neutral}")
    else:
        low = float(margin)
    bounds = [bound for bound in (low, high) if math.isfinite(bound)]
    if not bounds or math.isnan(low) or math.isnan(high):
        raise ValueError(f"the margin {stated[0]} is not a number to compare with")
    if evidence.ratio and min(bounds) <= 0:
        raise ValueError(f"the margin {stated[0]} stands for a ratio: give one above 0, as 1.5")
    return low, high
