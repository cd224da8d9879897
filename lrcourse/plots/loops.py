"""The two curves to look at first in any training loop: its losses, and the LR that it applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np

from lrcourse import __version__
from lrcourse import look as parts
from lrcourse.recorder import Recorder


def loop(
    runs: Mapping[str, tuple[Sequence[float], Recorder]],
    *,
    intended: Sequence[float] | np.ndarray | None = None,
    chance: float | None = None,
    title: str = "",
    name: str = "loop",
) -> None:
    """Draw what loops of one's own gave: by name, the loss of each update and the record of the LR.

    Args:
        runs: name -> (losses, log), the losses one a update, the log from ``tracing.record``.
        intended: the LR that was meant for each update, drawn behind the LR applied.
        chance: the loss of guessing, drawn as a line: ln(classes) for cross-entropy.

    Losses are dots, with their running mean over a twentieth of the run as a line. Of several
    parameter groups the first one's LR is drawn.
    """
    if not runs:
        raise ValueError("there is no run to draw; give a mapping name -> (losses, log)")
    with plt.rc_context(parts.LOOK):
        figure, (top, bottom) = plt.subplots(
            2, 1, figsize=(6.8, 4.2), sharex=True, height_ratios=(1.7, 1)
        )
        if chance is not None:
            top.axhline(chance, color="#888888", linewidth=1, linestyle=":")
            top.annotate("guessing", (0.01, chance), **_NOTE)
        if intended is not None:
            _steps(bottom, np.asarray(intended, float), "#888888", "meant", 3.2)
        for k, (label, (losses, log)) in enumerate(runs.items()):
            losses = np.asarray(losses, float)
            if not len(losses) or not len(log):
                raise ValueError(f"{label!r} has {len(losses)} losses and {len(log)} updates")
            top.plot(losses, ".", color=parts.colour(k), markersize=2.5, alpha=0.3)
            top.plot(running_mean(losses), color=parts.colour(k), label=label, gid=label)
            only = intended is not None and len(runs) == 1
            _steps(bottom, log.lr[:, 0], parts.colour(k), "applied" if only else label, 1.5)
        top.set(ylabel="loss of the batch", title=title)
        low, high = top.get_ylim()
        top.set_ylim(min(0.0, low), high + 0.1 * (high - min(0.0, low)))
        parts.label_lr(bottom)
        bottom.set(xlabel="update")
        for axes in (top, bottom):
            parts.name_lines(axes)
        origin = {"loops": {label: len(log) for label, (_, log) in runs.items()}}
        parts.finish(figure, name, origin | {"lrcourse": __version__})


_NOTE = {
    "xycoords": ("axes fraction", "data"),
    "xytext": (0, 3),
    "textcoords": "offset points",
    "fontsize": 8,
    "color": "#666666",
}


def running_mean(losses: np.ndarray) -> np.ndarray:
    """Mean of the last twentieth of the run up to each update; of fewer at its beginning."""
    width = max(1, len(losses) // 20)
    total = np.cumsum(losses)
    made = np.minimum(np.arange(1, len(losses) + 1), width)
    return (total - np.concatenate([np.zeros(width), total[:-width]])) / made


def _steps(axes, lr: np.ndarray, colour: str, label: str, width: float) -> None:
    update = np.arange(len(lr) + 1)
    axes.plot(
        update,
        np.append(lr, lr[-1:]),
        color=colour,
        drawstyle="steps-post",
        label=label,
        linewidth=width,
        gid="applied",
    )
