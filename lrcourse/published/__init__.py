"""Numbers quoted from elsewhere, each with its source, beside what this course measured."""

from lrcourse.published.entries import MARKS, UNITS, Entry, compare, find, get, parse

__all__ = ["MARKS", "UNITS", "Entry", "compare", "find", "get", "parse"]
