"""The reference in the book: whole, linked, and with nothing in it that is private."""

import doctest
import importlib
import re
import time

import pytest
from helpers.books import chapter, code, context, notebook
from helpers.repository import ROOT

from lrcourse.book.mentions import as_imported, link_mentions
from lrcourse.book.preprocessor import preprocess
from lrcourse.book.reference import INTERNAL, Reference
from lrcourse.book.text import BookError

LONGEST = 3  # seconds of processor time
ANCHOR = re.compile(r"^#+ `([^`\n]+)` \{#([^}\s]+)\}$", re.MULTILINE)
LINK = re.compile(r"\]\(([^()\s#]*)#([^()\s]+)\)")


@pytest.fixture(scope="module")
def reference():
    return Reference.read(ROOT / "lrcourse")


@pytest.fixture(scope="module")
def pages(reference):
    """The Markdown of every page, by its path in the book."""
    chapters = (item["Chapter"] for item in reference.items() if "Chapter" in item)
    return {chapter["path"]: chapter["content"] for chapter in chapters}


ROOMS = sorted(
    path.stem
    for path in (ROOT / "lrcourse").iterdir()
    if path.suffix == ".py" or (path / "__init__.py").is_file()
    if not path.stem.startswith("_") and path.stem not in INTERNAL
)


@pytest.mark.parametrize("room", ROOMS)
def test_every_exported_name_has_an_entry_with_an_id(room, pages):
    module = importlib.import_module(f"lrcourse.{room}")
    ids = [anchor for _, anchor in ANCHOR.findall(pages[f"reference/{room}.md"])]
    assert len(ids) == len(set(ids))
    names = getattr(module, "__all__", None)
    if names is None:
        names = [
            name
            for name, thing in vars(module).items()
            if not name.startswith("_") and getattr(thing, "__module__", "") == module.__name__
            if isinstance(thing, type) or callable(thing)
        ]
    assert {f"lrcourse.{room}.{name}" for name in names} <= set(ids)


def test_nothing_private_has_an_entry(pages):
    ids = [anchor for content in pages.values() for _, anchor in ANCHOR.findall(content)]
    assert len(ids) > 250
    special = re.compile(r"__\w+__")
    private = [each for each in ids for part in each.split(".") if part.startswith("_")
               if not special.fullmatch(part)]  # fmt: skip
    assert private == []
    assert not [each for each in ids if each.split(".")[1:2] and each.split(".")[1] in INTERNAL]


def test_every_link_within_the_reference_leads_to_an_entry(pages):
    seen = 0
    for path, content in pages.items():
        for page, anchor in LINK.findall(content):
            target = f"reference/{page}" if page else path
            assert f"{{#{anchor}}}" in pages[target], f"{path}: {page}#{anchor}"
            seen += 1
    assert seen > 500


def test_every_example_shown_is_one_that_doctest_finds_in_the_docstring(pages):
    parser, seen = doctest.DocTestParser(), 0
    for path, content in pages.items():
        for heading, section in re.findall(r"\{#(\S+)\}\n(.*?)(?=^##|\Z)", content, re.M | re.S):
            shown = [
                example.source
                for block in re.findall(r"^```python\n(>>>.*?)^```$", section, re.M | re.S)
                for example in parser.get_examples(block)
            ]
            if not shown:
                continue
            thing = importlib.import_module("lrcourse")
            for part in heading.split(".")[1:]:
                thing = getattr(thing, part) if hasattr(thing, part) else importlib.import_module(
                    f"{thing.__name__}.{part}")  # fmt: skip
            found = [
                re.sub(r"\s*# doctest:.*", "", example.source).strip()
                for example in parser.get_examples(thing.__doc__ or "")
            ]
            assert [source.strip() for source in shown] == found, f"{path}: {heading}"
            seen += len(shown)
    assert seen > 150


def test_blocks_of_code_are_closed_and_no_prompt_is_left_in_the_text(pages):
    for path, content in pages.items():
        assert content.count("```") % 2 == 0, path
        assert ">>>" not in re.sub(r"```.*?```", "", content, flags=re.S), path


def test_arguments_stand_with_their_types(pages):
    page = pages["reference/rangetest.md"]
    assert "- `start`, `end` (`float`): the first and the last rate" in page
    assert "    updates: int = 100,\n" in page
    assert "Here `LossFunction` is `Callable[..., torch.Tensor]`" in page


def test_attributes_told_together_keep_their_names_and_types(pages):
    page = pages["reference/sweeps.md"]
    assert "- `model`, `model_options` (`str`, `Mapping[str, Any]`): a name and options" in page
    assert not re.search(r"^- `[^`]*,`", "".join(pages.values()), re.MULTILINE)


@pytest.mark.timed
def test_it_is_read_and_written_quickly():
    start = time.process_time()
    Reference.read(ROOT / "lrcourse").items()
    assert time.process_time() - start < LONGEST


