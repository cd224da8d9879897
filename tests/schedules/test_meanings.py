"""What each shape gives at the t's that matter, how plateau counts, and how all of them print."""

from __future__ import annotations

import dataclasses
import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from helpers import formulas
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcourse import schedules
from lrcourse import schedules as s
from lrcourse.schedules import (
    constant,
    cosine,
    cyclical,
    exp_range,
    exponential,
    from_function,
    multistep,
    one_cycle,
    plateau,
    power,
    restarts,
    step,
    triangular2,
    warmup,
    wsd,
)

fraction = st.floats(0, 1)
examples = settings(max_examples=120, deadline=None)


def test_warmup_wastes_no_update_and_is_at_the_peak_at_the_last_one():
    assert warmup(5)(range(7)).tolist() == [0.2, 0.4, 0.6, 0.8, 1, 1, 1]
    assert warmup(4, start=0)(range(6)).tolist() == [0, 0.25, 0.5, 0.75, 1, 1]
    assert warmup(4, start=0.5)(range(5)).tolist() == [0.5, 0.625, 0.75, 0.875, 1]
    assert warmup(3, start=0.1, ramp="constant")(range(5)).tolist() == [0.1, 0.1, 0.1, 1, 1]
    np.testing.assert_allclose(warmup(2, start=0.01, ramp="geometric")(range(4)), [0.01, 0.1, 1, 1])
    assert warmup(2, ramp="power", exponent=2)(range(3)).tolist() == [0.25, 1, 1]
    assert warmup(10, ramp="exponential")(0) == pytest.approx(1 - math.exp(-1 / 2))
    assert warmup(10, ramp="exponential")(10) == 1


@examples
@given(length=st.integers(1, 10**6))
def test_the_last_update_of_a_warmup_is_exactly_at_the_peak(length):
    assert warmup(length)(length - 1) == 1
    assert warmup(length, ramp="power")(length - 1) == 1
    assert warmup(length, start=0.3)(length) == 1


@examples
@given(
    total=st.integers(2, 3000),
    share=fraction,
    start=fraction,
    end=fraction,
    anneal=st.sampled_from(["cosine", "linear"]),
)
def test_one_cycle_reaches_its_peak_and_its_end_at_every_total(total, share, start, end, anneal):
    shape = one_cycle(total, share, start, end, anneal)
    peak_at = shape.peak_at
    assert shape(peak_at) == 1
    assert shape([total - 1, total, 10 * total]).tolist() == [end] * 3
    if share > 0 and total > 2:
        assert 1 <= peak_at <= total - 2
        wanted = round(share * total) - 1
        assert peak_at == wanted or not 1 <= wanted <= total - 2
        assert shape(0) == start
    else:
        assert peak_at == 0
    around = shape([max(peak_at - 1, 0), peak_at, peak_at + 1])
    assert around[0] <= 1 >= around[2]


@pytest.mark.parametrize("multiply", [1, 2, 3, 1.1, 1.5, 2.3, 3.5])
@pytest.mark.parametrize("first", [1, 2, 7, 10, 0.1, 0.5])
@pytest.mark.parametrize("decay", [1, 0.5])
def test_restarts_are_exactly_at_the_peak(first, multiply, decay):
    shape = restarts(first, multiply, floor=0.01, decay=decay)
    first, multiply = (Fraction(str(number)) for number in (first, multiply))
    begin, seen = Fraction(0), 0
    for cycle in range(60):
        if begin == int(begin) and begin < 10**6:
            seen += 1
            assert shape(int(begin)) == max(0.01, decay**cycle)
            if begin:
                assert shape(np.nextafter(float(begin), 0)) < 0.011
        begin += first * multiply**cycle
    assert seen >= 1


def test_restarts_keep_their_floor_and_their_peaks():
    shape = restarts(4, floor=0.3, decay=0.5)
    assert shape([0, 4, 8, 12]).tolist() == [1, 0.5, 0.3, 0.3]
    assert shape(2) == pytest.approx(0.65)
    assert restarts(3)(3 * 10**9) == 1


def test_cyclical_scales():
    shape = cyclical(2, 0.2, scale=triangular2)
    np.testing.assert_allclose(shape([0, 2, 4, 6, 8, 10]), [0.2, 1, 0.2, 0.6, 0.2, 0.4])
    assert pickle.loads(pickle.dumps(triangular2)) is triangular2
    own = cyclical(2, 0.2, scale=lambda cycle, t: 1 / cycle)
    assert own(6) == pytest.approx(0.6)


@pytest.mark.parametrize("tail", ["linear", "cosine", "sqrt"])
def test_wsd(tail):
    shape = wsd(20, 4, 8, floor=0.1, tail=tail)
    assert shape([0, 1, 2, 3, 4, 11, 12]).tolist() == [0.25, 0.5, 0.75, 1, 1, 1, 1]
    middle = {"linear": 0.55, "cosine": 0.55, "sqrt": 0.1 + 0.9 * (1 - math.sqrt(0.5))}[tail]
    assert shape(16) == pytest.approx(middle)
    assert shape([20, 21, 500]).tolist() == [0.1] * 3
    assert wsd(20, 4, 0)([4, 19, 20]).tolist() == [1, 1, 0]
    assert shape(3.5) == warmup(4)(3.5) == 1


