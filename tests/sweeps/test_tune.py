"""`sweeps.tune`: from a training function of one's own to a rate."""

import functools
import math
import random
import signal
import subprocess
import sys
import textwrap
import time

import joblib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcourse import sweeps
from lrcourse.sweeps import RunFailed

RATIO = 10**0.5


def bowl(lr, seed, best=0.1, noise=0.0, breaks=math.inf):
    """A loss that is least at one rate, with noise that every rate and seed draws anew."""
    if lr > breaks:
        return math.nan
    draw = random.Random(f"{lr:g} {seed}").gauss(0, 1)
    return 1 + math.log10(lr / best) ** 2 + noise * draw


def known(**given):
    return functools.partial(bowl, **given)


# -- the rate that is found -------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    best=st.floats(1e-4, 10),
    start=st.sampled_from([0.001, 0.03, 0.1, 1.0]),
    noise=st.sampled_from([0.0, 0.01, 0.05]),
    is_higher=st.booleans(),
)
def test_a_known_optimum_is_found_within_one_rate_and_worse_on_both_sides(
    tmp_path_factory, best, start, noise, is_higher
):
    def train(lr, seed):
        loss = bowl(lr, seed, best, noise)
        return -loss if is_higher else loss

    found = sweeps.tune(
        train,
        start=start,
        higher=is_higher,
        most_rates=24,
        records=tmp_path_factory.mktemp("records"),
    )
    assert best / RATIO / 1.01 <= found.lr <= best * RATIO * 1.01
    assert found.edge == ""
    lowest, *_, highest = found.rates
    worse = min if is_higher else max
    for end in (lowest, highest):
        assert worse(end.mean, found.best.mean) == end.mean != found.best.mean
    assert len(found.rates) <= 24
    assert all(len(rate.values) <= 5 for rate in found.rates)


@settings(max_examples=15, deadline=None)
@given(
    slope=st.sampled_from([-1.0, 0.0, 1.0]),
    noise=st.sampled_from([1e-3, 1.0]),
    most_rates=st.integers(2, 9),
    most_seeds=st.integers(1, 4),
)
def test_it_ends_whatever_the_function_does(tmp_path_factory, slope, noise, most_rates, most_seeds):
    def train(lr, seed):
        return slope * math.log10(lr) + noise * random.Random(f"{lr:g} {seed}").random()

    found = sweeps.tune(
        train,
        most_rates=most_rates,
        most_seeds=most_seeds,
        records=tmp_path_factory.mktemp("records"),
    )
    assert len(found.rates) <= max(5, most_rates)
    assert found.runs <= max(5, most_rates) * max(2, most_seeds)
    if slope and noise < 0.01:
        assert found.edge == ("lowest" if slope > 0 else "highest")
        assert "a better one may lie beyond" in str(found)
        assert "as most_rates allows" in str(found)


def test_rates_are_those_that_one_writes_down(tmp_path):
    found = sweeps.tune(known(best=0.001), records=tmp_path)
    assert [one.lr for one in found.rates] == [
        *(0.000316, 0.001, 0.00316),
        *(0.01, 0.0316, 0.1, 0.316, 1.0),
    ]
    assert found.lr == 0.001


def test_one_begins_from_rates_or_from_what_a_range_test_suggests(tmp_path):
    class Suggested:
        lr, doubts = 0.03, ()

    assert sweeps.tune(bowl, start=Suggested(), records=tmp_path).lr == 0.0949
    found = sweeps.tune(bowl, rates=[0.4, 0.1, 0.2], ratio=2, records=tmp_path)
    assert [one.lr for one in found.rates] == [0.05, 0.1, 0.2, 0.4]
    Suggested.lr = None
    with pytest.raises(ValueError, match=r"start: this range test gives no rate to trust"):
        sweeps.tune(bowl, start=Suggested(), records=tmp_path)
    with pytest.raises(ValueError, match="start or rates, not both"):
        sweeps.tune(bowl, start=0.1, rates=[0.1, 0.2], records=tmp_path)


def test_rates_that_the_noise_leaves_equal_get_more_seeds_and_are_named(tmp_path):
    found = sweeps.tune(known(best=0.178, noise=0.02), records=tmp_path)
    assert set(found.equal) == {0.1, 0.316}
    by_rate = {one.lr: len(one.values) for one in found.rates}
    assert by_rate[0.1] == by_rate[0.316] == 5
    assert by_rate[0.01] == by_rate[1.0] == 2
    assert "Within the seeds' noise equal to it:" in str(found)
    assert found.noise == pytest.approx(0.02, rel=0.8)


