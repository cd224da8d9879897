"""Figures of descents on a curve and over a surface, a panel each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from matplotlib.axes import Axes

from lrcourse import look
from lrcourse.landscapes import Descent
from lrcourse.plots import arguments as given
from lrcourse.support.checks import function, kind, together

Limits = tuple[float, float]
Heights = Callable[[torch.Tensor], torch.Tensor]

DESCENTS = given.by_name("descent", kind("a Descent", Descent))
FIELD = together("the limits of x and of y", given.limits, given.limits)


@given.drawing(f=function, descents=DESCENTS, limits=given.limits)
def curve(
    f: Heights,
    descents: Mapping[str, Descent],
    limits: Limits,
    *,
    title: str = "",
    name: str = "curve",
) -> None:
    """Descents on a function of one number, a panel each: the curve, and the points in order.

    `f` maps positions to heights, element by element; `descents` maps label -> a Descent on it.
    Points outside `limits`, the lowest and the highest position, are left out. ValueError where `f`
    gives no tensor of the shape that it got.
    `title` stands over the figure; `name` is that of its file.

    >>> import torch
    >>> from lrcourse import landscapes, optimizers, plots
    >>> bowl, sgd = landscapes.Quadratic(torch.eye(1)), optimizers.pure("sgd")
    >>> run = landscapes.descend(bowl.gradient, torch.ones(1), sgd, lr=0.3, updates=5)
    >>> plots.curve(lambda x: x**2 / 2, {"rate 0.3": run}, (-1.5, 1.5))
    """
    with _panels(descents, 2.4, title, name) as panels:
        at = torch.linspace(*limits, 200, dtype=torch.float64)
        heights = _heights(f, at)
        top = float(heights.max())
        for k, (axes, run) in enumerate(zip(panels, descents.values(), strict=True)):
            axes.plot(at, heights, color=look.GREY, linewidth=1)
            x = run.path.reshape(-1)
            axes.plot(x, f(x), ".-", color=look.colour(k), markersize=6, linewidth=1)
            axes.set(xlim=limits, ylim=(-0.05 * top, 1.05 * top), xlabel="x")
        panels[0].set_ylabel("f(x)")


@given.drawing(f=function, descents=DESCENTS, limits=FIELD)
def surface(
    f: Heights,
    descents: Mapping[str, Descent],
    limits: tuple[Limits, Limits],
    *,
    title: str = "",
    name: str = "surface",
) -> None:
    """Descents over the plane, a panel each: contours of f, the start as a ring, the end as a dot.

    `f` maps points of shape (..., 2) to heights of shape (...), `descents` maps label -> a Descent,
    which holds one path, of shape (updates + 1, 2), or several side by side, (updates + 1, paths,
    2). `limits` are those of x and of y. ValueError for other shapes.
    `title` stands over the figure; `name` is that of its file.

    >>> import torch
    >>> from lrcourse import landscapes, optimizers, plots
    >>> ravine, sgd = landscapes.Ravine(), optimizers.pure("sgd")
    >>> start = torch.tensor([-1.0, 0.5])
    >>> run = landscapes.descend(ravine.gradient, start, sgd, lr=0.05, updates=9)
    >>> plots.surface(ravine, {"rate 0.05": run}, ((-1.5, 1.5), (-1, 1)))
    """
    check_paths("surface", descents, most=3)
    with _panels(descents, 2.6, title, name) as panels:
        for k, (axes, run) in enumerate(zip(panels, descents.values(), strict=True)):
            draw_surface(axes, f, limits, points=160, levels=18)
            for path in run.path.reshape(len(run.path), -1, 2).unbind(1):
                axes.plot(*path.T, ".-", color=look.colour(k), markersize=3, linewidth=0.9)
                axes.plot(*path[0], "o", color="black", markerfacecolor="white", markersize=5)
                axes.plot(*path[-1], "o", color="black", markersize=4)
        panels[0].set_ylabel("y")


def check_paths(owner: str, descents: Mapping[str, Descent], most: int) -> None:
    """ValueError unless each path is one over the plane, or with `most` 3 several side by side."""
    shapes = ("(updates + 1, 2)", "(updates + 1, paths, 2)")[: most - 1]
    for label, run in descents.items():
        if not 2 <= run.path.ndim <= most or run.path.shape[-1] != 2:
            raise ValueError(
                f"{owner}: the path of descents[{label!r}] must have the shape "
                f"{' or '.join(shapes)}; it has {tuple(run.path.shape)}"
            )


def draw_surface(
    axes: Axes, f: Heights, limits: tuple[Limits, Limits], points: int, levels: int
) -> None:
    """Contours, closer near the ground, where the paths end."""

    def heights(at: np.ndarray) -> np.ndarray:
        return _heights(f, torch.from_numpy(at), at.shape[:-1]).numpy()

    shares = np.linspace(0, 1, levels)[1:] ** 2
    look.contours(axes, heights, limits, (points, points), shares)


@contextmanager
def _panels(
    descents: Mapping[str, Descent], height: float, title: str, name: str
) -> Iterator[list[Axes]]:
    told = {}
    for label, run in descents.items():
        end = [x if math.isfinite(x) else str(x) for x in run.path[-1].reshape(-1).tolist()]
        told[label] = {"lr": float(run.lr[0]), "updates": len(run.lr), "end": end}
    count = len(descents)
    size = (min(7.4, 2.6 * count), height)
    with look.sheet(name, told, size, 1, count, title=title, sharey=True) as (_, panels):
        yield panels
        for k, (axes, label) in enumerate(zip(panels, descents, strict=True)):
            axes.set_title(label, color=look.colour(k))


def _heights(f: Heights, at: torch.Tensor, shape: Sequence[int] | None = None) -> torch.Tensor:
    heights, shape = f(at), tuple(at.shape if shape is None else shape)
    if not isinstance(heights, torch.Tensor) or tuple(heights.shape) != shape:
        raise ValueError(
            f"the function of a figure must give a tensor of shape {shape} for points of shape "
            f"{tuple(at.shape)}; it gave {getattr(heights, 'shape', type(heights).__name__)}"
        )
    return heights.detach()
