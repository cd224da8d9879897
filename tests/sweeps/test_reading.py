"""Reading a sweep: the best rate, honest about edges, seeds and runs that diverged."""

import math

import numpy as np
import pandas
import pytest

from lrcourse import sweeps
from lrcourse.sweeps import Experiment, Records, RecordWarning, Run, Runs, load, run
from lrcourse.training.history import History

BASE = Experiment(valid=0.1)


def outcome(value, updates=10, diverged_at=None, **columns):
    epochs = {"epoch": [1.0], "train_loss": [value], "valid_acc": [value], **columns}
    return History(
        lr=np.full(updates, 0.1),
        loss=np.zeros(updates, np.float32),
        epochs={name: np.array(column, float) for name, column in epochs.items()},
        batches_per_epoch=updates,
        diverged_at=diverged_at,
    )


def sweep(outcomes, base=BASE):
    """Runs from {lr: [value of seed 0, value of seed 1, ...]}; None is a diverged run."""
    return Runs(
        Run(
            base.but(lr=lr, seed=seed),
            outcome(0.9, updates=4, diverged_at=3) if value is None else outcome(value),
        )
        for lr, values in outcomes.items()
        for seed, value in enumerate(values)
    )


def test_the_best_has_the_highest_mean_and_tells_its_spread():
    found = sweeps.best_rate(sweep({0.01: [0.5, 0.6], 0.1: [0.8, 0.9], 1.0: [0.7, 0.7]}))
    assert found.lr == 0.1
    assert found.best.mean == pytest.approx(0.85)
    assert found.best.sd == pytest.approx(0.1 / math.sqrt(2))
    assert found.best.seeds == 2
    assert [rate.lr for rate in found.rates] == [0.01, 0.1, 1.0]
    assert found.on_edge is None
    assert found.divergence_edge == (1.0, None)
    assert found.cost == 60
    assert str(found) == (
        "Best rate 0.1: valid_acc 0.85 ± 0.071 (2 seeds). No run diverged. Cost: 60 updates."
    )


def test_lower_is_better_for_a_loss_unless_said_otherwise():
    runs = sweep({0.01: [0.5, 0.6], 0.1: [0.3, 0.4], 1.0: [0.7, 0.7]})
    assert sweeps.best_rate(runs, "train_loss").lr == 0.1
    assert sweeps.best_rate(runs, "train_loss", higher=True).lr == 1.0
    assert sweeps.best_rate(runs, "valid_acc", higher=False).lr == 0.1


@pytest.mark.parametrize(
    ("outcomes", "edge"),
    [({0.01: [0.9], 0.1: [0.8]}, "lowest"), ({0.1: [0.9], 0.01: [0.8]}, "highest")],
)
def test_a_best_rate_on_the_edge_says_so(outcomes, edge):
    found = sweeps.best_rate(sweep(outcomes))
    assert found.on_edge == edge
    assert f"on the edge of the grid, at its {edge}: widen it" in str(found)
    assert "±" not in str(found)
    assert found.good == (found.lr, found.lr)


def test_diverged_runs_count_as_worst_and_not_as_missing():
    runs = sweep({0.01: [0.5, 0.5], 0.1: [0.7, 0.7], 1.0: [None, 1.0], 10.0: [None, None]})
    found = sweeps.best_rate(runs)
    assert found.lr == 0.1
    assert found.divergence_edge == (0.1, 1.0)
    assert [rate.diverged for rate in found.rates] == [0, 0, 1, 2]
    assert found.rates[2].mean == -math.inf
    assert "All seeds train at 0.1, some diverge at 1." in str(found)
    assert found.cost == 5 * 10 + 3 * 4
    assert sweeps.best_rate(runs, "train_loss").rates[2].mean == math.inf
    assert sweeps.best_rate(runs, "train_loss").lr == 0.01


def test_divergence_at_low_rates_alone_is_told_as_it_is():
    found = sweeps.best_rate(sweep({0.01: [None], 0.1: [0.7], 1.0: [0.6]}))
    assert found.divergence_edge == (1.0, 0.01)


def test_a_sweep_of_which_nothing_is_left():
    found = sweeps.best_rate(sweep({0.1: [None, 0.9], 1.0: [None, None]}))
    assert found.divergence_edge == (None, 0.1)
    assert found.good == (0.1, 0.1)
    assert str(found).startswith("At every rate of the grid some seeds diverged: sweep rates below")


def test_good_rates_lie_within_one_sd_of_the_best_without_a_gap():
    means = {0.001: 0.79, 0.01: 0.5, 0.03: 0.75, 0.1: 0.8, 0.3: 0.76, 1.0: 0.73}
    found = sweeps.best_rate(sweep({lr: [mean - 0.04, mean + 0.04] for lr, mean in means.items()}))
    assert found.best.sd == pytest.approx(0.0566, abs=1e-4)
    assert found.good == (0.03, 0.3)
    assert "Within seed noise of it: 0.03 to 0.3." in str(found)


