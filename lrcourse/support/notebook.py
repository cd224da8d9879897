"""The notebook that this runs in, if any."""

from __future__ import annotations

import sys


def running_cell() -> object:
    """What tells one execution of a cell from the next; None outside notebooks.

    IPython's own count stands still where cells are run without history, as nbval runs them, so
    in a kernel it is the identity of the request.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        return kernel.get_parent().get("header", {}).get("msg_id")
    return None if shell is None else shell.execution_count
