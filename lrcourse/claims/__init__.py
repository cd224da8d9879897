"""Sentences as tests: evidence over seeds, a margin, and a verdict on one line."""

from lrcourse.claims.counts import exact, share
from lrcourse.claims.evidence import Evidence
from lrcourse.claims.flips import flips
from lrcourse.claims.judging import ClaimError, check, claim, judge
from lrcourse.claims.margins import Margin, read_margins
from lrcourse.claims.over_seeds import equivalent, paired, slope, spread
from lrcourse.claims.pages import CHANCE, FALSE_ALARM, made, most_that_differ, page, several
from lrcourse.claims.quoting import quote
from lrcourse.claims.splits import over_splits
from lrcourse.claims.verdicts import SANITIZE, Verdict, read_lines, summarise

__all__ = [
    "CHANCE",
    "FALSE_ALARM",
    "SANITIZE",
    "ClaimError",
    "Evidence",
    "Margin",
    "Verdict",
    "check",
    "claim",
    "equivalent",
    "exact",
    "flips",
    "judge",
    "made",
    "most_that_differ",
    "over_splits",
    "page",
    "paired",
    "quote",
    "read_lines",
    "read_margins",
    "several",
    "share",
    "slope",
    "spread",
    "summarise",
]
