"""Figures of descents: on a curve, on a surface, over the updates, and at the edge of stability."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lrcourse import look as parts
from lrcourse.landscapes.quadratic import Descent
from lrcourse.study.curvature import Watch

Limits = tuple[float, float]


def curve(
    f: Callable[[torch.Tensor], torch.Tensor],
    descents: Mapping[str, Descent],
    limits: Limits,
    *,
    title: str = "",
    name: str = "curve",
) -> None:
    """Descents on a function of one number, a panel each: the curve, and the points in order.

    ``f`` maps positions to heights, element by element. Points outside ``limits`` are left out.
    """
    with plt.rc_context(parts.LOOK):
        figure, grid = _panels(len(descents), 2.4)
        at = torch.linspace(*limits, 200, dtype=torch.float64)
        top = float(f(at).max())
        for k, (axes, (label, run)) in enumerate(zip(grid, descents.items(), strict=True)):
            axes.plot(at, f(at), color="#888888", linewidth=1)
            x = run.path.reshape(-1)
            axes.plot(x, f(x), ".-", color=parts.colour(k), markersize=6, linewidth=1)
            axes.set(xlim=limits, ylim=(-0.05 * top, 1.05 * top), xlabel="x")
            axes.set_title(label, color=parts.colour(k))
        grid[0].set_ylabel("f(x)")
        figure.suptitle(title, x=0.02, ha="left", fontsize=10.5)
        parts.finish(figure, name, _told(descents))


def surface(
    f: Callable[[torch.Tensor], torch.Tensor],
    descents: Mapping[str, Descent],
    limits: tuple[Limits, Limits],
    *,
    title: str = "",
    name: str = "surface",
) -> None:
    """Descents over the plane, a panel each: contours of f, the start as a ring, the end as a dot.

    A descent holds one path, of shape (updates + 1, 2), or several side by side,
    (updates + 1, paths, 2). ``limits`` are those of x and of y.
    """
    with plt.rc_context(parts.LOOK):
        figure, grid = _panels(len(descents), 2.6)
        (x0, x1), (y0, y1) = limits
        x, y = np.meshgrid(np.linspace(x0, x1, 160), np.linspace(y0, y1, 160))
        heights = f(torch.from_numpy(np.stack([x, y], axis=-1))).numpy()
        # Closer contours near the ground, where the paths end.
        low, high = heights.min(), heights.max()
        levels = low + (high - low) * np.linspace(0, 1, 18)[1:] ** 2
        for k, (axes, (label, run)) in enumerate(zip(grid, descents.items(), strict=True)):
            axes.contour(x, y, heights, levels, colors="#888888", linewidths=0.5, alpha=0.8)
            paths = run.path.reshape(len(run.path), -1, 2)
            for j in range(paths.shape[1]):
                path = paths[:, j]
                axes.plot(*path.T, ".-", color=parts.colour(k), markersize=3, linewidth=0.9)
                axes.plot(*path[0], "o", color="black", markerfacecolor="white", markersize=5)
                axes.plot(*path[-1], "o", color="black", markersize=4)
            axes.set(xlim=limits[0], ylim=limits[1], xlabel="x")
            axes.grid(False)
            axes.set_title(label, color=parts.colour(k))
        grid[0].set_ylabel("y")
        figure.suptitle(title, x=0.02, ha="left", fontsize=10.5)
        parts.finish(figure, name, _told(descents))


def over_updates(
    lines: Mapping[str, Sequence],
    label: str,
    *,
    levels: Mapping[str, float] | None = None,
    log_x: bool = False,
    log_y: bool = True,
    limits: Limits | None = None,
    every: int = 1,
    title: str = "",
    name: str = "over-updates",
) -> None:
    """A number after each update, for several descents or arms of runs.

    Args:
        lines: values of shape (updates,), or rows of unequal length, one a seed: then their mean
            where all seeds have one, and their range. A row that holds a NaN or an infinity ends
            there with a cross.
        label: of the numbers.
        levels: by the name of a line, a height where theory puts it, drawn dashed.
        limits: of the numbers.
        every: updates from one number to the next.
    """
    with plt.rc_context(parts.LOOK):
        figure, axes = plt.subplots(figsize=(6.8, 3.4))
        for k, (name_of_line, values) in enumerate(lines.items()):
            rows = [np.asarray(row, float) for row in values] if np.ndim(values[0]) else [values]
            _draw_rows(axes, rows, k, name_of_line, every)
            if levels and name_of_line in levels:
                axes.axhline(
                    levels[name_of_line], color=parts.colour(k), linestyle="--", linewidth=1
                )
        axes.set(xlabel="update", ylabel=label)
        if log_x:
            axes.set_xscale("log")
            parts.plain_log_ticks(axes.xaxis)
        if log_y:
            axes.set_yscale("log")
        if limits:
            axes.set_ylim(*limits)
        axes.set_title(title)
        parts.name_lines(axes)
        parts.finish(figure, name, {"lines": list(lines)})


def sharpness(watches: Mapping[str, Watch], *, title: str = "", name: str = "sharpness") -> None:
    """The loss of each update, and below it the sharpness, with 2 / lr of each rate dashed."""
    with plt.rc_context(parts.LOOK):
        figure, (top, bottom) = plt.subplots(
            2, 1, figsize=(6.8, 4.8), sharex=True, height_ratios=(1.2, 1.6)
        )
        edges: dict[float, int] = {}
        for k, (label, watch) in enumerate(watches.items()):
            (line,) = top.plot(watch.loss, color=parts.colour(k), linewidth=0.9)
            if watch.batch_size is not None:  # its noise would hide the others
                line.set(alpha=0.35, zorder=1)
            found = bottom.plot(
                watch.looks, watch.sharpness, ".-", color=parts.colour(k), label=label
            )
            found[0].set_markersize(3)
            edges.setdefault(watch.edge, k)
        for edge, k in edges.items():
            bottom.axhline(edge, color=parts.colour(k), linestyle="--", linewidth=1)
        top.set(yscale="log", ylabel="training loss")
        top.set_title(title)
        bottom.set(xlabel="update", ylabel="sharpness")
        bottom.set_ylim(0, 1.7 * max(edges))
        dashed = Line2D([], [], color="#888888", linestyle="--", linewidth=1)
        bottom.legend([dashed], ["2 / rate"], loc="upper right")
        parts.name_lines(bottom)
        told = {label: {"lr": w.lr, "batch": w.batch_size} for label, w in watches.items()}
        parts.finish(figure, name, told)


def _panels(count: int, height: float) -> tuple:
    figure, grid = plt.subplots(
        1, count, figsize=(min(7.4, 2.6 * count), height), sharey=True, squeeze=False
    )
    return figure, list(grid.flat)


def _draw_rows(axes: Axes, rows: list[np.ndarray], k: int, label: str, every: int) -> None:
    finite = []
    for row in rows:
        row = np.asarray(row, float)
        broken = np.flatnonzero(~np.isfinite(row))
        if len(broken):
            row = row[: broken[0]]
            if len(row):
                axes.plot(
                    [every * len(row)], [row[-1]], "x", color=parts.colour(k), ms=6, label="_"
                )
        finite.append(row)
    length = min(map(len, finite))
    table = np.stack([row[:length] for row in finite])
    update = every * np.arange(1, length + 1)
    axes.plot(update, table.mean(0), color=parts.colour(k), label=label, linewidth=1.3)
    if len(table) > 1:
        band = (table.min(0), table.max(0))
        axes.fill_between(update, *band, color=parts.colour(k), alpha=0.16, linewidth=0)


def _told(descents: Mapping[str, Descent]) -> dict:
    """What a figure's descents say of themselves."""
    kept = {}
    for label, run in descents.items():
        end = [x if math.isfinite(x) else str(x) for x in run.path[-1].reshape(-1).tolist()]
        kept[label] = {"lr": float(run.lr[0]), "updates": len(run.lr), "end": end}
    return kept
