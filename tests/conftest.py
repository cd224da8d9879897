"""Fixtures that several test files share."""

import pytest
from helpers import covered


def pytest_configure(config: pytest.Config) -> None:
    """Measure the coverage where the environment asks for it."""
    if covered.is_wanted():
        config.pluginmanager.register(covered.Covered(config))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A name with an address in it differs in each process, and pytest-xdist needs them alike."""
    unstable = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if unstable:
        raise pytest.UsageError(f"give these tests names that stay: {', '.join(unstable)}")


@pytest.fixture
def figure(monkeypatch):
    """Keeps figures open for a look; call it for the last one."""
    plt = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.setattr(plt, "close", lambda *_: None)
    monkeypatch.setattr(plt, "show", lambda: None)
    yield lambda: plt.figure(plt.get_fignums()[-1])
    monkeypatch.undo()
    plt.close("all")
