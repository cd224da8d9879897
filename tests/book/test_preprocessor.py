"""The book's preprocessor: what it makes of notebooks and pages, and what it refuses."""

import base64
import io
import json
import re
from html import unescape

import numpy as np
import pytest
from helpers.books import (
    PLAYGROUND,
    chapter,
    code,
    convert,
    notebook,
    page,
    png,
    printed,
    shown,
)
from PIL import Image

from lrcourse.book import notebook as book_notebook
from lrcourse.book.figures import lighten
from lrcourse.book.interactive import playground
from lrcourse.book.text import BookError

HOLDS = "HOLDS | A <b> sentence | 10 seeds, slope +0.98 [+0.96, +1.00], margin 0.9 to 1.1 (t)"
FAILS = "FAILS (expected) | It ends lower | 3 cases, exceptions 0, margin < 1 (exact)"
LESS = "NOT THAT LARGE (expected) | By half | 8 seeds, ratio 1 [0, 2], margin > 2 (t, revision 2)"
ASTRAY = (
    "UNDECIDED (expected holds) | It | 10 seeds, slope +1 [+0, +2], margin > 1 (t, alpha .01/2)"
)


# Cells and outputs


def test_a_code_cell_is_one_line_of_html_with_its_language(root):
    made = page(root, code("x = 1\n\n\ny = '<b>'"))
    line = "x = 1&#10;&#10;&#10;y = &#x27;&lt;b&gt;&#x27;&#10;"
    assert f'\n\n<pre><code class="language-python">{line}</code></pre>\n\n' in made


def test_what_is_printed_is_one_line_of_html_with_its_blank_lines(root):
    made = page(root, code("1", printed("a <b>\n\n  *c* $d$\n")))
    assert '<pre class="lrcourse-text">a &lt;b&gt;&#10;&#10;  *c* $d$</pre>' in made


def test_neighbouring_streams_are_joined_and_stderr_stays_apart(root):
    outputs = printed("a\n"), printed("b\n"), printed("careful\n", "stderr")
    made = page(root, code("1", *outputs))
    assert '<pre class="lrcourse-text">a&#10;b</pre>' in made
    assert '<pre class="lrcourse-stderr">careful</pre>' in made


def test_verdicts_have_a_badge_and_other_lines_stay(root):
    made = page(root, code("1", printed(f"before\n{HOLDS}\n{FAILS}\n{LESS}\n{ASTRAY}\nafter\n")))
    assert '<pre class="lrcourse-text">before</pre>' in made
    assert '<pre class="lrcourse-text">after</pre>' in made
    assert '"lrcourse-verdict lrcourse-holds"' in made
    assert '<strong class="lrcourse-badge">HOLDS</strong> A &lt;b&gt; sentence</p>' in made
    assert '<p class="lrcourse-evidence">10 seeds, slope +0.98 [+0.96, +1.00], margin' in made
    assert '"lrcourse-verdict lrcourse-fails"' in made
    assert ">FAILS (expected)</strong> It ends lower<" in made
    assert '"lrcourse-verdict lrcourse-not-that-large"' in made
    assert ">NOT THAT LARGE (expected)</strong> By half<" in made
    assert '"lrcourse-verdict lrcourse-undecided lrcourse-unexpected"' in made


def test_a_line_that_only_looks_like_a_verdict_stays_text(root):
    made = page(root, code("1", printed("HOLDS | no evidence\nIt HOLDS | a | 3 cases\n")))
    assert "lrcourse-verdict" not in made


def test_a_picture_is_inside_the_page_with_size_and_words(root):
    data = png(40, 30)
    made = page(root, code('draw(title="The <loss>")', shown(image_png=data, text_plain="<F>")))
    src, alt, width = re.search(r'<img src="([^"]+)" alt="([^"]+)" width="(\d+)"', made).groups()
    assert src == f"data:image/png;base64,{data}"
    assert (alt, width) == ("The &lt;loss&gt;", "40")
    assert "<F>" not in made


@pytest.mark.parametrize(
    "source, expected",
    [
        ('draw(title=f"rate {lr} of {n:.3f}")', "rate … of …"),
        ("%magic\ndraw()", "Figure in the section “1.2 Shape of x”"),
        ("draw()", "Figure in the section “1.2 Shape of x”"),
    ],
)
def test_words_for_a_picture_whose_title_is_not_given(root, source, expected):
    made = page(root, "## 1.2 Shape of $x$", code(source, shown(image_png=png())))
    assert unescape(re.search('alt="([^"]*)"', made)[1]) == expected


