"""Records of finished runs in a folder: plain JSON, one file per experiment, safe to kill.

A record is written to the side and moved into place, so that a reader sees a whole file or none.
Its name is the key of the experiment, so several writers of one folder can only write the same
content to the same name. A checksum tells a damaged file from a whole one.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from lrcourse.support.checks import MAPPING, PATH, TEXT, arguments, optional
from lrcourse.support.paths import records_folder, write_atomically
from lrcourse.training.history import History, NewerFormat

T = TypeVar("T")
KEY = re.compile("[0-9a-f]{32}")
LARGEST = 2**28  # bytes of a record; one of a million updates has some 30 million
DAMAGE = (ValueError, KeyError, AttributeError, TypeError, RecursionError)  # of a bad text


class RecordWarning(UserWarning):
    """A record that could not be read; it was set aside where that was possible."""


def key_of(spec: dict[str, Any]) -> str:
    """32 hexadecimal digits that name a spec by its content."""
    return _digest(spec)[:32]


def key_rule(owner: str, name: str, value: object) -> str:
    """Rule: the key of an experiment."""
    if KEY.fullmatch(TEXT(owner, name, value)) is None:
        raise ValueError(
            f"{owner}: {name} must be the key of an experiment, 32 hexadecimal digits; "
            f"got {value!r}"
        )
    return str(value)


class Records:
    """The finished runs in `folder` (default: `$LRCOURSE_RECORDS`, else the cache folder).

    Attributes:
        folder: absolute, so that workers elsewhere, and a later chdir, mean the same one.
        stuck: keys of damaged records that could not be set aside: the folder is for reading only,
            say, or the file is protected.

    Example:
        >>> import tempfile
        >>> from lrcourse import sweeps
        >>> sweeps.Records(tempfile.mkdtemp()).keys()
        set()
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        optional(PATH)("Records", "folder", folder)
        self.folder = Path(records_folder(folder)).absolute()
        self.stuck: set[str] = set()

    @arguments(key=key_rule)
    def path(self, key: str) -> Path:
        """Where the record with this `key` lies or will lie."""
        return self.folder / f"{key}.json"

    def keys(self) -> set[str]:
        """Keys of the records that are there; other files in the folder are none."""
        try:
            names = [Path(name) for name in os.listdir(self.folder)]
        except (FileNotFoundError, NotADirectoryError):
            return set()
        return {one.stem for one in names if one.suffix == ".json" and KEY.fullmatch(one.stem)}

    def check_writable(self) -> None:
        """OSError with the folder and a way out where no record can be written."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # By a name, which is taken away again: some folders take files and let go of none.
            with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".probe-") as file:
                file.write(b"x")
        except OSError as problem:
            is_other = isinstance(problem, FileExistsError | NotADirectoryError)
            why = "it is no folder" if is_other else problem.strerror or problem
            raise OSError(
                problem.errno or errno.EACCES,
                f"records cannot be written into {self.folder} ({why}): "
                "nothing was trained; make it writable, or give another folder as records=...",
            ) from problem

    @arguments(key=key_rule, spec=MAPPING, history=MAPPING)
    def write(self, key: str, spec: dict[str, Any], history: dict[str, Any]) -> Path:
        """Keep a run under its `key`: `spec` and `history` as JSON can hold them.

        Whole or not at all, also when the disk is full (OSError). ValueError for NaN or infinity in
        either.
        """
        write_atomically(self.path(key), as_text(spec, history))
        return self.path(key)

    @arguments(key=key_rule)
    def read(self, key: str) -> dict[str, Any] | None:
        """The record `{"spec", "history"}` of this `key`, or None when there is none.

        A damaged file, or whatever else bears its name, is named in a warning and set aside, and
        counts as none.
        """
        return self._understood(key, lambda content: content)

    @arguments(key=key_rule)
    def read_run(self, key: str) -> tuple[dict[str, Any], History] | None:
        """The spec and the history of the record of `key`, or None, as `read` has it.

        One that a newer lrcourse wrote is set aside too, and the warning says what helps; and one
        of a run that was interrupted, which no sweep keeps, or that has other updates than its spec
        asks for.
        """
        return self._understood(key, finished)

    def _understood(self, key: str, understand: Callable[[dict[str, Any]], T]) -> T | None:
        path, seen = self.path(key), None
        try:
            seen = path.stat()
            if not stat.S_ISREG(seen.st_mode):
                raise ValueError("it is no regular file")
            if not 0 < seen.st_size <= LARGEST:  # files of /proc have no size and may have no end
                raise ValueError(f"it has {seen.st_size:,} bytes")
            content = whole(path.read_bytes())
            if key_of(content["spec"]) != key:
                raise ValueError("its checksum does not fit its content")
            return understand(content)
        except (FileNotFoundError, NotADirectoryError):
            if path.is_symlink():
                self._set_aside(key, seen, "damaged", "it is a link that leads nowhere")
        except NewerFormat as problem:
            self._set_aside(key, seen, "newer", problem)
        except KeyError as problem:
            self._set_aside(key, seen, "damaged", f"it has no {problem}")
        except (*DAMAGE, OSError) as problem:
            if isinstance(problem, OSError) and not os.access(self.folder, os.X_OK):
                raise OSError(
                    problem.errno or errno.EACCES,
                    f"no record can be read in {self.folder} ({problem.strerror or problem}): give "
                    "another folder as records=...",
                ) from problem
            self._set_aside(key, seen, "damaged", problem)
        return None

    def _set_aside(
        self, key: str, seen: os.stat_result | None, why: str, problem: Exception | str
    ) -> None:
        path = self.path(key)
        told = f"the record {path} is {'of a newer kind' if why == 'newer' else why} ({problem}); "
        try:
            aside = _free_name(path, why)
            os.replace(path, aside)
            if seen is not None and not os.path.samestat(os.stat(aside), seen):
                os.replace(aside, path)  # another process was quicker: this is its new record
                return
        except FileNotFoundError:  # another process set it aside
            return
        except OSError as obstacle:
            self.stuck.add(key)
            end = f"it cannot be set aside ({obstacle.strerror or obstacle}): the run counts as "
            end += "missing, and no other record is kept in its place"
        else:
            end = f"it was set aside as {aside.name} and the run counts as missing"
        warnings.warn(told + end, RecordWarning, stacklevel=_outside())


def _outside() -> int:
    """The stacklevel by which a warning names the line of whoever called this package."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("lrcourse."):
        frame, level = frame.f_back, level + 1
    return level


