"""How much of the package the quick tests run, as one number: with LRCOURSE_COVERAGE=1.

Measured inside the test processes alone and switched off for slow tests and for notebooks, so that
it costs little, and for timed ones, whose figures it would change. The number leaves out what only
a process of its own runs, such as a kernel.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path

import coverage
import pytest

FOLDER = "lrcourse_coverage_folder"
LEFT_OUT = ("slow", "notebook", "timed")


def is_wanted() -> bool:
    """Whether the environment asks for it."""
    return bool(os.environ.get("LRCOURSE_COVERAGE"))


class Covered:
    """A plugin of pytest: each process measures, the first one gathers and prints."""

    def __init__(self, config: pytest.Config) -> None:
        self.worker = getattr(config, "workerinput", None)
        self.folder = tempfile.TemporaryDirectory() if self.worker is None else None
        if sys.version_info >= (3, 12):
            os.environ.setdefault("COVERAGE_CORE", "sysmon")  # each line costs once
        self.running = False
        self.measured = self._coverage()

    def _coverage(self, suffix: bool = True) -> coverage.Coverage:
        folder = self.worker[FOLDER] if self.folder is None else self.folder.name
        return coverage.Coverage(
            data_file=str(Path(folder) / "data"),
            data_suffix=suffix,
            source_pkgs=["lrcourse"],
            config_file=False,
            messages=False,
        )

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node) -> None:
        """Tell a worker of pytest-xdist where to leave what it measures."""
        node.workerinput[FOLDER] = self.folder.name

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Importing the package is the first thing to measure."""
        self._switch(True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """On for the quick tests."""
        self._switch(not any(item.get_closest_marker(name) for name in LEFT_OUT))

    def _switch(self, on: bool) -> None:
        if on != self.running:
            (self.measured.start if on else self.measured.stop)()
            self.running = on

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Leave what this process measured."""
        self._switch(False)
        self.measured.save()

    def pytest_terminal_summary(self, terminalreporter) -> None:
        """Print the number."""
        total = self._coverage(suffix=False)
        total.combine([self.folder.name])
        percent = total.report(file=io.StringIO())
        terminalreporter.write_line(f"The quick tests run {percent:.1f} % of the package's lines")

    def pytest_unconfigure(self) -> None:
        """Remove the files."""
        if self.folder is not None:
            self.folder.cleanup()
