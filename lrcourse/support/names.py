"""What is imported by its name: a function, "module:qualname", and what not every use needs."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def function_name(function: Callable[..., Any]) -> Callable[..., Any] | str:
    """'module:qualname' where that leads back to the function, else the function itself."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    try:
        found = find_function(f"{module}:{name}")
    except ValueError:
        return function
    return f"{module}:{name}" if found is function else function


def find_function(name: str) -> Callable[..., Any]:
    """The function called 'module:qualname'; ValueError where there is none."""
    module, colon, path = name.partition(":")
    if not (colon and module and path):
        raise ValueError(f"a function is named as 'module:function'; got {name!r}")
    try:
        found: Any = pkgutil.resolve_name(name)
    except (ImportError, AttributeError, TypeError, ValueError) as problem:
        raise ValueError(f"no function {name!r} can be imported: {problem}") from None
    if not callable(found):
        raise ValueError(f"{name!r} is no function but {found!r}")
    return found


@contextmanager
def advised(advice: str) -> Iterator[None]:
    """Around an import that only some uses need: where it is missing, the advice says the way."""
    try:
        yield
    except ImportError as missing:
        raise ImportError(f"{advice} ({missing})", name=missing.name) from missing