def test_plateau():
    rule = plateau(0.5, patience=2, cooldown=2, floor=0.2)
    state = rule.start()
    assert state.factor == 1
    seen = [state.observe(loss) for loss in [1.0] + [1.0] * 12]
    assert seen == [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25]
    assert [state.observe(1.0) for _ in range(5)] == [0.2] * 5
    fresh = rule.start()
    assert fresh.factor == 1 and fresh.bad == 0
    again = pickle.loads(pickle.dumps(state))
    assert again == state and again.rule == rule


def test_plateau_for_a_metric_that_grows_and_one_below_zero():
    state = plateau(0.5, patience=0, mode="max", watch="valid_acc").start()
    assert [state.observe(accuracy) for accuracy in [0.1, 0.5, 0.5, 0.6]] == [1, 1, 0.5, 0.5]
    state = plateau(0.5, patience=0, mode="max", threshold=0.1).start()
    assert [state.observe(reward) for reward in [-10, -9.5, -8, -7.9]] == [1, 0.5, 0.5, 0.25]
    state = plateau(0.5, patience=0).start()
    assert [state.observe(loss) for loss in [-1.0, -2.0, math.nan, -3.0]] == [1, 1, 0.5, 0.5]


# How they print


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (constant(), "constant()"),
        (constant(0.5), "constant(0.5)"),
        (step(10, 0.5), "step(10, 0.5)"),
        (step(np.int64(10), np.float32(0.5)), "step(10, 0.5)"),
        (multistep([15, 30], 0.5), "multistep((15, 30), 0.5)"),
        (exponential(0.9, 0.01), "exponential(0.9, floor=0.01)"),
        (power(), "power()"),
        (power(timescale=10), "power(timescale=10)"),
        (cosine(25, 1 / 30), "cosine(25, floor=0.03333333333333333)"),
        (warmup(5).then(cosine(25)), "warmup(5).then(cosine(25))"),
        (constant().then(cosine(25), after=5), "constant().then(cosine(25), after=5)"),
        (
            (warmup(5) * step(10, 0.5)).then(cosine(9), after=30),
            "(warmup(5) * step(10, 0.5)).then(cosine(9), after=30)",
        ),
        (0.5 * (warmup(5) * cosine(9)), "constant(0.5) * (warmup(5) * cosine(9))"),
        (warmup(5, ramp="power", exponent=4), "warmup(5, ramp='power')"),
        (warmup(5, ramp="exponential", tau=1), "warmup(5, ramp='exponential')"),
        (
            warmup(math.inf, ramp="exponential", tau=9),
            "warmup(None, ramp='exponential', tau=9)",
        ),
        (cyclical(4, 0.1, scale=triangular2), "cyclical(4, 0.1, scale=triangular2)"),
        (cyclical(4, 0.1, scale=exp_range(0.9)), "cyclical(4, 0.1, scale=exp_range(0.9))"),
        (
            cyclical(4, 0.1, scale=formulas.one_over_cycle),
            "cyclical(4, 0.1, scale='helpers.formulas:one_over_cycle')",
        ),
        (from_function(formulas.halving), "from_function('helpers.formulas:halving')"),
        (one_cycle(100), "one_cycle(100)"),
        (wsd(100, 10, 20, tail="sqrt"), "wsd(100, 10, 20, tail='sqrt')"),
        (plateau(patience=5, watch="valid_loss"), "plateau(patience=5, watch='valid_loss')"),
    ],
)
def test_repr(shape, text):
    assert repr(shape) == text
    assert eval(text, vars(schedules)) == shape


# -- what a shape says of itself ------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape, at",
    [
        (s.constant(2), 0),
        (s.cosine(20), 0),
        (s.exponential(1.1), 0),  # meant as a fall, whatever its argument makes of it
        (s.warmup(7), 6),
        (s.warmup(7, start=0.1), 7),
        (s.warmup(7, start=0.1, ramp="constant"), 7),
        (s.warmup(0), 0),
        (s.warmup(7, ramp="exponential"), None),
        (s.wsd(20, 5, 5), 4),
        (s.wsd(20, 0, 5), 0),
        (s.one_cycle(20), 5),
        (s.cyclical(4, 0.1), 4),
        (s.cyclical(4, 0.1, scale=s.triangular2), 4),
        (s.cyclical(4, 0.1, scale=lambda cycle, t: 1.0), None),
        (s.restarts(5), 0),
        (s.from_function(math.sqrt), None),
        (s.warmup(3).then(s.cosine(9)), 2),
        (s.warmup(3, start=0) * s.constant(0.5), 3),
    ],
    ids=lambda given: str(given).split(" at 0x")[0],  # an address differs in each process
)
def test_where_the_peak_is_meant_to_be(shape, at):
    assert shape.peak_at == at


def test_a_shape_of_ones_own_has_a_peak_without_saying_so():
    @dataclasses.dataclass(frozen=True, repr=False)
    class hill(s.Schedule):
        top: int
        length = 20

        def _at(self, t):
            return 1 / (1 + abs(t - self.top))

    assert hill(8).peak_at == 8


@pytest.mark.parametrize(
    "shape, until",
    [(s.step(4, 0.1), 4), (s.multistep([3, 6], 0.1), 3), (s.restarts(5), 5), (s.cosine(9), 0)],
    ids=str,
)
def test_until_when_a_shape_holds(shape, until):
    assert shape.holds_until == until
