"""Claims: how they read, their margins, several at once, what is kept of them."""

import json
import math
import re
import sys

import numpy as np
import pytest
from scipy import stats

from lrcourse.claims import (
    CHANCE,
    FALSE_ALARM,
    ClaimError,
    Evidence,
    claim,
    equivalent,
    exact,
    judge,
    made,
    most_that_differ,
    page,
    paired,
    several,
)

BASE = np.array([0.91, 0.88, 0.93, 0.90, 0.92, 0.89, 0.905, 0.915, 0.885, 0.925])
NOISE = 0.003 * np.array([1, -1, 0.5, -0.5, 2, -2, 0, 1.5, -1.5, 0.2])


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.delenv("LRCOURSE_OUT", raising=False)
    with page():
        yield


def verdict(evidence_, **stated):
    return judge("A sentence", evidence_, **stated).verdict


def test_one_line_with_all_that_a_reader_needs(capsys):
    assert claim("Decay wins", paired(BASE + 0.03 + NOISE, BASE), margin=0.002) is None
    printed = capsys.readouterr().out
    assert re.fullmatch(
        r"HOLDS \| Decay wins \| 10 seeds, difference \+0\.0301 \[\+0\.0\d+, \+0\.0\d+\], "
        r"margin > 0\.002 \(paired t, alpha \.01\)\n",
        printed,
    )


def test_the_interval_is_scipys():
    found = judge("x", paired(BASE + 0.03 + NOISE, BASE), margin=0.0)
    reference = stats.ttest_rel(BASE + 0.03 + NOISE, BASE).confidence_interval(0.99)
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high))
    assert found.effect == pytest.approx((0.03 + NOISE).mean())


@pytest.mark.parametrize(
    ("shift", "expected"), [(0.03, "holds"), (0.01, "undecided"), (-0.03, "fails")]
)
def test_three_verdicts(shift, expected):
    assert verdict(paired(BASE + shift + NOISE, BASE), margin=0.01) == expected


def test_the_opposite_verdict_fails_after_printing(capsys):
    with pytest.raises(ClaimError, match="expected holds, found fails: Decay loses"):
        claim("Decay loses", paired(BASE - 0.03 + NOISE, BASE), margin=0)
    assert capsys.readouterr().out.startswith("FAILS (expected holds) | Decay loses | 10 seeds")
    assert isinstance(ClaimError("x"), AssertionError)
    assert [one.verdict for one in made()] == ["fails"]


@pytest.mark.parametrize(("shift", "expect"), [(0.0, "undecided"), (-0.03, "fails")])
def test_honest_expectations_are_marked(shift, expect, capsys):
    claim("So it is", paired(BASE + shift + NOISE, BASE), margin=0.0, expect=expect)
    assert capsys.readouterr().out.startswith(f"{expect.upper()} (expected) | So it is |")


def test_judge_is_silent_and_keeps_nothing(capsys):
    found = judge("Wrong", paired(BASE - 0.03 + NOISE, BASE), margin=0)
    assert (found.verdict, found.differs) == ("fails", "opposite")
    assert capsys.readouterr().out == "" and made() == []
    assert json.loads(json.dumps(found.to_dict()))["margin_above"] == 0
    assert found.to_dict()["margin_below"] is None


def test_less_than_and_negative_margins():
    worse = paired(BASE - 0.03 + NOISE, BASE)
    assert verdict(worse, below=0) == "holds"
    assert verdict(worse, below=-0.1) == "not that large"
    assert verdict(worse, margin=-0.1) == "holds"  # not worse by more than 0.1
    assert verdict(worse, margin=-0.01) == "fails"
    assert verdict(worse, within=(-0.1, -0.01)) == "holds"
    assert "margin -0.1 to -0.01 (" in judge("x", worse, within=(-0.1, -0.01)).line()
    assert "margin < 0 (" in judge("x", worse, below=0).line()


def test_ratios_of_best_rates():
    rates = 10 ** (BASE + NOISE)
    thirty = paired(30 * rates, 10**BASE, log=True)
    found = judge("SGD's best rate is far above", thirty, margin=10)
    reference = stats.ttest_rel(np.log(30 * rates), np.log(10**BASE)).confidence_interval(0.99)
    assert (found.low, found.high) == pytest.approx(
        (math.exp(reference.low), math.exp(reference.high))
    )
    assert found.verdict == "holds" and found.line().endswith("(paired t on logs, alpha .01)")
    assert verdict(thirty, margin=100) == "not that large"
    with pytest.raises(ValueError, match="above 0"):
        judge("x", thirty, margin=0)
    with pytest.raises(ValueError, match="not above 0"):
        paired(BASE - 0.9, BASE, log=True)


@pytest.mark.parametrize(
    ("shift", "margin", "expected"),
    [
        (0.0, 0.02, "holds"),
        (0.0, 0.001, "undecided"),
        (0.03, 0.03, "undecided"),
        (0.03, 0.01, "fails"),
        (-0.03, 0.01, "fails"),
    ],
)
def test_equivalence(shift, margin, expected):
    assert verdict(equivalent(BASE + shift + NOISE, BASE), margin=margin) == expected


