"""The two curves to look at first in any training loop: its losses, and the LR that it applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lrcourse import __version__, look
from lrcourse.plots import arguments as given
from lrcourse.recorder import Recorder
from lrcourse.support.checks import NOT_NEGATIVE, kind, optional, together


def _losses(owner: str, name: str, value: object) -> np.ndarray:
    """Rule: numbers in a row, or none: what a loop without an update has is said with its log."""
    empty = isinstance(value, list | tuple | np.ndarray) and not len(value)
    return np.zeros(0) if empty else given.series(owner, name, value)


@given.drawing(
    runs=given.by_name(
        "run", together("(losses, log)", _losses, kind("a log of tracing.record", Recorder))
    ),
    intended=optional(given.finite),
    chance=optional(NOT_NEGATIVE),
)
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
        runs: name -> (losses, log), the losses one a update, the log from `tracing.record`.
        intended: the LR that was meant for each update, drawn behind the LR applied.
        chance: the loss of guessing, drawn as a line: ln(classes) for cross-entropy.
        title: of the figure.
        name: of its file in a headless run.

    Raises:
        ValueError: a loop without losses, or whose log holds no update.

    Losses are dots, with their running mean over a twentieth of the run as a line. Of several
    parameter groups the first one's LR is drawn.

    >>> import torch
    >>> from lrcourse import plots
    >>> from lrcourse.recorder import Recorder
    >>> w = torch.nn.Parameter(torch.tensor(1.0))
    >>> optimizer, losses = torch.optim.SGD([w], lr=0.3), []
    >>> with Recorder(optimizer) as log:
    ...     for _ in range(5):
    ...         loss = w**2
    ...         optimizer.zero_grad()
    ...         loss.backward()
    ...         optimizer.step()
    ...         losses.append(loss.item())
    >>> plots.loop({"mine": (losses, log)}, intended=[0.3] * 5)
    """
    for label, (losses, log) in runs.items():
        if not len(losses) or not len(log):
            raise ValueError(f"{label!r} has {len(losses)} losses and {len(log)} updates")
    updates = {label: len(log) for label, (_, log) in runs.items()}
    told = {"loops": updates, "lrcourse": __version__}
    with look.sheet(name, told, (6.8, 4.2), heights=(1.7, 1)) as (_, (top, bottom)):
        if chance is not None:
            top.axhline(chance, color=look.GREY, linewidth=1, linestyle=":")
            places = ("axes fraction", "data")
            look.note(top, "guessing", (0.01, chance), (0, 3), xycoords=places, color="#666666")
        lines = [] if intended is None else [(intended, look.GREY, "meant", 3.2)]
        only = intended is not None and len(runs) == 1
        for k, (label, (losses, log)) in enumerate(runs.items()):
            losses, colour = np.asarray(losses, float), look.colour(k)
            top.plot(losses, ".", color=colour, markersize=2.5, alpha=0.3)
            top.plot(running_mean(losses), color=colour, label=label, gid=label)
            lines.append((log.lr[:, 0], colour, "applied" if only else label, 1.5))
        for lr, colour, label, width in lines:
            look.steps(bottom, lr, color=colour, label=label, linewidth=width, gid="applied")
        top.set(ylabel="loss of the batch", title=title)
        low, high = top.get_ylim()
        top.set_ylim(min(0.0, low), high + 0.1 * (high - min(0.0, low)))
        look.lr_axis(bottom, "update")
        for axes in (top, bottom):
            look.name_lines(axes)


def running_mean(losses: np.ndarray) -> np.ndarray:
    """Mean of the last twentieth of the run up to each update; of fewer at its beginning."""
    width = max(1, len(losses) // 20)
    total = np.cumsum(losses)
    made = np.minimum(np.arange(1, len(losses) + 1), width)
    return (total - np.concatenate([np.zeros(width), total[:-width]])) / made
