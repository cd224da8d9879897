"""A measurement over seeds, side by side: what one after the other gives, wherever it runs."""

import os
import subprocess
import sys
import textwrap

import joblib
import pytest
import torch

from lrcourse import data, models, optimizers, sweeps, training
from lrcourse.support import progress


def trained(seed):
    digits = data.load("digits", device="cpu", progress=False)
    net = models.build("mlp", seed=seed, data=digits, depth=2, width=8)
    optimizer = optimizers.torch_optimizer("sgd", net.parameters(), lr=0.1)
    options = {"epochs": 1, "batch_size": 64, "seed": seed, "evaluate": None, "progress": False}
    return training.fit(net, digits, optimizer, **options).loss.tolist()


def where_and_draw(seed):
    return os.getpid(), torch.get_num_threads(), float(torch.rand(1))


def whether_bars_show(seed):
    return progress.wanted(), progress.wanted(True)


def fails(seed):
    raise RuntimeError(f"seed {seed} fails on purpose")


def test_side_by_side_gives_the_same_bits_as_one_after_the_other():
    seeds = range(5, 9)
    one_by_one = {seed: trained(seed) for seed in seeds}
    assert sweeps.over_seeds(trained, seeds, jobs=2) == one_by_one
    assert len({tuple(row) for row in one_by_one.values()}) == 4


def test_values_come_in_the_order_of_the_seeds_and_once_each():
    found = sweeps.over_seeds(abs, [7, 3, 7, 5], jobs=2)
    assert list(found.items()) == [(7, 7), (3, 3), (5, 5)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_seed_has_one_thread_and_its_own_random_state(jobs):
    torch.manual_seed(0)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    found = sweeps.over_seeds(where_and_draw, range(4), jobs=jobs)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    for seed, (_, count, drawn) in found.items():
        assert count == 1
        assert drawn == float(torch.rand(1, generator=torch.Generator().manual_seed(seed)))
    assert (os.getpid() in {pid for pid, _, _ in found.values()}) is (jobs == 1)


@pytest.mark.parametrize("jobs", [1, 2])
def test_trainings_within_draw_no_bars_unless_they_are_told_to(monkeypatch, jobs):
    monkeypatch.setenv("LRCOURSE_PROGRESS", "1")
    found = sweeps.over_seeds(whether_bars_show, range(2), jobs=jobs, progress=False)
    assert found == {0: (False, True), 1: (False, True)}
    assert progress.wanted()


def test_an_error_says_what_failed():
    with pytest.raises(RuntimeError, match=r"seed [12] fails on purpose"):
        sweeps.over_seeds(fails, [1, 2], jobs=2)


def test_no_seeds_give_nothing():
    assert sweeps.over_seeds(abs, []) == {}


def test_the_users_own_backend_is_used():
    with joblib.parallel_config("threading", n_jobs=2):
        found = sweeps.over_seeds(where_and_draw, range(3))
    assert {pid for pid, _, _ in found.values()} == {os.getpid()}


def test_a_function_written_in_a_script_or_notebook_travels_with_what_it_uses():
    script = textwrap.dedent("""
        import torch
        from lrcourse import sweeps
        weights = torch.arange(4.0)
        def scaled(seed):
            return float((weights * seed).sum())
        print(sweeps.over_seeds(scaled, (2, 3), jobs=2))
    """)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "{2: 12.0, 3: 18.0}", done.stderr