def test_the_noise_is_that_of_the_best_rate():
    """A rate that scatters widely is not good by that."""
    found = sweeps.best_rate(sweep({0.1: [0.79, 0.81], 1.0: [0.3, 0.9], 2.0: [0.1, 0.1]}))
    assert found.good == (0.1, 0.1)


@pytest.mark.parametrize(
    ("runs", "column", "message"),
    [
        (sweep({0.1: [0.5]}), "valid_acc", "these runs have 1"),
        (sweep({}), "valid_acc", "runs must have 1 or more values; it has 0"),
        (sweep({0.1: [0.5], 1.0: [0.5, 0.6]}), "valid_acc", r"0.1 has \[0\], 1 has \[0, 1\]"),
        (sweep({0.1: [0.5], 1.0: [0.5]}), "valid_loss", r"no valid_loss, but epoch, .*valid=0.1"),
        (sweep({0.1: [0.5], 1.0: [math.nan]}), "valid_acc", "not measured at the rate 1"),
        ([*sweep({0.1: [0.5]})] * 2 + [*sweep({1.0: [0.5]})] * 2, "valid_acc", "more than once"),
        ([*sweep({0.1: [0.5]}), *sweep({1.0: [0.5]}, BASE.but(epochs=3))], "valid_acc", "one arm"),
    ],
)
def test_runs_that_cannot_be_read(runs, column, message):
    with pytest.raises(ValueError, match=message):
        sweeps.best_rate(runs, column)


# -- all records of a folder ------------------------------------------------------------------


def test_load_gives_the_rows_of_the_runs_and_names_damaged_records(tmp_path):
    base = BASE.but(images=64, model="mlp", model_options={"depth": 2, "width": 4}, epochs=1)
    runs = run([base, base.but(seed=1), base.but(lr=1e30, epochs=4)], records=tmp_path, jobs=1)
    table = load(tmp_path).set_index("key")
    expected = runs.frame().set_index(pandas.Index([one.experiment.key for one in runs]))
    pandas.testing.assert_frame_equal(table.loc[expected.index], expected, check_names=False)
    assert table["updates"].sum() == sum(one.history.updates for one in runs)
    assert table["diverged_at"].notna().sum() == 1

    Records(tmp_path).path(base.key).write_text("{")
    with pytest.warns(RecordWarning, match=base.key):
        assert set(load(tmp_path)["key"]) == {one.experiment.key for one in runs[1:]}
    assert [path.name for path in tmp_path.glob("*.damaged-*")] == [f"{base.key}.json.damaged-1"]
    assert load(tmp_path / "nothing here").empty


ACCURACIES = {
    0.01: [0.6, 0.7],
    0.1: [0.9, 0.8],
    1.0: [0.8, 0.85],
    10.0: [0.3, 0.6],
    100.0: [0.7, 0.1],
}


def test_each_seed_has_its_own_best_rate():
    assert sweeps.best_by_seed(sweep(ACCURACIES), "valid_acc") == {0: 0.1, 1: 1.0}
    losses = ACCURACIES | {1000.0: [0.9, 0.9]}
    assert sweeps.best_by_seed(sweep(losses), "train_loss") == {0: 10.0, 1: 100.0}
    broken = {0.01: [0.1, 0.1], 0.1: [0.5, 0.5], 1.0: [None, 0.6], 10.0: [0.2, None]}
    assert sweeps.best_by_seed(sweep(broken), "valid_acc") == {0: 0.1, 1: 1.0}
    with pytest.raises(ValueError, match="seed 1 diverged at every rate"):
        none = {0.01: [0.1, None], 0.1: [0.5, None], 1.0: [0.2, None]}
        sweeps.best_by_seed(sweep(none), "valid_acc")


@pytest.mark.parametrize(
    ("outcomes", "end"),
    [
        ({0.1: [0.5, 0.9], 1.0: [0.8, 0.7], 10.0: [0.1, 0.1]}, "lowest rate of the sweep, 0.1"),
        ({0.1: [0.5, 0.1], 1.0: [0.8, 0.7], 10.0: [0.1, 0.9]}, "highest rate of the sweep, 10"),
        ({0.1: [0.5, 0.9], 1.0: [0.8, None], 10.0: [0.1, None]}, "lowest rate of the sweep, 0.1"),
    ],
)
def test_a_best_rate_at_the_end_of_its_grid_is_refused(outcomes, end):
    with pytest.raises(ValueError, match=f"seed 1: the best rate reaches the {end}.*: sweep on"):
        sweeps.best_by_seed(sweep(outcomes), "valid_acc")
    with pytest.raises(
        ValueError, match=f"seed 1: the good interval .slack=0.03. reaches the {end}"
    ):
        sweeps.width_by_seed(sweep(outcomes), "valid_acc")


