"""The written part of the book: math, links, headings, tables, languages."""

import re
from html import unescape

import pytest
from bs4 import BeautifulSoup
from helpers.books import chapter, code, convert, notebook, page, png, shown
from nbformat.v4 import new_markdown_cell

from lrcourse.book.formulas import to_mathml
from lrcourse.book.text import BookError, normalise


def text(root, source):
    """A page of Markdown, converted."""
    return convert(root, chapter("page.md", source))["page.md"]


# Math


def test_math_is_mathml_without_a_mark_that_markdown_reads():
    made = to_mathml(r"a_1 * b^* [c] |d| \text{e_f}' \# ~ \\ g")
    inside = re.sub("<[^>]*>", "", made)
    assert not set("*_[]|'#~`\\$") & set(re.sub("&#[0-9]+;", "", inside))
    assert inside.count("&#42;") == 2  # a * and b^*
    assert "&#95;" in inside and "&#124;" in inside
    assert "\n" not in made


def test_inline_and_displayed_math(root):
    made = text(root, "An *edge* $2/\\lambda_\\text{max}$ here.\n\n$$\nx = 1,\n\\quad y\n$$\n")
    assert '<p>An <em>edge</em> <math display="inline">' in made
    assert "<msub><mi>λ</mi><mtext>max</mtext></msub></mrow></math> here.</p>" in made
    assert '<p><span class="lrcourse-math"><math display="block">' in made
    assert "$" not in made


@pytest.mark.parametrize(
    "source, expected",
    [
        ("costs \\$5 and \\$6", "<p>costs $5 and $6</p>"),
        ("costs $5 and $6", "<p>costs $5 and $6</p>"),
        ("costs $5-$6 or $7/$8", "<p>costs $5-$6 or $7/$8</p>"),
        ("`$x$` and ``a ` $y$``", "<p><code>$x$</code> and <code>a ` $y$</code></p>"),
        ("```\n$x$\n```", "<pre><code>$x$&#10;</code></pre>"),
        (
            "~~~text\n$x$\n```\n$y$\n~~~\n",
            '<pre><code class="language-text">$x$&#10;```&#10;$y$&#10;</code></pre>',
        ),
        ("- ```\n  $x$\n  ```", "<pre><code>$x$&#10;</code></pre>"),
        ("> ```\n> $x$\n> ```", "<pre><code>$x$&#10;</code></pre>"),
        ("<!-- $x$ -->", ""),
        ("<pre>$x$</pre>", "<pre>$x$</pre>"),
        ("a $ b\n\nc $ d", "<p>a $ b</p>&#10;<p>c $ d</p>"),
        ("```\nunclosed $x$", "<pre><code>unclosed $x$</code></pre>"),
    ],
)
def test_what_is_no_math_stays(root, source, expected):
    made = text(root, source)
    assert expected in made and "<math" not in made
    assert source[0] in "->" or made == expected


def test_math_in_html(root):
    made = text(root, "<div title='$y$'>\na $x &lt; 1$ b $$z$$ c\n</div>")
    assert made.count("<math") == 2 and '<div title="$y$">' in made
    assert "<mi>x</mi><mo>&#60;</mo><mn>1</mn>" in made and "$x" not in made


def test_math_in_a_table_a_quotation_and_a_heading(root):
    made = text(root, "| a | b |\n|---|---|\n| $|x|$ | 2 |\n\n> $$a\n> + b$$\n\n## Rate $t^{-1/2}$")
    assert re.search(r"<td><math.*?&#124;.*?<mi>x</mi>.*?</math></td>&#10;<td>2</td>", made)
    assert '<blockquote>&#10;<p><span class="lrcourse-math">' in made and "&#62;" not in made
    assert made.endswith("{#rate-t-12}")


@pytest.mark.parametrize(
    "tex, expected",
    [
        (r"\ln 10", '<mi>ln</mi><mspace width="0&#46;167em"></mspace><mn>10</mn>'),
        (r"\ln(10)", '<mi>ln</mi><mo stretchy="false">'),
        (r"a/b", '<mo lspace="0" rspace="0">&#47;</mo>'),
    ],
)
def test_spaces_in_math(tex, expected):
    assert expected in to_mathml(tex)


@pytest.mark.parametrize(
    "tex, told",
    [(r"\nope", r"\\nope"), (r"\text{a\nope}", r"\\nope"), ("{x", "braces"), ("x}{", "braces"),
     ("a & b", "stray &"), (r"\left( x", "cannot be read"), (" ", "empty formula")],
)  # fmt: skip
def test_what_is_no_formula_is_refused(tex, told):
    with pytest.raises(BookError, match=told):
        to_mathml(tex)


