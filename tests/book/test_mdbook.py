"""The command that mdBook calls, and what mdBook sends in both its versions."""

import json
import re
import subprocess
import sys

import pytest
from helpers.books import (
    chapter,
    code,
    context,
    notebook,
    page,
    png,
    printed,
    shown,
)

from lrcourse import book
from lrcourse.book.text import BookError

HOLDS = "HOLDS | A <b> sentence | 10 seeds, slope +0.98 [+0.96, +1.00], margin 0.9 to 1.1 (t)"


# The command that mdBook calls


def call(*arguments, given=b""):
    command = [sys.executable, "-m", "lrcourse.book", *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=False)


@pytest.mark.parametrize("renderer, expected", [("html", 0), ("epub", 1)])
def test_supports(renderer, expected):
    assert book.main(["supports", renderer]) == expected


def test_the_command_answers_with_the_book_alone(root):
    items = [chapter("01-one.ipynb", notebook("# Größe 学习率"))]
    given = json.dumps([context(root), {"items": items}]).encode()
    answer = call(given=given)
    assert (answer.returncode, answer.stderr) == (0, b"")
    made = json.loads(answer.stdout)["items"][0]["Chapter"]
    assert made["path"] == "01-one.md"
    assert made["source_path"] == "01-one.ipynb"
    assert "# Größe 学习率" in made["content"]


def test_the_command_fails_with_one_clear_line_and_no_book(root):
    items = [chapter("01-one.ipynb", notebook(r"$\bad$"))]
    answer = call(given=json.dumps([context(root), {"items": items}]).encode())
    assert answer.returncode == 1
    assert answer.stdout == b""
    assert answer.stderr.startswith(b"mdbook-lrcourse: 01-one.ipynb, cell 1 (id ")
    assert answer.stderr.count(b"\n") == 1


@pytest.mark.parametrize("given", [b"", b"{}", b"[1, 2]", b"[{}]", b"[" * 10**5])
def test_what_mdbook_did_not_send_is_refused(given):
    answer = call(given=given)
    assert answer.returncode == 2
    assert b"make book" in answer.stderr and b"Traceback" not in answer.stderr


def test_wrong_words_are_refused():
    assert call("build").returncode == 2


# What mdBook sends, in both its versions


@pytest.mark.parametrize("key", ["items", "sections"])
def test_parts_drafts_sub_chapters_and_unknown_keys(root, key):
    below = chapter("deep/02-two.ipynb", notebook("# Two\n\n[up](../01-one.ipynb#one)"))
    draft = chapter("draft", "", below)
    draft["Chapter"] |= {"path": None, "source_path": None}
    first = chapter("01-one.ipynb", notebook("# One"), draft, new_key=[1])
    before = {key: ["Separator", {"PartTitle": "Part"}, first], "__non_exhaustive": None}
    made = json.loads(json.dumps(before))
    book.preprocess(context(root), made)
    assert made[key][:2] == before[key][:2]
    assert made["__non_exhaustive"] is None
    one = made[key][2]["Chapter"]
    assert one["new_key"] == [1]
    assert one["path"] == "01-one.md"
    assert one["sub_items"][0]["Chapter"]["path"] is None
    two = one["sub_items"][0]["Chapter"]["sub_items"][0]["Chapter"]
    assert two["path"] == "deep/02-two.md"
    assert '<a href="../01-one.html#one">up</a>' in two["content"]
    for path in (("name",), ("parent_names",), ("number",), ("source_path",)):
        assert two[path[0]] == below["Chapter"][path[0]]


def test_a_book_of_another_shape_is_refused(root):
    with pytest.raises(BookError, match="neither items nor sections"):
        book.preprocess(context(root), {"chapters": []})


@pytest.mark.parametrize(
    "settings, told",
    [({"file_url": "x"}, "file_url"), ({"playground": 3}, "playground = 3"),
     ({"file-url": "https://example.org/"}, "without {path}")],
)  # fmt: skip
def test_settings_are_checked(root, settings, told):
    with pytest.raises(BookError, match=rf"^book\.toml: .*{re.escape(told)}"):
        page(root, "# One", **settings)


def test_the_same_book_twice_is_the_same_to_the_byte(root):
    cells = ["# One\n\n$x$", code("1", shown(image_png=png())), code("2", printed(HOLDS))]
    cells += [code("3", shown(text_html="<table class='b a' id='t'><tr><td>1</td></tr></table>"))]
    content = notebook(*cells)
    given = json.dumps([context(root), {"items": [chapter("01-one.ipynb", content)]}]).encode()
    assert call(given=given).stdout == call(given=given).stdout != b""
