"""The outputs of cells as HTML for the book: each one line, so that Markdown leaves it alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from lrcourse.book.figures import Picture
from lrcourse.book.formulas import to_mathml
from lrcourse.book.prose import Fragment, Prose
from lrcourse.book.text import BookError, as_html, on_one_line
from lrcourse.playground.page import MIME as PLAYGROUND

# The best form of an output that the page can show comes first.
_FORMS = (
    PLAYGROUND, "text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg",
    "image/gif", "text/latex", "text/plain",
)  # fmt: skip
_VERDICT = re.compile(
    r"(?P<said>(?P<verdict>HOLDS|FAILS|UNDECIDED|NOT THAT LARGE)(?: on this processor)?"
    r"(?: \((?P<expected>expected(?: \w+)?)\))?)"
    r" \| (?P<sentence>.+) \| (?P<evidence>[^|]+)"
)
# HTML with one of these shows nothing, or something else, without it.
_NEEDED = re.compile(r"<(?:script|iframe|svg|math|video|audio|object|embed|canvas)\b", re.I)
_COLOUR = re.compile(r"\x1b\[[0-?]*+[ -/]*+[@-~]|\x1b[@-Z\\-_]")
_PRINTED_OVER = re.compile(r"^.*\r(?=[^\n])", re.MULTILINE)

Part = str | Fragment | Picture


def stream(text: str, name: str) -> str:
    """What a cell printed: verdicts of claims as such, everything else as it stands."""
    text = _PRINTED_OVER.sub("", _plain(text))
    kind = "lrcourse-stderr" if name == "stderr" else "lrcourse-text"
    made = []
    for is_verdict, lines in groupby(text.rstrip("\n").split("\n"), key=_VERDICT.fullmatch):
        if is_verdict:
            made += [_verdict(found) for line in lines if (found := _VERDICT.fullmatch(line))]
        elif rest := "\n".join(lines).strip("\n"):
            made.append(_pre(rest, kind))
    return "".join(made)


def error(output: Mapping[str, Any]) -> str:
    """A traceback without the colours of a terminal."""
    lines = _plain("\n".join(output["traceback"])).rstrip()
    last = _plain(f"{output['ename']}: {output['evalue']}")
    named = output["ename"] in lines
    return _pre(lines if named else f"{lines}\n{last}".strip(), "lrcourse-error")


def data(output: Mapping[str, Any], alt: str, prose: Prose) -> Part:
    """The best form of a displayed object that a page without a kernel can show.

    `alt` describes a figure in words. Raises BookError for an object that has no such form.
    """
    given, sizes = output["data"], output.get("metadata", {})
    form = next((form for form in _FORMS if form in given and _usable(form, given[form])), None)
    if form is None:
        raise BookError(f"no text and no image among the forms of an output: {', '.join(given)}")
    if form == PLAYGROUND:
        if "image/png" not in given:
            raise BookError(f"an output with {PLAYGROUND} has no still figure (image/png)")
        # Its text says what the figure shows, settings and outcome.
        alt, still = given.get("text/plain", alt), given["image/png"]
        return Picture("image/png", still, alt, sizes.get("image/png", {}), given[form])
    if form == "text/html":
        html = prose.sanitise(given[form], written=False, ids=False)
        return f'<div class="lrcourse-html">{on_one_line(html.strip())}</div>'
    if form == "text/markdown":
        return prose.read(given[form], written=False)
    if form == "text/latex":
        tex = " ".join(given[form].strip().strip("$").removeprefix(r"\displaystyle").split())
        return f'<p><span class="lrcourse-math">{to_mathml(tex, display=True)}</span></p>'
    if form == "text/plain":
        return _pre(_plain(given[form]), "lrcourse-text")
    return Picture(form, given[form], alt, sizes.get(form, {}))


def _usable(form: str, value: object) -> bool:
    """Whether a page can show a form; a plot that needs a script has another one."""
    return form != "text/html" or not _NEEDED.search(str(value))


def _plain(text: str) -> str:
    return _COLOUR.sub("", text)


def _verdict(found: re.Match[str]) -> str:
    kind = found["verdict"].lower().replace(" ", "-")
    if found["expected"] not in (None, "expected"):
        kind += " lrcourse-unexpected"
    return (
        f'<div class="lrcourse-verdict lrcourse-{kind}">'
        f'<p><strong class="lrcourse-badge">{as_html(found["said"])}</strong> '
        f"{as_html(found['sentence'])}</p>"
        f'<p class="lrcourse-evidence">{as_html(found["evidence"])}</p></div>'
    )


def _pre(text: str, kind: str) -> str:
    return f'<pre class="{kind}">{as_html(text)}</pre>'