def _free_name(path: Path, why: str) -> Path:
    for n in range(1, 1000):
        aside = path.with_name(f"{path.name}.{why}-{n}")
        if not os.path.lexists(aside):
            return aside
    raise OSError(errno.EEXIST, f"999 files like {path.name}.{why}-1 lie there already")


def as_text(spec: dict[str, Any], history: dict[str, Any]) -> str:
    """A record as it stands in a file, on one line; ValueError for NaN or infinity in it."""
    content = {"spec": spec, "history": history}
    return json.dumps(content | {"check": _digest(content)}, allow_nan=False)


def whole(text: bytes) -> dict[str, Any]:
    """The spec and the history of such a text; one of `DAMAGE`, which says what is wrong."""
    content = json.loads(text, object_pairs_hook=_once_each)
    if not isinstance(content, dict):
        raise ValueError("it is no JSON object")
    for name in ("spec", "history", "check"):
        if name not in content:
            raise ValueError(f"it has no {name!r}")
    for name in ("spec", "history"):
        if not isinstance(content[name], dict):
            raise ValueError(f"its {name} is no JSON object")
    if content.pop("check") != _digest(content):
        raise ValueError("its checksum does not fit its content")
    return content


def finished(content: dict[str, Any]) -> tuple[dict[str, Any], History]:
    """The spec and the history of a record; ValueError for a run that was interrupted or cut."""
    spec, history = content["spec"], History.from_dict(content["history"])
    if history.interrupted:
        raise ValueError("its run was interrupted")
    _check_whole(history, spec["epochs"])
    return spec, history


def _check_whole(history: History, epochs: int) -> None:
    """ValueError unless this can be a run of so many epochs, or up to where it diverged."""
    made, per_epoch, diverged_at = history.updates, history.batches_per_epoch, history.diverged_at
    wanted = epochs * per_epoch if diverged_at is None else diverged_at + 1
    if made != wanted or made > epochs * per_epoch:
        raise ValueError(f"its {made} updates are not those of {epochs} epochs of {per_epoch}")
    ends = np.minimum(np.arange(1, -(-made // per_epoch) + 1) * per_epoch, made)
    if not np.array_equal(history.epochs["update"], ends):
        raise ValueError("its epochs do not end where those of its run do")
    losses = history.loss if diverged_at is None else history.loss[:-1]
    if not (np.isfinite(losses) & (losses >= 0)).all():
        raise ValueError("it has losses that no run goes on with")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice in it")
    return found


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