def test_more_is_better_for_an_accuracy_unless_one_says_otherwise(tmp_path):
    def train(lr, seed):
        return {"valid_acc": 1 / bowl(lr, seed), "valid_loss": bowl(lr, seed)}

    assert sweeps.tune(train, column="valid_acc", records=tmp_path).lr == 0.1
    assert sweeps.tune(train, column="valid_loss", records=tmp_path).lr == 0.1
    turned = sweeps.tune(train, column="valid_acc", higher=False, records=tmp_path, most_rates=7)
    assert turned.edge
    with pytest.raises(ValueError, match=r"valid_acc, valid_loss: say which of them counts, col"):
        sweeps.tune(train, records=tmp_path)
    with pytest.raises(ValueError, match=r"no 'loss' but valid_acc, valid_loss"):
        sweeps.tune(train, column="loss", records=tmp_path)


# -- dead runs --------------------------------------------------------------------------------


def test_dead_runs_are_results_and_worse_than_every_other(tmp_path):
    found = sweeps.tune(known(best=0.5, breaks=0.2), records=tmp_path)
    assert found.lr == 0.1 and found.edge == ""
    assert {one.lr for one in found.rates if one.dead} == {0.316, 1.0}
    assert "4 runs died, at 0.316, 1 (NaN or infinity)." in str(found)


@pytest.mark.parametrize(
    "problem",
    [
        FloatingPointError("underflow"),
        OverflowError("too large"),
        ValueError("Input contains NaN."),
        ValueError("Solver produced non-finite parameter weights"),
        RuntimeError("Function 'MulBackward0' returned nan values in its 0th output"),
    ],
)
def test_errors_of_a_divergence_are_results(tmp_path, problem):
    def train(lr, seed):
        if lr > 0.2:
            raise problem
        return bowl(lr, seed)

    found = sweeps.tune(train, records=tmp_path)
    assert found.lr == 0.1
    assert f"died, at 0.316, 1 ({type(problem).__name__}: {problem})" in str(found)


def test_where_every_rate_dies_lower_ones_are_tried_down_to_the_limit(tmp_path):
    assert sweeps.tune(known(best=1e-4, breaks=2e-4), records=tmp_path).lr == 0.0001
    found = sweeps.tune(known(breaks=0), most_rates=8, records=tmp_path)
    assert found.lr is None and found.equal == () and len(found.rates) == 8
    assert "No rate of 0.000316 to 1 brought every seed to its end" in str(found)
    found.plot(path=tmp_path / "a.png")


# -- generators are stopped early -------------------------------------------------------------


def curve(lr, seed):
    """Towards a floor that is least at 0.1; high rates are rough at first and fall late."""
    floor = 0.1 + 0.2 * math.log10(lr / 0.1) ** 2
    for k in range(30):
        slow = math.exp(-k * min(lr, 1) * 2)
        rough = 0.3 * lr / (0.1 + lr) * math.cos(math.pi * k / 58)
        yield floor + 2 * slow + rough + 0.01 * seed


def test_a_generator_gives_the_rate_of_its_full_length_for_less(tmp_path):
    def whole(lr, seed):
        return list(curve(lr, seed))[-1]

    assert sweeps.tune(whole, records=tmp_path).lr == sweeps.tune(curve, records=tmp_path).lr
    found = sweeps.tune(curve, records=tmp_path)
    assert {one.lr for one in found.rates if one.stopped} == {0.01}
    assert set(found.rates[0].stopped.values()) == {10}
    assert "Stopped early, far behind: 0.01." in str(found)


@settings(max_examples=30, deadline=None)
@given(best=st.floats(0.01, 1), late=st.floats(0, 0.4))
def test_early_stopping_does_not_lose_a_best_rate_that_is_behind_for_most_of_the_way(
    tmp_path_factory, best, late
):
    def train(lr, seed):
        end = 0.5 + 0.3 * math.log10(lr / best) ** 2
        for k in range(1, 21):
            above = late * (lr > 0.05) if k < 20 else 0  # falls at its very end, as in a cooldown
            yield end + above + 1.5 * 0.7**k

    stopped = sweeps.tune(train, records=tmp_path_factory.mktemp("records"))
    last = sweeps.tune(
        lambda lr, seed: list(train(lr, seed))[-1], records=tmp_path_factory.mktemp("records")
    )
    assert stopped.lr == last.lr


def test_a_generator_is_closed_at_its_first_nan(tmp_path):
    def train(lr, seed):
        try:
            for _ in range(10):
                yield math.nan if lr > 0.5 else bowl(lr, seed)
        finally:
            (tmp_path / f"closed {lr:g}").touch()

    found = sweeps.tune(train, records=tmp_path / "records")
    assert found.rates[-1].dead
    assert (tmp_path / "closed 1").exists()


