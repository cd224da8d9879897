"""The chapters executed headless, one after another, with what they made left in a folder."""

from __future__ import annotations

import csv
import errno
import os
import re
import shutil
import stat
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat

from lrcourse.claims import summarise
from lrcourse.commands import options
from lrcourse.commands.execution import Failure, execute, parse, tidy
from lrcourse.commands.remaining import Remaining, measured
from lrcourse.commands.terminal import CommandError, duration, plain, say
from lrcourse.support.outputs import label_of
from lrcourse.support.paths import write_atomically

_CHAPTER_FILES = "[0-9][0-9]-*.ipynb"
_LINK = re.compile(r"\]\(<?([^()<>]+\.ipynb)>?\)")

Outputs = dict[str, dict[Path, int]]  # kind -> file -> time it was written


@dataclass(frozen=True)
class Chapter:
    """A notebook of the course; `name` is its path in the folder, without the ending."""

    name: str
    path: Path

    @property
    def label(self) -> str:
        """The name as one word of letters, digits, - and _: what its outputs are filed under."""
        return label_of(self.name)


def notebooks_of(chapter: Chapter) -> Path:
    """The folder of the notebooks that a chapter belongs to."""
    return chapter.path.parents[len(Path(chapter.name).parts) - 1]


def find_chapters(folder: Path) -> list[Chapter]:
    """The numbered notebooks of a folder in order, then others that its SUMMARY.md lists."""
    paths = sorted(folder.glob(_CHAPTER_FILES))
    summary = folder / "SUMMARY.md"
    if summary.is_file():
        text = summary.read_text(encoding="utf-8", errors="replace")
        listed = (folder / link for link in _LINK.findall(text))
        paths += [path for path in dict.fromkeys(listed) if path not in paths and path.is_file()]
    return [Chapter(path.relative_to(folder).with_suffix("").as_posix(), path) for path in paths]


def select(chapters: Sequence[Chapter], wanted: Iterable[str]) -> list[Chapter]:
    """The chapters that are wanted, by name, number or file, in the order of `chapters`.

    All of them when nothing in particular is wanted. Raises CommandError for one that is not there.
    """
    if not chapters:
        raise CommandError("there are no chapters here yet")
    wanted = list(wanted)
    chosen = set()
    for word in wanted:
        found = [chapter for chapter in chapters if _matches(chapter, word)]
        if not found:
            known = ", ".join(chapter.name for chapter in chapters)
            raise CommandError(f"no chapter {word!r}; there are: {known}")
        chosen.update(found)
    return [chapter for chapter in chapters if not wanted or chapter in chosen]


def run_chapters(
    chapters: Sequence[Chapter],
    out: Path,
    *,
    scale: str = "small",
    in_place: bool = False,
    timeout: int | None = None,
) -> int:
    """Execute chapters, print a line for each, and return 0, 1 (some failed) or 130 (Ctrl-C).

    Below `out`: notebooks/ with the executed notebooks, also those that failed; figures/ and
    tables/ as the chapters save them; records/ with finished runs. Where the repository knows how
    long each takes, a line says how long the others will take here. `in_place` also writes the
    outputs of the chapters that succeeded into the notebooks themselves, and their figures and
    tables into results/ beside the folder of the notebooks. Before the last line stands one on the
    verdicts of all claims: how many differ here from those expected, and which.
    """
    out = out.absolute()
    width = max(len(chapter.name) for chapter in chapters)
    failed = 0
    verdicts: list[dict[str, str]] = []
    table = notebooks_of(chapters[0]).parent / "results" / "run-times.csv"
    rest = Remaining((chapter.name for chapter in chapters), measured(table, scale))
    _say_what_is_left(len(chapters), rest)
    try:
        for k, chapter in enumerate(chapters, start=1):
            before, start = _outputs(chapter, out), time.monotonic()
            failed += not _run_chapter(chapter, width, out, scale, in_place, timeout, before)
            rest.done(chapter.name, time.monotonic() - start)
            _say_what_is_left(len(chapters) - k, rest)
            verdicts += _verdicts(chapter, before, out)
    except KeyboardInterrupt:
        records = environment(chapters[0], out, scale)["LRCOURSE_RECORDS"]
        print(f"\nInterrupted. Call again to go on: finished runs are kept in {records}")
        return 130
    if verdicts:
        print(f"{summarise(verdicts)}.")
    if failed:
        print(f"{failed} of {len(chapters)} failed; as far as they came: {out / 'notebooks'}")
        return 1
    made = [kind for kind in ("notebooks/", "figures/", "tables/") if (out / kind).is_dir()]
    print(f"Look in {out}: {', '.join(made)}")
    return 0


