"""Questions about a value that code of the user's reads, and where its chains of names lead."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterable, Iterator
from typing import Any

from lrcourse.sweeps.source_code import is_library, is_of_library

# What Python keeps in a class by itself.
OF_ANY_CLASS = {"__module__", "__firstlineno__", "__static_attributes__", "__annotations_cache__"}
OF_ANY_CLASS |= {"__slotnames__"}
OF_SOME = {"__doc__", "__annotations__"}


def replaced(
    chains: Iterable[tuple[str, ...]], read: dict[str, Any]
) -> Iterator[tuple[str, types.FunctionType]]:
    """Functions of the user's that stand under a library's name, as math.floor = mine puts them."""
    for name, *rest in chains:
        value = read.get(name)
        for each in rest:
            if not (isinstance(value, types.ModuleType) and is_library(value.__name__)):
                break
            value = vars(value).get(each)
            if isinstance(value, types.FunctionType) and not is_of_library(value):
                yield ".".join((name, *rest)), value


def passed(chains: Iterable[tuple[str, ...]], read: dict[str, Any]) -> Iterator[types.ModuleType]:
    """The user's modules that the code takes as values, to give them to another function, say."""
    for name, *rest in chains:
        value = read.get(name)
        for each in rest:
            value = vars(value).get(each) if isinstance(value, types.ModuleType) else None
        if isinstance(value, types.ModuleType):
            yield value


def is_itself(value: Any, function: types.FunctionType) -> bool:
    """Whether it is the function itself, which calls itself, maybe through a decorator."""
    return callable(value) and unwrapped(value) is function


def unwrapped(function: Any) -> Any:
    """What decorators are put around; the function itself where that leads in a circle."""
    try:
        return inspect.unwrap(function)
    except Exception:  # an object can answer anything
        return function


def is_renamed(value: object) -> bool:
    """Whether it is a function of another name than its source gives it."""
    if not isinstance(value, types.FunctionType):
        return False
    code = value.__code__
    return (value.__name__, value.__qualname__) != (code.co_name, code.co_qualname)


def is_method_of_library(value: object) -> bool:
    """Whether it is a method that a decorator of a library hung on, which may keep a cache."""
    return isinstance(value, types.MethodType) and is_of_library(value.__func__)


def counts(kind: type, name: str, value: Any) -> bool:
    """Whether an attribute of a class says more than its name, its fields and slots do."""
    if name in OF_ANY_CLASS or is_usual(name, value):
        return False
    if isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType):
        return value.__objclass__ is not kind
    if name == "__init__" and value is object.__init__:  # Protocol puts it there when it is used
        return False
    if name == "__doc__" and "__dataclass_fields__" in vars(kind):
        return value != f"{kind.__name__}{inspect.signature(kind)}".replace(" -> None", "")
    code = getattr(unwrapped(value), "__code__", None)
    if not (isinstance(value, types.FunctionType) and code and code.co_filename == "<string>"):
        return True
    is_named_tuple = code.co_name == "<lambda>" and "_fields" in vars(kind)
    return not (is_named_tuple or code.co_qualname.startswith("__create_fn__."))


def is_usual(name: str, value: object) -> bool:
    """Whether it is a text or annotations that everything may have, and has none here."""
    return name in OF_SOME and (value is None or (isinstance(value, dict) and not value))


def name_of(value: Any) -> str:
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", type(value).__name__)
    module = getattr(value, "__module__", None)
    return f"{module if isinstance(module, str | None) else ''}:{name}"
