"""The book as mdBook really makes it: whole, light, and without a link that leads nowhere."""

import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup
from helpers.books import code, has_mdbook, make_book, printed, small_book
from helpers.repository import ROOT

pytestmark = pytest.mark.skipif(not has_mdbook(), reason="mdbook is not installed")

LISTED = re.findall(r"\]\(([^()]+)\)", (ROOT / "notebooks" / "SUMMARY.md").read_text("utf-8"))
PAGES = [str(Path(name).with_suffix(".html")) for name in LISTED]
LONGEST = 20  # seconds
HEAVIEST = 1_500_000  # bytes


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the course's book, what was told, and the seconds that it took."""
    out = tmp_path_factory.mktemp("with spaces")
    start = time.monotonic()
    process = make_book(out)
    assert process.returncode == 0, process.stderr
    return out / "book", process.stdout, time.monotonic() - start


@pytest.fixture(scope="module")
def pages(built):
    """Every page of the book, parsed, by its path."""
    folder = built[0]
    return {
        str(path.relative_to(folder)): BeautifulSoup(path.read_text("utf-8"), "html.parser")
        for path in folder.rglob("*.html")
    }


def test_the_book_is_made_in_time_and_says_where(built):
    folder, told, seconds = built
    assert str(folder / "index.html") in told
    assert seconds < LONGEST
    assert [each.name for each in folder.parent.iterdir()] == ["book"]


def test_every_chapter_is_a_page_and_none_is_heavy(built):
    assert len(PAGES) >= 6
    sizes = {name: (built[0] / name).stat().st_size for name in PAGES}
    assert {name: size for name, size in sizes.items() if size > HEAVIEST} == {}


def test_every_notebook_can_be_downloaded(built, pages):
    for name in (name for name in LISTED if name.endswith(".ipynb")):
        place = Path(name).with_suffix(".html")
        link = pages[str(place)].select_one("main a[download]")
        file = built[0] / place.parent / link["href"]
        assert file.read_bytes() == (ROOT / "notebooks" / name).read_bytes()


def test_every_link_leads_to_a_file_and_a_section_that_are_there(built, pages):
    folder, lost, seen = built[0], [], 0
    for name, page in pages.items():
        for element in page.select("[href], [src]"):
            target = urlsplit(element.get("href") or element.get("src"))
            if target.scheme or target.netloc or element.name == "base":
                continue
            # The page for what is not found has addresses from the root of the site.
            base = folder if name == "404.html" else (folder / name).parent
            path = (base / unquote(target.path)).resolve() if target.path else folder / name
            path = path / "index.html" if path.is_dir() else path
            seen += 1
            there = path.is_file()
            if there and target.fragment:
                other = pages[str(path.relative_to(folder.resolve()))] if target.path else page
                there = other.find(id=unquote(target.fragment)) is not None
            if not there:
                lost.append(f"{name}: {target.geturl()}")
    assert lost == []
    assert seen > 100


def test_the_reference_is_part_of_the_book_and_chapters_lead_to_it(pages):
    assert pages["reference/rangetest.html"].find(id="lrcourse.rangetest.range_test") is not None
    links = [link["href"] for link in pages["own-model.html"].select("main a[href^=reference]")]
    assert "reference/rangetest.html#lrcourse.rangetest.range_test" in links
    assert len(links) == len(set(links)) >= 5


def test_nothing_comes_from_another_host(pages):
    for name, page in pages.items():
        for element in page.select("[src], link[href]"):
            target = urlsplit(element.get("src") or element["href"])
            assert target.scheme in ("", "data") and not target.netloc, name


def test_no_id_stands_twice_and_every_picture_has_words(pages):
    for name, page in pages.items():
        ids = [element["id"] for element in page.select("main [id]")]
        assert len(ids) == len(set(ids)), name
        assert all(image.get("alt") for image in page.select("main img")), name


def test_no_formula_is_left_as_tex(pages):
    for name, page in pages.items():
        main = page.find("main") or page
        for element in main.select("code, pre"):
            element.decompose()
        assert not re.search(r"\$[^$\s]|\\[a-z]{2,}", main.get_text()), name
    assert len(pages["05-optimizers.html"].select("main math")) >= 20


