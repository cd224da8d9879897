"""Several figures as one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lrcourse import look
from lrcourse.plots import arguments as given
from lrcourse.support.checks import whole


@given.drawing(columns=whole(2, 4))
@contextmanager
def beside(columns: int = 2, *, title: str = "", name: str = "beside") -> Iterator[None]:
    """The figures of `lrcourse.plots` that are drawn inside stand next to one another, as one.

    `columns` is how many there are; ValueError for one more. Their own names go unused. `title`
    stands over all; `name` is that of the file.

    >>> from lrcourse import plots
    >>> with plots.beside(2):
    ...     plots.over_rates({"SGD": {0.1: 0.5, 1.0: 2.3}}, "loss")
    ...     plots.over_updates({"SGD": [2.3, 1.2, 0.5]}, "loss")
    """
    with look.beside(name, {"figures": columns}, columns, title=title or None):
        yield
