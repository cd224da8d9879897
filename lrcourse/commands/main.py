"""The command line, `lrcourse run` and the others: see `build_parser`.

Exit codes: 0 all is well, 1 something failed, 2 nothing was tried because the request or the
installation does not allow it, 130 interrupted, 141 whoever read the output has gone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from lrcourse import __version__
from lrcourse.commands import book as book_command
from lrcourse.commands import find_lr, options
from lrcourse.commands import trace as trace_command
from lrcourse.commands import tune as tune_command
from lrcourse.commands.doctor import examine
from lrcourse.commands.terminal import CommandError, ended
from lrcourse.scales import SCALES


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (default: this process's) and return its exit code."""
    return ended(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    parser = build_parser()
    given, rest = parser.parse_known_args(arguments)
    if rest and given.command is not lab and not getattr(given, "serve", False):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    given.rest = [word for word in rest if word != "--"]
    _check_surroundings()
    return given.command(given)


def build_parser() -> ArgumentParser:
    """The parser; each subcommand sets `command`, a function of the parsed arguments."""
    parser = ArgumentParser(
        prog="lrcourse", description="A course on the learning rate in Jupyter notebooks."
    )
    parser.add_argument("--version", action="version", version=f"lrcourse {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, function: Callable[[Namespace], int], told: str) -> ArgumentParser:
        command = commands.add_parser(name, help=told)
        command.set_defaults(command=function)
        return command

    command = add(
        "run", run, "execute chapters headless; leaves notebooks, figures and tables in a folder"
    )
    command.add_argument(
        "chapters", nargs="*", metavar="CHAPTER", help="such as 02-schedulers or 2 (default: all)"
    )
    command.add_argument(
        "--scale", choices=list(SCALES), default="small", help="small: seconds to minutes (default)"
    )
    _add_folders(command)
    options.add_flag(command, "--in-place", "also write the outputs back into the notebooks")
    told = "limit for one cell (default: none)"
    options.add_count(command, "--timeout", told, unit="SECONDS")
    options.add_flag(command, "--anew", "also train what the repository holds as evidence")
    command = add(
        "evidence", evidence, "train anew the runs that the repository holds, and write them"
    )
    told = "such as largest-rates (default: everything)"
    command.add_argument("names", nargs="*", metavar="NAME", help=told)
    _add_folders(command)
    _add_folders(
        add("lab", lab, "open JupyterLab on the notebooks; further arguments are JupyterLab's")
    )
    command = add("book", book, "make the web book of the notebooks, by mdBook")
    _add_folders(command)
    told = "show it and follow changes; further arguments: mdbook"
    options.add_flag(command, "--serve", told)
    add(
        "doctor",
        lambda given: examine(),
        "versions, device, data found, what is missing and how to get it",
    )
    traced = "what the LR of your own scheduler will be, and what looks wrong in it"
    trace_command.add_arguments(add("trace", trace_command.trace, traced))
    find_lr.add_arguments(add("find-lr", find_lr.find_lr, "LR range test of a net of your own"))
    tuned = "the rate for a training function of your own: five rates, widened, with seeds"
    tune_command.add_arguments(add("tune", tune_command.tune, tuned))
    return parser


def run(given: Namespace) -> int:
    """`lrcourse run`."""
    _require("nbclient", "nbformat", "ipykernel")
    from lrcourse.commands import chapters as runner

    chapters = runner.select(runner.find_chapters(_notebooks(given)), given.chapters)
    _make_home(given.out)
    if given.anew:
        os.environ["LRCOURSE_ANEW"] = "1"  # the kernels inherit it
    return runner.run_chapters(
        chapters, given.out, scale=given.scale, in_place=given.in_place, timeout=given.timeout
    )


def evidence(given: Namespace) -> int:
    """`lrcourse evidence`."""
    _require("nbclient", "nbformat", "ipykernel", "joblib")
    from lrcourse.commands.evidence import train

    notebooks = _notebooks(given)
    _make_home(given.out)
    return train(notebooks, given.out, given.names)


def lab(given: Namespace) -> int:
    """`lrcourse lab`."""
    _require("jupyterlab")
    folder = _notebooks(given)
    _make_home(given.out)
    command = [sys.executable, "-m", "jupyterlab", *given.rest]
    if os.name == "posix":
        # Become JupyterLab: it asks before it quits, and a parent would quit under it at Ctrl-C.
        os.chdir(folder)
        os.execv(sys.executable, command)
    return subprocess.call(command, cwd=folder)


def book(given: Namespace) -> int:
    """`lrcourse book`."""
    _require("latex2mathml", "markdown_it", "nbformat", "nh3")
    root = _notebooks(given).parent
    if not (root / "book.toml").is_file():
        raise CommandError(f"{root} has no book.toml: call this in the course's repository")
    _make(given.out)
    if given.serve:
        return book_command.serve(root, given.out, given.rest)
    return book_command.build(root, given.out)


def _add_folders(command: ArgumentParser) -> None:
    told = "folder of what is made (default: build)"
    options.add_path(command, "--out", "FOLDER", told, default="build")
    options.add_path(command, "--notebooks", "FOLDER", "folder of the chapters (default: found)")


def _check_surroundings() -> None:
    """What every command needs of the system: a folder to be in, and one for temporary files."""
    try:
        os.getcwd()
    except OSError:
        raise CommandError("the working folder is gone: change into one that is there") from None
    try:
        tempfile.gettempdir()
    except OSError:
        raise CommandError(
            "there is no folder for temporary files that can be written: name one by TMPDIR"
        ) from None
    options.folders()


def _notebooks(given: Namespace) -> Path:
    """The folder of the chapters: as given, else of the checkout, else in the working folder."""
    if given.notebooks is not None:
        if not given.notebooks.is_dir():
            raise CommandError(f"{given.notebooks} is not a folder")
        return given.notebooks.absolute()
    for parent in (options.CHECKOUT, Path.cwd()):
        if (parent / "notebooks").is_dir():
            return parent / "notebooks"
    raise CommandError(
        "the notebooks are not part of the installed package: clone the course's repository and "
        "call this inside it, or say where they are by --notebooks FOLDER"
    )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"cannot make the folder {folder}: {error.strerror}") from None
    if not os.access(folder, os.W_OK):
        raise CommandError(f"cannot write into {folder}: choose another by --out FOLDER")


def _make_home(folder: Path) -> None:
    """The same, also for caches where the home folder cannot be written."""
    from lrcourse.support.home import use_writable_home

    _make(folder)
    use_writable_home(folder)


def _require(*packages: str) -> None:
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise CommandError(
            f"{', '.join(missing)} missing: call `make setup` in the repository, or "
            "`lrcourse doctor` to see what to install"
        )
