"""The margins of the notebooks' claims stand in one file, with reasons, and are those claimed."""

import re

import numpy as np
import pytest
from helpers.repository import ROOT, tool

from lrcourse.claims import Margin, judge, paired, read_margins, share
from lrcourse.commands.chapters import find_chapters

margins = tool("margins")
PLANNED = read_margins(ROOT / "notebooks" / "margins.toml")
ENTRIES = [(page, margin) for page, row in PLANNED.items() for margin in row.values()]
ROW = {
    "sentence": "It helps", "n": "10", "counted": "seeds", "quantity": "difference",
    "expected": "holds", "margin_above": "0.01", "margin_below": "", "alpha": "0.01", "of": "1",
    "test": "paired t", "revision": "1", "seeds": "0-9",
    "effect": "0.03", "low": "0.0197", "high": "0.0403",
}  # fmt: skip
ENTRY = Margin("It helps", "> 0.01", "A point.", 10, "0-9", 0.993, 0.03, 0.01)


def told(row=None, entry=None):
    """The differences between one claim and one entry; None: there is none."""
    rows = {} if row is None else {"page": {row["sentence"]: row}}
    entries = {} if entry is None else {"page": {entry.sentence: entry}}
    return list(margins.differences(rows, entries))


def test_every_statistical_claim_has_its_entry_and_every_entry_its_claim():
    there = margins.claims()
    # A page that was executed before its claims kept revisions is compared when it is executed.
    newer = {
        page
        for page, rows in there.items()
        if any("revision" in row and row["revision"] for row in rows.values())
    }
    assert newer
    found = margins.differences(
        {page: there[page] for page in newer},
        {page: row for page, row in PLANNED.items() if page in newer},
    )
    assert "\n".join(found) == ""


def test_an_entry_belongs_to_a_page():
    assert PLANNED.keys() <= {page.label for page in find_chapters(ROOT / "notebooks")}


@pytest.mark.parametrize(("page", "margin"), ENTRIES, ids=lambda one: getattr(one, "margin", one))
def test_a_reason_is_a_sentence(page, margin):
    for sentence in (margin.reason, *margin.moved):
        assert re.fullmatch(r"\S.{15,}[.?]", sentence), (page, margin.sentence, sentence)


def test_a_claim_with_its_entry_is_as_planned():
    assert told(ROW, ENTRY) == []


def with_(**changed):
    return Margin(**{**vars(ENTRY), **changed})


@pytest.mark.parametrize(
    ("row", "entry", "message"),
    [
        (
            ROW,
            None,
            r"\[\[page\]\] has no entry for 'It helps': take the draft of .*margins.py page",
        ),
        (None, ENTRY, "has an entry for 'It helps', which the page does not claim: leave it out"),
        (ROW | {"margin_above": "0.02"}, ENTRY, "margin > 0.02, the entry > 0.01; mend the entry"),
        (ROW | {"n": "12"}, ENTRY, "has n 12, the entry 10"),
        (ROW | {"seeds": "5-14"}, ENTRY, "has seeds 5-14, the entry 0-9"),
        (ROW | {"revision": "2"}, ENTRY, "has revision 2, the entry 1"),
        (ROW, with_(power=0.5), r"has power \(for its effect and sd\) 0.9\d+, the entry 0.5"),
    ],
)
def test_what_differs_is_told_with_its_mend(row, entry, message):
    assert any(re.search(message, line) for line in told(row, entry))


def test_a_draft_is_an_entry_but_for_its_reason(tmp_path):
    path = tmp_path / "margins.toml"
    path.write_text(margins.draft("page", ROW), encoding="utf-8")
    with pytest.raises(ValueError, match="reason must be words"):
        read_margins(path)
    path.write_text(margins.draft("page", ROW, reason="A point can be seen."), encoding="utf-8")
    assert told(ROW, read_margins(path)["page"]["It helps"]) == []


# The power is that of simulation


def simulated(expected, repeats, draw, **stated):
    """The share of samples with the expected verdict; one that is refused has none."""
    verdicts = []
    for _ in range(repeats):
        try:
            verdicts.append(judge("x", draw(), **stated).verdict.replace("not that large", "fails"))
        except ValueError:
            verdicts.append("refused")
    return verdicts.count(expected) / repeats


@pytest.mark.parametrize(
    ("row", "effect", "stated"),
    [
        ({}, 0.022, {"margin": 0.01}),
        ({"expected": "fails", "margin_above": "0.03"}, 0.018, {"margin": 0.03}),
        ({"expected": "undecided"}, 0.013, {"margin": 0.01}),
        ({"test": "sign test", "n": "20"}, 0.02, {"margin": 0.01}),
        (
            {"test": "paired t, equivalence", "margin_above": "-0.015", "margin_below": "0.015"},
            0.002,
            {"within": (-0.015, 0.015)},
        ),
    ],
)
def test_power_of_samples(row, effect, stated):
    row = ROW | row
    n, rng = int(row["n"]), np.random.default_rng(0)
    method = "sign" if row["test"] == "sign test" else "t"
    found = simulated(
        row["expected"],
        600,
        lambda: paired(rng.normal(effect, 0.01, n), np.zeros(n), method=method),
        **stated,
    )
    assert margins.power_of(with_(n=n, effect=effect), row) == pytest.approx(found, abs=0.06)


def test_power_of_counts():
    rng, n = np.random.default_rng(1), 24
    one = ROW | {"test": "Clopper-Pearson", "n": "24", "margin_above": "0.5"}
    entry = with_(n=n, effect=0.8, sd=None)
    found = simulated("holds", 400, lambda: share(rng.random(n) < 0.8), margin=0.5)
    assert margins.power_of(entry, one) == pytest.approx(found, abs=0.07)
    two = ROW | {"test": "McNemar", "n": "24", "margin_above": "1", "quantity": "odds ratio"}
    entry = with_(n=n, effect=(0.6, 0.1), sd=None)

    def arms():
        return share(*(dict(enumerate(rng.random(n) < p)) for p in (0.6, 0.1)))

    found = simulated("holds", 400, arms, margin=1)
    assert margins.power_of(entry, two) == pytest.approx(found, abs=0.07)
