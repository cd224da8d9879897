"""Which cells of the chapters take the longest, in processor time and on the clock.

    python tools/heaviest_cells.py [--scale small] [--most 20] [CHAPTER ...]

Each chapter is executed from nothing, in a folder of its own. Processor time is that of the kernel
and of all processes that it started, so it says more than the clock on a machine that has other
work. A cell that takes more than half a minute of the clock on two idle cores is to be split.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lrcourse.commands import chapters as runner  # noqa: E402
from lrcourse.commands.execution import execute, parse  # noqa: E402

Row = tuple[float, float, str, int, str]  # processor seconds, seconds, chapter, cell, first line


def processor_seconds() -> float:
    """Of all that this process started and that is alive, and of what has ended below it."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
        total += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return total


def measure(chapter: runner.Chapter, scale: str, folder: Path) -> Iterator[Row]:
    """A row for each code cell. Raises RuntimeError where one fails."""
    notebook = parse(chapter.path.read_bytes())
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    seen: list[tuple[float, float]] = []

    def look(*_: int) -> None:
        seen.append((processor_seconds(), time.monotonic()))

    os.environ.pop("LRCOURSE_RECORDS", None)
    environment = os.environ | {
        "LRCOURSE_CHAPTER": chapter.label,
        "LRCOURSE_OUT": str(folder),
        "LRCOURSE_RECORDS": str(folder / "records"),
        "LRCOURSE_PROGRESS": "0",
        "LRCOURSE_SCALE": scale,
    }
    # The kernel is gone when the last cell is done: one more tells when that was.
    notebook.cells.append(nbformat.v4.new_code_cell("None"))
    if failure := execute(notebook, chapter.path.parent, environment, on_cell=look):
        raise RuntimeError(f"{chapter.name}, {failure.cell}: {failure.error}")
    for k, cell in enumerate(cells):
        processor, clock = (after - before for before, after in zip(*seen[k : k + 2], strict=True))
        yield processor, clock, chapter.name, k + 1, cell.source.strip().split("\n")[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("chapters", nargs="*")
    parser.add_argument("--scale", default="small")
    parser.add_argument("--most", type=int, default=20)
    options = parser.parse_args()
    chosen = runner.select(runner.find_chapters(ROOT / "notebooks"), options.chapters)
    rows: list[Row] = []
    for chapter in chosen:
        with tempfile.TemporaryDirectory() as folder:
            made = list(measure(chapter, options.scale, Path(folder)))
        rows += made
        used, taken = sum(row[0] for row in made), sum(row[1] for row in made)
        print(f"{chapter.name}: {used:.0f} s of processor time, {taken:.0f} s", flush=True)
    print(f"\n{'processor':>10} {'clock':>8}  cell")
    for processor, clock, name, number, line in sorted(rows, reverse=True)[: options.most]:
        print(f"{processor:>8.1f} s {clock:>6.1f} s  {name} [{number}] {line[:60]}")


if __name__ == "__main__":
    main()
