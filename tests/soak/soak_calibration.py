"""How often each kind of evidence errs, from 40,000 samples a cell: results/calibration.csv.

    python tests/soak/soak_calibration.py [--repeats 40000] [--out FILE]

Prints the table, in per cent: false holds / false fails (refused samples). Nominal are 0.5 a side.
Exit code 1 where a cell errs more often than it may. A minute or two.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from helpers.calibration import AT_MOST, SEEDS, Row, table
from helpers.repository import ROOT

from lrcourse.support.outputs import write_csv

OUT = ROOT / "results" / "calibration.csv"


def tabulated(rows: list[Row]) -> list[dict[str, str]]:
    """One line for each kind of evidence and data: false holds / false fails (refused)."""
    lines = []
    for evidence, data in dict.fromkeys((row.evidence, row.data) for row in rows):
        those = [row for row in rows if (row.evidence, row.data) == (evidence, data)]
        cells = {
            row.seeds: f"{100 * row.false_holds:.2f} / {100 * row.false_fails:.2f} "
            f"({100 * row.refused:.0f})"
            for row in those
        }
        lines.append(
            {"evidence": evidence, "of the": those[0].names, "data": data}
            | {f"{n} seeds": cells.get(n, "refused") for n in SEEDS}
            | {"at most 0.7 %": "yes" if max(row.worst for row in those) <= AT_MOST else "no"}
        )
    return lines


def told(lines: list[dict[str, str]]) -> str:
    """The same as text."""
    wide = {name: max(len(line[name]) for line in [*lines, {name: name}]) for name in lines[0]}
    rows = [{name: name for name in wide}, *lines]
    return "\n".join("  ".join(f"{row[name]:<{wide[name]}}" for name in wide) for row in rows)


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=40_000, help="samples in each cell")
    parser.add_argument("--out", type=Path, default=OUT, help="default: results/calibration.csv")
    given = parser.parse_args(arguments)
    rows = list(table(given.repeats))
    print(told(tabulated(rows)))
    write_csv(given.out, tabulated(rows))
    # By chance one share in a thousand exceeds its limit by more.
    wrong = [
        row for row in rows if row.worst > row.limit + 3.1 * math.sqrt(row.limit / given.repeats)
    ]
    for row in wrong:
        print(f"errs more often than {row.limit:.1%}: {row}")
    print(f"{len(rows)} cells of {given.repeats:,} samples, {len(wrong)} err too often")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
