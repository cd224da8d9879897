"""Progress bars for people, none in tests and stored outputs."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator


def wanted(progress: bool | None = None) -> bool:
    """Whether to show a bar: the argument, else `LRCOURSE_PROGRESS` (0 or 1), else a person.

    A person is looking when standard error is a terminal, or when this is a Jupyter kernel.
    """
    if progress is not None:
        return bool(progress)
    setting = os.environ.get("LRCOURSE_PROGRESS", "")
    if setting in ("0", "1"):
        return setting == "1"
    return sys.stderr.isatty() or _in_notebook()


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """No bars but those that are asked for by argument: in work that has a bar of its own."""
    before = os.environ.get("LRCOURSE_PROGRESS")
    os.environ["LRCOURSE_PROGRESS"] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ["LRCOURSE_PROGRESS"]
        else:
            os.environ["LRCOURSE_PROGRESS"] = before


def _in_notebook() -> bool:
    """Whether this process is a Jupyter kernel; asks IPython only if somebody has imported it."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


def bar(items: Iterable, *, total: int, label: str, progress: bool | None = None) -> Iterable:
    """`items`, with a bar that shows what is left and vanishes at the end."""
    if not wanted(progress):
        return items
    try:
        from tqdm.auto import tqdm
    except ImportError:  # the core of the package does without tqdm
        return items
    return tqdm(items, total=total, desc=label, leave=False)
