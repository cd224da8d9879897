"""What a range test refuses, with nothing touched."""

import copy
import math

import pytest
import torch
from helpers.toys import BATCHES, X, Y, net_of, random_states, sgd
from torch import nn
from torch.nn import functional
from torch.utils.data import TensorDataset

from lrcourse.rangetest import range_test


def refuse(told, *, net=None, optimizer=None, batches=BATCHES, error=ValueError, **options):
    """The call is refused, and nothing has been touched."""
    net = net_of() if net is None else net
    is_net = isinstance(net, nn.Module)
    optimizer = sgd(net) if optimizer is None else optimizer
    kept = copy.deepcopy(net.state_dict()) if is_net else {}
    states = random_states()
    with pytest.raises(error, match=told):
        range_test(net, optimizer, batches, **options)
    assert random_states() == states
    if is_net:
        assert all(torch.equal(v, kept[k]) for k, v in net.state_dict().items())
        assert all(p.grad is None for p in net.parameters())


@pytest.mark.parametrize(
    "options, told",
    [
        ({"start": 1.0, "end": 0.1}, "end must be above start.*got start 1 and end 0.1"),
        ({"start": 1.0, "end": 1.0}, "must be above start"),
        ({"start": 0.0}, "start must be a finite number > 0, up to 1e38; got 0.0"),
        ({"end": math.nan}, "end must be a finite number > 0, up to 1e38; got nan"),
        ({"end": math.inf}, "end must be a finite number > 0"),
        ({"updates": 0}, "updates must be a whole number from 2.*; got 0"),
        ({"updates": 1}, "whole number from 2"),
        ({"updates": 2**63}, "to 10000000; got"),
        ({"updates": 2.5}, "whole number"),
        ({"repeats": 0}, "repeats must be a whole number from 1"),
        ({"diverged": 1.0}, "diverged must be a finite number > 1"),
        ({"smoothing": 1.0}, "from 0 to below 1"),
        ({"scale": "square"}, "log.*linear.*square"),
        ({"batches": []}, "batches is empty"),
        ({"batches": iter([])}, "batches is empty"),
        ({"batches": iter(BATCHES[:1]), "accumulate": 2}, "not enough for one update"),
        ({"batches": iter(BATCHES), "repeats": 2}, "an iterator, which can be gone through once"),
        ({"batches": (X, Y)}, "batch_size"),
        ({"batches": (X, Y[:3]), "batch_size": 4}, r"one length above 0, not \[64, 3\]"),
        ({"batch_size": 4}, "batches already"),
        ({"held_out": []}, "held_out is empty"),
        ({"loss_fn": functional.nll_loss, "step": lambda n, b: 0}, "not both"),
        ({"loss_fn": lambda o, y: functional.cross_entropy(o, y, reduction="none")}, r"\(8,\)"),
        ({"loss_fn": lambda o, y: functional.cross_entropy(o, y).detach()}, "no gradient"),
        ({"autocast": torch.float32}, "bfloat16"),
        ({"step": lambda net, batch: net(batch[0]).sum() * 1j}, "a real number.*abs"),
    ],
)
def test_refuses_with_what_would_be_right(options, told):
    refuse(told, **options)


@pytest.mark.parametrize(
    "options, told",
    [
        ({"batches": TensorDataset(X, Y)}, "DataLoader"),
        ({"batches": 3}, "not an int"),
        ({"batches": X}, "one tensor"),
        ({"batches": [1, 2]}, "a batch, in batches and held_out, is"),
        ({"step": lambda n, b: 0.5}, "a tensor with one number"),
        ({"loss_fn": "mse"}, "loss_fn must be a function; got 'mse'"),
        ({"loss_fn": nn.MSELoss}, r"is a class: give an object of it, loss_fn=MSELoss\(\)"),
        ({"accumulate": True}, "accumulate must be a whole number"),
        ({"clip_norm": "1"}, "clip_norm must be a finite number > 0"),
        ({"net": nn.Linear, "optimizer": 3}, "net is a class, Linear; give a net of it"),
        ({"optimizer": torch.optim.SGD}, "optimizer is a class, SGD"),
        ({"batches": (X.numpy(), Y.numpy())}, "tuple of arrays"),
        ({"batches": lambda: BATCHES}, "can be called: give batches=what it returns"),
        ({"optimizer": 3}, "no torch optimizer but an int"),
        ({"net": 3, "optimizer": 3}, "net is no torch module but an int"),
        ({"net": lambda seed: 3, "optimizer": sgd}, "factory of the net gave no torch module"),
        ({"optimizer": lambda net: 3}, "factory of the optimizer gave"),
    ],
)
def test_refuses_the_wrong_kind(options, told):
    refuse(told, error=TypeError, **options)


def test_refuses_nets_and_optimizers_that_do_not_fit():
    frozen = net_of().requires_grad_(False)
    refuse("all of its parameters have requires_grad False", net=frozen, optimizer=sgd(net_of()))
    refuse("no parameter that trains", net=nn.ReLU(), optimizer=sgd(net_of()))
    refuse("no parameter of this net", optimizer=sgd(net_of()))
    refuse("optimizer as a factory too", net=net_of, optimizer=sgd(net_of()))
    with pytest.raises(ValueError, match="lazy"):
        range_test(nn.Sequential(nn.LazyLinear(3)), sgd(net_of()), BATCHES)
    empty = net_of().to("meta")
    with pytest.raises(ValueError, match=r"meta device.*to_empty"):
        range_test(empty, sgd(empty), BATCHES)
    for rate in (0.0, -0.1, None):
        optimizer = sgd(net := net_of())
        optimizer.param_groups[0]["lr"] = rate
        refuse("group 0", net=net, optimizer=optimizer)
