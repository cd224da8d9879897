"""Finished runs: an experiment with its history, and many of them as a sequence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from lrcourse.support.checks import PATH, TEXT, arguments, check, each, kind, optional, whole
from lrcourse.sweeps.experiment import Experiment, check_fields
from lrcourse.sweeps.records import Records
from lrcourse.training.history import History, known_column

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False)
class Run:
    """An `experiment` and what it gave, its `history`.

    Example:
        >>> from lrcourse import sweeps
        >>> small = {"model": "mlp", "model_options": {"depth": 2, "width": 16}}
        >>> experiment = sweeps.Experiment(images=320, epochs=1, **small)
        >>> sweeps.Run(experiment, experiment.run("cpu")).history.updates
        10
    """

    experiment: Experiment
    history: History

    def __post_init__(self) -> None:
        check(
            self,
            experiment=kind("an Experiment", Experiment),
            history=kind("a History", History),
        )


RUNS = each(kind("a Run", Run))
ANY_RUNS = each(kind("a Run", Run), least=0)


class Runs(Sequence[Run]):
    """Finished runs, in the order in which they were asked for.

    Example:
        >>> from lrcourse import sweeps
        >>> sweeps.Runs([])
        <0 runs>
    """

    @arguments(runs=ANY_RUNS)
    def __init__(self, runs: Iterable[Run]) -> None:
        self._runs = list(runs)

    def __len__(self) -> int:
        return len(self._runs)

    @overload
    def __getitem__(self, index: int) -> Run: ...

    @overload
    def __getitem__(self, index: slice) -> Runs: ...

    def __getitem__(self, index: int | slice) -> Run | Runs:
        return Runs(self._runs[index]) if isinstance(index, slice) else self._runs[index]

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def __repr__(self) -> str:
        diverged = sum(run.history.diverged_at is not None for run in self)
        return f"<{len(self)} runs{f', {diverged} diverged' if diverged else ''}>"

    def where(self, **fields: Any) -> Runs:
        """The runs whose experiment has these values: `runs.where(lr=0.1)`.

        `fields` are values by field. TypeError for one that an experiment does not have.
        """
        check_fields("where", fields)
        return Runs(
            run
            for run in self
            if all(getattr(run.experiment, name) == value for name, value in fields.items())
        )

    @property
    def histories(self) -> list[History]:
        """The records alone."""
        return [run.history for run in self]

    def by_seed(self) -> dict[int, Run]:
        """Each run by its seed; ValueError if one occurs twice: two arms are not one sample."""
        found = {run.experiment.seed: run for run in self}
        if len(found) < len(self):
            raise ValueError("a seed occurs more than once: choose one arm with where(...) first")
        return found

    @arguments(column=TEXT)
    def values(self, column: str, epoch: int | None = None) -> dict[int, float]:
        """The last value of `column` (or that after `epoch`, from 1 on) of each run by its seed.

        NaN for a run that diverged before that epoch. ValueError if a seed occurs twice (two arms
        cannot be one sample) or the runs have no such column or epoch.
        """
        runs = self.by_seed()
        if epoch is None:
            return {seed: run.history.final(column) for seed, run in runs.items()}
        return {seed: _after(run, column, epoch) for seed, run in runs.items()}

    def frame(self) -> pandas.DataFrame:
        """One row a run: the fields of the experiment, then the last value of each column."""
        import pandas

        return pandas.DataFrame([_row(run.experiment.to_dict(), run.history) for run in self])


@arguments(folder=optional(PATH))
def load(folder: str | Path | None = None) -> pandas.DataFrame:
    """All records of a folder (default as in `run`), one row each, as `Runs.frame` has them.

    The record's name is in the column `key`. A damaged record is named in a warning and set
    aside; other files are left alone.

    Example:
        >>> import tempfile
        >>> from lrcourse import sweeps
        >>> len(sweeps.load(tempfile.mkdtemp()))
        0
    """
    import pandas

    store, rows = Records(folder), []
    for key in sorted(store.keys()):
        if found := store.read_run(key):
            rows.append(_row(*found) | {"key": key})
    return pandas.DataFrame(rows)


def _after(run: Run, column: str, epoch: int) -> float:
    epoch = whole(1, run.experiment.epochs)("values", "epoch", epoch)
    values = run.history.epochs[known_column("values", "column", column, run.history)]
    return float(values[epoch - 1]) if epoch <= len(values) else float("nan")


def _row(spec: dict[str, Any], history: History) -> dict[str, Any]:
    """A run in one line: its spec, then the last value of each column."""
    ends = {f"final_{name}": history.final(name) for name in history.epochs}
    told = {"diverged_at": history.diverged_at, "updates": history.updates}
    named = {"split": spec.get("split", 0)}  # a spec leaves out the split that is the course's
    return spec | named | ends | told | {"seconds": history.seconds}
