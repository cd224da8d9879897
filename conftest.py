"""What every test session shares, whether it runs tests/ or the notebooks through nbval.

Kernels inherit the environment that is set here: the small scale, no progress bars, records of
their own (a run recorded by older code must not vouch for newer code) and nothing left in build/.

A notebook's cell may take as long as `--nbval-cell-timeout` says, times the slowness of this
machine, measured at the start. One that takes longer fails with one sentence, and the cells after
it, which lack what it makes, are skipped. At the end one line tells how many verdicts of claims
are weaker on this processor than those stored; that fails nothing.

With LRCOURSE_REQUIRE=all, as in continuous integration, a test may not be skipped for want of a
package or a tool: the skip counts as a failure. Hardware and other operating systems cannot be
installed, so skips whose reason names one of them stand.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from lrcourse.support.home import use_writable_home

BUILD = Path(__file__).resolve().parent / "build"
CANNOT_BE_INSTALLED = re.compile(r"CUDA|GPU|Windows|macOS")
OUTPUT_TIMEOUT = 60  # seconds; nbval's own 5 are too few on a busy machine

# Seconds that `calibrate` takes on the machine of notebooks/run-times.md, idle.
CALIBRATED = 0.3
LIMIT = "cell_limit"  # seconds, as workers of pytest-xdist are told
VERDICTS = "verdicts"  # the property of a report that holds those of its cell

_records = pytest.StashKey[tempfile.TemporaryDirectory]()
_speed = pytest.StashKey["Speed"]()
_ran_out = pytest.StashKey[str]()


class Speed(NamedTuple):
    """Seconds by the clock and of processor time that a fixed piece of work took."""

    wall: float
    processor: float

    @property
    def slowness(self) -> float:
        """How many times as long as on the machine of reference, 1 at least.

        The clock decides: it sees a slow processor, one that is held back and one that is shared.
        """
        return max(1.0, self.wall / CALIBRATED)

    def told(self, limit: float) -> str:
        """What was measured and what follows, in one line."""
        return (
            f"speed: {self.wall:.2f} s by the clock and {self.processor:.2f} s of processor time "
            f"for what takes {CALIBRATED} s elsewhere; a notebook's cell may take {limit:.0f} s"
        )


def calibrate(work: Callable[[], object] | None = None) -> Speed:
    """Do a fixed piece of work, plain Python and a little of NumPy, and take its time."""
    if work is None:
        import numpy  # noqa: F401  (reading it is no work of the processor)
    wall, processor = time.perf_counter(), time.process_time()
    (work or _some_work)()
    return Speed(time.perf_counter() - wall, time.process_time() - processor)


def _some_work() -> None:
    import numpy as np

    matrix = np.ones((64, 64), dtype=np.float32)
    for _ in range(18_000):
        matrix = np.tanh(matrix @ matrix / 64)
        sum(k * k for k in range(200))


def pytest_configure(config: pytest.Config) -> None:
    """Set the environment of the session once; workers of pytest-xdist inherit it."""
    if hasattr(config, "workerinput"):
        config.option.nbval_cell_timeout = config.workerinput[LIMIT]
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
    if config.getoption("nbval_lax", False) or config.getoption("nbval", False):
        speed = config.stash[_speed] = calibrate()
        config.option.nbval_cell_timeout *= speed.slowness


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node) -> None:
    """Tell a worker of pytest-xdist the limit for a cell: it parses the options anew."""
    node.workerinput[LIMIT] = node.config.getoption("nbval_cell_timeout", None)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say how fast this machine is, where that matters."""
    speed = config.stash.get(_speed, None)
    return speed and speed.told(config.option.nbval_cell_timeout)


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


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip the cells after one that took too long."""
    if _is_notebook_cell(item) and (reason := item.parent.stash.get(_ran_out, None)):
        pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Turn a skip that is not allowed here into a failure; say of a cell what matters of it."""
    report = yield
    if not _is_notebook_cell(item):
        if not hasattr(report, "wasxfail"):
            _refuse_skip(report)
    elif report.when == "call":
        _report_cell(item, report)
    return report


def _report_cell(item: pytest.Item, report: pytest.TestReport) -> None:
    from lrcourse.claims import read_lines

    printed = "".join(output.get("text", "") for output in item.test_outputs or ())
    rows = [row | {"where": _page(item)} for row in read_lines(printed)]
    report.user_properties.append((VERDICTS, rows))
    if item.parent.timed_out:
        limit = item.config.option.nbval_cell_timeout
        item.parent.stash[_ran_out] = (
            f"{item.name} of {item.path.name} ran into its limit of {limit:.0f} s, and what it "
            "makes is missing here"
        )
        report.longrepr = (
            f"{item.name} of {item.path.name} ran into its limit of {limit:.0f} s; on a machine "
            "that is busy for long, give it more with --nbval-cell-timeout"
        )


def pytest_terminal_summary(terminalreporter) -> None:
    """One line on the verdicts of all claims of the notebooks."""
    from lrcourse.claims import summarise

    reports = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, ())
    ]
    rows = [
        row
        for report in reports
        for name, found in getattr(report, "user_properties", ())
        if name == VERDICTS
        for row in found
    ]
    if rows:
        terminalreporter.write_line(f"{summarise(rows)}.")


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


def _page(item: pytest.Item) -> str:
    path, notebooks = item.path.with_suffix(""), BUILD.parent / "notebooks"
    return path.relative_to(notebooks).as_posix() if path.is_relative_to(notebooks) else path.stem


def _is_notebook_cell(item: pytest.Item) -> bool:
    return item.path.suffix == ".ipynb"
