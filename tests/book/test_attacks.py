"""What foreign notebooks try: scripts, other hosts, files of the machine, and endless work."""

import re
import time
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup
from helpers.books import chapter, code, convert, has_mdbook, make_book, notebook, small_book

from lrcourse.book.text import BookError

SECRET = "the secret of the machine"
EVIL = "https://evil.example/x.png"
DEEP = "<div>" * 5_000

# Texts of Markdown cells, and of outputs in Markdown.
TEXTS = [
    # mdBook's instructions
    "{{#include ../secret.txt}}",
    "{{ #include ../secret.txt }}",
    "{{#include\n../secret.txt}}",
    "\\{{#include ../secret.txt}}",
    "\\{{ #include ../secret.txt}}",
    "\\\\{{#include ../secret.txt}}",
    "{{{#include ../secret.txt}}}",
    "&#123;&#123;#include ../secret.txt}}",
    "&lbrace;{#include ../secret.txt}}",
    "{<b></b>{#include ../secret.txt}}",
    "{\\{#include ../secret.txt}}",
    "{{#include ../secret.txt:1:2}}",
    "{{#rustdoc_include ../secret.txt}}",
    "{{#playground ../secret.txt}}",
    "{{#title taken over}}",
    "`{{#include ../secret.txt}}`",
    "```\n{{#include ../secret.txt}}\n```",
    "# {{#include ../secret.txt}}",
    "[a](x.png '{{#include ../secret.txt}}')",
    '<b title="{{#include ../secret.txt}}">x</b>',
    "| a |\n|---|\n| {{#include ../secret.txt}} |",
    "${{#include ../secret.txt}}$",
    # scripts
    *(
        f"${macro}{{{xml}}}$"
        for macro in ("\\text", "\\mbox", "\\textbf", "\\fbox", "\\tag")
        for xml in (
            "<svg><script>alert(1)</script></svg>",
            "<script>alert&#40;1)</script>",
            "<svg><style>@import'https://evil.example/x.css';</style></svg>",
            "<form><input></input></form>",
            "<plaintext>x</plaintext>",
            "<mi onclick='alert(1)'>x</mi>",
            "<x:script xmlns:x='http://www.w3.org/1999/xhtml'>alert(1)</x:script>",
        )
    ),
    "<b style=\"background-color:image-set('https://evil.example/x.png' 1x)\">x</b>",
    "# $\\text{<svg><script>alert(1)</script></svg>}$",
    "$$\\text{<button>Sign</button>}$$",
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example/x.js></sCrIpT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x.png onerror=alert(1)>",
    "<b/onclick=alert(1)>x</b>",
    "<svg/onload=alert(1)>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><img src=x onerror=alert(1)></template>",
    "<details open ontoggle=alert(1)><summary>x</summary></details>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<!-- --!><img src=x onerror=alert(1)>",
    "<![CDATA[><img src=x onerror=alert(1)>]]>",
    "<?x ><img src=x onerror=alert(1)>?>",
    "<x-formula><img src=x onerror=alert(1)></x-formula>",
    "<x-formula>$&lt;script>alert(1)&lt;/script>$</x-formula>",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt&colon;alert(1))",
    "[a](<java\tscript:alert(1)>)",
    "[a](&#1;javascript:alert(1))",
    "[a][b]\n\n[b]: vbscript:x",
    "<javascript:alert(1)>",
    "<a href=' javascript:alert(1)'>x</a>",
    "<a href='java\nscript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "[a](data:text/html;base64,PHNjcmlwdD4=)",
    "![a](data:text/html,x)",
    "![a](data:image/svg+xml,<svg/onload=alert(1)>)",
    "<object data=javascript:alert(1)></object>",
    "<form action=javascript:alert(1)><button>x</button></form>",
    "<base href=https://evil.example/>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "$\\href{javascript:alert(1)}{x}$",
    "$\\style{background:url(//evil.example)}{x}$",
    "$\\class{playground}{x}$",
    "$\\text{<img src=x onerror=alert(1)>}$",
    "# Title {#x onclick=alert(1)}",
    "# Title {onclick=alert(1)}",
    "<h2 id='x onclick=alert(1)'>Title</h2>",
    "<h2 id='x}'>a</h2>![](https://evil.example/x.png)",
    "# a <b title='x\n\n<script>alert(1)</script>'>b</b>",
    "# \\<script>alert(1)\\</script>",
    "# &lt;script>alert(1)&lt;/script>",
    "> <h2 id=a>x</h2>\\!\\[a\\]\\(https://evil.example/x.png\\)",
    "a\r\r<script>alert(1)</script>",
    # other hosts
    f"![a]({EVIL})",
    f"![a][b]\n\n[b]: {EVIL}",
    "![a](//evil.example/x.png)",
    "![a](/\\evil.example/x.png)",
    "![a](\\\\\\\\evil.example/x.png)",
    "![a](https:evil.example/x.png)",
    f"<img src={EVIL}>",
    f"<img srcset='{EVIL} 2x' src=''>",
    f"<iframe src={EVIL}></iframe>",
    f"<video poster={EVIL}></video>",
    f"<table background={EVIL}><tr><td>x</table>",
    f"<div style='background:url({EVIL})'>x</div>",
    f"<div style='background-color:url({EVIL});width:expression(alert(1))'>x</div>",
    f"<div style='background-color:\\75rl({EVIL})'>x</div>",
    f"<style>@import '{EVIL}';</style>",
    f"<link rel=stylesheet href={EVIL}>",
    f"<a href=index.html ping={EVIL}>x</a>",
    f"<input type=image src={EVIL}>",
    f"<svg><image href={EVIL} /></svg>",
    f"<svg><use href={EVIL}#x /></svg>",
    "<div class=playground><code class='language-rust editable'>x</code></div>",
    "```rust,editable\nfn main() {}\n```",
    # files that the book does not own
    "![a](../secret.txt)",
    "![a](../secret.png)",
    "![a](%2e%2e/secret.png)",
    "![a](../.git/config)",
    "![a](../.hidden/x.png)",
    "![a](linked.png)",
    "![a](/etc/hostname)",
    "![a](file:///etc/hostname)",
    "![a](../../../../../etc/hostname)",
    "![a](attachment:../secret.png)",
    "<img src=../secret.png>",
    '[a](../secret.txt "table")',
    '[a](/etc/passwd "table")',
    "![a](a%00.png)",
    "![a](" + "a" * 5_000 + ".png)",
    # so deep that a parser would not come back
    DEEP,
    "> " * 500 + "x",
    "- " * 500 + "x",
]
# HTML that only outputs hold.
OUTPUTS = [
    "<table onclick=alert(1)><style>td{background:url(//evil.example)}</style><tr><td>x</table>",
    "<p>a</p>\r\r![a](https://evil.example/x.png)",
    "<p>\n\n[a](javascript:alert(1))</p>",
    "<h2 id=x>a</h2>\n\n<script >alert(1)</script >",
    "plain ![a](https://evil.example/x.png)",
    "<pre>a\n\n![a](https://evil.example/x.png)</pre>",
]
ACTIVE = {"script", "style", "iframe", "object", "embed", "form", "base", "meta", "link", "svg"}
FORMS = ("text/html", "text/markdown", "text/latex", "text/plain")


