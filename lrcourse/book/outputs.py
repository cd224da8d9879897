"""The outputs of cells as HTML for the book: each one line, so that Markdown leaves it alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from itertools import groupby

from nbconvert.filters import strip_ansi
from nbconvert.filters.datatypefilter import DataTypeFilter

from lrcourse.book.figures import figure
from lrcourse.book.interactive import playground
from lrcourse.book.prose import Prose
from lrcourse.book.text import BookError
from lrcourse.playground.page import MIME as PLAYGROUND

# The best form of an output that the page can show comes first.
_FORMS = (
    PLAYGROUND, "text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg",
    "image/gif", "text/latex", "text/plain",
)  # fmt: skip
_VERDICT = re.compile(
    r"(?P<said>(?P<verdict>HOLDS|FAILS|UNDECIDED)(?: on this processor)?"
    r"(?: \((?P<expected>expected(?: \w+)?)\))?)"
    r" \| (?P<sentence>.+) \| (?P<evidence>[^|]+)"
)
_ACTIVE = ("script", "style", "link", "meta", "base", "iframe", "object", "embed", "form")


def stream(output: dict) -> str:
    """What a cell printed: verdicts of claims as such, everything else as it stands."""
    text = strip_ansi(output.text)
    kind = "lrcourse-stderr" if output.name == "stderr" else "lrcourse-text"
    made = []
    for is_verdict, lines in groupby(text.rstrip("\n").split("\n"), key=_VERDICT.fullmatch):
        if is_verdict:
            made += [_verdict(line) for line in lines]
        elif rest := "\n".join(lines).strip("\n"):
            made.append(_pre(rest, kind))
    return "".join(made)


def error(output: dict) -> str:
    """A traceback without the colours of a terminal."""
    lines = strip_ansi("\n".join(output.traceback)).rstrip()
    last = strip_ansi(f"{output.ename}: {output.evalue}")
    return _pre(lines if output.ename in lines else f"{lines}\n{last}".strip(), "lrcourse-error")


def data(output: dict, alt: str, prose: Prose) -> str:
    """The best form of a displayed object that a page without a kernel can show.

    ``alt`` describes a figure in words. Raises BookError for an object that has no such form.
    """
    given = output.data
    usable = {form: given[form] for form in given if form != "text/html" or _passive(given[form])}
    choose = DataTypeFilter(display_data_priority=list(_FORMS))
    form = next(iter(choose(usable)), None) if usable.keys() & set(_FORMS) else None
    size = output.get("metadata", {}).get(form, {})
    if form == PLAYGROUND:
        if "image/png" not in given:
            raise BookError(f"an output with {PLAYGROUND} has no still figure (image/png)")
        # Its text says what the figure shows, settings and outcome.
        alt = given.get("text/plain", alt)
        still = figure("image/png", given["image/png"], alt, output.metadata.get("image/png"))
        return playground(given[form], still)
    if form is None:
        raise BookError(f"no text and no image among the forms of an output: {', '.join(given)}")
    if form == "text/html":
        return _html(given[form])
    if form == "text/markdown":
        return f"\n\n{prose.convert(given[form])}\n\n"
    if form == "text/latex":
        tex = given[form].strip().strip("$").removeprefix(r"\displaystyle")
        return f"\n\n{prose.convert(f'$${tex.strip()}$$')}\n\n"
    if form == "text/plain":
        return _pre(strip_ansi(given[form]), "lrcourse-text")
    return figure(form, given[form], alt, size)


def _verdict(line: str) -> str:
    found = _VERDICT.fullmatch(line)
    kind = found["verdict"].lower()
    if found["expected"] not in (None, "expected"):
        kind += " lrcourse-unexpected"
    return (
        f'<div class="lrcourse-verdict lrcourse-{kind}">'
        f'<p><strong class="lrcourse-badge">{escape(found["said"])}</strong> '
        f"{_inline(found['sentence'])}</p>"
        f'<p class="lrcourse-evidence">{_inline(found["evidence"])}</p></div>'
    )


def _pre(text: str, kind: str) -> str:
    return f'<pre class="{kind}">{_inline(text)}</pre>'


def _inline(text: str) -> str:
    # Markdown ends a block of HTML at a blank line: line ends are written as references.
    return escape(text).replace("\n", "&#10;")


def _passive(html: str) -> bool:
    """Whether HTML shows something without a script; a plot that needs one has another form."""
    return "<script" not in html.lower() and "<iframe" not in html.lower()


def _html(html: str) -> str:
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(html, "html.parser")
    for element in soup.find_all(_ACTIVE):
        element.decompose()
    for element in soup.find_all(True):
        for name in list(element.attrs):
            if name.lower().startswith("on") or name == "border":
                del element[name]
        if str(element.get("src", "data:")).partition(":")[0] != "data":
            raise BookError(
                f"an HTML output asks for {element['src']}, and the book holds everything itself"
            )
    for table in soup.find_all("table"):
        if not table.find_parent("table"):
            table.wrap(soup.new_tag("div", attrs={"class": "table-wrapper"}))
    return f'<div class="lrcourse-html">{"&#10;".join(_lines(str(soup)))}</div>'


def _lines(html: str) -> Iterator[str]:
    yield from html.strip().split("\n")
