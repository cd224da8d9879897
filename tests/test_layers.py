"""Imports run downward, and the linter notices one that does not."""

import shutil
import subprocess
import sys

import pytest
from helpers.repository import ROOT

LINT = "from importlinter.cli import lint_imports_command as lint; lint()"


@pytest.fixture
def copy(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "lrcourse", tmp_path / "lrcourse", ignore=ignored)
    return tmp_path


def lint(folder):
    command = [sys.executable, "-c", LINT, "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_imports_run_downward():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("support/names.py", "from lrcourse.schedules import warmup", "Imports run downward"),
        ("training/loop.py", "import lrcourse.sweeps", "Imports run downward"),
        ("sweeps/extra.py", "def f():\n    from lrcourse import plots", "Imports run downward"),
        ("newroom/__init__.py", "", "Imports run downward"),
        ("schedules/base.py", "from lrcourse.schedules import decays", "No circle"),
        ("rangetest/result.py", "from matplotlib import axes", "Only what draws knows matplotlib"),
        ("training/loop.py", "from joblib import Parallel", "Only sweeps knows joblib"),
        ("models.py", "from torchvision.models import resnet18", "Only data knows torchvision"),
        ("study/transfer.py", "from d2l import torch", "Only one module knows d2l"),
    ],
)
def test_a_forbidden_import_fails_the_lint(copy, module, line, contract):
    path = copy / "lrcourse" / module
    path.parent.mkdir(exist_ok=True)
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(f"{before}\n{line}\n", encoding="utf-8")
    done = lint(copy)
    assert done.returncode == 1
    broken = [line for line in done.stdout.splitlines() if " BROKEN" in line]
    assert any(line.startswith(contract) for line in broken), done.stdout
