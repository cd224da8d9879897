"""Stacks: which experiments can be stacked, and what happens when memory runs out."""

import pytest
import torch

from lrcourse import models
from lrcourse import schedules as s
from lrcourse.sweeps import stacks
from lrcourse.sweeps.experiment import Experiment

BASE = Experiment(
    images=100,
    valid=50,
    model="mlp",
    model_options={"depth": 2, "width": 8},
    epochs=2,
    batch_size=32,
)


def sizes_on_cpu(runs, processes, base=BASE, **change):
    points = [base.but(seed=seed, **change) for seed in range(runs)]
    groups = stacks.group_for_cpu(points, processes)
    assert [one for group in groups for one in group] == points
    return [len(group) for group in groups]


@pytest.fixture
def bits_are_kept(monkeypatch):
    monkeypatch.setattr(stacks.dense_stacks, "fits", lambda *_: True)


@pytest.mark.parametrize(
    ("runs", "processes", "sizes"),
    [
        (7, 1, [1] * 7),
        (8, 1, [8]),
        (15, 2, [1] * 15),
        (17, 2, [8, 9]),
        (32, 2, [16, 16]),
        (33, 2, [8, 8, 8, 9]),
    ],
)
def test_on_a_cpu_each_process_gets_its_share_of_a_stack_or_all_run_alone(
    bits_are_kept, runs, processes, sizes
):
    assert sizes_on_cpu(runs, processes) == sizes


def test_what_is_no_small_dense_net_or_loses_its_bits_runs_alone_on_a_cpu(
    bits_are_kept, monkeypatch
):
    assert sizes_on_cpu(9, 1, model="lenet", model_options={}) == [1] * 9
    assert sizes_on_cpu(9, 1, model_options={"depth": 2, "width": 256}) == [1] * 9
    monkeypatch.setattr(stacks.dense_stacks, "fits", lambda *_: False)
    assert sizes_on_cpu(9, 1) == [1] * 9


# -- what can be stacked ----------------------------------------------------------------------


def test_grouping():
    plateau = BASE.but(schedule=s.plateau(), when="epoch")
    exotic = BASE.but(optimizer="adam", optimizer_options={"amsgrad": True})
    unknown = BASE.but(optimizer="adma")
    given = [
        BASE,
        plateau,
        BASE.but(epochs=3),
        BASE.but(lr=0.3, seed=4, schedule=s.cosine(8), when="epoch"),
        exotic,
        plateau,
        BASE.but(epochs=3, lr=0.2),
        unknown,
    ]
    assert stacks.group_by_shape(given) == [
        [given[0], given[3]],
        [plateau],
        [given[2], given[6]],
        [exotic],
        [plateau],
        [unknown],
    ]
    assert stacks.group_by_shape([]) == []


@pytest.mark.parametrize(
    "change",
    [
        {"data": "mnist"},
        {"images": 99},
        {"valid": 49},
        {"model": "lenet"},
        {"model_options": {"depth": 2, "width": 9}},
        {"optimizer": "adam"},
        {"optimizer_options": {"weight_decay": 0.1}},
        {"epochs": 3},
        {"batch_size": 31},
        {"evaluate": "end"},
    ],
    ids=str,
)
def test_other_shapes_are_other_groups(change):
    both = [BASE, BASE.but(**change)]
    assert len(stacks.group_by_shape(both)) == 2
    with pytest.raises(ValueError, match="differ in lr, schedule, when and seed only"):
        stacks.run_stack(both, "cpu")


def test_groups_of_limited_size_are_even():
    seeds = [BASE.but(seed=seed) for seed in range(10)]
    assert [len(g) for g in stacks.group_by_shape(seeds, largest=4)] == [3, 3, 4]
    assert [one for g in stacks.group_by_shape(seeds, largest=4) for one in g] == seeds
    assert [len(g) for g in stacks.group_by_shape(seeds, largest=10)] == [10]
    assert [len(g) for g in stacks.group_by_shape(seeds, largest=1)] == [1] * 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schedule": s.plateau()}, "cannot be stacked: plateau"),
        ({"optimizer_options": {"dampening": 0.1}}, "cannot be stacked: sgd is written here"),
        ({"when": "week"}, "one of 'update', 'epoch'"),
        ({"batch_size": 101}, "larger than the training set"),
        ({"epochs": 0}, "epochs must be a whole number"),
        ({"evaluate": "often"}, "evaluate must be"),
        ({"model": "lanet"}, "got 'lanet' .did you mean 'lenet'"),
    ],
    ids=str,
)
def test_what_a_stack_refuses(change, message):
    with pytest.raises(ValueError, match=message):
        stacks.run_stack([BASE.but(**change), BASE.but(seed=1, **change)], "cpu")


def test_nets_with_random_layers_are_refused(monkeypatch):
    with_dropout = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Dropout(), torch.nn.Linear(784, 10)
    )
    monkeypatch.setattr(models, "build", lambda *_, **__: with_dropout)
    with pytest.raises(ValueError, match="draws random numbers in Dropout"):
        stacks.run_stack([BASE, BASE.but(seed=1)], "cpu")


def test_a_misfit_schedule_is_warned_of():
    with pytest.warns(UserWarning, match="Its t counts updates"):
        stacks.run_stack([BASE.but(schedule=s.cosine(3)), BASE], "cpu")


@pytest.mark.parametrize("largest", [0, True, 2.5])
def test_bad_sizes(largest):
    with pytest.raises((ValueError, TypeError), match="largest must be a whole number"):
        stacks.run_stack([BASE], "cpu", largest=largest)


# -- memory -----------------------------------------------------------------------------------


@pytest.fixture
def small_machine(monkeypatch):
    """A machine whose memory holds so many members; the sizes that were tried."""

    def give(room, error):
        sizes = []
        train = stacks.train

        def limited(group, device):
            sizes.append(len(group))
            if len(group) > room:
                raise error
            return train(group, device)

        monkeypatch.setattr(stacks, "train", limited)
        return sizes

    return give


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
    MemoryError(),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: str(error)[:40])
def test_stacks_shrink_until_memory_suffices(error, small_machine):
    group = [BASE.but(seed=seed, epochs=1, evaluate=None) for seed in range(7)]
    sizes = small_machine(2, error)
    histories = stacks.run_stack(group, "cpu", largest=6)
    assert sizes == [6, 3, 1, 1, 1, 1, 1, 1, 1]
    assert [history.provenance["seed"] for history in histories] == list(range(7))
    assert {history.provenance["stacked"] for history in histories} == {1}


def test_stacks_that_fit_are_given_as_they_are_finished(small_machine):
    group = [BASE.but(seed=seed, epochs=1, evaluate=None) for seed in range(7)]
    sizes = small_machine(2, OUT_OF_MEMORY[0])
    finished = stacks.finished(group, "cpu", largest=4)
    done, histories = next(finished)
    assert sizes == [4, 2]
    assert done == group[:2]
    assert [history.provenance["seed"] for history in histories] == [0, 1]
    assert [len(done) for done, _ in finished] == [2, 2, 1]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: str(error)[:40])
def test_memory_too_small_for_one_net_is_an_error(error, small_machine):
    sizes = small_machine(0, error)
    with pytest.raises(type(error)):
        stacks.run_stack([BASE, BASE.but(seed=1)], "cpu")
    assert sizes == [2, 1]


def test_other_errors_are_not_taken_for_memory(small_machine):
    sizes = small_machine(0, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        stacks.run_stack([BASE, BASE.but(seed=1)], "cpu")
    assert sizes == [2]
