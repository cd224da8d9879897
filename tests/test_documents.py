"""README, CONTRIBUTING and their kind say what is so: paths, commands, versions, code."""

import re
import textwrap
import tomllib

import matplotlib.pyplot as plt
import nbformat
import pytest
import torch
import yaml
from helpers.repository import ROOT, tool
from torch import nn

import lrcourse
from lrcourse import sweeps

DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
# What is there only once something has been made.
MADE = ("build", ".venv")

check_notebooks = tool("check_notebooks")


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def paths(text):
    """What a text names as a file or folder: in backticks, in links, in its commands."""
    outside_blocks = re.sub(r"(?ms)^```.*?^```$", "", text)
    quoted = re.findall(r"`([^`]+)`", outside_blocks)
    words = [word.rstrip(".,;:") for each in quoted for word in each.split()]
    # A word with a slash or an ending, that is no name of Python, no variable and no option.
    named = [
        word
        for word in words
        if re.fullmatch(r"\.?[A-Za-z][\w.-]*/[\w./-]*|[\w-]+\.(py|md|toml|yml|cff|lock)", word)
    ]
    links = re.findall(r"\]\(([^)#]+)\)", text)
    found = [*named, *(link for link in links if "://" not in link)]
    return [path for path in found if path.split("/")[0] not in MADE and path[0] != "~"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_a_document_names_is_there(name):
    named = paths(read(name))
    assert len(named) >= (0 if name == "CHANGELOG.md" else 10)
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_a_path_that_is_not_there_would_be_found():
    text = "See `lrcourse/nowhere.py`, `a/b`, [c](d.md) and `python tools/e.py CHAPTER --f`."
    assert paths(text) == ["lrcourse/nowhere.py", "a/b", "tools/e.py", "d.md"]
    assert paths("`build/x`, `~/y`, `a.then(b)`, `1/3 of it`, [z](https://z.example/a)") == []


def test_the_map_of_changes_leads_to_every_room():
    section = read("CONTRIBUTING.md").partition("## Where do I change X?")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:-1] for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 25
    assert all(len(row) == 3 and row[0].strip() and row[1].strip() for row in rows)
    told = " ".join(row[1] for row in rows)
    rooms = {path.stem for path in (ROOT / "lrcourse").iterdir() if path.name[0] not in "_."}
    assert [room for room in rooms - {"py"} if f"lrcourse/{room}" not in told] == []


def test_the_picture_of_the_layers_is_what_the_linter_checks():
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each["type"] == "layers")
    picture = read("CONTRIBUTING.md").partition("## The layers")[2].split("```")[1]
    drawn = [re.split(r"\s{3,}", line)[0] for line in picture.strip().splitlines()]
    assert drawn == [layer.replace("lrcourse.", "") for layer in layers]


def test_the_documents_name_make_s_targets():
    targets = set(re.search(r"\.PHONY: (.*)", read("Makefile"))[1].split())
    told = {name: set(re.findall(r"\bmake (\w+)", read(name))) for name in DOCUMENTS}
    prose = {"check", "up"}  # words that follow "make" in a sentence
    assert told["README.md"] | told["CONTRIBUTING.md"] <= targets | prose
    assert {"run", "test", "lab", "book", "check"} <= told["README.md"]


def test_the_version_is_one():
    cited = yaml.safe_load(read("CITATION.cff"))
    assert cited["version"] == lrcourse.__version__
    assert f"## {lrcourse.__version__} - " in read("CHANGELOG.md")
    newest = re.findall(r"^## (.*)$", read("CHANGELOG.md"), re.MULTILINE)[0]
    assert newest == "Unreleased"


