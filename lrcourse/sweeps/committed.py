"""The block of a page whose runs were trained beforehand."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from lrcourse.support.checks import arguments
from lrcourse.support.paths import evidence_folder
from lrcourse.sweeps import evidence_files
from lrcourse.training.history import History

_name: ContextVar[str | None] = ContextVar("evidence", default=None)


@arguments(name=evidence_files.NAME)
@contextlib.contextmanager
def evidence(name: str) -> Iterator[None]:
    """In this block a run without a record is taken from the repository's evidence, if it is there.

    The file is `results/evidence/NAME.jsonl.xz`, which `make evidence` trains and writes. A run
    that it does not hold, or holds with another spec or other numerics, is trained as anywhere
    else; so is every run where there is no repository. A damaged line is named in a RecordWarning
    and its run trained. Several blocks may share a name, and a name belongs to one page.

    Args:
        name: small letters, digits and hyphens.

    `LRCOURSE_ANEW=1` trains everything, `LRCOURSE_ANEW=name,name` what these files hold.
    `LRCOURSE_EVIDENCE` is another folder for the files.

    Raises:
        RuntimeError: a block inside another one.
        OSError: what should be the folder of the files is none.

    Example:
        >>> import tempfile
        >>> from lrcourse import sweeps
        >>> small = {"model": "mlp", "model_options": {"depth": 1, "width": 1}}
        >>> base = sweeps.Experiment(images=64, epochs=1, **small)
        >>> with sweeps.evidence("an-example"):
        ...     runs = sweeps.run(base, records=tempfile.mkdtemp(), device="cpu")
        >>> runs
        <1 runs>
    """
    if (outer := _name.get()) is not None:
        raise RuntimeError(f"evidence({name!r}) stands inside of evidence({outer!r}): end that one")
    token = _name.set(name)
    try:
        yield
    finally:
        _name.reset(token)


def stored_run(key: str) -> tuple[dict[str, Any], History] | None:
    """The run with this key from the evidence of the block that is open, if there is one."""
    name = _name.get()
    if name is None or _is_anew(name) or (folder := evidence_folder()) is None:
        return None
    return evidence_files.run_of(evidence_files.path_of(folder, name), key)


def note_asked(keys: Iterable[str]) -> None:
    """Leave the keys that a block asks for in `$LRCOURSE_EVIDENCE_ASKED`, for `make evidence`."""
    name, folder = _name.get(), os.environ.get("LRCOURSE_EVIDENCE_ASKED")
    if name is not None and folder:
        with open(Path(folder) / name, "a", encoding="ascii") as file:
            file.writelines(f"{key}\n" for key in keys)


def _is_anew(name: str) -> bool:
    wanted = os.environ.get("LRCOURSE_ANEW", "")
    return wanted == "1" or name in wanted.split(",")
