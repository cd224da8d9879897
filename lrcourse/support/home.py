"""Where matplotlib, IPython and Jupyter keep their files when the home folder is read-only."""

from __future__ import annotations

import os
from pathlib import Path

from lrcourse.support.paths import expanded, writable

# Environment variable -> folder below the cache folder.
VARIABLES = {
    "IPYTHONDIR": "ipython",
    "JUPYTER_CONFIG_DIR": "jupyter-config",
    "JUPYTER_DATA_DIR": "jupyter-data",
    "JUPYTER_RUNTIME_DIR": "jupyter-runtime",
    "MPLCONFIGDIR": "matplotlib",
    "XDG_CACHE_HOME": "general",
}


def use_writable_home(out: str | os.PathLike[str]) -> dict[str, str]:
    """Move every cache to `out`/cache where the home folder cannot be written, and say so.

    Returns the environment variables that do it, which hold for this process and its children. One
    that the user has set keeps its value. The folders exist on return; OSError where they cannot be
    made.
    """
    if _home_is_writable():
        return {}
    folder = expanded(out, "out").absolute() / "cache"
    moved = {name: folder / below for name, below in VARIABLES.items() if not os.environ.get(name)}
    for path in moved.values():
        path.mkdir(parents=True, exist_ok=True)
    if moved:
        print(f"The home folder cannot be written: caches go to {folder}", flush=True)
    told = {name: str(path) for name, path in moved.items()}
    os.environ.update(told)
    return told


def _home_is_writable() -> bool:
    try:
        return Path.home().is_dir() and writable(Path.home())
    except RuntimeError:  # an account without a home folder
        return False
