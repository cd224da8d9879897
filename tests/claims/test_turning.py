"""The chance that fresh seeds turn a claim, against simulation."""

import importlib.util
import sys

import numpy as np
import pytest
from helpers.repository import ROOT

from lrcourse.claims import judge, paired, share

spec = importlib.util.spec_from_file_location("turning", ROOT / "tools" / "turning.py")
turning = importlib.util.module_from_spec(spec)
sys.modules["turning"] = turning  # a dataclass looks its module up
spec.loader.exec_module(turning)


def row(verdict):
    return {k: "" if v is None else str(v) for k, v in verdict.to_dict().items()}


def of_normal(effect, n, expect, log=False, **margin):
    """A claim whose sample has exactly this mean and a standard deviation of 1."""
    values = np.random.default_rng(0).normal(size=n)
    values = effect + (values - values.mean()) / values.std(ddof=1)
    if log:
        return judge("x", paired(np.exp(values), np.ones(n), log=True), expect=expect, **margin)
    return judge("x", paired(values, np.zeros(n)), expect=expect, **margin)


@pytest.mark.parametrize(
    ("effect", "expect", "stated"),
    [
        (1.0, "holds", {"margin": 0}),
        (1.2, "holds", {"margin": 0}),
        (-1.2, "fails", {"margin": 0}),
        (1.2, "fails", {"below": 0}),
        (0.4, "undecided", {"margin": 0}),
        (0.0, "holds", {"within": (-1.1, 1.1)}),
    ],
)
def test_the_chance_is_that_of_a_fresh_sample(effect, expect, stated):
    judged = of_normal(effect, 20, expect, **stated)
    rng, fresh = np.random.default_rng(1), 3000
    turned = 0
    for _ in range(fresh):
        true = effect + rng.normal() / np.sqrt(20)  # what the first sample may have missed by
        try:
            again = judge("x", paired(true + rng.normal(size=20), np.zeros(20)), **stated)
        except ValueError:  # one in a thousand normal samples is refused
            continue
        turned += again.verdict != expect
    assert judged.verdict == expect
    assert turning.turn("page", row(judged)).chance == pytest.approx(turned / fresh, abs=0.04)


def test_ratios_are_taken_on_the_logarithm():
    ratio = of_normal(1.0, 20, "holds", log=True, margin=1)
    plain = of_normal(1.0, 20, "holds", margin=0)
    assert turning.turn("p", row(ratio)).chance == pytest.approx(
        turning.turn("p", row(plain)).chance
    )


def test_a_sure_claim_and_one_without_spread_hardly_turn():
    assert turning.turn("p", row(of_normal(3.0, 20, "holds", margin=0))).chance < 1e-6
    same = judge("x", paired([1.0] * 8, [0.0] * 8, method="sign"), margin=0)
    assert turning.turn("p", row(same)).chance == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("happened", "expect", "stated"),
    [
        (30, "holds", {"margin": 0.5}),
        (40, "holds", {"margin": 0.8}),
        (20, "undecided", {"margin": 0.4}),
    ],
)
def test_a_fresh_count_is_drawn_for_a_share(happened, expect, stated):
    judged = judge("x", share([True] * happened + [False] * (40 - happened)), **stated)
    assert judged.verdict == expect
    rng, turned, fresh = np.random.default_rng(2), 0, 1000
    for _ in range(fresh):
        rate = rng.beta(happened + 0.5, 40 - happened + 0.5)
        turned += judge("x", share(rng.random(40) < rate), **stated).verdict != expect
    found = turning.turn("page", row(judged) | {"expected": expect})
    assert found.chance == pytest.approx(turned / fresh, abs=0.05)


