"""The file of margins: what it may hold, and what a claim says of its entry there."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from helpers.repository import ROOT

from lrcourse.claims import (
    SANITIZE,
    ClaimError,
    Margin,
    claim,
    equivalent,
    judge,
    made,
    page,
    paired,
    read_lines,
    read_margins,
    share,
)

BASE = np.array([0.91, 0.88, 0.93, 0.90, 0.92, 0.89, 0.905, 0.915, 0.885, 0.925])
NOISE = 0.003 * np.array([1, -1, 0.5, -0.5, 2, -2, 0, 1.5, -1.5, 0.2])
ENTRY = {
    "sentence": '"It helps"',
    "margin": '"> 0.01"',
    "reason": '"One image of a hundred can be seen."',
    "n": "10",
    "seeds": '"0-9"',
    "power": "0.9",
    "effect": "0.03",
    "sd": "0.01",
}


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.delenv("LRCOURSE_OUT", raising=False)
    with page():
        yield


@pytest.fixture
def written(tmp_path):
    """Writes a file with one entry, some of its fields changed (None: left out); gives its path."""
    path = tmp_path / "margins.toml"

    def write(heading="[[01-size]]", **changed):
        fields = {**ENTRY, **changed}
        lines = [heading, *(f"{k} = {v}" for k, v in fields.items() if v is not None)]
        path.write_text("\n".join(lines), encoding="utf-8")
        return path

    return write


@pytest.fixture
def in_file(written, monkeypatch):
    """The same, as the course's own file."""
    monkeypatch.setattr("lrcourse.claims.margins.MARGINS", written())
    return written


def of(shift):
    return paired(BASE + shift + NOISE, BASE)


# Not that large


@pytest.mark.parametrize(
    ("shift", "stated", "verdict"),
    [
        (0.03, {"margin": 0.1}, "not that large"),  # it helps, and by less
        (0.0, {"margin": 0.1}, "not that large"),  # whether it helps is undecided
        (-0.03, {"margin": 0.1}, "fails"),  # it harms
        (-0.03, {"below": -0.1}, "not that large"),
        (0.03, {"below": -0.1}, "fails"),
        (-0.03, {"margin": 0}, "fails"),
        (-0.03, {"margin": -0.01}, "fails"),  # a margin on this side of no effect inflates nothing
        (0.03, {"within": (0.1, 0.2)}, "fails"),
        (0.2, {"margin": 0.1}, "holds"),
    ],
)
def test_a_sentence_that_fails_at_its_margin_alone_is_not_that_large(shift, stated, verdict):
    assert judge("x", of(shift), **stated).verdict == verdict


def test_no_effect_is_1_for_ratios_and_shares_have_none():
    ratio = paired(np.exp(of(0.0).effect + NOISE), np.ones(10), log=True)
    assert judge("x", ratio, margin=2).verdict == "not that large"
    assert judge("x", ratio, below=0.5).verdict == "not that large"
    assert judge("x", paired(0.5 + NOISE, np.ones(10), log=True), margin=2).verdict == "fails"
    assert judge("x", share([True] * 10 + [False] * 30), margin=0.9).verdict == "fails"
    rare = share(dict.fromkeys(range(30), 0), {k: k > 25 for k in range(30)})
    assert judge("x", rare, margin=2).verdict == "undecided"
    assert judge("x", equivalent(BASE + 0.03 + NOISE, BASE), margin=0.01).verdict == "fails"


@pytest.mark.parametrize(
    ("evidence", "stated", "said"),
    [
        (of(0.0), {"margin": 0.1}, ", no effect (0) inside, margin > 0.1 "),
        (of(0.0), {"margin": 0}, ", no effect (0) inside, margin > 0 "),
        (paired(1 + NOISE, np.ones(10), log=True), {"below": 2}, ", no effect (1) inside, margin"),
        (of(0.03), {"margin": 0}, None),
        (share([True, False] * 10), {"margin": 0.1}, None),
    ],
)
def test_the_line_says_whether_no_effect_lies_inside(evidence, stated, said):
    verdict = judge("x", evidence, **stated)
    assert verdict.no_effect_inside == (said is not None)
    assert verdict.to_dict()["no_effect_inside"] == verdict.no_effect_inside
    assert (said or "], margin ") in verdict.line()
    assert ("inside" in verdict.line()) == (said is not None)


def test_who_expects_that_it_fails_expects_that_it_is_not_that_large(capsys):
    claim("It helps a lot", of(0.03), margin=0.1, expect="fails")
    assert capsys.readouterr().out.startswith("NOT THAT LARGE (expected) | It helps a lot | 10")
    assert made()[0].differs == "no" and made()[0].to_dict()["verdict"] == "not that large"
    with pytest.raises(ClaimError, match="expected holds, found not that large"):
        claim("So it does", of(0.03), margin=0.1)
    claim("Or does it", of(0.03), margin=0.1, expect="undecided")
    assert [one.differs for one in made()] == ["no", "opposite", "decided"]
    printed = capsys.readouterr().out
    assert "NOT THAT LARGE (expected holds) | So" in printed
    assert "NOT THAT LARGE on this processor (expected undecided) | Or" in printed
    assert [row["differs"] for row in read_lines(printed)] == ["opposite", "decided"]


def masked(line):
    for pattern, replacement in SANITIZE:
        line = re.sub(pattern, replacement, line)
    return line


