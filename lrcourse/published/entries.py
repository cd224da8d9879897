"""Numbers published elsewhere: every one that the course quotes stands once, in `numbers.toml`."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from lrcourse.support.checks import TEXT, arguments

UNITS = (
    "coordinate",
    "count",
    "fraction",
    "learning rate",
    "loss",
    "percent",
    "percent accuracy",
    "percent error",
    "ratio",
    "seconds",
)
"""The units that a published number may have; a fraction lies from 0 to 1."""

MARKS = {"A": "read in the authors' own artefact", "S": "quoted by a third party"}
"""How a published number was read, by the mark that stands behind it."""

_SHARED = ("source", "mark", "n", "exact", "note")


@dataclass(frozen=True)
class Entry:
    """One published number: a value, or mean and sd over n runs, in `unit`.

    Attributes:
        id: by which `get` finds it, such as "d2l.scheduler.constant.test_acc".
        experiment: what the numbers of its group are from, such as a paper's table.
        what: the run in it, such as "constant 0.3".
        metric: what was measured.
        unit: one of `UNITS`.
        value, sd, n: mean, standard deviation and number of runs; `sd` and `n` are None where the
            source gives none.
        decimals: how many digits the source prints after the point.
        exact: whether it is arithmetic, and no measurement.
        source: where it stands, `mark` (a key of `MARKS`) how it was read, `note` what to know.

    >>> from lrcourse.published import MARKS, Entry, get
    >>> entry = get("d2l.scheduler.constant.test_acc")
    >>> isinstance(entry, Entry), entry.what, entry.unit, entry.value
    (True, 'constant 0.3', 'fraction', 0.883)
    >>> MARKS[entry.mark]
    "read in the authors' own artefact"
    """

    id: str
    experiment: str
    what: str
    metric: str
    unit: str
    value: float
    decimals: int
    sd: float | None
    n: int | None
    exact: bool
    source: str
    mark: str
    note: str

    def __str__(self) -> str:
        spread = "" if self.sd is None else f" ± {self.sd:.{self.decimals}f}"
        runs = "" if self.n is None else f", n {self.n}"
        return f"{self.value:.{self.decimals}f}{spread}{runs} [{self.mark}]"


@arguments(id=TEXT)
def get(id: str) -> Entry:
    """The entry of this `id`; KeyError with the closest ids where there is none.

    >>> from lrcourse import published
    >>> print(published.get("d2l.scheduler.constant.test_acc"))
    0.883 ± 0.012, n 49 [A]
    """
    entries = _entries()
    if id not in entries:
        raise KeyError(f"no published number {id!r}{_closest(id, entries)}")
    return entries[id]


@arguments(prefix=TEXT)
def find(prefix: str = "") -> list[Entry]:
    """The entries whose id is `prefix` or goes on after it with a dot, in the file's order.

    KeyError with the closest ids where there is none; "" gives all.

    >>> from lrcourse import published
    >>> [entry.metric for entry in published.find("d2l.scheduler.constant")]
    ['training loss', 'training accuracy', 'test accuracy']
    """
    entries = _entries()
    found = [entries[id] for id in entries if not prefix or f"{id}.".startswith(f"{prefix}.")]
    if not found:
        beginnings = {id[: len(prefix)] for id in entries}
        raise KeyError(f"no published number begins with {prefix!r}{_closest(prefix, beginnings)}")
    return found


@cache
def _entries() -> dict[str, Entry]:
    return parse(Path(__file__).with_name("numbers.toml").read_text(encoding="utf-8"))


@arguments(text=TEXT)
def parse(text: str) -> dict[str, Entry]:
    """The entries of a TOML `text` shaped as numbers.toml, by id.

    Raises ValueError for what is incomplete or unknown, naming it.

    >>> from lrcourse.published import parse
    >>> text = '''
    ... [metrics]
    ... loss = { name = "loss", unit = "loss" }
    ... [[groups]]
    ... prefix = "paper"
    ... title = "A net of two layers"
    ... source = "table 1"
    ... mark = "A"
    ... note = "one run"
    ... runs.sgd = { what = "SGD at 0.1", loss = 0.250 }
    ... '''
    >>> {id: str(entry) for id, entry in parse(text).items()}
    {'paper.sgd.loss': '0.250 [A]'}
    """
    # Decimal, because 0.270 and 0.27 are not the same claim.
    content = tomllib.loads(text, parse_float=Decimal)
    if lacks := [name for name in ("metrics", "groups") if not content.get(name)]:
        raise ValueError(f"the text has no [{lacks[0]}]")
    metrics = content["metrics"]
    entries: dict[str, Entry] = {}
    for group in content["groups"]:
        for run, said in _runs(group["prefix"], group["runs"]):
            shared = {key: said.get(key, group.get(key)) for key in _SHARED}
            for metric, printed in said.items():
                if metric == "what" or metric in _SHARED:
                    continue
                id = f"{run}.{metric}"
                if metric not in metrics:
                    raise ValueError(f"{id}: {metric!r} is not in [metrics]")
                if id in entries:
                    raise ValueError(f"{id} stands twice")
                entries[id] = _entry(id, group, said["what"], metrics[metric], printed, shared)
    return entries


def _runs(prefix: str, table: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every run with its full name; one without `what` is a folder of others."""
    for name, said in table.items():
        full = f"{prefix}.{name}"
        if not isinstance(said, Mapping):
            raise ValueError(f"{full}: a run needs to say what it is (what = ...)")
        if "what" in said:
            yield full, said
        else:
            yield from _runs(full, said)


def _entry(
    id: str,
    group: Mapping[str, Any],
    what: str,
    metric: Mapping[str, str],
    printed: Any,
    shared: Mapping[str, Any],
) -> Entry:
    value, sd = printed if isinstance(printed, list) else (printed, None)
    for missing in ("source", "mark", "note"):
        if not shared[missing]:
            raise ValueError(f"{id} has no {missing}")
    if not what or not group.get("title"):
        raise ValueError(f"{id} does not say what it is")
    if shared["mark"] not in MARKS:
        raise ValueError(f"{id}: mark is {shared['mark']!r}, not one of {', '.join(MARKS)}")
    if metric["unit"] not in UNITS:
        raise ValueError(f"{id}: unit is {metric['unit']!r}, not one of {', '.join(UNITS)}")
    if sd is not None and (sd <= 0 or shared["exact"]):
        raise ValueError(f"{id}: sd is {sd}, and it is for measured values only, above 0")
    return Entry(
        id=id,
        experiment=group["title"],
        what=what,
        metric=metric["name"],
        unit=metric["unit"],
        value=float(value),
        decimals=len(f"{Decimal(value):f}".partition(".")[2]),
        sd=None if sd is None else float(sd),
        **{**shared, "exact": bool(shared["exact"])},
    )


def _closest(given: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(given, sorted(known), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(close)}?" if close else ""
