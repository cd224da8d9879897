"""What several commands take: numbers, files and folders of the command line and its variables."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from lrcourse.commands.terminal import CommandError
from lrcourse.support.paths import expanded

# Where the package lies: the checkout with its notebooks, or the folder of installed packages.
CHECKOUT = Path(__file__).resolve().parents[2]
# Environment variables that name a folder.
FOLDER_VARIABLES = ("LRCOURSE_CACHE", "LRCOURSE_DATA", "LRCOURSE_EVIDENCE", "LRCOURSE_RECORDS")


def add_count(
    command: argparse.ArgumentParser, name: str, told: str, unit: str = "N", required: bool = False
) -> None:
    """An option that is a `count` of some unit."""
    command.add_argument(name, type=count, metavar=unit, required=required, help=told)


def add_flag(command: argparse._ActionsContainer, name: str, told: str) -> None:
    """An option that is there or not."""
    command.add_argument(name, action="store_true", help=told)


def add_path(
    command: argparse.ArgumentParser, name: str, unit: str, told: str, default: str | None = None
) -> None:
    """An option that is a `path`, of a file or a folder."""
    command.add_argument(name, type=path, default=default, metavar=unit, help=told)


def count(text: str) -> int:
    """The type of an option that is a whole number from 1 on, which something can count up to."""
    if not re.fullmatch(r"0*[1-9][0-9]{0,14}", text):
        told = f"{text[:40]!r} is not a whole number from 1 on, of at most 15 digits"
        raise argparse.ArgumentTypeError(told)
    return int(text)


def path(text: str) -> Path:
    """The type of an option that is a file or folder; `~` is the home folder."""
    try:
        return expanded(text, "the path")
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None


def figure(text: str) -> Path:
    """The type of an option that is a figure to write, a PNG."""
    file = path(text)
    if file.suffix.lower() not in ("", ".png"):
        raise argparse.ArgumentTypeError(
            f"{text!r}: the figure is a PNG; name it {file.with_suffix('.png')}"
        )
    return file


def folders() -> dict[str, Path]:
    """The variables of `FOLDER_VARIABLES` that are set, as absolute folders.

    Raises CommandError for a home folder that is not there.
    """
    names = filter(os.environ.get, FOLDER_VARIABLES)
    try:
        return {name: expanded(os.environ[name], name).absolute() for name in names}
    except ValueError as problem:
        raise CommandError(str(problem)) from None
