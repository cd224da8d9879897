"""`commands.chapters` and `commands.execution`: real kernels on tiny notebooks."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from lrcourse.commands import chapters as runner
from lrcourse.commands import execution
from lrcourse.commands.terminal import CommandError, duration


def write_notebook(path, *sources):
    """A notebook with these code cells, after a text cell."""
    cells = [nbformat.v4.new_markdown_cell("# Title")]
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def printed(path):
    """Everything that the code cells of a notebook have printed."""
    cells = nbformat.read(path, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return "".join(output.get("text", "") for output in outputs)


SAVE_OUTPUTS = """
import os
from pathlib import Path
out, chapter = Path(os.environ["LRCOURSE_OUT"]), os.environ["LRCOURSE_CHAPTER"]
for name in ["figures/{}/01-lr.png", "figures/{}/02-loss.png", "tables/{}/results.csv"]:
    path = out / name.format(chapter)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
"""
TELL_ENVIRONMENT = """
import json, os, sys
seen = {name: value for name, value in os.environ.items() if name.startswith("LRCOURSE")}
print(json.dumps({"python": sys.executable, "cwd": os.getcwd(), **seen}))
"""


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Three chapters run in a folder with spaces in its path; the middle one fails."""
    folder = tmp_path_factory.mktemp("with spaces") / "note books"
    write_notebook(folder / "01-good.ipynb", TELL_ENVIRONMENT, SAVE_OUTPUTS)
    write_notebook(folder / "02-bad.ipynb", "1 + 1", "x = 1\nx / 0", "print('not reached')")
    write_notebook(folder / "03-also-good.ipynb", "print('went on')")
    stale = folder.parent / "out" / "figures" / "01-good" / "09-old.png"
    stale.parent.mkdir(parents=True)
    stale.write_text("from an earlier run")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("LRCOURSE_RECORDS", raising=False)
        patch.setenv("LRCOURSE_DATA", "some/data")
        patch.setenv("MPLBACKEND", "Agg")
        patch.chdir(folder.parent)
        lines = []
        patch.setattr("builtins.print", lambda *words, **_: lines.append(" ".join(words)))
        chapters = runner.find_chapters(folder)
        code = runner.run_chapters(chapters, Path("out"), scale="full")
    return folder.parent, code, "\n".join(lines)


def test_a_failure_is_told_and_does_not_stop_the_others(three):
    root, code, text = three
    assert code == 1
    assert "02-bad        FAILED" in text
    assert "code cell 2: x / 0" in text
    assert "ZeroDivisionError: division by zero" in text
    assert "1 of 3 failed" in text.splitlines()[-1]
    assert str(root / "out" / "notebooks") in text.splitlines()[-1]
    assert printed(root / "out" / "notebooks" / "03-also-good.ipynb") == "went on\n"


def test_the_failed_notebook_is_kept_as_far_as_it_came(three):
    cells = nbformat.read(three[0] / "out" / "notebooks" / "02-bad.ipynb", as_version=4).cells
    assert cells[1].outputs[0].data["text/plain"] == "2"
    assert cells[2].outputs[0].ename == "ZeroDivisionError"
    assert cells[3].outputs == []


def test_a_line_tells_what_a_chapter_made_in_this_run(three):
    line = next(line for line in three[2].splitlines() if line.startswith("01-good"))
    assert line.startswith("01-good       ok  ")
    assert line.endswith(" s  2 figures 1 table")


def test_the_kernel_is_this_python_with_the_course_environment(three):
    root = three[0]
    seen = json.loads(printed(root / "out" / "notebooks" / "01-good.ipynb"))
    assert seen.pop("python") == sys.executable
    assert Path(seen.pop("cwd")).samefile(root / "note books")
    expected = {
        "LRCOURSE_CHAPTER": "01-good",
        "LRCOURSE_DATA": str(root / "some" / "data"),
        "LRCOURSE_OUT": str(root / "out"),
        "LRCOURSE_PROGRESS": "0",
        "LRCOURSE_RECORDS": str(root / "out" / "records"),
        "LRCOURSE_SCALE": "full",
    }
    assert {name: seen.get(name) for name in expected} == expected


def test_the_notebooks_themselves_are_untouched_without_in_place(three):
    assert printed(three[0] / "note books" / "01-good.ipynb") == ""


