"""What a sentence is about: living runs, and what was never reached."""

import math

import numpy as np
import pytest

from lrcourse.claims import equivalent, judge, paired

NOISE = 0.003 * np.array([1, -1, 0.5, -0.5, 2, -2, 0, 1.5, -1.5, 0.2])
ALIVE = 0.9 + NOISE
ONE_DEAD = np.where(np.arange(10) == 4, 0.1, ALIVE)
OTHER = np.full(10, 0.88)


def line(evidence, **stated):
    return judge("x", evidence, **stated).line()


def test_dead_runs_are_left_out_and_counted_in_the_line():
    other = np.where(np.arange(10) == 7, 0.12, OTHER)
    alive = [k for k in range(10) if k not in (4, 7)]
    made = judge("x", paired(ONE_DEAD, other, dead_below=0.15), margin=0.01)
    same = judge("x", paired(ALIVE[alive], OTHER[alive]), margin=0.01)
    assert (made.low, made.effect, made.high) == (same.low, same.effect, same.high)
    assert made.n == 10 and "| 10 seeds (2 dead, left out), difference +0.0188 [" in made.line()
    none = line(paired(ALIVE, OTHER, dead_below=0.15), margin=0)
    assert "| 10 seeds (0 dead, left out), difference" in none
    assert "(2 dead, left out)" in line(equivalent(ONE_DEAD, other, dead_below=0.15), margin=0.1)


def test_a_diverged_run_is_dead_on_either_side():
    losses = np.exp(NOISE)
    for far in (math.nan, math.inf, 2.4):
        broken = [far, *losses[1:]]
        made = paired(broken, losses[::-1], log=True, dead_above=2.3)
        assert made.counted == "seeds (1 dead, left out)"
    below = paired([math.nan, *ALIVE[1:]], OTHER, dead_below=0.15)
    assert below.counted == "seeds (1 dead, left out)"


@pytest.mark.parametrize(
    ("stated", "error", "message"),
    [
        ({"dead_below": 0.15, "dead_above": 2.3}, ValueError, "give one of them"),
        ({"dead_below": math.nan}, ValueError, "dead_below must be a finite number"),
        ({"dead_below": "0.15"}, TypeError, "dead_below must be a finite number"),
        ({"dead_below": 0.9}, ValueError, r"both arms live at 0 of 10 seeds.*share\("),
    ],
)
def test_what_a_dead_run_cannot_be(stated, error, message):
    with pytest.raises(error, match=message):
        paired(ALIVE, OTHER, **stated)


def test_never_in_both_arms_counts_against_the_sentence_whatever_it_says():
    never = math.inf
    quick = [100.0, 120, 110, 130, 105, 115, 125, 135, never, never]
    slow = [2 * updates for updates in quick]
    evidence = paired(quick, slow, log=True, method="sign")
    assert evidence.effect == pytest.approx(0.5)
    made = judge("x", evidence, below=0.9, alpha=0.1)
    assert (made.verdict, made.low, made.high) == ("undecided", 0, math.inf)
    assert judge("x", evidence, margin=0.1, alpha=0.1).verdict == "undecided"
    one = paired([*quick[:9], 100], [*slow[:9], never], log=True, method="sign")
    assert judge("x", one, below=0.9, alpha=0.1).verdict == "holds"
    with pytest.raises(ValueError, match="inf at position 8"):
        paired(quick, slow, log=True)
    with pytest.raises(ValueError, match=r"neither arm came there at any seed: .*share\("):
        paired([never] * 8, [never] * 8, method="sign")
    with pytest.raises(ValueError, match="nan at position 0"):
        paired([math.nan, *quick[1:]], slow, method="sign")
