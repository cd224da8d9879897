"""What a run of the playground says in words, and the edge beyond which descent climbs.

`page.js` says the same sentences; a test compares the two.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import numpy as np

from lrcourse.playground.descent import OPTIMIZERS, Run, Setting
from lrcourse.playground.places import largest_curvature
from lrcourse.support.checks import arguments, kind

ADAPTIVE = ("adagrad", "rmsprop", "adam")
_FORMULAS = {"momentum": "2(1+β)/λ", "nesterov": "2(1+β)/((1+2β)λ)"}


@arguments(setting=kind("a Setting", Setting))
def edge(setting: Setting) -> float | None:
    """The rate above which descent climbs where the curvature is that at the start of `setting`.

        2 / c                           sgd (and, to compare with, the adaptive ones)
        2 (1 + b) / c                   momentum b, the heavy ball
        2 (1 + b) / ((1 + 2 b) c)       Nesterov's

    with c the largest curvature. Exact on the bowls and the ravine, where it is the same
    everywhere. None where no direction curves upward.

    >>> from lrcourse.playground import Setting, edge
    >>> edge(Setting(surface="bowl"))
    1.0
    """
    curvature = largest_curvature(setting.place.surface, setting.start)
    if curvature <= 0:
        return None
    b = setting.momentum
    if setting.optimizer == "momentum":
        return 2 * (1 + b) / curvature
    if setting.optimizer == "nesterov":
        return 2 * (1 + b) / ((1 + 2 * b) * curvature)
    return 2 / curvature


@arguments(run=kind("a Run", Run))
def verdict(run: Run) -> str:
    """Two or three sentences on `run`: whether it diverged, and when; where it ended; the edge.

    In them λ is the largest curvature at the start.

    >>> from lrcourse.playground import Setting, simulate, verdict
    >>> verdict(simulate(Setting(surface="bowl", peak_lr=1.1, updates=20)))
    'Climbs: the loss is ...'
    """
    return " ".join(part for part in (_end(run), _well(run), _about_edge(run)) if part)


def first(condition: np.ndarray) -> int | None:
    """Where a condition holds for the first time; None if nowhere."""
    found = np.flatnonzero(condition)
    return int(found[0]) if len(found) else None


def figure(number: float) -> str:
    """A number with three digits, as a reader likes it: 0.0123, 45.6, 1.2e-5."""
    if number == 0:
        return "0"
    exponent = Decimal(number).adjusted()
    places = 2 if -4 <= exponent < 4 else 1
    kept = Decimal(number).quantize(Decimal(1).scaleb(exponent - places), ROUND_HALF_UP)
    if -4 <= exponent < 4:
        return f"{kept.normalize():f}"
    return f"{kept.scaleb(-kept.adjusted()).normalize():f}e{kept.adjusted()}"


def _end(run: Run) -> str:
    start, end, made = float(run.losses[0]), float(run.losses[-1]), len(run.lr)
    if run.diverged_at is not None:
        return f"Diverges: after {_updates(made)} the loss is above a billion."
    if start == 0:
        return f"Starts at a minimum; after {made} updates the loss is {figure(end)}."
    if end > start:
        return f"Climbs: the loss is {figure(end)} after {made} updates, from {figure(start)}."
    told = f"Ends at a loss of {figure(end)} after {made} updates, from {figure(start)}."
    reached = first(run.losses <= start / 1000)
    if reached is None:
        return f"{told} It never has a thousandth of that."
    return f"{told} It has a thousandth of that after {_updates(reached)}."


def _well(run: Run) -> str:
    if run.setting.surface != "saddle" or run.diverged_at is not None:
        return ""
    x = float(run.path[-1, 0])
    if abs(x) < 0.5:
        return "It has not left the saddle."
    return f"It ends on the {'left' if x < 0 else 'right'}."


def _about_edge(run: Run) -> str:
    setting, at = run.setting, edge(run.setting)
    if at is None:
        return "At the start no direction curves upward: there is no edge."
    here = "The edge" if setting.place.quadratic else "At the start the edge"
    here = f"{here} {_FORMULAS.get(setting.optimizer, '2/λ')}"
    if setting.optimizer in ADAPTIVE:
        here = f"{here} of SGD"
        return f"{here} is {figure(at)}; {OPTIMIZERS[setting.optimizer]} scales its own steps."
    above = first(run.lr > at)
    if above is None:
        return f"{here} is {figure(at)}; the rate stays below it."
    if above == 0:
        return f"{here} is {figure(at)}; the rate is above it from the first update on."
    return f"{here} is {figure(at)}; the rate first passes it in update {above + 1}."


def _updates(count: int) -> str:
    return f"{count} update{'' if count == 1 else 's'}"
