"""What the fields of an experiment may be: plain values, so that its content can name it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from lrcourse.data.sets import SPLIT_NUMBER
from lrcourse.schedules.base import Schedule
from lrcourse.schedules.rules import Rule
from lrcourse.support import checks
from lrcourse.support.checks import (
    COUNT,
    NOT_NEGATIVE,
    NUMBER,
    POSITIVE,
    TEXT,
    Number,
    of_kind,
    optional,
    shown,
)
from lrcourse.sweeps import user_code


class Options(Mapping[str, Any]):
    """A small dictionary that can stand in a frozen, hashable spec; it is never changed."""

    def __init__(self, given: Mapping[str, Any] | None = None) -> None:
        self._items = dict(given or {})

    def __getitem__(self, key: str) -> Any:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(tuple(sorted(self._items.items())))

    def __repr__(self) -> str:
        return repr(self._items)

    def __setitem__(self, *_: object) -> None:
        raise TypeError("the options of an experiment do not change; use experiment.but(...)")

    __delitem__ = __setitem__


def plain_value(owner: str, name: str, value: object) -> Any:
    """Rule: what a record can hold: None, a flag, a finite number, a string, or a list of these."""
    if hasattr(value, "item") and not hasattr(value, "__len__"):
        value = value.item()  # pyright: ignore  # a number of NumPy, as it comes out of grids
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, list | tuple):
        return tuple(plain_value(owner, name, one) for one in value)
    return NUMBER(owner, name, value)


def options_rule(owner: str, name: str, value: object) -> Options:
    """Rule: options by their names, each a plain value."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{owner}: {name} must be a dictionary of options; got {shown(value)}")
    return Options(
        {
            TEXT(owner, name, key): plain_value(owner, f"{name}[{key!r}]", value[key])
            for key in value
        }
    )


def value_rule(owner: str, name: str, value: object) -> Schedule | Rule | None:
    """Rule: a schedule that is a value, so that a spec can be named by its content."""
    if value is not None and not isinstance(value, Schedule | Rule):
        raise TypeError(
            f"{owner}: {name} of an experiment is a value (a shape, a rule or None); "
            f"got {shown(value)}, {of_kind(value)}"
        )
    written = repr(value)
    if "<" in written or "__main__:" in written or user_code.in_main(value):
        raise ValueError(
            f"{owner}: {name} {written} uses a function or class that cannot be named by its "
            "content: put it into a module of its own and give it as 'module:function'"
        )
    return value


def evaluate_kind(owner: str, name: str, value: object) -> Any:
    """Rule: the kind of what `evaluate` may be; `Experiment.check` looks at its value."""
    return value if value is None or isinstance(value, str) else INTEGER(owner, name, value)


def device_rule(owner: str, name: str, value: object) -> torch.device:
    """Rule: the name of a device; whether it is here shows where the data are put there."""
    if not isinstance(value, str | torch.device):
        raise TypeError(f"{owner}: {name} must be 'cpu', 'cuda' or so; got {shown(value)}")
    try:
        return torch.device(value)
    except RuntimeError:
        raise ValueError(f"{owner}: {name} must be 'cpu', 'cuda' or so; got {value!r}") from None


RATE = Number(
    "a finite number > 0, and no larger than float32 holds (3.4e38)", lambda v: 0 < v <= 3.4e38
)
INTEGER = Number("a whole number", lambda v: True, whole=True)
SPEC: dict[str, checks.Rule] = {
    "data": TEXT,
    "images": optional(INTEGER),
    "valid": NOT_NEGATIVE,
    "model": TEXT,
    "model_options": options_rule,
    "optimizer": TEXT,
    "optimizer_options": options_rule,
    "lr": RATE,
    "schedule": value_rule,
    "when": TEXT,
    "epochs": INTEGER,
    "batch_size": INTEGER,
    "evaluate": evaluate_kind,
    "seed": COUNT,
    "clip_norm": optional(POSITIVE),
    "split": SPLIT_NUMBER,
}
