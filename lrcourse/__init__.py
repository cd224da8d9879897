"""A course on the learning rate, and the package that its notebooks import.

Nothing heavy is imported here: `lrcourse.training`, `lrcourse.plots` and the other rooms are
imported when they are first named, so that `import lrcourse` costs milliseconds.
"""

from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"

_ROOMS = (
    "book",
    "claims",
    "commands",
    "data",
    "landscapes",
    "look",
    "models",
    "optimizers",
    "playground",
    "plots",
    "published",
    "rangetest",
    "recorder",
    "scales",
    "schedules",
    "study",
    "support",
    "sweeps",
    "tracing",
    "training",
)


def __getattr__(name: str) -> ModuleType:
    if name in _ROOMS:
        module = f"{__name__}.{name}"
        try:
            return import_module(module)
        except ModuleNotFoundError as error:
            # A room that is not there is a missing attribute, so that hasattr() answers; a package
            # that a room needs and does not find is worth its own message.
            if error.name != module:
                raise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    from importlib.util import find_spec

    rooms = [room for room in _ROOMS if find_spec(f"{__name__}.{room}")]
    return sorted([*(name for name in globals() if name.startswith("__")), *rooms])
