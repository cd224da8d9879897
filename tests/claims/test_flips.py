"""How often verdicts came out otherwise on seeds never used before."""

import pytest

from lrcourse.claims import flips


def row(claim, stored, here, page="claims"):
    return {"page": page, "claim": claim, "stored": stored, "here": here}


def test_what_came_out_otherwise_is_counted():
    found = flips(
        [
            row("a", "holds", "holds"),
            row("a", "holds", "undecided"),
            row("b", "holds", "fails"),
            row("c", "fails", "not that large"),
            row("c", "missing", "holds"),
        ]
    )
    assert (found.claims, found.judged, found.differ, found.turned) == (3, 5, 3, 1)
    assert found.rate == 0.6 and found.twice == ()
    assert str(found).startswith("3 claims, judged 5 times on fresh seeds: 3 came out otherwise")


def test_a_claim_that_flips_twice_is_listed():
    twice = [row("a", "holds", "undecided")] * 2
    found = flips([*twice, row("a", "holds", "undecided", page="other")])
    assert found.twice == (("claims", "a"),)
    assert "Otherwise twice: “a” (claims)." in str(found)


def test_what_is_no_soak_is_refused():
    with pytest.raises(TypeError, match="must have claim, here, page, stored"):
        flips([{"page": "claims"}])
    with pytest.raises(ValueError, match="1 or more"):
        flips([])
