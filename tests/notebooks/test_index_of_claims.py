"""notebooks/evidence/index.md: every claim with its verdict, and a link to where it stands."""

from helpers.repository import tool
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

gather = tool("gather_claims")


def test_the_page_is_what_the_notebooks_found(capsys):
    assert gather.main(["--check"]) == 0, capsys.readouterr().out


def test_each_claim_has_a_section():
    text = gather.PAGE.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith(tuple(
        f"| {verdict} |" for verdict in gather.ORDER))]  # fmt: skip
    assert len(lines) > 150
    assert [line for line in lines if ".ipynb#" not in line] == []


def test_a_claim_stands_under_the_last_heading_before_it():
    line = "HOLDS | Two and two | 1 case, exceptions 0, margin < 1 (exact)\n"
    printed = new_output("stream", name="stdout", text=line)
    cells = [
        new_markdown_cell("# Page\n\n## Same"),
        new_markdown_cell("## Same"),
        new_code_cell("claim(...)", outputs=[printed]),
        new_markdown_cell("## Later"),
    ]
    assert gather.sections(new_notebook(cells=cells)) == {"Two and two": ("Same", "same-1")}
