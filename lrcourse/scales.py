"""How much a figure may cost: the same cells on small real images, or at the published budget."""

from __future__ import annotations

import os
from dataclasses import dataclass

from lrcourse.support.checks import TEXT, arguments, one_of, optional


@dataclass(frozen=True)
class Scale:
    """What figure cells run on. Checked cells never look at this: they run one fixed spec.

    Attributes:
        name: "small" or "full".
        data: the data set's name.
        epochs, batch_size: of a run.
        seeds: how many runs stand behind a line.

    Example:
        >>> from lrcourse.scales import Scale
        >>> mine = Scale("mine", data="mnist", epochs=3, batch_size=128, seeds=1)
        >>> mine.epochs * mine.seeds  # epochs behind a line
        3
    """

    name: str
    data: str
    epochs: int
    batch_size: int
    seeds: int


SCALES = {
    "small": Scale("small", data="digits", epochs=30, batch_size=64, seeds=2),
    "full": Scale("full", data="fashion-mnist", epochs=30, batch_size=256, seeds=3),
}
"""The two scales of the course, by their names."""


@arguments(name=optional(TEXT))
def scale(name: str | None = None) -> Scale:
    """The scale of this name, else of `LRCOURSE_SCALE`, else "small".

    Raises:
        ValueError: There is no scale of this name.

    Example:
        >>> from lrcourse.scales import scale
        >>> scale("full").data
        'fashion-mnist'
    """
    source = "name" if name else "LRCOURSE_SCALE"
    name = name or os.environ.get("LRCOURSE_SCALE") or "small"
    return SCALES[one_of(*SCALES)("scale", source, name)]
