"""What the surfaces take: points, one or many, as tensors."""

from __future__ import annotations

import torch

from lrcourse.support.checks import NUMBER, Rule, each, such
from lrcourse.support.kinds import TENSOR


def points(dimension: int) -> Rule:
    """A rule: points of shape (..., dimension)."""
    wanted = f"points of shape (..., {dimension})"
    return such(TENSOR, lambda given: given.shape[-1:] == (dimension,), wanted)


def one_point(owner: str, name: str, value: object) -> torch.Tensor:
    """Rule: one point, shape (dimension,), as float64; a sequence of numbers too."""
    if not isinstance(value, torch.Tensor):
        value = torch.tensor(each(NUMBER)(owner, name, value), dtype=torch.float64)
    if value.ndim != 1 or not len(value):
        raise ValueError(f"{owner}: {name} must be one point, not of shape {tuple(value.shape)}")
    return value.double()
