"""``lrcourse trace module:function``: what a scheduler will do, from a shell."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import Any


class TraceError(Exception):
    """Something that prevents the trace; the message says what would do."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The options of ``lrcourse trace``."""
    command.add_argument(
        "function",
        metavar="MODULE:FUNCTION",
        help="a function without arguments that returns (optimizer, scheduler)",
    )
    command.add_argument(
        "--updates", type=_count, required=True, metavar="N", help="updates of the whole training"
    )
    command.add_argument(
        "--when",
        choices=["update", "epoch"],
        default="update",
        help="the scheduler is stepped after each update (default) or each epoch",
    )
    command.add_argument(
        "--updates-per-epoch", type=_count, metavar="N", help="needed by --when epoch"
    )
    command.add_argument(
        "--out",
        type=Path,
        default=Path("trace.png"),
        metavar="FILE",
        help="the figure (default: trace.png)",
    )
    command.add_argument("--csv", type=Path, metavar="FILE", help="also write every LR here")
    command.add_argument(
        "--strict", action="store_true", help="end with exit code 1 if anything looks wrong"
    )


def trace(given: argparse.Namespace) -> int:
    """Print table and findings, write the figure.

    Returns 0; with ``--strict`` 1 where something was found. Raises TraceError where there is
    nothing to trace.
    """
    _check_folders(given.out, given.csv)
    optimizer, scheduler, options = _built(given.function)
    from lrcourse import tracing

    if given.when == "epoch" and given.updates_per_epoch is None:
        raise TraceError("--when epoch needs --updates-per-epoch N, the batches of one epoch")
    options |= {"when": given.when, "updates_per_epoch": given.updates_per_epoch}
    try:
        traced = tracing.trace(optimizer, scheduler, given.updates, **options)
    except (TypeError, ValueError) as problem:
        raise TraceError(str(problem)) from None
    findings = tracing.lint(traced)
    print(traced, "", findings, "", sep="\n")
    _write(traced, given.out, given.csv)
    return 1 if findings and given.strict else 0


def _built(name: str) -> tuple[Any, Any, dict[str, Any]]:
    """Optimizer, scheduler and further options from the user's function."""
    from lrcourse.functions import find_function

    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = name.partition(":")[0]
    try:
        if module and ":" in name:
            _import(module)
        function = find_function(name)
    except ValueError as problem:
        raise TraceError(str(problem)) from None
    try:
        result = function()
    except Exception as problem:
        raise TraceError(f"{name} fails:\n{_excerpt(problem)}") from None
    if isinstance(result, dict):
        options = dict(result)
        pair = options.pop("optimizer", None), options.pop("scheduler", None)
        unknown = options.keys() - {"metrics"}
    else:
        pair, options, unknown = result, {}, set()
    if unknown or not isinstance(pair, tuple | list) or len(pair) != 2 or pair[0] is None:
        keys = f" with the keys {', '.join(map(str, result))}" if isinstance(result, dict) else ""
        raise TraceError(
            f"{name} must return (optimizer, scheduler), or a dict with the keys optimizer, "
            f"scheduler and, for schedulers that watch one, metrics; it returned a "
            f"{type(result).__name__}{keys}"
        )
    return pair[0], pair[1], options


def _import(module: str) -> None:
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as problem:
        if problem.name is not None and module.split(".")[0] == problem.name.split(".")[0]:
            raise TraceError(
                f"there is no module {module!r} in {os.getcwd()} or among the installed packages"
            ) from None
        raise TraceError(f"{module} cannot be imported:\n{_excerpt(problem)}") from None
    except Exception as problem:
        raise TraceError(f"{module} cannot be imported:\n{_excerpt(problem)}") from None


def _excerpt(problem: BaseException) -> str:
    """The traceback without the frames of this package and of the import machinery."""
    here = str(Path(__file__).parent)
    frames = [
        frame
        for frame in traceback.extract_tb(problem.__traceback__)
        if not frame.filename.startswith((here, "<frozen", os.path.dirname(importlib.__file__)))
    ]
    lines = traceback.format_list(frames) + traceback.format_exception_only(problem)
    return "".join(lines).rstrip()


def _write(traced: Any, out: Path, csv: Path | None) -> None:
    os.environ.setdefault("MPLBACKEND", "Agg")  # a shell may have no display
    from lrcourse import outputs

    try:
        traced.plot(out)
        print(f"figure: {out}")
        if csv is not None:
            outputs.write_csv(csv, traced.rows())
            print(f"table: {csv}")
    except OSError as problem:
        raise TraceError(f"cannot write {problem.filename}: {problem.strerror}") from None


def _check_folders(*files: Path | None) -> None:
    for file in filter(None, files):
        if not file.parent.is_dir():
            raise TraceError(f"there is no folder {file.parent} to write {file.name} into")


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)