def test_what_is_left_is_told_where_it_is_known(tmp_path, capsys):
    for name in ("01-a", "02-b", "03-c"):
        write_notebook(tmp_path / "notebooks" / f"{name}.ipynb", "1")
    table = tmp_path / "results" / "run-times.csv"
    table.parent.mkdir()
    rows = [f"{name},small,CPU,2,3600" for name in ("01-a", "02-b", "03-c")]
    table.write_text("\n".join(["chapter,scale,device,cores,seconds", *rows]))
    runner.run_chapters(runner.find_chapters(tmp_path / "notebooks"), tmp_path / "out")
    assert capsys.readouterr().out.startswith("    3 notebooks to go, in about 3 h")


def test_in_place_writes_tidy_outputs_back_but_loses_no_edit(tmp_path, capsys):
    good = write_notebook(tmp_path / "01-good.ipynb", "print('hello')")
    edit = "from pathlib import Path; path = Path('02-edited.ipynb')\n"
    edit += "path.write_text(path.read_text().replace('Title', 'New title'))"
    edited = write_notebook(tmp_path / "02-edited.ipynb", edit)
    ids = [cell.id for cell in nbformat.read(good, as_version=4).cells]

    code = runner.run_chapters(runner.find_chapters(tmp_path), tmp_path / "out", in_place=True)

    assert code == 0
    assert printed(good) == "hello\n"
    notebook = nbformat.read(good, as_version=4)
    assert [cell.id for cell in notebook.cells] == ids
    assert all("execution" not in cell.metadata for cell in notebook.cells)
    assert notebook.metadata.language_info.name == "python"
    assert "version" not in notebook.metadata.language_info
    assert good.read_text().endswith("}\n")
    assert "New title" in edited.read_text()
    assert nbformat.read(edited, as_version=4).cells[1].execution_count is None
    assert "edited while it ran" in capsys.readouterr().out


