"""The warmup article's formulas, with its counters, against ours: exactly the same rates."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrcourse import schedules as s


def two_stage(n, warm, total, init, end):
    """The article's code, its global_step n starting at 1."""
    if n < warm:
        return n / warm * init
    return end + 0.5 * (init - end) * (1 + math.cos(math.pi * (n - warm) / (total - warm)))


@given(
    warm=st.integers(2, 400),
    falling=st.integers(1, 2000),
    init=st.floats(1e-4, 10),
    share=st.floats(0, 1),
)
def test_two_stages(warm, falling, init, share):
    total, end = warm + falling, share * init
    ours = s.warmup(warm - 1, start=1 / warm).then(s.cosine(falling, floor=share))
    for n in {1, 2, warm - 1, warm, warm + 1, (warm + total) // 2, total}:
        expected = two_stage(n, warm, total, init, end)
        assert init * ours(n - 1) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_the_shorter_spelling_is_another_schedule():
    theirs = [two_stage(n, 5, 20, 1.0, 0.0) for n in range(1, 21)]
    ours = s.warmup(5).then(s.cosine(15))
    assert ours(4) == ours(5) == 1
    assert theirs[4] == 1 > theirs[5]
    assert max(abs(ours(t) - theirs[t]) for t in range(20)) > 0.09


@given(st.integers(1, 1000), st.integers(0, 2000))
def test_the_ramp_in_updates(warm, t):
    """C2: below W the rate is base * t / W, then base."""
    assert s.warmup(warm, start=0)(t) == pytest.approx(t / warm if t < warm else 1)


@given(st.integers(1, 1000), st.integers(0, 2000))
def test_burn_in(warm, t):
    """YOLO's darknet: (t / W) ** 4."""
    burn_in = s.warmup(warm, start=0, ramp="power")
    assert burn_in(t) == pytest.approx((t / warm) ** 4 if t < warm else 1)
