"""Estimation plots: what a claim rests on, seed by seed, beside its interval and its margin."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes

from lrcourse import look
from lrcourse.claims import Evidence, Verdict
from lrcourse.claims.intervals import clopper_pearson
from lrcourse.plots import arguments as given
from lrcourse.plots.sweeps import stacked
from lrcourse.support.checks import each, kind

_JUDGED = kind("what judge returns, or one of made()", Verdict)
_BAND, _INK = look.colour(2), look.colour(6)
COLUMNS = 3  # of `effects`


def _verdict(owner: str, name: str, value: object) -> Verdict:
    """Rule: a verdict that has evidence with an interval."""
    verdict = _JUDGED(owner, name, value)
    if verdict.exact or verdict.evidence is None or verdict.evidence.unfit:
        lacks = "comes from a table" if verdict.evidence is None else "has no interval"
        raise ValueError(
            f"{owner}: {name} {lacks}: there is nothing to draw but what its line says"
        )
    return verdict


@given.drawing(verdict=_verdict)
def effect(verdict: Verdict, *, label: str = "", title: str = "", name: str = "effect") -> None:
    """The effect of each seed as a dot, their mean or median with its interval, and the margin.

    Of several splits of the data each has a row. The shaded band is where the effect lies if the
    sentence is true, the dashed line is no effect. Ratios stand on a log axis. What is dead or was
    never reached is a mark at the edge. A share is a bar with its interval, of two arms two.

    `verdict` is what `judge` returns, or one of `made()`; `label` names the effect with its unit,
    `title` stands over the figure instead of the sentence, `name` is that of its file.

    ValueError for a verdict on exact evidence, which has no interval, or without its evidence.

    >>> from lrcourse import plots
    >>> from lrcourse.claims import judge, paired
    >>> warm, cold = [0.95, 0.96, 0.94, 0.95, 0.97, 0.96], [0.91, 0.93, 0.9, 0.92, 0.92, 0.91]
    >>> verdict = judge("Warmup helps by a point", paired(warm, cold), margin=0.01)
    >>> plots.effect(verdict, label="accuracy")
    """
    told = {"claim": verdict.sentence, "verdict": verdict.verdict, "effect": str(verdict.effect)}
    over = title or _title(verdict, 84)
    with look.sheet(name, told, (6.8, _height(verdict, over))) as (_, (axes,)):
        _draw(axes, verdict)
        axes.set_title(over)
        axes.set_xlabel(label or axes.get_xlabel())


@given.drawing(verdicts=each(_JUDGED, 0, list))
def effects(verdicts: Iterable[Verdict], *, name: str = "effects") -> None:
    """The estimation plot of each of several claims, as `effect` draws one, in three columns.

    `verdicts` are those of `made()`, or what `judge` returned; claims without an interval
    (exact ones, and those on values that none is right on) are left out. `name` is that of the
    figure's file.

    ValueError where no claim is left to draw.

    >>> from lrcourse import plots
    >>> from lrcourse.claims import judge, paired
    >>> warm, cold = [0.95, 0.96, 0.94, 0.95, 0.97, 0.96], [0.91, 0.93, 0.9, 0.92, 0.92, 0.91]
    >>> found = paired(warm, cold)
    >>> plots.effects([judge("It helps", found, margin=0.01), judge("A lot", found, margin=0.03)])
    """
    drawn = [one for one in verdicts if one.evidence and not (one.exact or one.evidence.unfit)]
    if not drawn:
        raise ValueError("effects: verdicts holds no claim with an interval to draw")
    titles = [_title(verdict, 52) for verdict in drawn]
    tall = [0.78 * _height(verdict, over) for verdict, over in zip(drawn, titles, strict=True)]
    heights = [max(tall[k : k + COLUMNS]) for k in range(0, len(drawn), COLUMNS)]
    told = {"claims": [verdict.sentence for verdict in drawn]}
    size, rows = (11, sum(heights)), len(heights)
    with look.sheet(name, told, size, rows, COLUMNS, dpi=90, height_ratios=heights) as (_, grid):
        for axes, verdict, over in zip(grid, drawn, titles, strict=False):
            _draw(axes, verdict)
            axes.set_title(over, fontsize=7.5)
            axes.tick_params(labelsize=7.5)
            axes.xaxis.label.set_fontsize(7.5)


def _title(verdict: Verdict, width: int) -> str:
    return textwrap.fill(f"{verdict.verdict.upper()}: {verdict.sentence}", width)


def _height(verdict: Verdict, title: str) -> float:
    """Of a panel, in inches."""
    evidence = _evidence(verdict)
    rows = len(_rows(evidence))
    lines = len(evidence.counts) or rows + 1 + (rows == 1)
    return 1.15 + 0.34 * lines + 0.16 * title.count("\n")


def _draw(axes: Axes, verdict: Verdict) -> None:
    evidence = _evidence(verdict)
    if evidence.counts:
        _bars(axes, evidence, verdict)
    else:
        _dots(axes, _rows(evidence), evidence, verdict)


def _evidence(verdict: Verdict) -> Evidence:
    assert verdict.evidence is not None  # as `_verdict` and `effects` see to
    return verdict.evidence


def _rows(evidence: Evidence) -> dict[str, list[float]]:
    """The points of each split, or all of them as one row."""
    rows: dict[str, list[float]] = {}
    splits = evidence.counted.startswith("splits")
    for seed, value in evidence.points.items():
        row = f"split {seed[0]}" if splits else f"{len(evidence.points)} seeds"
        rows.setdefault(row, []).append(value)
    return rows


def _dots(axes: Axes, rows: dict[str, list[float]], evidence: Evidence, verdict: Verdict) -> None:
    tall = 2 if len(rows) == 1 else 1  # one row of many dots stacked
    places = [k + (tall - 1) / 2 for k in range(len(rows))]
    bottom = len(rows) + tall - 0.8
    every = [value for row in rows.values() for value in row]
    room = _aside(every, evidence.ratio, verdict.margin)
    limits = _limits([*every, *_landmarks(verdict)], evidence.ratio, room)
    if evidence.ratio:
        axes.set_xscale("log")
    axes.set_xlim(limits)
    for place, row in zip(places, rows.values(), strict=True):
        inside = sorted(v for v in row if math.isfinite(v) and (v > 0 or not evidence.ratio))
        heights = place - tall * stacked(inside, evidence.ratio) if inside else []
        axes.plot(inside, heights, "o", color=look.colour(0), ms=4.2, alpha=0.75, mew=0)
        _at_the_edges(axes, row, place, evidence)
    low, high = (float(np.clip(end, *limits)) for end in (verdict.low, verdict.high))
    axes.plot([low, high], [bottom] * 2, color=_INK, linewidth=2.6, solid_capstyle="butt")
    axes.plot([verdict.effect], [bottom], "D", color=_INK, ms=6.5)
    told = f"{verdict.effect:.3g} [{verdict.low:.3g}, {verdict.high:.3g}]"
    centre = min(max(verdict.effect, limits[0]), limits[1])
    look.note(axes, told, (centre, bottom), (0, 7), ha=_towards_the_middle(axes, centre))
    _margin(axes, verdict, limits)
    middle = "median" if "sign" in verdict.test else "mean"
    names = [*rows, verdict.quantity if verdict.quantity not in ("difference", "ratio") else middle]
    axes.set_yticks([*places, bottom], names)
    axes.set_ylim(bottom + 1.0, -0.75)
    axes.grid(False, axis="y")
    axes.set_xlabel(verdict.quantity)
    if evidence.ratio:
        look.plain_log_ticks(axes.xaxis)
    else:
        axes.locator_params(axis="x", nbins=7)


def _bars(axes: Axes, evidence: Evidence, verdict: Verdict) -> None:
    """Shares with the interval of each; the margin where the claim is about the one share."""
    one = len(evidence.counts) == 1
    for k, (_, count, n) in enumerate(evidence.counts):
        low, high = map(float, clopper_pearson(count, n)(verdict.alpha / verdict.of))
        axes.barh(k, count / n, height=0.5, color=look.colour(k), alpha=0.55)
        axes.plot([low, high], [k, k], color=_INK, linewidth=2.2, solid_capstyle="butt")
        axes.plot([count / n], [k], "D", color=_INK, ms=5)
    names = [
        f"{count} of {n}" if one else f"{arm}: {count} of {n}" for arm, count, n in evidence.counts
    ]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.75)
    axes.set_xlim(0, 1)
    axes.grid(False, axis="y")
    axes.set_xlabel(f"share, with its {1 - verdict.alpha / verdict.of:.3g} interval")
    if one:
        _margin(axes, verdict, (0.0, 1.0))
        return
    told = f"odds ratio {verdict.effect:.3g} [{verdict.low:.3g}, {verdict.high:.3g}]"
    look.note(axes, told, (1, 1), (-4, -9), xycoords="axes fraction", ha="right")


def _margin(axes: Axes, verdict: Verdict, limits: tuple[float, float]) -> None:
    """The range that the sentence claims, and the line of no effect."""
    least, most = (float(np.clip(end, *limits)) for end in verdict.margin)
    axes.axvspan(least, most, color=_BAND, alpha=0.14, linewidth=0)
    for end in verdict.margin:
        if math.isfinite(end):
            axes.axvline(end, color=_BAND, linewidth=1.2)
    top = axes.get_xaxis_transform()
    beside = verdict.no_effect
    right = math.isfinite(verdict.margin[0])
    look.note(
        axes, "claimed", (least if right else most, 1), (4 if right else -4, -9), xycoords=top,
        ha="left" if right else "right", color=_BAND,
    )  # fmt: skip
    if beside is not None and limits[0] <= beside <= limits[1]:
        axes.axvline(beside, color=look.GREY, linewidth=1.2, linestyle="--")
        side = "right" if _along(axes, beside) > 0.5 else "left"  # below, where "claimed" is not
        offset = (-4 if side == "right" else 4, 3)
        look.note(axes, "no effect", (beside, 0), offset, xycoords=top, ha=side, color="#666666")


def _towards_the_middle(axes: Axes, x: float) -> str:
    """How a text about a place is aligned so that it stays in the panel."""
    along = _along(axes, x)
    return "left" if along < 0.25 else "right" if along > 0.75 else "center"


def _along(axes: Axes, x: float) -> float:
    """How far along the axis a value lies, from 0 to 1."""
    return float(axes.transAxes.inverted().transform(axes.transData.transform((x, 0)))[0])


def _aside(values: list[float], ratio: bool, margin: tuple[float, float]) -> tuple[bool, bool]:
    """Whether there is to be room at the left edge and at the right one.

    For marks there, or for the word "claimed" where all values lie on the other side.
    """
    low, (least, most) = (0.0 if ratio else -math.inf), margin
    left = any(math.isnan(value) or value == low for value in values)
    right = math.inf in values
    return left or not any(v < most for v in values), right or not any(v > least for v in values)


def _at_the_edges(axes: Axes, row: list[float], place: float, evidence: Evidence) -> None:
    """A mark at the edge for what is dead, or lies at infinity."""
    across = axes.get_yaxis_transform()
    low, high = (0.0 if evidence.ratio else -math.inf), math.inf
    dead = sum(math.isnan(value) for value in row)
    neither = "dead" if "dead" in evidence.counted else "in neither"
    for count, mark, at, told in (
        (row.count(high), ">", 0.985, "never in a"),
        (row.count(low), "<", 0.015, "never in b"),
        (dead, "X", 0.015, neither),
    ):
        if count:
            axes.plot([at], [place], mark, color=look.colour(1), ms=6, transform=across)
            aside = (7, -3) if at < 0.5 else (-7, -3)
            look.note(
                axes, f"{count} {told}", (at, place), aside, xycoords=across,
                ha="left" if at < 0.5 else "right", color=look.colour(1),
            )  # fmt: skip


def _landmarks(verdict: Verdict) -> Iterable[float]:
    ends = [verdict.effect, verdict.low, verdict.high, *verdict.margin]
    return ends if verdict.no_effect is None else [*ends, verdict.no_effect]


def _limits(values: Iterable[float], ratio: bool, aside: tuple[bool, bool]) -> tuple[float, float]:
    """From a little below the lowest finite value to a little above the highest.

    `aside` says where there is to be room.
    """
    finite = [v for v in values if math.isfinite(v) and (v > 0 or not ratio)]
    places = np.log(finite) if ratio else np.array(finite)
    low, high = float(places.min()), float(places.max())
    left, right = (0.25 if marks else 0.09 for marks in aside)
    wide = high - low or 1.0
    ends = low - left * wide, high + right * wide
    return (math.exp(ends[0]), math.exp(ends[1])) if ratio else ends
