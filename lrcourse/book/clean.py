"""HTML made harmless, by nh3: what a cell's Markdown says, and what its outputs hold.

No script, no form, no frame, no style sheet; of addresses only those that the caller approves.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

import nh3

from lrcourse.book.text import BookError, shorten

DEEPEST = 200  # elements inside one another
Address = Callable[[str, str], str | None]


TAGS = nh3.ALLOWED_TAGS | {"tfoot", "x-formula"} - {"area", "map"}
_ATTRIBUTES = nh3.ALLOWED_ATTRIBUTES | {
    "*": {"class", "id", "title", "lang", "dir", "align", "style"},
    "a": {"href", "name"},
    "details": {"open"},
}
# None of them takes an address.
_STYLES = {"background-color", "border", "color", "font-size", "font-style", "font-weight"}
_STYLES |= {"height", "margin", "max-width", "padding", "text-align", "vertical-align", "width"}
# A class may mean something to mdBook's scripts: "playground" makes them ask another host.
_CLASS = re.compile(r"language-(?!rust)[\w+#.-]+|lrcourse-(?:outside|zh)|dataframe")
_ASKING = re.compile(r"url|image|//|expression|\\", re.IGNORECASE)
# Elements that hold none, or that nest only through others, such as tables.
_FLAT = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source"}
_FLAT |= {"wbr", "colgroup", "option", "p", "tbody", "td", "tfoot", "th", "thead", "tr"}
_ITEMS = {"dd", "dt", "li"}  # may lack their ends


def clean(html: str, address: Address, *, ids: bool) -> str:
    """The harmless part of HTML, tables in boxes that scroll.

    Args:
        html: what Markdown made, or what a cell put out.
        address: gives the address to write for that of an element (its name, the address), or
            None for none. It may raise BookError.
        ids: whether ids stay; those of an output might be those of headings.

    Raises:
        BookError: an address is refused, or elements lie too deep.
    """
    if html.count("<") > DEEPEST:
        Reader().feed(html)
    refused: list[BookError] = []

    def judge(tag: str, name: str, value: str) -> str | None:
        if name == "class":
            return " ".join(filter(_CLASS.fullmatch, value.split())) or None
        if (name == "id" and not ids) or (name == "style" and _ASKING.search(value)):
            return None
        if name not in ("href", "src"):
            return value
        try:  # nh3 would swallow the error
            return address(tag, value)
        except BookError as error:
            refused.append(error)
            return None

    made = nh3.clean(
        html,
        tags=TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=judge,
        url_schemes={"http", "https", "mailto", "data", "attachment"},
        filter_style_properties=_STYLES,
        link_rel=None,
    )
    if refused:
        raise refused[0]
    made = made.replace("<table", '<div class="table-wrapper"><table')
    return made.replace("</table>", "</table></div>")


class Reader(HTMLParser):
    """Reads HTML that is not sanitised yet: its depth, its `ids`, and what is `foreign` in it.

    Raises:
        BookError: elements lie so deep that a parser would need the square of its length.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.ids: list[str] = []
        self.foreign: set[str] = set()
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.ids += [value for name, value in attrs if name in ("id", "name") and value]
        self.foreign |= {tag} - TAGS
        if tag not in _FLAT and not (tag in _ITEMS and self._open[-1:] == [tag]):
            self._open.append(tag)
        if len(self._open) > DEEPEST:
            last = shorten(" ".join(f"<{each}>" for each in self._open[-3:]))
            raise BookError(f"more than {DEEPEST} elements in one another, or left open: {last}")

    def handle_endtag(self, tag: str) -> None:
        """An element ends; the end of one that is not open is left alone."""
        here = len(self._open) - 1
        while here > 0 and self._open[here] in _ITEMS - {tag}:
            here -= 1
        if here >= 0 and self._open[here] == tag:
            del self._open[here:]