def test_two_pictures_of_one_cell_have_their_own_words(root):
    source = 'draw(title="first")\ndraw(title="second")'
    made = page(root, code(source, shown(image_png=png()), shown(image_png=png(5))))
    assert re.findall('alt="([^"]*)"', made) == ["first", "second"]


def test_svg_is_an_image_so_that_nothing_in_it_runs(root):
    svg = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    made = page(root, code("1", shown(**{"image_svg+xml": svg})))
    assert "<script" not in made
    uri = re.search(r'<img src="data:image/svg\+xml;base64,([^"]+)"', made)[1]
    assert base64.b64decode(uri).decode() == svg


def test_an_html_table_stays_a_table_in_a_box_of_its_own_without_blank_lines(root):
    html = "<style>td{}</style>\n<table border='1' onclick='x()'>\n\n<tr><td>a &lt; b</td></tr>"
    made = page(root, code("1", shown(text_html=html, text_plain="plain")))
    inside = re.search(r'<div class="lrcourse-html">.*</div>', made)[0]
    assert '<div class="table-wrapper"><table>' in inside
    assert "<td>a &lt; b</td>" in inside
    assert not re.search("style|border|onclick", inside)
    assert "plain" not in made


def test_html_that_needs_a_script_gives_way_to_another_form(root):
    made = page(root, code("1", shown(text_html="<script>draw()</script>", text_plain="a plot")))
    assert '<pre class="lrcourse-text">a plot</pre>' in made


def test_markdown_and_latex_outputs(root):
    made = page(root, code("1", shown(text_markdown="**bold** $x_1$")))
    assert "<strong>bold</strong> <math" in made
    made = page(root, code("1", shown(text_latex=r"$\displaystyle \frac{1}{2}$")))
    assert '<math display="block"><mrow><mfrac>' in made


def test_a_widget_view_shows_its_picture_or_its_text(root):
    view = {"application_vnd.jupyter.widget-view+json": {"model_id": "1"}}
    made = page(root, code("1", shown(text_plain="Widget()", **view)))
    assert '<pre class="lrcourse-text">Widget()</pre>' in made
    made = page(root, code("1", shown(text_plain="Widget()", image_png=png(), **view)))
    assert "<img" in made and "Widget()" not in made


def test_a_traceback_has_no_colours_of_a_terminal(root):
    output = {
        "output_type": "error",
        "ename": "ZeroDivisionError",
        "evalue": "division by zero",
        "traceback": [
            "\x1b[0;31mZeroDivisionError\x1b[0m   Traceback",
            "\x1b[0;32m----> 1\x1b[0m x/0",
        ],
    }
    made = page(root, code("x/0", output, tags=["raises-exception"]))
    expected = "ZeroDivisionError   Traceback&#10;----&gt; 1 x/0"
    assert f'<pre class="lrcourse-error">{expected}</pre>' in made


@pytest.mark.parametrize(
    "tags, metadata, folded, kept, gone",
    [
        (["hide-input"], {}, "Show the code", ["SOURCE", "OUTPUT"], []),
        ([], {"jupyter": {"source_hidden": True}}, "Show the code", ["SOURCE", "OUTPUT"], []),
        (["hide-cell"], {}, "Show the cell", ["SOURCE", "OUTPUT"], []),
        (["hide-output"], {}, "Show the output", ["SOURCE", "OUTPUT"], []),
        ([], {"collapsed": True}, "Show the output", ["SOURCE", "OUTPUT"], []),
        (["remove-input"], {}, None, ["OUTPUT"], ["SOURCE"]),
        (["remove-output"], {}, None, ["SOURCE"], ["OUTPUT"]),
        (["remove-cell"], {}, None, [], ["SOURCE", "OUTPUT"]),
    ],
)
def test_tags_of_cells(root, tags, metadata, folded, kept, gone):
    made = page(root, code("SOURCE", printed("OUTPUT"), tags=tags, **metadata))
    assert made.count("<details") == made.count("</details>") == (folded is not None)
    assert folded is None or f"<summary>{folded}</summary>\n\n" in made
    assert all(word in made for word in kept)
    assert not any(word in made for word in gone)
    if folded:
        inside = made[made.index("<details") : made.index("</details>")]
        assert ("SOURCE" in inside, "OUTPUT" in inside) == {
            "Show the code": (True, False),
            "Show the output": (False, True),
            "Show the cell": (True, True),
        }[folded]