def test_a_slow_cell_a_dead_kernel_and_a_broken_file_are_failures(tmp_path, capsys):
    write_notebook(tmp_path / "01-slow.ipynb", "import time", "time.sleep(60)")
    write_notebook(tmp_path / "02-dies.ipynb", "import os\nos._exit(1)")
    (tmp_path / "03-broken.ipynb").write_text("{not json")
    (tmp_path / "04-list.ipynb").write_text("[]")
    code = runner.run_chapters(runner.find_chapters(tmp_path), tmp_path / "out", timeout=1)
    text = capsys.readouterr().out
    assert code == 1
    assert "code cell 2: time.sleep(60)\n    A cell timed out" in text
    assert "code cell 1: import os\n    the kernel died" in text
    assert text.count("not a notebook") == 2
    assert "4 of 4 failed" in text


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_a_pipe_that_is_named_like_a_chapter_fails_at_once(tmp_path, capsys):
    os.mkfifo(tmp_path / "01-pipe.ipynb")
    assert runner.run_chapters(runner.find_chapters(tmp_path), tmp_path / "out") == 1
    assert "cannot be read: it is no regular file" in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_the_kernel_and_says_how_to_go_on(tmp_path, number):
    source = "import os, pathlib, time\npathlib.Path('pid').write_text(str(os.getpid()))\n"
    write_notebook(tmp_path / "01-long.ipynb", source + "time.sleep(100)")
    write_notebook(tmp_path / "02-next.ipynb", "1")
    environment = {k: v for k, v in os.environ.items() if k != "LRCOURSE_RECORDS"}
    command = [sys.executable, "-m", "lrcourse", "run", "--notebooks", ".", "--out", "out"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        pid = wait_for_text(tmp_path / "pid")
        process.send_signal(number)
        text, _ = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "Call again to go on" in text
    assert str(tmp_path / "out" / "records") in text
    assert not (tmp_path / "out" / "notebooks" / "02-next.ipynb").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


def wait_for_text(path, seconds=300):
    """The content of a file once it is there and not empty."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if path.is_file() and path.read_text():
            return path.read_text()
        time.sleep(0.05)
    raise TimeoutError(path)


@pytest.fixture
def chapters(tmp_path):
    """Chapters 2 and 10 by their numbers, an exercise by SUMMARY.md."""
    names = ["10-late.ipynb", "02-early.ipynb", "draft.ipynb", "exercises/02-early.ipynb"]
    for name in names:
        write_notebook(tmp_path / name)
    links = ["[Two](02-early.ipynb)", "[Ex](exercises/02-early.ipynb)", "[Gone](11-gone.ipynb)"]
    (tmp_path / "SUMMARY.md").write_text("\n".join(["# Summary", *links, "[Later]()"]))
    return runner.find_chapters(tmp_path)


def test_chapters_are_the_numbered_ones_then_what_the_summary_lists(chapters):
    assert [each.name for each in chapters] == ["02-early", "10-late", "exercises/02-early"]
    assert [each.label for each in chapters] == ["02-early", "10-late", "exercises-02-early"]


@pytest.mark.parametrize(
    "words, expected",
    [
        ([], ["02-early", "10-late", "exercises/02-early"]),
        (["10-late", "2"], ["02-early", "10-late"]),
        (["02", "02-early", "02-early.ipynb"], ["02-early"]),
        (["exercises/02-early"], ["exercises/02-early"]),
    ],
)
def test_chapters_are_chosen_by_name_number_or_file(chapters, words, expected):
    assert [each.name for each in runner.select(chapters, words)] == expected


def test_a_path_of_a_notebook_chooses_it(chapters, monkeypatch):
    monkeypatch.chdir(chapters[0].path.parent.parent)
    relative = chapters[1].path.relative_to(Path.cwd())
    assert runner.select(chapters, [str(relative)]) == [chapters[1]]


def test_an_unknown_chapter_is_answered_with_the_known_ones(chapters):
    with pytest.raises(CommandError, match=r"no chapter '3'; there are: 02-early, 10-late, exer"):
        runner.select(chapters, ["2", "3"])
    with pytest.raises(CommandError, match="no chapters"):
        runner.select([], [])


@pytest.mark.parametrize(
    "seconds, words",
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (72, "1 min 12 s"), (7380, "2 h 3 min")],
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words


def test_in_place_keeps_the_figures_and_tables_of_this_run(tmp_path):
    folder = tmp_path / "note books"
    write_notebook(folder / "01-good.ipynb", SAVE_OUTPUTS)
    old = tmp_path / "results" / "01-good" / "figures" / "07-gone.png"
    stale = tmp_path / "out" / "figures" / "01-good" / "09-old.png"
    for path in (old, stale):
        path.parent.mkdir(parents=True)
        path.write_text("from an earlier run")
    assert runner.run_chapters(runner.find_chapters(folder), tmp_path / "out") == 0
    assert old.exists()
    chapters = runner.find_chapters(folder)
    assert runner.run_chapters(chapters, tmp_path / "out", in_place=True) == 0
    kept = {path.relative_to(tmp_path / "results").as_posix()
            for path in (tmp_path / "results").rglob("*.*")}  # fmt: skip
    assert kept == {
        "01-good/figures/01-lr.png",
        "01-good/figures/02-loss.png",
        "01-good/tables/results.csv",
    }


def test_stored_outputs_hold_no_address_of_a_widget():
    view = "application/vnd.jupyter.widget-view+json"
    outputs = [
        nbformat.v4.new_output("display_data", {view: {"model_id": "1"}, "image/png": "iVBO"}),
        nbformat.v4.new_output("display_data", {view: {"model_id": "2"}, "text/plain": "Slider()"}),
        nbformat.v4.new_output("stream", text="a"),
    ]
    cell = nbformat.v4.new_code_cell("1", outputs=outputs)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    execution.tidy(notebook)
    assert [set(each.get("data", {})) for each in notebook.cells[0].outputs] == [
        {"image/png"},
        {view, "text/plain"},  # it has nothing else to show
        set(),
    ]


CLAIMS = """
from lrcourse.claims import claim, exact, paired
claim("So it is", exact([True]))
claim("Far away", paired([1, -1, 2, -2, 3, -3, 4, -4], [0] * 8), margin=0)
"""


def test_verdicts_that_differ_are_told_in_one_line_and_fail_nothing(tmp_path, capsys):
    write_notebook(tmp_path / "01-claims.ipynb", CLAIMS)
    write_notebook(tmp_path / "02-none.ipynb", "1")
    chapters = runner.find_chapters(tmp_path)
    assert runner.run_chapters(chapters, tmp_path / "out") == 0
    said = "1 of 2 verdicts is undecided on this processor: “Far away” (01-claims)."
    assert capsys.readouterr().out.splitlines()[2] == said
    assert runner.run_chapters(chapters[1:], tmp_path / "out") == 0  # an old table is not told
    assert "undecided" not in capsys.readouterr().out
