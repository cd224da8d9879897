"""Displacements, against weights that were copied by hand and against closed forms."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lrcourse import data, models, training
from lrcourse import schedules as s
from lrcourse.study.displacement import Displacement, displacement_of
from lrcourse.sweeps.experiment import Experiment


def small():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Linear(7, 3))


def train(net, optimizer, updates=4):
    torch.manual_seed(2)
    X, y = torch.randn(16, 5), torch.randint(3, (16,))
    path = [[net[0].weight.detach().clone(), net[3].weight.detach().clone()]]
    for _ in range(updates):
        optimizer.zero_grad()
        F.cross_entropy(net(X), y).backward()
        optimizer.step()
        path.append([net[0].weight.detach().clone(), net[3].weight.detach().clone()])
    return path


def hooks(optimizer):
    """All that hangs on an optimizer, by the name of where."""
    return {name: dict(held) for name, held in vars(optimizer).items() if "hooks" in name}


def test_it_measures_what_the_loop_did():
    net = small()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    with Displacement(net, optimizer) as moved:
        path = train(net, optimizer)
    assert moved.names == ("0.weight", "3.weight")  # no biases, nothing of BatchNorm
    assert len(moved) == 4
    for k in range(2):
        w = [torch.linalg.matrix_norm(path[t][k] - path[0][k]) for t in range(1, 5)]
        far = [float(x / torch.linalg.matrix_norm(path[0][k])) for x in w]
        np.testing.assert_allclose(moved.from_start[:, k], far, rtol=1e-5)
        each = [
            float(torch.linalg.matrix_norm(b[k] - a[k]) / torch.linalg.matrix_norm(a[k]))
            for a, b in pairwise(path)
        ]
        np.testing.assert_allclose(moved.steps[:, k], each, rtol=1e-5)


def test_adams_first_step_has_a_closed_form():
    net = small()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01, eps=1e-30)
    start = net[3].weight.detach().clone()
    with Displacement(net, optimizer) as moved:
        train(net, optimizer, updates=1)
    moving = int((net[3].weight != start).sum())  # each of these by exactly the rate
    assert moved.steps[0, 1] == pytest.approx(0.01 * moving**0.5 / float(start.norm()), rel=1e-4)
    assert moved.from_start[0, 1] == moved.steps[0, 1]


def test_after_it_the_optimizer_is_as_before_also_after_an_error():
    net = small()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    before = hooks(optimizer)
    with pytest.raises(RuntimeError, match="in the loop"), Displacement(net, optimizer) as moved:
        train(net, optimizer, updates=2)
        assert hooks(optimizer) != before
        raise RuntimeError("in the loop")
    train(net, optimizer, updates=3)
    assert len(moved) == 2
    assert hooks(optimizer) == before


def test_watching_changes_nothing():
    nets = [small(), small()]
    for net, watch in zip(nets, (True, False), strict=True):
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        if watch:
            with Displacement(net, optimizer):
                train(net, optimizer)
        else:
            train(net, optimizer)
    for a, b in zip(*(net.parameters() for net in nets), strict=True):
        assert torch.equal(a, b)


def test_nets_that_cannot_be_watched():
    only_norm = nn.BatchNorm1d(3)
    with pytest.raises(ValueError, match="no weights of two dimensions"):
        Displacement(only_norm, torch.optim.SGD(only_norm.parameters(), lr=0.1))
    net = small()
    nn.init.zeros_(net[3].weight)
    with pytest.raises(ValueError, match=r"3\.weight is 0"):
        Displacement(net, torch.optim.SGD(net.parameters(), lr=0.1))


def test_no_updates_no_rows():
    net = small()
    with Displacement(net, torch.optim.SGD(net.parameters(), lr=0.1)) as moved:
        pass
    assert moved.from_start.shape == moved.steps.shape == (0, 2)


def test_of_an_experiment_it_is_that_of_its_run():
    arm = Experiment(
        data="digits", images=200, model="mlp", model_options={"depth": 2, "width": 16},
        optimizer="momentum", optimizer_options={"momentum": 0.8}, lr=0.2, seed=3, epochs=2,
        schedule=s.warmup(5), clip_norm=0.5,
    )  # fmt: skip
    moved = displacement_of(arm, device="cpu")
    images = data.load("digits", device="cpu", progress=False).subset(200)
    net = models.build("mlp", seed=3, data=images, depth=2, width=16)
    start = [w.detach().clone() for w in net.parameters() if w.dim() == 2]
    optimizer = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.8)
    training.fit(
        net, images, optimizer, s.warmup(5), epochs=2, batch_size=32, seed=3, clip_norm=0.5
    )
    ends = [w.detach() for w in net.parameters() if w.dim() == 2]
    far = [float((a - b).norm() / a.norm()) for a, b in zip(start, ends, strict=True)]
    assert len(moved) == 14
    np.testing.assert_allclose(moved.from_start[-1], far, rtol=1e-5)


def test_what_watches_an_experiment_does_not_change_it():
    arm = Experiment(data="digits", images=200, epochs=2)
    net, optimizer, images = arm.build("cpu")
    with Displacement(net, optimizer) as moved:
        watched = arm.train(net, optimizer, images)
    alone = arm.run("cpu")
    assert len(moved) == len(watched.lr) == 14
    assert watched.final("train_loss") == alone.final("train_loss")
    assert watched.provenance["spec"] == alone.provenance["spec"] == arm.to_dict()
