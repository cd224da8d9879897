"""Runs of evidence, drawn at random, trained again and compared with what is stored.

At a high rate a run forgets where it began: another processor, which rounds otherwise, gives other
numbers, and no comparison by value can be right. What may differ is found by twins, trained here
with weights that are disturbed: at first by a millionth, ten times what a processor rounds, and by
a ten-millionth in each update, as a processor rounds in each. (A first disturbance alone may die
out while the rate is low, before the net comes to where it grows.)

- Where the stored losses agree with those of today to the end, every number has to, within TIGHT
  or by no more than the twins differ there.
- Else each number may differ by TIGHT and ten times as much as the twins differ there, or within
  the next updates: a run that breaks out may do so sooner than its twins.
- Only after the twins' losses have moved by more than FREE, and the stored losses have left those
  of today as well, is a number no longer compared. The last values of such runs, stored and of
  today, are compared as two samples of pairs (Wilcoxon, at .001) over all that were drawn. The
  files have some fifty columns, so one in twenty draws shows such a column by chance: it counts
  where a second draw, of other runs, shows it again.

So a number that is wrong is excused only in a run that has been shown to be erratic up to there,
and on a processor that gives other losses than the stored ones in that very run.
"""

from __future__ import annotations

import functools
import math
import random
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import nn

from lrcourse import schedules, sweeps
from lrcourse.sweeps import Experiment
from lrcourse.sweeps.records import finished
from lrcourse.training import History

TIGHT = 1e-4  # of a loss or norm, relative to its size, 0.1 at least
TIGHT_ACCURACY = 0.003  # one of the 360 test images
FREE = 0.01  # of a loss: what the twins have to have moved it by
TWINS, MORE_TWINS, DISTURBANCE, EACH_UPDATE = 3, 16, 1e-6, 1e-7
SOONER = 2  # updates that a run may break out before its twins
LEVEL = 0.001

Twins = Callable[[], list[History]]


def experiment_of(spec: Mapping[str, Any]) -> Experiment:
    """The experiment of a stored spec; its schedule is read from its repr."""
    fields = {name: value for name, value in spec.items() if name != "numerics"}
    if fields["schedule"] is not None:
        fields["schedule"] = eval(fields["schedule"], {"__builtins__": {}}, vars(schedules))
    return Experiment(**fields)


def draw(keys: Iterable[str], seed: int) -> tuple[list[str], list[str]]:
    """A tenth of the keys, one at least; and as many of the others, where there are any."""
    ordered = sorted(keys)
    n = math.ceil(len(ordered) / 10)
    mixed = random.Random(seed).sample(ordered, len(ordered))
    return mixed[:n], mixed[n : 2 * n]


def trained_again(experiments: Iterable[Experiment]) -> dict[str, History]:
    """The history of each, by its key, without any record or evidence."""
    with tempfile.TemporaryDirectory() as records:
        runs = sweeps.run(experiments, records=records, device="cpu")
    return {run.experiment.key: run.history for run in runs}


def twins_of(experiment: Experiment, count: int = TWINS) -> list[History]:
    """Runs whose weights are disturbed by `DISTURBANCE`, and by `EACH_UPDATE` in each."""
    found = []
    for k in range(count):
        net, optimizer, data = experiment.build("cpu")
        noise = torch.Generator().manual_seed(k)

        @torch.no_grad()
        def disturb(size: float, net: nn.Module = net, noise: torch.Generator = noise) -> None:
            for weights in net.parameters():
                weights *= 1 + size * torch.randn(weights.shape, generator=noise)

        disturb(DISTURBANCE)
        optimizer.register_step_post_hook(lambda *_, disturb=disturb: disturb(EACH_UPDATE))
        found.append(experiment.train(net, optimizer, data))
    return found


def spot_check(runs: Mapping[str, Any], seed: int) -> tuple[list[str], str]:
    """Train a tenth of some stored runs again; what is wrong, and a line on what was done."""
    drawn, others = draw(runs, seed)
    outcomes = _compared(runs, drawn)
    wrong = [f"{label}: {said}" for label, one in outcomes.items() for said in one.wrong]
    if found := unlike(outcomes.values()):
        again = unlike(_compared(runs, others).values())
        wrong += [said for column, said in found.items() if column in again]
    erratic = sum(bool(one.erratic) for one in outcomes.values())
    return wrong, f"{len(drawn)} of {len(runs)} runs (draw {seed}), {erratic} of them erratic here"


def _compared(runs: Mapping[str, Any], drawn: Iterable[str]) -> dict[str, Outcome]:
    """What each of these runs comes to when it is trained again, by its label."""
    experiments = {key: experiment_of(runs[key]["spec"]) for key in drawn}
    fresh = trained_again(experiments.values())
    outcomes = {}
    for key, one in experiments.items():
        history = finished(runs[key])[1]
        outcome = compare(history, fresh[key], functools.partial(twins_of, one))
        if outcome.wrong:  # three twins may stay nearer together than they usually do
            outcome = compare(history, fresh[key], functools.partial(twins_of, one, MORE_TWINS))
        outcomes[one.short()] = outcome
    return outcomes


