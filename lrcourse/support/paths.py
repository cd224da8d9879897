"""Where data, records and other caches live, and how a file is there whole or not at all.

Each folder has one environment variable: `LRCOURSE_CACHE` for everything that can be made again,
`LRCOURSE_DATA`, `LRCOURSE_RECORDS` and `LRCOURSE_EVIDENCE` for one kind each. Relative paths count
from the current folder and `~` is the home folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
import sys
import tempfile
import time
import warnings
from functools import cache
from getpass import getuser
from pathlib import Path

# Where the package lies: the repository, or the folder of installed packages.
REPOSITORY = Path(__file__).resolve().parents[2]


def expanded(path: str | os.PathLike[str], name: str) -> Path:
    """The path with `~` replaced; ValueError, with `name`, for a home that is not there."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ValueError(
            f"{name} is {str(path)!r}: there is no such home folder here; write its whole path"
        ) from None


def cache_folder() -> Path:
    """The folder for everything that can be made again; it exists and can be written.

    `$LRCOURSE_CACHE`, else `$XDG_CACHE_HOME/lrcourse`, else `~/.cache/lrcourse`. Where that cannot
    be created or written, as in a read-only home, it is a folder of the user's own under the
    system's temporary folder, and one warning says so.

    Raises:
        ValueError: `$LRCOURSE_CACHE` is in a home folder that is not there.
        OSError: there is no temporary folder either.
    """
    wanted = _wanted_cache()
    return wanted if wanted is not None and writable(wanted) else temporary_cache(wanted)


def data_folder(folder: str | os.PathLike[str] | None = None) -> Path:
    """The folder of the data sets: `folder`, else `$LRCOURSE_DATA`, else `data` in the cache.

    It need not exist yet, nor be writable when everything is there already.
    """
    return _chosen(folder, "LRCOURSE_DATA", "data")


def records_folder(folder: str | os.PathLike[str] | None = None) -> Path:
    """The folder of the records: `folder`, else `$LRCOURSE_RECORDS`, else `records` in the cache.

    It need not exist yet: `write_atomically` makes it.
    """
    return _chosen(folder, "LRCOURSE_RECORDS", "records")


def evidence_folder() -> Path | None:
    """The folder of the evidence: `$LRCOURSE_EVIDENCE`, else the repository's `results/evidence`.

    None where this package lies in no repository with such a folder. NotADirectoryError where it is
    no folder, FileNotFoundError where the variable names one that is not there.
    """
    given = os.environ.get("LRCOURSE_EVIDENCE")
    folder = expanded(given, "LRCOURSE_EVIDENCE") if given else REPOSITORY / "results" / "evidence"
    if folder.is_dir():
        return folder
    if folder.exists() or folder.is_symlink():
        raise NotADirectoryError(
            errno.ENOTDIR, f"the evidence lies in a folder, and {folder} is none: move it away"
        )
    if given:
        raise FileNotFoundError(
            errno.ENOENT, f"LRCOURSE_EVIDENCE names {folder}, and no such folder is there"
        )
    return None


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Write a whole file or nothing: whoever reads `path` finds the old content or all of the new.

    Text is written as UTF-8, line ends as they are. Missing parent folders are made. The content
    goes to a hidden file in the same folder, to the disk, and only then to its name; whatever goes
    wrong, a full disk or Ctrl-C included, the hidden file is removed and the error is passed on.

    A link to a file is written through; one that leads nowhere is replaced, and nothing is made
    where it points. A device, a pipe and whatever is under /dev or /proc, /dev/stdout for one, is
    no file to be replaced: the content is written into it. A folder is refused by an OSError.
    """
    if not isinstance(content, str | bytes):
        raise TypeError(f"content must be str or bytes, not {type(content).__name__}")
    content = content.encode() if isinstance(content, str) else content
    path = Path(path)
    try:
        there = path.stat()
    except FileNotFoundError:
        path = path.parent.resolve() / path.name
    else:
        if not stat.S_ISREG(there.st_mode) or path.absolute().parts[1:2] in (("dev",), ("proc",)):
            _pour(path, there, content)
            return path
        path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent, f".{'[0-9a-f]' * 16}.partial")
    # Not tempfile.mkstemp: its files are for their owner alone, and would stay so.
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        with open(partial, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException as problem:
        partial.unlink(missing_ok=True)
        if isinstance(problem, OSError) and problem.filename is None:  # as on a full disk
            problem.filename = str(path)
        raise
    return path


@cache
def remove_leftovers(folder: Path, pattern: str) -> None:
    """Remove, once in a process, what a writer that was killed more than a day ago left behind."""
    for old in folder.glob(pattern):
        with contextlib.suppress(OSError):
            if time.time() - old.stat().st_mtime > 86_400:
                shutil.rmtree(old) if old.is_dir() else old.unlink()


def _pour(path: Path, there: os.stat_result, content: bytes) -> None:
    if sys.stdout is not None:
        sys.stdout.flush()
    # Opened anew, a file that standard output goes to would be written to from its beginning.
    own: int | None = None
    for fd in (1, 2):
        with contextlib.suppress(OSError):  # it may be closed
            own = fd if os.path.samestat(os.fstat(fd), there) else own
    with open(path if own is None else os.dup(own), "ab") as stream:
        stream.write(content)


def _chosen(folder: str | os.PathLike[str] | None, variable: str, name: str) -> Path:
    if folder is not None:
        return expanded(folder, "folder")
    given = os.environ.get(variable)
    return expanded(given, variable) if given else cache_folder() / name


def _wanted_cache() -> Path | None:
    if chosen := os.environ.get("LRCOURSE_CACHE"):
        return expanded(chosen, "LRCOURSE_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        return (base if base.is_absolute() else Path.home() / ".cache") / "lrcourse"
    except RuntimeError:  # an account without a home folder, as in some containers
        return None


def writable(folder: Path) -> bool:
    # Permission bits do not know of read-only mounts, quotas or network shares: try it.
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


@cache
def temporary_cache(wanted: Path | None) -> Path:
    """A folder of the user's own below the temporary one, since `wanted` cannot be written."""
    lost = f"{wanted or 'the home folder'} cannot be written"
    mend = "set LRCOURSE_CACHE to a folder of your own"
    try:
        folder = _own_folder(Path(tempfile.gettempdir()))
    except OSError as error:
        reason = error.strerror or error
        raise OSError(f"{lost}, nor is there a temporary folder ({reason}): {mend}") from error
    warnings.warn(
        f"{lost}: caches go to {folder}, which may be emptied at a restart; to keep them, {mend}",
        stacklevel=3,
    )
    return folder


def _own_folder(parent: Path) -> Path:
    user = os.getuid() if hasattr(os, "getuid") else None
    folder = parent / f"lrcourse-{getuser() if user is None else user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        # In a shared temporary folder anyone may have made a folder of that name before us, or
        # put files into one that anyone may write.
        found = folder.lstat()
        private = user is None or (found.st_uid == user and not found.st_mode & 0o022)
        if private and stat.S_ISDIR(found.st_mode) and writable(folder):
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="lrcourse-"))