def test_a_fresh_count_is_drawn_for_two_arms_on_the_same_seeds():
    def arms(a, b):
        return [dict(enumerate(one)) for one in (a, b)]

    sure = judge("x", share(*arms([1] * 30, [0] * 30)), margin=1)
    assert turning.turn("page", row(sure)).chance < 1e-3
    close = judge("x", share(*arms([1] * 9 + [0] * 5, [0] * 14)), margin=1)
    assert close.verdict == "holds" and 0.1 < turning.turn("page", row(close)).chance < 0.9
    apart = judge("x", share([True] * 9, [False] * 9), margin=1)
    assert turning.turn("page", row(apart)) is None


def of_steps(shares, n, margin, expect, rng):
    """A claim on the median of ratios from a grid of steps of 2, with these shares."""
    ratios = rng.choice([0.5, 1.0, 2.0, 4.0], size=n, p=shares)
    evidence = paired(ratios, np.ones(n), log=True, method="sign")
    return judge("x", evidence, margin=margin, expect=expect)


@pytest.mark.parametrize("margin", [1.0, 1.5, 2.0])
def test_a_median_on_a_grid_is_turned_by_how_many_values_lie_beyond_the_margin(margin):
    rng, shares = np.random.default_rng(4), [0.1, 0.15, 0.3, 0.45]
    told, seen = [], []
    for _ in range(300):
        first = of_steps(shares, 24, margin, "holds", rng)
        told.append(turning.turn("p", row(first)).chance)
        seen.append(of_steps(shares, 24, margin, "holds", rng).verdict != "holds")
    assert np.mean(told) == pytest.approx(np.mean(seen), abs=0.08)


def test_ties_at_the_margin_speak_for_neither_side():
    tied = judge("x", paired([2.0] * 30, [1.0] * 30, log=True, method="sign"), margin=2)
    assert row(tied)["about"] == "30 not above, 30 not below"
    assert turning.turn("p", row(tied) | {"expected": "undecided"}).chance < 1e-6
    beyond = judge("x", paired([4.0] * 30, [1.0] * 30, log=True, method="sign"), margin=2)
    assert turning.turn("p", row(beyond)).chance < 1e-3
    near = [4.0] * 23 + [2.0] * 7
    close = judge("x", paired(near, [1.0] * 30, log=True, method="sign"), margin=2)
    assert close.verdict == "holds" and 0.3 < turning.turn("p", row(close)).chance < 0.7


def test_a_median_within_two_ends_has_counts_at_both():
    values = np.random.default_rng(5).normal(0, 1, 40)
    wide = judge("x", paired(values, np.zeros(40), method="sign"), within=(-2, 2))
    assert row(wide)["about"].count("not above") == 2
    assert turning.turn("p", row(wide)).chance < 0.01
    never = judge(
        "x",
        paired([1.0, np.inf] * 10, [3.0, np.inf] * 10, method="sign"),
        below=0,
        expect="undecided",
    )
    assert row(never)["about"] == "20 not above, 10 not below"


def test_dead_runs_are_no_degrees_of_freedom():
    values = np.random.default_rng(0).normal(0.9, 0.01, 20)
    dead = judge("x", paired([0.1] * 8 + list(values[8:]), [0.88] * 20, dead_below=0.5), margin=0)
    left = judge("x", paired(values[8:], [0.88] * 12), margin=0)
    assert turning.turn("p", row(dead)) == turning.turn("p", row(left))


def test_the_opposite_is_told_apart_from_the_weaker():
    far = turning.turn("p", row(of_normal(1.0, 20, "holds", margin=0)))
    assert far.opposite < 1e-6 < far.weaker


def test_the_table_sums_up_what_is_to_be_expected():
    turns = turning.read(sorted(ROOT.glob("results/*/tables/claims.csv")))
    assert len(turns) > 100
    assert sum(one.chance for one in turns) < 1
    assert max(one.opposite for one in turns) < 1e-4
    said = turning.table(turns, above=0.01).splitlines()
    assert said[-1].endswith("turned round")
    assert len(said) == 2 + sum(one.chance > 0.01 for one in turns)
