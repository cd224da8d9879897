"""Measurements that one chapter uses; the docstring of each module names its chapter."""
