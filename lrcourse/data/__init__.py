"""Data sets as tensors: the digits that need no download, and three that come by torchvision."""

from lrcourse.data.download import DataError
from lrcourse.data.sets import NAMES, Data, Split, load

__all__ = ["NAMES", "Data", "DataError", "Split", "load"]
