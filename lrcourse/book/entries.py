"""One name of the reference as Markdown: its signature, and what its docstring says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from textwrap import dedent

import griffe

WIDEST = 80  # signs of a signature on one line
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_DOUBLE = re.compile(r"``([^`\n]+)``")
_NAME = re.compile(r"([A-Za-z_][\w.]*+)(\(.*\))?")
_ITEM = re.compile(r"[-*+] |\d+\. ")
_SENTENCE = re.compile(r"(?<=\.)\s")
_CAST = re.compile(r"cast\(.*, (\w+)\)")
_QUOTED = re.compile(r"'([^'\"\\]*)'")
_FLAGS = re.compile(r" *# doctest:.*")
_BARE = (griffe.ParameterKind.keyword_only, griffe.ParameterKind.var_positional)
_TITLES = {
    "parameters": "Arguments",
    "other parameters": "Further arguments",
    "attributes": "Attributes",
    "returns": "Gives",
    "yields": "Yields",
    "raises": "Raises",
    "warns": "Warns",
}


@dataclass(frozen=True)
class Scope:
    """Where a text stands, and so what a name in it means.

    `find` gives page and id of a name with its package; `page` is the one that is written; `path`
    and `within` are what a name alone may belong to; `here` is the id of the entry itself; the
    names `own` mean something else in it: its arguments.
    """

    find: Callable[[str], tuple[str, str] | None]
    page: str
    path: str
    within: str = ""
    here: str = ""
    own: frozenset[str] = frozenset()

    def link(self, code: str, full: str = "") -> str:
        """Inline code, linked where it is a name of the reference, which in full may be known."""
        place = self.find(full)
        if place:
            return self._to(code, place)
        found = _NAME.fullmatch(code)
        if not found or found[1].partition(".")[0] in self.own:
            return f"`{code}`"
        prefixes = (f"{prefix}." for prefix in (self.within, self.path) if prefix)
        places = (self.find(prefix + found[1]) for prefix in (*prefixes, ""))
        place = next(filter(None, places), None)
        return self._to(code, place) if place else f"`{code}`"

    def _to(self, code: str, place: tuple[str, str]) -> str:
        page, anchor = place
        if anchor == self.here:
            return f"`{code}`"
        address = "" if page == self.page else page.rpartition("/")[2]
        return f"[`{code}`]({address}#{anchor})"


def entry(name: str, thing: griffe.Object, scope: Scope) -> str:
    """The section of one exported name, with the members of a class below it."""
    anchor = f"{scope.path}.{name}"
    room = scope.path.rpartition(".")[2]
    within = replace(scope, here=anchor, within=anchor if thing.is_class else "")
    written = [_section("##", name, anchor), *_body(f"{room}.{name}", thing, within)]
    if isinstance(thing, griffe.Class):
        written += _bases(thing, scope)
        for label, member in members(thing).items():
            title = f"{name}.{label}"
            written += [_section("###", title, f"{anchor}.{label}"), *_body(title, member, within)]
    return "\n\n".join(written)


def members(thing: griffe.Object) -> Mapping[str, griffe.Object]:
    """The public methods and properties that the entry of a class describes, by their names.

    Those of its bases too, unless the base has an entry of its own.
    """
    if not isinstance(thing, griffe.Class):
        return {}
    found: dict[str, griffe.Object] = {}
    for owner in (thing, *_hidden_bases(thing)):
        for name, member in owner.members.items():
            if isinstance(member, griffe.Object) and _is_shown(name, member, thing):
                found.setdefault(name, member)
    return found


def text(given: str, scope: Scope) -> str:
    """Markdown of a docstring: examples as code, names in backticks as links."""
    written, fence = [], False
    for block in given.strip("\n").split("\n\n"):
        if not fence and block.lstrip().startswith(">>>"):
            written.append(_fence(block))
            continue
        code = fence or block.startswith("    ")
        fence ^= block.count("```") % 2 == 1
        if not code and not fence:
            block = _DOUBLE.sub(r"`\1`", block)
            pieces = _CODE.split(block)
            pieces[::2] = [piece.replace("<", "&lt;") for piece in pieces[::2]]
            pieces[1::2] = map(scope.link, pieces[1::2])
            block = "".join(pieces)
        written.append(block)
    return "\n\n".join(written)


def first_sentence(thing: griffe.Object) -> str:
    """The first sentence of a docstring, on one line; "" without one."""
    said = thing.docstring.value if thing.docstring else ""
    paragraph = " ".join(said.partition("\n\n")[0].split())
    return _SENTENCE.split(paragraph, maxsplit=1)[0].removesuffix(":")


def _fence(code: str) -> str:
    code = _FLAGS.sub("", dedent(code)).replace("<BLANKLINE>", "").strip("\n")
    return f"```python\n{code}\n```"


def _section(marks: str, title: str, anchor: str) -> str:
    return f"{marks} `{title}` {{#{anchor}}}"


def _body(name: str, thing: griffe.Object, scope: Scope) -> Iterator[str]:
    scope = replace(scope, own=frozenset(each.name for each in _parameters(thing)))
    yield _fence("\n".join(_signatures(name, thing)))
    if shorthands := "; ".join(_shorthands(thing)):
        yield f"Here {shorthands}."
    sections = [*_sections(thing), *_sections(_initialiser(thing))]
    for section in sections:
        yield from _written(section, thing, scope)


def _sections(thing: griffe.Object | None) -> Sequence[griffe.DocstringSection]:
    return thing.docstring.parsed if thing is not None and thing.docstring else ()


def _written(section: griffe.DocstringSection, thing: griffe.Object, scope: Scope) -> Iterator[str]:
    kind, value = section.kind.value, section.value
    if kind == "text":
        yield text(value, scope)
    elif kind == "admonition":
        yield f"**{section.title}**"
        yield text(value.contents, scope)
    elif kind == "examples":
        yield "**Example**"
        yield from (
            _fence(said) if what.value == "examples" else text(said, scope) for what, said in value
        )
    elif kind in ("returns", "yields"):
        yield f"**{_TITLES[kind]}**"
        for each in value:
            written, said = str(each.annotation or ""), each.description
            if isinstance(thing, griffe.Function) and written != str(thing.returns):
                said = f"{written}: {said}"  # it was a colon in the text, and no type
            yield text(said, scope)
    else:
        yield f"**{_TITLES.get(kind, kind.capitalize())}**"
        yield "\n".join(_item(each, thing, scope) for each in value)


def _item(each: griffe.DocstringElement, thing: griffe.Object, scope: Scope) -> str:
    """A list's item: a name with its type, or an error, and what is said of it."""
    name = getattr(each, "name", "")
    if name.endswith(","):  # griffe takes what follows the first of several names for a type
        name += f" {str(each.annotation).strip('()')}"
    if name:
        kinds = {str(kind): kind for part in name.split(", ") if (kind := _type_of(part, thing))}
        label = ", ".join(f"`{part}`" for part in name.split(", "))
        if kinds:
            linked = (scope.link(code, _full(kind)) for code, kind in kinds.items())
            label += f" ({', '.join(linked)})"
    else:
        errors = str(each.annotation).strip("()").split(", ")
        label = ", ".join(scope.link(error) for error in errors)
    said = text(each.description, scope).replace("\n", "\n  ")
    return f"- {label}: {said}"


