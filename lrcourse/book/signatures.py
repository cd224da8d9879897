"""The signature of a name of the reference, as a reader would write the call, with its types."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import griffe

WIDEST = 80  # signs of a signature on one line
_CAST = re.compile(r"cast\(.*, (\w+)\)")
_QUOTED = re.compile(r"'([^'\"\\]*)'")
_BARE = (griffe.ParameterKind.keyword_only, griffe.ParameterKind.var_positional)


def target(thing: griffe.Object | griffe.Alias) -> griffe.Object:
    """What a name stands for, wherever it is imported from."""
    return thing.final_target if isinstance(thing, griffe.Alias) else thing


def parameters_of(thing: griffe.Object) -> list[griffe.Parameter]:
    """The arguments of a call; for a class, of making one."""
    if isinstance(thing, griffe.Function | griffe.Class):
        return [each for each in thing.parameters if each.name not in ("self", "cls")]
    return []


def signatures(name: str, thing: griffe.Object) -> Iterator[str]:
    """The calls that a name can be written as: one, or each overload of a function."""
    if isinstance(thing, griffe.Attribute):
        kind = f": {thing.annotation}" if thing.annotation else ""
        value = str(thing.value or "")
        short = value and "property" not in thing.labels and len(name + kind + value) < WIDEST
        yield f"{name}{kind}{f' = {value}' if short else ''}"
    elif isinstance(thing, griffe.Class):
        bases = list(map(str, thing.bases))
        is_error = any(base.endswith(("Error", "Exception", "Warning")) for base in bases)
        # A reader catches an exception, and does not make it.
        made = f"{name}{_call(name, parameters_of(thing), '')}"
        yield f"class {name}({', '.join(bases)})" if is_error else made
    elif isinstance(thing, griffe.Function):
        for each in thing.overloads or [thing]:
            returned = f" -> {each.returns}" if each.returns else ""
            yield name + _call(name, parameters_of(each), returned)


def _call(name: str, parameters: Sequence[griffe.Parameter], returned: str) -> str:
    """What follows the name in a signature; one argument a line where one line is too long."""
    parts, named = [], False
    for each in parameters:
        if each.kind in _BARE and not named:
            parts += ["*"] if each.kind is griffe.ParameterKind.keyword_only else []
            named = True
        parts.append(_parameter(each))
    line = f"({', '.join(parts)}){returned}"
    if len(name + line) <= WIDEST:
        return line
    return "(\n" + "".join(f"    {part},\n" for part in parts) + f"){returned}"


def _parameter(given: griffe.Parameter) -> str:
    stars = {"variadic positional": "*", "variadic keyword": "**"}
    kind = given.kind.value if given.kind else ""
    written = stars.get(kind, "") + given.name
    if given.annotation is not None:
        written += f": {given.annotation}"
    if given.default is None or kind in stars:
        return written
    default = _QUOTED.sub(r'"\1"', _CAST.sub(r"\1", str(given.default)))
    return f"{written} = {default}" if given.annotation is not None else f"{written}={default}"


def shorthands(thing: griffe.Object) -> Iterator[str]:
    """What the types of a signature stand for that the package gives a short name."""
    given = [each.annotation for each in parameters_of(thing)]
    given.append(thing.returns if isinstance(thing, griffe.Function) else None)
    seen = set()
    for annotation in given:
        for part in annotation.iterate() if isinstance(annotation, griffe.Expr) else ():
            if not isinstance(part, griffe.ExprName) or part.name in seen:
                continue
            seen.add(part.name)
            meant = _definition(part, thing)
            if meant:
                yield f"`{part.name}` is `{meant}`"


def _definition(name: griffe.ExprName, thing: griffe.Object) -> str:
    """The type that an alias of the package stands for, "" for everything else."""
    try:
        found = thing.package.modules_collection[name.canonical_path]
    except (KeyError, griffe.GriffeError):
        return ""
    found = target(found)
    value = found.value if isinstance(found, griffe.Attribute | griffe.TypeAlias) else None
    return str(value) if value and "TypeVar" not in str(value) else ""
