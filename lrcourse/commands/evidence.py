"""`lrcourse evidence`: train anew, and write, what the pages hold as evidence."""

from __future__ import annotations

import ast
import contextlib
import datetime
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from nbformat import NotebookNode

from lrcourse.commands import chapters as runner
from lrcourse.commands import options
from lrcourse.commands.execution import execute, parse
from lrcourse.commands.terminal import CommandError, duration, say
from lrcourse.support.provenance import run_provenance
from lrcourse.sweeps import Records, evidence_files


def train(notebooks: Path, out: Path, wanted: Sequence[str]) -> int:
    """Execute the pages of the evidence that is wanted, each run anew, and write its files.

    Finished runs are kept below `out` until the files of their page are written, so that a second
    call goes on where one was ended. Returns 0, 1 (a page failed) or 130 (Ctrl-C). CommandError
    before the first training for an unknown name, a name on two pages, a folder that is none.
    """
    folder = options.folders().get("LRCOURSE_EVIDENCE") or notebooks.parent / "results" / "evidence"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise CommandError(
            f"the evidence cannot be written into {folder}: {problem.strerror}; nothing was trained"
        ) from None
    pages = _pages(notebooks)
    where = {name: page for page, names in pages.items() for name in names}
    if unknown := sorted(set(wanted) - set(where)):
        raise CommandError(
            f"no page has evidence called {', '.join(unknown)}; there is: {', '.join(where)}"
        )
    for page, names in pages.items():
        here = [name for name in names if not wanted or name in wanted]
        if here and (code := _train_page(page, here, folder, out.absolute() / "evidence")):
            return code
    return 0


def names_of(notebook: NotebookNode) -> list[str]:
    """The names that stand in the code cells' calls of `evidence`."""
    found: dict[str, None] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            with contextlib.suppress(SyntaxError):  # a line of IPython's
                found |= dict.fromkeys(_names_in(ast.parse(cell.source)))
    return list(found)


def _names_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and len(node.args) == 1:
            called = getattr(node.func, "attr", getattr(node.func, "id", None))
            name = getattr(node.args[0], "value", None)
            if called == "evidence" and isinstance(name, str):
                yield name


def _pages(notebooks: Path) -> dict[runner.Chapter, list[str]]:
    pages: dict[runner.Chapter, list[str]] = {}
    for chapter in runner.find_chapters(notebooks):
        try:
            names = names_of(parse(chapter.path.read_bytes()))
        except (OSError, ValueError) as problem:
            raise CommandError(f"{chapter.path} cannot be read: {problem}") from None
        for other, those in pages.items():
            if both := sorted(set(those) & set(names)):
                raise CommandError(
                    f"{other.name} and {chapter.name} both have evidence called "
                    f"{', '.join(both)}: a name belongs to one page"
                )
        if names:
            pages[chapter] = names
    return pages


def _train_page(page: runner.Chapter, names: list[str], folder: Path, out: Path) -> int:
    """Train the blocks of these names on a page and write their files; 0, 1 or 130."""
    kept = out / page.label
    asked, records = kept / "asked", kept / "records"
    shutil.rmtree(asked, ignore_errors=True)
    asked.mkdir(parents=True)
    environment = runner.environment(page, kept, "small") | {
        "LRCOURSE_ANEW": ",".join(names),
        "LRCOURSE_EVIDENCE": str(folder),
        "LRCOURSE_EVIDENCE_ASKED": str(asked),
        "LRCOURSE_RECORDS": str(records),
        "CUDA_VISIBLE_DEVICES": "",  # a GPU rounds otherwise
    }
    notebook = parse(page.path.read_bytes())
    begun = time.monotonic()
    try:
        with _Progress(page.name, records) as progress:
            failure = execute(notebook, page.path.parent, environment, on_cell=progress.at_cell)
    except KeyboardInterrupt:
        print(f"\nInterrupted. Call again to go on: finished runs are kept in {records}")
        return 130
    if failure:
        say(f"{page.name}  FAILED: {failure.cell}: {failure.line}", f"    {failure.error}")
        say(f"    nothing was written; finished runs are kept in {records}")
        return 1
    texts = {name: dict(_texts(asked / name, records)) for name in names}
    _refuse_shared(texts, folder)
    told = _provenance(page)
    for name in names:
        path = evidence_files.path_of(folder, name)
        size = evidence_files.write(path, texts[name].values(), told)
        say(f"{page.name}  {name}: {len(texts[name])} runs, {size / 1e6:.2f} MB in {path}")
    say(f"{page.name}  ok  {duration(time.monotonic() - begun)}")
    shutil.rmtree(kept)
    return 0


def _texts(asked: Path, records: Path) -> Iterator[tuple[str, str]]:
    """Of each run that a block asked for: its key and the text of its record."""
    keys = asked.read_text(encoding="ascii").split() if asked.exists() else []
    store = Records(records)
    for key in dict.fromkeys(keys):
        if store.read_run(key) is None:
            raise CommandError(
                f"{asked.name}: the run {key} left no record in {records}; give sweeps no "
                "records=... in a block of evidence",
                code=1,
            )
        yield key, store.path(key).read_text(encoding="utf-8")


def _refuse_shared(texts: Mapping[str, Mapping[str, str]], folder: Path) -> None:
    """CommandError where a run would lie in two files."""
    files: dict[str, Iterable[str]] = {
        name: evidence_files.read(evidence_files.path_of(folder, name))
        for name in evidence_files.names(folder)
        if name not in texts
    }
    if twice := evidence_files.in_two_files({**files, **texts}):
        key, holders = next(iter(twice.items()))
        raise CommandError(
            f"{len(twice)} runs, {key} among them, would lie in {' and '.join(holders)}: give "
            "their blocks one name. Nothing was written, and finished runs are kept",
            code=1,
        )


def _provenance(page: runner.Chapter) -> dict[str, Any]:
    return {
        "page": page.name,
        "commit": _commit(),
        "processor": torch.backends.cpu.get_cpu_capability(),
        **run_provenance("cpu"),
        "threads": 1,  # of a run
        "finished": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def _commit() -> str | None:
    """The commit of the code, with a plus sign where the package or a page differs from it."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=options.CHECKOUT, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "lrcourse", "notebooks")
        return git("rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


class _Progress:
    """One line on a terminal that tells the cell and how many runs are done, as they come."""

    def __init__(self, page: str, records: Path) -> None:
        self._page, self._records = page, Records(records)
        self._cell = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Progress:
        self._thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._over.set()
        self._thread.join()

    def at_cell(self, number: int, count: int) -> None:
        """Told before each cell."""
        self._cell = f"cell {number} of {count}, "

    def _watch(self) -> None:
        live = sys.stdout.isatty()
        begun, shown = time.monotonic(), None
        while not self._over.wait(1 if live else 30):
            told = f"{self._page}  {self._cell}{len(self._records.keys())} runs"
            if live:
                taken = duration(time.monotonic() - begun)
                print(f"\r{told}, {taken}\x1b[K", end="", flush=True)
            elif told != shown:
                print(told, flush=True)
            shown = told
        if live:
            print("\r\x1b[K", end="", flush=True)