def test_a_run_that_was_stopped_runs_on_where_nothing_is_better_now(tmp_path):
    first = sweeps.tune(curve, records=tmp_path)
    assert first.rates[0].stopped
    alone = sweeps.tune(curve, rates=[0.01, 0.00316], most_rates=2, records=tmp_path)
    assert alone.rates[-1].lr == 0.01 and alone.rates[-1].is_whole


# -- records ----------------------------------------------------------------------------------


def test_what_is_finished_is_not_run_again(tmp_path, written):
    text = """
        from math import log10
        def train(lr, seed, power=2):
            with open({log!r}, "a") as log:
                log.write("x")
            return abs(log10(lr / {best})) ** power + seed / 100
    """
    log = tmp_path / "log"

    def made(best, train=lambda module: module.train):
        module = written("mine_to_tune", text.format(log=str(log), best=best))
        before = len(log.read_text()) if log.exists() else 0
        found = sweeps.tune(train(module), records=tmp_path / "records")
        return found, len(log.read_text()) - before

    first, count = made(0.1)
    assert count == first.runs == 10
    again, count = made(0.1)
    assert count == 0 and str(again) == str(first)
    assert made(0.2)[1] > 0, "other code is another function"
    assert made(0.1)[1] == 0
    assert made(0.1, lambda module: functools.partial(module.train, power=4))[1] > 0


def test_a_killed_search_goes_on_where_it_ended(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(f"""
            import math, time
            from lrcourse import sweeps
            def train(lr, seed):
                with open({str(tmp_path / "log")!r}, "a") as log:
                    log.write("x")
                time.sleep(0.15)
                return math.log10(lr) ** 2 + seed / 100
            if __name__ == "__main__":
                print(sweeps.tune(train, start=0.1, records={str(tmp_path / "records")!r}).lr)
        """)
    )
    folder = tmp_path / "records" / "tune"
    process = subprocess.Popen([sys.executable, script])
    deadline = time.monotonic() + 60
    while len(list(folder.glob("*.json"))) < 4 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept, begun = len(list(folder.glob("*.json"))), len((tmp_path / "log").read_text())
    assert 4 <= kept <= begun <= kept + 1
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1.0"]
    records = len(list(folder.glob("*.json")))
    assert len((tmp_path / "log").read_text()) == begun + records - kept


def test_records_of_sweeps_in_the_same_folder_are_left_alone(tmp_path):
    sweeps.tune(bowl, records=tmp_path)
    assert len(sweeps.load(tmp_path)) == 0


def test_the_arguments_of_a_partial_are_part_of_the_key(tmp_path):
    found = [sweeps.tune(known(best=best), records=tmp_path).lr for best in (0.01, 0.1, 0.01)]
    assert found == [0.01, 0.1, 0.01]


# -- where it runs ----------------------------------------------------------------------------


def noisy(lr, seed):
    return bowl(lr, seed) + 0.01 * (torch.rand(()).item() + np.random.rand() + random.random())


def test_processes_and_backends_give_the_same_numbers(tmp_path):
    alone = sweeps.tune(noisy, records=tmp_path / "a")
    aside = sweeps.tune(noisy, records=tmp_path / "b", jobs=2)
    with joblib.parallel_config("threading", n_jobs=2):
        threads = sweeps.tune(noisy, records=tmp_path / "c")
    with joblib.parallel_config("loky", n_jobs=2):
        config = sweeps.tune(noisy, records=tmp_path / "d")
    values = [[one.values for one in found.rates] for found in (alone, aside, threads, config)]
    assert all(one == values[0] for one in values)


def test_random_numbers_begin_from_the_seed_and_are_put_back(tmp_path):
    torch.manual_seed(3)
    np.random.seed(3)
    random.seed(3)
    before = torch.rand(1), np.random.rand(), random.random()
    torch.manual_seed(3)
    np.random.seed(3)
    random.seed(3)
    found = sweeps.tune(noisy, records=tmp_path)
    assert (torch.rand(1), np.random.rand(), random.random()) == before
    assert found.best.values[0] != found.best.values[1]


# -- functions that are no good ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("gives", "message"),
    [
        (lambda lr: None, "it gave None, a NoneType; is there a return at its end"),
        (lambda lr: "0.3", "it gave '0.3', a str"),
        (lambda lr: [lr], "it gave .*, a list"),
        (lambda lr: True, "it gave True, a bool"),
        (lambda lr: {}, r"it gave \{\}"),
        (lambda lr: {"loss": "low"}, "under 'loss' it gave 'low'"),
        (lambda lr: torch.zeros(3), "it gave tensor"),
        (lambda lr: (x for x in ()), "it yielded nothing"),
        (lambda lr: ({"a": 1.0} if k else {"b": 1.0} for k in range(2)), "it yielded a after b"),
        (lambda lr: {}[lr], "KeyError: 0.01"),
        (lambda lr: sys.exit("enough"), "SystemExit: enough"),
    ],
)
def test_what_is_wrong_names_rate_seed_and_what_is_kept(tmp_path, gives, message):
    with pytest.raises(RunFailed, match=message) as told:
        sweeps.tune(lambda lr, seed: gives(lr), records=tmp_path)
    assert "(lr=0.01, seed=0) failed" in str(told.value)
    assert f"Finished runs are kept in {tmp_path / 'tune'}" in str(told.value)


