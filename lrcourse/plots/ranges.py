"""Numbers over the learning rate, on a log axis: sweeps, range tests and what they say."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from lrcourse import look
from lrcourse.plots import arguments as given
from lrcourse.rangetest import RangeTest
from lrcourse.rangetest.result import Calibration
from lrcourse.rangetest.rules import RULES
from lrcourse.support.checks import COUNT_FROM_1, NUMBER, POSITIVE, kind, optional, together

Limits = tuple[float, float]
_LINES = given.by_name("line", given.by_rate)
ByRate = tuple[Sequence[float], ArrayLike] | Mapping[float, ArrayLike]


@given.drawing(
    level=optional(NUMBER),
    regions=optional(given.by_name("region", together("(lowest, highest)", POSITIVE, POSITIVE))),
)
def over_rates(
    lines: Mapping[str, ByRate],
    label: str,
    *,
    axis: str = "rate",
    level: float | None = None,
    limits: Limits | None = None,
    log_y: bool = True,
    legend: bool = False,
    regions: Mapping[str, Limits] | None = None,
    colours: Mapping[str, int] | None = None,
    dashed: Collection[str] = (),
    title: str = "",
    name: str = "over-rates",
) -> None:
    """A number over the rate, on a log axis, for several optimizers.

    Args:
        lines: name -> rate -> its value, or the list of its values, one a seed, drawn as median and
            range; or name -> (rates, values), the values in a row, or in one for each seed. NaN and
            infinity are left out.
        label: of the numbers.
        axis: the label of the rates.
        level: a height to mark, dashed.
        limits: lowest and highest of the numbers. Lines that leave them upwards end there.
        log_y: whether the axis of the numbers is a log axis.
        legend: name the lines in a box, and not at their ends.
        regions: name -> (lowest, highest) rate of a region, tinted and with its name at the top.
        colours: name of a line or region -> number of its colour; by default lines have one after
            the other, and regions are grey.
        dashed: lines that are dashed.
        title: of the figure.
        name: of its file in a headless run.

    >>> from lrcourse import plots
    >>> plots.over_rates({"SGD": {0.01: 2.0, 0.1: 0.5, 1.0: float("nan")}}, "loss", level=1.0)
    >>> plots.over_rates({"two seeds": {0.1: [0.5, 0.6], 1.0: [2.3, 2.4]}}, "loss")
    """
    pairs: dict[str, tuple[np.ndarray, np.ndarray]] = _LINES("over_rates", "lines", lines)
    given.as_long("over_rates", pairs)
    styles = given.style_of("over_rates", pairs, dashed)
    with look.sheet(name, {"lines": list(lines)}, (6.8, 3.4)) as (_, (axes,)):
        top = limits[1] if limits else np.inf
        for k, (optimizer, (rates, values)) in enumerate(pairs.items()):
            rows = np.asarray(values, float)
            rows = np.where(np.isfinite(rows) & (rows <= top), rows, np.nan)
            marker = "." if rows.shape[1] <= 30 else ""
            colour = look.colour((colours or {}).get(optimizer, k))
            look.band(axes, rates, rows, colour, styles[optimizer], label=optimizer, marker=marker)
        for region, (low, high) in (regions or {}).items():
            _region(axes, region, low, high, (colours or {}).get(region))
        if level is not None:
            axes.axhline(level, color=look.GREY, linestyle="--", linewidth=1)
        axes.set(xlabel=axis, ylabel=label, title=title)
        look.scales(axes, log_x=True, log_y=log_y, limits=limits)
        axes.legend(loc="lower left") if legend else look.name_lines(axes)


def _region(axes: Axes, words: str, low: float, high: float, k: int | None) -> None:
    tint, ink = (look.GREY, "#555555") if k is None else (look.colour(k), look.colour(k))
    axes.axvspan(low, high, color=tint, alpha=0.09 if high > 2 * low else 0.3, linewidth=0)
    top = axes.get_xaxis_transform()
    axes.text((low * high) ** 0.5, 0.98, words, ha="center", va="top", color=ink, transform=top)


@given.drawing(
    tests=given.by_name("test", together("(rates, losses)", given.series, given.series)),
    width=COUNT_FROM_1,
    marks=optional(given.by_name("mark", POSITIVE)),
)
def ramps(
    tests: Mapping[object, tuple[Sequence[float], Sequence[float]]],
    label: str = "training loss",
    *,
    width: int = 9,
    marks: Mapping[str, float] | None = None,
    limits: Limits | None = None,
    title: str = "",
    name: str = "ramps",
) -> None:
    """Range tests of one's own loop: the loss of each batch over its rate, and their running mean.

    Args:
        tests: name or seed -> (rates, losses), both of shape (updates,), the rates rising.
        label: of the losses.
        width: batches in a running mean.
        marks: words -> a rate at which they are written, at the top.
        limits: lowest and highest of the losses; those that leave it are not shown.
        title, name: of the figure and its file.

    Raises:
        ValueError: not one loss for each rate.

    >>> from lrcourse import plots
    >>> plots.ramps({0: ([0.01, 0.1, 1.0], [2.3, 1.5, 4.0])}, width=2, marks={"it falls": 0.1})
    """
    given.as_long("ramps", tests, "tests")
    with look.sheet(name, {"tests": len(tests)}, (6.8, 3.6), title=title or None) as (_, (axes,)):
        for x, losses in tests.values():
            axes.plot(x, losses, ".", ms=3, color=look.GREY, alpha=0.6)
            n = min(width, len(x))
            mean = np.convolve(losses, np.ones(n) / n, "valid")
            middle = np.asarray(x)[(n - 1) // 2 :][: len(mean)]
            axes.plot(middle, mean, color=look.colour(6), lw=1.2)
        axes.set(xlabel="rate", ylabel=label)
        look.scales(axes, log_x=True, limits=limits)
        for words, rate in (marks or {}).items():
            top = axes.get_xaxis_transform()
            look.note(axes, words, (rate, 0.94), (0, 0), ha="center", xycoords=top)


@given.drawing(
    tested=kind("what range_test gives", RangeTest),
    sweep=given.by_rate,
    applied=given.series,
    epoch=optional(COUNT_FROM_1),
)
def choice(
    tested: RangeTest,
    sweep: ByRate,
    applied: Sequence[float],
    label: str = "validation loss",
    *,
    epoch: int | None = None,
    title: str = "",
    name: str = "choice",
) -> None:
    """How a rate was chosen, in three pictures for a report: range test, sweep, the rate applied.

    An orange line marks what went on to the next: the suggestion, the rate with the lowest mean.

    Args:
        tested: what `range_test` gave.
        sweep: rate -> its value, or its values, one a seed; or (rates, values).
        applied: the rate of each update of the run, of shape (updates,).
        label: of the values of the sweep; the lowest are the best.
        epoch: updates in one; default: the axis counts updates.
        title, name: of the figure and its file.

    >>> import torch
    >>> from lrcourse import plots, rangetest
    >>> net = torch.nn.Linear(2, 1)
    >>> sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> batches = [(torch.rand(8, 2), torch.rand(8, 1)) for _ in range(30)]
    >>> test = rangetest.range_test(net, sgd, batches, torch.nn.functional.mse_loss)
    >>> plots.choice(test, {0.1: [0.3, 0.4], 0.3: [0.2, 0.2], 1.0: [0.5, 0.9]}, [0.3, 0.2, 0.1])
    """
    rates, values = (np.asarray(one, float) for one in sweep)
    suggested, size = tested.suggest().lr, (8.4, 3.2)
    sheet = look.sheet(name, {"suggested": suggested}, size, 1, 3, title=title or None)
    with sheet as (_, (left, middle, right)):
        for curve in tested.curves:
            left.plot(curve.lr, curve.loss, color=look.colour(0), lw=0.8, alpha=0.6)
        begins = [curve.loss[0] for curve in tested.curves]
        lowest = min(np.nanmin(curve.loss) for curve in tested.curves)
        left.set(ylabel="training loss", title="Range test")
        left.set_ylim(lowest - 0.1 * max(begins), 1.5 * max(begins))
        look.band(middle, rates, values, look.colour(0), marker=".")
        middle.set(ylabel=label, title="Sweep")
        mean = np.where(np.isfinite(values), values, np.inf).mean(0)
        for axes, chosen in ((left, suggested), (middle, float(rates[mean.argmin()]))):
            if chosen is not None:
                axes.axvline(chosen, color=look.colour(1))
            axes.set_xlabel("rate")
        look.log_axis(middle, "x")
        look.log_axis(middle, "y")
        left.set(xlim=(rates.min() / 10, 4 * rates.max()))  # about the sweep
        look.log_axis(left, "x")
        look.steps(right, applied, per=epoch or 1, color=look.colour(1))
        right.set(ylabel="rate", title="The rate applied", ylim=(0, None))
        right.set_xlabel("update" if epoch is None else "epoch")


@given.drawing(cases=given.by_name("case", kind("a Calibration", Calibration)))
def readings(cases: Mapping[str, Calibration], *, title: str = "", name: str = "readings") -> None:
    """For each rule the rate that it reads off over the best rate of a sweep, a mark a case.

    `cases` maps label -> what `RangeTest.calibrate` gave. The grey band reaches from a third of the
    best rate to three times it.
    `title` stands over the figure; `name` is that of its file.

    >>> import torch
    >>> from lrcourse import plots, rangetest
    >>> net = torch.nn.Linear(2, 1)
    >>> sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> batches = [(torch.rand(8, 2), torch.rand(8, 1)) for _ in range(30)]
    >>> test = rangetest.range_test(net, sgd, batches, torch.nn.functional.mse_loss)
    >>> plots.readings({"a line": test.calibrate(0.5)})
    """
    rules = [rule for rule in RULES if any(c.decades[rule] is not None for c in cases.values())]
    told = {label: c.best for label, c in cases.items()}
    with look.sheet(name, told, (6.8, 1.3 + 0.3 * len(rules))) as (figure, (axes,)):
        axes.axvspan(1 / 3, 3, color="#dddddd", alpha=0.6, linewidth=0)
        axes.axvline(1, color=look.GREY, linewidth=1)
        for k, (label, one) in enumerate(cases.items()):
            there = [(x, row) for row, rule in enumerate(rules) if (x := one.factor(rule))]
            shift = 0.14 * (k - (len(cases) - 1) / 2)
            axes.plot(
                [x for x, _ in there],
                [row + shift for _, row in there],
                look.SHAPES[k % len(look.SHAPES)],
                color=look.colour(k),
                ms=5,
                label=label,
            )
        axes.set_yticks(range(len(rules)), [RULES[rule].mark for rule in rules])
        axes.set_ylim(len(rules) - 0.4, -0.6)
        axes.set(xlabel="rate read off / best rate of the sweep", title=title)
        look.log_axis(axes, "x")
        figure.legend(loc="outside lower center", ncols=2)
