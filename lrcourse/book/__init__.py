"""The preprocessor that turns notebooks into the pages of the web book."""

from lrcourse.book.preprocessor import main, preprocess

__all__ = ["main", "preprocess"]
