"""tools/heaviest_cells.py: what each cell of a notebook costs."""

import importlib.util

import nbformat
import pytest
from helpers.repository import ROOT

from lrcourse.commands import chapters as runner

spec = importlib.util.spec_from_file_location("heaviest_cells", ROOT / "tools/heaviest_cells.py")
heaviest_cells = importlib.util.module_from_spec(spec)
spec.loader.exec_module(heaviest_cells)


def measured(tmp_path, *sources):
    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, sources)))
    path = tmp_path / "one.ipynb"
    nbformat.write(notebook, path)
    return list(heaviest_cells.measure(runner.Chapter("one", path), "small", tmp_path))


@pytest.mark.slow
def test_the_cell_that_works_is_told_from_those_that_wait(tmp_path):
    work = "import time\nwhile time.process_time() < 4: pass"
    light, sleeps, heavy = measured(tmp_path, "1", "import time; time.sleep(1)", work)
    assert heavy[0] > 5 * max(light[0], sleeps[0], 0.05)
    assert sleeps[1] > 1
    assert heavy[2:] == ("one", 3, "import time")


@pytest.mark.slow
def test_a_cell_that_fails_is_named(tmp_path):
    with pytest.raises(RuntimeError, match="one, code cell 2: ZeroDivisionError"):
        measured(tmp_path, "1", "1 / 0")
