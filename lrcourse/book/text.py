"""Markdown as the book's preprocessor reads it: what is code, what is math, what is a heading.

`mask` takes everything out of a text in which Markdown's marks mean nothing (code, comments,
math) and leaves a token in its place, so that links and headings can be found by patterns that
need not know of code.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_SCAN = re.compile(
    r"""
    (?P<fence>^[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)?(?P<marks>`{3,}(?=[^`\n]*$)|~{3,})[^\n]*\n
        (?:.*?^[ \t>]*(?P=marks)[`~]*[ \t]*$|.*\Z))
  | (?P<comment><!--.*?-->)
  | (?P<verbatim><(?P<tag>pre|script|style)\b[^>]*>.*?</(?P=tag)>)
  | (?P<code>(?<!`)(?P<ticks>`+)(?!`)(?:(?!\n[ \t]*\n).)+?(?<!`)(?P=ticks)(?!`))
  | (?P<escaped>\\[\\$`\[\]])
  | (?P<display>\$\$(?P<block>(?:\\.|(?!\$\$|\n[ \t]*\n).)+)\$\$)
  | (?P<environment>\\begin\{(?P<name>[a-z]+\*?)\}.*?\\end\{(?P=name)\})
  | (?P<inline>\$(?![\s$])(?P<tex>(?:\\.|(?!\n[ \t]*\n)[^$\\])+)(?<!\s)\$(?!\d))
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
_KINDS = ("fence", "comment", "verbatim", "code", "escaped", "display", "environment", "inline")
_TOKEN = re.compile("\ue000(\\d+)\ue001")
_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.*?)[ \t]*$", re.MULTILINE)
_OWN_ID = re.compile(r"[ \t]*\{#([^\s}]+)[^}]*\}$")
_LINK_TEXT = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_EMPHASIS = re.compile(r"(?<![^\W_])_+(?=[^\W_])|(?<=[^\W_])_+(?![^\W_])|\*")


class BookError(Exception):
    """The book cannot be built; the message says in which file, where in it, and why."""


@dataclass(frozen=True)
class Piece:
    """What was masked: ``kind`` is one of fence, comment, verbatim, code, escaped, math, display.

    ``source`` is the text as it stood; ``tex`` the formula without its dollars.
    """

    kind: str
    source: str
    tex: str = ""


@dataclass(frozen=True)
class Masked:
    """A text in which tokens stand for ``pieces``."""

    text: str
    pieces: tuple[Piece, ...]

    def restore(self, text: str, show: Callable[[Piece], str] = lambda piece: piece.source) -> str:
        """``text`` with ``show(piece)`` in the place of each token."""
        return _TOKEN.sub(lambda found: show(self.pieces[int(found[1])]), text)


def mask(text: str) -> Masked:
    """Put tokens in the place of code, comments, math and escaped signs."""
    pieces: list[Piece] = []

    def take(found: re.Match[str]) -> str:
        pieces.append(_piece(found))
        return f"\ue000{len(pieces) - 1}\ue001"

    return Masked(_SCAN.sub(take, text.replace("\ue000", "").replace("\ue001", "")), tuple(pieces))


def _piece(found: re.Match[str]) -> Piece:
    kind = next(kind for kind in _KINDS if found[kind] is not None)
    if kind == "inline":
        return Piece("math", found[0], _unquote(found["tex"]))
    if kind == "display":
        return Piece("display", found[0], _unquote(found["block"]))
    if kind == "environment":
        return Piece("display", found[0], _unquote(found[0]))
    return Piece(kind, found[0])


def _unquote(tex: str) -> str:
    """A formula on one line, without the marks of a quotation that it stands in."""
    return " ".join(re.sub(r"\n[ \t]*>", "\n", tex).split())


@dataclass(frozen=True)
class Heading:
    """A heading: its plain ``text`` (formulas as TeX) and the ``id`` that it has on the page."""

    text: str
    id: str


class Ids:
    """Gives each heading of one page an id of its own, made as mdBook makes them."""

    def __init__(self) -> None:
        self._given: dict[str, int] = {}

    def __call__(self, text: str) -> str:
        base = normalise(text)
        count = self._given.get(base, 0)
        self._given[base] = count + 1
        return f"{base}-{count}" if count else base


def normalise(text: str) -> str:
    """The id that mdBook derives from a heading: "Side & side" gives "side--side"."""
    kept = (sign if sign.isalnum() or sign in "_-" else "-" if sign.isspace() else ""
            for sign in text.strip())  # fmt: skip
    return "".join(kept).lower()


def number_headings(masked: Masked, ids: Ids) -> tuple[str, list[Heading]]:
    """The text with an explicit id on every heading, and the headings.

    An id that the text gives itself (``## Title {#own}``) stays.
    """
    found: list[Heading] = []

    def mark(heading: re.Match[str]) -> str:
        title = heading[2]
        own = _OWN_ID.search(title)
        plain = _plain(masked, _OWN_ID.sub("", title))
        found.append(Heading(plain, own[1] if own else ids(plain)))
        return heading[0] if own else f"{heading[1]} {title} {{#{found[-1].id}}}"

    return _HEADING.sub(mark, masked.text), found


def _plain(masked: Masked, title: str) -> str:
    title = re.sub(r"[ \t]+#+$", "", title)
    title = _EMPHASIS.sub("", _LINK_TEXT.sub(r"\1", title))
    return masked.restore(title, lambda piece: piece.tex or piece.source.strip("`\\ "))


def blocks(text: str) -> Iterator[str]:
    """The pieces between blank lines; joined by two newlines they are the text again."""
    yield from re.split(r"\n(?:[ \t]*\n)+", text)
