"""Figures of optimizers side by side: their paths over surfaces, moving too, and their rates."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lrcourse import look as parts
from lrcourse.landscapes.quadratic import Descent
from lrcourse.support import outputs

if TYPE_CHECKING:
    from PIL import Image

Limits = tuple[float, float]
COLOURS_IN_A_FRAME = 64


@dataclass(frozen=True, eq=False)
class Ground:
    """A surface and the descents on it, by the name of the optimizer.

    Attributes:
        surface: points of shape (..., 2) to heights of shape (...).
        descents: with paths of shape (updates + 1, 2).
        limits: those of x and of y.
    """

    surface: Callable[[torch.Tensor], torch.Tensor]
    descents: Mapping[str, Descent]
    limits: tuple[Limits, Limits]


def race(grounds: Mapping[str, Ground], *, title: str = "", name: str = "race") -> None:
    """Paths of several optimizers over each surface: the start as a ring, the ends as dots."""
    with plt.rc_context(parts.LOOK):
        figure, lines = _drawn(grounds, title)
        _move(lines, None)
        parts.finish(figure, name, _told(grounds))


def moving_race(
    grounds: Mapping[str, Ground],
    *,
    frames: int = 40,
    seconds: float = 8.0,
    title: str = "",
    alt: str = "",
    name: str = "moving-race",
) -> None:
    """`race`, moving: an animated PNG, shown and saved like every figure.

    What cannot show animations shows its first image, which is the end of the race and no part of
    the animation. A path that is shorter than the longest stands still at its end.

    Args:
        frames, seconds: of one round; it is repeated for ever.
        alt: what a reader who does not see it should know.
    """
    if frames < 2 or not seconds > 0:
        raise ValueError(f"give two frames or more and seconds above 0, not {frames}, {seconds}")
    from IPython.display import Image, display

    longest = max(len(run.path) for ground in grounds.values() for run in ground.descents.values())
    moments = np.linspace(1, longest, frames).round().astype(int)
    with plt.rc_context(parts.LOOK | {"figure.dpi": 100, "savefig.dpi": 100}):
        figure, lines = _drawn(grounds, title)
        shown = _with_a_still(_frames(figure, lines, moments), seconds / frames, _told(grounds))
        plt.close(figure)
    path = outputs.figure_path(name)
    if path is not None:
        path.write_bytes(shown)
    display(Image(data=shown, format="png", alt=alt or title))


def by_parameter(
    panels: Mapping[str, Mapping[str, torch.Tensor]],
    label: str = "effective rate",
    *,
    title: str = "",
    name: str = "by-parameter",
) -> None:
    """A panel for each optimizer: a number over the updates for each of a few parameters.

    ``panels`` maps optimizer -> parameter -> values of shape (updates,), all above 0.
    """
    with plt.rc_context(parts.LOOK):
        columns = min(3, len(panels))
        rows = -(-len(panels) // columns)
        figure, grid = plt.subplots(
            rows, columns, figsize=(7.4, 2.1 * rows + 0.4), sharex=True, sharey=True, squeeze=False
        )
        handles: dict[str, Line2D] = {}
        for axes, (panel, lines) in zip(grid.flat, panels.items(), strict=False):
            for k, (parameter, values) in enumerate(lines.items()):
                values = np.asarray(values, float)
                update = np.arange(1, len(values) + 1)
                (line,) = axes.plot(update, values, color=parts.colour(k), label=parameter)
                line.set(linestyle=("-", "--", ":")[k % 3], linewidth=1.5)
                handles.setdefault(parameter, line)
            axes.set_title(panel)
            axes.set_yscale("log")
        for axes in list(grid.flat)[len(panels) :]:
            axes.set_visible(False)
        for axes in grid[-1]:
            axes.set_xlabel("update")
        for axes in grid[:, 0]:
            axes.set_ylabel(label)
        figure.suptitle(title, x=0.02, ha="left", fontsize=10.5)
        figure.legend(handles.values(), handles, loc="outside lower center", ncols=len(handles))
        told = {panel: list(lines) for panel, lines in panels.items()}
        parts.finish(figure, name, told)


def over_rates(
    lines: Mapping[str, tuple],
    label: str,
    *,
    axis: str = "rate",
    level: float | None = None,
    limits: Limits | None = None,
    log_y: bool = True,
    legend: bool = False,
    title: str = "",
    name: str = "over-rates",
) -> None:
    """A number over the rate, on a log axis, for several optimizers.

    Args:
        lines: name -> (rates, values): one value a rate, or a row of them for each seed, drawn as
            median and range. NaN and infinity are left out.
        label, axis: of the numbers and of the rates.
        level: a height to mark, dashed.
        limits: of the numbers. Lines that leave them upwards end there.
        legend: name the lines in a box, and not at their ends.
    """
    with plt.rc_context(parts.LOOK):
        figure, axes = plt.subplots(figsize=(6.8, 3.4))
        for k, (optimizer, (rates, values)) in enumerate(lines.items()):
            rows = np.atleast_2d(np.asarray(values, float))
            top = limits[1] if limits else np.inf
            rows = np.where(np.isfinite(rows) & (rows <= top), rows, np.nan)
            marker = "." if rows.shape[1] <= 30 else ""
            middle = _over_seeds(np.nanmedian, rows)
            axes.plot(rates, middle, marker=marker, color=parts.colour(k), label=optimizer)
            if len(rows) > 1:
                band = (_over_seeds(np.nanmin, rows), _over_seeds(np.nanmax, rows))
                axes.fill_between(rates, *band, color=parts.colour(k), alpha=0.16, linewidth=0)
        if level is not None:
            axes.axhline(level, color="#888888", linestyle="--", linewidth=1)
        axes.set_xscale("log")
        parts.plain_log_ticks(axes.xaxis)
        axes.set(xlabel=axis, ylabel=label)
        if log_y:
            axes.set_yscale("log")
        axes.autoscale_view()
        if limits:
            axes.set_ylim(*limits)
        if log_y:
            parts.plain_log_ticks(axes.yaxis)
        axes.set_title(title)
        axes.legend(loc="lower left") if legend else parts.name_lines(axes)
        parts.finish(figure, name, {"lines": list(lines)})


# -- parts --------------------------------------------------------------------------------------


def _over_seeds(summary: Callable, rows: np.ndarray) -> np.ndarray:
    """The summary of each column's finite values; NaN where it has none."""
    there = np.isfinite(rows).any(0)
    found = np.full(rows.shape[1], np.nan)
    found[there] = summary(rows[:, there], 0)
    return found


