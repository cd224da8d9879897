"""What the commands on a person's own code share: `lrcourse trace`, `find-lr` and `tune`.

They take MODULE:FUNCTION; the first two call the function and work on what it returns, `tune` calls
it as often as it needs. Here is how it is found and called, how errors in it are shown (its own
lines, not this package's), and the options that they share.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import inspect
import os
import sys
import sysconfig
import textwrap
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from lrcourse.commands import options
from lrcourse.commands.terminal import CommandError

HERE = str(Path(__file__).parents[1]) + os.sep
IMPORTING = ("<frozen", os.path.dirname(importlib.__file__) + os.sep)
LIBRARIES = (HERE, *IMPORTING, sysconfig.get_path("stdlib") + os.sep)
# Of this environment, of the user, of the system: whichever Python finds packages in.
PACKAGES = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))

CONTRACT = """\
The function takes no argument. Its module is looked for in the working folder first, then among
the installed packages. It returns what the {purpose} needs, either as a tuple

    return {pair}

or as a dictionary with these keys and {further}:

    return {keys}
{rest}
Exit codes:
    0  all is well
    1  {one}
    2  nothing was done: the request, the module or what the function returns does not allow it
"""


# -- options ----------------------------------------------------------------------------------


def add_function(command: argparse.ArgumentParser, **contract: str) -> None:
    """The argument MODULE:FUNCTION, and below the options the `CONTRACT` of the function."""
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.epilog = CONTRACT.format(**contract)
    command.add_argument(
        "function",
        metavar="MODULE:FUNCTION",
        help=f"a function of yours that returns {contract['pair']}; see below",
    )


def add_figure(command: argparse.ArgumentParser, name: str) -> None:
    """`--out FILE` and `--no-png`; the file is `given.out`, None where none is wanted."""
    command.add_argument(
        "--out",
        type=options.figure,
        default=Path(name),
        metavar="FILE",
        help=f"the figure, a PNG (default: {name})",
    )
    command.add_argument(
        "--no-png", dest="out", action="store_const", const=None, help="no figure, the table alone"
    )


def check_files(*files: Path | None) -> None:
    """Before the work: whether the files can be written after it."""
    wanted = [file for file in files if file is not None]
    if len({file.absolute() for file in wanted}) < len(wanted):
        raise CommandError(f"the figure and the table cannot both be {wanted[0]}: name two files")
    for file in wanted:
        folder = file.absolute().parent
        if not folder.is_dir():
            raise CommandError(f"there is no folder {file.parent} to write {file.name} into")
        if file.is_dir():
            raise CommandError(f"cannot write {file}: it is a folder; name a file in it")
        if not os.access(file if file.exists() else folder, os.W_OK):
            raise CommandError(f"cannot write {file}: choose another file")


# -- the function -----------------------------------------------------------------------------


def find(name: str) -> Callable[..., Any]:
    """The function MODULE:FUNCTION.

    Raises CommandError where there is none, or where its module cannot be imported.
    """
    from lrcourse.support.names import find_function

    os.environ["MPLBACKEND"] = "Agg"  # figures go to files; a shell may have no display
    module, colon, path = name.partition(":")
    imported = _import(module) if module and colon and path else None
    try:
        return find_function(name)
    except ValueError as problem:
        raise CommandError(f"{problem}{_defined(imported)}") from None


def call(name: str) -> object:
    """What the function MODULE:FUNCTION returns.

    Raises CommandError where it cannot be found, where it takes arguments, and where it fails.
    """
    function = find(name)
    with contextlib.suppress(TypeError, ValueError):  # without a signature: see whether it works
        needed = _needed(function)
        if needed:
            raise CommandError(
                f"{name} must take no argument; it needs {', '.join(needed)}: name a function "
                f"that calls it with them"
            )
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise CommandError(
            f"{name} is an async def, which is not run here: name a function that runs it and "
            "returns what it gives, asyncio.run(...)"
        )
    try:
        returned = function()
        if inspect.iscoroutine(returned):
            returned.close()  # it is refused as it stands, and never awaited
        return returned
    except KeyboardInterrupt:
        raise
    except BaseException as problem:
        raise CommandError(f"{name} failed:\n{excerpt(problem)}") from None


def keywords(
    name: str,
    returned: object,
    needed: tuple[str, ...],
    further: Iterable[str] = (),
    or_else: str = "",
) -> dict[str, Any]:
    """What the function returned as a dictionary: a tuple has `needed` in this order."""
    if isinstance(returned, tuple | list) and len(returned) == len(needed):
        return dict(zip(needed, returned, strict=True))
    if not isinstance(returned, Mapping):
        from lrcourse.support.checks import of_kind

        size = f" of {len(returned)}" if isinstance(returned, tuple | list) else ""
        raise CommandError(
            f"{name} returned {of_kind(returned)}{size}; "
            f"it must return ({', '.join(needed)}), or a dictionary with these keys{or_else}"
        )
    known = (*needed, *(key for key in further if key not in needed))
    missing = [key for key in needed if key not in returned]
    unknown = [str(key) for key in returned if key not in known]
    if missing or unknown:
        what = [f"lacks {', '.join(missing)}"] * bool(missing)
        what += [f"has {', '.join(unknown)} in it"] * bool(unknown)
        raise CommandError(
            f"the dictionary that {name} returned {' and '.join(what)}; its keys are among "
            f"{', '.join(known)}"
        )
    return dict(returned)


@contextlib.contextmanager
def working(what: str) -> Iterator[None]:
    """Around the work: what this package refuses ends with 2, what fails in other code with 1.

    `what` begins the message, such as "cannot trace mine:build".
    """
    try:
        yield
    except (KeyboardInterrupt, CommandError):
        raise
    except BaseException as problem:
        if is_refusal(problem):
            raise CommandError(f"{what}: {problem}") from None
        raise CommandError(f"{what}, it fails:\n{excerpt(problem)}", code=1) from None


def is_refusal(problem: BaseException) -> bool:
    """Whether this package has raised it, so that its message says all."""
    last = traceback.extract_tb(problem.__traceback__)[-1:]
    return isinstance(problem, TypeError | ValueError | OSError) and any(
        frame.filename.startswith(HERE) for frame in last
    )


def write(what: str, file: Path | None, writer: Callable[[Path], object]) -> None:
    """Write a result where one is wanted; a full disk, or a folder that went away, ends with 1."""
    if file is None:
        return
    try:
        writer(file)
    except OSError as problem:
        raise CommandError(f"cannot write {file}: {problem.strerror or problem}", code=1) from None
    print(f"{what}: {file}")


def excerpt(problem: BaseException) -> str:
    """The traceback with the person's own lines alone, or where there are none, the last one."""
    told = traceback.TracebackException.from_exception(problem)
    _trim(told)
    return "".join(told.format()).rstrip()


