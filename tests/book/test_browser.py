"""The book in a browser: on a desk, on a phone, on paper, in the dark, and without scripts."""

import contextlib
import functools
import http.server
import os
import re
import shutil
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from helpers.books import PLAYGROUND, code, has_mdbook, make_book, png, small_book
from helpers.repository import ROOT

from lrcourse.commands.doctor import BOOK_TOOLS

pytestmark = pytest.mark.slow

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, BOOK_TOOLS["chromium"])), None)
if CHROMIUM is None:
    pytest.skip("chromium is not installed", allow_module_level=True)
if not has_mdbook():
    pytest.skip("mdbook is not installed", allow_module_level=True)

AXE = Path(os.environ.get("LRCOURSE_AXE", ROOT / "build/axe/node_modules/axe-core/axe.min.js"))
LISTED = re.findall(r"\]\(([^()]+)\)", (ROOT / "notebooks" / "SUMMARY.md").read_text("utf-8"))
PAGES = [Path(name).with_suffix(".html").as_posix() for name in LISTED]
PAGES += ["reference/index.html", "reference/schedules.html", "reference/rangetest.html"]
PHONE, DESK, PAPER = (375, 800), (1280, 900), (718, 1000)

# What sticks out of the page to the right, but for what lies in a box that scrolls.
STICKS_OUT = """
() => {
  const width = document.documentElement.clientWidth, found = [];
  const scrolls = (element) => {
    // Boxes around the whole text do not count: in them the page itself would scroll.
    for (; element && element.tagName !== "MAIN"; element = element.parentElement) {
      if (["auto", "scroll", "hidden"].includes(getComputedStyle(element).overflowX)) return true;
    }
    return false;
  };
  for (const element of document.querySelectorAll("main, main *")) {
    const box = element.getBoundingClientRect();
    if (box.width && box.right > width + 1 && !scrolls(element.parentElement)) {
      found.push(element.outerHTML.slice(0, 200));
    }
  }
  return found;
}
"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("book")
    assert make_book(out).returncode == 0
    return out / "book"


@pytest.fixture(scope="module")
def address(built):
    """The address of a server of the book on this machine."""
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(_Quiet, directory=str(built))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@contextlib.contextmanager
def visiting(browser, address):
    """Opens a page of the book; afterwards nothing may have gone wrong on any page."""
    contexts, wrong = [], []

    def note(request):
        if not request.url.startswith((address, "data:", "blob:", "file:")):
            wrong.append(f"asked for {request.url}")

    def opened(name, size=DESK, *, base=address, **options):
        context = browser.new_context(viewport=dict(zip(("width", "height"), size, strict=True)),
                                      **options)  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("request", note)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("requestfailed", lambda request: wrong.append(f"failed: {request.url}"))
        page.on(
            "console",
            lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None,
        )
        page.goto(f"{base}/{name}", wait_until="load")
        page.wrong = wrong
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture
def visit(browser, address):
    with visiting(browser, address) as opened:
        yield opened


@pytest.fixture(scope="module", params=PAGES)
def desk(request, browser, address):
    """A page on a desk by day, loaded once for all tests that only look at it."""
    with visiting(browser, address) as opened:
        yield opened(request.param, DESK, color_scheme="light")


@pytest.fixture(scope="module", params=PAGES)
def phone(request, browser, address):
    """A page on a phone in the dark, loaded once for all tests that only look at it."""
    with visiting(browser, address) as opened:
        yield opened(request.param, PHONE, color_scheme="dark")


def test_a_page_shows_its_pictures_and_formulas(desk):
    assert desk.evaluate("[...document.images].every((i) => i.complete && i.naturalWidth > 0)")
    sizes = desk.evaluate(
        "[...document.querySelectorAll('main figure img, main math')].filter((each) => "
        "each.checkVisibility()).map((each) => each.getBoundingClientRect().height)"
    )
    assert all(height > 5 for height in sizes)
    assert desk.locator("main merror").count() == 0


def test_formulas_are_set_and_not_run_together(visit):
    page = visit("05-optimizers.html")
    assert page.locator("main math").count() > 20
    top, bottom = (
        page.locator("main math[display=block] mfrac > *").nth(i).bounding_box() for i in (0, 1)
    )
    assert top["y"] + top["height"] <= bottom["y"] + 2


def nothing_sticks_out(page, size):
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.evaluate(STICKS_OUT) == []


def test_nothing_sticks_out_of_a_page_on_a_desk(desk):
    nothing_sticks_out(desk, DESK)


def test_nothing_sticks_out_of_a_page_on_a_phone(phone):
    nothing_sticks_out(phone, PHONE)


@pytest.mark.parametrize("name", PAGES)
def test_on_paper_the_text_stands_alone_in_black_and_whole(visit, name):
    page = visit(name, PAPER, color_scheme="dark")
    assert page.evaluate("document.documentElement.classList.contains('navy')")
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= PAPER[0]
    assert page.evaluate(STICKS_OUT) == []
    assert not page.locator("nav.sidebar").is_visible()
    assert not page.locator("[id$=menu-bar]").first.is_visible()
    colours = (
        "[...new Set([...document.querySelectorAll('main p:not(.lrcourse-evidence), main code, "
        "main code span')].map((each) => getComputedStyle(each).color))]"
    )
    assert page.evaluate(colours) == ["rgb(0, 0, 0)"]
    # A box that scrolls would cut its end off.
    assert page.evaluate(
        "[...document.querySelectorAll('main pre, main pre > code')]"
        ".every((each) => each.scrollWidth <= each.clientWidth + 1)"
    )
    assert page.pdf().startswith(b"%PDF")


def axe_finds_nothing_serious(page):
    if not AXE.is_file():
        pytest.skip(f"axe-core is not installed: npm install --prefix {ROOT}/build/axe axe-core@4")
    page.add_script_tag(path=AXE)
    found = page.evaluate(
        "axe.run(document, {resultTypes: ['violations'], elementRef: false}).then((r) => "
        "r.violations.map((v) => [v.impact, v.id, v.nodes.slice(0, 3).map((n) => n.html)]))"
    )
    assert [each for each in found if each[0] in ("serious", "critical")] == []


def test_axe_finds_nothing_serious_by_day(desk):
    axe_finds_nothing_serious(desk)


def test_axe_finds_nothing_serious_on_a_phone_in_the_dark(phone):
    assert phone.evaluate("document.documentElement.classList.contains('navy')")
    axe_finds_nothing_serious(phone)


def test_the_two_themes_differ_and_figures_lie_on_light_in_both(visit):
    said = []
    for scheme in ("light", "dark"):
        page = visit("01-size.html", color_scheme=scheme)
        said.append(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
        card = page.evaluate("getComputedStyle(document.querySelector('main figure img'))"
                             ".backgroundColor")  # fmt: skip
        assert all(int(part) > 235 for part in re.findall(r"\d+", card)[:3])
    light, dark = ([int(part) for part in re.findall(r"\d+", each)[:3]] for each in said)
    assert min(light) > 240 and max(dark) < 40


def test_the_reader_can_choose_between_two_themes(visit):
    page = visit("index.html")
    page.locator("[id$=theme-toggle]").click()
    offered = page.locator("[id$=theme-list] button:visible").all_inner_texts()
    assert [each.strip() for each in offered] == ["Auto", "Light", "Navy"]


def test_search_finds_a_word_and_leads_to_it(visit):
    page = visit("index.html")
    page.keyboard.press("s")
    page.locator("input[type=search]").press_sequentially("warmup")
    found = page.locator("[id$=searchresults] li a")
    found.first.wait_for()
    assert found.count() > 2
    found.first.click()
    page.wait_for_load_state("load")
    assert urlsplit(page.url).path != "/index.html"
    assert page.locator("mark", has_text=re.compile("warmup", re.IGNORECASE)).count() > 0


def test_a_link_into_a_section_shows_its_heading(visit):
    page = visit("evidence/index.html#what-we-do-not-claim")
    page.wait_for_timeout(200)
    top = page.locator("[id=what-we-do-not-claim]").bounding_box()["y"]
    assert page.locator("[id$=menu-bar]").first.bounding_box()["height"] <= top + 5 < 300


def test_wide_boxes_can_be_scrolled_by_the_keyboard(visit):
    page = visit("02-schedulers.html", PHONE)
    tables = page.locator(".table-wrapper[tabindex='0']")
    assert tables.count() > 0
    tables.first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.activeElement.scrollLeft > 0")
    assert page.url.endswith("02-schedulers.html")


def test_the_table_of_contents_opens_by_the_keyboard(visit):
    page = visit("index.html", PHONE)
    chapters = page.locator("nav.sidebar a", has_text="Size")
    assert not chapters.first.is_visible()
    page.locator("label[for$=sidebar-toggle-anchor]").press("Enter")
    chapters.first.wait_for()
    chapters.first.click()
    page.wait_for_url("**/01-size.html")


def test_chinese_says_its_language(visit):
    page = visit("01-size.html")
    summary = page.locator("[lang=zh-Hans]", has_text="小结")
    assert summary.count() == 1 and summary.is_visible()


@pytest.mark.parametrize("name", PAGES)
def test_without_scripts_text_and_figures_are_readable(visit, name):
    page = visit(name, java_script_enabled=False, color_scheme="dark")
    assert page.locator("main h1").first.is_visible()
    assert page.locator("main p").first.is_visible()
    for picture in page.locator("main figure img").all()[:3]:
        assert picture.is_visible() and picture.bounding_box()["height"] > 50


FAKE = """
export default {
  render({ model, el }) {
    if (model.get("broken")) throw new Error("broken on purpose");
    const button = document.createElement("button");
    const show = () => { button.textContent = `rate ${model.get("rate")}`; };
    model.on("change:rate", show);
    button.onclick = () => {
      model.set("rate", model.get("rate") * 2); model.save_changes();
      if (model.get("rate") > 0.3) model.off("change:rate", show);
    };
    el.append(button);
    show();
  },
};
"""


@pytest.fixture(scope="module")
def playgrounds(tmp_path_factory):
    """The built book of one page with two interactive figures of a module for tests."""
    folder = tmp_path_factory.mktemp("playground")

    def place(**state):
        data = {PLAYGROUND: state, "image/png": png(300, 200)}
        return code('play(title="A still")', {"output_type": "display_data", "data": data})

    small_book(folder / "book", one=["# One", place(rate=0.1), place(rate=7)],
               broken=["# Broken", place(rate=1, broken=True)])  # fmt: skip
    (folder / "book" / "fake.js").write_text(FAKE)
    config = folder / "book" / "book.toml"
    text = config.read_text().replace(
        'before = ["links"]', 'before = ["links"]\nplayground = "fake.js"'
    )
    config.write_text(text)
    process = make_book(folder / "out", folder / "book" / "notebooks")
    assert process.returncode == 0, process.stderr
    return folder / "out" / "book"


def test_an_interactive_figure_runs_from_a_file(visit, playgrounds):
    page = visit("one.html", base=playgrounds.as_uri())
    buttons = page.locator(".lrcourse-playground button")
    buttons.nth(1).wait_for()
    assert buttons.all_inner_texts() == ["rate 0.1", "rate 7"]
    assert page.locator(".lrcourse-playground img").count() == 0
    for expected in ("rate 0.2", "rate 0.4", "rate 0.4"):
        buttons.first.click()
        assert buttons.all_inner_texts() == [expected, "rate 7"]
    for key in ("ArrowRight", "s"):  # mdBook would turn the page, or open its search
        buttons.first.press(key)
    page.wait_for_timeout(300)
    assert page.url.endswith("one.html")
    assert not page.locator("input[type=search]").is_visible()


def test_the_still_figure_stays_where_the_module_fails(visit, playgrounds):
    page = visit("broken.html", base=playgrounds.as_uri())
    page.wait_for_timeout(500)
    assert page.locator(".lrcourse-playground img[alt='A still']").is_visible()
    assert [each for each in page.wrong if "broken on purpose" not in each] == []
    assert page.wrong
    page.wrong.clear()


def test_the_still_figure_stays_without_scripts(visit, playgrounds):
    page = visit("one.html", base=playgrounds.as_uri(), java_script_enabled=False)
    stills = page.locator(".lrcourse-playground img")
    assert stills.count() == 2 and stills.first.is_visible()
    assert stills.first.bounding_box()["width"] == 300
