"""Every page of claims on fresh seeds: how many verdicts come out the same?

    python tests/soak/soak_claims.py [PAGE ...] [--shift 10000 ...] [--records FOLDER]
    python tests/soak/soak_claims.py --fresh [PAGE ...]

With --fresh every page (or those named) is judged once with its judging seeds moved by a shift that
results/soak.csv does not have yet, and each claim's verdict is appended there, beside the stored
one, with date and commit. What is killed goes on at the next call: pages that have the latest shift
are done, and finished runs are kept under build/soak. In the end it prints how many verdicts came
out otherwise in all soaks, as `lrcourse.claims.flips` counts them.

Without it a page is judged as it stands and with all its judging seeds moved by each --shift; each
claim is printed with its effect on every set. Exit code 1 if one turns from HOLDS to FAILS or back.
Minutes for each set; with --records a second call takes seconds.

A page is named by its label: 00-recipe, evidence-03-warmup, own-model.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
from helpers.repository import ROOT
from nbclient import NotebookClient

from lrcourse.claims import flips
from lrcourse.commands.chapters import find_chapters
from lrcourse.support.outputs import write_csv

PAGES = {page.label: page.path for page in find_chapters(ROOT / "notebooks")}
SOAK = ROOT / "results" / "soak.csv"
FIRST_SHIFT, NEXT_SHIFT = 100_000, 10_000  # no page's own seeds reach so far

# Which numbers of a chapter's code are its judging seeds: those that the first group matches.
SEEDS = {
    "00-recipe": r"SEEDS = range\((10, 16)\)",
    "evidence-02-schedulers": r"FIRST = (2000) |range\((2200, 2210)\)|seeds=range\(([\d, ]+)\)",
    "evidence-03-warmup": r"\b(3[0-7]\d\d)\b|FIRST = (2000)",
    "evidence-04-cyclical": r"wide_seeds = range\((2000, 2064)\)|\b(4\d\d\d|50\d\d|5[12]\d\d)\b",
    "evidence-05-optimizers": r"(?:FIRST|EARLIER) = (\d+)",
    "evidence-01-size": r"FIRST = (2000) |(?:seeds? ?=|(?:k|seed) in|eight =) ?range\(([\d, ]+)\)",
    "own-model": r"seeds(?: =|=)\s?range\(([\d, ]+)\)",
    "playground": r"for seed in range\(([\d, ]+)\)",
}
# A claim that comes out otherwise raises; those after it are to be judged, too.
GO_ON = """
from lrcourse import claims as page_claims

def judge_and_go_on(*arguments, first=page_claims.claim, **options):
    try:
        first(*arguments, **options)
    except page_claims.ClaimError:
        pass

