"""Where the batches of a range test come from."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from lrcourse.data import Split
from lrcourse.rangetest.reach import bytes_of
from lrcourse.rangetest.refusals import refusal
from lrcourse.rangetest.steps import described, numbers_in

MOST_HELD_OUT = 10_000  # batches, or
MOST_HELD_OUT_BYTES = 2**32  # of tensors in memory: an iterator that goes on beyond has no end


class OutOfBatches(Exception):
    """The batches have come to an end and cannot be begun again."""


class Feed:
    """Batches without an end from a loader, a list, tensors or anything else that iterates.

    What can be begun again is, as often as needed. A DataLoader is read through a shallow copy, so
    that its workers and an iterator that is under way elsewhere are left alone.

    Attributes:
        one_shot: whether the batches can be gone through once only (an iterator, a generator).
        taken: how many batches have been drawn.
    """

    def __init__(self, batches: Any, batch_size: int | None, name: str = "batches") -> None:
        self._name = name
        self._data = _data(batches, batch_size, name)
        self._batch_size = batch_size or 1
        if isinstance(batches, DataLoader):
            batches = copy.copy(batches)
            batches._iterator = None
        self.source = batches
        self.one_shot = (
            self._data is None and hasattr(batches, "__next__") and iter(batches) is batches
        )
        self.taken = 0
        self._iterator: Iterator[Any] = iter(())

    def begin(self, seed: int, shuffle: bool = False) -> None:
        """Start a pass. Tensors are shuffled by `seed`, and a list too where it is asked for."""
        order = torch.Generator().manual_seed(seed)
        self._iterator = self._passes(order, shuffle)

    def next(self) -> Any:
        """The next batch; OutOfBatches where there is none."""
        for batch in self._iterator:
            self.taken += 1
            return batch
        if self.taken == 0:
            raise refusal("no batch", name=self._name)
        raise OutOfBatches

    def put_back(self, batches: list[Any]) -> None:
        """Give these once more, before all others."""
        self._iterator = itertools.chain(batches, self._iterator)
        self.taken -= len(batches)

    def close(self) -> None:
        """Let the workers of the loader go."""
        self._iterator = iter(())
        if isinstance(self.source, DataLoader):
            self.source._iterator = None

    def _passes(self, order: torch.Generator, shuffle: bool) -> Iterator[Any]:
        """One pass after the other, until one is empty."""
        is_empty = False
        while not is_empty:
            is_empty = True
            for batch in self._pass(order, shuffle):
                yield batch
                is_empty = self.one_shot

    def _pass(self, order: torch.Generator, shuffle: bool) -> Iterable[Any]:
        if self._data is not None:
            numbers = torch.randperm(len(self._data[0]), generator=order)
            chosen = numbers.to(self._data[0].device).split(self._batch_size)
            return (tuple(tensor[some] for tensor in self._data) for some in chosen)
        if shuffle and isinstance(self.source, list | tuple):
            numbers = torch.randperm(len(self.source), generator=order)
            return [self.source[k] for k in numbers.tolist()]
        return self.source


def held_out_batches(held_out: Any, batch_size: int) -> list[Any] | None:
    """The held-out batches, in memory; tensors are cut into batches of `batch_size`."""
    if held_out is None:
        return None
    if _are_tensors(held_out):
        return list(zip(*(tensor.split(batch_size) for tensor in held_out), strict=True))
    feed = Feed(held_out, None, "held_out")
    batches, held = [], 0
    for batch in feed.source:
        batches.append(batch)
        held += sum(map(bytes_of, numbers_in(batch)))
        if len(batches) > MOST_HELD_OUT or held > MOST_HELD_OUT_BYTES:
            raise refusal("held_out without end", batches=len(batches))
    feed.close()
    if not batches:
        raise refusal("no held-out batch")
    return batches


def _data(batches: Any, batch_size: int | None, name: str) -> tuple[torch.Tensor, ...] | None:
    """The tensors of a whole data set, or None for batches."""
    if isinstance(batches, torch.Tensor):
        raise refusal("one tensor", name=name)
    if not _are_tensors(batches):
        if batch_size is not None:
            raise refusal("batch_size of batches", name=name, given=described(batches))
        if isinstance(batches, Dataset) and not hasattr(batches, "__iter__"):
            raise refusal("data set", name=name)
        no_rows = isinstance(batches, np.ndarray) and batches.ndim == 0
        is_none = not isinstance(batches, Iterable) or isinstance(batches, str | bytes | Mapping)
        if is_none or no_rows:
            call = f". It can be called: give {name}=what it returns" if callable(batches) else ""
            raise refusal("no batches", name=name, given=described(batches), call=call)
        if isinstance(batches, tuple) and batches and isinstance(batches[0], np.ndarray):
            raise refusal("arrays", name=name)
        return None
    data = tuple(batches)
    if batch_size is None:
        raise refusal("tensors without batch_size")
    lengths = [len(tensor) for tensor in data]
    if len(set(lengths)) > 1 or lengths[0] == 0:
        raise refusal("tensors of two lengths", name=name, lengths=lengths)
    return data


def _are_tensors(batches: Any) -> bool:
    """Whether it is a whole data set: a tuple of tensors, or a split of one of the course."""
    if isinstance(batches, tuple) and batches:
        return all(isinstance(part, torch.Tensor) and part.ndim > 0 for part in batches)
    return isinstance(batches, Split)
