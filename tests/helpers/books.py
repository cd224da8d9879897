"""Notebooks and books for the tests of the book, made from a few words."""

import base64
import io
import json
import os
import shutil
import subprocess
import sys

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from helpers.repository import ROOT
from lrcourse.book import preprocessor as book
from lrcourse.commands import book as book_command
from lrcourse.commands.terminal import CommandError

PLAYGROUND = "application/vnd.lrcourse.playground+json"


def png(width=4, height=3, colour=(200, 30, 30)):
    """A PNG as notebooks store it."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def code(source="1", *outputs, tags=(), count=1, **metadata):
    """An executed code cell."""
    if tags:
        metadata["tags"] = list(tags)
    outputs = [new_output(**output) for output in outputs]
    return new_code_cell(source, execution_count=count, outputs=outputs, metadata=metadata)


def shown(**forms):
    """An output that displays something; text_plain="x" stands for the form text/plain."""
    data = {key.replace("_", "/", 1): value for key, value in forms.items()}
    return {"output_type": "display_data", "data": data}


def printed(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


def notebook(*cells):
    """The JSON of a notebook; a text stands for a Markdown cell."""
    cells = [new_markdown_cell(each) if isinstance(each, str) else each for each in cells]
    language = {"language_info": {"name": "python"}}
    return nbformat.writes(new_notebook(cells=cells, metadata=language))


def chapter(path, content, *sub_items, **more):
    return {
        "Chapter": {
            "name": path,
            "content": content,
            "number": None,
            "sub_items": list(sub_items),
            "path": path,
            "source_path": path,
            "parent_names": [],
            **more,
        }
    }


def context(root, **settings):
    """What mdBook says about a book whose chapters lie in ``notebooks``."""
    config = {
        "book": {"src": "notebooks"},
        "build": {"extra-watch-dirs": ["results"]},
        "preprocessor": {"lrcourse": settings},
    }
    return {"root": str(root), "config": config, "renderer": "html", "mdbook_version": "0.5.4"}


def convert(root, *chapters, **settings):
    """The contents of converted chapters, by the paths that mdBook is then told."""
    made = {"items": json.loads(json.dumps(chapters))}
    book.preprocess(context(root, **settings), made)
    return {each["Chapter"]["path"]: each["Chapter"]["content"] for each in made["items"]}


def page(root, *cells, **settings):
    """The Markdown of one notebook, 01-one.ipynb, with these cells."""
    return convert(root, chapter("01-one.ipynb", notebook(*cells)), **settings)["01-one.md"]


def has_mdbook():
    try:
        return bool(book_command.find_mdbook())
    except CommandError:
        return False


def small_book(folder, **notebooks):
    """The folder of a book with the look of the course and these notebooks (name=cells)."""
    (folder / "notebooks").mkdir(parents=True)
    # Without the reference: the package is not there.
    settings = (ROOT / "book.toml").read_text("utf-8").replace('reference = "lrcourse"\n', "")
    (folder / "book.toml").write_text(settings, encoding="utf-8")
    shutil.copytree(ROOT / "theme", folder / "theme")
    for name, cells in notebooks.items():
        (folder / "notebooks" / f"{name}.ipynb").write_text(notebook(*cells), encoding="utf-8")
    listed = "\n".join(f"- [{name}]({name}.ipynb)" for name in notebooks)
    (folder / "notebooks" / "SUMMARY.md").write_text(f"# Summary\n\n{listed}\n")
    return folder


def make_book(out, notebooks=ROOT / "notebooks", **variables):
    """Call `lrcourse book` as a reader does; the finished process."""
    words = ["book", "--out", str(out), "--notebooks", str(notebooks)]
    return subprocess.run(
        [sys.executable, "-m", "lrcourse", *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
