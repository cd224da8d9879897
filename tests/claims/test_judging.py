"""Claims: how they read, their margins, several at once, what is kept of them."""

import json
import math
import os
import re
import sys

import numpy as np
import pytest
from helpers.repository import ROOT
from scipy import stats

from lrcourse.claims import ClaimError, claim, equivalent, exact, judge, paired, separation, several
from lrcourse.claims import judging as claims

BASE = np.array([0.91, 0.88, 0.93, 0.90, 0.92, 0.89, 0.905, 0.915, 0.885, 0.925])
NOISE = 0.003 * np.array([1, -1, 0.5, -0.5, 2, -2, 0, 1.5, -1.5, 0.2])


ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.delenv("LRCOURSE_OUT", raising=False)
    monkeypatch.setattr(claims, "made", [])
    monkeypatch.setattr(claims, "_family", claims._Family())


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
    made = judge("x", paired(BASE + 0.03 + NOISE, BASE), margin=0.0)
    reference = stats.ttest_rel(BASE + 0.03 + NOISE, BASE).confidence_interval(0.99)
    assert (made.low, made.high) == pytest.approx((reference.low, reference.high))
    assert made.effect == pytest.approx((0.03 + NOISE).mean())


@pytest.mark.parametrize(
    ("shift", "expected"), [(0.03, "holds"), (0.01, "undecided"), (-0.03, "fails")]
)
def test_three_verdicts(shift, expected):
    assert verdict(paired(BASE + shift + NOISE, BASE), margin=0.01) == expected


def test_another_verdict_than_expected_fails_after_printing(capsys):
    with pytest.raises(ClaimError, match="expected holds, found fails: Decay loses"):
        claim("Decay loses", paired(BASE - 0.03 + NOISE, BASE), margin=0)
    assert capsys.readouterr().out.startswith("FAILS (expected holds) | Decay loses | 10 seeds")
    assert isinstance(ClaimError("x"), AssertionError)
    assert [one.verdict for one in claims.made] == ["fails"]


@pytest.mark.parametrize(("shift", "expect"), [(0.0, "undecided"), (-0.03, "fails")])
def test_honest_expectations_are_marked(shift, expect, capsys):
    claim("So it is", paired(BASE + shift + NOISE, BASE), margin=0.0, expect=expect)
    assert capsys.readouterr().out.startswith(f"{expect.upper()} (expected) | So it is |")


def test_judge_is_silent_and_keeps_nothing(capsys):
    made = judge("Wrong", paired(BASE - 0.03 + NOISE, BASE), margin=0)
    assert (made.verdict, made.as_expected) == ("fails", False)
    assert capsys.readouterr().out == "" and claims.made == []
    assert json.loads(json.dumps(made.to_dict()))["margin_above"] == 0
    assert made.to_dict()["margin_below"] is None


def test_clearance_counts_in_lengths_of_the_interval():
    evidence_ = paired(BASE + 0.03 + NOISE, BASE)
    made = judge("x", evidence_, margin=0)
    length = made.high - made.low
    assert made.clearance == pytest.approx(made.low / length)
    assert judge("x", evidence_, below=0).clearance == pytest.approx(made.low / length)
    assert judge("x", evidence_, margin=made.effect).clearance == pytest.approx(-0.5)
    middle = judge("x", evidence_, within=(made.low - length, made.high + 2 * length))
    assert middle.clearance == pytest.approx(1)
    assert judge("x", separation([0], [1])).clearance == math.inf


def test_less_than_and_negative_margins():
    worse = paired(BASE - 0.03 + NOISE, BASE)
    assert verdict(worse, below=0) == "holds"
    assert verdict(worse, below=-0.1) == "fails"
    assert verdict(worse, margin=-0.1) == "holds"  # not worse by more than 0.1
    assert verdict(worse, margin=-0.01) == "fails"
    assert verdict(worse, within=(-0.1, -0.01)) == "holds"
    assert "margin -0.1 to -0.01 (" in judge("x", worse, within=(-0.1, -0.01)).line()
    assert "margin < 0 (" in judge("x", worse, below=0).line()


def test_ratios_of_best_rates():
    rates = 10 ** (BASE + NOISE)
    thirty = paired(30 * rates, 10**BASE, log=True)
    made = judge("SGD's best rate is far above", thirty, margin=10)
    reference = stats.ttest_rel(np.log(30 * rates), np.log(10**BASE)).confidence_interval(0.99)
    assert (made.low, made.high) == pytest.approx(
        (math.exp(reference.low), math.exp(reference.high))
    )
    assert made.verdict == "holds" and made.line().endswith("(paired t on logs, alpha .01)")
    assert verdict(thirty, margin=100) == "fails"
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
            judge("x", equivalent(BASE, BASE, log=True), margin=margin)
    with pytest.raises(ValueError, match="above 0"):
        judge("x", equivalent(BASE, BASE), margin=0)


def test_differences_all_alike_are_a_point():
    same = judge("x", paired([0.75] * 10, [0.5] * 10), margin=0.2)
    assert (same.low, same.effect, same.high) == (0.25, 0.25, 0.25)
    assert same.verdict == "holds" and same.clearance == math.inf
    tenth = [0.1] * 10
    assert verdict(paired(tenth, [0.0] * 10), margin=0.1) == "undecided"
    assert verdict(paired(tenth, tenth), margin=0) == "undecided"


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({}, "0 margins stated"),
        ({"margin": 0, "below": 1}, "2 margins stated"),
        ({"within": (1, 0)}, r"\(1, 0\): give \(lower, upper\)"),
        ({"within": (0, math.nan)}, "lower, upper"),
        ({"margin": math.nan}, "nan is not a number"),
        ({"below": math.inf}, "inf is not a number"),
        ({"margin": 0, "alpha": 0.0}, "alpha is 0.0"),
        ({"margin": 0, "alpha": 5}, "alpha is 5"),
        ({"margin": 0, "expect": "true"}, "use one of holds, fails, undecided"),
    ],
)
def test_arguments_that_cannot_be(stated, message):
    with pytest.raises(ValueError, match=message):
        claim("x", paired(BASE, BASE), **stated)
    assert claims.made == []


@pytest.mark.parametrize("sentence", ["", "  ", "two\nlines", None])
def test_a_claim_is_a_sentence(sentence):
    with pytest.raises(ValueError, match="in words, on one line"):
        judge(sentence, exact([True]))


def test_evidence_must_be_evidence():
    with pytest.raises(TypeError, match="evidence is a bool"):
        judge("x", True)


def test_scipy_missing_is_said_clearly(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ImportError, match=r"pip install 'lrcourse\[course\]'"):
        judge("x", paired(BASE, BASE), margin=0)


def test_several_share_alpha(capsys):
    arms = paired(BASE + NOISE, BASE)
    with several(2):
        claim("One", arms, within=(-0.1, 0.1))
        claim("Of no account", exact([True]))
        claim("Two", arms, margin=-0.1)
    reference = stats.ttest_rel(BASE + NOISE, BASE).confidence_interval(0.995)
    assert (claims.made[0].low, claims.made[0].high) == pytest.approx(tuple(reference))
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
    for k in (1, 0, True, 2.0):
        with pytest.raises(ValueError, match="2 or more"), several(k):
            pass
    assert judge("x", arms, margin=0).of == 1


def test_a_second_claim_in_a_notebook_cell_is_refused(monkeypatch):
    arms, cell = paired(BASE + NOISE, BASE), [1]
    monkeypatch.setattr(claims, "_running_cell", lambda: cell[0])
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