def test_braces_that_are_escaped_need_no_partner():
    assert "&#123;" in to_mathml(r"\{ x")


# Links


@pytest.fixture
def site(root):
    """Two notebooks and a page that know of each other; files beside and outside of them."""
    (root / "notebooks" / "deep").mkdir()
    (root / "notebooks" / "data.csv").write_text("a\n1\n")
    (root / "notebooks" / "extra.ipynb").write_text("{}")
    (root / "notebooks" / "here.png").write_bytes(b"x")
    (root / "README.md").write_text("x")
    (root / "results").mkdir()
    (root / "results" / "outside.png").write_bytes(b"abc")
    return root


ONE = "# One\n\n## 1. Edge: above $2/\\lambda$\n\n## Twice\n\n## Twice\n\n<a id='own-id'></a>"


@pytest.mark.parametrize(
    "source, expected",
    [
        ("[a](01-one.ipynb)", '<a href="01-one.html">a</a>'),
        ("[a](./01-one.ipynb)", '<a href="01-one.html">a</a>'),
        ("[a](<01-one.ipynb>)", '<a href="01-one.html">a</a>'),
        ('[a](01-one.ipynb "title")', '<a href="01-one.html" title="title">a</a>'),
        ("[a](01-one.ipynb#twice)", '<a href="01-one.html#twice">a</a>'),
        ("[a](01-one.ipynb#twice-1)", '<a href="01-one.html#twice-1">a</a>'),
        ("[a](01-one.ipynb#1.-Edge:-above-$2/\\lambda$)",
         '<a href="01-one.html#1-edge-above-2lambda">a</a>'),
        ("[a](01-one.ipynb#1.-Edge%3A-above-$2/\\lambda$)",
         '<a href="01-one.html#1-edge-above-2lambda">a</a>'),
        ("[a](01-one.ipynb#Twice)", '<a href="01-one.html#twice">a</a>'),
        ("[a](01-one.ipynb#own-id)", '<a href="01-one.html#own-id">a</a>'),
        ("[a `b` $c$](01-one.ipynb)", '<a href="01-one.html">a <code>b</code> <math'),
        ("[![x](here.png)](01-one.ipynb)",
         '<a href="01-one.html"><img src="here.png" alt="x"></a>'),
        ("[a](deep/two%20words.ipynb)", '<a href="deep/two%20words.html">a</a>'),
        ("[a](<deep/two words.ipynb>)", '<a href="deep/two%20words.html">a</a>'),
        ("[a](page.md)", '<a href="page.html">a</a>'),
        ("[a](extra.ipynb)", '<a href="extra.ipynb">a</a>'),
        ("[a](data.csv)", '<a href="data.csv">a</a>'),
        ("[a](https://example.org/x.ipynb#y)", '<a href="https://example.org/x.ipynb#y">a</a>'),
        ("[a](mailto:a@example.org)", '<a href="mailto:a@example.org">a</a>'),
        ("[a]\n\n[a]: 01-one.ipynb#twice\n", '<a href="01-one.html#twice">a</a>'),
        ("<a class='b' href='01-one.ipynb'>a</a>", '<a href="01-one.html">a</a>'),
        ("`[a](01-one.ipynb)`", "<code>[a](01-one.ipynb)</code>"),
        ("\\[a](01-one.ipynb)", "<p>[a](01-one.ipynb)</p>"),
        ("![a](../results/outside.png)", '<img src="data:image/png;base64,YWJj" alt="a">'),
        ("![a](here.png)", '<img src="here.png" alt="a">'),
        ("<img src='../results/outside.png'>", '<img src="data:image/png;base64,YWJj">'),
        ("see [the tests](../README.md), too",
         'see the tests <span class="lrcourse-outside">(README.md in the repository)</span>, too'),
    ],
)  # fmt: skip
def test_links(site, source, expected):
    chapters = chapter("01-one.ipynb", notebook(ONE)), chapter("page.md", source)
    made = convert(site, *chapters, chapter("deep/two words.ipynb", notebook("# Two")))
    assert expected in made["page.md"]


def test_links_from_a_folder_below(site):
    chapters = (
        chapter("01-one.ipynb", notebook(ONE)),
        chapter("deep/two.md", "[a](../01-one.ipynb)"),
    )
    assert convert(site, *chapters)["deep/two.md"] == '<p><a href="../01-one.html">a</a></p>'


def test_links_to_the_repository_when_it_has_an_address(site):
    url = "https://example.org/blob/main/{path}"
    made = convert(site, chapter("page.md", "[a](../README.md#x)"), **{"file-url": url})
    assert made["page.md"] == ('<p><a href="https://example.org/blob/main/README.md#x">a</a></p>')


