"""Where the batches of a range test come from, and how a batch meets the net."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from lrcourse.data.sets import Split

Step = Callable[[nn.Module, Any], Any]
WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


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
        self._batch_size = batch_size
        if isinstance(batches, DataLoader):
            batches = copy.copy(batches)
            batches._iterator = None
        self.source = batches
        self.one_shot = self._data is None and _is_iterator(batches)
        self.taken = 0
        self._iterator: Iterator[Any] | None = None

    def begin(self, seed: int, shuffle: bool = False) -> None:
        """Start a pass. Tensors are shuffled by `seed`, and a list too where it is asked for."""
        self._order = torch.Generator().manual_seed(seed)
        self._shuffle = shuffle
        self._iterator = self._pass()

    def next(self) -> Any:
        """The next batch; OutOfBatches where there is none."""
        for _ in range(2):
            try:
                batch = next(self._iterator)
            except StopIteration:
                if self.one_shot:
                    break
                self._iterator = self._pass()
            else:
                self.taken += 1
                return batch
        if self.taken == 0:
            raise ValueError(f"{self._name} is empty; give at least one batch")
        raise OutOfBatches

    def end(self) -> None:
        """Let the workers of the loader go."""
        self._iterator = None
        if isinstance(self.source, DataLoader):
            self.source._iterator = None

    def _pass(self) -> Iterator[Any]:
        if self._data is not None:
            return self._slices()
        if self._shuffle and isinstance(self.source, list | tuple):
            order = torch.randperm(len(self.source), generator=self._order).tolist()
            return iter([self.source[k] for k in order])
        return iter(self.source)

    def _slices(self) -> Iterator[tuple[torch.Tensor, ...]]:
        first = self._data[0]
        order = torch.randperm(len(first), generator=self._order).to(first.device)
        for chosen in order.split(self._batch_size):
            yield tuple(tensor[chosen] for tensor in self._data)


def held_out_batches(held_out: Any, batch_size: int) -> list[Any]:
    """The held-out batches, in memory; tensors are cut into batches of `batch_size`."""
    is_data = isinstance(held_out, Split) or _are_tensors(held_out)
    if is_data:
        return list(zip(*(tensor.split(batch_size) for tensor in held_out), strict=True))
    feed = Feed(held_out, None, "held_out")
    batches = list(feed.source)
    feed.end()
    if not batches:
        raise ValueError("held_out is empty; give at least one batch, or None")
    return batches


def moved(batch: Any, device: torch.device | None) -> Any:
    """A batch with its tensors on `device`; as it is where device is None."""
    if device is None or isinstance(batch, str | bytes):
        return batch
    if isinstance(batch, torch.Tensor):
        return batch.to(device, non_blocking=True)
    if callable(getattr(batch, "to", None)):
        return batch.to(device)
    if isinstance(batch, Mapping):
        return {key: moved(value, device) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(moved(value, device) for value in batch))
    if isinstance(batch, list | tuple):
        return type(batch)(moved(value, device) for value in batch)
    return batch


def default_step(loss_fn: Callable[..., torch.Tensor]) -> Step:
    """How a batch meets the net where no `step` is given.

    (X, y), or (X1, X2, ..., y): `loss_fn(net(X1, X2, ...), y)`. A mapping, as transformers has
    them: `net(**batch)`, whose result holds the loss.
    """

    def step(net: nn.Module, batch: Any) -> Any:
        if isinstance(batch, Mapping):
            given = net(**batch)
            return _part(given, "loss"), _part(given, "logits"), batch.get("labels")
        if not isinstance(batch, Sequence) or isinstance(batch, str) or len(batch) < 2:
            raise TypeError(
                f"a batch is (X, y) or a mapping for net(**batch), not {_described(batch)}; "
                f"say how to use it by step=lambda net, batch: loss"
            )
        *inputs, targets = batch
        outputs = net(*inputs)
        return loss_fn(outputs, targets), outputs, targets

    return step


def taken_apart(given: Any) -> tuple[torch.Tensor, Any, Any]:
    """(loss, outputs, targets) from what a step returned; TypeError or ValueError if no loss."""
    loss, outputs, targets = given, None, None
    if isinstance(given, tuple | list):
        if len(given) != 3:
            raise TypeError(
                f"step returns a loss or (loss, outputs, targets), not {len(given)} things"
            )
        loss, outputs, targets = given
    if not isinstance(loss, torch.Tensor):
        raise TypeError(
            f"the loss is a tensor with one number, not {_described(loss)}; "
            f"for a net of your own give step=lambda net, batch: loss"
        )
    if loss.numel() != 1:
        raise ValueError(
            f"the loss is one number, not a tensor of shape {tuple(loss.shape)}: "
            f"take its mean, for instance by reduction='mean'"
        )
    return loss, outputs, targets


def right_answers(outputs: Any, targets: Any) -> tuple[torch.Tensor, int] | None:
    """(right answers, on the device, and answers), or None where there is no accuracy.

    There is one where the outputs are (N, C), C > 1, and the targets N whole numbers. A target
    that is no class, as cross_entropy's ignore_index, counts as a wrong answer.
    """
    if not (isinstance(outputs, torch.Tensor) and isinstance(targets, torch.Tensor)):
        return None
    if targets.dtype not in WHOLE or outputs.ndim != 2 or outputs.shape[1] < 2:
        return None
    if targets.shape != outputs.shape[:1] or len(targets) == 0:
        return None
    return (outputs.detach().argmax(1) == targets).sum(), len(targets)


def _data(batches: Any, batch_size: int | None, name: str) -> tuple[torch.Tensor, ...] | None:
    """The tensors of a whole data set, or None for batches."""
    tensors = _are_tensors(batches)
    if isinstance(batches, torch.Tensor):
        raise TypeError(f"{name} is one tensor; give a tuple (X, y) and batch_size")
    if not (tensors or isinstance(batches, Split)):
        if batch_size is not None:
            raise ValueError(
                f"batch_size is for a tuple of tensors (X, y); {name} is "
                f"{_described(batches)}, which has batches already"
            )
        if isinstance(batches, Dataset) and not hasattr(batches, "__iter__"):
            raise TypeError(f"{name} is a data set; wrap it: DataLoader({name}, batch_size=...)")
        if not isinstance(batches, Iterable) or isinstance(batches, str | Mapping):
            raise TypeError(
                f"{name} gives batches: a DataLoader, a list, an iterator or a tuple (X, y) of "
                f"tensors with batch_size=..., not {_described(batches)}"
            )
        return None
    data = tuple(batches)
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(
            f"tensors are cut into batches of batch_size, a whole number from 1 on, not "
            f"{batch_size!r}; batches that are cut already come in a list [(X, y), ...]"
        )
    lengths = [len(tensor) for tensor in data]
    if len(set(lengths)) > 1 or lengths[0] == 0:
        raise ValueError(f"the tensors of {name} need one length above 0, not {lengths}")
    return data


def _are_tensors(batches: Any) -> bool:
    return (
        isinstance(batches, tuple)
        and len(batches) > 0
        and all(isinstance(part, torch.Tensor) and part.ndim > 0 for part in batches)
    )


def _is_iterator(batches: Any) -> bool:
    return hasattr(batches, "__next__") and iter(batches) is batches


def _part(given: Any, name: str) -> Any:
    found = given.get(name) if isinstance(given, Mapping) else getattr(given, name, None)
    if found is None and name == "loss":
        raise TypeError(
            f"net(**batch) gave {_described(given)} without a loss; put the labels into the "
            f"batch, or say how to use it by step=lambda net, batch: loss"
        )
    return found


def _described(thing: Any) -> str:
    kind = type(thing).__name__
    return f"a {kind} of {len(thing)}" if isinstance(thing, list | tuple) else f"a {kind}"
