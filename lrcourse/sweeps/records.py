"""Records of finished runs in a folder: plain JSON, one file per experiment, safe to kill.

A record is written to the side and moved into place, so that a reader sees a whole file or none.
Its name is the key of the experiment, so several writers of one folder can only write the same
content to the same name. A checksum tells a damaged file from a whole one.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path
from typing import Any

from lrcourse.support.paths import records_folder, write_atomically


class RecordWarning(UserWarning):
    """A record that could not be read and was set aside."""


def key_of(spec: dict[str, Any]) -> str:
    """32 hexadecimal digits that name a spec by its content."""
    return _digest(spec)[:32]


class Records:
    """The finished runs in ``folder`` (default: ``$LRCOURSE_RECORDS``, else the cache folder)."""

    def __init__(self, folder: str | Path | None = None) -> None:
        # absolute: workers elsewhere, and a later chdir, must mean the same folder
        self.folder = Path(records_folder(folder)).absolute()

    def path(self, key: str) -> Path:
        """Where the record with this key lies or will lie."""
        return self.folder / f"{key}.json"

    def keys(self) -> set[str]:
        """Keys of the records that are there."""
        if not self.folder.is_dir():
            return set()
        return {entry.stem for entry in self.folder.iterdir() if entry.suffix == ".json"}

    def write(self, key: str, spec: dict[str, Any], history: dict[str, Any]) -> Path:
        """Keep a run. Whole or not at all, also when the disk is full (OSError)."""
        content = {"spec": spec, "history": history}
        text = json.dumps(content | {"check": _digest(content)}, allow_nan=False)
        write_atomically(self.path(key), text)
        return self.path(key)

    def read(self, key: str) -> dict[str, Any] | None:
        """The record ``{"spec", "history"}``, or None when there is none.

        A damaged file is named in a warning and set aside, and counts as none.
        """
        path = self.path(key)
        try:
            content = json.loads(path.read_bytes())
            check = content.pop("check")
            if check != _digest(content) or key_of(content["spec"]) != key:
                raise ValueError("its checksum does not fit its content")
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, AttributeError, TypeError) as problem:
            self._set_aside(path, problem)
            return None
        return content

    def _set_aside(self, path: Path, problem: Exception) -> None:
        for n in range(1, 1000):
            aside = path.with_name(f"{path.name}.damaged-{n}")
            if not aside.exists():
                break
        path.replace(aside)
        warnings.warn(
            f"the record {path} is damaged ({problem}); it was set aside as {aside.name} and "
            f"the run counts as missing",
            RecordWarning,
            stacklevel=4,
        )


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