def test_nbval_passes_over_no_effect_and_over_the_way_to_fail():
    less, other = (judge("x", of(by), margin=0.1, expect="fails").line() for by in (0.0, -0.03))
    assert less.startswith("NOT THAT LARGE (expected) |") and "inside" in less
    assert other.startswith("FAILS (expected) |")
    assert masked(less) == masked(other)
    decided = judge("x", of(0.0), margin=0.1, expect="undecided").line()
    unsure = judge("x", of(0.0), margin=0, expect="undecided").line()
    assert masked(decided).replace("> 0.1", "> 0") == masked(unsure)
    opposite = judge("x", of(0.0), margin=0.1).line()
    assert masked(opposite) != masked(opposite.replace(" (expected holds)", ""))


# The file


def test_an_entry_is_read(written):
    path = written(revision="2", moved='["From 0.02: undecided."]')
    assert read_margins(path) == {
        "01-size": {
            "It helps": Margin(
                "It helps", "> 0.01", "One image of a hundred can be seen.", 10, "0-9", 0.9, 0.03,
                0.01, 2, ("From 0.02: undecided.",),
            )
        }
    }  # fmt: skip


def test_a_file_that_has_changed_is_read_again(written):
    assert read_margins(written())["01-size"]["It helps"].n == 10
    path = written(n="12")
    os.utime(path, ns=(1, 1))
    assert read_margins(path)["01-size"]["It helps"].n == 12


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n": None}, r"\[\[01-size\]\], entry 1 \('It helps'\) lacks n"),
        ({"n": None, "power": None}, "lacks n, power"),
        ({"sentence": None}, r"entry 1 lacks sentence"),
        ({"margn": "1"}, "has 'margn', which is none of sentence, margin, reason"),
        ({"n": "0"}, r"\('It helps'\): n must be a whole number .*; got 0"),
        ({"n": '"10"'}, "n must be a whole number"),
        ({"reason": '" "'}, "reason must be words; got ' '"),
        ({"power": "90"}, "power must be a number from 0 to 1; got 90"),
        ({"effect": "[0.1]"}, "effect must be a number or two shares"),
        ({"effect": "[1.1, 0]"}, r"effect\[0\] must be a number from 0 to 1"),
        ({"sd": "0"}, "sd must be a finite number > 0"),
        ({"revision": "3"}, "moved is \\[\\] for revision 3: give 2 sentences, what moved and why"),
        ({"moved": '["So."]'}, r"moved is \['So.'\] for revision 1: give 0"),
        ({"heading": "[01-size]"}, r"a page is a list of entries: begin each with \[\[01-size\]\]"),
        ({"heading": "[[01-size"}, "cannot be read as TOML"),
    ],
)
def test_what_is_no_entry_is_told_with_file_entry_and_mend(written, changed, message):
    path = written(**changed)
    with pytest.raises(ValueError, match=message) as told:
        read_margins(path)
    assert str(told.value).startswith(str(path))


def test_a_sentence_stands_once(written):
    path = written()
    path.write_text(f"{path.read_text()}\n{path.read_text().replace('01-size', 'claims')}")
    with pytest.raises(ValueError, match=r"'It helps' stands in \[\[01-size\]\] too: leave one"):
        read_margins(path)


# What a claim says of its entry


def test_a_claim_says_how_often_its_margin_has_moved(in_file):
    assert "revision" not in judge("It helps", of(0.03), margin=0.01).line()
    in_file(revision="3", moved='["From 0.03: undecided.", "From 0.02: undecided."]')
    found = judge("It helps", of(0.03), margin=0.01)
    assert found.line().endswith("(paired t, alpha .01, revision 3)")
    assert found.to_dict()["revision"] == 3
    plain = judge("It does not stand there", of(0.03), margin=0.01)
    assert plain.revision is None and plain.line().endswith("(paired t, alpha .01)")
    assert masked(found.line()).endswith("(paired t, alpha .01)")


def test_a_margin_that_is_not_the_planned_one_is_told(in_file):
    assert "planned" not in judge("It helps", of(0.03), margin=0.01).line()
    other = judge("It helps", of(0.03), margin=0.001).line()
    assert other.endswith("margin > 0.001 (paired t, alpha .01, planned > 0.01)")


def test_a_claim_names_a_file_that_it_cannot_read(in_file):
    path = in_file(n="-1")
    with pytest.raises(ValueError, match="n must be a whole number") as told:
        judge("It helps", of(0.03), margin=0.01)
    assert str(path) in str(told.value)


def test_outside_of_the_repository_a_claim_needs_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr("lrcourse.claims.margins.MARGINS", tmp_path / "none" / "margins.toml")
    assert judge("It helps", of(0.03), margin=0.01).revision is None


def test_seeds_are_kept_where_the_arms_name_them():
    arms = [dict(zip([*range(20, 24), *range(3)], values, strict=True)) for values in
            (BASE[:7] + NOISE[:7], BASE[:7])]  # fmt: skip
    assert judge("x", paired(*arms), margin=0).to_dict()["seeds"] == "0-2, 20-23"
    assert judge("x", paired(BASE + NOISE, BASE), margin=0).to_dict()["seeds"] == ""
    assert judge("x", share({k: True for k in (4, 5, 9)}), margin=0.1).seeds == (4, 5, 9)
    dead = paired({**arms[0], 30: 0.1}, {**arms[1], 30: 0.9}, dead_below=0.5)
    assert judge("x", dead, margin=0).to_dict()["seeds"] == "0-2, 20-23, 30"


def test_reading_the_file_costs_a_claim_next_to_nothing():
    program = (
        "import time; from lrcourse.claims import read_margins\n"
        "read_margins(); start = time.perf_counter()\n"
        "for _ in range(100): read_margins()\n"
        "assert time.perf_counter() - start < 0.1"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)
