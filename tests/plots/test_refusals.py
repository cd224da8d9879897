"""What a figure cannot mean is refused by the name of the argument, before anything is drawn."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from lrcourse import optimizers, plots
from lrcourse import schedules as s
from lrcourse.landscapes import Ravine, descend
from lrcourse.plots import arguments as given
from lrcourse.sweeps import Experiment, Run, Runs
from lrcourse.training import History

matplotlib.use("Agg")
NAN = float("nan")


def path(*start):
    sgd = optimizers.pure("sgd")
    return descend(lambda w: w, torch.tensor(start), sgd, 0.1, 2)


def history():
    epochs = {"epoch": np.array([1.0]), "update": np.array([3]), "train_loss": np.array([0.5])}
    return History(np.full(3, 0.1), np.ones(3, np.float32), epochs, batches_per_epoch=3)


RUNS = Runs([Run(Experiment(), history())])
FIELD = ((-1, 1), (-1, 1))
REFUSED = [
    (lambda: plots.schedule(s.cosine(5), -5), "total must be a whole number from 1"),
    (lambda: plots.schedule({}, 5), "no schedule to draw: shapes"),
    (lambda: plots.schedule({"a": 3}, 5), r"shapes\['a'\] must be a schedule, .*; got 3"),
    (lambda: plots.schedule(s.cosine(5), 5, when="week"), "when must be one of 'epoch', 'update'"),
    (lambda: plots.over_updates({"a": [1.0]}, "x", every=0), "every must be a whole number >= 1"),
    (lambda: plots.over_updates({"a": []}, "x"), r"lines\['a'\] must be numbers in a row"),
    (lambda: plots.over_updates({"a": ["b"]}, "x"), r"lines\['a'\] must be numbers in a row"),
    (lambda: plots.over_updates({"a": [1.0]}, "x", limits=(2, 1)), "limits must be .lowest, high"),
    (lambda: plots.over_updates({"a": [1.0]}, "x", limits=(NAN, 1)), r"limits\[0\] must be a fin"),
    (lambda: plots.against([1, 2], {"a": [1]}, ("x", "y")), r"lines\['a'\] must have a number"),
    (lambda: plots.against([1, 2], {"a": [[1, 2], [1]]}, ("x", "y")), "rows of one length, not of"),
    (lambda: plots.against([1], {"a": [1]}, "xyz"), "labels must be the labels of the two axes"),
    (lambda: plots.over_rates({"a": ([1], [1, 2])}, "x"), r"lines\['a'\] must have a number"),
    (lambda: plots.over_rates({"a": [1, 2, 3]}, "x"), r"lines\['a'\] must be .rates, values., or"),
    (lambda: plots.curve(lambda x: None, {"a": path(1.0)}, (0, 1)), "function of a figure must"),
    (lambda: plots.surface(Ravine(), {"a": path(1.0)}, FIELD), r"path of descents\['a'\] must"),
    (lambda: plots.surface(Ravine(), {"a": path(1.0, 1.0)}, (0, 1)), r"limits\[0\] must be"),
    (
        lambda: plots.compare({"a": history()}, "test_acc"),
        "column must be one of 'epoch', 'update', 'train_loss'; got 'test_acc'",
    ),
    (lambda: plots.rates(RUNS, "speed"), r"column must be one of 'epoch', .*; got 'speed'"),
    (lambda: plots.rates(Runs([])), r"arms\[''\] must be the Runs of a sweep, one at least"),
    (
        lambda: plots.warmup_lengths({0: RUNS}, "speed"),
        r"column must be one of 'epoch', .*; got 'speed'",
    ),
    (
        lambda: plots.by_seed({"a": {0: 0.0}}, "x", log=True),
        "samples must be above 0 on a log",
    ),
    (lambda: plots.by_seed({"a": {0: 1.0}}, "x", interval=True), "must have two seeds an arm"),
    (lambda: plots.compare({"a": history()}, middle="mode"), "middle must be"),
    (lambda: plots.by_seed({"a": {0: NAN}}, "x"), r"samples\['a'\]\[0\] must be a finite number"),
]


@pytest.mark.parametrize(("draw", "said"), REFUSED)
def test_it_is_refused_and_no_figure_is_left(draw, said):
    with pytest.raises((TypeError, ValueError), match=said):
        draw()
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    "numbers",
    [[1, 2.5], (1, NAN), range(3), np.arange(3), torch.tensor([1.0, 2.0]), [torch.tensor(1.0)] * 2],
)
def test_a_row_of_numbers_may_be_of_many_kinds(numbers):
    row = given.series("f", "x", numbers)
    np.testing.assert_array_equal(row, np.asarray(list(numbers), float))
    (alone,) = given.rows("f", "x", numbers)
    np.testing.assert_array_equal(alone, row)
    one, two = given.rows("f", "x", [numbers, [1.0]])
    assert len(one) == len(numbers) and list(two) == [1.0]


@pytest.mark.parametrize("numbers", [[], [True], ["1"], [[1], [2]], 3, np.array(3.0), [1j], [None]])
def test_what_is_no_row_of_numbers(numbers):
    with pytest.raises((TypeError, ValueError), match="f: x must be numbers in a row"):
        given.series("f", "x", numbers)