def test_pictures_outputs_and_verdicts_are_all_there(pages):
    import nbformat

    for name in (name for name in LISTED if name.endswith(".ipynb")):
        outputs = [
            output
            for cell in nbformat.read(ROOT / "notebooks" / name, as_version=4).cells
            for output in cell.get("outputs", [])
        ]
        page = pages[str(Path(name).with_suffix(".html"))]
        pictures = sum("image/png" in output.get("data", {}) for output in outputs)
        said = "".join(output.get("text", "") for output in outputs)
        verdicts = re.findall(
            r"^(?:HOLDS|FAILS|UNDECIDED|NOT THAT LARGE).* \| ", said, re.MULTILINE
        )
        assert len(page.select("main figure img")) == pictures
        assert len(page.select(".lrcourse-verdict")) == len(verdicts)


@pytest.mark.slow
def test_two_builds_are_the_same_to_the_byte(built, tmp_path):
    assert make_book(tmp_path).returncode == 0
    files = {path.relative_to(built[0]) for path in built[0].rglob("*") if path.is_file()}
    assert files == {each.relative_to(tmp_path / "book")
                     for each in (tmp_path / "book").rglob("*") if each.is_file()}  # fmt: skip
    differ = [
        f for f in files if (built[0] / f).read_bytes() != (tmp_path / "book" / f).read_bytes()
    ]
    assert differ == []


@pytest.mark.slow
def test_a_failure_says_where_and_leaves_the_older_book_alone(tmp_path):
    folder = small_book(tmp_path / "my book", one=["# One", code("1", printed("x"))])
    out = tmp_path / "out"
    assert make_book(out, folder / "notebooks").returncode == 0
    before = (out / "book" / "one.html").read_bytes()
    bad = folder / "notebooks" / "one.ipynb"
    bad.write_text(bad.read_text().replace("# One", r"# $\\nope$"))
    process = make_book(out, folder / "notebooks")
    assert process.returncode == 1
    assert re.search(r"one\.ipynb, cell 1 \(id \w+\): \\nope in the formula", process.stderr)
    assert "was not made" in process.stderr and "Traceback" not in process.stderr
    assert (out / "book" / "one.html").read_bytes() == before
    assert [each.name for each in out.iterdir()] == ["book"]
    shutil.rmtree(out / "book")
    assert make_book(out, folder / "notebooks").returncode == 1
    assert list(out.iterdir()) == []


@pytest.mark.slow
def test_what_is_hidden_beside_the_notebooks_is_not_published(tmp_path):
    folder = small_book(tmp_path / "book", one=["# One"])
    left = folder / "notebooks" / ".ipynb_checkpoints" / "one-checkpoint.ipynb"
    left.parent.mkdir()
    left.write_text("{}")
    hidden = folder / "notebooks" / ".env"
    hidden.write_text("a secret")
    assert make_book(tmp_path / "out", folder / "notebooks").returncode == 0
    assert list((tmp_path / "out").rglob("*checkpoint*")) == []
    assert [each.name for each in (tmp_path / "out").rglob(".*")] == [".nojekyll"]
    assert left.exists() and hidden.exists()


def test_a_folder_without_book_toml_is_refused(tmp_path):
    (tmp_path / "notebooks").mkdir()
    process = make_book(tmp_path / "out", tmp_path / "notebooks")
    assert process.returncode == 2
    assert "no book.toml" in process.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no shell scripts")
def test_mdbook_itself_finds_the_preprocessor_by_its_name(tmp_path):
    folder = small_book(tmp_path / "book", one=["# One", "$x$"])
    shim = tmp_path / "bin" / "mdbook-lrcourse"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lrcourse.book "$@"\n')
    shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
    path = os.pathsep.join([str(shim.parent), os.environ["PATH"]])
    env = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
    subprocess.run(["mdbook", "build", str(folder)], env=env, check=True, capture_output=True)
    assert "<math" in (folder / "build" / "book" / "one.html").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows ends processes in another way")
def test_serve_follows_changes_and_ends_with_its_process(tmp_path):
    folder = small_book(tmp_path / "book", one=["# One", "before"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["book", "--serve", "--port", str(port), "--notebooks", str(folder / "notebooks")]
    command = [sys.executable, "-m", "lrcourse", *words, "--out", str(tmp_path / "out")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(port, "before")
            path = folder / "notebooks" / "one.ipynb"
            path.write_text(path.read_text().replace("before", "after"))
            wait_for(port, "after")
        finally:
            process.terminate()
        process.wait(10)
    with socket.socket() as again:
        assert again.connect_ex(("127.0.0.1", port)) != 0


def wait_for(port, word, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/one.html", timeout=5) as answer:
                if word in answer.read().decode():
                    return
        except OSError:
            pass
        time.sleep(0.3)
    raise TimeoutError(word)