def test_an_attached_image_is_inside_the_page(root):
    cell = new_markdown_cell("![a](attachment:a.png)")
    cell["attachments"] = {"a.png": {"image/png": png()}}
    assert f'<img src="data:image/png;base64,{png()}" alt="a">' in page(root, cell)


# Headings


@pytest.mark.parametrize(
    "title, expected",
    [
        ("Side & side", "side--side"),
        ("1.2 A valley: why?", "12-a-valley-why"),
        ("x² – 中文 a_b", "x²--中文-a_b"),
    ],
)
def test_ids_are_made_as_mdbook_makes_them(title, expected):
    assert normalise(title) == expected


def test_every_heading_of_a_notebook_has_its_own_id(root):
    made = page(root, "# One\n\n## A *b* `c_d` _e_", "## Twice\n\n## Own {#mine}", "## Twice ##")
    ids = re.findall(r"\{#([^}]*)\}", made)
    assert ids == ["one", "a-b-c_d-e", "twice", "mine", "twice-1"]


def test_what_is_no_heading_gets_no_id(root):
    made = text(root, "```\n# comment\n```\n\n#hashtag")
    assert made == "<pre><code># comment&#10;</code></pre>&#10;<p>#hashtag</p>"


# Chinese


def test_chinese_paragraphs_say_so(root):
    summary = "**小结（中文）**　学习率（learning rate）决定每次更新走多远：$x$。"
    source = f"Text.\n\n{summary}\n\n- 三条结论近乎数学定理\n\nEnd."
    made = text(root, source)
    assert made.count('<div lang="zh-Hans"') == made.count("</div>") == 1
    inside = made[made.index("<div") : made.index("</div>")]
    assert "小结" in inside and "三条结论" in inside
    assert "Text." not in inside and "End." not in inside


def test_a_chinese_term_does_not_make_a_paragraph_chinese(root):
    source = (
        "The **condition number** (条件数) and the saddle point (鞍点) and the edge (稳定性边缘)."
    )
    made = text(root, source)
    assert "lang=" not in made and "(条件数)" in made


# Tables


def write_table(root, content):
    (root / "results").mkdir()
    (root / "results" / "t.csv").write_text(content, encoding="utf-8")


def rows(made):
    """The texts of the cells of the only table, row by row."""
    table = BeautifulSoup(made, "html.parser").select_one("div.table-wrapper > table")
    return [[cell.get_text() for cell in row.select("th, td")] for row in table.select("tr")]


CSV = "what,mean,sd,n,note\nloss | a,0.16283115,0.0125459,3,*x*\nrate,-1e-05,,10,\n"


def test_a_csv_file_as_a_table(root):
    write_table(root, CSV)
    made = text(root, 'Before.\n\n[Both](../results/t.csv "table")\n\nAfter.')
    assert made.startswith("<p>Before.</p>&#10;<p><strong>Both</strong></p>&#10;<div class=")
    assert made.endswith("</div>&#10;<p>After.</p>")
    assert rows(made) == [
        ["what", "mean", "sd", "n", "note"],
        ["loss | a", "0.1628", "0.01255", "3", "*x*"],
        ["rate", "−1e−05", "", "10", ""],
    ]


def test_columns_are_chosen_joined_and_renamed(root):
    write_table(root, CSV)
    made = text(root, '[Both](../results/t.csv "table: n, mean ± sd as reproduced")')
    assert rows(made) == [["n", "reproduced"], ["3", "0.1628 ± 0.01255"], ["10", "−1e−05"]]


def test_a_link_to_a_csv_file_in_a_sentence_stays_a_link(root):
    (root / "notebooks" / "t.csv").write_text("a\n1\n")
    assert text(root, "See [it](t.csv).") == '<p>See <a href="t.csv">it</a>.</p>'


@pytest.mark.parametrize(
    "content, columns, told",
    [
        (CSV, ": gone", "no column 'gone'; it has: what, mean, sd, n, note"),
        ("", "", "not a CSV table"),
        ("a,b\n1\n", "", "line 2 of t.csv has 1 fields, its header 2"),
    ],
)
def test_a_table_that_cannot_be_shown_is_refused(root, content, columns, told):
    write_table(root, content)
    with pytest.raises(BookError, match=rf"^page\.md: .*{re.escape(told)}"):
        text(root, f'[A](../results/t.csv "table{columns}")')


def test_a_picture_of_a_cell_keeps_math_of_its_neighbours_apart(root):
    made = page(root, "$x$", code("y = '$z$'", shown(image_png=png())), "$w$")
    assert made.count("<math") == 2 and "y = '$z$'" in unescape(made)
