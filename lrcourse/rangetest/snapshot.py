"""Save a net, an optimizer, a loader and the random state, and put them back bit for bit.

Nothing is replaced by a copy: every Parameter, buffer, dictionary and generator is the same object
afterwards, with its old content. One copy of the tensors is kept, on the device where they are.
"""

from __future__ import annotations

import array
import contextlib
import copy
import functools
import operator
import types
from collections import OrderedDict, deque
from collections.abc import Collection, Iterable
from random import SystemRandom
from typing import Any, Self

import numpy as np
import torch
from torch import nn
from torch.utils._python_dispatch import is_traceable_wrapper_subclass
from torch.utils.data import DataLoader

from lrcourse.rangetest.randomness import GENERATORS, Undo, kept_generator, kept_random_state
from lrcourse.rangetest.reach import (
    CALLS,
    PLAIN,
    Reach,
    bytes_of,
    is_foreign,
    is_live,
    slots_of,
    used_by,
)

ROOM = 2**28  # bytes of tensors and arrays that are kept for what functions reach
_LEFT = (type, types.ModuleType, types.BuiltinFunctionType, SystemRandom)  # code, or no state
_FIXED = (tuple, frozenset, types.MappingProxyType)
_PLAIN_BOXES = {dict, list, set, tuple, OrderedDict}  # most of what a net consists of
_BOXES = (dict, list, deque, set, *_FIXED)
_NUMBERS = (torch.Tensor, np.ndarray, bytearray, array.array)


