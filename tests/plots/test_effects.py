"""Estimation plots: dots, interval, margin and edges are those of the evidence and the verdict."""

import dataclasses
import math

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from lrcourse import plots
from lrcourse.claims import exact, judge, over_splits, paired, share, spread

matplotlib.use("Agg")
WARM = {0: 0.95, 1: 0.96, 2: 0.94, 3: 0.955, 4: 0.97, 5: 0.965, 6: 0.948}
COLD = {0: 0.91, 1: 0.93, 2: 0.90, 3: 0.92, 4: 0.925, 5: 0.915, 6: 0.91}


@pytest.fixture
def drawn(monkeypatch):
    """Draws an effect and gives its axes."""
    close = plt.close
    monkeypatch.setattr(plt, "close", lambda *_: None)
    monkeypatch.setattr(plt, "show", lambda: None)

    def draw(evidence, **options):
        verdict = judge("It helps", evidence, **options)
        plots.effect(verdict, label="accuracy")
        return plt.gcf().axes[0], verdict

    yield draw
    close("all")


def dots(axes):
    found = [line.get_xdata() for line in axes.lines if line.get_marker() == "o"]
    return sorted(float(x) for row in found for x in row)


def interval(axes):
    (line,) = [line for line in axes.lines if line.get_linewidth() == 2.6]
    return [float(x) for x in line.get_xdata()]


def texts(axes):
    return {text.get_text() for text in axes.texts}


def band(axes):
    (found,) = [one for one in axes.patches if one.get_alpha() == 0.14]
    low, high = found.get_extents().x0, found.get_extents().x1
    return tuple(axes.transData.inverted().transform([(low, 0), (high, 0)])[:, 0])


def test_a_dot_a_seed_the_interval_and_the_margin(drawn):
    axes, verdict = drawn(paired(WARM, COLD), margin=0.01)
    assert dots(axes) == pytest.approx(sorted(WARM[k] - COLD[k] for k in WARM))
    assert interval(axes) == pytest.approx([verdict.low, verdict.high])
    assert band(axes) == pytest.approx((0.01, axes.get_xlim()[1]))
    assert {"claimed", "no effect"} <= texts(axes)
    assert axes.get_title(loc="left") == "HOLDS: It helps" and axes.get_xlabel() == "accuracy"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["7 seeds", "mean"]


def test_the_band_lies_below_where_less_is_claimed(drawn):
    axes, _ = drawn(paired(COLD, WARM), below=-0.01)
    assert band(axes) == pytest.approx((axes.get_xlim()[0], -0.01))


def test_a_dead_seed_is_a_mark_at_the_edge(drawn):
    axes, _ = drawn(paired(WARM | {3: 0.1}, COLD, dead_below=0.15), margin=0.01)
    assert "1 dead" in texts(axes) and len(dots(axes)) == 6
    assert min(dots(axes)) > axes.get_xlim()[0]


def test_what_was_never_reached_is_a_mark_at_the_edge(drawn):
    late = {k: 10.0 + k for k in range(12)}
    never = late | {0: math.inf, 1: math.inf}
    other = dict.fromkeys(late, 5.0) | {0: math.inf}
    axes, verdict = drawn(paired(never, other, log=True, method="sign"), margin=1.5)
    assert {"1 in neither", "1 never in a"} <= texts(axes) and len(dots(axes)) == 10
    assert axes.get_xscale() == "log"
    assert interval(axes)[1] == min(verdict.high, axes.get_xlim()[1])


def test_each_split_has_a_row(drawn):
    rng = np.random.default_rng(0)
    names = [(k, seed) for k in (1, 2, 3, 5, 7, 8) for seed in range(4)]
    first = {name: float(rng.normal()) for name in names}
    axes, verdict = drawn(over_splits(first, dict.fromkeys(names, 0.0)), margin=0)
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert rows == ["split 1", "split 2", "split 3", "split 5", "split 7", "split 8", "mean"]
    assert dots(axes) == pytest.approx(sorted(first.values()))
    assert interval(axes) == pytest.approx([verdict.low, verdict.high])


def test_a_share_is_a_bar_and_two_arms_are_two(drawn):
    axes, verdict = drawn(share([True] * 22 + [False] * 2), margin=0.7)
    bars = [patch.get_width() for patch in axes.patches if patch.get_alpha() == 0.55]
    assert bars == [22 / 24] and band(axes) == pytest.approx((0.7, 1))
    ends = [line.get_xdata() for line in axes.lines if line.get_linewidth() == 2.2]
    assert ends[0] == pytest.approx([verdict.low, verdict.high])
    axes, _ = drawn(share([True] * 8 + [False] * 2, [False] * 10), margin=1)
    bars = [patch.get_width() for patch in axes.patches if patch.get_alpha() == 0.55]
    assert bars == [0.8, 0] and any(text.startswith("odds ratio inf") for text in texts(axes))


def test_evidence_without_points_shows_its_interval(drawn):
    axes, verdict = drawn(spread(WARM, COLD), below=20)
    assert dots(axes) == [] and interval(axes) == pytest.approx([verdict.low, verdict.high])


def test_what_cannot_be_drawn_is_refused():
    whole = judge("x", exact([True]))
    with pytest.raises(ValueError, match="verdict has no interval"):
        plots.effect(whole)
    of_a_table = dataclasses.replace(judge("x", paired(WARM, COLD), margin=0.1), evidence=None)
    with pytest.raises(ValueError, match="verdict comes from a table"):
        plots.effect(of_a_table)
    with pytest.raises(ValueError, match="no claim with an interval"):
        plots.effects([whole, of_a_table])


def test_all_claims_of_a_page_have_a_panel_each_but_for_exact_ones(monkeypatch):
    monkeypatch.setattr(plt, "close", lambda *_: None)
    monkeypatch.setattr(plt, "show", lambda: None)
    alive = share({k: 0.9 for k in range(20)}, dead_below=0.2)
    verdicts = [
        judge("It helps", paired(WARM, COLD), margin=0.01),
        judge("All do", exact([True])),
        judge("By a lot", paired(WARM, COLD), margin=0.2, expect="fails"),
        judge("Few die", alive, below=0.4),
    ]
    plots.effects(verdicts)
    drawn = [axes for axes in plt.gcf().axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in drawn] == [
        "HOLDS: It helps", "NOT THAT LARGE: By a lot", "HOLDS: Few die"
    ]  # fmt: skip
    of_each = sorted(WARM[k] - COLD[k] for k in WARM)
    assert dots(drawn[0]) == dots(drawn[1]) == pytest.approx(of_each)
    plt.gcf().clf()


@pytest.mark.parametrize(
    ("values", "stated"),
    [
        (WARM, {"margin": 0}),
        (WARM, {"margin": 0.001}),
        (COLD, {"below": 0}),
        (WARM, {"within": (-0.2, 0.2)}),
        (COLD, {"margin": 0.3, "expect": "fails"}),
        (WARM, {"below": -0.3, "expect": "fails"}),
    ],
)
def test_what_is_claimed_and_no_effect_are_read_apart(drawn, values, stated):
    other = COLD if values is WARM else WARM
    axes, _ = drawn(paired(values, other), **stated)
    axes.figure.canvas.draw()
    boxes = {text.get_text(): text.get_window_extent() for text in axes.texts}
    assert not boxes["claimed"].overlaps(boxes["no effect"])
    assert all(axes.bbox.x0 <= one.x0 and one.x1 <= axes.bbox.x1 for one in boxes.values())
