"""What other libraries' schedules really do: found, run and traced."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch


def peer(name: str) -> ModuleType:
    """A peer package; where it is missing the test is skipped, or fails if LRCOURSE_REQUIRE=all."""
    if os.environ.get("LRCOURSE_REQUIRE") != "all":
        return pytest.importorskip(name)
    try:
        return importlib.import_module(name)
    except ImportError as problem:
        pytest.fail(f"LRCOURSE_REQUIRE=all, but {name} cannot be imported: {problem}")


def sgd(lr: float = 1.0, **options: Any) -> torch.optim.SGD:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, **options)


def torch_trace(
    build: Callable[[torch.optim.Optimizer], Any], updates: int, lr: float = 1.0
) -> list[float]:
    """The learning rate of each of the first updates under a torch scheduler."""
    optimizer = sgd(lr)
    scheduler = build(optimizer)
    rates = [optimizer.param_groups[0]["lr"]]
    for _ in range(updates - 1):
        optimizer.step()
        scheduler.step()
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def timm_trace(
    build: Callable[[torch.optim.Optimizer], Any], epochs: int, lr: float = 1.0
) -> list[float]:
    """The learning rate of each of the first epochs under a timm scheduler."""
    optimizer = sgd(lr)
    scheduler = build(optimizer)
    rates = [optimizer.param_groups[0]["lr"]]
    for epoch in range(1, epochs):
        scheduler.step(epoch)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def plateau_trace(scheduler: Any, metrics: list[float]) -> list[float]:
    """The learning rate after each metric, under torch's ReduceLROnPlateau or one derived of it."""
    rates = []
    for metric in metrics:
        scheduler.step(metric)
        rates.append(scheduler.optimizer.param_groups[0]["lr"])
    return rates
