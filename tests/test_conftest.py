"""The rules of the top-level conftest.py, seen from outside: small sessions of their own."""

import os
import subprocess
import sys

import nbformat
import pytest
from helpers.repository import ROOT

CONFTEST = ROOT / "conftest.py"
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
