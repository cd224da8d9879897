"""A verdict of one page shown on another: read from the table that its execution left."""

from __future__ import annotations

import csv
import difflib
import html
from dataclasses import dataclass

from lrcourse.claims.margins import MARGINS
from lrcourse.claims.verdicts import Verdict, verdict_of
from lrcourse.support.checks import TEXT, arguments, shown, such
from lrcourse.support.outputs import label_of

RESULTS = MARGINS.parents[1] / "results"


@dataclass(frozen=True)
class Quoted:
    """A stored verdict; a notebook shows it with its evidence folded."""

    verdict: Verdict

    def __repr__(self) -> str:
        return self.verdict.line()

    def _repr_html_(self) -> str:
        said, _, rest = html.escape(self.verdict.line()).partition(" | ")
        sentence, _, evidence = rest.rpartition(" | ")
        return (
            f"<details><summary><strong>{said}</strong>: {sentence}</summary>{evidence}</details>"
        )


@arguments(page=TEXT, sentence=such(TEXT, str.strip, "words"))
def quote(page: str, sentence: str) -> Quoted:
    """The verdict on a `sentence` that the notebook `page` claims, as it is stored in results/.

    Nothing is trained: the page itself is executed and tested, and this shows what came of it.
    `page` is the notebook's path in notebooks/ without the ending, as in "evidence/03-warmup".

    Raises ValueError where the page has no stored claims or makes no such one, with the nearest
    sentence; so it does where the package lies in no repository.

    >>> from lrcourse.claims import quote
    >>> quote("00-recipe", "The chosen rate is better")
    Traceback (most recent call last):
    ValueError: 00-recipe claims no 'The chosen rate is better'; the nearest is "On the test \
images the chosen rate's loss is less than a third of the default's"
    """
    table = RESULTS / label_of(page) / "tables" / "claims.csv"
    try:
        with table.open(encoding="utf-8", newline="") as lines:
            rows = {row["sentence"]: row for row in csv.DictReader(lines)}
        if not rows:
            raise KeyError("no row")
    except (OSError, KeyError, UnicodeDecodeError, csv.Error):
        there = sorted(path.parts[-3] for path in RESULTS.glob("*/tables/claims.csv"))
        raise ValueError(
            f"results/ holds no claims of {shown(page)}; of these it does: "
            f"{', '.join(there) or 'none, for the package lies in no repository'}"
        ) from None
    if sentence not in rows:
        nearest = difflib.get_close_matches(sentence, rows, n=1, cutoff=0)
        raise ValueError(f"{page} claims no {sentence!r}; the nearest is {nearest[0]!r}")
    return Quoted(verdict_of(rows[sentence]))
