"""A still figure of the playground, for places without scripts."""

from __future__ import annotations

import io
import textwrap

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from lrcourse import look
from lrcourse.playground.descent import OPTIMIZERS, Run
from lrcourse.playground.sentences import ADAPTIVE, edge, figure, verdict
from lrcourse.support.checks import arguments, kind

_FLOOR = 1e-12  # of the losses that are drawn


@arguments(run=kind("a Run", Run))
def still(run: Run) -> bytes:
    """Surface with path, losses and learning rates as a PNG that holds the settings."""
    with plt.rc_context(look.LOOK):
        drawn = Figure(figsize=(7.4, 3.9))
        grid = drawn.add_gridspec(2, 2, width_ratios=(3, 2), height_ratios=(3, 2))
        _surface(drawn.add_subplot(grid[:, 0]), run)
        _losses(drawn.add_subplot(grid[0, 1]), run)
        _rates(drawn.add_subplot(grid[1, 1]), run)
        drawn.suptitle(textwrap.fill(verdict(run), 105), x=0.02, ha="left", fontsize=9.5)
        file = io.BytesIO()
        drawn.savefig(file, format="png", dpi=120)
    # In 200 colours: a notebook holds it as text.
    fewer = Image.open(file).convert("RGB").quantize(200, method=Image.Quantize.MAXCOVERAGE)
    out = io.BytesIO()
    fewer.save(out, "png", optimize=True, pnginfo=look.png_info(run.setting.to_dict()))
    return out.getvalue()


def _surface(axes: Axes, run: Run) -> None:
    place = run.setting.place
    x0, x1, y0, y1 = place.limits

    def heights(at: np.ndarray) -> np.ndarray:
        return place.surface(torch.from_numpy(at)).numpy()

    shares = np.linspace(0, 1, 17) ** (4 if run.setting.surface == "rosenbrock" else 2)
    look.contours(
        axes, heights, ((x0, x1), (y0, y1)), (180, 120), shares,
        low=0.0, colour="#5d7c99", alpha=None, filled="Blues",
    )  # fmt: skip
    marker = "." if len(run.lr) <= 300 else ""
    axes.plot(
        *_near(run.path, place.limits).T,
        marker=marker,
        markersize=4,
        color=look.colour(1),
        linewidth=1.1,
    )
    axes.plot(*run.path[-1], "o", color=look.colour(1), markeredgecolor="white", markersize=7)
    axes.plot(*run.setting.start, "o", color="black", markerfacecolor="white", markersize=7)
    setting = run.setting
    name = f"{place.label}, {OPTIMIZERS[setting.optimizer]}, peak LR {figure(setting.peak_lr)}"
    axes.set(title=name, ylabel="y")


def _near(path: np.ndarray, limits: tuple[float, float, float, float]) -> np.ndarray:
    """The path without leaps from outside the picture to outside: NaN in their place."""
    x0, x1, y0, y1 = limits
    x, y = path.T
    inside = (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)
    beside = np.append(inside[1:], False) | np.insert(inside[:-1], 0, False)
    return np.where((inside | beside)[:, None], path, np.nan)


def _losses(axes: Axes, run: Run) -> None:
    losses = np.nan_to_num(run.losses, nan=np.inf).clip(_FLOOR, 1e9)
    axes.plot(losses, color=look.colour(1), linewidth=1.4)
    axes.set(yscale="log", xlim=(0, run.setting.updates), title="loss after each update")
    if run.diverged_at is not None:
        axes.plot(run.diverged_at, losses[-1], "x", color=look.colour(1), clip_on=False)


def _rates(axes: Axes, run: Run) -> None:
    look.steps(axes, run.planned, ":", color=look.colour(2), linewidth=1)
    look.steps(axes, run.lr, color=look.colour(2), linewidth=1.6)
    at, peak = edge(run.setting), run.setting.peak_lr
    top = 1.12 * peak
    if at is not None and at < 4 * peak and run.setting.optimizer not in ADAPTIVE:
        top = 1.35 * at
        axes.axhline(at, color=look.colour(3), linestyle="--", linewidth=1.2)
        axes.annotate(
            f"edge {figure(at)}", (0.99, at), xycoords=axes.get_yaxis_transform(), ha="right",
            va="top" if peak > at else "bottom", fontsize=8.5, color=look.colour(3),
        )  # fmt: skip
    axes.set(xlim=(0, run.setting.updates), ylim=(0, top), xlabel="update")
    axes.set_title("learning rate of each update")
