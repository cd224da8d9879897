"""The LR range test for any model, optimizer and iterable of batches.

The way of the data, a module a step::

    arguments -> running: what is asked for is checked; snapshot (reach, randomness) keeps the rest
    feeding -> sweep: batches without an end; steps makes a loss of each, updates watches who steps;
              measuring: held-out data
    sweep -> record -> curves: losses and rates of each update, looked at for divergence (rules)
    curves -> rules -> suggestion: what each rule reads off each repeat, and whether to trust it
    result: curves, suggestion and the comparison with a real sweep, for people; figure draws them
"""

from lrcourse.rangetest.refusals import UnfitBatch
from lrcourse.rangetest.result import RangeTest
from lrcourse.rangetest.running import range_test, range_test_of

__all__ = ["RangeTest", "UnfitBatch", "range_test", "range_test_of"]
