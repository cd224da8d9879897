"""Where the links of the notebooks lead in the book."""

from __future__ import annotations

import base64
import mimetypes
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

from lrcourse.book.text import BookError, Heading, normalise

_ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|//")
_ID_ATTRIBUTE = re.compile(r"""<[a-z][^>]*?\s(?:id|name)=["']([^"']+)["']""")


@dataclass(frozen=True)
class Site:
    """What links can lead to: the pages of the book, the files beside them, the repository.

    ``root`` is the folder of book.toml and ``src`` that of the chapters. ``anchors`` maps the
    source of each page (a path below ``src`` with /) to its headings. ``file_url`` is the address
    of a file of the repository, with ``{path}`` in it, or None where it has no public address.
    """

    root: Path
    src: Path
    anchors: Mapping[str, Sequence[Heading]] = field(default_factory=dict)
    file_url: str | None = None

    def link(self, target: str, page: str) -> str | None:
        """The address in the book of ``target``, as a link on ``page`` says it.

        None for a file that lies outside the book when the repository has no public address.
        BookError for a page, a section or a file that is not there.
        """
        if _ELSEWHERE.match(target):
            return target
        path, _, fragment = target.partition("#")
        if not path:
            return f"#{self._anchor(fragment, page)}"
        source = _below(page, path)
        if source in self.anchors:
            address = posixpath.relpath(_html(source), posixpath.dirname(page) or ".")
            suffix = f"#{self._anchor(fragment, source)}" if fragment else ""
            return quote(address) + suffix
        file = self._file(target, source)
        if file.is_relative_to(self.src.resolve()):
            if file.suffix == ".md":
                raise BookError(
                    f"{target} is not listed in SUMMARY.md, and a page that is not listed is not "
                    "part of the book: list it, or take the link away"
                )
            return target
        if self.file_url is None:
            return None
        inside = file.relative_to(self.root.resolve()).as_posix()
        return self.file_url.replace("{path}", quote(inside)) + (f"#{fragment}" if fragment else "")

    def image(self, target: str, page: str, attachments: Mapping[str, Mapping[str, str]]) -> str:
        """The address of an image: itself if it is copied with the book, else a data URI.

        BookError for one that is not there, or that lies on another host.
        """
        if target.startswith("data:"):
            return target
        if target.startswith("attachment:"):
            name = unquote(target.removeprefix("attachment:"))
            if name not in attachments:
                raise BookError(f"the image {target} is not attached to this cell")
            kind, data = next(iter(attachments[name].items()))
            return f"data:{kind};base64,{''.join(data.split())}"
        if _ELSEWHERE.match(target):
            raise BookError(
                f"the image {target} lies on another host, and the book asks no other host for "
                "anything: put the file beside the notebook"
            )
        file = self._file(target, _below(page, target))
        if file.is_relative_to(self.src.resolve()):
            return target
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        return f"data:{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"

    def file(self, target: str, page: str) -> Path:
        """The file that ``target`` names on ``page``; BookError where there is none."""
        return self._file(target, _below(page, target))

    def _file(self, target: str, source: str) -> Path:
        file = (self.src / source).resolve()
        if not file.is_relative_to(self.root.resolve()):
            raise BookError(f"{target} leads out of the repository")
        if not file.exists():
            raise BookError(f"{target} is not there: no file {source!r} from {self.src}")
        return file

    def _anchor(self, fragment: str, source: str) -> str:
        """The id of the section that a fragment means.

        Jupyter keeps capitals and signs (#1.-Edge) that the ids of the book leave out.
        """
        wanted = unquote(fragment)
        headings = self.anchors.get(source, ())
        if any(wanted == heading.id for heading in headings):
            return wanted
        for heading in headings:
            if normalise(wanted) == heading.id:
                return heading.id
        known = ", ".join(heading.id for heading in headings)
        raise BookError(f"{source} has no section #{fragment}; its sections: {known or 'none'}")


def explicit_anchors(text: str) -> list[Heading]:
    """The ids that HTML in a text sets itself, ``<a id="here">``."""
    return [Heading(name, name) for name in _ID_ATTRIBUTE.findall(text)]


def _below(page: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(path)))


def _html(source: str) -> str:
    stem = posixpath.splitext(source)[0]
    # mdBook calls a README of a folder its index.
    folder, name = posixpath.split(stem)
    return posixpath.join(folder, "index" if name == "README" else name) + ".html"
