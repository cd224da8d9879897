"""Published beside reproduced: the rows of the table and their verdicts."""

from __future__ import annotations

import html
import math
import os
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lrcourse.published.entries import MARKS, Entry, get
from lrcourse.support import outputs
from lrcourse.support.checks import TEXT, arguments, kind, shown, such

WITHIN_SDS = 2
_HEADER = ("what", "published", "reproduced", "distance", "verdict")


@dataclass(frozen=True)
class Row:
    """One published number and its reproduction, both in the entry's unit.

    `difference` is reproduced less published, `sds` the same in published standard
    deviations; None where there is nothing to compute them from. `reproduced_n` counts the
    runs that ended with a number.
    """

    entry: Entry
    reproduced: float | None
    reproduced_sd: float | None
    reproduced_n: int
    diverged: int
    missing: int
    difference: float | None
    sds: float | None
    verdict: str

    def values(self) -> dict[str, object]:
        """What a table keeps of it, by column."""
        entry, own = self.entry, dict(vars(self))
        del own["entry"]
        left = {name: getattr(entry, name) for name in ("id", "what", "metric", "unit")}
        left |= {"published": entry.value, "published_sd": entry.sd, "published_n": entry.n}
        return left | own | {name: getattr(entry, name) for name in ("mark", "source", "note")}

    def cells(self) -> tuple[str, str, str, str, str]:
        """What, published, reproduced, distance and verdict, as text."""
        entry = self.entry
        published = self._number(entry.value, entry.sd)
        published += "" if entry.n is None else f" (n {entry.n})"
        published += f" [{entry.mark}]"
        reproduced = "-"
        if self.reproduced is not None:
            reproduced = self._number(self.reproduced, self.reproduced_sd)
            reproduced += f" (n {self.reproduced_n}{self._lost()})"
        what = f"{entry.what}: {entry.metric}"
        return what, published, reproduced, self._distance(), self.verdict

    def _number(self, value: float, sd: float | None) -> str:
        # A mean of counts may fall between them.
        decimals = self.entry.decimals
        digits = f".{decimals}f" if decimals or value == round(value) else ".4g"
        return f"{value:{digits}}" + ("" if sd is None else f" ± {sd:{digits}}")

    def _lost(self) -> str:
        lost = [f"{self.diverged} diverged"] if self.diverged else []
        lost += [f"{self.missing} missing"] if self.missing else []
        return "".join(f", {one}" for one in lost)

    def _distance(self) -> str:
        if self.sds is not None:
            return f"{self.sds:+.1f} sd"
        return "-" if self.difference is None else f"{self.difference:+.2g}"


