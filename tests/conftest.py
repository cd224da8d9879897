"""Fixtures that several test files share."""

import pytest


@pytest.fixture
def figure(monkeypatch):
    """Keeps figures open for a look; call it for the last one."""
    plt = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.setattr(plt, "close", lambda *_: None)
    monkeypatch.setattr(plt, "show", lambda: None)
    yield lambda: plt.figure(plt.get_fignums()[-1])
    monkeypatch.undo()
    plt.close("all")