@pytest.mark.parametrize("number", [np.float32(0.5), torch.tensor(0.5), np.array([0.5]), 1])
def test_numbers_of_every_kind_are_taken(tmp_path, number):
    found = sweeps.tune(lambda lr, seed: number * abs(math.log10(lr) + 1), records=tmp_path)
    assert found.lr == 0.1


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_on_the_way_keeps_what_is_finished(tmp_path, jobs):
    def train(lr, seed):
        if lr > 0.5 and not (tmp_path / "mended").exists():
            raise KeyError("a bug")
        return bowl(lr, seed)

    with pytest.raises(RunFailed, match=r"train\(lr=1.0, seed=0\) failed: KeyError: 'a bug'"):
        sweeps.tune(train, seeds=[0], records=tmp_path, jobs=jobs)
    kept = len(list((tmp_path / "tune").glob("*.json")))
    assert kept == 4
    (tmp_path / "mended").touch()
    assert sweeps.tune(train, seeds=[0], records=tmp_path).lr == 0.1


def test_a_function_that_ignores_its_rate_or_its_seed_is_told_so(tmp_path):
    with pytest.raises(ValueError, match=r"the same number, 0.5, at each of 5 rates .* use its lr"):
        sweeps.tune(lambda lr, seed: 0.5, records=tmp_path)
    with pytest.raises(ValueError, match="use its lr"):
        sweeps.tune(lambda lr, seed: 0.5 + seed, records=tmp_path)
    found = sweeps.tune(lambda lr, seed: abs(math.log10(lr) + 1), records=tmp_path)
    assert "does train use its seed?" in str(found) and found.runs == 10


def test_a_function_that_changes_what_it_reads_is_refused(tmp_path):
    weights = [0.0]

    def train(lr, seed):
        weights[0] += lr
        return bowl(lr, seed) + weights[0]

    with pytest.raises(RunFailed, match=r"it changed weights around it, which it reads.*inside it"):
        sweeps.tune(train, records=tmp_path)


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (3, "train must be a function"),
        (lambda lr: lr, r"function of a rate and a seed, train\(lr, seed\)"),
        (lambda lr, seed, epochs: lr, "functools.partial holds its other arguments"),
        (lambda: 0, "function of a rate and a seed"),
    ],
)
def test_a_function_that_cannot_be_called_is_refused_at_once(train, message):
    with pytest.raises(TypeError, match=message):
        sweeps.tune(train)


async def waits(lr, seed):
    return lr


def test_further_arguments_that_make_no_sense_are_refused():
    with pytest.raises(TypeError, match="no async def"):
        sweeps.tune(waits)
    for wrong, message in [
        ({"rates": [0.1]}, "two rates at least"),
        ({"rates": [0.1, -1]}, "> 0"),
        ({"seeds": [1, 1]}, "differ from each other"),
        ({"seeds": []}, "1 or more"),
        ({"ratio": 1}, "1.1"),
        ({"most_rates": 1}, "whole number from 2"),
    ]:
        with pytest.raises(ValueError, match=message):
            sweeps.tune(bowl, **wrong)


# -- what is shown ----------------------------------------------------------------------------


def test_table_frame_and_figure_hold_every_run(tmp_path):
    found = sweeps.tune(known(breaks=0.5, noise=0.01), records=tmp_path)
    lines = str(found.table()).splitlines()
    assert len(lines) == 1 + len(found.rates)
    assert lines[0].split() == ["rate", "mean", "sd", "seeds", "value"]
    assert "2 dead" in lines[-1]
    assert [line for line in lines if "<- best" in line] == [lines[3]]
    assert repr(found.table()) == str(found.table())
    frame = found.frame()
    assert len(frame) == found.runs
    assert set(frame.lr) == {one.lr for one in found.rates}
    assert frame.value.isna().sum() == 2
    found.plot("mine", path=tmp_path / "tuned.png")
    assert (tmp_path / "tuned.png").stat().st_size > 5000


def test_it_costs_little_beside_the_training(tmp_path):
    def train(lr, seed):
        time.sleep(0.2)
        return bowl(lr, seed)

    started = time.perf_counter()
    found = sweeps.tune(train, records=tmp_path)
    lasted = time.perf_counter() - started
    assert found.seconds == pytest.approx(0.2 * found.runs, rel=0.2)
    assert lasted - found.seconds < 2