@dataclass(frozen=True, repr=False)
class Comparison:
    """The table of a `lrcourse.published.compare`; a notebook shows it as such."""

    rows: tuple[Row, ...]
    marks: Mapping[str, str]

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write every field of every row, unrounded; OSError where that cannot be done."""
        outputs.write_csv(path, [row.values() for row in self.rows])

    def keep(self, name: str) -> Comparison:
        """Write the table where a headless run keeps its tables, if it is one; give itself."""
        path = outputs.table_path(name)
        if path is not None:
            self.to_csv(path)
        return self

    def __str__(self) -> str:
        table = [_HEADER, *(row.cells() for row in self.rows)]
        widths = [max(len(line[i]) for line in table) for i in range(len(_HEADER))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in table
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([*lines, self._legend()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        def line(tag: str, cells: Iterable[str]) -> str:
            inside = "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)
            return f"<tr>{inside}</tr>"

        body = "\n".join(line("td", row.cells()) for row in self.rows)
        return (
            f"<table>\n<thead>{line('th', _HEADER)}</thead>\n<tbody>\n{body}\n</tbody>\n</table>\n"
            f"<p>{html.escape(self._legend())}</p>"
        )

    def _legend(self) -> str:
        return "; ".join(f"[{mark}] {meaning}" for mark, meaning in self.marks.items())


_BY_ID = such(kind("{id: values}", Mapping), len, "{id: values}, not empty: nothing to compare")


@arguments(reproduced=_BY_ID, name=TEXT)
def compare(reproduced: Mapping[str, Any], *, name: str = "published") -> Comparison:
    """What was measured here beside what was published, one row per id of `reproduced`.

    Its values are a number, or numbers over seeds (sequence, array, or mapping seed -> value),
    in the entry's unit; None for a run that is missing, NaN or infinite for one that diverged.
    The verdict of a row is
      - "agrees": the mean lies within two published sds of the published one, or an exact value
        has the printed digits; "higher" and "lower" otherwise;
      - "no band": nothing published says how far two runs may differ;
      - "2 of 10 diverged", "diverged" or "not run": there is no mean to compare.

    A headless run keeps the table as `<name>.csv`.

    Raises:
        KeyError: An id that is not known.
        ValueError: No ids; values that are no numbers, or outside 0 to 1 for a fraction; a bad
            `name`.
        TypeError: `reproduced` that is no mapping.

    >>> from lrcourse import published
    >>> table = published.compare({"d2l.scheduler.constant.test_acc": [0.88, 0.89]})
    >>> table.rows[0].verdict
    'agrees'
    """
    rows = tuple(_row(get(id), values) for id, values in reproduced.items())
    marks = {mark: MARKS[mark] for mark in sorted({row.entry.mark for row in rows})}
    return Comparison(rows, marks).keep(name)


def _row(entry: Entry, values: Any) -> Row:
    """The row of one published number; verdicts and errors as `compare`."""
    given = _numbers(entry, values)
    finite = [value for value in given if value is not None and math.isfinite(value)]
    missing = given.count(None)
    diverged = len(given) - missing - len(finite)
    mean = statistics.fmean(finite) if finite else None
    difference = None if mean is None else mean - entry.value
    return Row(
        entry=entry,
        reproduced=mean,
        reproduced_sd=statistics.stdev(finite) if len(finite) > 1 else None,
        reproduced_n=len(finite),
        diverged=diverged,
        missing=missing,
        difference=difference,
        sds=None if difference is None or entry.sd is None else difference / entry.sd,
        verdict=_verdict(entry, finite, difference, diverged),
    )


def _verdict(entry: Entry, finite: list[float], difference: float | None, diverged: int) -> str:
    if diverged:
        # A mean over the survivors would flatter the setting that lost the others.
        return f"{diverged} of {diverged + len(finite)} diverged" if finite else "diverged"
    if difference is None:
        return "not run"
    if entry.exact:
        printed = f"{entry.value:.{entry.decimals}f}"
        if all(f"{value:.{entry.decimals}f}" == printed for value in finite):
            return "agrees"
    elif entry.sd is None:
        return "no band"
    # The tolerance is for a mean that lies on the edge but for its last binary digit.
    elif abs(difference) <= WITHIN_SDS * entry.sd * (1 + 1e-9):
        return "agrees"
    return "higher" if difference > 0 else "lower"


def _numbers(entry: Entry, values: Any) -> list[float | None]:
    if isinstance(values, Mapping):
        values = list(values.values())
    # A zero-dimensional array or tensor has __iter__, but is one number.
    single = not isinstance(values, Iterable) or getattr(values, "ndim", 1) == 0
    try:
        numbers = [
            None if value is None else _number(value) for value in ([values] if single else values)
        ]
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"{entry.id}: the values are not numbers ({error}): give one, or one per seed"
        ) from None
    outside = [v for v in numbers if v is not None and math.isfinite(v) and not 0 <= v <= 1]
    if entry.unit == "fraction" and outside:
        raise ValueError(
            f"{entry.id} is a fraction, and {outside[0]:g} is not between 0 and 1: 88.3 % is 0.883"
        )
    return numbers


def _number(value: Any) -> float:
    if isinstance(value, str | bytes):
        raise TypeError(f"{shown(value)} is a text")
    return float(value)