@dataclass
class Outcome:
    """What the comparison of one run gave: what is wrong, and pairs of last values to be judged."""

    wrong: list[str] = field(default_factory=list)
    erratic: dict[str, tuple[float, float]] = field(default_factory=dict)


def compare(stored: History, fresh: History, twins: Twins) -> Outcome:
    """A stored run beside the same one of today; `twins` is called where they differ."""
    found = Outcome()
    gap = _gap(stored.loss, fresh.loss, 0.1)
    parted = int(np.argmax(gap > TIGHT)) if (gap > TIGHT).any() else None
    if parted is None:
        _compare_columns(found, stored, fresh, [], math.inf)
        if found.wrong:  # a loss of other images may hang on less than a batch's does
            found = Outcome()
            _compare_columns(found, stored, fresh, twins(), math.inf, times=1)
        _compare_rates(found, stored, fresh, len(fresh.lr))
        return found
    others = twins()
    moved = np.max([_gap(one.loss, fresh.loss, 0.1, len(gap)) for one in others], axis=0)
    moved = np.maximum.accumulate(moved)
    moved = np.append(moved[SOONER:], np.repeat(moved[-1:], min(SOONER, len(moved))))
    excused = moved > FREE
    bad = (gap > TIGHT + 10 * moved) & ~excused
    if bad.any():
        t = int(bad.argmax())
        found.wrong.append(
            f"the loss of update {t}: stored {_at(stored.loss, t)}, now {_at(fresh.loss, t)}, where"
            f" a disturbance of {DISTURBANCE:g} moves it by {moved[t]:.1g} of itself"
        )
    free = excused & (np.maximum.accumulate(gap) > TIGHT)
    since = float(free.argmax()) if free.any() else math.inf
    _compare_rates(found, stored, fresh, parted)
    _compare_columns(found, stored, fresh, others, since)
    return found


def unlike(outcomes: Iterable[Outcome]) -> dict[str, str]:
    """By column: why the last values of the erratic runs, as pairs, are not two like samples."""
    pairs: dict[str, list[tuple[float, float]]] = {}
    for one in outcomes:
        for column, pair in one.erratic.items():
            pairs.setdefault(column, []).append(pair)
    wrong = {}
    for column, those in pairs.items():
        first, second = (np.nan_to_num(row, nan=1e9) for row in np.transpose(those))
        if (first == second).all():
            continue
        chance = stats.wilcoxon(first, second).pvalue
        if chance < LEVEL:
            wrong[column] = (
                f"{column} of {len(those)} erratic runs: stored and new ones differ more than "
                f"chance allows (p = {chance:.1g})"
            )
    return wrong


def _compare_rates(found: Outcome, stored: History, fresh: History, until: int) -> None:
    first, second = stored.lr[:until], fresh.lr[:until]
    if first.shape != second.shape or not np.allclose(first, second, rtol=1e-9, atol=0):
        found.wrong.append("the rates of its updates")


def _compare_columns(
    found: Outcome,
    stored: History,
    fresh: History,
    twins: list[History],
    since: float,
    times: int = 10,
) -> None:
    """`since`: the update from which nothing is compared by value."""
    if stored.epochs.keys() != fresh.epochs.keys():
        found.wrong.append(f"its columns: {', '.join(stored.epochs)}")
        return
    longest = max(stored.epochs["update"], fresh.epochs["update"], key=len)
    by_value = longest <= since
    for column, values in fresh.epochs.items():
        tight = TIGHT_ACCURACY if column.endswith("_acc") else TIGHT
        least = 1.0 if column.endswith("_acc") else 0.1  # accuracies are compared as they are
        gap = _gap(stored.epochs[column], values, least, len(longest))
        moved = np.zeros_like(gap)
        for one in twins:
            other = _gap(one.epochs[column], values, least, len(longest))
            moved = np.maximum(moved, np.maximum.accumulate(other))
        bad = by_value & (gap > tight + times * moved)
        if bad.any():
            k = int(bad.argmax())
            found.wrong.append(
                f"{column} of epoch {k + 1}: stored {_at(stored.epochs[column], k)}, "
                f"now {_at(values, k)}"
            )
        if not by_value.all() and column not in ("epoch", "update"):
            found.erratic[column] = stored.final(column), fresh.final(column)
    if since == math.inf and stored.diverged_at != fresh.diverged_at:
        found.wrong.append(f"diverged_at: stored {stored.diverged_at}, now {fresh.diverged_at}")


def _gap(first: np.ndarray, second: np.ndarray, least: float, length: int = 0) -> np.ndarray:
    """How far two rows of numbers lie apart, relative to the second; infinite where one ends.

    `length`: of the answer, where it is not that of the longer row; a longer row is cut there.
    """
    length = length or max(len(first), len(second))
    rows = []
    for row in (first, second):
        whole = np.full(length, np.nan)
        whole[: len(row)] = row[:length]
        rows.append(whole)
    a, b = rows
    with np.errstate(invalid="ignore"):
        apart = np.abs(a - b) / np.maximum(np.abs(b), least)
    apart[(a == b) | (np.isnan(a) & np.isnan(b))] = 0
    return np.nan_to_num(apart, nan=np.inf)


def _at(row: np.ndarray, k: int) -> str:
    return f"{row[k]:.8g}" if k < len(row) else "none"