def _say_what_is_left(count: int, rest: Remaining) -> None:
    if count > 1 and (seconds := rest.seconds) is not None and seconds >= 60:
        print(f"    {count} notebooks to go, in about {duration(seconds)}", flush=True)


def _run_chapter(
    chapter: Chapter,
    width: int,
    out: Path,
    scale: str,
    in_place: bool,
    timeout: int | None,
    before: Outputs,
) -> bool:
    start = time.monotonic()
    name = f"{plain(chapter.name):<{width}}"
    live = sys.stdout.isatty()

    def show(number: int, count: int) -> None:
        if live:
            print(f"\r{name}  cell {number} of {count}\x1b[K", end="", flush=True)

    source = executed = b""
    try:
        if not stat.S_ISREG(chapter.path.stat().st_mode):  # to read a pipe would take for ever
            raise OSError(errno.EINVAL, "it is no regular file")
        source = chapter.path.read_bytes()
        notebook = parse(source)
    except OSError as error:
        failure = Failure("the file", str(chapter.path), f"cannot be read: {error.strerror}")
    except ValueError as error:
        failure = Failure("the file", str(chapter.path), str(error))
    else:
        variables = environment(chapter, out, scale)
        failure = execute(notebook, chapter.path.parent, variables, timeout=timeout, on_cell=show)
        tidy(notebook)
        # Half of a pair of surrogates is no UTF-8, but can be spelled out in JSON.
        executed = f"{nbformat.writes(notebook)}\n".encode(errors="backslashreplace")
        write_atomically(out / "notebooks" / f"{chapter.name}.ipynb", executed)
    written = _written(chapter, out, before)
    counts = " ".join(_count(len(files), kind[:-1]) for kind, files in written.items())
    clear = "\r\x1b[K" if live else ""
    verdict = "FAILED" if failure else "ok"
    taken = duration(time.monotonic() - start)
    print(f"{clear}{name}  {verdict}  {taken}  {counts}", flush=True)
    if failure:
        say(f"    {failure.cell}: {failure.line}", f"    {failure.error}")
    elif in_place and not _still_holds(chapter.path, source):
        say("    edited while it ran: its outputs were not written into it")
    elif in_place:
        write_atomically(chapter.path, executed)
        _keep_results(chapter, written)
    return failure is None


def _still_holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def _verdicts(chapter: Chapter, before: Outputs, out: Path) -> list[dict[str, str]]:
    """The claims that this run of the chapter made, as its table has them."""
    table = out / "tables" / chapter.label / "claims.csv"
    if table not in _written(chapter, out, before)["tables"]:
        return []
    with table.open(encoding="utf-8", newline="") as lines:
        return [row | {"where": chapter.name} for row in csv.DictReader(lines)]


def _keep_results(chapter: Chapter, written: Mapping[str, list[Path]]) -> None:
    """Put what this run of the chapter made in the place of what results/ held of it."""
    results = notebooks_of(chapter).parent / "results" / chapter.label
    for kind, files in written.items():
        shutil.rmtree(results / kind, ignore_errors=True)
        for path in files:
            write_atomically(results / kind / path.name, path.read_bytes())


def _matches(chapter: Chapter, word: str) -> bool:
    bare = word.removesuffix(".ipynb")
    if word.isascii() and word.isdigit():
        return chapter.name.startswith(f"{int(word):02d}-")
    is_path = word != bare and Path(word).resolve() == chapter.path.resolve()
    return is_path or bare == chapter.name


def environment(chapter: Chapter, out: Path, scale: str) -> dict[str, str]:
    """The environment of a chapter's kernel."""
    variables = dict(os.environ)
    # One left over from a script would keep the figures out of the notebook.
    variables.pop("MPLBACKEND", None)
    # Relative folders count from where the command was called, not from the notebook.
    folders = {"LRCOURSE_RECORDS": out / "records"} | options.folders()
    variables |= {name: str(folder) for name, folder in folders.items()}
    return variables | {
        "LRCOURSE_CHAPTER": chapter.label,
        "LRCOURSE_OUT": str(out),
        "LRCOURSE_PROGRESS": "0",
        "LRCOURSE_SCALE": scale,
    }


def _outputs(chapter: Chapter, out: Path) -> Outputs:
    """Figures and tables of a chapter that are there, each with the time it was written."""
    return {
        kind: {
            path: path.stat().st_mtime_ns
            for path in (out / kind / chapter.label).glob("[!.]*")
            if path.is_file()
        }
        for kind in ("figures", "tables")
    }


def _written(chapter: Chapter, out: Path, before: Outputs) -> dict[str, list[Path]]:
    """Those of them that are new since `before`, or were written again."""
    return {
        kind: [path for path, time in made.items() if time != before[kind].get(path)]
        for kind, made in _outputs(chapter, out).items()
    }


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
