"""The reference in the book: what a package exports, as its docstrings tell it.

griffe reads the source and runs none of it, so the pages need nothing that the package needs. They
are made whenever the book is, and lie in no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import griffe

from lrcourse.book.entries import Scope, entry, first_sentence, members, text
from lrcourse.book.signatures import target
from lrcourse.book.text import BookError

# What the course does with itself: nobody imports from there.
INTERNAL = frozenset({"book", "commands", "look", "support"})
_FOLDER = "reference"
_HOW_TO_READ = (
    "One page for each package that you can import from. A signature stands as you would write "
    "the call after `from {package} import schedules`; what stands in it after a star is given by "
    "name. Each example begins with its imports, runs as it stands, and gives what is shown."
)


@dataclass(frozen=True)
class Entry:
    """One exported name; `name` is what stands after the room: `cosine`, `averaging.collect`."""

    name: str
    thing: griffe.Object


@dataclass(frozen=True)
class Room:
    """A package, or a single module, that a reader imports from, and what it exports."""

    name: str
    module: griffe.Module
    entries: Sequence[Entry]

    @property
    def page(self) -> str:
        """The source of its page, as links of the book name it."""
        return f"{_FOLDER}/{self.name}.md"


@dataclass(frozen=True)
class Reference:
    """The exported names of a package, by room."""

    package: str
    purpose: str
    rooms: Sequence[Room] = field(repr=False)

    @classmethod
    def read(cls, folder: Path) -> Reference:
        """The reference of the package in `folder`; BookError if none is there."""
        try:
            top = griffe.load(
                folder.name,
                search_paths=[folder.parent],
                allow_inspection=False,
                docstring_parser="google",
                docstring_options={"warnings": False, "returns_multiple_items": False},
            )
        except (ImportError, SyntaxError, OSError) as error:
            raise BookError(f"the reference of {folder.name} cannot be made: {error}") from None
        if not isinstance(top, griffe.Module) or top.filepath is None:
            raise BookError(f"the reference of {folder.name} cannot be made: it is no package")
        rooms = [
            Room(name, module, list(_exported(module)))
            for name, module in sorted(top.modules.items())
            if name not in INTERNAL and not name.startswith("_")
        ]
        return cls(top.name, first_sentence(top), [room for room in rooms if room.entries])

    def items(self) -> list[object]:
        """The pages as mdBook takes them: the title of a part, and chapters that have no file."""
        pages = [_chapter("All packages", f"{_FOLDER}/index.md", self._overview())]
        pages += [_chapter(room.name, room.page, self._page(room)) for room in self.rooms]
        return [{"PartTitle": "Reference"}, *({"Chapter": page} for page in pages)]

    def find(self, name: str) -> tuple[str, str] | None:
        """The source of the page and the id on it for a name with its package, else None.

        `name` is written as after an import (`schedules.cosine`), in full
        (`lrcourse.schedules.cosine`), or as the module that defines it has it.
        """
        if "." not in name:
            return None
        for full in (name, f"{self.package}.{name}"):
            anchor = self._homes.get(full, full)
            if anchor in self._anchors:
                return self._anchors[anchor], anchor
        return None

    @cached_property
    def _anchors(self) -> Mapping[str, str]:
        """Each id of the reference, with the source of its page."""
        found = {}
        for room in self.rooms:
            found[room.module.path] = room.page
            for each in room.entries:
                anchor = f"{room.module.path}.{each.name}"
                found |= {anchor: room.page}
                found |= {f"{anchor}.{name}": room.page for name in members(each.thing)}
        return found

    @cached_property
    def _homes(self) -> Mapping[str, str]:
        """The id of each name by the place of its definition."""
        return {
            each.thing.path: f"{room.module.path}.{each.name}"
            for room in self.rooms
            for each in room.entries
        }

    def _overview(self) -> str:
        written = [f"# The package `{self.package}`", self.purpose]
        written.append(_HOW_TO_READ.format(package=self.package))
        for room in self.rooms:
            names = ", ".join(
                f"[`{each.name}`]({room.name}.md#{room.module.path}.{each.name})"
                for each in room.entries
            )
            title = f"## `{room.module.path}` {{#overview-{room.name}}}"
            written += [title, f"[Page]({room.name}.md). {first_sentence(room.module)}", names]
        return "\n\n".join(written)

    def _page(self, room: Room) -> str:
        scope = Scope(self.find, room.page, room.module.path)
        written = [f"# `{room.module.path}` {{#{room.module.path}}}"]
        if room.module.docstring:
            written.append(text(room.module.docstring.value, scope))
        rows = [
            f"| [`{each.name}`](#{room.module.path}.{each.name}) "
            f"| {text(first_sentence(each.thing), scope).replace('|', chr(92) + '|')} |"
            for each in room.entries
        ]
        written.append("\n".join(["| Name | What it is |", "|---|---|", *rows]))
        written += [entry(each.name, each.thing, scope) for each in room.entries]
        return "\n\n".join(written)


def _exported(room: griffe.Module) -> Iterator[Entry]:
    """What `__all__` names; in a room without one, what its modules define, by their names."""
    if room.exports is not None:
        names = sorted((str(name) for name in room.exports), key=str.lower)
        for name in names:
            yield Entry(name, target(room.members[name]))
        return
    for module in (room, *(room.modules[name] for name in sorted(room.modules))):
        prefix = "" if module is room else f"{module.name}."
        for name, thing in sorted(module.members.items(), key=lambda each: each[0].lower()):
            # A constant of a module may be for its neighbours; what is meant for readers says so.
            shown = not thing.is_alias and (thing.is_class or thing.is_function or thing.docstring)
            if shown and not name.startswith("_"):
                yield Entry(prefix + name, target(thing))


def _chapter(name: str, path: str, content: str) -> dict[str, object]:
    return {
        "name": name,
        "content": content.replace("{{#", r"\{{#"),  # no instruction for mdBook
        "number": None,
        "sub_items": [],
        "path": path,
        "source_path": None,
        "parent_names": [],
    }
