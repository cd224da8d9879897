"""Which images go where: shuffled orders of which every beginning holds the classes alike."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor


def balanced_order(labels: Tensor, split: int = 0) -> np.ndarray:
    """A shuffled order of which every beginning holds the classes in nearly equal proportion.

    Always the same for a `split`: numpy has promised that RandomState's numbers will not change.
    """
    classes = labels.cpu().numpy()
    shuffled = np.random.RandomState(split).permutation(len(classes))
    by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]
    sizes = np.bincount(classes)
    within = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    # How far through its class each image comes; the classes take turns at being early.
    share = (within + (classes[by_class] + 0.5) / len(sizes)) / sizes[classes[by_class]]
    return by_class[np.argsort(share, kind="stable")]


def check_classes(split: int, parts: Mapping[str, Tensor], classes: tuple[str, ...]) -> None:
    """ValueError where one of the `parts` of a drawn split, labels by name, lacks a class."""
    for part, labels in parts.items():
        there = set(labels.unique().tolist())
        if missing := [name for k, name in enumerate(classes) if k not in there]:
            raise ValueError(
                f"split {split} would leave {len(missing)} of {len(classes)} classes "
                f"({', '.join(missing[:3])}{', ...' if missing[3:] else ''}) out of its "
                f"{len(labels)} {part} images: give each part one image of each class at least"
            )
