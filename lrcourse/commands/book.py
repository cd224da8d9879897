"""`lrcourse book`: the notebooks as a web book, by mdBook."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lrcourse.commands.options import CHECKOUT
from lrcourse.commands.terminal import CommandError
from lrcourse.support.paths import remove_leftovers

_HOW_TO_GET = (
    "mdbook is missing: `cargo install mdbook --locked`, `conda install -c conda-forge mdbook`, or "
    "put a release binary of mdBook on the PATH"
)
_OF_MDBOOK = ".nojekyll"
_UNFINISHED = ".book-"


def find_mdbook() -> str:
    """The mdbook on the PATH, or where cargo installs it; CommandError that says how to get it."""
    # Unlike Path.home(), this needs no home folder.
    cargo = os.path.expanduser("~/.cargo/bin")
    found = shutil.which("mdbook") or shutil.which("mdbook", path=cargo)
    if found is None:
        raise CommandError(_HOW_TO_GET)
    return found


def build(root: Path, out: Path) -> int:
    """Make the book of `root`, the folder of book.toml, in `out`/book; the exit code.

    A book that was there is replaced when the new one is whole, and stays if it cannot be made.
    """
    mdbook, start = find_mdbook(), time.monotonic()
    target = out.absolute() / "book"
    remove_leftovers(out.absolute(), f"{_UNFINISHED}*")
    with tempfile.TemporaryDirectory(dir=out.absolute(), prefix=_UNFINISHED) as folder:
        made, old = Path(folder) / "made", Path(folder) / "old"
        command = [mdbook, "build", "--dest-dir", str(made), str(root)]
        if subprocess.call(command, cwd=root, env=environment()) != 0:
            print("The book was not made.", file=sys.stderr)
            return 1
        # mdBook copies whatever lies beside the notebooks: checkpoints, and files that are hidden.
        for unwanted in [*made.rglob(".*"), *made.rglob("__pycache__")]:
            if unwanted.is_dir():
                shutil.rmtree(unwanted)
            elif unwanted.name != _OF_MDBOOK:
                unwanted.unlink(missing_ok=True)
        if target.exists():
            target.rename(old)
        made.rename(target)
    print(f"Look in {target / 'index.html'} ({time.monotonic() - start:.0f} s)")
    return 0


def serve(root: Path, out: Path, rest: Sequence[str]) -> int:
    """Show the book of `root` and make it anew whenever a file changes, until Ctrl-C."""
    command = [find_mdbook(), "serve", "--dest-dir", str(out.absolute() / "book"), *rest, str(root)]
    if os.name == "posix":
        # Become mdbook, so that whoever ends this process ends the server.
        os.chdir(root)
        os.execve(command[0], command, environment())
    return subprocess.call(command, cwd=root, env=environment())


def environment(given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment in which mdBook calls the preprocessor of this package and no other."""
    path = os.pathsep.join(filter(None, [str(CHECKOUT), given.get("PYTHONPATH")]))
    command = shlex.join([sys.executable, "-m", "lrcourse.book"])
    return {**given, "PYTHONPATH": path, "MDBOOK_PREPROCESSOR__LRCOURSE__COMMAND": command}
