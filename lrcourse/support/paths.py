"""Where data, records and other caches live, and how a file is there whole or not at all.

Each folder has one environment variable: `LRCOURSE_CACHE` for everything, `LRCOURSE_DATA` and
`LRCOURSE_RECORDS` for one kind each. Relative paths count from the current folder and `~` is the
home folder.
"""

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import socket
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from getpass import getuser
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT)
_HIDDEN = ".download-"
_told: set[Path] = set()
_one_fetch = threading.Lock()


class DataError(RuntimeError):
    """A set could not be had: the message says what happened, to which file, and what to do."""


def cache_folder() -> Path:
    """The folder for everything that can be made again; it exists and can be written.

    `$LRCOURSE_CACHE`, else `$XDG_CACHE_HOME/lrcourse`, else `~/.cache/lrcourse`. Where that cannot
    be created or written, as in a read-only home, it is a folder of the user's own under the
    system's temporary folder, and one warning says so.
    """
    wanted = _wanted_cache()
    if wanted is not None and _writable(wanted):
        return wanted
    instead = _temporary_cache()
    if instead not in _told:
        _told.add(instead)
        warnings.warn(
            f"{wanted or 'the home folder'} cannot be written: caches go to {instead}, which may "
            "be emptied at a restart; to keep them, set LRCOURSE_CACHE to a folder of your own",
            stacklevel=2,
        )
    return instead


def data_folder(folder: str | os.PathLike | None = None) -> Path:
    """The folder of the data sets: `folder`, else `$LRCOURSE_DATA`, else `data` in the cache.

    It need not exist yet, nor be writable when everything is there already.
    """
    return _chosen(folder, "LRCOURSE_DATA", "data")


def records_folder(folder: str | os.PathLike | None = None) -> Path:
    """The folder of the records: `folder`, else `$LRCOURSE_RECORDS`, else `records` in the cache.

    It need not exist yet: `write_atomically` makes it.
    """
    return _chosen(folder, "LRCOURSE_RECORDS", "records")


def write_atomically(path: str | os.PathLike, content: str | bytes) -> Path:
    """Write a whole file or nothing: whoever reads `path` finds the old content or all of the new.

    Text is written as UTF-8, line ends as they are. Missing parent folders are made. The content
    goes to a hidden file in the same folder, to the disk, and only then to its name; whatever goes
    wrong, a full disk or Ctrl-C included, the hidden file is removed and the error is passed on.
    """
    if not isinstance(content, str | bytes):
        raise TypeError(f"content must be str or bytes, not {type(content).__name__}")
    content = content.encode() if isinstance(content, str) else content
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not tempfile.mkstemp: its files are for their owner alone, and would stay so.
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        with open(partial, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return path


def read_checked(path: str | os.PathLike, size: int | None, algorithm: str, expected: str) -> bytes:
    """The content of a published file, or a `DataError` that says how it differs.

    `size` is in bytes (None: not known), `algorithm` a name that hashlib knows, `expected` the
    published sum in hexadecimal.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    if size not in (None, len(content)):
        damage = f"was cut short or is another file: {len(content):,} bytes instead of {size:,}"
    elif (actual := hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()) != expected:
        damage = f"is corrupt: its {algorithm} is {actual} instead of {expected}"
    else:
        return content
    raise DataError(f"{path} {damage}. Delete it and call again: it will be downloaded anew.")


def fetch(
    folder: Path,
    files: Mapping[str, tuple[int | None, str, str]],
    megabytes: int,
    download: Callable[[Path], Path],
    otherwise: str = "",
) -> None:
    """Download files into `folder`, where a file has its name only when it is whole and checked.

    `download(hidden)` gets an empty hidden folder on the same disk and returns the folder in which
    it left the files. They are compared with `files` (name -> size, algorithm and sum, as in
    `read_checked`) and moved to their names; a file that is there by then, because another process
    was quicker, stays. Nothing else stays behind. Threads of one process take turns, and whoever
    finds every file there on its turn is done. `megabytes` is the space that the download takes.

    Raises `DataError`: the folder cannot be written, the disk is full, the download failed, in
    which case the message ends in `otherwise`, what to do without a network.
    """
    another = "or set LRCOURSE_DATA to another folder"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(folder)
        # Inside the folder, so that moving to the final name never crosses to another disk.
        hidden = tempfile.TemporaryDirectory(dir=folder, prefix=_HIDDEN, ignore_cleanup_errors=True)
    except OSError as error:
        if error.errno in _FULL:
            raise DataError(f"the disk of {folder} is full: make room, {another}") from error
        lacks = next(file for file in [*files, "no file"] if not (folder / file).exists())
        raise DataError(
            f"{folder} lacks {lacks} and cannot be written ({error.strerror or error}): "
            f"make it writable, {another}"
        ) from error
    with hidden, _one_fetch:
        try:
            if all((folder / file).exists() for file in files):
                return
            free = shutil.disk_usage(folder).free
            if free < megabytes * 1e6:
                raise OSError(errno.ENOSPC, f"{free / 1e6:.0f} MB are free")
            with _impatient():
                source = download(Path(hidden.name))
            for file, published in files.items():
                read_checked(source / file, *published)
            for file in files:
                if not (folder / file).exists():
                    os.replace(source / file, folder / file)
        except ImportError:
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _FULL:
                raise DataError(
                    f"the disk of {folder} is full ({error.strerror}): the download takes "
                    f"{megabytes} MB; make room, {another}"
                ) from error
            reason = " ".join(str(error).split()) or type(error).__name__
            raise DataError(
                f"the files could not be downloaded into {folder} ({reason}). "
                f"Check the network and call again, {otherwise or another}"
            ) from error


def _remove_leftovers(folder: Path) -> None:
    """Remove what a process that was killed more than a day ago left of its download."""
    for old in folder.glob(f"{_HIDDEN}*"):
        with contextlib.suppress(OSError):
            if time.time() - old.stat().st_mtime > 86_400:
                shutil.rmtree(old)


@contextlib.contextmanager
def _impatient(seconds: float = 60) -> Iterator[None]:
    """Give up on a silent network connection after so long; by default Python waits for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(before or seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _chosen(folder: str | os.PathLike | None, variable: str, name: str) -> Path:
    folder = folder if folder is not None else os.environ.get(variable)
    return Path(folder).expanduser() if folder else cache_folder() / name


def _wanted_cache() -> Path | None:
    try:
        if chosen := os.environ.get("LRCOURSE_CACHE"):
            return Path(chosen).expanduser()
        base = Path(os.environ.get("XDG_CACHE_HOME", ""))
        return (base if base.is_absolute() else Path.home() / ".cache") / "lrcourse"
    except RuntimeError:  # an account without a home folder, as in some containers
        return None


def _writable(folder: Path) -> bool:
    # Permission bits do not know of read-only mounts, quotas or network shares: try it.
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


@cache
def _temporary_cache() -> Path:
    user = os.getuid() if hasattr(os, "getuid") else None
    folder = Path(tempfile.gettempdir()) / f"lrcourse-{getuser() if user is None else user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        # In a shared temporary folder anyone may have made a folder of that name before us.
        owned = user is None or (folder.stat().st_uid == user and not folder.is_symlink())
        if owned and _writable(folder):
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="lrcourse-"))
