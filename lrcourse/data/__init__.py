"""Data sets as tensors: the digits that need no download, and three that come by torchvision."""

from lrcourse.data.sets import NAMES, Data, Split, load
from lrcourse.support.paths import DataError

__all__ = ["NAMES", "Data", "DataError", "Split", "load"]
