"""Every public name has an example in its docstring, and every example of a docstring runs.

An example starts from nothing: it imports what it uses, as a reader would who types it.
"""

import doctest
import functools
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
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


def test_an_example_that_is_skipped_is_none():
    assert runnable(Sample)
    assert runnable(Sample.wrong)
    assert not runnable(Sample.skipped)
    assert not runnable(decorated)