def test_a_folder_without_a_package_is_refused(tmp_path):
    with pytest.raises(BookError, match="reference of nothing"):
        Reference.read(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["schedules.cosine", "lrcourse.schedules.cosine",
                                  "lrcourse.schedules.decays.cosine"])  # fmt: skip
def test_a_name_with_its_package_is_found_on_every_page(reference, name):
    entry = ("reference/schedules.md", "lrcourse.schedules.cosine")
    assert as_imported(reference.find, "# A page of Markdown")(name) == entry


def test_methods_and_packages_are_found(reference):
    assert reference.find("schedules.Schedule.then") == (
        "reference/schedules.md", "lrcourse.schedules.Schedule.then")  # fmt: skip
    assert reference.find("lrcourse.sweeps") == ("reference/sweeps.md", "lrcourse.sweeps")


@pytest.mark.parametrize("name", ["cosine", "torch.optim", "sweeps", "schedules._Timed", "", "."])
def test_other_names_are_not_found(reference, name):
    assert as_imported(reference.find, "")(name) is None


def names_of(reference, *cells):
    return as_imported(reference.find, notebook(*(code(cell) for cell in cells)))


def test_a_name_alone_is_found_where_the_page_imports_it(reference):
    names = names_of(
        reference, "from lrcourse.schedules import cosine\nfrom lrcourse import sweeps"
    )
    assert names("cosine") == ("reference/schedules.md", "lrcourse.schedules.cosine")
    assert names("sweeps") == ("reference/sweeps.md", "lrcourse.sweeps")
    assert names("linear") is None


def test_a_name_is_found_under_the_name_that_the_page_gives_it(reference):
    names = names_of(reference, "%matplotlib inline", "from lrcourse import schedules as s")
    assert names("s.cosine") == ("reference/schedules.md", "lrcourse.schedules.cosine")


@pytest.mark.parametrize(
    "other",
    ["cosine = 3", "def cosine(): pass", "for cosine in []: pass", "def f(cosine): pass",
     "from math import cos as cosine"],
)  # fmt: skip
def test_a_name_that_means_something_else_on_the_page_is_not_found(reference, other):
    names = names_of(reference, "from lrcourse.schedules import cosine", other)
    assert names("cosine") is None


def test_the_room_of_another_package_is_not_taken_for_this_one(reference):
    assert names_of(reference, "from other import schedules")("schedules.cosine") is None


ENTRY = "reference/schedules"


def linked(reference, text, page="one.md"):
    return link_mentions(text, reference.find, page)


def test_the_first_mention_of_a_name_becomes_a_link(reference):
    text = linked(
        reference, "<p><code>schedules.cosine(25)</code>, <code>schedules.cosine</code></p>"
    )
    link = f'<a href="{ENTRY}.html#lrcourse.schedules.cosine">'
    assert (
        text == f"<p>{link}<code>schedules.cosine(25)</code></a>, <code>schedules.cosine</code></p>"
    )


def test_a_mention_becomes_a_link_from_where_the_page_lies(reference):
    text = linked(reference, "<p>Take <code>schedules.step</code>.</p>", "part/one.md")
    link = f'<a href="../{ENTRY}.html#lrcourse.schedules.step">'
    assert text == f"<p>Take {link}<code>schedules.step</code></a>.</p>"


@pytest.mark.parametrize("text", [
    "<pre><code>schedules.cosine</code></pre>",
    '<a href="x"><code>schedules.cosine</code></a>',
    "<h2><code>schedules.cosine</code></h2>",
    "## <code>schedules.cosine</code> {#own}",
    "<p>`schedules.cosine`</p>",
    "<!-- <code>schedules.cosine</code> -->",
    "<code>torch.optim</code>, <code>schedules.unknown</code> and <code>25</code>",
])  # fmt: skip
def test_code_headings_links_and_other_names_stay(reference, text):
    assert linked(reference, text) == text


def test_a_book_gets_its_links_and_the_reference_behind_its_chapters():
    cell = code("from lrcourse.schedules import cosine")
    book = {"items": [chapter("one.ipynb", notebook(cell, "`cosine` and `linear`"))]}
    preprocess(context(ROOT, reference="lrcourse"), book)
    link = f'<a href="{ENTRY}.html#lrcourse.schedules.cosine"><code>cosine</code></a>'
    assert f"<p>{link} and <code>linear</code></p>" in book["items"][0]["Chapter"]["content"]
    assert book["items"][1] == {"PartTitle": "Reference"}
    assert [item["Chapter"]["path"] for item in book["items"][2:4]] == [
        "reference/index.md", "reference/claims.md"]  # fmt: skip


@pytest.mark.parametrize("given", [{}, {"config": {}}, {"config": {"preprocessor": {}}}])
def test_a_book_without_a_reference_stays_as_it_is(given):
    book = {"items": []}
    preprocess(given, book)
    assert book == {"items": []}
