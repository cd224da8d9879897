"""What every part of the book's preprocessor shares: its error, and the ids of headings."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape


class BookError(ValueError):
    """The book cannot be built; the message says in which file, where in it, and why."""


@dataclass(frozen=True)
class Heading:
    """A heading: its plain `text` (formulas as TeX) and the `id` that it has on the page."""

    text: str
    id: str


class Ids:
    """Gives each heading of one page an id of its own, made as mdBook makes them."""

    def __init__(self) -> None:
        self._given: dict[str, int] = {}

    def __call__(self, text: str) -> str:
        """The id of the next heading, whose text is `text`."""
        base = normalise(text) or "section"
        count = self._given.get(base, 0)
        self._given[base] = count + 1
        return f"{base}-{count}" if count else base


def normalise(text: str) -> str:
    """The id that mdBook derives from a heading: "Side & side" gives "side--side"."""
    kept = (sign if sign.isalnum() or sign in "_-" else "-" if sign.isspace() else ""
            for sign in text.strip())  # fmt: skip
    return "".join(kept).lower()


def shorten(text: str, most: int = 200) -> str:
    """A text on one line, for a message, its end left out where it is long."""
    text = " ".join(text[: 2 * most].split())
    return text if len(text) <= most else f"{text[:most]} ..."


def on_one_line(html: str) -> str:
    """HTML without line ends: mdBook's parser ends a block of HTML at a blank line."""
    return html.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "&#10;")


def as_html(text: str) -> str:
    """Any text as the content of an element or an attribute, on one line."""
    return on_one_line(escape(text))


def as_references(text: str) -> str:
    """Letters, digits and signs beyond ASCII as they are, the others as character references.

    What it makes is free of marks that Markdown would read.
    """
    return "".join(
        sign if sign.isalnum() or ord(sign) > 127 or sign == " " else f"&#{ord(sign)};"
        for sign in text
    )
