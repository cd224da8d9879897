"""The figure of a trace: LR over the updates, and below it the momentum where it moves."""

from __future__ import annotations

import os

import numpy as np
from matplotlib.axes import Axes

from lrcourse import __version__, look

SHOWN_GROUPS = 6


def draw(
    lr: np.ndarray,
    momentum: np.ndarray,
    names: tuple[str, ...],
    title: str,
    *,
    stopped_at: int | None = None,
    path: str | os.PathLike[str] | None = None,
    name: str = "trace",
) -> None:
    """Draw LR and momentum, each of shape (updates, groups), and where an error has ended them.

    With `path` it is saved as PNG, else shown (and kept in a headless run).

    Groups whose curves are equal share a line. A log axis is used where a fifth of the rates lie
    below a thousandth of the peak, and none is 0.
    """
    if not len(lr):
        raise ValueError("there is no update to draw")
    moving = np.nanmax(np.ptp(momentum, axis=0), initial=0.0) > 0
    size, heights = ((6.8, 4.2), (2, 1)) if moving else ((6.8, 3.0), (1,))
    told = {"trace": title, "updates": len(lr), "lrcourse": __version__}
    with look.sheet(name, told, size, heights=heights, path=path) as (_, panels):
        top, bottom = panels[0], panels[-1]
        _curves(top, lr, names)
        top.set_title(title, wrap=True)
        top.set_ylabel("learning rate")
        _scale(top, lr)
        if stopped_at is not None:
            top.axvline(stopped_at, color=look.GREY, linestyle=":", linewidth=1.2)
            place = top.get_xaxis_transform()
            top.annotate(" error", (stopped_at, 1), xycoords=place, va="top", fontsize=8)
        if moving:
            _curves(bottom, momentum, names)
            bottom.set_ylabel("momentum")
        bottom.set_xlabel("update")
        for axes in panels:
            look.name_lines(axes)


def _curves(axes: Axes, table: np.ndarray, names: tuple[str, ...]) -> None:
    curves: dict[bytes, list[int]] = {}
    for g in range(table.shape[1]):
        if np.isfinite(table[:, g]).any():
            curves.setdefault(table[:, g].tobytes(), []).append(g)
    for k, groups in enumerate(list(curves.values())[:SHOWN_GROUPS]):
        label = names[groups[0]] if len(groups) == 1 else f"{len(groups)} groups"
        label = label if table.shape[1] > 1 else ""
        look.steps(axes, table[:, groups[0]], look.dash(k), color=look.colour(k), label=label)
    if len(curves) > SHOWN_GROUPS:
        more = f"and {len(curves) - SHOWN_GROUPS} more"
        axes.annotate(more, (1.03, 1), xycoords="axes fraction", va="top", fontsize=8)


def _scale(axes: Axes, lr: np.ndarray) -> None:
    seen = lr[np.isfinite(lr)]
    above = seen[seen > 0]
    if len(above) == len(seen) > 0 and above.max() > 1000 * np.quantile(above, 0.2):
        axes.set_yscale("log")
    elif len(seen) and seen.min() >= 0:
        axes.set_ylim(bottom=0)
