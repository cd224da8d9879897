"""What every test session shares, whether it runs tests/ or the notebooks through nbval.

Kernels inherit the environment that is set here: the small scale, no progress bars, records of
their own (a run recorded by older code must not vouch for newer code) and nothing left in build/.

With LRCOURSE_REQUIRE=all, as in continuous integration, a test may not be skipped for want of a
package or a tool: the skip counts as a failure. Hardware and other operating systems cannot be
installed, so skips whose reason names one of them stand.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import pytest

from lrcourse.support.home import use_writable_home

BUILD = Path(__file__).resolve().parent / "build"
CANNOT_BE_INSTALLED = re.compile(r"CUDA|GPU|Windows|macOS")
OUTPUT_TIMEOUT = 60  # seconds; nbval's own 5 are too few on a busy machine

_records = pytest.StashKey[tempfile.TemporaryDirectory]()


def pytest_configure(config: pytest.Config) -> None:
    """Set the environment of the session once; workers of pytest-xdist inherit it."""
    if hasattr(config, "workerinput"):
        return
    folder = BUILD / "test-records"
    folder.mkdir(parents=True, exist_ok=True)
    use_writable_home(BUILD)
    config.stash[_records] = tempfile.TemporaryDirectory(dir=folder)
    os.environ |= {
        "LRCOURSE_SCALE": "small",
        "LRCOURSE_PROGRESS": "0",
        "LRCOURSE_RECORDS": config.stash[_records].name,
    }
    for name in ("LRCOURSE_OUT", "LRCOURSE_CHAPTER"):
        os.environ.pop(name, None)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the records of this session."""
    if _records in config.stash:
        config.stash[_records].cleanup()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark nbval's cells and give them time."""
    for item in items:
        if _is_notebook_cell(item):
            item.output_timeout = OUTPUT_TIMEOUT
            item.add_marker("notebook")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Turn a skip that is not allowed here into a failure."""
    report = yield
    if not _is_notebook_cell(item) and not hasattr(report, "wasxfail"):
        _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    """The same for a whole file, as `pytest.importorskip` at its top skips it."""
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("LRCOURSE_REQUIRE") != "all" or not report.skipped:
        return
    reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    if not CANNOT_BE_INSTALLED.search(reason):
        report.outcome = "failed"
        report.longrepr = f"LRCOURSE_REQUIRE=all forbids this skip: {reason}"


def _is_notebook_cell(item: pytest.Item) -> bool:
    return item.path.suffix == ".ipynb"
