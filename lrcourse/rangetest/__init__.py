"""The LR range test for any model, optimizer and iterable of batches."""

from lrcourse.rangetest.result import RangeTest
from lrcourse.rangetest.running import range_test, range_test_of

__all__ = ["RangeTest", "range_test", "range_test_of"]