class Snapshot:
    """What a range test may change, as it was when it was kept.

    `keep` follows nets (parameters, gradients, flags and hooks, buffers, the modes and attributes
    of every submodule), optimizers (state, groups, attributes, hooks), containers, generators and
    objects of any class within. Several calls may overlap; shared tensors are copied once.
    `restore` may be called more than once; at the end of a `with` block it is.

    Attributes:
        generators: the random generators that were met.
        live: whether a loader holds an iterator whose place cannot be put back.
    """

    def __init__(self, leave: Iterable[torch.Tensor] = (), room: int = ROOM) -> None:
        """`leave`: tensors that will not change; `room`: bytes for what functions reach."""
        self._undo: list[Undo] = []
        # It holds the objects: an id is unique while they live.
        self._seen: dict[int, object] = {id(tensor): tensor for tensor in leave}
        self._room = room
        self.generators: list[Any] = []
        self.live = False

    def keep(self, *things: object) -> None:
        """Keep nets, optimizers, tensors and containers of them."""
        for thing in things:
            if isinstance(thing, nn.Module):
                # A scripted module does not show these among its attributes.
                self._follow((*thing.parameters(), *thing.buffers()), Reach.OWN)
                modes = [(module, "training", module.training) for module in thing.modules()]
                self._undo += [functools.partial(setattr, *mode) for mode in modes]
            self._follow((thing,), Reach.OWN)

    def keep_functions(self, *functions: object) -> None:
        """Keep the objects and tensors that functions use, by their closures, defaults or globals.

        Lists, dictionaries and variables of a function itself are left to it: they are how a
        person looks into a step. Of tensors and arrays `room` bytes are kept in all; what does not
        fit is taken for data.
        """
        self._follow(functions, Reach.FUNCTION)

    def keep_feed(self, feed: object) -> None:
        """Keep a loader: the attributes of its parts, their order and generators, but no data.

        Lists are kept, but what is in one of more than 100 items is data and left alone; so are
        tensors and arrays outside of samplers, but for rows of whole numbers, which are an order.
        """
        self._follow((feed,), Reach.FEED)

    def keep_random_state(self) -> None:
        """Keep the global generators of Python, numpy, torch and of every device in use."""
        self._undo += kept_random_state()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.restore()

    def restore(self) -> None:
        """Put everything back. An interruption waits until that is done; then it goes on."""
        try:
            self._restore()
        except KeyboardInterrupt:
            self._restore()
            raise

    def _restore(self) -> None:
        failed: list[Exception] = []
        with torch.no_grad():
            for undo in self._undo:
                try:
                    undo()
                except Exception as error:  # the rest is put back all the same
                    failed.append(error)
        if failed:
            raise failed[0]

    def _follow(self, things: Iterable[object], reach: Reach) -> None:
        """Keep objects and all that is in them, from the outside inwards."""
        waiting = deque((thing, reach) for thing in things)
        while waiting:
            thing, reach = waiting.popleft()
            if type(thing) in PLAIN or isinstance(thing, _LEFT) or id(thing) in self._seen:
                continue
            reach = reach.of(thing)
            if isinstance(thing, _NUMBERS) and not self._is_state(thing, reach):
                continue
            self._seen[id(thing)] = thing
            is_object = not isinstance(thing, (*_BOXES, *CALLS))
            below = Reach.STATE if reach is Reach.FUNCTION and is_object else reach
            waiting.extend((inside, below) for inside in self._keep_one(thing, reach))

    def _is_state(self, numbers: Any, reach: Reach) -> bool:
        if reach is Reach.OWN:
            return True
        size = bytes_of(numbers)
        if size > self._room or not reach.takes(numbers):
            return False
        self._room -= size
        return True

    def _keep_one(self, thing: Any, reach: Reach) -> Iterable[object]:
        """Keep one object without what is in it, and give what is in it."""
        if type(thing) in _PLAIN_BOXES:
            return self._keep_box(thing, reach)
        if isinstance(thing, torch.Tensor):
            return self._keep_tensor(thing)
        if isinstance(thing, _NUMBERS):
            is_array = isinstance(thing, np.ndarray)
            if not is_array or thing.flags.writeable:
                everywhere = ... if is_array else slice(None)
                old = copy.copy(thing)
                self._undo.append(functools.partial(thing.__setitem__, everywhere, old))
            return thing.ravel().tolist() if is_array and thing.dtype.hasobject else ()
        if isinstance(thing, GENERATORS):
            self.generators.append(thing)
            self._undo.append(kept_generator(thing))
            return ()
        if isinstance(thing, types.FunctionType):
            return used_by(thing)
        if isinstance(thing, types.MethodType):
            return thing.__self__, thing.__func__
        if isinstance(thing, functools.partial):
            return thing.func, thing.args, thing.keywords
        if is_live(thing):
            self.live = self.live or reach is Reach.FEED
            return ()
        inside = self._keep_box(thing, reach) if isinstance(thing, _BOXES) else []
        return inside if is_foreign(thing) else inside + self._keep_attributes(thing)

    def _keep_tensor(self, tensor: torch.Tensor) -> Iterable[object]:
        if not tensor.is_leaf or nn.parameter.is_lazy(tensor) or tensor.is_meta:
            return ()  # a result of a computation is never changed, only replaced
        flag, grad = tensor.requires_grad, tensor.grad

        def undo() -> None:
            if tensor.requires_grad != flag:
                tensor.requires_grad_(flag)
            if tensor.grad is not grad:
                tensor.grad = grad

        self._undo.append(undo)
        inside = [grad, tensor._backward_hooks, tensor._post_accumulate_grad_hooks]
        if is_traceable_wrapper_subclass(tensor):
            # A quantized tensor, say: its own copy_ may round, the tensors in it do not.
            return inside + [getattr(tensor, name) for name in tensor.__tensor_flatten__()[0]]
        inside += self._keep_attributes(tensor)
        is_strided = tensor.layout is torch.strided
        with torch.no_grad():
            # A buffer made by expand() shows one number in many places: one place is enough.
            core, repeated = tensor.detach(), False
            for axis, n in enumerate(tensor.shape if is_strided else ()):
                if n > 1 and tensor.stride(axis) == 0:
                    core, repeated = core.narrow(axis, 0, 1), True
            kept = core.clone()
        place = core.data_ptr() if is_strided else None

        def undo_content() -> None:
            if place is not None and not repeated and tensor.data_ptr() != place:
                tensor.data = core  # somebody exchanged its memory
            made_there = core.is_inference()
            with torch.inference_mode() if made_there else contextlib.nullcontext():
                (tensor if place is None else core).copy_(kept)

        self._undo.append(undo_content)
        return inside

    def _keep_attributes(self, thing: object) -> list[object]:
        inside: list[object] = []
        with contextlib.suppress(TypeError):  # an object without attributes of its own
            attributes = vars(thing)
            self._keep_box(attributes, Reach.OWN)
            # The workers of a loader are left alone: a range test reads through a copy of it.
            hidden = "_iterator" if isinstance(thing, DataLoader) else None
            inside += [value for name, value in attributes.items() if name != hidden]
        for slot in slots_of(thing):
            with contextlib.suppress(AttributeError):  # nothing is in it
                inside.append(slot.__get__(thing))
                self._undo.append(functools.partial(slot.__set__, thing, inside[-1]))
        return inside

    def _keep_box(self, box: Any, reach: Reach) -> list[object]:
        is_mapping = isinstance(box, dict | types.MappingProxyType)
        keys: list[Any] = list(box) if is_mapping else []
        values: list[Any] = list(box.values() if is_mapping else box)
        if reach is not Reach.FUNCTION and not isinstance(box, _FIXED):
            self._undo.append(functools.partial(_fill, box, keys, values))
        return values if reach.has_state_in(box, values) else []


def _fill(box: Any, keys: list[Any], values: list[Any]) -> None:
    """Put back what was in a container, where that is not there as it was."""
    is_mapping = isinstance(box, dict)
    if _same(box.values() if is_mapping else box, values) and (not is_mapping or _same(box, keys)):
        return
    box.clear()
    if is_mapping:
        box.update(dict(zip(keys, values, strict=True)))  # a Counter would count pairs
    else:
        (box.update if isinstance(box, set) else box.extend)(values)


def _same(now: Collection[Any], then: list[Any]) -> bool:
    return len(now) == len(then) and all(map(operator.is_, now, then))
