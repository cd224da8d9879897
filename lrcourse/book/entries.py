"""One name of the reference as Markdown: its signature, and what its docstring says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from textwrap import dedent

import griffe

from lrcourse.book.mentions import NAME, Find
from lrcourse.book.signatures import parameters_of, shorthands, signatures

_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_SENTENCE = re.compile(r"(?<=\.)\s")
_FLAGS = re.compile(r" *# doctest:.*")
_TITLES = {"parameters": "Arguments", "returns": "Gives"}  # the others keep their names


@dataclass(frozen=True)
class Scope:
    """Where a text stands, and so what a name in it means.

    `find` gives page and id of a name with its package; `page` is the one that is written; `path`
    and `within` are what a name alone may belong to; `here` is the id of the entry itself; the
    names `own` mean something else in it: its arguments.
    """

    find: Find
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
        found = NAME.fullmatch(code)
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
    scope = replace(scope, own=frozenset(each.name for each in parameters_of(thing)))
    yield _fence("\n".join(signatures(name, thing)))
    if told := "; ".join(shorthands(thing)):
        yield f"Here {told}."
    for said in (thing, thing.members.get("__init__") if thing.is_class else None):
        for section in said.docstring.parsed if said and said.docstring else ():
            yield from _written(section, thing, scope)


def _written(section: griffe.DocstringSection, thing: griffe.Object, scope: Scope) -> Iterator[str]:
    kind, value = section.kind.value, section.value
    title = f"**{_TITLES.get(kind, kind.capitalize())}**"
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
        yield title
        for each in value:
            written, said = str(each.annotation or ""), each.description
            if isinstance(thing, griffe.Function) and written != str(thing.returns):
                said = f"{written}: {said}"  # it was a colon in the text, and no type
            yield text(said, scope)
    else:
        yield title
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
            paths = (getattr(kind, "canonical_path", "") for kind in kinds.values())
            label += f" ({', '.join(map(scope.link, kinds, paths))})"
    else:
        errors = str(each.annotation).strip("()").split(", ")
        label = ", ".join(scope.link(error) for error in errors)
    said = text(each.description, scope).replace("\n", "\n  ")
    return f"- {label}: {said}"


def _type_of(name: str, thing: griffe.Object) -> str | griffe.Expr | None:
    for each in parameters_of(thing):
        if each.name == name.lstrip("*"):
            return each.annotation
    member = thing.all_members.get(name) if isinstance(thing, griffe.Class) else None
    return getattr(member, "annotation", None)


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
