"""Where matplotlib, IPython and Jupyter keep their files when the home folder is read-only."""

from __future__ import annotations

import os
from pathlib import Path

from lrcourse.support.paths import expanded, writable

# Environment variable -> folder below the cache folder.
_VARIABLES = {
    "IPYTHONDIR": "ipython",
    "JUPYTER_CONFIG_DIR": "jupyter-config",
    "JUPYTER_DATA_DIR": "jupyter-data",
    "JUPYTER_RUNTIME_DIR": "jupyter-runtime",
    "MPLCONFIGDIR": "matplotlib",
    "XDG_CACHE_HOME": "general",
}


def writable_home_environment(out: str | os.PathLike[str]) -> dict[str, str]:
    """Environment variables that move every cache to `out`/cache; empty where home is writable.

    A variable that the user has set keeps its value. The folders exist on return; OSError where
    they cannot be made.
    """
    if _home_is_writable():
        return {}
    folder = cache_folder_without_home(out)
    wanted = {
        name: folder / below for name, below in _VARIABLES.items() if not os.environ.get(name)
    }
    for path in wanted.values():
        path.mkdir(parents=True, exist_ok=True)
    return {name: str(path) for name, path in wanted.items()}


def use_writable_home(out: str | os.PathLike[str]) -> None:
    """Put `writable_home_environment` into this process, for it and its children, and say so."""
    moved = writable_home_environment(out)
    if moved:
        os.environ.update(moved)
        folder = cache_folder_without_home(out)
        print(f"The home folder cannot be written: caches go to {folder}", flush=True)


def cache_folder_without_home(out: str | os.PathLike[str]) -> Path:
    """The absolute folder of the caches that would otherwise lie in the home folder."""
    return expanded(out, "out").absolute() / "cache"


def _home_is_writable() -> bool:
    try:
        return Path.home().is_dir() and writable(Path.home())
    except RuntimeError:  # an account without a home folder
        return False
