"""The claims of one notebook: which share alpha, and how many may differ from what they expect."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lrcourse.claims.verdicts import Verdict
from lrcourse.support.checks import arguments, function, whole
from lrcourse.support.notebook import running_cell

CHANCE = 0.05
"""Chance that a statistical claim differs on another processor: 7 of 143, found by simulation."""
FALSE_ALARM = 1e-4
"""A notebook fails where so many differ with less than this chance.

The number is looked at after every claim. A notebook of 60 claims that each differ with `CHANCE`
then fails with a chance of 0.0005, and of 0.000004 where each differs with a chance of 0.02.
"""


class Page:
    """The claims of one notebook: which share alpha, which cell made them, what came of them."""

    def __init__(self, cell: Callable[[], object] = running_cell) -> None:
        self.made: list[Verdict] = []
        self.sharing = 1
        self._cell = cell
        self._counted = 0
        self._last: object = None

    def count(self, sentence: str) -> None:
        """Note a statistical claim; ValueError where it would escape the correction."""
        if self.sharing == 1:
            self._refuse_second(repr(sentence))
        self._counted += 1
        self._last = self._cell()

    @contextmanager
    def several(self, k: int) -> Iterator[None]:
        if self.sharing > 1:
            raise ValueError(
                "several(...) inside several(...): name all the claims in the outer one"
            )
        self._refuse_second("several(...)")
        self.sharing, self._counted = k, 0
        try:
            yield
            if self._counted != k:
                raise ValueError(
                    f"several({k}) held {self._counted} statistical claims: give their true number"
                )
        finally:
            self.sharing = 1

    def too_many_differ(self) -> str | None:
        """What to say where more statistical claims differ than chance allows."""
        latest = {one.sentence: one for one in self.made if not one.exact}
        differ = sum(one.differs != "no" for one in latest.values())
        most = most_that_differ(len(latest))
        if differ <= most:
            return None
        return (
            f"{differ} of {len(latest)} statistical verdicts of this notebook differ from those "
            f"expected, and another processor explains {most} at most: something has changed"
        )

    def _refuse_second(self, what: str) -> None:
        if self._last is not None and self._last == self._cell():
            raise ValueError(
                f"this cell has made a claim already, and {what} comes on top: put all of its "
                "claims into one 'with several(k):', k their number, so that they share alpha"
            )


_pages = [Page()]


@contextmanager
@arguments(cell=function)
def page(cell: Callable[[], object] = running_cell) -> Iterator[list[Verdict]]:
    """Claims made inside count together and apart from all others, as those of one notebook.

    A kernel needs none: its claims are a page. `cell` tells one cell from the next. Gives the
    list that the verdicts are added to.

    >>> from lrcourse.claims import claim, exact, page
    >>> with page() as verdicts:
    ...     claim("Two and two are four", exact(2 + 2 == 4))
    HOLDS | Two and two are four | 1 case, exceptions 0, margin < 1 (exact)
    >>> verdicts[0].verdict
    'holds'
    """
    _pages.append(Page(cell))
    try:
        yield _pages[-1].made
    finally:
        _pages.pop()


def made() -> list[Verdict]:
    """Every claim of this notebook so far, in order; a headless run keeps them as `claims.csv`.

    >>> from lrcourse.claims import claim, exact, made, page
    >>> with page():
    ...     claim("Two and two are four", exact(2 + 2 == 4))
    ...     [verdict.sentence for verdict in made()]
    HOLDS | Two and two are four | 1 case, exceptions 0, margin < 1 (exact)
    ['Two and two are four']
    """
    return list(_pages[-1].made)


@arguments(claims=whole(0, 1000))
def most_that_differ(claims: int) -> int:
    """How many of so many statistical `claims` may differ from what was expected.

    The largest number that comes up with a chance of `FALSE_ALARM` or more where each differs
    with the chance `CHANCE`, independently of the others.

    >>> from lrcourse.claims import most_that_differ
    >>> [most_that_differ(n) for n in (1, 2, 4, 10, 30)]
    [1, 2, 3, 4, 7]
    """
    beyond, most = 1.0, -1
    while beyond >= FALSE_ALARM and most < claims:
        most += 1
        beyond -= math.comb(claims, most) * CHANCE**most * (1 - CHANCE) ** (claims - most)
    return most


def current() -> Page:
    """The page that a claim made now belongs to."""
    return _pages[-1]


@contextmanager
@arguments(k=whole(2, 1000))
def several(k: int) -> Iterator[None]:
    """Share alpha between the k statistical claims made inside (Bonferroni).

    Raises:
        ValueError: k < 2; inside another `several`; at its end if the number of claims made is
            not k. Exact claims need no correction and do not count.

    >>> from lrcourse.claims import claim, page, paired, several
    >>> gain = paired([0.95, 0.96, 0.94, 0.95, 0.97, 0.96], [0.9] * 6)
    >>> with page(), several(2):
    ...     claim("It helps", gain, margin=0)
    ...     claim("By less than a tenth", gain, below=0.1)
    HOLDS | It helps | 6 seeds, difference +0.0550 [+0.0346, +0.0754], \
margin > 0 (paired t, alpha .01/2)
    HOLDS | By less than a tenth | 6 seeds, difference +0.0550 [+0.0346, +0.0754], \
margin < 0.1 (paired t, alpha .01/2)
    """
    with _pages[-1].several(k):
        yield
