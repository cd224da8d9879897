"""TeX formulas as MathML, which browsers show without a script."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from lrcourse.book.text import BookError

_FUNCTION = re.compile(r"[a-z]{2,}")
_UNKNOWN = re.compile(r"\\[A-Za-z]+\*?")


def to_mathml(tex: str, *, display: bool = False) -> str:
    r"""One formula as a ``<math>`` element on one line, safe inside Markdown.

    Everything that Markdown could read as a mark of its own is written as a character reference.

    Raises
    ------
    BookError
        A macro that is not known (``\bad``), braces that do not match, anything else that is no
        formula. The message quotes the formula.
    """
    from latex2mathml.converter import convert

    if not tex.strip():
        raise BookError("an empty formula: $$")
    _check_braces(tex)
    try:
        root = ElementTree.fromstring(convert(tex, display="block" if display else "inline"))
    except ElementTree.ParseError:
        raise BookError(f"the formula ${tex}$ has a stray & or another sign: write \\&") from None
    except Exception as error:  # latex2mathml has many, some of them plain IndexErrors
        what = " ".join([type(error).__name__, *str(error).split()])
        raise BookError(f"the formula ${tex}$ cannot be read ({what})") from None
    for element in root.iter():
        if unknown := _UNKNOWN.search(element.text or ""):
            raise BookError(
                f"{unknown[0]} in the formula ${tex}$ is unknown to latex2mathml: use a macro that "
                "it knows, or write the formula without it"
            )
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


def _check_braces(tex: str) -> None:
    depth = 0
    for sign in re.sub(r"\\.", "", tex, flags=re.DOTALL):
        depth += (sign == "{") - (sign == "}")
        if depth < 0:
            break
    if depth:
        raise BookError(f"the braces of the formula ${tex}$ do not match")


def _write(element: ElementTree.Element) -> str:
    name = element.tag.rpartition("}")[2]
    given = "".join(f' {key}="{_escape(value)}"' for key, value in element.attrib.items())
    inside = _escape(element.text or "") + "".join(_write(child) for child in element)
    return f"<{name}{given}>{inside}</{name}>"


def _escape(text: str) -> str:
    """Letters, digits and signs beyond ASCII as they are, the others as character references."""
    return "".join(
        sign if sign.isalnum() or (ord(sign) > 127) or sign == " " else f"&#{ord(sign)};"
        for sign in text
    )
