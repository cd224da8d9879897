"""Every public name has an example in its docstring, which says a word on every argument.

Every example runs, and starts from nothing: it imports what it uses, as a reader would who types
it.
"""

import doctest
import functools
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Protocol

import matplotlib.pyplot as plt
import pytest

import lrcourse
from lrcourse.book.reference import INTERNAL

ROOMS = sorted({room.name for room in pkgutil.iter_modules(lrcourse.__path__)} - {"__main__"})
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def modules(room: str) -> list[ModuleType]:
    """A package with the modules in it, or the single module."""
    top = importlib.import_module(f"lrcourse.{room}")
    below = pkgutil.walk_packages(getattr(top, "__path__", []), f"{top.__name__}.")
    names = (each.name for each in below if not each.name.endswith("__main__"))
    return [top, *map(importlib.import_module, names)]


def is_documented(thing: object) -> bool:
    """Whether it is a function or a class that is called, which an exception or protocol is not."""
    if inspect.isclass(thing):
        return not issubclass(thing, BaseException) and Protocol not in thing.__bases__
    return inspect.isfunction(thing)


def own(module: ModuleType) -> dict[str, object]:
    """Functions and classes that a module defines."""
    return {
        name: thing
        for name, thing in vars(module).items()
        if (inspect.isclass(thing) or inspect.isfunction(thing))
        and thing.__module__ == module.__name__
    }


def public(room: str) -> dict[str, object]:
    """The functions and classes that a reader imports from a room.

    They are what its `__all__` names. A room without one is a single module or a collection of
    modules: there, what each defines under a name without an underscore.
    """
    top, *below = modules(room)
    if hasattr(top, "__all__"):
        named = {name: getattr(top, name) for name in top.__all__}
    else:
        named = {
            f"{module.__name__.removeprefix('lrcourse.')}.{name}": thing
            for module in (top, *below)
            for name, thing in own(module).items()
            if not name.startswith("_")
        }
    return {name: thing for name, thing in named.items() if is_documented(thing)}


def examples(thing: object, name: str) -> Iterator[doctest.DocTest]:
    """The docstrings with examples of a module, function or class, and of a class's members."""
    # Not left to doctest's own search: it passes over every function that has a decorator.
    finder = doctest.DocTestFinder(recurse=False)
    # Each with globals of its own.
    yield from (found for found in finder.find(thing, name, module=False, globs={}))
    if inspect.isclass(thing):
        for label, member in vars(thing).items():
            if isinstance(member, staticmethod | classmethod):
                member = member.__func__
            elif isinstance(member, functools.cached_property):
                member = member.func
            if inspect.isfunction(member) or isinstance(member, property):
                yield from finder.find(member, f"{name}.{label}", module=False, globs={})


def prose(thing: object) -> str:
    """A docstring without its examples; of a class, with those of the classes below it."""
    things = thing.__mro__[:-1] if inspect.isclass(thing) else (thing,)
    told = "\n".join(inspect.cleandoc(each.__doc__ or "") for each in things)
    return re.sub(r"(?m)^\s*(>>>|\.\.\.).*$", "", told)


def callables(room: str) -> Iterator[tuple[str, Callable[..., object]]]:
    """Its public functions and classes, and the public methods of these."""
    for name, thing in public(room).items():
        yield name, thing
        for label, member in vars(thing).items() if inspect.isclass(thing) else ():
            function = getattr(member, "__func__", member)  # of a static or class method
            if inspect.isfunction(function) and not label.startswith("_"):
                yield f"{name}.{label}", function


@functools.cache
def prose_by_name() -> dict[str, str]:
    """The docstring of each public name, without its room and module."""
    rooms = (room for room in ROOMS if room not in INTERNAL)
    found = {name: thing for room in rooms for name, thing in callables(room)}
    return {name.split(".")[-1]: prose(thing) for name, thing in found.items()}


def has_a_word(argument: str, told: str) -> bool:
    """Whether a docstring has an entry for an argument, or names it in backticks or a formula."""
    return bool(re.search(rf"`[^`]*\b{argument}\b[^`]*`|(?m:^\s+.*\b{argument}\b)", told))


def without_a_word(call: Callable[..., object]) -> list[str]:
    """Arguments of which neither the docstring nor one that it points to ("as `fit`") says any."""
    told = prose(call)
    pointed_to = re.findall(r"\b(?:as|by|for|in|of|to) `(?:\w+\.)*(\w+)`", told)
    texts = [told, *(prose_by_name().get(name, "") for name in pointed_to)]
    return [
        name
        for name in inspect.signature(call).parameters
        if name not in ("self", "cls")
        and not name.startswith("_")
        and not any(has_a_word(name, text) for text in texts)
    ]


def runnable(thing: object) -> bool:
    """Whether the docstring itself has an example that is not skipped."""
    return any(
        not example.options.get(doctest.SKIP)
        for example in doctest.DocTestParser().get_examples(inspect.getdoc(thing) or "")
    )


@pytest.fixture
def in_a_folder(tmp_path, monkeypatch):
    """Files and figures that an example leaves are gone after it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    plt.switch_backend("Agg")
    yield
    plt.close("all")


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in INTERNAL])
def test_every_public_name_has_an_example(room):
    missing = [name for name, thing in public(room).items() if not runnable(thing)]
    assert not missing, f"no example: {', '.join(missing)}"


@pytest.mark.parametrize("room", [room for room in ROOMS if room not in INTERNAL])
def test_every_argument_has_a_word_in_the_docstring(room):
    missing = [
        f"{name}({', '.join(silent)})"
        for name, call in callables(room)
        if (silent := without_a_word(call))
    ]
    assert not missing, f"no word on: {'; '.join(missing)}"


@pytest.mark.parametrize("room", ROOMS)
def test_the_examples_run(room, in_a_folder):
    runner, told = doctest.DocTestRunner(verbose=False, optionflags=FLAGS), []
    for module in modules(room):
        things = {module.__name__: module} | {
            f"{module.__name__}.{name}": thing for name, thing in own(module).items()
        }
        for name, thing in things.items():
            for found in examples(thing, name):
                runner.run(found, out=told.append)
                plt.close("all")
    assert not told, "".join(told)


def decorated(function):
    @functools.wraps(function)
    def call(*arguments):
        return function(*arguments)

    return call


class Sample:
    """A class.

    >>> 1 + 1
    2
    """

    @decorated
    def wrong(self):
        """A method behind a decorator.

        >>> 1 + 1
        3
        """

    @property
    def skipped(self):
        """One.

        >>> 1 + 1  # doctest: +SKIP
        3
        """


def test_a_wrong_example_of_a_method_behind_a_decorator_is_found():
    runner, told = doctest.DocTestRunner(optionflags=FLAGS), []
    results = [runner.run(found, out=told.append) for found in examples(Sample, "Sample")]
    assert sum(result.failed for result in results) == 1
    assert "Sample.wrong" in "".join(told)


def told_of_one(lr, seed, name):
    """A function of `lr`.

    Args:
        seed: as in `nothing_of_that_name`.

    >>> name = 1
    """


def test_an_argument_that_the_docstring_is_silent_on_is_found():
    assert without_a_word(told_of_one) == ["name"]


def test_an_example_that_is_skipped_is_none():
    assert runnable(Sample)
    assert runnable(Sample.wrong)
    assert not runnable(Sample.skipped)
    assert not runnable(decorated)
