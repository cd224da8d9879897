"""The coverage of the quick tests is one number, whether they run in one process or in two."""

import os
import re
import subprocess
import sys

import pytest
from helpers.repository import ROOT

TESTS = """
import pytest
from lrcourse.schedules import cosine

def test_quick():
    assert cosine(4)(4) == 0

@pytest.mark.slow
def test_slow():
    from lrcourse.schedules import wsd
    assert wsd(20, 4, 8)(10) == 1
    from lrcourse.claims import exact, judge
    assert judge("So it is", exact([True])).verdict == "holds"
"""
CONFIGURATION = (
    "from helpers.covered import Covered, is_wanted\n"
    + """
def pytest_configure(config):
    config.addinivalue_line("markers", "slow: ")
    if is_wanted():
        config.pluginmanager.register(Covered(config))
"""
)


def percentage(folder, *words):
    """What a session on two small tests prints of its coverage."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words, str(folder)]
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    env = os.environ | {"LRCOURSE_COVERAGE": "1", "PYTHONPATH": path}
    env.pop("PYTEST_XDIST_WORKER", None)
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"The quick tests run (\d+\.\d) % of the package's lines", done.stdout)
    return float(found[1])


@pytest.mark.slow
def test_slow_tests_count_for_nothing_and_workers_are_added_up(tmp_path):
    (tmp_path / "test_two.py").write_text(TESTS)
    (tmp_path / "conftest.py").write_text(CONFIGURATION)
    quick = percentage(tmp_path, "-m", "not slow")
    assert 1 < quick < 50
    assert percentage(tmp_path, "-n", "2") == quick
    (tmp_path / "test_two.py").write_text(TESTS.replace("@pytest.mark.slow", ""))
    assert percentage(tmp_path) > quick
