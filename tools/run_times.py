"""Measure how long each notebook runs, and write the page that says so: notebooks/run-times.md.

    python tools/run_times.py [--scale small] [CHAPTER ...]

Each notebook is executed twice in a folder of its own: from nothing, and then from the records
that the first time left. The measurements are kept in results/run-times.csv; one of the same
notebook, scale and device takes the place of an older one. Times of a busy machine are of no use:
run it alone.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import tempfile
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lrcourse.commands import chapters as runner  # noqa: E402
from lrcourse.commands.terminal import duration  # noqa: E402
from lrcourse.support.outputs import between, write_csv  # noqa: E402
from lrcourse.support.paths import write_atomically  # noqa: E402
from lrcourse.support.provenance import run_provenance  # noqa: E402

TABLE = ROOT / "results" / "run-times.csv"
PAGE = ROOT / "notebooks" / "run-times.md"
KEY = ("chapter", "scale", "device", "cores")
MARKS = "<!-- table: begin -->", "<!-- table: end -->"


def measure(chapter: runner.Chapter, scale: str) -> dict[str, object]:
    """Execute a notebook from nothing and from its records. Raises RuntimeError if it fails."""
    seconds = []
    os.environ.pop("LRCOURSE_RECORDS", None)
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            start = time.monotonic()
            if runner.run_chapters([chapter], Path(folder), scale=scale) != 0:
                raise RuntimeError(f"{chapter.name} failed at the scale {scale}: nothing measured")
            seconds.append(round(time.monotonic() - start))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    where = run_provenance(device)
    return {
        "chapter": chapter.name,
        "scale": scale,
        "device": where["device_name"] if device.type == "cuda" else "CPU",
        "cores": os.cpu_count(),
        "seconds": seconds[0],
        "seconds_from_records": seconds[1],
        "torch": where["torch"],
        "date": where["finished"][:10],
    }


def merged(old: list[dict], new: list[dict]) -> list[dict]:
    """Both lists, sorted; a new measurement stands for the old ones with the same key."""
    rows = {tuple(str(row[k]) for k in KEY): row for row in [*old, *new]}
    return sorted(rows.values(), key=lambda row: tuple(str(row[k]) for k in KEY))


def table(rows: list[dict]) -> str:
    """The measurements as a Markdown table."""
    if not rows:
        return "Nothing has been measured yet."
    lines = [
        "| notebook | scale | device | from nothing | from its records |",
        "|---|---|---|--:|--:|",
    ]
    for row in rows:
        device = f"{row['device']}, {row['cores']} cores"
        times = (duration(float(row[k])) for k in ("seconds", "seconds_from_records"))
        link = f"[{row['chapter']}]({row['chapter']}.ipynb)"
        lines.append(f"| {link} | {row['scale']} | {device} | {' | '.join(times)} |")
    return "\n".join(lines)


def read() -> list[dict]:
    """The measurements that are kept, as text."""
    if not TABLE.is_file():
        return []
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER", help="default: all")
    parser.add_argument("--scale", choices=("small", "full"), default="small")
    given = parser.parse_args(arguments)
    for chapter in runner.select(runner.find_chapters(ROOT / "notebooks"), given.chapters):
        rows = merged(read(), [measure(chapter, given.scale)])
        write_csv(TABLE, rows)
        write_atomically(PAGE, between(PAGE.read_text(encoding="utf-8"), MARKS, table(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