def cells():
    """One cell for each payload and each way in."""
    yield from TEXTS
    for text in TEXTS + OUTPUTS:
        for form in FORMS:
            plain = {"text/plain": text}
            yield code("1", {"output_type": "display_data", "data": {form: text} | plain})
        yield code(text, {"output_type": "stream", "name": "stdout", "text": text})
        error = {"ename": text, "evalue": text, "traceback": [text]}
        yield code("1", {"output_type": "error"} | error)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A book's folder with files around it that are nobody's business."""
    root = small_book(tmp_path_factory.mktemp("attacked") / "book", index=["# Index"])
    (root / "secret.txt").write_text(SECRET)
    for name in ("secret.png", ".git/config", ".hidden/x.png"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"\x89PNG\r\n\x1a\n" + SECRET.encode())
    for name in ("x.png", "a.png"):
        (root / "notebooks" / name).write_bytes(b"\x89PNG\r\n\x1a\n")
    return root


@pytest.fixture(scope="module")
def answers(folder):
    """What each cell comes to: its text for mdBook, or the error that refuses it."""
    (folder / "notebooks" / "linked.png").symlink_to(folder / "notebooks" / "x.png")
    found = []
    for cell in cells():
        try:
            given = chapter("index.ipynb", notebook("# Index", cell))
            found.append((cell, convert(folder, given)["index.md"], None))
        except BookError as error:
            found.append((cell, None, str(error)))
    return found


def test_what_is_refused_is_refused_with_page_and_cell(answers):
    refused = [told for _, _, told in answers if told is not None]
    assert len(refused) > 60
    assert [told for told in refused if not re.match(r"index\.ipynb, cell 2 \(id ", told)] == []
    assert [told for told in refused if "cannot be shown (" in told or len(told) > 1_000] == []


def test_no_instruction_for_mdbook_is_left(answers):
    assert [made for _, made, _ in answers if made is not None and "{{" in made] == []


@pytest.mark.skipif(not has_mdbook(), reason="mdbook is not installed")
def test_what_is_shown_is_harmless(answers, folder, tmp_path):
    kept = [cell for cell, made, _ in answers if made is not None]
    assert len(kept) > 300
    book = small_book(tmp_path / "source", one=["# One", *kept])
    (book / "secret.txt").write_text(SECRET)
    for name in ("x.png", "a.png"):
        (book / "notebooks" / name).write_bytes(b"\x89PNG\r\n\x1a\n")
    made = make_book(tmp_path, book / "notebooks")
    assert made.returncode == 0, made.stderr
    page = (tmp_path / "book" / "one.html").read_text("utf-8")
    assert page.count("evil.example") > 100  # as text
    assert list(harmful(page)) == []


def harmful(page):
    """Whatever on a page runs, asks another host, or shows what is not the book's."""
    soup = BeautifulSoup(page, "html.parser")
    main = soup.find("main")
    if SECRET in page or "taken over" in soup.title.get_text():
        yield "an instruction of mdBook was followed"
    for element in main.find_all(True):
        if element.name in ACTIVE:
            yield f"<{element.name}>"
        if "playground" in element.get("class", []) or "editable" in element.get("class", []):
            yield "a class that makes mdBook ask another host"
        for name, value in element.attrs.items():
            value = " ".join(value) if isinstance(value, list) else value
            scheme = urlsplit(re.sub(r"[\x00-\x20]", "", value)).scheme.lower()
            if name.startswith("on") or name in ("srcset", "ping", "poster", "background"):
                yield name
            if name == "style" and re.search(r"url|image|expression|\\", value):
                yield f"style {value}"
            if name == "href" and scheme not in ("", "http", "https", "mailto"):
                yield f"a link to {value}"
            if name == "src" and not re.match(r"data:image/(png|svg)|[\w%.-]+$", value):
                yield f"an image from {value}"