def test_equivalence_of_ratios_is_symmetric():
    one_way = judge("x", equivalent(BASE + NOISE, BASE, log=True), margin=1.1)
    other_way = judge("x", equivalent(BASE, BASE + NOISE, log=True), margin=1.1)
    assert one_way.margin == pytest.approx((1 / 1.1, 1.1))
    assert one_way.verdict == other_way.verdict == "holds"
    for margin in (1.0, 0.5, 0.0, -2):
        with pytest.raises(ValueError, match=r"above 1 \(a ratio\)"):
            judge("x", equivalent(BASE + NOISE, BASE, log=True), margin=margin)
    with pytest.raises(ValueError, match="above 0"):
        judge("x", equivalent(BASE + NOISE, BASE), margin=0)
    with pytest.raises(ValueError, match="takes margin="):
        judge("x", equivalent(BASE + NOISE, BASE), below=0.1)


def test_differences_all_alike_are_a_point():
    same = judge("x", paired([0.75] * 10, [0.5] * 10, method="sign"), margin=0.2)
    assert (same.low, same.effect, same.high) == (0.25, 0.25, 0.25)
    assert same.verdict == "holds"
    tenth = [0.1] * 10
    assert verdict(paired(tenth, [0.0] * 10, method="sign"), margin=0.1) == "undecided"
    assert verdict(paired(tenth, tenth, method="sign"), margin=0) == "undecided"


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({}, "0 margins stated"),
        ({"margin": 0, "below": 1}, "2 margins stated"),
        ({"within": (1, 0)}, r"within must be \(lower, upper\); got \(1, 0\)"),
        ({"within": (0, math.nan)}, r"within\[1\] must be a finite number; got nan"),
        ({"margin": math.nan}, "margin must be a finite number; got nan"),
        ({"below": math.inf}, "below must be a finite number; got inf"),
        ({"margin": 10**400}, "margin must be a finite number"),
        ({"margin": 0, "alpha": 0.0}, r"alpha must be a level > 0 and <= 0\.1.*; got 0\.0"),
        ({"margin": 0, "alpha": 5}, "alpha must be .*; got 5"),
        ({"margin": 0, "alpha": 0.11}, "alpha must be .*; got 0.11"),
        ({"margin": 0, "expect": "true"}, "one of 'holds', 'fails', 'undecided'; got 'true'"),
    ],
)
def test_arguments_that_cannot_be(stated, message):
    with pytest.raises(ValueError, match=message):
        claim("x", paired(BASE + NOISE, BASE), **stated)
    assert made() == []


@pytest.mark.parametrize(
    "stated",
    [
        {"margin": "0.5"},
        {"margin": True},
        {"margin": [0]},
        {"below": b"1"},
        {"within": "01"},
        {"within": ("0", "1")},
        {"margin": 0, "alpha": "0.01"},
        {"margin": 0, "alpha": None},
        {"margin": 0, "expect": 1},
    ],
)
def test_arguments_of_another_kind(stated):
    name = list(stated)[-1]
    with pytest.raises(TypeError, match=f"claim: {name}"):
        claim("x", paired(BASE + NOISE, BASE), **stated)
    assert made() == []


@pytest.mark.parametrize("sentence", ["", "  ", "two\nlines", None, b"x", 3])
def test_a_claim_is_a_sentence(sentence):
    error = ValueError if isinstance(sentence, str) else TypeError
    with pytest.raises(error, match="in words, on one line"):
        judge(sentence, exact([True]))


def test_evidence_must_be_evidence():
    with pytest.raises(TypeError, match=r"evidence must be what paired, .* returns; got True"):
        judge("x", True)


def test_scipy_missing_is_said_clearly(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ImportError, match=r"pip install 'lrcourse\[course\]'"):
        judge("x", paired(BASE + NOISE, BASE), margin=0)


def test_several_share_alpha(capsys):
    arms = paired(BASE + NOISE, BASE)
    with several(2):
        claim("One", arms, within=(-0.1, 0.1))
        claim("Of no account", exact([True]))
        claim("Two", arms, margin=-0.1)
    reference = stats.ttest_rel(BASE + NOISE, BASE).confidence_interval(0.995)
    assert (made()[0].low, made()[0].high) == pytest.approx(tuple(reference))
    assert capsys.readouterr().out.count("alpha .01/2)") == 2
    assert judge("x", arms, margin=-0.1).of == 1


def test_several_counts():
    arms = paired(BASE + NOISE, BASE)
    with pytest.raises(ValueError, match="held 1 statistical claims"), several(2):
        claim("One", arms, margin=-0.1)
    with pytest.raises(ValueError, match="outer one"), several(2), several(2):
        pass
    with pytest.raises(ClaimError), several(2):
        claim("One", arms, margin=0.1)
    for k in (1, 0, 2.5):
        with pytest.raises(ValueError, match="k must be a whole number from 2"), several(k):
            pass
    for k in (True, "2", None):
        with pytest.raises(TypeError, match="k must be a whole number from 2"), several(k):
            pass
    assert judge("x", arms, margin=0).of == 1


