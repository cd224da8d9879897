"""The claims page on several sets of fresh seeds: every verdict has to come out the same.

    python tests/soak_claims.py [--first 2000 0] [--records FOLDER]

Prints each claim with its effect on every set. Exit code 1 if a verdict differs or is not the one
that the page expects. Minutes for each set; with --records a second call takes seconds.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "notebooks" / "claims.ipynb"
SEED_LINE = "FIRST = 2000 "


def verdicts(first: int, folder: Path) -> dict[str, dict[str, str]]:
    """Sentence -> its row in the table of claims, with seeds from ``first`` on."""
    source = PAGE.read_text(encoding="utf-8")
    if source.count(SEED_LINE) != 1:
        sys.exit(f"{PAGE.name} has no single line {SEED_LINE!r} that says where the seeds begin")
    notebooks = folder / f"seeds-from-{first}"
    notebooks.mkdir()
    page = notebooks / "01-claims.ipynb"
    page.write_text(source.replace(SEED_LINE, f"FIRST = {first} "), encoding="utf-8")
    out = notebooks / "out"
    command = [sys.executable, "-m", "lrcourse", "run", "--out", out, "--notebooks", notebooks]
    subprocess.run(command, check=False)
    table = out / "tables" / "01-claims" / "claims.csv"
    if not table.exists():
        sys.exit(f"no table of claims from the seeds {first}: see {notebooks}")
    with table.open(encoding="utf-8", newline="") as lines:
        return {row["sentence"]: row for row in csv.DictReader(lines)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, nargs="+", default=[2000, 0], help="first seeds")
    parser.add_argument("--records", type=Path, help="folder of the runs (default: a new one)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["LRCOURSE_RECORDS"] = str((options.records or folder / "records").absolute())
        found = {first: verdicts(first, folder) for first in options.first}
    sentences = list(dict.fromkeys(s for rows in found.values() for s in rows))
    problems = 0
    for sentence in sentences:
        rows = [found[first].get(sentence) for first in options.first]
        same = all(row and row["verdict"] == row["expected"] for row in rows)
        problems += not same
        told = [
            f"{row['verdict']} {float(row['effect']):.3g} "
            f"[{float(row['low']):.3g}, {float(row['high']):.3g}]"
            if row
            else "missing"
            for row in rows
        ]
        print(f"{'ok ' if same else 'BAD'} {sentence}: {' | '.join(told)}")
    print(f"{len(sentences)} claims on seeds from {options.first}: {problems} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
