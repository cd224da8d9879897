"""The command line in a process of its own."""

import os
import subprocess
import sys

from helpers.repository import ROOT


def call(*words, cwd, **variables):
    """Run ``python -m lrcourse`` in a folder; returns the finished process."""
    return subprocess.run(
        [sys.executable, "-m", "lrcourse", *words],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
