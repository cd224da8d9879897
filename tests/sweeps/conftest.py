"""What several tests of sweeps need."""

import importlib
import sys
import textwrap

import pytest


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write a module and load it (anew), without bytecode, whose times are too coarse."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path)
    names = set()

    def write(name, text, load=True):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        names.add(name)
        importlib.invalidate_caches()
        if load:
            for one in sorted(names & sys.modules.keys()):
                importlib.reload(sys.modules[one])
            return importlib.import_module(name)

    yield write
    for name in names:
        sys.modules.pop(name, None)
