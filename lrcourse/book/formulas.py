"""TeX formulas as MathML, which browsers show without a script."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from lrcourse.book.text import BookError, as_references, shorten

LONGEST = 5_000  # signs of TeX
_FUNCTION = re.compile(r"[a-z]{2,}")
_UNKNOWN = re.compile(r"\\[A-Za-z]+\*?")
# What a formula is made of. Whatever else comes, through \href or as XML in \text, is refused.
_ELEMENT = re.compile(
    "m(ath|enclose|fenced|frac|i|labeledtr|multiscripts|n|o|over|padded|phantom|prescripts|root|row"
    "|s|space|sqrt|style|sub|subsup|sup|table|td|text|tr|under|underover)|none"
)
_ATTRIBUTE = re.compile(
    "accent|accentunder|close|column(align|lines|spacing|span)|depth|dir|display|displaystyle|fence"
    "|form|height|largeop|linebreak|linethickness|lspace|math(background|color|size|variant)"
    "|(max|min)size|movablelimits|notation|open|row(align|lines|spacing|span)|rspace|scriptlevel"
    "|separator|separators|side|stretchy|symmetric|voffset|width"
)
_MATHML = "{http://www.w3.org/1998/Math/MathML}"


def to_mathml(tex: str, *, display: bool = False) -> str:
    r"""One formula as a `<math>` element on one line, safe inside Markdown.

    Everything that Markdown could read as a mark of its own is written as a character reference.

    Raises:
        BookError: a macro that is not known (`\bad`), braces that do not match, a link or a style,
            anything else that is no formula. The message quotes the formula.
    """
    from latex2mathml.converter import convert

    if not tex.strip():
        raise BookError("an empty formula: $$")
    if len(tex) > LONGEST:
        raise BookError(f"a formula of {len(tex):,} signs, and one may have {LONGEST:,}")
    quoted = f"the formula ${shorten(tex)}$"
    _check_braces(tex, quoted)
    try:
        root = ElementTree.fromstring(convert(tex, display="block" if display else "inline"))
    except ElementTree.ParseError:
        raise BookError(f"{quoted} has a stray & or another sign: write \\&") from None
    except Exception as error:  # latex2mathml has many, some of them plain IndexErrors
        what = shorten(f"{type(error).__name__} {error}")
        raise BookError(f"{quoted} cannot be read ({what})") from None
    for element in root.iter():
        if unknown := _UNKNOWN.search(element.text or ""):
            raise BookError(
                f"{unknown[0]} in {quoted} is unknown to latex2mathml: use a macro that it knows, "
                "or write the formula without it"
            )
        name = element.tag.removeprefix(_MATHML)
        known = {name: _ELEMENT} | dict.fromkeys(element.attrib, _ATTRIBUTE)
        if foreign := [each for each, rule in known.items() if not rule.fullmatch(each)]:
            raise BookError(f"{quoted} holds {foreign[0]}, which is no part of a formula")
    _space(root)
    return _write(root)


def _space(root: ElementTree.Element) -> None:
    """Set spaces as TeX does: a thin one after the name of a function, none around a slash."""
    for element in root.iter():
        if element.tag.endswith("}mo") and element.text == "/":
            element.attrib |= {"lspace": "0", "rspace": "0"}
        following = zip(list(element), list(element)[1:], strict=False)
        for place, (child, after) in reversed(list(enumerate(following, start=1))):
            named = child.tag.endswith("}mi") and _FUNCTION.fullmatch(child.text or "")
            if named and element.tag.endswith("}mrow") and not after.tag.endswith("}mo"):
                element.insert(place, ElementTree.Element("mspace", width="0.167em"))


def _check_braces(tex: str, quoted: str) -> None:
    depth = 0
    for sign in re.sub(r"\\.", "", tex, flags=re.DOTALL):
        depth += (sign == "{") - (sign == "}")
        if depth < 0:
            break
    if depth:
        raise BookError(f"the braces of {quoted} do not match")


def _write(element: ElementTree.Element) -> str:
    name = element.tag.removeprefix(_MATHML)
    given = "".join(f' {key}="{as_references(value)}"' for key, value in element.attrib.items())
    inside = as_references(element.text or "") + "".join(_write(child) for child in element)
    return f"<{name}{given}>{inside}</{name}>"
