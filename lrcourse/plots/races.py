"""Several optimizers on one surface, side by side, and moving."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from lrcourse import look
from lrcourse.landscapes import Descent
from lrcourse.plots import arguments as given
from lrcourse.plots.descents import DESCENTS, FIELD, Heights, Limits, check_paths, draw_surface
from lrcourse.support import outputs
from lrcourse.support.checks import Number, check, function, kind, whole
from lrcourse.support.paths import write_atomically

COLOURS_IN_A_FRAME = 64
RACE = (7.6, 3.1)  # inches
_SECONDS = Number("a number from 0.1 to 60", lambda v: 0.1 <= v <= 60)


@dataclass(frozen=True, eq=False)
class Ground:
    """A surface and the descents on it, by the name of the optimizer.

    Attributes:
        surface: points of shape (..., 2) to heights of shape (...).
        descents: with paths of shape (updates + 1, 2).
        limits: those of x and of y.

    Raises:
        ValueError: a path of another shape.

    >>> import torch
    >>> from lrcourse import landscapes, optimizers, plots
    >>> ravine, start = landscapes.Ravine(), torch.tensor([-1.0, 0.5])
    >>> runs = {
    ...     name: landscapes.descend(ravine.gradient, start, optimizers.pure(name), 0.05, 20)
    ...     for name in ("sgd", "adam")
    ... }
    >>> plots.race({"a ravine": plots.Ground(ravine, runs, ((-1.5, 1.5), (-1, 1)))})
    """

    surface: Heights
    descents: Mapping[str, Descent]
    limits: tuple[Limits, Limits]

    def __post_init__(self) -> None:
        check(self, surface=function, descents=DESCENTS, limits=FIELD)
        check_paths("Ground", self.descents, most=2)


@dataclass(frozen=True)
class _Racer:
    """A path, and what is drawn of it."""

    path: np.ndarray
    line: Line2D
    ring: Line2D
    dot: Line2D

    def move(self, moment: int | None) -> None:
        """Show the first `moment` points; None: all of them."""
        so_far = self.path[:moment]
        self.line.set_data(*so_far.T)
        self.dot.set_data(*so_far[-1:].T)


_GROUNDS = given.by_name("surface", kind("a Ground", Ground))


@given.drawing(grounds=_GROUNDS)
def race(grounds: Mapping[str, Ground], *, title: str = "", name: str = "race") -> None:
    """Paths of several optimizers: a row for each surface, a small panel for each optimizer.

    The start is a ring, the end a dot. `grounds` maps the name of a surface -> a `Ground`.
    `title` stands over the figure; `name` is that of its file.

    >>> import torch
    >>> from lrcourse import landscapes, optimizers, plots
    >>> bowl = landscapes.Ravine(1.0)
    >>> run = landscapes.descend(bowl.gradient, torch.ones(2), optimizers.pure("adam"), 0.1, 20)
    >>> plots.race({"a bowl": plots.Ground(bowl, {"Adam": run}, ((-1, 2), (-1, 2)))})
    """
    columns = max(len(ground.descents) for ground in grounds.values())
    size = (1.0 + 1.15 * max(columns, 3), 0.5 + 1.3 * len(grounds))
    sheet = look.sheet(name, _told(grounds), size, len(grounds), columns, title=title)
    with sheet as (_, panels):
        for row, (label, ground) in enumerate(grounds.items()):
            for k, (optimizer, run) in enumerate(ground.descents.items()):
                axes = panels[row * columns + k]
                draw_surface(axes, ground.surface, ground.limits, points=140, levels=12)
                _racer(axes, run, look.colour(k)).move(None)
                axes.set(xlabel="", ylabel="", xticks=[], yticks=[])
                axes.set_title(optimizer if row == 0 else "", fontsize=9)
            panels[row * columns].set_ylabel(label.replace(", ", "\n"), fontsize=8.5)


@given.drawing(grounds=_GROUNDS, frames=whole(2, 1000), seconds=_SECONDS)
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
        grounds: by the names of the surfaces.
        frames: of one round, which is repeated for ever; 2 or more.
        seconds: of one round.
        title: of the figure.
        alt: what a reader who does not see it should know.
        name: of its file in a headless run.

    >>> import torch
    >>> from lrcourse import landscapes, optimizers, plots
    >>> bowl = landscapes.Ravine(1.0)
    >>> run = landscapes.descend(bowl.gradient, torch.ones(2), optimizers.pure("adam"), 0.1, 20)
    >>> ground = plots.Ground(bowl, {"Adam": run}, ((-1, 2), (-1, 2)))
    >>> plots.moving_race({"a bowl": ground}, frames=3, seconds=1)  # doctest: +ELLIPSIS
    <...>
    """
    from IPython.display import Image as Shown
    from IPython.display import display

    longest = max(len(run.path) for ground in grounds.values() for run in ground.descents.values())
    moments = np.linspace(1, longest, frames).round().astype(int)
    with plt.rc_context(look.LOOK):
        figure, grid = plt.subplots(1, len(grounds), figsize=RACE, dpi=100, squeeze=False)
        try:
            pictures = _frames(figure, _drawn(figure, list(grid.flat), grounds, title), moments)
        finally:
            plt.close(figure)
    shown = _with_a_still(pictures, seconds / frames, _told(grounds))
    path = outputs.figure_path(name)
    if path is not None:
        write_atomically(path, shown)
    display(Shown(data=shown, format="png", alt=alt or title))


