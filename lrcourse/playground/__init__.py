"""One descent in the hand: a setting, its run and its verdict, in Jupyter and on the page.

The names are imported when they are first used: the widget needs anywidget, the rest does not.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lrcourse.playground.descent import Setting, simulate
    from lrcourse.playground.sentences import edge, verdict
    from lrcourse.playground.widget import Playground

_HOMES = {
    "Playground": "widget",
    "Setting": "descent",
    "edge": "sentences",
    "simulate": "descent",
    "verdict": "sentences",
}
__all__ = ["Playground", "Setting", "edge", "simulate", "verdict"]


def __getattr__(name: str):
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
