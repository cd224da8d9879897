"""How a batch meets the net: the step that is used where none is given, and what it cannot use."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from lrcourse.rangetest.reach import slots_of
from lrcourse.rangetest.refusals import UnfitBatch, WrongLoss, refusal
from lrcourse.support.checks import of_kind, shown

Step = Callable[[nn.Module, Any], Any]
LossFunction = Callable[..., torch.Tensor]
WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
_FAILURES = (TypeError, ValueError, RuntimeError, LookupError, AttributeError, AssertionError)


def moved(batch: Any, device: torch.device | None) -> Any:
    """A batch for one use: on `device`, with tensors of its own; where device is None, as it is.

    What works on a batch in place then leaves the data alone. A class of its own is kept: it is
    left as it is where its tensors lie on `device`, else a copy of it is moved by its method `to`,
    or item by item.
    """
    if device is None or isinstance(batch, str | bytes):
        return batch
    if isinstance(batch, torch.Tensor):
        if batch.requires_grad:
            return moved(batch.detach(), device).requires_grad_()
        return batch.clone() if batch.device == device else batch.to(device, non_blocking=True)
    if type(batch) in (list, tuple):
        return type(batch)(
            [
                value.clone()  # the usual case, without a call
                if type(value) is torch.Tensor
                and value.device == device
                and not value.requires_grad
                else moved(value, device)
                for value in batch
            ]
        )
    if type(batch) is dict:
        return {key: moved(value, device) for key, value in batch.items()}
    make = getattr(type(batch), "_make", None)  # a named tuple
    if isinstance(batch, tuple) and make and not _has_to(batch):
        return make(moved(value, device) for value in batch)
    inside = [one for one in numbers_in(batch) if isinstance(one, torch.Tensor)]
    if (inside or not _has_to(batch)) and all(tensor.device == device for tensor in inside):
        return batch
    try:
        own: Any = copy.copy(batch)
        if _has_to(batch):
            return own.to(device)
        for key in list(batch) if isinstance(batch, Mapping) else range(len(batch)):
            own[key] = moved(batch[key], device)
    except (TypeError, AttributeError, LookupError):
        return batch  # it cannot be copied or filled: the step moves what it uses
    return own


def default_step(loss_fn: LossFunction | None) -> Step:
    """How a batch meets the net where no `step` is given; without a `loss_fn`, cross-entropy.

    (X, y), or (X1, X2, ..., y): `loss_fn(net(X1, X2, ...), y)`. A mapping, as transformers has
    them: `net(**batch)`, whose result holds the loss.
    """
    worked, criterion = False, loss_fn or functional.cross_entropy

    def step(net: nn.Module, batch: Any) -> Any:
        nonlocal worked
        if worked:
            return use(net, batch)
        try:
            used = use(net, batch)
        except _FAILURES as problem:
            if isinstance(problem, UnfitBatch | WrongLoss | torch.OutOfMemoryError):
                raise
            way = "net(**batch).loss" if isinstance(batch, Mapping) else "loss_fn(net(X), y)"
            error, said = type(problem).__name__, str(problem).rstrip(".")
            told = {"way": way, "batch": described(batch), "advice": advice(batch)}
            raise refusal("default that fails", **told, error=error, said=said) from problem
        worked = True
        return used

    def use(net: nn.Module, batch: Any) -> Any:
        if worked and type(batch) in (list, tuple) and len(batch) == 2:
            outputs = net(batch[0])
            return criterion(outputs, batch[1]), outputs, batch[1]
        if isinstance(batch, Mapping):
            if loss_fn is not None:
                raise refusal("loss_fn of a mapping", batch=described(batch), advice=advice(batch))
            given = net(**batch)
            loss, outputs = _own_loss(given)
            if loss is None:
                raise refusal(
                    "mapping without a loss", given=described(given), advice=advice(batch)
                )
            return loss, outputs, batch.get("labels")
        if not isinstance(batch, Sequence) or isinstance(batch, str | bytes) or len(batch) < 2:
            raise refusal("batch of another kind", batch=described(batch), advice=advice(batch))
        *inputs, targets = batch
        outputs = net(*inputs)
        if loss_fn is None and not worked:
            _check_cross_entropy(outputs, targets)
        return criterion(outputs, targets), outputs, targets

    return step


def counts_targets(loss_fn: LossFunction | None) -> bool:
    """Whether a loss is a cross-entropy: NaN for finite outputs where no target counts."""
    if isinstance(loss_fn, nn.CrossEntropyLoss | nn.NLLLoss):
        return True
    return loss_fn in (None, functional.cross_entropy, functional.nll_loss)


def advice(batch: Any) -> str:
    """The lines to write for a batch that the default cannot use."""
    line = "loss_fn(net(batch.x), batch.y)"
    if isinstance(batch, torch.Tensor):
        line = "loss_fn(net(batch), batch)"
    elif isinstance(batch, Mapping) and batch:
        first, *_, last = [*batch, *batch]
        line = f"loss_fn(net(batch[{first!r}]), batch[{last!r}])"
    elif isinstance(batch, Sequence) and not isinstance(batch, str | bytes) and len(batch) > 0:
        stars = "**" if isinstance(batch[0], Mapping) else "*" * isinstance(batch[0], list | tuple)
        line = f"loss_fn(net({stars}batch[0]), batch[{len(batch) - 1}])"
    return (
        f"Say how a batch is used, in two lines of your own, and give step=step:\n"
        f"    def step(net, batch):\n"
        f"        return {line}"
    )


def taken_apart(given: Any) -> tuple[torch.Tensor, Any, Any]:
    """(loss, outputs, targets) from what a step returned; TypeError or ValueError if no loss."""
    loss, outputs, targets = given, None, None
    if isinstance(given, tuple | list):
        if len(given) != 3:
            raise refusal("several things", count=len(given))
        loss, outputs, targets = given
    if not isinstance(loss, torch.Tensor):
        raise refusal("loss that is no tensor", given=described(loss))
    if loss.is_complex():
        raise refusal("complex loss")
    if loss.numel() != 1:
        raise refusal("many losses", shape=tuple(loss.shape))
    return loss, outputs, targets


def answers_of(outputs: Any, targets: Any) -> tuple[torch.Tensor, torch.Tensor] | None:
    """(answers, targets), each of shape (N,), or None where there is no accuracy.

    There is one where the outputs are (N, C), C > 1, and the targets N whole numbers. A target
    that is no class, as cross_entropy's ignore_index, counts as a wrong answer.
    """
    if not (isinstance(outputs, torch.Tensor) and isinstance(targets, torch.Tensor)):
        return None
    if targets.dtype not in WHOLE or outputs.ndim != 2 or outputs.shape[1] < 2:
        return None
    if targets.shape != outputs.shape[:1] or len(targets) == 0:
        return None
    return outputs.argmax(1), targets


def size_of(batch: Any, targets: Any) -> int:
    """How many samples a batch has: the length of its targets, else of its first tensor."""
    numbers = (targets, *numbers_in(batch))
    return next((len(one) for one in numbers if getattr(one, "ndim", 0) > 0), 1)


def total_of(batch: Any) -> torch.Tensor | None:
    """The sum of all floats of a batch, which is no number where one of them is none."""
    sums: list[torch.Tensor] = []
    for one in numbers_in(batch):
        if isinstance(one, np.ndarray):
            if one.dtype.kind in "fc":
                sums.append(torch.tensor(float(np.abs(one.sum(dtype=np.complex128)))))
        elif one.is_complex():
            sums.append(one.detach().sum().abs().float())
        elif one.dtype in FLOATS and not one.is_nested:
            sums.append(one.detach().sum(dtype=torch.float32))
    if len({one.device for one in sums}) > 1:
        sums = [one.cpu() for one in sums]
    return sum(sums[1:], sums[0]) if sums else None


def numbers_in(batch: Any, depth: int = 4) -> Iterator[torch.Tensor | np.ndarray]:
    """The tensors and arrays of a batch, also in lists, mappings and what objects hold."""
    if isinstance(batch, torch.Tensor | np.ndarray):
        yield batch
        return
    if isinstance(batch, str | bytes) or depth == 0:
        return
    if isinstance(batch, Mapping):
        parts: Sequence[Any] = list(batch.values())
    elif isinstance(batch, list | tuple):
        parts = batch
    else:
        slots = (getattr(batch, slot.__name__, None) for slot in slots_of(batch))
        parts = [*getattr(batch, "__dict__", {}).values(), *slots]
    for part in parts:
        yield from numbers_in(part, depth - 1)


def described(thing: Any) -> str:
    """A value in a message, by its kind and size."""
    kind = of_kind(thing)
    if isinstance(thing, str | bytes):
        return f"the {type(thing).__name__} {shown(thing)}"
    if isinstance(thing, torch.Tensor):
        return f"{kind} of shape {tuple(thing.shape)}"
    if isinstance(thing, Mapping):
        return f"{kind} with {', '.join(map(repr, thing)) or 'nothing'}"
    if isinstance(thing, list | tuple):
        parts = [described(part) for part in thing[:3]] + ["..."] * (len(thing) > 3)
        return f"{kind} of {len(thing)}" + (f" ({', '.join(parts)})" if parts else "")
    return kind


def _check_cross_entropy(outputs: Any, targets: Any) -> None:
    """Refuse what cross-entropy, the default, computes without a word and without a meaning."""
    if not (isinstance(outputs, torch.Tensor) and isinstance(targets, torch.Tensor)):
        return
    if outputs.ndim < 2 or outputs.shape[1] < 2:
        raise refusal("one output", shape=tuple(outputs.shape))
    if not (targets.is_floating_point() and bool(targets.isfinite().all())):
        return
    chances = targets.detach().sum(1) if targets.ndim > 1 else targets.detach()
    if bool((targets < 0).any()) or bool(((chances - 1).abs() > 1e-2).any()):
        raise refusal("no classes")


def _has_to(batch: Any) -> bool:
    # Of the class: a mapping may answer for any attribute.
    return callable(getattr(type(batch), "to", None))


def _own_loss(given: Any) -> tuple[Any, Any]:
    """The loss and the outputs of a net that computes its loss itself; None where there is none."""
    if isinstance(given, Mapping):
        return given.get("loss"), given.get("logits")
    if isinstance(given, tuple | list) and not hasattr(given, "loss"):
        loss, outputs = [*given, None, None][:2]
        return (loss if getattr(loss, "ndim", 1) == 0 else None), outputs
    return getattr(given, "loss", None), getattr(given, "logits", None)