def test_a_good_interval_that_reaches_the_end_of_its_grid_is_refused():
    outcomes = {0.1: [0.5], 1.0: [0.9], 10.0: [0.89]}
    assert sweeps.best_by_seed(sweep(outcomes), "valid_acc") == {0: 1.0}
    with pytest.raises(ValueError, match="reaches the highest rate of the sweep, 10"):
        sweeps.width_by_seed(sweep(outcomes), "valid_acc")
    assert sweeps.width_by_seed(sweep(outcomes), "valid_acc", slack=0.001) == {0: 1.0}


def test_the_edge_is_the_first_failure_above_the_best_rate_and_the_largest_may_lie_beyond():
    runs = sweep(ACCURACIES)
    assert sweeps.breaks_by_seed(runs, "valid_acc") == {0: 10.0, 1: 100.0}
    with pytest.raises(ValueError, match=r"seed 0 trains \(least=0.5\) at the highest rate, 100"):
        sweeps.largest_by_seed(runs, "valid_acc")
    short = sweep({lr: ACCURACIES[lr] for lr in (0.01, 0.1, 1.0, 10.0)} | {50.0: [None, 0.2]})
    assert sweeps.largest_by_seed(short, "valid_acc") == {0: 1.0, 1: 10.0}
    assert sweeps.breaks_by_seed(short, "valid_acc", least=0.75) == {0: 10.0, 1: 10.0}
    with pytest.raises(ValueError, match=r"seed 0 trains \(least=0.5\) up to the highest rate, 1"):
        sweeps.breaks_by_seed(sweep({0.1: [0.8], 1.0: [0.9]}), "valid_acc")
    for read in (sweeps.breaks_by_seed, sweeps.largest_by_seed):
        with pytest.raises(ValueError, match="seed 0 trains at no rate"):
            read(sweep({0.1: [0.1], 1.0: [0.2]}), "valid_acc")


def test_for_the_largest_rate_a_seed_may_lack_lower_rates_but_no_higher_one():
    runs = list(sweep({0.1: [0.8, 0.8], 1.0: [0.7, 0.3], 10.0: [0.2, 0.1]}))
    part = [run for run in runs if (run.experiment.lr, run.experiment.seed) != (0.1, 0)]
    assert sweeps.largest_by_seed(part, "valid_acc") == {0: 1.0, 1: 0.1}
    with pytest.raises(ValueError, match="each rate needs the same seeds"):
        sweeps.breaks_by_seed(part, "valid_acc")
    gap = [run for run in runs if (run.experiment.lr, run.experiment.seed) != (10.0, 0)]
    with pytest.raises(ValueError, match="seed 0 has no run at the rate 10, but at a lower one"):
        sweeps.largest_by_seed(gap, "valid_acc")


@pytest.mark.parametrize("read", ["best_by_seed", "breaks_by_seed", "largest_by_seed"])
def test_a_column_that_was_not_measured_is_neither_best_nor_a_failure(read):
    runs = sweep({0.1: [0.8], 1.0: [math.nan], 10.0: [0.1]})
    with pytest.raises(ValueError, match="valid_acc was not measured at the rate 1"):
        getattr(sweeps, read)(runs, "valid_acc")


def test_a_diverged_run_fails_whatever_its_last_accuracy_was():
    runs = sweep({0.1: [0.8], 1.0: [None], 10.0: [0.2]})
    assert sweeps.breaks_by_seed(runs, "valid_acc") == {0: 1.0}
    assert sweeps.largest_by_seed(runs, "valid_acc") == {0: 0.1}


def test_the_width_is_that_of_the_good_rates_around_each_seeds_best():
    runs = sweep(
        {
            0.005: [0.20, 0.20, 0.5],
            0.01: [0.90, 0.90, 0.5],
            0.02: [0.80, 0.91, 0.5],
            0.04: [0.91, 0.93, 0.9],
            0.08: [0.92, 0.90, 0.5],
            0.16: [None, 0.20, 0.5],
        }
    )
    found = sweeps.width_by_seed(runs, "valid_acc", slack=0.035)
    assert found == pytest.approx({0: 2, 1: 8, 2: 1})  # seed 0: a gap at 0.02
    with pytest.raises(ValueError, match="diverged at every rate"):
        sweeps.width_by_seed(sweep({0.1: [None], 0.2: [None]}), "valid_acc")
