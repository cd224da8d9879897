"""Every page of claims on fresh seeds: how many verdicts come out the same?

    python tests/soak/soak_claims.py [PAGE ...] [--first 2000 0] [--shift 10000] [--records FOLDER]

The claims page is judged on the sets of seeds that begin at --first, and every verdict has to be
the one that the page expects. A chapter is judged as it stands and with all its judging seeds moved
by --shift; verdicts that another set turns are listed. Both print each claim with its effect on
every set. Exit code 1 if a verdict of the claims page is not as expected, or if in a chapter one
turns from HOLDS to FAILS or back. Minutes for each set; with --records a second call takes seconds.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import nbformat
from helpers.repository import ROOT
from nbclient import NotebookClient

NOTEBOOKS = ROOT / "notebooks"

# Which numbers of a chapter's code are its judging seeds: those that the first group matches.
SEEDS = {
    "01-size": r"(?:seeds? =|(?:k|seed) in|eight =) range\(([\d, ]+)\)",
    "02-schedulers": r"range\((2200, 2210)\)|seeds=range\(([\d, ]+)\)",
    "03-warmup": r"\b(3[0-4]\d\d)\b",
    "04-cyclical": r"\b(4[0-8]\d\d)\b",
    "05-optimizers": r"FIRST = (5000)",
    "more-claims": r"\b(3[0-5]\d\d|4[0-8]\d\d)\b",
    "own-model": r"seeds(?: =|=)\s?range\(([\d, ]+)\)",
}
CLAIMS_FIRST = r"FIRST = (2000) "

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
    notebook = nbformat.read(NOTEBOOKS / f"{page}.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = moved(cell.source, pattern, move)
    out = folder / f"{page}-{move(0)}"
    os.environ |= {"LRCOURSE_OUT": str(out), "LRCOURSE_CHAPTER": page, "LRCOURSE_SCALE": "small"}
    notebook.cells.insert(0, nbformat.v4.new_code_cell(GO_ON))
    where = {"metadata": {"path": str(NOTEBOOKS)}}
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="*", help="of the claims page and the chapters; default: it")
    parser.add_argument("--first", type=int, nargs="+", default=[2000, 0], help="first seeds")
    parser.add_argument("--shift", type=int, nargs="+", default=[10_000], help="of chapters")
    parser.add_argument("--records", type=Path, help="folder of the runs (default: a new one)")
    options = parser.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["LRCOURSE_RECORDS"] = str((options.records or folder / "records").absolute())
        for page in options.pages or ["claims"]:
            is_claims = page == "claims"
            pattern = CLAIMS_FIRST if is_claims else SEEDS[page]
            shifts = [first - 2000 for first in options.first] if is_claims else [0, *options.shift]
            sets = [verdicts(page, pattern, lambda seed, by=by: seed + by, folder) for by in shifts]
            differ, turned = compare(page, sets)
            print(f"{page}: {len(sets[0])} claims on {len(sets)} sets of seeds: {differ} differ")
            bad += differ if is_claims else turned
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