def test_predict_first_is_set_apart(root):
    made = page(root, "## Predict first\n\n1. What?", "## Then")
    assert '<div class="lrcourse-predict">\n\n## Predict first' in made
    assert made.index("<li>What?</li>") < made.index("</div>") < made.index("## Then")


def test_the_notebook_can_be_downloaded_below_the_title(root):
    made = convert(root, chapter("deep/my one.ipynb", notebook("# One\n\nText")))
    text = made["deep/my one.md"]
    assert text.index("# One") < text.index('href="my%20one.ipynb" download') < text.index("Text")


# Pages that would be too heavy


def noisy_png(seed, size=600):
    random = np.random.default_rng(seed)
    levels = random.integers(0, 40, (size, size, 3), dtype=np.uint8) // 8 * 2 + 200
    levels[:, :, 2] = 77
    levels[0, :256] = np.arange(256)[:, None]
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG", compress_level=0)
    return base64.b64encode(file.getvalue()).decode()


def test_a_page_that_is_too_heavy_gets_lighter_pictures_and_loses_none(root):
    pictures = [noisy_png(seed) for seed in range(2)]
    made = page(root, *(code("1", shown(image_png=each)) for each in pictures))
    kept = re.findall(r'src="data:image/png;base64,([^"]+)"', made)
    assert len(made) < book_notebook.LIGHT < sum(map(len, pictures))
    for before, after in zip(pictures, kept, strict=True):
        first, second = (
            np.asarray(Image.open(io.BytesIO(base64.b64decode(each))).convert("RGB"), float)
            for each in (before, after)
        )
        assert first.shape == second.shape
        assert ((first - second) ** 2).mean() ** 0.5 < 3


def test_a_picture_that_would_look_different_with_fewer_colours_stays():
    levels = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "PNG")
    stored = base64.b64encode(file.getvalue()).decode()
    assert lighten(stored) == stored


def test_pictures_of_a_light_page_are_untouched(root):
    picture = noisy_png(0, size=300)
    assert picture in page(root, code("1", shown(image_png=picture)))


# The interactive figures


def test_a_playground_is_its_still_figure_with_the_state_and_one_script(root):
    (root / "fake.js").write_text("export default {}")
    state = {"rate": 0.1, "label": 'a "quoted" <b> & c\n'}
    output = {
        "output_type": "display_data",
        "data": {PLAYGROUND: state, "image/png": png()},
    }
    cells = (code('play(title="Move the rate")', output) for _ in range(2))
    made = page(root, *cells, playground="fake.js")
    places = re.findall(r'<div class="lrcourse-playground" data-state="([^"]*)">(.*?)</div>', made)
    assert len(places) == 2
    for said, still in places:
        assert json.loads(unescape(said)) == state
        assert 'alt="Move the rate"' in still
    assert made.count('<script type="module">') == 1
    script = re.search(r'<script type="module">.*</script>', made)[0]
    assert base64.b64encode(b"export default {}").decode() in script
    assert "\n" not in script


def test_the_words_of_a_playground_are_its_text(root):
    (root / "fake.js").write_text("")
    data = {PLAYGROUND: {}, "image/png": png(), "text/plain": "Playground(lr=1)\nDiverges."}
    made = page(
        root, code("1", {"output_type": "display_data", "data": data}), playground="fake.js"
    )
    assert 'alt="Playground(lr=1)&#10;Diverges."' in made


def test_a_state_that_is_not_json_is_refused():
    with pytest.raises(BookError, match="NaN"):
        playground({"rate": float("nan")}, "")
    with pytest.raises(BookError, match="not list"):
        playground([], "")


def test_a_page_without_one_has_no_script(root):
    assert "<script" not in page(root, code("1", shown(image_png=png())))


def test_a_playground_without_module_or_figure_is_refused(root):
    output = {"output_type": "display_data", "data": {PLAYGROUND: {}, "image/png": png()}}
    with pytest.raises(BookError, match=r"gone\.js cannot be read"):
        page(root, code("1", output), playground="gone.js")
    del output["data"]["image/png"]
    with pytest.raises(BookError, match=r"cell 1.*no still figure"):
        page(root, code("1", output))
