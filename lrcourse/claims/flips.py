"""How often claims came out otherwise on seeds never used before: read from `results/soak.csv`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from lrcourse.claims.intervals import clopper_pearson
from lrcourse.support.checks import arguments, each, shown

_NEEDED = {"page", "claim", "stored", "here"}
_FAILS = {"not that large": "fails"}  # it is a way to fail


@dataclass(frozen=True)
class Flips:
    """What a soak says of the claims; `print` it.

    Attributes:
        claims: how many there are.
        judged: how often one of them was judged on fresh seeds.
        differ: how often it came out otherwise than is stored.
        turned: how often of these it held where it had failed, or the other way round.
        twice: (page, claim) of those that came out otherwise twice or more.
    """

    claims: int
    judged: int
    differ: int
    turned: int
    twice: tuple[tuple[str, str], ...]

    @property
    def rate(self) -> float:
        """The share of judgements that came out otherwise, from 0 to 1."""
        return self.differ / self.judged

    def __str__(self) -> str:
        low, high = (float(end) for end in clopper_pearson(self.differ, self.judged)(0.05))
        claims = f"{self.claims} claim{'s' if self.claims > 1 else ''}"
        rate = (
            f"{100 * self.rate:.1f} %; with 95 % confidence {100 * low:.1f} % to {100 * high:.1f} %"
        )
        said = (
            f"{claims}, judged {self.judged} times on fresh seeds: {self.differ} came out "
            f"otherwise ({rate}), "
            f"{self.turned} of them the opposite way."
        )
        named = "; ".join(f"“{claim}” ({page})" for page, claim in self.twice)
        return f"{said} Otherwise twice: {named}." if named else said


def _row(owner: str, name: str, value: object) -> Mapping[str, str]:
    """Rule: a row of `results/soak.csv`."""
    if isinstance(value, Mapping) and value.keys() >= _NEEDED:
        return value
    raise TypeError(f"{owner}: {name} must have {', '.join(sorted(_NEEDED))}; got {shown(value)}")


@arguments(rows=each(_row))
def flips(rows: Iterable[Mapping[str, str]]) -> Flips:
    """How many verdicts came out otherwise on fresh seeds, and which claims did so twice.

    `rows` are those of `results/soak.csv`: a page, a claim, its verdict as stored and here. A claim
    that is "not that large" fails; one that is "missing" on either side has come out otherwise.

    >>> from lrcourse.claims import flips
    >>> one = {"page": "claims", "claim": "Decay wins", "stored": "holds", "here": "undecided"}
    >>> print(flips([one, one | {"here": "holds"}]))
    1 claim, judged 2 times on fresh seeds: 1 came out otherwise (50.0 %; with 95 % \
confidence 1.3 % to 98.7 %), 0 of them the opposite way.
    """
    rows = list(rows)
    pairs = [tuple(_FAILS.get(row[side], row[side]) for side in ("stored", "here")) for row in rows]
    otherwise = np.array([stored != here for stored, here in pairs])
    names = [(row["page"], row["claim"]) for row in rows]
    often = Counter(name for name, differs in zip(names, otherwise, strict=True) if differs)
    return Flips(
        claims=len(set(names)),
        judged=len(rows),
        differ=int(otherwise.sum()),
        turned=sum(set(pair) == {"holds", "fails"} for pair in pairs),
        twice=tuple(name for name, times in often.items() if times > 1),
    )
