"""Whatever holds a number, wherever a training finds it, holds the same one afterwards."""

import array
import threading
import types
import weakref
from collections import ChainMap, Counter, OrderedDict, deque
from functools import partial

import numpy as np
import pytest
import torch
from helpers.toys import BATCHES, net_of, sgd
from torch.nn import functional

from lrcourse.rangetest import range_test


class Key:
    """What a weak dictionary may hold."""


KEY = Key()


def add_to_attribute(holder):
    holder.count += 1


def add_at(key, holder):
    holder[key] += 1


def local_of_a_thread():
    made = threading.local()
    made.count = 0
    return made


# Each way to hold a number, how it is raised by one, and how it is read.
HOLDERS = {
    "Counter": (lambda: Counter(a=0), partial(add_at, "a"), lambda h: h["a"]),
    "ChainMap": (lambda: ChainMap({"a": 0}), partial(add_at, "a"), lambda h: h["a"]),
    "order": (
        lambda: OrderedDict.fromkeys("ab"),
        lambda h: h.move_to_end(next(iter(h))),
        lambda h: "".join(h) == "ba",
    ),
    "bounded": (lambda: deque([0], maxlen=1), lambda h: h.append(h[0] + 1), lambda h: h[0]),
    "weak": (lambda: weakref.WeakKeyDictionary({KEY: 0}), partial(add_at, KEY), lambda h: h[KEY]),
    "bytes": (lambda: bytearray(1), partial(add_at, 0), lambda h: h[0]),
    "array": (lambda: array.array("d", [0]), partial(add_at, 0), lambda h: h[0]),
    "numpy": (lambda: np.zeros((2, 2)), lambda h: h.__iadd__(1), lambda h: h[0, 0]),
    "objects": (
        lambda: np.array([torch.zeros(2), None], dtype=object),
        lambda h: h[0].add_(1),
        lambda h: h[0][0].item(),
    ),
    "read-only": (
        lambda: types.MappingProxyType({"a": torch.zeros(1)}),
        lambda h: h["a"].add_(1),
        lambda h: h["a"].item(),
    ),
    "thread": (local_of_a_thread, add_to_attribute, lambda h: h.count),
    "bits": (
        lambda: np.random.PCG64(0),
        lambda h: h.random_raw(),
        lambda h: h.state["state"]["state"],
    ),
    "hidden": (lambda: {("a", 1): [{"b": 0}]}, lambda h: add_at("b", h["a", 1][0]), repr),
}


@pytest.mark.parametrize("name", HOLDERS)
@pytest.mark.parametrize("place", ["net", "parameter", "hook of a parameter", "loss"])
def test_what_holds_a_number_anywhere(name, place):
    make, raised, read = HOLDERS[name]
    net, held = net_of(), make()
    expected = read(held)

    def raise_by_one(holder):
        raised(holder)

    class Loss:
        def __init__(self):
            self.held = held if place == "loss" else make()

        def __call__(self, outputs, targets):
            raise_by_one(self.held)
            return functional.cross_entropy(outputs, targets)

    if place == "parameter":
        net[0].weight.held = held
        net.register_forward_pre_hook(lambda module, _: raise_by_one(module[0].weight.held))
    elif place == "hook of a parameter":
        loss = Loss()
        loss.held = held
        net[0].weight.register_hook(lambda grad: raise_by_one(loss.held))
        net[0].bias.register_post_accumulate_grad_hook(lambda p: raise_by_one(loss.held))
    elif place == "net":
        net.held = held
        net.register_forward_pre_hook(lambda module, _: raise_by_one(module.held))
    range_test(net, sgd(net), BATCHES, Loss(), updates=11, start=1e-3, end=0.1, progress=False)
    assert read(held) == expected
    raise_by_one(held)
    assert read(held) != expected
