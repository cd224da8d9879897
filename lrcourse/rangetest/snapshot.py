"""Save a net, an optimizer, a loader and the random state, and put them back bit for bit.

Nothing is replaced by a copy: every Parameter, buffer, dictionary and generator is the same object
afterwards, with its old content. One copy of the tensors is kept, on the device where they are.
"""

from __future__ import annotations

import random
import types
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

_PLAIN = {int, float, bool, str, bytes, type(None), complex, torch.device, torch.dtype, torch.Size}
_CODE = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType)
_GENERATORS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)
_OWN = (nn.Module, torch.optim.Optimizer)
FEED_DEPTH = 8  # how far the objects of a loader are followed
FEED_ITEMS = 100  # longer lists and dictionaries of a loader are data, not state


class Snapshot:
    """What a range test may change, as it was when it was kept.

    `keep` follows what it is given: a net (parameters, gradients and their flags, buffers, the
    modes and plain attributes of every submodule), an optimizer (state, groups, attributes), and
    lists, dictionaries and generators within. Several calls may overlap; shared tensors are
    copied once. `restore` may be called more than once.
    """

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []
        self._empty: list[Any] = []  # containers, such as a module's many dictionaries of hooks
        self._seen: dict[int, Any] = {}  # holds the objects: an id is unique while they live
        self.generators: list[Any] = []

    def keep(self, *things: Any) -> None:
        """Keep nets, optimizers, tensors and containers of them."""
        for thing in things:
            if isinstance(thing, nn.Module):
                # A scripted module does not show these among its attributes.
                for tensor in (*thing.parameters(), *thing.buffers()):
                    self._follow(tensor, None)
                self._undo.append(modes_of(thing))
            self._follow(thing, None)

    def keep_feed(self, feed: Any) -> None:
        """Keep a loader: the attributes of its parts and their generators, but no data.

        Tensors, arrays and containers of more than 100 items are data and are left alone, and so
        is what a function's closure holds.
        """
        self._follow(feed, FEED_DEPTH)

    def keep_random_state(self) -> None:
        """Keep the global generators of Python, numpy, torch and of every device in use."""
        python, array, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
        self._undo.append(lambda: random.setstate(python))
        self._undo.append(lambda: np.random.set_state(array))
        self._undo.append(lambda: torch.set_rng_state(cpu))
        for backend in _devices_in_use():
            states = backend.get_rng_state_all()
            self._undo.append(lambda b=backend, s=states: b.set_rng_state_all(s))
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
        failed = []
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

    def _follow(self, thing: Any, feed: int | None) -> None:
        """Keep one object; `feed` is None in nets, else how much deeper a loader is followed."""
        if type(thing) in _PLAIN or isinstance(thing, _CODE) or id(thing) in self._seen:
            return
        is_data = isinstance(thing, torch.Tensor | np.ndarray)
        if feed is not None and (is_data or feed == 0):
            return
        self._seen[id(thing)] = thing
        if isinstance(thing, torch.Tensor):
            self._keep_tensor(thing)
        elif isinstance(thing, np.ndarray):
            copy = thing.copy()
            self._undo.append(lambda: np.copyto(thing, copy) if thing.flags.writeable else None)
        elif isinstance(thing, _GENERATORS):
            self._keep_generator(thing)
        elif isinstance(thing, dict | list | deque | set | tuple | frozenset):
            if feed is None or len(thing) <= FEED_ITEMS:
                self._keep_container(thing, feed)
        elif isinstance(thing, types.MethodType):
            self._follow(thing.__self__, feed)
        elif isinstance(thing, _OWN) or (feed is not None and hasattr(thing, "__dict__")):
            self._keep_container(vars(thing), feed)

    def _keep_tensor(self, tensor: torch.Tensor) -> None:
        if not tensor.is_leaf or nn.parameter.is_lazy(tensor) or tensor.is_meta:
            return  # a result of a computation is never changed, only replaced
        with torch.no_grad():
            # A buffer made by expand() shows one number in many places: one place is enough.
            repeated = any(s == 0 and n > 1 for s, n in _layout(tensor))
            core = tensor
            for axis, (stride, n) in enumerate(_layout(tensor) if repeated else ()):
                core = core.narrow(axis, 0, 1) if stride == 0 and n > 1 else core
            copy = core.detach().clone()
        flag, grad = tensor.requires_grad, tensor.grad
        self._follow(grad, None)

        def undo() -> None:
            core.copy_(copy)
            if tensor.requires_grad != flag:
                tensor.requires_grad_(flag)
            if tensor.grad is not grad:
                tensor.grad = grad

        self._undo.append(undo)

    def _keep_generator(self, generator: Any) -> None:
        if isinstance(generator, random.SystemRandom):
            return  # it has no state
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

    def _keep_container(self, box: Any, feed: int | None) -> None:
        if not box:
            if not isinstance(box, tuple | frozenset):
                self._empty.append(box)
            return
        deeper = None if feed is None else feed - 1
        inside = list(box.items()) if isinstance(box, dict) else list(box)
        for item in inside:
            self._follow(item[1] if isinstance(box, dict) else item, deeper)
        if isinstance(box, tuple | frozenset):
            return

        def undo() -> None:
            if _same(box, inside):
                return
            box.clear()
            if isinstance(box, dict | set):
                box.update(inside)
            else:
                box.extend(inside)

        self._undo.append(undo)


def modes_of(net: nn.Module) -> Callable[[], None]:
    """What puts every submodule back into the mode, train or eval, in which it is now."""
    modes = [(module, module.training) for module in net.modules()]

    def undo() -> None:
        for module, training in modes:
            if module.training != training:
                module.training = training

    return undo


def seed_everything(seed: int, *generators: Any) -> None:
    """Seed the global generators of Python, numpy and torch, and the given ones besides."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    # torch.manual_seed would also wake devices that nobody uses.
    torch.default_generator.manual_seed(seed)
    for backend in _devices_in_use():
        backend.manual_seed_all(seed)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)
    for generator in generators:
        if isinstance(generator, torch.Generator):
            generator.manual_seed(seed)
        elif isinstance(generator, np.random.Generator):
            bits = generator.bit_generator
            bits.state = type(bits)(seed).state
        else:
            generator.seed(seed % 2**32)


def _devices_in_use() -> list[Any]:
    return [backend for backend in (torch.cuda, torch.xpu) if backend.is_initialized()]


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
