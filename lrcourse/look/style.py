"""Colours, dashes, and the settings of matplotlib."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

# Okabe and Ito's colours without the yellow, which is too pale on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#888888")
GREY = COLOURS[-1]
QUARTILES = partial(np.nanquantile, q=0.25), partial(np.nanquantile, q=0.75)
SHAPES = ("o", "s", "^", "D", "v", "P")  # of marks
DASHES = ("-", "-", "-", "-", "--", "--", "--", "--")
# Any: matplotlib names the type of the keys in its newer versions alone.
LOOK: dict[Any, Any] = {
    "figure.dpi": 110,
    "savefig.dpi": 150,
    "figure.constrained_layout.use": True,
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.7,
    "legend.frameon": False,
}


def colour(k: int) -> str:
    """The colour of line k; after eight they begin again."""
    return COLOURS[k % len(COLOURS)]


def dash(k: int) -> str:
    """The style of line k: the second four are dashed."""
    return DASHES[k % len(DASHES)]
