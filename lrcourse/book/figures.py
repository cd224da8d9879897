"""Figures of the book: what they show in words, their size, and how to make them lighter."""

from __future__ import annotations

import ast
import base64
import binascii
import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeGuard

from lrcourse.book.interactive import playground
from lrcourse.book.text import BookError, as_html, shorten

# The kinds of images that the book shows, and how each begins.
KINDS = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
    "image/svg+xml": b"<",
}
_COLOURS = 256
_WORST_DIFFERENCE = 3.0  # root mean square of the steps of 0 to 255; below it nobody sees one


@dataclass
class Picture:
    """An image of an output.

    Attributes:
        kind: its MIME type.
        data: what the notebook stores, base64 or the text of an SVG.
        alt: what it shows, in words.
        size: may hold the width and height at which the notebook shows it, in pixels.
        state: the traits of the interactive figure that takes its place, or None.
    """

    kind: str
    data: str
    alt: str
    size: Mapping[str, object] = field(default_factory=dict)
    state: object = None

    def html(self) -> str:
        """The image as HTML on one line, its data inside; BookError for data that are no image.

        A browser runs no script of an image, and asks nobody for what it names.
        """
        content = decode(self.kind, self.data)
        width, height = self.size.get("width"), self.size.get("height")
        if self.kind == "image/png" and not (_pixels(width) and _pixels(height)):
            width, height = struct.unpack(">II", content[16:24])
        shape = ""
        if _pixels(width) and _pixels(height):
            shape = f' width="{width:.0f}" height="{height:.0f}"'
        uri = f"data:{self.kind};base64,{base64.b64encode(content).decode()}"
        image = (
            f'<figure class="lrcourse-figure"><img src="{uri}" alt="{as_html(self.alt)}"{shape} '
            'decoding="async"></figure>'
        )
        return image if self.state is None else playground(self.state, image)


def _pixels(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and 0 < value < 1e5


def decode(kind: str, data: str) -> bytes:
    """The bytes of an image as a notebook stores it; BookError where there are none."""
    if kind not in KINDS:
        raise BookError(f"{shorten(kind)} is no kind of image; the book shows {', '.join(KINDS)}")
    if kind == "image/svg+xml":
        if "<svg" not in data:
            raise BookError("the output says image/svg+xml, and holds no <svg>")
        return data.encode()
    try:
        content = base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if not content.startswith(KINDS[kind]) or (kind == "image/png" and len(content) < 24):
        raise BookError(f"the output says {kind}, and its data are no such image: run it again")
    return content


def lighten(data: str) -> str:
    """A stored PNG with at most 256 colours, or as it was where that would show or not help."""
    import numpy as np
    from PIL import Image

    content = decode("image/png", data)
    image = Image.open(io.BytesIO(content))
    image.load()
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255):
        image = image.convert("RGB")
    if image.mode != "RGB":  # a palette already, or transparency that one would lose
        return data
    fewer = image.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    difference = np.asarray(image, float) - np.asarray(fewer.convert("RGB"), float)
    written = io.BytesIO()
    fewer.save(written, "PNG", optimize=True)
    if len(written.getvalue()) >= len(content) or (difference**2).mean() > _WORST_DIFFERENCE**2:
        return data
    return base64.b64encode(written.getvalue()).decode()


def titles(source: str) -> list[str]:
    """The `title=` of each call in a code cell, in order; what is computed in one shows as "…".

    Nothing for a cell that is no plain Python.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    given = sorted(
        (keyword.value for call in calls for keyword in call.keywords if keyword.arg == "title"),
        key=lambda node: (node.lineno, node.col_offset),
    )
    return [text for text in map(_text, given) if text]


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "…" for part in node.values)
    return ""
