"""Reading a sweep over rates seed by seed: samples that claims can be made of."""

from __future__ import annotations

import math
from collections.abc import Iterable

from lrcourse.support.checks import FLAG, NOT_NEGATIVE, NUMBER, TEXT, arguments, kind, optional
from lrcourse.sweeps.reading import final_value, interval_around, runs_by_rate
from lrcourse.sweeps.runs import RUNS, Run


@arguments(runs=RUNS, column=TEXT, higher=optional(FLAG))
def best_by_seed(
    runs: Iterable[Run], column: str = "valid_loss", higher: bool | None = None
) -> dict[int, float]:
    """Each seed's own best rate, of those tried: a sample that claims can be made of.

    Arguments and errors as for `best_rate`. Runs that diverged come last; a seed all of whose runs
    diverged raises ValueError. Of equal values the lowest rate counts. ValueError for a seed whose
    best rate is the lowest or the highest of the sweep: a better one may lie beyond.

    Example:
        >>> import tempfile
        >>> from lrcourse import sweeps
        >>> small = {"model": "mlp", "model_options": {"depth": 2, "width": 16}}
        >>> base = sweeps.Experiment(images=640, valid=0.2, epochs=5, **small)
        >>> points = sweeps.grid(base, lr=[1e-5, 0.1, 1e30], seed=range(2))
        >>> runs = sweeps.run(points, records=tempfile.mkdtemp(), jobs=1, device="cpu")
        >>> sweeps.best_by_seed(runs)
        {0: 0.1, 1: 0.1}
    """
    higher = not column.endswith("_loss") if higher is None else higher
    best = {}
    for seed, row in _by_seed(list(runs), column).items():
        trained = _some_trained(seed, row, column)
        best[seed] = (max if higher else min)(trained, key=lambda lr: trained[lr])
        _refuse_edge(seed, "best rate", best[seed], row)
    return best


@arguments(runs=RUNS, column=TEXT, least=NUMBER)
def breaks_by_seed(
    runs: Iterable[Run], column: str = "train_acc", least: float = 0.5
) -> dict[int, float]:
    """Each seed's divergence edge: the lowest rate above its best one at which it fails to train.

    Of `runs` one fails if it diverged or if its `column`, of which more is better, ends below
    `least`. The best rate is that with the highest `column`. ValueError for a seed that never fails
    above its best rate: the sweep does not reach its edge.

    Example:
        >>> import tempfile
        >>> from lrcourse import sweeps
        >>> small = {"model": "mlp", "model_options": {"depth": 2, "width": 16}}
        >>> base = sweeps.Experiment(images=640, epochs=5, **small)
        >>> points = sweeps.grid(base, lr=[1e-5, 0.1, 1e30], seed=range(2))
        >>> runs = sweeps.run(points, records=tempfile.mkdtemp(), jobs=1, device="cpu")
        >>> sweeps.breaks_by_seed(runs)
        {0: 1e+30, 1: 1e+30}
    """
    edges = {}
    for seed, row in _by_seed(list(runs), column).items():
        passing = _some_passing(seed, row, column, least)
        best = max(passing, key=lambda lr: passing[lr])
        failing = [lr for lr in row if lr > best and lr not in passing]
        if not failing:
            raise ValueError(
                f"seed {seed} trains (least={least}) up to the highest rate, {max(row):g}: sweep on"
            )
        edges[seed] = min(failing)
    return edges


@arguments(run=kind("a Run", Run), column=TEXT, least=NUMBER)
def trains(run: Run, column: str = "train_acc", least: float = 0.5) -> bool:
    """Did `run` end without divergence, and with `column` at `least` or above?

    Example:
        >>> import tempfile
        >>> from lrcourse import sweeps
        >>> small = {"model": "mlp", "model_options": {"depth": 2, "width": 16}}
        >>> base = sweeps.Experiment(images=640, epochs=5, **small)
        >>> points = sweeps.grid(base, lr=[1e-5, 0.1, 1e30], seed=range(2))
        >>> runs = sweeps.run(points, records=tempfile.mkdtemp(), jobs=1, device="cpu")
        >>> [sweeps.trains(run) for run in runs.where(seed=0)]
        [False, True, False]
    """
    return bool(_passing({run.experiment.lr: run}, column, least))


