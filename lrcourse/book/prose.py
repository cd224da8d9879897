"""The written part of the book: Markdown of cells and pages, made ready for mdBook.

What mdBook gets is HTML, sanitised, each piece on one line that its own parser leaves alone; only
headings are Markdown, so that mdBook's search finds them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape

from markdown_it.token import Token

from lrcourse.book.clean import Reader, clean
from lrcourse.book.formulas import to_mathml
from lrcourse.book.links import Attachments, Site
from lrcourse.book.markdown import parse, plain, render
from lrcourse.book.tables import DIRECTIVE, table
from lrcourse.book.text import BookError, Heading, Ids, as_references, on_one_line

_HEADING = re.compile(r'<h([1-6]) id="([\w.:-]+)">(.*?)</h\1>', re.DOTALL)
_BLOCK = re.compile(r"</?(?:blockquote|details|div|dl|figure|h[1-6]|hr|li|ol|p|pre|table|ul)[ >]")
_FORMULA = re.compile(r"<x-formula>(.*?)</x-formula>")
_OUTSIDE = "outside:"  # no scheme that anyone else may use
_LEAVING = re.compile(rf'<a [^>]*href="{_OUTSIDE}([^"]*)"[^>]*>(.*?)</a>', re.DOTALL)
_TAGS = re.compile(r"(<[^>]*>)")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_LETTER = re.compile(r"[^\W\d_]")
_LEAST_HAN = 10  # a paragraph with fewer is one that names a term
_CHINESE = '<div lang="zh-Hans" class="lrcourse-zh">'


@dataclass(frozen=True)
class Fragment:
    """A text that is parsed and not yet written.

    Attributes:
        tokens: of its Markdown.
        headings: what links can lead to in it.
        attachments: the images of its cell.
        written: by someone, who is told of what cannot be shown; a library is not.
    """

    tokens: list[Token]
    headings: list[Heading]
    attachments: Attachments
    written: bool


@dataclass
class Prose:
    """Reads and writes the texts of one page, in their order (ids of headings are counted).

    All pages are read before the first is written, so that a link can lead to any heading.
    """

    site: Site
    page: str
    ids: Ids = field(default_factory=Ids)

    def read(
        self, text: str, attachments: Attachments | None = None, *, written: bool = True
    ) -> Fragment:
        """Parse a text of Markdown; BookError where it is too long or nested too deep."""
        tokens = parse(text, self.ids, smart=self.site.smart)
        headings = [
            Heading(token.meta["plain"], str(token.attrs["id"]))
            for token in tokens
            if token.type == "heading_open"
        ]
        reader = Reader()
        for token in tokens:
            for part in (token, *(token.children or ())):
                if part.type.startswith("html_"):
                    reader.feed(part.content)
        if written and reader.foreign:
            raise BookError(
                f"<{min(reader.foreign)}> is not shown: a page has no scripts, forms, frames or "
                "styles of its own; in a text, write &lt; for <"
            )
        headings += [Heading(name, name) for name in reader.ids]
        return Fragment(tokens, headings, attachments or {}, written)

    def write(self, fragment: Fragment) -> str:
        """A fragment as blocks for mdBook: links of the book, MathML, tables for CSV files.

        Raises BookError for a formula, a link, an image, a table or HTML that cannot be shown.
        """
        made: list[str] = []
        inside = False
        for block in _blocks(fragment.tokens):
            inline = [each for token in block for each in token.children or ()]
            for link in inline if fragment.written else ():
                if link.type == "link_open":  # nh3 drops schemes in silence
                    self.site.link(str(link.attrs["href"]), self.page)
            text = plain([each for each in inline if each.type == "text"])
            chinese = len(_HAN.findall(text)) >= max(_LEAST_HAN, 0.3 * len(_LETTER.findall(text)))
            if chinese != inside:
                made.append(_CHINESE if chinese else "</div>")
            inside = chinese
            made.append(render(self._with_table(block)))
        html = "".join([*made, "</div>" if inside else ""])
        return _for_mdbook(self.sanitise(html, fragment.attachments, written=fragment.written))

    def sanitise(
        self, html: str, attachments: Attachments | None = None, *, written: bool, ids: bool = True
    ) -> str:
        """The harmless part of HTML, with the addresses of the book in it."""

        def address(tag: str, target: str) -> str | None:
            if tag == "img":
                return self.site.image(target, self.page, attachments or {})
            try:
                found = self.site.link(target, self.page)
            except BookError:
                if written:
                    raise
                return None
            return f"{_OUTSIDE}{target}" if found is None else found

        # A link that the book cannot follow keeps its text and says where to look.
        return _LEAVING.sub(_outside, clean(html, address, ids=ids))

    def _with_table(self, block: list[Token]) -> list[Token]:
        """A block, or the table that it asks for."""
        asked = DIRECTIVE.fullmatch(block[1].content.strip()) if len(block) == 3 else None
        if asked is None:
            return block
        path = self.site.file(asked["path"], self.page)
        text = table(path, asked["columns"], asked["caption"])
        return parse(text, Ids(), smart=self.site.smart)


def _outside(found: re.Match[str]) -> str:
    name = found[1].lstrip("./").partition("#")[0]
    return f'{found[2]} <span class="lrcourse-outside">({name} in the repository)</span>'


def _blocks(tokens: list[Token]) -> Iterator[list[Token]]:
    """The tokens of each block that lies in no other."""
    block: list[Token] = []
    for token in tokens:
        block.append(token)
        if token.level == 0 and token.nesting <= 0:
            yield block
            block = []


def _for_mdbook(html: str) -> str:
    """Sanitised HTML as blocks of one line each, its headings as Markdown."""
    made: list[str] = []
    here = 0
    for found in _HEADING.finditer(html):
        title = "".join(
            on_one_line(part) if part.startswith("<") else as_references(unescape(part))
            for part in _TAGS.split(found[3])
        )
        # mdBook's search writes titles as HTML: no sign but a word joiner may follow a "<".
        title = _FORMULA.sub(_mathml, title).replace("&#60;", "&#60;&#8288;")
        made += [
            _FORMULA.sub(_mathml, _html(html[here : found.start()])),
            f"{'#' * int(found[1])} {title} {{#{found[2]}}}",
        ]
        here = found.end()
    made.append(_FORMULA.sub(_mathml, _html(html[here:])))
    return "\n\n".join(filter(None, made))


def _html(html: str) -> str:
    """HTML on one line that begins as a block does, so that no mark in it counts as Markdown."""
    html = on_one_line(html.strip())
    return html if not html or _BLOCK.match(html) else f"<!-- -->{html}"


def _mathml(found: re.Match[str]) -> str:
    tex = unescape(found[1])
    if tex.startswith("$$"):
        return f'<span class="lrcourse-math">{to_mathml(tex.strip("$"), display=True)}</span>'
    return to_mathml(tex.strip("$"))