def _told(grounds: Mapping[str, Ground]) -> dict[str, Any]:
    return {
        label: {name: {"lr": float(run.lr[0])} for name, run in ground.descents.items()}
        for label, ground in grounds.items()
    }


def _drawn(
    figure: Figure, panels: Sequence[Axes], grounds: Mapping[str, Ground], title: str
) -> list[_Racer]:
    """Draw the surfaces with the rings at the starts; lines and dots are still to be moved."""
    racers, colours = [], {}
    for axes, (label, ground) in zip(panels, grounds.items(), strict=True):
        draw_surface(axes, ground.surface, ground.limits, points=140, levels=16)
        for k, (optimizer, run) in enumerate(ground.descents.items()):
            colour = look.colour(k)
            racers.append(_racer(axes, run, colour))
            colours.setdefault(optimizer, colour)
        axes.set_title(label, fontsize=9.5)
    panels[0].set_ylabel("y")
    look.title_over(figure, title)
    lines = [Line2D([], [], color=colour, linewidth=2) for colour in colours.values()]
    figure.legend(lines, colours, loc="outside lower center", ncols=len(lines))
    return racers


def _racer(axes: Axes, run: Descent, colour: str) -> _Racer:
    """A descent with its ring; line and dot are still to be moved."""
    path = run.path.numpy()
    (line,) = axes.plot([], [], ".-", color=colour, markersize=2.5, linewidth=1.1)
    (dot,) = axes.plot([], [], "o", color=colour, markersize=5.5, zorder=4)
    dot.set(markeredgecolor="black", markeredgewidth=0.6)
    (ring,) = axes.plot(*path[0], "o", color="black", markerfacecolor="white", markersize=5)
    ring.set_zorder(3)
    return _Racer(path, line, ring, dot)


def _frames(figure: Figure, racers: Sequence[_Racer], moments: np.ndarray) -> list[Image.Image]:
    """Pictures of the figure at these moments; what stands still is drawn once."""
    canvas = FigureCanvasAgg(figure)
    moving = [racer.line for racer in racers]  # all lines, all rings, all dots
    moving += [racer.ring for racer in racers] + [racer.dot for racer in racers]
    for artist in moving:
        artist.set_animated(True)
    canvas.draw()
    still, frames = canvas.copy_from_bbox(figure.bbox), []
    for moment in moments:
        canvas.restore_region(still)
        for racer in racers:
            racer.move(moment)
        for artist in moving:
            figure.draw_artist(artist)
        frames.append(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"))
    return frames


def _with_a_still(frames: Sequence[Image.Image], pause: float, told: Mapping[str, Any]) -> bytes:
    """An animated PNG with few colours, and its last frame as the image of those who show one."""
    dither = Image.Dither.NONE
    palette = frames[-1].quantize(COLOURS_IN_A_FRAME, dither=dither)
    frames = [frame.quantize(palette=palette, dither=dither) for frame in frames]
    for frame in frames:  # the nearest colour of the palette is found roughly: white is to be white
        white, colours = 3 * int(np.asarray(frame)[0, 0]), frame.getpalette() or []
        colours[white : white + 3] = 255, 255, 255
        frame.putpalette(colours)
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
        pnginfo=look.png_info(told),
        optimize=True,
    )
    return made.getvalue()