def _import(module: str) -> ModuleType:
    if module.endswith(".py") or module.startswith(".") or set(module) & {"/", os.sep}:
        raise CommandError(
            f"a module is named as in an import, my_training:build for the function build of the "
            f"file my_training.py in this folder; got {module!r}"
        )
    folder = os.getcwd()
    if folder not in sys.path:  # the installed command begins with its own folder instead
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as problem:
        absent = problem.name if isinstance(problem, ModuleNotFoundError) else None
        if absent and f"{module}.".startswith(f"{absent}."):
            raise CommandError(
                f"there is no module {module!r} in {folder} or among the installed packages"
            ) from None
        advice = ""
        if isinstance(problem, SystemExit):
            advice = "\nkeep what a script does under if __name__ == '__main__'"
        raise CommandError(f"{module} cannot be imported:\n{excerpt(problem)}{advice}") from None


def _defined(module: ModuleType | None) -> str:
    """The functions that a module defines, for a message."""
    if module is None:
        return ""
    names = [
        name
        for name, thing in vars(module).items()
        if inspect.isfunction(thing) and thing.__module__ == module.__name__ and name[0] != "_"
    ]
    place = getattr(module, "__file__", None) or module.__name__
    told = textwrap.shorten(", ".join(names) or "no function", 200, placeholder=" ...")
    return f"; {place} defines {told}"


def _needed(function: Callable[..., object]) -> list[str]:
    """The arguments that a function cannot be called without."""
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        each.name
        for each in inspect.signature(function).parameters.values()
        if each.default is each.empty and each.kind not in optional
    ]


def _trim(told: traceback.TracebackException) -> None:
    others = [frame for frame in told.stack if not frame.filename.startswith(LIBRARIES)]
    own = [frame for frame in others if not any(place in frame.filename for place in PACKAGES)]
    last = [frame for frame in told.stack[-1:] if not frame.filename.startswith(IMPORTING)]
    told.stack = traceback.StackSummary.from_list(own or last)
    for before in filter(None, (told.__cause__, told.__context__)):
        _trim(before)
