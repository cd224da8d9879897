"""What reaches the terminal, and how a command ends when it cannot be reached."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import unicodedata
from collections.abc import Callable

# What changes the colour, the cursor or the title of a terminal (ECMA-48): control sequences,
# strings up to their end or that of the line, and the short forms.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]"
)
# Control and formatting characters, such as those that turn the direction of the text.
_UNSEEN = ("Cc", "Cf", "Cs")
INTERRUPTED, CLOSED = 130, 141  # what a shell reports of a program that a signal has ended


class CommandError(Exception):
    """What prevents a command; the message says what would do, `code` is the exit code."""

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code


def plain(text: str) -> str:
    """Text that a terminal only shows: escape sequences removed, control characters spelled out."""
    text = _ESCAPES.sub("", text.replace("\r\n", "\n"))
    return "".join(
        character
        if character in "\n\t" or unicodedata.category(character) not in _UNSEEN
        else character.encode("unicode_escape", "backslashreplace").decode()
        for character in text
    )


def say(*parts: object) -> None:
    """Print each part on lines of its own, as `plain` text: it may quote somebody else's."""
    for part in parts:
        print(plain(str(part)), flush=True)


def complain(problem: object) -> None:
    """The sentence that ends a command, on the standard error; lost where that is closed too."""
    with contextlib.suppress(OSError, ValueError):
        print(f"lrcourse: {plain(str(problem))}", file=sys.stderr, flush=True)


def ended(command: Callable[[], int]) -> int:
    """What a command returns; where an error ends it, a sentence is said instead.

    Returns the code of a `CommandError`; `INTERRUPTED` after Ctrl-C; `CLOSED`, quietly, when
    whoever read the output has gone; 1 when something could not be read or written, as on a full
    disk, or when code of a person's own has closed the standard output.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            return command()
        finally:
            if sys.stdout and not sys.stdout.closed:
                sys.stdout.flush()
    except CommandError as problem:
        complain(problem)
        return problem.code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return CLOSED
    except OSError as problem:
        _discard_output()
        complain(f"{problem.filename or 'writing failed'}: {problem.strerror or problem}")
        return 1
    except ValueError:
        if not sys.stdout or not sys.stdout.closed:
            raise
        complain("the standard output was closed while this ran: leave sys.stdout open")
        return 1


def duration(seconds: float) -> str:
    """Seconds in words: "4 s", "1 min 12 s", "2 h 3 min"."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _discard_output() -> None:
    """What is still in the buffer would fail again when the interpreter ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
