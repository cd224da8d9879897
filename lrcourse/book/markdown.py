r"""Markdown as the book reads it, by markdown-it-py.

The dialect is that of mdBook: CommonMark with tables, ~~deleted~~ text and headings that may give
themselves an id (`## Title {#own}`). Formulas (`$...$`, `$$...$$`, `\begin{name}...\end{name}`)
are parts of it, because Markdown's marks mean nothing in them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from html import escape, unescape
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_core.smartquotes import process_inlines
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from lrcourse.book import formulas
from lrcourse.book.text import BookError, Ids, shorten

LONGEST = 20_000  # signs of one paragraph, whose quadratic time this bounds
DEEPEST = 24  # lists and quotations inside one another
_MOST_QUOTES = 200  # in a paragraph; more of them stay straight
_BAR = "\ue000"  # stands for | in a formula, where it would end the cell of a table
_INLINE = re.compile(r"\$(?![\s$])((?:\\.|[^$\\])++)(?<!\s)\$(?!\d)", re.DOTALL)
_DISPLAY = re.compile(r"\$\$((?:\\.|\$(?!\$)|[^$\\])++)\$\$", re.DOTALL)
_EITHER = re.compile(f"{_DISPLAY.pattern}|{_INLINE.pattern}", re.DOTALL)
_BEGIN = re.compile(r"\\begin\{([a-z]+\*?)\}")
_BLANK = re.compile(r"\n[ \t]*\n")
_QUOTED = re.compile(r"\n[ \t]*>")
_CODE = re.compile(r"<(?:code|pre)\b", re.IGNORECASE)
_TAGS = re.compile(r"(<[^>]*>)")
_OWN_ID = re.compile(r"[ \t]*\{#([\w.:-]+)[^{}]*\}$")
_SIGNS = (("...", "…"), ("---", "—"), ("--", "–"))


def parse(text: str, ids: Ids, *, smart: bool) -> list[Token]:
    """The tokens of a text. Each heading has its id, and its plain text in `meta["plain"]`.

    Args:
        text: Markdown.
        ids: gives the headings of the page their ids.
        smart: whether quotation marks, dashes and dots are set as a printer sets them.

    Raises:
        BookError: a paragraph is too long, or lies too deep in lists and quotations.
    """
    text = text.replace(_BAR, "")
    text = _INLINE.sub(lambda found: found[0].replace("|", _BAR), text) if "|" in text else text
    tokens = _parser(smart).parse(text, {"ids": ids})
    if any(token.level > DEEPEST for token in tokens):
        raise BookError(f"more than {DEEPEST // 2} lists or quotations inside one another")
    return tokens


def render(tokens: list[Token]) -> str:
    """Tokens as HTML that is not sanitised; a formula is `<x-formula>`, its TeX inside."""
    parser = _parser(True)
    return parser.renderer.render(tokens, parser.options, {}).replace(_BAR, "|")


def plain(tokens: list[Token] | None) -> str:
    """The text of a line without its marks, formulas as TeX."""
    return "".join(
        " " if token.type in ("softbreak", "hardbreak") else token.content.replace(_BAR, "|")
        for token in tokens or ()
        if token.type != "html_inline"
    )


@cache
def _parser(smart: bool) -> MarkdownIt:
    options = {"html": True, "typographer": True, "maxNesting": DEEPEST + 4}
    parser = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    # Addresses are judged with those in HTML.
    parser.normalizeLink = lambda url: url
    parser.validateLink = lambda url: True
    may_interrupt: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    parser.block.ruler.before("fence", "formula", _formula_block, may_interrupt)
    parser.inline.ruler.before("escape", "formula", _formula)
    parser.core.ruler.before("inline", "own_ids", _own_ids)
    parser.core.ruler.push("ids", _ids)
    if smart:
        parser.core.ruler.push("signs", _signs)
    parser.add_render_rule("formula", _formula_html)
    parser.add_render_rule("html_block", _html_block)
    return parser


def _find_formula(text: str, start: int, end: int) -> tuple[str, bool, int] | None:
    """TeX of the formula that begins at `start`, whether it is displayed, and where it ends."""
    if begin := _BEGIN.match(text, start, end):
        closing = f"\\end{{{begin[1]}}}"
        last = text.find(closing, begin.end(), min(end, start + formulas.LONGEST))
        return None if last < 0 else (text[start : last + len(closing)], True, last + len(closing))
    for pattern, display in ((_DISPLAY, True), (_INLINE, False)):
        if found := pattern.match(text, start, end):
            return found[1], display, found.end()
    return None


def _formula(state: StateInline, silent: bool) -> bool:
    """The rule for formulas in a line."""
    found = _find_formula(state.src, state.pos, state.posMax)
    if found is None:
        return False
    if not silent:
        if state.pending:
            state.pushPending()
        state.tokens.append(_token(*found[:2]))
    state.pos = found[2]
    return True


def _formula_block(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    """The rule for formulas on lines of their own, where `+` begins no list."""
    start = state.bMarks[first] + state.tShift[first]
    if state.is_code_block(first) or not state.src.startswith(("$$", "\\begin{"), start):
        return False
    most = min(start + formulas.LONGEST, state.eMarks[end - 1])
    found = _find_formula(state.src, start, most)
    if found is None or _BLANK.search(state.src, start, found[2]):
        return False
    last = first + state.src.count("\n", start, found[2])
    if state.src[found[2] : state.eMarks[last]].strip():
        return False
    if not silent:
        state.push("paragraph_open", "p", 1)
        state.push("inline", "", 0).children = [_token(*found[:2])]
        state.push("paragraph_close", "p", -1)
        state.line = last + 1
    return True


def _token(tex: str, display: bool) -> Token:
    """A formula on one line, without the marks of a quotation that it stands in."""
    tex = " ".join(_QUOTED.sub("\n", tex).split())
    return Token("formula", "", 0, content=tex, meta={"display": display})


def _own_ids(state: StateCore) -> None:
    """Take the id that a heading gives itself, `## Title {#own}`, out of its text."""
    for heading, inline in pairwise(state.tokens):
        if len(inline.content) > LONGEST and inline.type == "inline":
            raise BookError(
                f"a paragraph of {len(inline.content):,} signs, and one may have {LONGEST:,}; it "
                f"begins {shorten(inline.content, 40)!r}"
            )
        if heading.type == "heading_open" and (own := _OWN_ID.search(inline.content)):
            inline.content = inline.content[: own.start()]
            heading.attrs["id"] = own[1]


def _ids(state: StateCore) -> None:
    """Give every other heading the id that mdBook would give it."""
    for heading, inline in pairwise(state.tokens):
        if heading.type == "heading_open":
            heading.meta["plain"] = plain(inline.children).strip()
            heading.attrs["id"] = heading.attrs.get("id") or state.env["ids"](heading.meta["plain"])


def _signs(state: StateCore) -> None:
    """Set quotation marks, dashes and dots."""
    for token in state.tokens:
        for child in token.children or ():
            if child.type == "text":
                for typed, printed in _SIGNS:
                    child.content = child.content.replace(typed, printed)
        if 0 < token.content.count("'") + token.content.count('"') <= _MOST_QUOTES:
            process_inlines(token.children or [], state)
            for child in token.children or ():
                if child.type == "text":
                    child.content = child.content.replace("'", "’")


def _formula_html(renderer: RendererHTML, tokens: Sequence[Token], at: int, *_: object) -> str:
    mark = "$$" if tokens[at].meta["display"] else "$"
    return _marked(f"{mark}{tokens[at].content}{mark}")


def _html_block(renderer: RendererHTML, tokens: Sequence[Token], at: int, *_: object) -> str:
    """HTML with the formulas in its texts, but for code."""
    html = tokens[at].content
    if "$" not in html or _CODE.search(html):
        return html
    parts = _TAGS.split(html)
    for text in range(0, len(parts), 2):
        parts[text] = _EITHER.sub(lambda found: _marked(unescape(found[0])), parts[text])
    return "".join(parts)


def _marked(formula: str) -> str:
    return f"<x-formula>{escape(formula)}</x-formula>"
