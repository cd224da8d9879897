"""Held-out data, measured in the middle of a sweep without a trace; precision, devices, modes."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from lrcourse.rangetest.refusals import refusal
from lrcourse.rangetest.snapshot import Snapshot
from lrcourse.rangetest.steps import Step, answers_of, moved, size_of, taken_apart


def measure(
    net: nn.Module,
    batches: Sequence[Any],
    step: Step,
    dtype: torch.dtype | None,
    optimizer: torch.optim.Optimizer,
) -> tuple[float, float]:
    """Mean loss and accuracy (NaN if there is none) over batches, weighted by their sizes.

    In eval mode. The random state, the modes and everything that the net keeps beside its
    parameters are put back; the parameters too, where changing the mode does work on them.
    """
    device = home_of(net)
    works = has_modes(optimizer) or any(map(_has_own_modes, net.modules()))
    loss_sum, samples, right, answered = 0.0, 0, 0, 0
    with Snapshot(leave=() if works else net.parameters()) as before, torch.no_grad():
        before.keep_random_state()
        before.keep(net, *([optimizer] if works else []))
        switch_modes(optimizer, training=False)
        net.eval()
        for batch in batches:
            with precision(device, dtype):
                given = step(net, moved(batch, device))
            if given is None:
                continue
            loss, outputs, targets = taken_apart(given)
            size = size_of(batch, targets)
            loss_sum, samples = loss_sum + loss.reshape(()) * size, samples + size
            if (pair := answers_of(outputs, targets)) is not None:
                right = right + (pair[0] == pair[1]).count_nonzero()
                answered += len(pair[1])
    if not samples:
        raise refusal("None for all held out")
    return float(loss_sum / samples), float(right) / answered if answered else float("nan")


def home_of(net: nn.Module) -> torch.device | None:
    """The device of the net, or None where it lies on several: batches then stay as they are."""
    devices = {tensor.device for tensor in (*net.parameters(), *net.buffers())}
    return devices.pop() if len(devices) == 1 else None


def dtype_of(
    autocast: torch.dtype | bool | None, device: torch.device | None
) -> torch.dtype | None:
    """The dtype of torch.autocast, or None."""
    if autocast is True:
        return torch.get_autocast_dtype(device.type if device else "cpu")
    return autocast or None


def precision(
    device: torch.device | None, dtype: torch.dtype | None
) -> contextlib.AbstractContextManager[Any]:
    """torch.autocast to `dtype`; nothing where it is None."""
    if dtype is None:
        return contextlib.nullcontext()
    return torch.autocast(device.type if device else "cpu", dtype=dtype)


def has_modes(optimizer: torch.optim.Optimizer) -> bool:
    """Whether an optimizer has a train and an eval mode, as schedule-free ones do."""
    return all(callable(getattr(optimizer, mode, None)) for mode in ("train", "eval"))


def switch_modes(optimizer: Any, training: bool) -> None:
    """Put an optimizer that has modes into one."""
    if has_modes(optimizer):
        (optimizer.train if training else optimizer.eval)()


def _has_own_modes(module: nn.Module) -> bool:
    return type(module).train is not nn.Module.train or type(module).eval is not nn.Module.eval
