"""Published files: downloaded, compared with their sums, and there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import socket
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from lrcourse.support.paths import remove_leftovers

_FULL = (errno.ENOSPC, errno.EDQUOT)
_HIDDEN = ".download-"
_one_fetch = threading.Lock()


class DataError(RuntimeError):
    """A set could not be had: the message says what happened, to which file, and what to do."""


def read_checked(path: str | os.PathLike, size: int | None, algorithm: str, expected: str) -> bytes:
    """The content of a published file, or a `DataError` that says how it differs.

    `size` is in bytes (None: not known), `algorithm` a name that hashlib knows, `expected` the
    published sum in hexadecimal.
    """
    try:
        there = os.stat(path)
        # Only then is it read: a pipe or a device may have no end.
        fits = stat.S_ISREG(there.st_mode) and size in (None, there.st_size)
        content = Path(path).read_bytes() if fits else b""
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    if not stat.S_ISREG(there.st_mode):
        damage = "is no regular file"
    elif not fits:
        damage = f"was cut short or is another file: {there.st_size:,} bytes instead of {size:,}"
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
        remove_leftovers(folder, f"{_HIDDEN}*")
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
            with impatient():
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


@contextlib.contextmanager
def impatient(seconds: float = 60) -> Iterator[None]:
    """Give up on a silent network connection after so long; by default Python waits for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(before or seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
