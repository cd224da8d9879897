"""The figure of a trace: LR over the updates, and below it the momentum where it moves."""

from __future__ import annotations

import os

import matplotlib.pyplot as plt
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
    with plt.rc_context(look.LOOK):
        figure, grid = plt.subplots(
            2 if moving else 1,
            1,
            figsize=(6.8, 4.2 if moving else 3.0),
            sharex=True,
            squeeze=False,
            height_ratios=(2, 1) if moving else None,
        )
        top = grid[0, 0]
        _curves(top, lr, names)
        top.set_title(title, wrap=True)
        top.set_ylabel("learning rate")
        _scale(top, lr)
        if stopped_at is not None:
            top.axvline(stopped_at, color="#888888", linestyle=":", linewidth=1.2)
            top.annotate(
                " error",
                (stopped_at, 1),
                xycoords=top.get_xaxis_transform(),
                va="top",
                fontsize=8,
            )
        if moving:
            _curves(grid[1, 0], momentum, names)
            grid[1, 0].set_ylabel("momentum")
        grid[-1, 0].set_xlabel("update")
        for axes in grid[:, 0]:
            look.name_lines(axes)
        origin = {"trace": title, "updates": len(lr), "lrcourse": __version__}
        look.finish(figure, name, origin, path)


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
        axes.annotate(
            f"and {len(curves) - SHOWN_GROUPS} more",
            (1.03, 1),
            xycoords="axes fraction",
            va="top",
            fontsize=8,
        )


def _scale(axes: Axes, lr: np.ndarray) -> None:
    seen = lr[np.isfinite(lr)]
    above = seen[seen > 0]
    if len(above) == len(seen) > 0 and above.max() > 1000 * np.quantile(above, 0.2):
        axes.set_yscale("log")
    elif len(seen) and seen.min() >= 0:
        axes.set_ylim(bottom=0)