def test_the_citation_has_what_the_format_asks_for():
    cited = yaml.safe_load(read("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors", "license"} <= cited.keys()
    project = tomllib.loads(read("pyproject.toml"))["project"]
    assert cited["license"] == project["license"]


def test_hooks_and_workflow_call_what_is_there():
    hooks = [hook for repo in yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
             for hook in repo["hooks"]]  # fmt: skip
    jobs = yaml.safe_load(read(".github/workflows/check.yml"))["jobs"]
    commands = [hook["entry"] for hook in hooks]
    commands += [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert {hook["language"] for hook in hooks} == {"system"}  # nothing is downloaded
    targets = set(re.search(r"\.PHONY: (.*)", read("Makefile"))[1].split())
    for command in commands:
        assert set(re.findall(r"\bmake (\w+)", command)) <= targets
        for script in re.findall(r"\b(?:tools|tests)\b[\w/.]*", command):
            assert (ROOT / script).exists(), command


def test_lint_is_silent_or_tells_what_each_tool_said(capsys):
    lint = tool("lint")
    good = {"good": ["-c", "print('all is well')"]}
    assert lint.main(good) == 0
    assert capsys.readouterr() == ("", "")
    bad = {name: ["-c", f"print('{name} says no'); raise SystemExit(3)"] for name in ("one", "two")}
    assert lint.main(good | bad) == 1
    told = capsys.readouterr().err
    assert "lint: one\none says no" in told and "lint: two\ntwo says no" in told
    assert "all is well" not in told
    assert {"ruff check", "ruff format", "pyright", "import-linter"} == lint.COMMANDS.keys()


# -- notebooks ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "notebooks").rglob("*.ipynb")),
    ids=lambda path: path.relative_to(ROOT / "notebooks").as_posix(),
)
def test_a_notebook_is_stored_with_outputs_and_without_traces(path):
    assert check_notebooks.problems(path.read_text(encoding="utf-8")) == []


@pytest.fixture
def notebook():
    """A notebook as it should be, of two cells."""
    cells = [nbformat.v4.new_code_cell(str(k), execution_count=k) for k in (1, 2)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    assert check_notebooks.problems(nbformat.writes(notebook) + "\n") == []
    return notebook


@pytest.mark.parametrize(
    "spoil, told, mended",
    [
        (lambda n: n.cells[1].update(execution_count=None), "not executed once", False),
        (lambda n: n.cells.reverse(), "not executed once from the top down", False),
        (
            lambda n: n.cells[0].metadata.update(execution={"iopub.execute_input": ""}),
            "times",
            True,
        ),
        (
            lambda n: n.metadata.update(language_info={"name": "python", "version": "3"}),
            "of P",
            True,
        ),
        (
            lambda n: n.cells[0].outputs.append(
                nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])
            ),
            "an output is an error",
            False,
        ),
    ],
)
def test_what_a_run_left_is_found_and_removed(notebook, spoil, told, mended, tmp_path, capsys):
    spoil(notebook)
    file = tmp_path / "a.ipynb"
    file.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    assert check_notebooks.main([str(file)]) == 1
    assert told in capsys.readouterr().err
    assert check_notebooks.main(["--tidy", str(file)]) == (0 if mended else 1)
    assert check_notebooks.main([str(file)]) == (0 if mended else 1)


def test_other_forms_of_a_file_are_found(notebook, tmp_path, capsys):
    file = tmp_path / "a.ipynb"
    file.write_text(nbformat.writes(notebook, indent=4), encoding="utf-8")
    assert check_notebooks.main([str(file)]) == 1
    assert "not in the form in which Jupyter writes it" in capsys.readouterr().err
    assert check_notebooks.main(["--tidy", str(file)]) == 0
    file.write_bytes(b"\xff no notebook")
    assert check_notebooks.main(["--tidy", str(file)]) == 1
    assert "not a notebook" in capsys.readouterr().err
    assert file.read_bytes() == b"\xff no notebook"


# -- the README's code --------------------------------------------------------------------------


def test_the_readme_s_code_runs(tmp_path, monkeypatch, capsys):
    blocks = re.findall(r"(?ms)^```python\n(.*?)^```", read("README.md"))
    assert len(blocks) == 4
    # The same sweep with fewer, shorter runs.
    less = {"epochs=10": "epochs=1, images=320", "1, 13)": "1, 2)", "range(10)": "range(2)"}
    for long, short in less.items():
        assert long in blocks[3]
        blocks[3] = blocks[3].replace(long, short)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRCOURSE_RECORDS", str(tmp_path))
    monkeypatch.setattr(plt, "show", lambda: None)

    def train(model, optimizer, scheduler):
        for x, y in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            scheduler.step()

    net = nn.Linear(4, 2)
    x = torch.randn(60, 4)
    loader = list(zip(x.split(10), (x.sum(1) > 0).long().split(10), strict=True))
    names = {
        "model": net,
        "net": net,
        "optimizer": torch.optim.SGD(net.parameters(), lr=0.1),
        "loader": loader,
        "train": train,
        "measure": float,
    }
    for block in blocks:
        exec(compile(textwrap.dedent(block), "README.md", "exec"), names)
    plt.close("all")
    assert names["log"].lr.shape == (6, 1)
    told = capsys.readouterr().out
    assert " on SGD: 10000 updates" in told
    assert re.search(r"nothing found|update \d", told)
    assert len(names["runs"].frame()) == 4
    assert isinstance(names["runs"], sweeps.Runs)
