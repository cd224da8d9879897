"""What `make lint` asks: style, types, and imports that run downward. Silent where all is well.

    python tools/lint.py

The four tools run side by side, with the Python that runs this.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Its own command has the path of its environment in it, which may have moved.
LAYERS = "from importlinter.cli import lint_imports_command as lint; lint()"
COMMANDS = {
    "ruff check": ["-m", "ruff", "check", "--quiet"],
    "ruff format": ["-m", "ruff", "format", "--check", "--quiet"],
    "pyright": ["-m", "basedpyright"],
    "import-linter": ["-c", LAYERS, "--no-cache", "--no-logo"],
}


def main(commands: Mapping[str, Sequence[str]] = COMMANDS) -> int:
    """Entry point; returns the exit code."""
    started = {
        name: subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        for name, words in commands.items()
    }
    told = {name: process.communicate()[0] for name, process in started.items()}
    failed = [name for name, process in started.items() if process.returncode != 0]
    for name in failed:
        print(f"lint: {name}\n{told[name].rstrip()}\n", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
