"""A course on the learning rate, and the package that its notebooks import.

Nothing heavy is imported here: `lrcourse.training`, `lrcourse.plots` and the other rooms are
imported when they are first named, so that `import lrcourse` costs milliseconds.
"""

from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"


def __getattr__(name: str) -> ModuleType:
    module = f"{__name__}.{name}"
    if not name.startswith("_"):
        try:
            return import_module(module)
        except ModuleNotFoundError as error:
            # A room that is not there is a missing attribute, so that hasattr() answers; a package
            # that a room needs and does not find is worth its own message.
            if error.name != module:
                raise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    from pkgutil import iter_modules

    rooms = (room.name for room in iter_modules(__path__) if room.name != "__main__")
    return sorted([*(name for name in globals() if name.startswith("__")), *rooms])
