"""A schedule inside somebody's own torch loop, through to_torch."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
from helpers.peers import sgd, torch_trace

from lrcourse.schedules import (
    cosine,
    cyclical,
    from_function,
    plateau,
    step,
    to_torch,
    triangular2,
    warmup,
)


def doubled(t):
    return 2.0 * t


SHAPES = [
    cosine(20, floor=0.1),
    warmup(5).then(cosine(25, floor=1 / 30)),
    0.5 * (warmup(3) * step(4, 0.5)),
    cyclical(3, 0.2, scale=triangular2),
    from_function(doubled),
]


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_to_torch_applies_the_factors_bit_for_bit(shape):
    assert torch_trace(lambda o: to_torch(shape, o), 40) == shape(range(40)).tolist()


def test_to_torch_keeps_the_rates_of_the_groups():
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimizer = torch.optim.SGD(
        [{"params": parameters[:1], "lr": 0.1}, {"params": parameters[1:], "lr": 0.02}]
    )
    to_torch(warmup(4), optimizer)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1 * 0.25, 0.02 * 0.25]


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_to_torch_resumes_from_its_state(shape):
    def steps(optimizer, scheduler, count):
        rates = []
        for _ in range(count):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        return rates

    whole = sgd()
    expected = steps(whole, to_torch(shape, whole), 30)

    first = sgd()
    scheduler = to_torch(shape, first)
    rates = steps(first, scheduler, 12)
    kept = io.BytesIO()
    torch.save({"optimizer": first.state_dict(), "scheduler": scheduler.state_dict()}, kept)
    kept.seek(0)
    state = torch.load(kept, weights_only=True)

    second = sgd()
    resumed = to_torch(shape, second)
    second.load_state_dict(state["optimizer"])
    resumed.load_state_dict(state["scheduler"])
    assert rates + steps(second, resumed, 18) == expected


def test_loading_another_shapes_state_leaves_the_value_alone():
    shape = cosine(10)
    other = to_torch(cosine(20, floor=0.5), sgd())
    to_torch(shape, sgd()).load_state_dict(other.state_dict())
    assert shape == cosine(10)
    assert repr(shape) == "cosine(10)"


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_to_torch_pickles(copied):
    optimizer = sgd()
    again = copied(to_torch(warmup(5).then(cosine(25)), optimizer))
    assert again.lr_lambdas[0](7) == warmup(5).then(cosine(25))(7)


@pytest.mark.parametrize("wrong", [plateau(), 0.5, None, lambda t: 1.0])
def test_to_torch_takes_schedules_only(wrong):
    with pytest.raises(TypeError, match="to_torch: shape must be a schedule"):
        to_torch(wrong, sgd())
