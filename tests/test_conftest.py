"""The rules of the top-level conftest.py, seen from outside: small sessions of their own."""

import importlib.util
import os
import re
import subprocess
import sys
import time

import nbformat
import pytest
from helpers.repository import ROOT

CONFTEST = ROOT / "conftest.py"
spec = importlib.util.spec_from_file_location("top_conftest", CONFTEST)
rules = importlib.util.module_from_spec(spec)
spec.loader.exec_module(rules)
# Without the plugins of the outer session, which take seconds to load.
BARE = {"PYTHONPATH": str(CONFTEST.parent), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
SKIPS = """
import pytest

def test_package():
    pytest.importorskip("no_such_package")

@pytest.mark.skip(reason="no CUDA device")
def test_hardware():
    pass

@pytest.mark.xfail
def test_expected():
    assert False
"""
CELLS = """
def test_cells(request):
    cells = [item for item in request.session.items if item.path.suffix == ".ipynb"]
    assert [cell.output_timeout for cell in cells] == [60]
    assert all(cell.get_closest_marker("notebook") for cell in cells)
"""


@pytest.fixture
def session(tmp_path):
    """A folder with tests, and a function that runs them with some environment."""
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text(encoding="utf-8"))
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  notebook: one\n")

    def run(*words, **variables):
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rA", *words],
            cwd=tmp_path,
            env=os.environ | BARE | variables,
            capture_output=True,
            text=True,
            check=False,
        ).stdout

    return run


def test_skips_for_want_of_a_package_fail_where_everything_is_required(session, tmp_path):
    (tmp_path / "test_skips.py").write_text(SKIPS)
    (tmp_path / "test_file.py").write_text("import pytest\npytest.importorskip('no_such_one')\n")
    assert "3 skipped, 1 xfailed" in session(LRCOURSE_REQUIRE="")
    told = session(LRCOURSE_REQUIRE="all", PYTEST_ADDOPTS="--continue-on-collection-errors")
    assert "1 failed, 1 skipped, 1 xfailed, 1 error" in told
    assert "LRCOURSE_REQUIRE=all forbids this skip" in told


def test_notebooks_run_small_with_time_to_answer_and_records_of_their_own(session, tmp_path):
    checks = [
        "import os",
        "assert os.environ['LRCOURSE_SCALE'] == 'small'",
        "assert os.environ['LRCOURSE_PROGRESS'] == '0'",
        "assert 'LRCOURSE_OUT' not in os.environ",
        "assert os.path.isdir(os.environ['LRCOURSE_RECORDS'])",
        "print(os.environ['LRCOURSE_RECORDS'])",
        "import sys; print(sys.executable)",
    ]
    cell = nbformat.v4.new_code_cell("\n".join(checks))
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "one.ipynb")
    (tmp_path / "test_cells.py").write_text(CELLS)
    options = ["-p", "nbval.plugin", "--nbval-lax", "--nbval-current-env"]
    files = ["test_cells.py", "one.ipynb"]
    told = session(*options, *files, LRCOURSE_SCALE="full", LRCOURSE_OUT=str(tmp_path / "out"))
    assert "2 passed" in told, told
    assert list((tmp_path / "build" / "test-records").iterdir()) == []


NBVAL = ["-p", "nbval.plugin", "--nbval-lax", "--nbval-current-env"]


def write(path, *sources):
    """A notebook with these code cells, executed as it seems, without outputs."""
    cells = [nbformat.v4.new_code_cell(source, execution_count=1) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


def test_the_limit_of_a_cell_grows_with_the_time_of_a_fixed_piece_of_work():
    slow = rules.calibrate(lambda: time.sleep(4 * rules.CALIBRATED))
    assert 4 <= slow.slowness < 8
    assert slow.processor < rules.CALIBRATED < slow.wall
    assert rules.calibrate(lambda: None).slowness == 1
    said = rules.Speed(1.2, 0.4).told(2400)
    assert said.startswith("speed: 1.20 s by the clock and 0.40 s of processor time for what takes")
    assert said.endswith("a notebook's cell may take 2400 s")


def test_the_fixed_piece_of_work_is_plain_work():
    speed = rules.calibrate()
    assert speed.processor > 0.1 * rules.CALIBRATED
    assert speed.wall >= 0.9 * speed.processor


@pytest.mark.slow
def test_the_limit_is_told_and_reaches_the_workers_of_xdist(session, tmp_path):
    (tmp_path / "test_limit.py").write_text(
        "def test_limit(request):\n    print('limit', request.config.option.nbval_cell_timeout)\n"
    )
    for more in ([], ["-p", "xdist", "-n", "1"]):
        told = session(*NBVAL, *more, "--nbval-cell-timeout=7", "test_limit.py", "-v")
        limit = float(re.search(r"cell may take (\d+) s", told)[1])
        assert limit >= 7
        assert float(re.search(r"limit ([\d.]+)", told)[1]) == pytest.approx(limit, abs=0.51)
    assert "speed:" not in session("test_limit.py", "-v", "-p", "nbval.plugin")


@pytest.mark.parametrize(
    "more",
    [[], pytest.param(["-p", "xdist", "-n", "1"], marks=pytest.mark.slow)],
    ids=["alone", "xdist"],
)
def test_a_cell_that_takes_too_long_fails_alone_and_with_one_sentence(session, tmp_path, more):
    write(tmp_path / "slow.ipynb", "x = 1", "import time; time.sleep(600); y = 2", "x", "x + y")
    write(tmp_path / "other.ipynb", "z = 3", "z")
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nmarkers =\n  notebook: one\nxfail_strict = true\n"
    )
    told = session(*NBVAL, *more, "--nbval-cell-timeout=2", "slow.ipynb", "other.ipynb")
    assert "1 failed, 3 passed, 2 skipped" in told, told
    assert re.search(r"Cell 1 of slow\.ipynb ran into its limit of \d+ s; on a machine", told)
    assert "ran into its limit" in told.split("SKIPPED")[1]
    assert "KeyboardInterrupt" not in told


@pytest.mark.parametrize(
    "more",
    [[], pytest.param(["-p", "xdist", "-n", "2", "--dist", "loadscope"], marks=pytest.mark.slow)],
    ids=["alone", "xdist"],
)
def test_weaker_verdicts_are_told_in_one_line_and_fail_nothing(session, tmp_path, more):
    arms = (
        "from lrcourse.claims import claim, exact, paired\n"
        "arms = paired([1, -1, 2, -2, 3, -3, 4, -4], [0] * 8)"
    )
    write(tmp_path / "a.ipynb", arms, "claim('Far away', arms, margin=0)")
    write(
        tmp_path / "b.ipynb", arms, "claim('So it is', exact(True))", "claim('No', arms, below=9)"
    )
    told = session(*NBVAL, *more, "a.ipynb", "b.ipynb")
    line = "1 of 3 verdicts is undecided on this processor: “Far away” (a)."
    assert told.splitlines().count(line) == 1, told
    assert "5 passed" in told
