"""How the values behind a median lie about a margin: what decides whether other seeds turn it.

An interval between order statistics lies above a margin if few enough values do not. Where values
tie, as rates of a grid do, its ends say nothing of how many those are.
"""

from __future__ import annotations

import math

import numpy as np

from lrcourse.claims.evidence import Evidence

_ROUNDING = 1e-9


def about(evidence: Evidence, target: tuple[float, float]) -> str:
    """How many values do not lie above each finite end of a margin, and how many not below it.

    In words, as in "2 not above, 19 not below"; of two ends one after the other, with a semicolon.
    A pair that never came anywhere counts against both. Nothing for other evidence than a median.
    """
    if not evidence.values:
        return ""
    values = np.asarray(evidence.values)
    told = []
    for end in filter(math.isfinite, target):
        at = math.log(end) if evidence.ratio else end
        near = _ROUNDING * max(abs(at), 1e-3)
        above, below = int(np.sum(values > at + near)), int(np.sum(values < at - near))
        told.append(f"{len(values) - above} not above, {len(values) - below} not below")
    return "; ".join(told)
