"""The LR range test for any model, optimizer and iterable of batches."""

from lrcourse.rangetest.result import RangeTest
from lrcourse.rangetest.running import range_test, range_test_of
from lrcourse.rangetest.steps import UnfitBatch

__all__ = ["RangeTest", "UnfitBatch", "range_test", "range_test_of"]