def test_a_second_claim_in_a_notebook_cell_is_refused():
    arms, cell = paired(BASE + NOISE, BASE), [1]
    with page(cell=lambda: cell[0]):
        claim("One", arms, margin=-0.1)
        claim("Exact ones need no correction", exact([True]))
        with pytest.raises(ValueError, match="this cell has made a claim already"):
            claim("Two", arms, margin=-0.1)
        with pytest.raises(ValueError, match="this cell has made a claim already"), several(2):
            pass
        cell[0] = 2
        with several(2):
            claim("One", arms, margin=-0.1)
            claim("Two", arms, margin=-0.1)
        with pytest.raises(ValueError, match="this cell has made a claim already"):
            claim("Three", arms, margin=-0.1)


# Verdicts that differ on another processor

UNSURE = paired(BASE + NOISE, BASE)


@pytest.mark.parametrize(
    ("shift", "expect", "differs", "said"),
    [
        (0.0, "holds", "weaker", "UNDECIDED on this processor (expected holds) | So"),
        (0.0, "fails", "weaker", "UNDECIDED on this processor (expected fails) | So"),
        (0.03, "undecided", "decided", "HOLDS on this processor (expected undecided) | So"),
        (-0.03, "undecided", "decided", "FAILS on this processor (expected undecided) | So"),
    ],
)
def test_a_verdict_that_is_weaker_or_decided_here_is_told_and_fails_nothing(
    shift, expect, differs, said, capsys
):
    claim("So", paired(BASE + shift + NOISE, BASE), margin=0.0, expect=expect)
    assert capsys.readouterr().out.startswith(said)
    assert [one.differs for one in made()] == [differs]


@pytest.mark.parametrize("expect", ["fails", "undecided"])
def test_exact_evidence_knows_no_chance(expect):
    with pytest.raises(ClaimError, match=f"expected {expect}, found holds"):
        claim("Two and two are four", exact(2 + 2 == 4), expect=expect)


def test_more_that_differ_than_chance_allows_fail():
    sure = paired(BASE + 0.03 + NOISE, BASE)
    for k in range(5):
        claim(f"Sure {k}", sure, margin=0.0)
        claim(f"Exact {k} do not count", exact([True]))
    for k in range(4):
        claim(f"Unsure {k}", UNSURE, margin=0.0)
    with pytest.raises(ClaimError, match=r"5 of 10 statistical verdicts .* explains 4 at most"):
        claim("Unsure, one more", UNSURE, margin=0.0)
    with pytest.raises(ClaimError, match="5 of 10"):
        claim("Unsure, one more", UNSURE, margin=0.0)


def test_a_cell_that_is_run_again_and_again_counts_once():
    for _ in range(20):
        claim("Unsure", UNSURE, margin=0.0)
    assert len(made()) == 20


def test_most_that_differ_is_the_tail_of_a_binomial():
    for n in (1, 2, 5, 17, 60, 1000):
        most = most_that_differ(n)
        assert stats.binom.sf(most, n, CHANCE) < FALSE_ALARM or most == n
        assert stats.binom.sf(most - 1, n, CHANCE) >= FALSE_ALARM
    assert most_that_differ(0) == 0


def alarm(chance, claims):
    """The chance that a page fails at one of its claims, each differing with some chance."""
    going, alarmed = {0: 1.0}, 0.0
    for n in range(1, claims + 1):
        most = most_that_differ(n)
        after = dict.fromkeys(range(n + 1), 0.0)
        for differ, share in going.items():
            after[differ] += share * (1 - chance)
            after[differ + 1] += share * chance
        alarmed += sum(share for differ, share in after.items() if differ > most)
        going = {differ: share for differ, share in after.items() if differ <= most}
    return alarmed


def test_a_page_looked_at_after_every_claim_rarely_fails_by_chance():
    assert alarm(CHANCE, 60) < 5e-4
    assert alarm(0.02, 60) < 5e-6
    assert alarm(0.5, 20) > 0.95  # and one that has lost half of its effects does fail


def test_an_effect_at_the_margin_but_for_rounding_is_on_neither_side():
    doubled = [math.exp(math.log(0.2) - math.log(0.1))] * 10  # 2 - 2e-16
    assert doubled[0] < 2
    alike = paired(doubled, [0.0] * 10, method="sign")
    assert verdict(alike, margin=2) == "undecided"
    assert verdict(alike, below=2) == "undecided"
    assert verdict(alike, margin=2 - 1e-9) == "holds"
    ratios = paired([0.2] * 10, [0.1] * 10, log=True, method="sign")
    assert verdict(ratios, margin=2) == "undecided"


def test_an_interval_that_cannot_be_computed_is_an_error():
    far = [1.7e308, -1.7e308] * 3
    with pytest.raises(ValueError, match="too far apart"):
        paired(far, [-value for value in far])
    broken = Evidence(6, "seeds", "difference", 1.0, "none", lambda alpha: (math.nan, 2.0))
    with pytest.raises(ValueError, match="its interval nan to 2"):
        judge("x", broken, margin=0)
