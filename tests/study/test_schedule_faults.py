"""Four faulty loops: what they apply is what the fault makes of the schedule. None raises."""

import numpy as np
import pytest

from lrcourse import schedules as s
from lrcourse.study.schedule_faults import FAULTS, rates_of

COSINE = 0.3 * s.cosine(510, floor=1 / 30)(np.arange(510))


def test_used_up_by_drawing_the_last_rate_is_applied_throughout():
    drawn = rates_of("drawn")
    np.testing.assert_allclose(drawn["meant"], COSINE)
    np.testing.assert_allclose(drawn["applied"], 0.01)


def test_late_by_an_epoch():
    meant, applied = rates_of("late").values()
    assert (applied[:34] == 0.3).all()  # the optimizer's own rate, where the warmup begins at 0
    np.testing.assert_allclose(applied[34:], meant[:-34])
    assert meant[0] == 0 and meant.max() == pytest.approx(0.3)


def test_stepped_once_an_epoch_the_rate_hardly_falls():
    unit = rates_of("unit")["applied"]
    np.testing.assert_allclose(unit, COSINE[np.arange(510) // 34])


def test_past_its_end_torchs_cosine_rises():
    meant, applied = rates_of("end").values()
    np.testing.assert_allclose(applied[:341], meant[:341])
    assert (meant[340:] == pytest.approx(0.01)) and (np.diff(applied[341:]) > 0).all()


@pytest.mark.parametrize("fault", FAULTS)
def test_other_lengths(fault):
    meant, applied = rates_of(fault, peak=1.0, epochs=6, per_epoch=5).values()
    assert meant.shape == applied.shape == (30,)
    assert not np.allclose(meant, applied)


def test_another_fault_is_refused():
    with pytest.raises(ValueError, match="fault must be one of 'drawn', 'late', 'unit', 'end'"):
        rates_of("early")
