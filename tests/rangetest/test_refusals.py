"""The table of refusals and the calls that refuse fit together."""

import ast
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from lrcourse.rangetest import refusals


def calls() -> Iterator[ast.Call]:
    for path in Path(refusals.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "refusal":
                yield node


def names_in(argument: ast.expr) -> set[str]:
    """The names of the refusals that a call may be for."""
    return {node.value for node in ast.walk(argument) if isinstance(node, ast.Constant)}


MESSAGES = {name: text for group in refusals.REFUSALS.values() for name, text in group.items()}


def test_each_name_stands_in_the_table_once():
    assert len(MESSAGES) == sum(map(len, refusals.REFUSALS.values()))


def test_every_refusal_is_called_for_and_every_call_finds_one():
    named = set().union(*(names_in(call.args[0]) for call in calls()))
    assert named == set(MESSAGES)


@pytest.mark.parametrize("name", MESSAGES)
def test_a_call_fills_the_places_of_its_message(name):
    places = {field for _, field, _, _ in Formatter().parse(MESSAGES[name]) if field}
    for call in calls():
        if name in names_in(call.args[0]):
            given = {word.arg for word in call.keywords}  # None for `**told`
            assert given == places or (None in given and given - {None} <= places)