page_claims.claim = judge_and_go_on
"""

Rows = dict[str, dict[str, str]]


def moved(source: str, pattern: str, move: Callable[[int], int]) -> str:
    """The code with every judging seed moved; ``range(10)`` becomes a range of ten others."""

    def written(match: re.Match) -> str:
        k = next(k for k, group in enumerate(match.groups(), start=1) if group is not None)
        numbers = [int(number) for number in match[k].split(",")]
        if match[0].rstrip(") ").endswith(match[k]) and "range(" in match[0] and len(numbers) == 1:
            numbers.insert(0, 0)
        told = ", ".join(str(move(number)) for number in numbers)
        return match[0].replace(match[k], told)

    return re.sub(pattern, written, source)


def verdicts(page: str, pattern: str, move: Callable[[int], int], folder: Path) -> Rows:
    """Sentence -> its row in the table of claims, with the page's judging seeds moved."""
    notebook = nbformat.read(PAGES[page], as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = moved(cell.source, pattern, move)
    out = folder / f"{page}-{move(0)}"
    os.environ |= {"LRCOURSE_OUT": str(out), "LRCOURSE_CHAPTER": page, "LRCOURSE_SCALE": "small"}
    notebook.cells.insert(0, nbformat.v4.new_code_cell(GO_ON))
    where = {"metadata": {"path": str(PAGES[page].parent)}}
    NotebookClient(notebook, timeout=1800, resources=where).execute()
    table = out / "tables" / page / "claims.csv"
    if not table.exists():
        sys.exit(f"no table of claims of {page} under {out}")
    with table.open(encoding="utf-8", newline="") as lines:
        return {row["sentence"]: row for row in csv.DictReader(lines)}


def told(row: dict[str, str] | None) -> str:
    """A verdict with its effect and interval."""
    if row is None:
        return "missing"
    if not row["effect"]:
        return row["verdict"]
    numbers = (f"{float(row[name]):.3g}" for name in ("effect", "low", "high"))
    return "{} {} [{}, {}]".format(row["verdict"], *numbers)


def outcome(row: dict[str, str] | None) -> str:
    """A verdict as it is expected: one that is not that large fails."""
    if row is None:
        return "missing"
    return "fails" if row["verdict"] == "not that large" else row["verdict"]


def compare(page: str, sets: list[Rows]) -> tuple[int, int]:
    """Print each claim with its verdicts; how many differ, and how many are turned round."""
    differ = turned = 0
    for sentence in dict.fromkeys(sentence for rows in sets for sentence in rows):
        rows = [found.get(sentence) for found in sets]
        found = {outcome(row) for row in rows}
        expected = {row["expected"] for row in rows if row}
        same = found == expected and len(found) == 1
        differ += not same
        turned += "missing" in found or {"holds", "fails"} <= found | expected
        print(f"{'ok ' if same else 'BAD'} {page}: {sentence}: {' | '.join(map(told, rows))}")
    return differ, turned


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a table that may not be there yet."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def fresh_shift(rows: list[dict[str, str]], pages: list[str]) -> tuple[int, list[str]]:
    """The shift to go on with, and the pages that have not been judged on it."""
    latest = max((int(row["shift"]) for row in rows), default=FIRST_SHIFT - NEXT_SHIFT)
    done = {row["page"] for row in rows if int(row["shift"]) == latest}
    left = [page for page in pages if page not in done]
    return (latest, left) if done and left else (latest + NEXT_SHIFT, pages)


def beside_stored(page: str, shift: int, here: Rows) -> list[dict[str, str]]:
    """The rows of results/soak.csv for a page that was judged on a shift."""
    stored = {row["sentence"]: row for row in rows_of(ROOT / f"results/{page}/tables/claims.csv")}
    asked = ["git", "describe", "--always", "--abbrev=10", "--exclude=*", "--dirty"]
    commit = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True)
    about = {
        "date": datetime.date.today().isoformat(),
        "commit": commit.stdout.strip(),
        "page": page,
        "shift": str(shift),
        "processor": os.environ.get("ATEN_CPU_CAPABILITY", "own"),
    }
    missing = {"verdict": "missing"}
    return [
        about
        | {"claim": sentence}
        | {"stored": stored.get(sentence, missing)["verdict"]}
        | {"here": here.get(sentence, missing)["verdict"]}
        for sentence in {**stored, **here}
    ]


def append(path: Path, rows: list[dict[str, str]]) -> None:
    """Add rows at the end of a table."""
    before = rows_of(path)
    write_csv(path, [*before, *rows])


def soak_afresh(pages: list[str], path: Path) -> int:
    """Judge the pages on a shift that the table does not have, and add what comes out."""
    shift, left = fresh_shift(rows_of(path), pages)
    folder = ROOT / "build" / "soak"
    os.environ["LRCOURSE_RECORDS"] = str(folder / "records")
    for page in left:
        started = time.monotonic()
        here = verdicts(page, SEEDS[page], lambda seed: seed + shift, folder)
        rows = beside_stored(page, shift, here)
        append(path, rows)
        print(f"{page}, shift {shift}, {time.monotonic() - started:.0f} s: {flips(rows)}")
    print(flips(rows_of(path)))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="on seeds never used before")
    parser.add_argument("--table", type=Path, default=SOAK, help="of --fresh: results/soak.csv")
    parser.add_argument("pages", nargs="*", help="labels of notebooks; default: all with claims")
    parser.add_argument("--shift", type=int, nargs="+", default=[10_000])
    parser.add_argument("--records", type=Path, help="folder of the runs (default: a new one)")
    options = parser.parse_args()
    pages = options.pages or list(SEEDS)
    if options.fresh:
        return soak_afresh(pages, options.table)
    bad = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["LRCOURSE_RECORDS"] = str((options.records or folder / "records").absolute())
        for page in pages:
            sets = [
                verdicts(page, SEEDS[page], lambda seed, by=by: seed + by, folder)
                for by in (0, *options.shift)
            ]
            differ, turned = compare(page, sets)
            print(f"{page}: {len(sets[0])} claims on {len(sets)} sets of seeds: {differ} differ")
            bad += turned
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
