"""Sentences as tests: evidence over seeds, a margin, and a verdict on one line."""

from lrcourse.claims.evidence import Evidence, equivalent, exact, paired, separation, slope, spread
from lrcourse.claims.judging import ClaimError, claim, judge, made, several
from lrcourse.claims.verdicts import SANITIZE, Verdict

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
