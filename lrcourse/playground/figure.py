"""A still figure of the playground, for places without scripts."""

from __future__ import annotations

import io
import json
import textwrap

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from lrcourse import look as parts
from lrcourse.playground.descent import OPTIMIZERS, Run
from lrcourse.playground.sentences import ADAPTIVE, edge, figure, verdict

_FLOOR = 1e-12  # of the losses that are drawn


def still(run: Run) -> bytes:
    """Surface with path, losses and learning rates as a PNG that holds the settings."""
    import matplotlib.pyplot as plt

    with plt.rc_context(parts.LOOK):
        drawn = Figure(figsize=(7.4, 3.9))
        grid = drawn.add_gridspec(2, 2, width_ratios=(3, 2), height_ratios=(3, 2))
        left, top, bottom = (
            drawn.add_subplot(place) for place in (grid[:, 0], grid[0, 1], grid[1, 1])
        )
        _surface(left, run)
        _losses(top, run)
        _rates(bottom, run)
        bottom.set_xlabel("update")
        drawn.suptitle(textwrap.fill(verdict(run), 105), x=0.02, ha="left", fontsize=9.5)
        file = io.BytesIO()
        told = {"Description": json.dumps(run.setting.to_dict()), "Software": "lrcourse"}
        drawn.savefig(file, format="png", dpi=120, metadata=told)
    return _smaller(file, told)


def _smaller(file: io.BytesIO, told: dict[str, str]) -> bytes:
    """The same picture in 200 colours: a notebook holds it as text."""
    kept, out = PngInfo(), io.BytesIO()
    for name, text in told.items():
        kept.add_text(name, text)
    fewer = Image.open(file).convert("RGB").quantize(200, method=Image.Quantize.MAXCOVERAGE)
    fewer.save(out, "png", optimize=True, pnginfo=kept)
    return out.getvalue()


def _surface(axes: Axes, run: Run) -> None:
    place = run.setting.place
    x0, x1, y0, y1 = place.limits
    x, y = np.meshgrid(np.linspace(x0, x1, 180), np.linspace(y0, y1, 120))
    heights = place.surface(torch.from_numpy(np.stack([x, y], axis=-1))).numpy()
    power = 4 if run.setting.surface == "rosenbrock" else 2
    levels = np.linspace(0, 1, 17) ** power * heights.max()
    axes.contourf(x, y, heights, levels, cmap="Blues", alpha=0.45)
    axes.contour(x, y, heights, levels, colors="#5d7c99", linewidths=0.5)
    marker = "." if len(run.lr) <= 300 else ""
    axes.plot(
        *_near(run.path, place.limits).T,
        marker=marker,
        markersize=4,
        color=parts.colour(1),
        linewidth=1.1,
    )
    axes.plot(*run.path[-1], "o", color=parts.colour(1), markeredgecolor="white", markersize=7)
    axes.plot(*run.setting.start, "o", color="black", markerfacecolor="white", markersize=7)
    setting = run.setting
    name = f"{place.label}, {OPTIMIZERS[setting.optimizer]}, peak LR {figure(setting.peak_lr)}"
    axes.set(xlim=(x0, x1), ylim=(y0, y1), title=name, xlabel="x", ylabel="y")
    axes.grid(False)


def _near(path: np.ndarray, limits: tuple[float, float, float, float]) -> np.ndarray:
    """The path without leaps from outside the picture to outside: NaN in their place."""
    x0, x1, y0, y1 = limits
    x, y = path.T
    inside = (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)
    beside = np.append(inside[1:], False) | np.insert(inside[:-1], 0, False)
    return np.where((inside | beside)[:, None], path, np.nan)


def _losses(axes: Axes, run: Run) -> None:
    losses = np.nan_to_num(run.losses, nan=np.inf).clip(_FLOOR, 1e9)
    axes.plot(losses, color=parts.colour(1), linewidth=1.4)
    axes.set(yscale="log", xlim=(0, run.setting.updates), title="loss after each update")
    if run.diverged_at is not None:
        axes.plot(run.diverged_at, losses[-1], "x", color=parts.colour(1), clip_on=False)


def _rates(axes: Axes, run: Run) -> None:
    options = {"color": parts.colour(2), "drawstyle": "steps-post"}
    made = len(run.lr)
    axes.plot(np.append(run.planned, run.planned[-1]), ":", linewidth=1, **options)
    axes.plot(np.append(run.lr, run.lr[-1]), linewidth=1.6, **options)
    at, peak = edge(run.setting), run.setting.peak_lr
    binds = at is not None and at < 4 * peak and run.setting.optimizer not in ADAPTIVE
    if binds:
        axes.axhline(at, color=parts.colour(3), linestyle="--", linewidth=1.2)
        axes.annotate(
            f"edge {figure(at)}", (0.99, at), xycoords=axes.get_yaxis_transform(), ha="right",
            va="top" if peak > at else "bottom", fontsize=8.5, color=parts.colour(3),
        )  # fmt: skip
    axes.set(xlim=(0, max(made, run.setting.updates)), title="learning rate of each update")
    axes.set_ylim(0, 1.35 * at if binds else 1.12 * peak)