@pytest.mark.parametrize(
    "title",
    [
        "zebra &lt;img src=x.png onerror=alert(1)>",
        "zebra `<img src=x.png onerror=alert(1)>`",
        "zebra \\<*img* src=x.png onerror=alert(1)>",
        "zebra $<\\text{img src=x.png onerror=alert(1)}>$",
    ],
)
def test_no_title_is_a_tag_where_the_search_writes_it_as_html(folder, title):
    made = convert(folder, chapter("page.md", f"# {title}"))["page.md"]
    text = BeautifulSoup(made, "html.parser").get_text()
    assert "<\u2060" in text
    assert not re.search(r"<[a-zA-Z/!?]", text)


# Time

GROWING = [
    "Here $$ " + r"\alpha + ",
    "Rates in [0, 1), see [a](https://a.example) ",
    "[",
    "![",
    "[a](",
    "<!--",
    "<a ",
    "<",
    "&",
    "`",
    "*a ",
    "**a_ ",
    "$",
    "$a ",
    "\\begin{a}",
    "\"a 'b ",
    "<b>x",
    "~~a ",
    "a\\",
    "<a href='",
]
BLOCKS = ["\n\n{}", "\n- {}", "\n> {}", "\n# {}", "\n| {} |\n|---|\n", "\n    {}", "\n<p>{}"]


def seconds(root, text, times=3):
    """The processor time of a conversion, the shortest of a few."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        try:
            convert(root, chapter("page.md", text))
        except BookError as error:
            assert "page.md: " in str(error)
        taken.append(time.process_time() - start)
    return min(taken)


@pytest.mark.timed
@pytest.mark.parametrize("part", GROWING)
def test_a_text_of_twice_the_length_takes_twice_the_time(tmp_path, part):
    (tmp_path / "notebooks").mkdir()
    paragraph = part * (1_000 // len(part))
    taken = {count: seconds(tmp_path, f"{paragraph}\n\n" * count) for count in (1, 10, 20)}
    assert taken[20] < 3 * taken[10] + 0.2


@pytest.mark.timed
@pytest.mark.parametrize("block", BLOCKS)
def test_blocks_twice_as_many_take_twice_the_time(tmp_path, block):
    (tmp_path / "notebooks").mkdir()
    taken = {count: seconds(tmp_path, block.format("a $b$ c") * count) for count in (1, 200, 400)}
    assert taken[400] < 3 * taken[200] + 0.2


@pytest.mark.timed
@pytest.mark.parametrize("part", GROWING)
def test_the_longest_paragraph_ends(tmp_path, part):
    (tmp_path / "notebooks").mkdir()
    assert seconds(tmp_path, part * (19_000 // len(part)), times=1) < 10
