"""The margins of the course's claims: each with its reason, planned seeds, power and revision.

They stand in `margins.toml` beside the notebooks. A claim finds its own there by its sentence, and
prints how often its margin has moved. Where the package lies in no repository there is no such
file, and a claim prints no more than it knows by itself.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from lrcourse.support.checks import (
    COUNT_FROM_1,
    FRACTION,
    NUMBER,
    PATH,
    POSITIVE,
    TEXT,
    arguments,
    check,
    each,
    optional,
    shown,
    such,
)

# Where the package lies: the repository, or the folder of installed packages.
MARGINS = Path(__file__).resolve().parents[2] / "notebooks" / "margins.toml"

_WORDS = such(TEXT, str.strip, "words")


@dataclass(frozen=True)
class Margin:
    """What was planned for one claim.

    Attributes:
        sentence: what is claimed, as its line prints it.
        margin: the smallest effect of interest, as the line prints it: "> 2", "0.9 to 1.1".
        reason: why that effect is the smallest of interest, in a sentence.
        n: the number of seeds (of runs, for a share).
        seeds: which, as in "2000-2009" or "0-7, 20-27".
        power: the chance of the expected verdict on so many fresh seeds, where `effect` and `sd`
            are true.
        effect: what is assumed: the true effect, in its own unit; of two arms that are counted, the
            share in each.
        sd: standard deviation over seeds that is assumed, of the logarithm for ratios; None for
            counts.
        revision: 1, and one more each time that the margin moved after data were seen.
        moved: what moved and why, one sentence for each revision after the first.

    >>> from lrcourse.claims import Margin
    >>> margin = Margin("It helps", "> 0.01", "A point can be seen.", 10, "0-9", 0.98, 0.03, 0.01)
    >>> margin.revision
    1
    """

    sentence: str
    margin: str
    reason: str
    n: int
    seeds: str
    power: float
    effect: float | tuple[float, ...]
    sd: float | None = None
    revision: int = 1
    moved: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check(
            self, sentence=_WORDS, margin=_WORDS, reason=_WORDS, n=COUNT_FROM_1, seeds=_WORDS,
            power=FRACTION, effect=_effect, sd=optional(POSITIVE), revision=COUNT_FROM_1,
            moved=each(_WORDS, 0, tuple),
        )  # fmt: skip
        if len(self.moved) != self.revision - 1:
            raise ValueError(
                f"Margin: moved is {shown(list(self.moved))} for revision {self.revision}: give "
                f"{self.revision - 1} sentences, what moved and why for each one after the first"
            )


def _effect(owner: str, name: str, value: object) -> float | tuple[float, ...]:
    """Rule: a number, or the shares of two arms."""
    if not isinstance(value, list | tuple):
        return NUMBER(owner, name, value)
    if len(value) != 2:
        raise ValueError(f"{owner}: {name} must be a number or two shares; got {shown(value)}")
    return each(FRACTION, 2, tuple)(owner, name, value)


@arguments(path=PATH)
def read_margins(path: str | os.PathLike[str] = MARGINS) -> dict[str, dict[str, Margin]]:
    """The margins of each page in the file `path`, by sentence; none where there is no such file.

    The file is TOML, and a page a list of tables with the fields of `Margin`. A file that has not
    changed is read once.

    Raises ValueError for what is no such file, with the entry at fault and what would be right:
    a field that is missing or unknown, a value of another kind, a sentence that stands twice.

    >>> from lrcourse.claims import read_margins
    >>> read_margins("no-such-file.toml")
    {}
    """
    path = Path(path)
    try:
        changed = path.stat().st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return _read(path, changed)


def planned(sentence: str) -> Margin | None:
    """The entry of the course's file for a sentence; None where there is none.

    A sentence that the course does not make, as those of an exercise, has none.
    """
    for page in read_margins(MARGINS).values():
        if sentence in page:
            return page[sentence]
    return None


@lru_cache(maxsize=4)
def _read(path: Path, changed: int) -> dict[str, dict[str, Margin]]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise ValueError(f"{path} cannot be read as TOML: {problem}") from None
    pages: dict[str, dict[str, Margin]] = {}
    stands: dict[str, str] = {}
    for page, entries in content.items():
        if not isinstance(entries, list):
            raise ValueError(
                f"{path}: {page} is {shown(entries)}, and a page is a list of entries: begin each "
                f"with [[{page}]]"
            )
        pages[page] = {}
        for number, said in enumerate(entries, start=1):
            where = f"{path}, [[{page}]], entry {number}"
            margin = _margin(where, said)
            if margin.sentence in stands:
                raise ValueError(
                    f"{where}: {margin.sentence!r} stands in [[{stands[margin.sentence]}]] too: "
                    "leave one of them out"
                )
            stands[margin.sentence] = page
            pages[page][margin.sentence] = margin
    return pages


def _margin(where: str, said: object) -> Margin:
    if not isinstance(said, Mapping):
        raise ValueError(f"{where} is {shown(said)}: give a table of fields")
    where += f" ({shown(said['sentence'])})" if "sentence" in said else ""
    known = [field.name for field in fields(Margin)]
    if unknown := [name for name in said if name not in known]:
        raise ValueError(f"{where} has {unknown[0]!r}, which is none of {', '.join(known)}")
    needed = [name for name in known if name not in ("sd", "revision", "moved")]
    if lacks := [name for name in needed if name not in said]:
        raise ValueError(f"{where} lacks {', '.join(lacks)}")
    values: dict[str, Any] = dict(said)
    try:
        return Margin(**values)
    except (TypeError, ValueError) as problem:
        raise ValueError(f"{where}: {str(problem).removeprefix('Margin: ')}") from None


def listed(seeds: tuple[Any, ...]) -> str:
    """Seeds in words: whole numbers in runs, as in "0-7, 20-27", in their order.

    Pairs (split, seed): "splits 0-5, seeds 0-7" where each split has the same seeds.
    """
    if seeds and all(isinstance(seed, tuple) and len(seed) == 2 for seed in seeds):
        splits, inner = (tuple(dict.fromkeys(of_pair)) for of_pair in zip(*seeds, strict=True))
        if len(splits) * len(inner) == len(set(seeds)):
            return f"splits {listed(splits)}, seeds {listed(inner)}"
    if not all(isinstance(seed, int) for seed in seeds):
        return ", ".join(map(str, seeds))
    runs: list[list[int]] = []
    for seed in sorted(seeds):
        if runs and seed == runs[-1][1] + 1:
            runs[-1][1] = seed
        else:
            runs.append([seed, seed])
    return ", ".join(f"{low}-{high}" if high > low else f"{low}" for low, high in runs)
