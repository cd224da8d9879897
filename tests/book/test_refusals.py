"""What the book refuses, and that each refusal names the page and the cell."""

import pytest
from helpers.books import (
    chapter,
    code,
    convert,
    notebook,
    page,
    png,
    printed,
    shown,
)
from nbformat.v4 import new_markdown_cell

from lrcourse.book.text import BookError

# Refusals: each names the file and the cell


@pytest.mark.parametrize(
    "cells, told",
    [
        (["# T", code("x = 1", count=None)], r"cell 2 \(id [\w-]+\) has not been executed: python"),
        (["# T", r"$\bad{x}$"], r"cell 2 .*\\bad in the formula \$\\bad\{x\}\$ is unknown"),
        (["$x"] * 2 + [r"$$\frac{1}{2$$"], r"cell 3 .*braces of the formula"),
        (["# T", "$x^2^3$"], r"cell 2 .*\$x\^2\^3\$ cannot be read"),
        (["$a & b$"], r"cell 1 .*stray &"),
        (["![a](gone.png)"], r"cell 1 .*gone\.png is not there"),
        (["![a](attachment:gone.png)"], r"cell 1 .*gone\.png is not attached"),
        (["![a](https://example.org/a.png)"], r"cell 1 .*lies on another host"),
        (["<img src='gone.png'>"], r"cell 1 .*gone\.png is not there"),
        (["[a](gone.ipynb)"], r"cell 1 .*gone\.ipynb is not there"),
        (["[a](../../etc)"], r"cell 1 .*leads out of the repository"),
        (["# Two words\n\n[a](#three)"], r"cell 1 .*no section #three; its sections: two-words"),
        (["[a](unlisted.md)"], r"cell 1 .*unlisted\.md is not listed in SUMMARY\.md"),
        ([code("1", shown(image_png="!"))], r"cell 1 .*data are no such image"),
        ([code("1", shown(image_png="aGVsbG8="))], r"cell 1 .*data are no such image"),
        ([code("1", {"output_type": "display_data", "data": {"a/b": "c"}})], "cell 1 .*no text"),
        ([code("1", shown(text_html="<img src='http://a.b/c'>"))], "cell 1 .*lies on another host"),
        (['[A](../gone.csv "table")'], r"cell 1 .*gone\.csv is not there"),
        (["a \ud800"], r"cell 1 .*cannot be shown \(UnicodeEncodeError"),
        ([code("'\ud800'")], r"cell 1 .*cannot be shown \(UnicodeEncodeError"),
        ([code("1", printed("\ud800"))], r"cell 1 .*cannot be shown \(UnicodeEncodeError"),
        (["# T", code("1", printed("x" * 3_000_000))], r"cell 2 .*the page would have 3\.0 MB"),
        (["x" * 30_000], r"cell 1 .*a paragraph of 30,000 signs"),
        (["> " * 40 + "x"], r"cell 1 .*lists or quotations inside one another"),
        (["<div>" * 300], r"cell 1 .*elements in one another"),
        (["$" + "x" * 6_000 + "$"], r"cell 1 .*a formula of 6,000 signs"),
        (["Write <name> here"], r"cell 1 .*<name> is not shown"),
        (["[a](javascript:alert(1))"], r"cell 1 .*follows https, http and mailto"),
        (["![a](../secret.png)"], r"cell 1 .*is no file of the book"),
        (["![a](data.csv)"], r"cell 1 .*no image"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_names_file_and_cell(root, cells, told):
    (root / "notebooks" / "unlisted.md").write_text("# Not listed")
    (root / "notebooks" / "data.csv").write_text("a")
    (root / "secret.png").write_text("x")
    with pytest.raises(BookError, match=rf"^01-one\.ipynb, {told}"):
        page(root, *cells)


def test_what_a_foreign_notebook_gets_wrong_about_images_is_left_out(root):
    size = {"image/png": {"width": "50%", "height": -1}}
    cell = code("1", shown(image_png=png(40, 30)) | {"metadata": size})
    empty = new_markdown_cell("# T")
    empty["attachments"] = {"a.png": {}}
    assert ' width="40" height="30"' in page(root, empty, cell)


def test_a_link_out_of_the_folder_of_the_chapters_is_refused(root):
    (root / "secret.txt").write_text("x")
    (root / "notebooks" / "x.txt").symlink_to(root / "secret.txt")
    with pytest.raises(BookError, match=r"notebooks/x\.txt is a symbolic link out of the folder"):
        page(root, "# T")


@pytest.mark.parametrize("content", ["{not json", "[]", "{}", '{"cells": 3, "nbformat": 4}', ""])
def test_what_is_no_notebook_is_named(root, content):
    with pytest.raises(BookError, match=r"^02-bad\.ipynb is not a notebook: ."):
        convert(root, chapter("02-bad.ipynb", content))


def test_every_chapter_that_fails_is_named(root):
    bad = [chapter(f"{i}.ipynb", notebook(rf"$\bad{i}$")) for i in "ab"]
    with pytest.raises(BookError) as told:
        convert(root, *bad, chapter("c.md", r"$\worse$"))
    lines = str(told.value).splitlines()
    assert [line.split(",")[0].split(":")[0] for line in lines] == ["a.ipynb", "b.ipynb", "c.md"]