@arguments(runs=RUNS, column=TEXT, least=NUMBER)
def largest_by_seed(
    runs: Iterable[Run], column: str = "train_acc", least: float = 0.5
) -> dict[int, float]:
    """Each seed's largest rate that trains: without divergence, and `column` at `least` or up.

    Of each seed `runs` need only the highest rates, down to the first that trains: see
    `sweeps.downward`. ValueError for a seed that trains at no rate, or at the highest one of the
    sweep.

    Example:
        >>> import tempfile
        >>> from lrcourse import sweeps
        >>> small = {"model": "mlp", "model_options": {"depth": 2, "width": 16}}
        >>> base = sweeps.Experiment(images=640, epochs=5, **small)
        >>> points = sweeps.grid(base, lr=[1e-5, 0.1, 1e30], seed=range(2))
        >>> runs = sweeps.run(points, records=tempfile.mkdtemp(), jobs=1, device="cpu")
        >>> sweeps.largest_by_seed(runs)
        {0: 0.1, 1: 0.1}
    """
    rows, largest = _by_seed(list(runs), column, whole=False), {}
    rates = sorted({lr for row in rows.values() for lr in row})
    for seed, row in rows.items():
        if gaps := [lr for lr in rates if lr > min(row) and lr not in row]:
            raise ValueError(f"seed {seed} has no run at the rate {gaps[-1]:g}, but at a lower one")
        passing = _some_passing(seed, row, column, least)
        if max(passing) == max(row):
            raise ValueError(
                f"seed {seed} trains (least={least}) at the highest rate, {max(row):g}: sweep on"
            )
        largest[seed] = max(passing)
    return largest


@arguments(runs=RUNS, column=TEXT, slack=NOT_NEGATIVE)
def width_by_seed(
    runs: Iterable[Run], column: str = "train_acc", slack: float = 0.03
) -> dict[int, float]:
    """Each seed's width of the good interval: its highest over its lowest rate, 1 or more.

    Good are those rates of `runs` around the seed's best one, without a gap, whose `column`, of
    which more is better, is within `slack` of the best. The width is known to the ratio of the
    grid. ValueError for a seed whose interval reaches the lowest or the highest rate: it may go on
    beyond.

    Example:
        >>> import tempfile
        >>> from lrcourse import sweeps
        >>> small = {"model": "mlp", "model_options": {"depth": 2, "width": 16}}
        >>> base = sweeps.Experiment(images=640, epochs=5, **small)
        >>> points = sweeps.grid(base, lr=[1e-5, 0.1, 1e30], seed=range(2))
        >>> runs = sweeps.run(points, records=tempfile.mkdtemp(), jobs=1, device="cpu")
        >>> sweeps.width_by_seed(runs)
        {0: 1.0, 1: 1.0}
    """
    widths = {}
    for seed, row in _by_seed(list(runs), column).items():
        trained = _some_trained(seed, row, column)
        rates = list(row)
        good = [trained.get(lr, -math.inf) >= max(trained.values()) - slack for lr in rates]
        low, high = interval_around(
            rates, good, rates.index(max(trained, key=lambda lr: trained[lr]))
        )
        for end in (low, high):
            _refuse_edge(seed, f"good interval (slack={slack:g})", end, row)
        widths[seed] = high / low
    return widths


def _refuse_edge(seed: int, what: str, lr: float, row: dict[float, Run]) -> None:
    """ValueError for the lowest or the highest rate of the sweep."""
    for end, which in ((min(row), "lowest"), (max(row), "highest")):
        if lr == end:
            raise ValueError(
                f"seed {seed}: the {what} reaches the {which} rate of the sweep, {end:g}, and may "
                "go on beyond: sweep on there"
            )


def _by_seed(runs: list[Run], column: str, whole: bool = True) -> dict[int, dict[float, Run]]:
    """Seed -> rate -> run, both ascending."""
    rows: dict[int, dict[float, Run]] = {}
    for _, group in sorted(runs_by_rate(runs, column, whole).items()):
        for run in group:
            rows.setdefault(run.experiment.seed, {})[run.experiment.lr] = run
    return dict(sorted(rows.items()))


def _trained(row: dict[float, Run], column: str) -> dict[float, float]:
    """Rate -> value of the runs that did not diverge."""
    there = {lr: run.history for lr, run in row.items() if run.history.diverged_at is None}
    return {lr: final_value(history, column, lr) for lr, history in there.items()}


def _some_trained(seed: int, row: dict[float, Run], column: str) -> dict[float, float]:
    """The same; ValueError where there is none."""
    if trained := _trained(row, column):
        return trained
    raise ValueError(f"seed {seed} diverged at every rate: sweep lower ones")


def _passing(row: dict[float, Run], column: str, least: float) -> dict[float, float]:
    """Rate -> value of the runs that trained."""
    return {lr: value for lr, value in _trained(row, column).items() if value >= least}


def _some_passing(
    seed: int, row: dict[float, Run], column: str, least: float
) -> dict[float, float]:
    """The same; ValueError where there is none."""
    if passing := _passing(row, column, least):
        return passing
    raise ValueError(
        f"seed {seed} trains at no rate with least={least}: sweep lower ones, or ask for less"
    )
