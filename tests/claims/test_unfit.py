"""In a notebook, values that no interval is right on leave a planned claim undecided."""

import math
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from lrcourse.claims import (
    SANITIZE,
    claim,
    equivalent,
    judge,
    over_splits,
    page,
    paired,
    read_margins,
    slope,
    spread,
)

SENTENCE = next(iter(next(iter(read_margins().values()))))
TIED = [2.0] * 6 + [1.0, 3.0, 4.0, 5.0]
DIED = [math.nan, *np.linspace(1, 2, 9)]
LINE = np.linspace(1, 2, 10)
ROWS = np.arange(1, 4) * np.reshape(TIED, (-1, 1))
BY_SPLIT = {(k, seed): float(seed) for k in range(6) for seed in range(8)}
UNFIT = {
    "ties": lambda: paired(TIED, np.zeros(10)),
    "ratios that tie": lambda: paired(TIED, np.ones(10), log=True),
    "a diverged run": lambda: paired(DIED, np.zeros(10)),
    "no ratios": lambda: paired(LINE - 1, LINE, log=True),
    "few that live": lambda: equivalent(LINE, LINE, dead_below=1.6),
    "never": lambda: paired([math.inf] * 8, [math.inf] * 8, method="sign"),
    "one spread": lambda: spread(np.where(LINE == 1, 99.0, LINE), LINE),
    "no spread": lambda: spread(np.ones(10), LINE),
    "slopes that tie": lambda: slope([1, 2, 3], ROWS),
    "a slope with NaN": lambda: slope([1, 2, 3], {k: [1, 2, math.nan] for k in range(6)}),
    "points with NaN": lambda: slope(LINE, DIED),
    "skewed splits": lambda: over_splits(
        {name: math.exp(value) for name, value in BY_SPLIT.items()}, BY_SPLIT
    ),
}
FIT = {
    "ties": lambda: paired(LINE, np.zeros(10)),
    "ratios that tie": lambda: paired(LINE, np.ones(10), log=True),
    "a diverged run": lambda: paired(LINE, np.zeros(10)),
    "no ratios": lambda: paired(LINE, np.ones(10), log=True),
    "few that live": lambda: equivalent(LINE, np.zeros(10), dead_below=0.5),
    "never": lambda: paired(LINE[:8], LINE[:8] ** 2, method="sign"),
    "one spread": lambda: spread(LINE, LINE[::-1]),
    "no spread": lambda: spread(LINE, LINE[::-1]),
    "slopes that tie": lambda: slope([1, 2, 3], ROWS + LINE[:, None] * [1, 2, 3]),
    "a slope with NaN": lambda: slope([1, 2, 3], {k: [k, 2 * k, 3 + k * k] for k in range(6)}),
    "points with NaN": lambda: slope(LINE, LINE**2),
    "skewed splits": lambda: over_splits(
        {(k, seed): 2 * seed + k / 9 for k, seed in BY_SPLIT}, BY_SPLIT
    ),
}


@pytest.fixture
def notebook(monkeypatch):
    shell = SimpleNamespace(kernel=None, execution_count=1)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))


def margin_of(evidence):
    return {"margin": 2 if evidence.symmetric else 0.5}


def compared(line):
    """What nbval compares of a verdict's line."""
    for pattern, replacement in SANITIZE:
        line = re.sub(pattern, replacement, line)
    return line


@pytest.mark.parametrize("kind", UNFIT)
def test_elsewhere_they_are_refused(kind):
    with pytest.raises(ValueError, match=r"."):
        UNFIT[kind]()


@pytest.mark.parametrize("kind", UNFIT)
def test_a_planned_claim_is_undecided_and_its_line_is_the_same_but_for_numbers(
    kind, notebook, capsys
):
    unfit = UNFIT[kind]()
    with page() as made:
        claim(SENTENCE, unfit, **margin_of(unfit))
    assert [one.differs for one in made] == ["weaker"]
    line = capsys.readouterr().out
    assert line.startswith(f"UNDECIDED on this processor (expected holds) | {SENTENCE} | {unfit.n}")
    assert "(refused: " in line and "nan" in line
    usual = judge(SENTENCE, FIT[kind](), **margin_of(unfit)).line() + "\n"
    assert compared(line).split(" | ")[1:] == compared(usual).split(" | ")[1:]


@pytest.mark.parametrize("kind", UNFIT)
def test_a_sentence_of_the_reader_is_refused_by_the_claim(kind, notebook):
    with pytest.raises(ValueError, match=r"."):
        judge("A sentence of mine", UNFIT[kind](), margin=2)


def test_a_wrong_argument_is_wrong_in_a_notebook_too(notebook):
    with pytest.raises(ValueError, match="too few for a claim"):
        paired([1.0] * 5, [2.0] * 5)
