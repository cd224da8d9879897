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
    "name. Every function refuses an argument that cannot be meant by a TypeError or a ValueError, "
    "which names the argument and says what would be right; an entry names only what else it "
    "raises, or when. Each example begins with its imports, runs as it stands, and gives what is "
    "shown."
)


@dataclass(frozen=True)
class Room:
    """A package, or a single module, that a reader imports from, and what it exports.

    `entries` has each name as it stands after the room: `cosine`, `averaging.collect`.
    """

    name: str
    module: griffe.Module
    entries: Mapping[str, griffe.Object]

    @property
    def page(self) -> str:
        """The source of its page, as links of the book name it."""
        return f"{_FOLDER}/{self.name}.md"

    def id(self, name: str) -> str:
        """That of an entry on the page."""
        return f"{self.module.path}.{name}"


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
            Room(name, module, dict(_exported(module)))
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
        found = (self._places.get(full) for full in (name, f"{self.package}.{name}"))
        return next(filter(None, found), None)

    @cached_property
    def _places(self) -> Mapping[str, tuple[str, str]]:
        """Source of the page and id, by the id and by the place of the definition."""
        found = {room.module.path: (room.page, room.module.path) for room in self.rooms}
        for room in self.rooms:
            for name, thing in room.entries.items():
                own = room.id(name)
                for id in (own, *(f"{own}.{member}" for member in members(thing))):
                    found[id] = room.page, id
                found[thing.path] = room.page, own
        return found

    def _overview(self) -> str:
        written = [f"# The package `{self.package}`", self.purpose]
        written.append(_HOW_TO_READ.format(package=self.package))
        for room in self.rooms:
            links = [f"[`{name}`]({room.name}.md#{room.id(name)})" for name in room.entries]
            title = f"## `{room.module.path}` {{#overview-{room.name}}}"
            written += [
                title,
                f"[Page]({room.name}.md). {first_sentence(room.module)}",
                ", ".join(links),
            ]
        return "\n\n".join(written)

    def _page(self, room: Room) -> str:
        scope = Scope(self.find, room.page, room.module.path)
        written = [f"# `{room.module.path}` {{#{room.module.path}}}"]
        if room.module.docstring:
            written.append(text(room.module.docstring.value, scope))
        rows = [
            f"| [`{name}`](#{room.id(name)}) "
            f"| {text(first_sentence(thing), scope).replace('|', chr(92) + '|')} |"
            for name, thing in room.entries.items()
        ]
        written.append("\n".join(["| Name | What it is |", "|---|---|", *rows]))
        written += [entry(name, thing, scope) for name, thing in room.entries.items()]
        return "\n\n".join(written)


def _exported(room: griffe.Module) -> Iterator[tuple[str, griffe.Object]]:
    """What `__all__` names; in a room without one, what its modules define, by their names."""
    if room.exports is not None:
        for name in sorted(map(str, room.exports), key=str.lower):
            yield name, target(room.members[name])
        return
    for module in (room, *(room.modules[name] for name in sorted(room.modules))):
        prefix = "" if module is room else f"{module.name}."
        for name, thing in sorted(module.members.items(), key=lambda each: each[0].lower()):
            # A constant of a module may be for its neighbours; what is meant for readers says so.
            shown = not thing.is_alias and (thing.is_class or thing.is_function or thing.docstring)
            if shown and not name.startswith("_"):
                yield prefix + name, target(thing)


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
