"""The written part of the book: Markdown of cells and pages, made ready for mdBook."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

from lrcourse.book.formulas import to_mathml
from lrcourse.book.links import Site, explicit_anchors
from lrcourse.book.tables import DIRECTIVE, table
from lrcourse.book.text import BookError, Heading, Ids, Masked, Piece, blocks, mask, number_headings

_LINK = re.compile(
    r"(?P<mark>!?)\[(?P<text>(?:[^\[\]]|!?\[[^\[\]]*\](?:\([^()]*\))?)*)\]"
    r"\([ \t]*(?:<(?P<quoted>[^<>\n]*)>|(?P<bare>[^\s()<>]*(?:\([^\s()]*\)[^\s()<>]*)*))"
    r"(?P<title>[ \t\n]+(?:\"[^\"]*\"|'[^']*'))?[ \t]*\)"
)
_DEFINITION = re.compile(r"^( {0,3}\[[^\]^\n][^\]\n]*\]:[ \t]*)<?([^\s<>]+)>?", re.MULTILINE)
_ATTRIBUTE = re.compile(
    r"(<(?P<tag>a|img)\b[^>]*?\s(?:href|src)=)([\"'])(?P<target>[^\"']*)\3", re.IGNORECASE
)
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_LETTER = re.compile(r"[^\W\d_]")
_LEAST_HAN = 10  # a paragraph with fewer is one that names a term
_CHINESE = '<div lang="zh-Hans" class="lrcourse-zh">'


def read_headings(text: str, ids: Ids) -> list[Heading]:
    """What links can lead to in a text, with the ids that its headings get in the book."""
    masked = mask(text)
    return number_headings(masked, ids)[1] + explicit_anchors(masked.text)


@dataclass
class Prose:
    """Makes the texts of one page ready, in their order (ids of headings are counted)."""

    site: Site
    page: str
    ids: Ids = field(default_factory=Ids)

    def convert(self, text: str, attachments: Mapping[str, Mapping[str, str]] = {}) -> str:
        """Markdown with headings that have ids, links of the book, MathML, and tables for CSV.

        Raises BookError for a formula, a link, an image or a table that cannot be shown.
        """
        masked = mask(text)
        marked, _ = number_headings(masked, self.ids)
        self._masked, self._attachments = masked, attachments
        marked = DIRECTIVE.sub(self._table, marked)
        marked = self._links(marked)
        marked = _DEFINITION.sub(lambda found: f"{found[1]}<{self._address(found[2])}>", marked)
        marked = _ATTRIBUTE.sub(self._attribute, marked)
        marked = "\n\n".join(_in_chinese(masked, marked))
        return masked.restore(marked, _show)

    def _table(self, found: re.Match[str]) -> str:
        path = self.site.file(found["path"], self.page)
        return table(path, found["columns"], found["caption"])

    def _links(self, text: str) -> str:
        def replace(found: re.Match[str]) -> str:
            target = found["bare"] if found["quoted"] is None else found["quoted"]
            target = self._masked.restore(target)
            title = found["title"] or ""
            if found["mark"]:
                address = self.site.image(target, self.page, self._attachments)
                return f"![{found['text']}](<{address}>{title})"
            inside = self._links(found["text"])
            address = self.site.link(target, self.page)
            if address is None:
                return _outside(inside, target)
            return f"[{inside}](<{address}>{title})"

        return _LINK.sub(replace, text)

    def _address(self, target: str) -> str:
        """The address of a link whose text cannot be left standing alone."""
        address = self.site.link(self._masked.restore(target), self.page)
        if address is None:
            raise BookError(
                f"{target} lies outside the book, which has no address for it: write the link as "
                "[text](target), so that its text can stay"
            )
        return address

    def _attribute(self, found: re.Match[str]) -> str:
        target = found["target"]
        if found["tag"].lower() == "img":
            address = self.site.image(target, self.page, self._attachments)
        else:
            address = self._address(target)
        return f'{found[1]}"{escape(address)}"'


def _outside(text: str, target: str) -> str:
    """A link that the book cannot follow keeps its text and says where to look."""
    name = escape(target.lstrip("./").partition("#")[0])
    return f'{text} <span class="lrcourse-outside">({name} in the repository)</span>'


def _show(piece: Piece) -> str:
    if piece.kind == "math":
        return to_mathml(piece.tex)
    if piece.kind == "display":
        return f'<span class="lrcourse-math">{to_mathml(piece.tex, display=True)}</span>'
    return piece.source


def _in_chinese(masked: Masked, text: str) -> list[str]:
    """The blocks of a text, neighbours that are written in Chinese wrapped with their language."""
    made: list[str] = []
    inside = False
    for block in blocks(text):
        chinese = _is_chinese(masked.restore(block, lambda piece: ""))
        if chinese and not inside:
            made.append(_CHINESE)
        if inside and not chinese:
            made.append("</div>")
        inside = chinese
        made.append(block)
    return [*made, "</div>"] if inside else made


def _is_chinese(text: str) -> bool:
    han, letters = len(_HAN.findall(text)), len(_LETTER.findall(text))
    return han >= _LEAST_HAN and han > 0.3 * letters
