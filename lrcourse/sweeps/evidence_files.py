"""Evidence files: runs that were trained beforehand and lie in the repository, as plain data.

`results/evidence/NAME.jsonl.xz` holds in its first line where its runs come from, and in each other
line one record, as a folder of records holds it, with its checksum. `NAME.csv` beside it tells how
each run ended. The same records give the same bytes.
"""

from __future__ import annotations

import csv
import functools
import io
import json
import stat
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from lrcourse.support.checks import TEXT, shown, such
from lrcourse.support.paths import write_atomically
from lrcourse.sweeps.experiment import Experiment
from lrcourse.sweeps.records import DAMAGE, LARGEST, RecordWarning, finished, key_of, whole
from lrcourse.training.history import History

FORMAT = 1  # of the first line; a reader refuses what it does not know
ENDING = ".jsonl.xz"
NAME = such(
    TEXT,
    lambda name: name.replace("-", "a").isalnum() and name.isascii() and name == name.lower(),
    "a name of small letters, digits and hyphens, such as 'largest-rates'",
)

Stored = dict[str, dict[str, Any]]  # key -> the spec and the history


def path_of(folder: Path, name: str) -> Path:
    """Where the evidence of this name lies, or will lie, in a folder."""
    return folder / f"{name}{ENDING}"


def names(folder: Path) -> list[str]:
    """The evidence that lies in a folder, by its names."""
    return sorted(path.name.removesuffix(ENDING) for path in folder.glob(f"*{ENDING}"))


def read(path: Path) -> Stored:
    """The records of a file by their keys; of none where there is no file.

    A line that is damaged is named in a RecordWarning and left out, and so are all lines of a key
    that occurs twice. A file that cannot be read, is cut off or was written by a newer lrcourse is
    named too; what was read before its end counts.
    """
    try:
        seen = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as problem:
        _warn(f"the evidence {path} is damaged: {problem.strerror}")
        return {}
    return _read(path, seen.st_mtime_ns, seen.st_size)


def head(path: Path) -> dict[str, Any]:
    """What the first line of a file tells: its name, page, versions, processor, date, commit."""
    return _understood_head(next(_lines(path), b""), path)


def write(path: Path, records: Iterable[str], told: Mapping[str, Any]) -> int:
    """Write a file and its table anew from the texts of records; how many bytes the file has.

    ValueError for a damaged text, before anything is written.
    """
    name = NAME("evidence", "name", path.name.removesuffix(ENDING))
    kept: dict[str, tuple[str, dict[str, Any]]] = {}
    for text in records:
        content = whole(text.encode())
        kept[key_of(content["spec"])] = text, content
    first = {"evidence": name, "format": FORMAT, "runs": len(kept), **told}
    lines = [json.dumps(first), *(kept[key][0] for key in sorted(kept))]
    packed = _lzma().compress("".join(f"{line}\n" for line in lines).encode())
    table = as_table({key: content for key, (_, content) in kept.items()})
    write_atomically(path, packed)
    write_atomically(table_of(path), table)
    return len(packed)


def table_of(path: Path) -> Path:
    """The readable table beside a file."""
    return path.with_name(f"{path.name.removesuffix(ENDING)}.csv")


def as_table(stored: Stored) -> str:
    """A line a run, as CSV: what it is, LR, seed, and each column's last value to six digits.

    The label tells the fields of the experiment that have not their default.
    """
    rows = [_row(*finished(content)) for content in stored.values()]
    rows.sort(key=lambda row: (row["label"], row["lr"], row.get("split", 0), row["seed"]))
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def in_two_files(files: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Of the keys that are in several files, by these names: key -> the names."""
    holders: dict[str, list[str]] = {}
    for name, keys in files.items():
        for key in keys:
            holders.setdefault(key, []).append(name)
    return {key: those for key, those in holders.items() if len(those) > 1}


@functools.lru_cache(maxsize=8)
def _read(path: Path, time: int, size: int) -> Stored:
    found: Stored = {}
    twice: set[str] = set()
    bad: list[str] = []
    lines, number = _lines(path), 0
    try:
        _understood_head(next(lines, b""), path)
        for number, line in enumerate(lines, 2):
            try:
                content = whole(line)
                key = key_of(content["spec"])
                if key in found:
                    twice.add(key)
                    raise ValueError(f"the run {key} stands in it twice")
            except DAMAGE as problem:
                bad.append(f"line {number} ({problem})")
            else:
                found[key] = content
    except (ValueError, OSError, EOFError) as problem:
        told = problem.strerror if isinstance(problem, OSError) and problem.strerror else problem
        bad.append(f"what follows line {number} ({told})" if number else str(told))
    if bad:
        more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
        _warn(f"the evidence {path} is damaged: {', '.join(bad[:3])}{more}")
    return {key: content for key, content in found.items() if key not in twice}


def run_of(path: Path, key: str) -> tuple[dict[str, Any], History] | None:
    """The spec and the history with this key, or None; a RecordWarning for one that is no run."""
    stored = read(path)
    if key not in stored:
        return None
    try:
        return finished(stored[key])
    except DAMAGE as problem:
        _warn(f"the evidence {path} is damaged: the run {key} ({problem})")
        return None


def _warn(told: str) -> None:
    warnings.warn(
        f"{told}; these runs count as missing. `make evidence` writes it anew",
        RecordWarning,
        stacklevel=2,
    )


def _lines(path: Path) -> Iterator[bytes]:
    seen = path.stat()
    if not (stat.S_ISREG(seen.st_mode) and seen.st_size):  # a pipe, or a file of /proc: no end
        raise ValueError("it is empty, or no regular file")
    lzma = _lzma()
    try:
        with lzma.open(path) as file:
            while line := file.readline(LARGEST + 1):
                if len(line) > LARGEST:
                    raise ValueError(f"a line of more than {LARGEST:,} bytes")
                yield line
    except lzma.LZMAError as problem:
        raise ValueError(str(problem)) from None


def _lzma() -> ModuleType:
    """Python's lzma; OSError where Python was built without it, so that runs are trained there."""
    try:
        import lzma
    except ImportError:
        raise OSError("this Python was built without lzma") from None
    return lzma


def _understood_head(line: bytes, path: Path) -> dict[str, Any]:
    """The first line as a dictionary; ValueError where it is not that of this file."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or "format" not in told:
        raise ValueError(f"its first line is not that of an evidence file: {shown(line[:60])}")
    if told["format"] != FORMAT:
        raise ValueError(
            f"it has format {shown(told['format'])}, and this version of lrcourse reads {FORMAT}"
        )
    if (name := path.name.removesuffix(ENDING)) != told.get("evidence"):
        raise ValueError(f"its first line names {shown(told.get('evidence'))} and not {name!r}")
    return told


def _row(spec: dict[str, Any], history: History) -> dict[str, Any]:
    usual = Experiment().to_dict() | {"clip_norm": None}
    plain = {"lr", "seed", "split"}
    other = [
        f"{field}={value}"
        for field, value in spec.items()
        if field not in plain and value != usual.get(field)
    ]
    told = {field: spec[field] for field in ("lr", "seed", "split") if field in spec}
    columns = [column for column in history.epochs if column != "epoch"]
    ends = {column: f"{history.final(column):.6g}" for column in columns}
    return {
        "label": " ".join(other) or "defaults",
        **told,
        **ends,
        "diverged_at": history.diverged_at,
    }