def _drawn(grounds: Mapping[str, Ground], title: str) -> tuple[Figure, list]:
    """The surfaces; for each path its line, its start, its end, and the path itself."""
    if not grounds:
        raise ValueError("there is no surface to draw; give a mapping name -> Ground")
    figure, grid = plt.subplots(1, len(grounds), figsize=(7.6, 3.1), squeeze=False)
    lines, handles = [], {}
    for axes, (label, ground) in zip(grid.flat, grounds.items(), strict=True):
        _contours(axes, ground)
        for k, (optimizer, run) in enumerate(ground.descents.items()):
            path = run.path.numpy()
            if path.ndim != 2 or path.shape[1] != 2:
                raise ValueError(f"a path in the plane has shape (updates + 1, 2): {path.shape}")
            (line,) = axes.plot([], [], ".-", color=parts.colour(k), markersize=2.5, linewidth=1.1)
            (dot,) = axes.plot([], [], "o", color=parts.colour(k), markersize=5.5, zorder=4)
            dot.set(markeredgecolor="black", markeredgewidth=0.6)
            (ring,) = axes.plot(*path[0], "o", color="black", markerfacecolor="white", markersize=5)
            ring.set_zorder(3)
            lines.append((line, ring, dot, path))
            handles.setdefault(optimizer, line)
        axes.set(xlim=ground.limits[0], ylim=ground.limits[1], xlabel="x")
        axes.grid(False)
        axes.set_title(label, fontsize=9.5)
    grid[0, 0].set_ylabel("y")
    figure.suptitle(title, x=0.02, ha="left", fontsize=10.5)
    told = [Line2D([], [], color=line.get_color(), linewidth=2) for line in handles.values()]
    figure.legend(told, handles, loc="outside lower center", ncols=len(handles))
    return figure, lines


def _contours(axes: Axes, ground: Ground) -> None:
    (x0, x1), (y0, y1) = ground.limits
    x, y = np.meshgrid(np.linspace(x0, x1, 140), np.linspace(y0, y1, 140))
    heights = ground.surface(torch.from_numpy(np.stack([x, y], axis=-1))).numpy()
    low, high = heights.min(), heights.max()
    levels = low + (high - low) * np.linspace(0, 1, 16)[1:] ** 2
    axes.contour(x, y, heights, levels, colors="#888888", linewidths=0.5, alpha=0.8)


def _move(lines: list, moment: int | None) -> None:
    """Show the first ``moment`` points of each path; None: all of them."""
    for line, _, dot, path in lines:
        so_far = path[:moment]
        line.set_data(*so_far.T)
        dot.set_data(*so_far[-1:].T)


def _frames(figure: Figure, lines: list, moments: np.ndarray) -> list[Image.Image]:
    """Pictures of the figure at these moments; what stands still is drawn once."""
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    layers = zip(*(artists for *artists, _ in lines), strict=True)  # all lines, all rings, all dots
    moving = [artist for layer in layers for artist in layer]
    for artist in moving:
        artist.set_animated(True)
    canvas.draw()
    still, frames = canvas.copy_from_bbox(figure.bbox), []
    for moment in moments:
        canvas.restore_region(still)
        _move(lines, moment)
        for artist in moving:
            artist.axes.draw_artist(artist)
        frames.append(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"))
    return frames


def _with_a_still(frames: list[Image.Image], pause: float, told: dict) -> bytes:
    """An animated PNG with few colours, and its last frame as the image of those who show one."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    palette = frames[-1].quantize(COLOURS_IN_A_FRAME, dither=Image.Dither.NONE)
    frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    for frame in frames:  # the nearest colour of the palette is found roughly: white is to be white
        white, colours = 3 * frame.getpixel((0, 0)), frame.getpalette()
        colours[white : white + 3] = 255, 255, 255
        frame.putpalette(colours)
    info = PngInfo()
    info.add_text("Description", json.dumps(told))
    info.add_text("Software", "lrcourse")
    pauses = [round(1000 * pause)] * (len(frames) - 1) + [2000]  # a rest at the end
    made = io.BytesIO()
    frames[-1].save(
        made,
        "PNG",
        save_all=True,
        default_image=True,
        append_images=frames,
        duration=[pauses[-1], *pauses],
        loop=0,
        pnginfo=info,
        optimize=True,
    )
    return made.getvalue()


def _told(grounds: Mapping[str, Ground]) -> dict:
    return {
        label: {name: {"lr": float(run.lr[0])} for name, run in ground.descents.items()}
        for label, ground in grounds.items()
    }
