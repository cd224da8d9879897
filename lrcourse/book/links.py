"""Where the links of the notebooks lead in the book, and which files it may show."""

from __future__ import annotations

import base64
import mimetypes
import os
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

from lrcourse.book.figures import KINDS, decode
from lrcourse.book.text import BookError, Heading, normalise, shorten

Attachments = Mapping[str, Mapping[str, str]]
_ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")
_FOLLOWED = re.compile(r"(?:https?|mailto):|//", re.IGNORECASE)


@dataclass(frozen=True)
class Site:
    """What links can lead to: the pages of the book, the files beside them, the repository.

    Attributes:
        root: the folder of book.toml.
        src: that of the chapters.
        folders: those outside `src` whose images and tables the book may show.
        anchors: maps the source of each page (a path below `src` with /) to its headings.
        file_url: the address of a file of the repository, with `{path}` in it, or None where it
            has no public address.
        smart: whether quotation marks and dashes are set as a printer sets them.
    """

    root: Path
    src: Path
    folders: Sequence[Path] = ()
    anchors: dict[str, Sequence[Heading]] = field(default_factory=dict)
    file_url: str | None = None
    smart: bool = True

    def link(self, target: str, page: str) -> str | None:
        """The address in the book of `target`, as a link on `page` says it.

        None for a file that lies outside the book when the repository has no public address.
        BookError for a page, a section or a file that is not there.
        """
        if _FOLLOWED.match(target):
            return target
        if _ELSEWHERE.match(target):
            raise BookError(f"a link to {shorten(target)}: the book follows https, http and mailto")
        path, _, fragment = target.partition("#")
        if not path:
            return f"#{self._anchor(fragment, page)}"
        source = _below(page, path)
        suffix = f"#{fragment}" if fragment else ""
        if source in self.anchors:
            suffix = f"#{self._anchor(fragment, source)}" if fragment else ""
            return _relative(_html(source), page) + suffix
        file = self._file(target, source)
        if file.is_relative_to(self.src.resolve()):
            if file.suffix == ".md":
                raise BookError(
                    f"{target} is not listed in SUMMARY.md, and a page that is not listed is not "
                    "part of the book: list it, or take the link away"
                )
            return _relative(source, page) + suffix
        if self.file_url is None:
            return None
        inside = file.relative_to(self.root.resolve()).as_posix()
        return self.file_url.replace("{path}", quote(inside)) + suffix

    def image(self, target: str, page: str, attachments: Attachments) -> str:
        """The address of an image: itself if it is copied with the book, else a data URI.

        BookError for one that is not there, that is no image, that the book does not own, or that
        lies on another host.
        """
        if target.startswith("data:") and target[5:].split(";")[0] in KINDS:
            return target
        if target.startswith("attachment:"):
            name = unquote(target.removeprefix("attachment:"))
            for kind, data in attachments.get(name, {}).items():
                return _data_uri(kind, decode(kind, data))
            raise BookError(f"the image {shorten(target)} is not attached to this cell")
        if _ELSEWHERE.match(target):
            raise BookError(
                f"the image {shorten(target)} lies on another host, and the book asks no other "
                "host for anything: put the file beside the notebook"
            )
        file = self.file(target, page)
        kind = mimetypes.guess_type(file.name)[0] or "a file"
        if kind not in KINDS:
            raise BookError(f"{target} is {kind}, and no image: the book shows {', '.join(KINDS)}")
        if file.is_relative_to(self.src.resolve()):
            return _relative(_below(page, target), page)
        return _data_uri(kind, file.read_bytes())

    def file(self, target: str, page: str) -> Path:
        """The file that `target` names on `page`; BookError where the book does not own one.

        It owns regular files of its folders that are neither hidden nor behind a symbolic link.
        """
        source = _below(page, target)
        file = self._file(target, source)
        plain = file == Path(os.path.normpath(self.src.resolve() / source)) and file.is_file()
        for folder in (self.src.resolve(), *(each.resolve() for each in self.folders)):
            inside = file.relative_to(folder).parts if file.is_relative_to(folder) else (".",)
            if plain and not any(part.startswith(".") for part in inside):
                return file
        named = ", ".join(each.name for each in (self.src, *self.folders))
        raise BookError(
            f"{shorten(target)} is no file of the book: it shows regular files of {named}, none "
            "hidden or behind a symbolic link (extra-watch-dirs in book.toml names its folders)"
        )

    def _file(self, target: str, source: str) -> Path:
        try:
            file = (self.src / source).resolve()
            there = file.exists()
        except (OSError, ValueError, RuntimeError):  # too long, a NUL inside, a circle of links
            raise BookError(f"{shorten(target)} is no name of a file") from None
        if not file.is_relative_to(self.root.resolve()):
            raise BookError(f"{shorten(target)} leads out of the repository")
        if not there:
            raise BookError(
                f"{shorten(target)} is not there: no file {shorten(source)!r} from {self.src}"
            )
        return file

    def _anchor(self, fragment: str, source: str) -> str:
        """The id of the section that a fragment means.

        Jupyter keeps capitals and signs (#1.-Edge) that the ids of the book leave out.
        """
        wanted = unquote(fragment)
        known = [heading.id for heading in self.anchors.get(source, ())]
        for made in (wanted, normalise(wanted)):
            if made in known:
                return made
        raise BookError(
            f"{source} has no section #{shorten(fragment)}; its sections: "
            f"{', '.join(known) or 'none'}"
        )


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _below(page: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(path)))


def _relative(path: str, page: str) -> str:
    return quote(posixpath.relpath(path, posixpath.dirname(page) or "."))


def _html(source: str) -> str:
    stem = posixpath.splitext(source)[0]
    # mdBook calls a README of a folder its index.
    folder, name = posixpath.split(stem)
    return posixpath.join(folder, "index" if name == "README" else name) + ".html"
