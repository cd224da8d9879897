"""What other libraries' schedules really do: found, run and traced."""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

METRICS = [3.0, 2.0, 2.0, 2.5, 1.9, 1.9, 1.9, 1.9, math.nan, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.9]


@dataclass(frozen=True)
class Spelling:
    """One example of a library's schedule, at peak 1; each function gives the first n rates."""

    ours: str = ""  # with the names of lrcourse.schedules; empty where `note` says why not
    theirs: Callable[[int], list[float]] | None = None
    note: str = ""
    updates: int = 40
    real: Callable[[int], list[float]] | None = None  # the library, where `theirs` is its formula


def formula(
    function: Callable[[int], float],
    ours: str,
    note: str = "",
    updates: int = 40,
    real: Callable[[int], list[float]] | None = None,
) -> Spelling:
    return Spelling(ours, lambda n: [function(t) for t in range(n)], note, updates, real)


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


def fastai_learner(
    net: torch.nn.Module,
    batches: Sequence[Any],
    loss: Callable[..., torch.Tensor],
    kind: type[torch.optim.Optimizer] = torch.optim.SGD,
    path: Path | None = None,
) -> Any:
    """fastai's Learner over a torch optimizer, at rate 1 and without its prints and bars.

    Writes only in `lr_find`, into `path`.
    """
    fastai = peer("fastai.learner")
    core = peer("fastai.callback.core")
    wrapper = peer("fastai.optimizer").OptimWrapper
    learner = fastai.Learner(
        peer("fastai.data.core").DataLoaders(batches, batches[:1]),
        net,
        loss,
        opt_func=lambda params, **options: wrapper(params, opt=kind, **options),
        lr=1.0,
        path=path,
        default_cbs=False,
        cbs=[core.TrainEvalCallback, fastai.Recorder],
    )
    learner.logger = lambda row: None
    return learner
