"""Save a net, an optimizer, a loader and the random state, and put them back bit for bit.

Nothing is replaced by a copy: every Parameter, buffer, dictionary and generator is the same object
afterwards, with its old content. One copy of the tensors is kept, on the device where they are.
"""

from __future__ import annotations

import contextlib
import functools
import random
import types
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils._python_dispatch import is_traceable_wrapper_subclass
from torch.utils.data import DataLoader

from lrcourse.rangetest.randomness import devices_in_use
from lrcourse.rangetest.reach import (
    CALLS,
    PLAIN,
    Reach,
    is_foreign,
    is_live,
    is_sample,
    is_whole,
    reach_of,
    used_by,
)

_CODE = (type, types.ModuleType, types.BuiltinFunctionType)
_GENERATORS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)
_BOXES = (dict, list, deque, set, tuple, frozenset)
FEED_ITEMS = 100  # longer lists and dictionaries of a loader are data, not state
ITEMS = 10_000  # of a list that a function reaches: longer ones are data
ROOM = 2**28  # bytes of tensors and arrays that are kept for what functions reach


class Snapshot:
    """What a range test may change, as it was when it was kept.

    `keep` follows nets (parameters, gradients and their flags, buffers, the modes and attributes of
    every submodule), optimizers (state, groups, attributes, hooks), lists, dictionaries, generators
    and objects of any class within. Several calls may overlap; shared tensors are copied once.
    `restore` may be called more than once.

    Attributes:
        generators: the random generators that were met.
        live: whether a loader holds an iterator whose place cannot be put back.
    """

    def __init__(self, leave: Iterable[torch.Tensor] = ()) -> None:
        """`leave`: tensors that will not change, and are not copied."""
        self._undo: list[Callable[[], object]] = []
        self._empty: list[Any] = []  # containers, such as a module's many dictionaries of hooks
        # It holds the objects: an id is unique while they live.
        self._seen: dict[int, object] = {id(tensor): tensor for tensor in leave}
        self._room = ROOM
        self.generators: list[Any] = []
        self.live = False

    def keep(self, *things: object) -> None:
        """Keep nets, optimizers, tensors and containers of them."""
        for thing in things:
            if isinstance(thing, nn.Module):
                # A scripted module does not show these among its attributes.
                self._follow((*thing.parameters(), *thing.buffers()), Reach.OWN)
                self._undo.append(modes_of(thing))
            self._follow((thing,), Reach.OWN)

    def keep_functions(self, *functions: object) -> None:
        """Keep the objects and tensors that functions use, by their closures, defaults or globals.

        Lists, dictionaries and variables of a function itself are left to it: they are how a
        person looks into a step. Of tensors and arrays 256 MiB are kept in all; what does not fit
        is taken for data.
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
        python, array, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
        self._undo.append(lambda: random.setstate(python))
        self._undo.append(lambda: np.random.set_state(array))
        self._undo.append(lambda: torch.set_rng_state(cpu))
        for backend in devices_in_use():
            states = backend.get_rng_state_all()
            self._undo.append(functools.partial(backend.set_rng_state_all, states))
        if torch.backends.mps.is_available():
            state = torch.mps.get_rng_state()
            self._undo.append(lambda: torch.mps.set_rng_state(state))

    def restore(self) -> None:
        """Put everything back. An interruption waits until that is done; then it goes on."""
        try:
            self._restore()
        except KeyboardInterrupt:
            self._restore()
            raise

    def _restore(self) -> None:
        failed: list[Exception] = []
        for box in self._empty:
            if box:
                box.clear()
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
            if type(thing) in PLAIN or isinstance(thing, _CODE) or id(thing) in self._seen:
                continue
            reach = reach_of(thing, reach)
            if isinstance(thing, torch.Tensor | np.ndarray) and not self._is_state(thing, reach):
                continue
            self._seen[id(thing)] = thing
            is_object = not isinstance(thing, (*_BOXES, *CALLS))
            below = Reach.STATE if reach is Reach.FUNCTION and is_object else reach
            waiting.extend((inside, below) for inside in self._keep_one(thing, reach))

    def _is_state(self, thing: torch.Tensor | np.ndarray, reach: Reach) -> bool:
        if reach is Reach.OWN:
            return True
        if reach is Reach.FEED and not (thing.ndim == 1 and is_whole(thing)):
            return False
        if thing.nbytes > self._room:
            return False
        self._room -= thing.nbytes
        return True

    def _keep_one(self, thing: object, reach: Reach) -> Iterable[object]:
        """Keep one object without what is in it, and give what is in it."""
        if isinstance(thing, torch.Tensor):
            return self._keep_tensor(thing)
        if isinstance(thing, np.ndarray):
            copy = thing.copy()
            self._undo.append(lambda: np.copyto(thing, copy) if thing.flags.writeable else None)
            return ()
        if isinstance(thing, _GENERATORS):
            return self._keep_generator(thing)
        if isinstance(thing, types.FunctionType):
            return used_by(thing)
        if isinstance(thing, types.MethodType):
            return thing.__self__, thing.__func__
        if isinstance(thing, functools.partial):
            return thing.func, thing.args, thing.keywords
        if is_live(thing):
            self.live = self.live or reach is Reach.FEED
            return ()
        inside: list[object] = []
        if isinstance(thing, _BOXES):
            inside += self._keep_box(thing, reach)
        if not is_foreign(thing):
            inside += self._keep_attributes(thing)
        return inside

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
        if is_traceable_wrapper_subclass(tensor):
            # A quantized tensor, say: its own copy_ may round, the tensors in it do not.
            return grad, *(getattr(tensor, name) for name in tensor.__tensor_flatten__()[0])
        with torch.no_grad():
            # A buffer made by expand() shows one number in many places: one place is enough.
            repeated = any(s == 0 and n > 1 for s, n in _layout(tensor))
            core = tensor.detach()
            for axis, (stride, n) in enumerate(_layout(tensor) if repeated else ()):
                core = core.narrow(axis, 0, 1) if stride == 0 and n > 1 else core
            copy = core.clone()
        place = core.data_ptr() if core.layout is torch.strided else None

        def undo_content() -> None:
            if place is not None and not repeated and tensor.data_ptr() != place:
                tensor.data = core  # somebody exchanged its memory
            made_there = core.is_inference()
            with torch.inference_mode() if made_there else contextlib.nullcontext():
                (tensor if place is None else core).copy_(copy)

        self._undo.append(undo_content)
        return (grad,)

    def _keep_generator(self, generator: Any) -> Iterable[object]:
        if isinstance(generator, random.SystemRandom):
            return ()  # it has no state
        self.generators.append(generator)
        if isinstance(generator, np.random.Generator):
            state = generator.bit_generator.state
            self._undo.append(lambda: setattr(generator.bit_generator, "state", state))
        elif isinstance(generator, random.Random):
            state = generator.getstate()
            self._undo.append(lambda: generator.setstate(state))
        else:
            state = generator.get_state()
            self._undo.append(lambda: generator.set_state(state))
        return ()

    def _keep_attributes(self, thing: object) -> Iterable[object]:
        inside: list[object] = []
        with contextlib.suppress(TypeError):  # an object without attributes of its own
            attributes = vars(thing)
            self._keep_box(attributes, Reach.OWN)
            # The workers of a loader are left alone: a range test reads through a copy of it.
            hidden = "_iterator" if isinstance(thing, DataLoader) else None
            inside += [value for name, value in attributes.items() if name != hidden]
        for kind in type(thing).__mro__:
            if "__slots__" not in vars(kind):
                continue
            for slot in vars(kind).values():
                if isinstance(slot, types.MemberDescriptorType):
                    with contextlib.suppress(AttributeError):  # nothing is in it
                        inside.append(slot.__get__(thing))
                        self._undo.append(functools.partial(slot.__set__, thing, inside[-1]))
        return inside

    def _keep_box(self, box: Any, reach: Reach) -> Iterable[object]:
        is_fixed = isinstance(box, tuple | frozenset)
        if not box:
            if not is_fixed and reach is not Reach.FUNCTION:
                self._empty.append(box)
            return ()
        inside = list(box.items()) if isinstance(box, dict) else list(box)
        values = [value for _, value in inside] if isinstance(box, dict) else inside
        if not is_fixed and reach is not Reach.FUNCTION:
            self._undo.append(functools.partial(_fill, box, inside))
        if reach is Reach.FEED and (len(values) > FEED_ITEMS or is_sample(box)):
            return ()
        return values if reach is Reach.OWN or len(values) <= ITEMS else ()


def modes_of(net: nn.Module) -> Callable[[], None]:
    """What puts every submodule back into the mode, train or eval, in which it is now."""
    modes = [(module, module.training) for module in net.modules()]

    def undo() -> None:
        for module, training in modes:
            if module.training != training:
                module.training = training

    return undo


def _fill(box: Any, inside: list[Any]) -> None:
    if _same(box, inside):
        return
    box.clear()
    if isinstance(box, dict | set):
        box.update(inside)
    else:
        box.extend(inside)


def _layout(tensor: torch.Tensor) -> list[tuple[int, int]]:
    if tensor.layout is not torch.strided:
        return []
    return list(zip(tensor.stride(), tensor.shape, strict=True))


def _same(box: Any, inside: list[Any]) -> bool:
    if len(box) != len(inside):
        return False
    if isinstance(box, set):
        return all(item in box for item in inside)
    if isinstance(box, dict):
        now = box.items()
        return all(k is a and v is b for (k, v), (a, b) in zip(now, inside, strict=True))
    return all(one is other for one, other in zip(box, inside, strict=True))
