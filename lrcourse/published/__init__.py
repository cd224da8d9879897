"""Numbers quoted from elsewhere, each with its source, beside what this course measured.

from lrcourse import published

published.get("d2l.scheduler.constant.test_acc")                     # one entry
published.find("d2l.scheduler")                                      # all that begin so
published.compare({"d2l.scheduler.constant.test_acc": accuracies})   # a table
"""

from lrcourse.published.entries import MARKS, UNITS, Entry, find, get, parse
from lrcourse.published.table import compare

__all__ = ["MARKS", "UNITS", "Entry", "compare", "find", "get", "parse"]