def _type_of(name: str, thing: griffe.Object) -> str | griffe.Expr | None:
    for each in _parameters(thing):
        if each.name == name.lstrip("*"):
            return each.annotation
    member = thing.all_members.get(name) if isinstance(thing, griffe.Class) else None
    return getattr(member, "annotation", None)


def _full(kind: str | griffe.Expr) -> str:
    return kind.canonical_path if isinstance(kind, griffe.ExprName) else ""


def _parameters(thing: griffe.Object) -> list[griffe.Parameter]:
    """The arguments of a call; for a class, of making one."""
    if isinstance(thing, griffe.Function | griffe.Class):
        return [each for each in thing.parameters if each.name not in ("self", "cls")]
    return []


def _initialiser(thing: griffe.Object) -> griffe.Object | None:
    made = thing.members.get("__init__") if isinstance(thing, griffe.Class) else None
    return made if isinstance(made, griffe.Object) else None


def _signatures(name: str, thing: griffe.Object) -> Iterator[str]:
    if isinstance(thing, griffe.Attribute):
        kind = f": {thing.annotation}" if thing.annotation else ""
        value = str(thing.value or "")
        short = value and "property" not in thing.labels and len(name + kind + value) < WIDEST
        yield f"{name}{kind}{f' = {value}' if short else ''}"
    elif isinstance(thing, griffe.Class) and _is_error(thing):
        yield f"class {name}({', '.join(map(str, thing.bases))})"
    elif isinstance(thing, griffe.Class):
        yield f"{name}{_call(name, _parameters(thing), '')}"
    elif isinstance(thing, griffe.Function):
        for each in thing.overloads or [thing]:
            returned = f" -> {each.returns}" if each.returns else ""
            yield name + _call(name, _parameters(each), returned)


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


def _shorthands(thing: griffe.Object) -> Iterator[str]:
    """What the types of a signature stand for that the package gives a short name."""
    given = [each.annotation for each in _parameters(thing)]
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
    found = found.final_target if isinstance(found, griffe.Alias) else found
    value = found.value if isinstance(found, griffe.Attribute | griffe.TypeAlias) else None
    return str(value) if value and "TypeVar" not in str(value) else ""


def _hidden_bases(thing: griffe.Class) -> Iterator[griffe.Class]:
    """The bases that the package does not export."""
    for base in thing.mro():
        if _is_exported(base):
            return
        yield base


def _bases(thing: griffe.Class, scope: Scope) -> Iterator[str]:
    for base in thing.mro():
        if _is_exported(base):
            inside = replace(scope, within=f"{scope.path}.{base.name}")
            names = ", ".join(inside.link(name) for name in members(base))
            yield f"As every {scope.link(base.name)}, it has {names}."
            return


def _is_error(thing: griffe.Class) -> bool:
    """Whether it is an exception, which a reader catches and does not make."""
    return any(str(base).endswith(("Error", "Exception", "Warning")) for base in thing.bases)


def _is_exported(base: griffe.Class) -> bool:
    room = base.package.modules[base.path.split(".")[1]]
    return base.name in (room.exports or room.members) and not base.name.startswith("_")


def _is_shown(name: str, member: griffe.Object, owner: griffe.Class) -> bool:
    """Whether a member is a method or property that the docstrings tell a reader of."""
    if name in ("__init__", "__new__", "__post_init__"):
        return False
    if name.startswith("_") and not (name.startswith("__") and name.endswith("__")):
        return False
    is_property = isinstance(member, griffe.Attribute) and "property" in member.labels
    if not is_property and not isinstance(member, griffe.Function):
        return False
    return member.docstring is not None
