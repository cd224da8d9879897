"""A working copy of an optimizer and its scheduler that shares no state with the originals.

`copy.deepcopy` will not do. It copies every parameter and all of the optimizer's state, it leaves
functions as they are, so that a counter in a closure would be counted on, and it fails at the first
lock or generator. Here parameters share their memory, what a function has enclosed is copied too,
and what cannot be copied is shared.
"""

from __future__ import annotations

import copy
import enum
import functools
import inspect
import io
import types
import weakref
from collections import deque
from typing import Any, NoReturn

import numpy as np
import torch

from lrcourse.recorder.groups import is_schedule_free
from lrcourse.recorder.protocols import Group
from lrcourse.support.checks import of_kind

# A schedule reads a table of this many numbers at most; what is larger is somebody's data set.
LARGEST_COPIED = 2**20

_SHARED = (
    *(type(None), bool, int, float, complex, str, bytes, range, type, enum.Enum),
    *(types.ModuleType, types.CodeType, torch.dtype, torch.device, np.generic),
)
_BUILT_IN = (types.BuiltinFunctionType, types.MethodWrapperType)


class SingleUse:
    """Stands for a generator, which cannot be copied: asking it for a value is refused."""

    def __init__(self, original: object) -> None:
        self._kind = of_kind(original)

    def __iter__(self) -> SingleUse:
        return self

    def __next__(self) -> NoReturn:
        raise CannotCopy(
            f"the schedule takes its values from {self._kind}, which can be used only once: a "
            f"trace would use it up. Let it compute the value from the number of the update, or "
            f"look it up in a list"
        )

    send = throw = __next__


class CannotCopy(Exception):
    """The schedule draws on something that cannot be copied."""


def twins(*originals: Any) -> list[Any]:
    """Copies of all that know each other; the `step` of an optimizer among them does nothing.

    The copied parameters share the memory of the originals and have no gradient. No hook is
    copied. Out of reach, and so shared: global variables, caches of `functools.lru_cache`, open
    files, objects with a `__del__`, tensors and arrays of more than a million numbers.
    """
    copier = _Copier()
    return [copier(each) for each in originals]


class _Copier:
    """Copies an object with all that it refers to; one object becomes one copy."""

    def __init__(self) -> None:
        self._made: dict[int, Any] = {}
        self._kept: list[Any] = []  # originals stay alive: ids of dead objects are used again

    def __call__(self, x: Any) -> Any:
        if isinstance(x, _SHARED):
            return x
        if id(x) not in self._made:
            made = self._copied(x)
            self._made.setdefault(id(x), made)
            self._kept.append(x)
        return self._made[id(x)]

    def _register(self, x: Any, made: Any) -> Any:
        """To be called before the parts are copied, which may refer back to the whole."""
        self._made[id(x)] = made
        return made

    def _copied(self, x: Any) -> Any:
        if isinstance(x, torch.Tensor | np.ndarray):
            return _copied_numbers(x)
        if isinstance(x, torch.optim.Optimizer):
            return self._optimizer(x)
        if isinstance(x, types.FunctionType):
            return self._function(x)
        if isinstance(x, types.MethodType):
            return types.MethodType(x.__func__, self(x.__self__))
        if isinstance(x, _BUILT_IN):
            owner = x.__self__
            return x if isinstance(owner, _SHARED) else getattr(self(owner), x.__name__)
        if isinstance(x, weakref.WeakMethod):
            return weakref.WeakMethod(self(x()))
        if type(x) is weakref.ref:
            return x if x() is None else weakref.ref(self(x()))
        if isinstance(x, types.GeneratorType):
            return SingleUse(x)
        if isinstance(x, torch.Generator):
            return x.clone_state()
        if isinstance(x, tuple | frozenset):
            return self._fixed(x)
        if isinstance(x, dict | list | set | deque):
            return self._container(x)
        if isinstance(x, functools.partial):
            made = type(x)(self(x.func), *map(self, x.args), **self(x.keywords))
            made.__dict__.update(self(x.__dict__))
            return made
        return self._object(x)

    def _optimizer(self, x: torch.optim.Optimizer) -> torch.optim.Optimizer:
        made = self._register(x, object.__new__(type(x)))
        for name, value in x.__dict__.items():
            if name.endswith("_hooks"):
                made.__dict__[name] = type(value)()
            elif name == "state":  # its tensors are large, and nothing here writes into them
                made.__dict__[name] = made_state = copy.copy(value)
                made_state.clear()
                made_state.update({self(key): kept for key, kept in value.items()})
            elif name != "step":
                made.__dict__[name] = self(value)

        scaled = [group for group in _own_groups(made) if is_schedule_free(group)]
        for group in scaled:  # it scales its LR inside the step: let it, on a parameter of no use
            dummy = torch.nn.Parameter(torch.zeros(1))
            dummy.grad = torch.zeros(1)
            group.update(params=[dummy], train_mode=True)

        def step(*_: Any, **__: Any) -> None:
            if scaled:
                with torch.no_grad():
                    inspect.unwrap(type(x).step)(made)
            made._opt_called = True  # torch's schedulers look whether step() came before theirs

        if hasattr(x.step, "_wrapped_by_lr_sched"):
            step.__dict__["_wrapped_by_lr_sched"] = True
        made.__dict__["step"] = step
        return made

    def _function(self, x: types.FunctionType) -> types.FunctionType:
        if not (x.__closure__ or x.__defaults__ or x.__kwdefaults__ or x.__dict__):
            return x
        cells = {id(cell): cell for cell in x.__closure__ or () if id(cell) not in self._made}
        self._made |= {key: types.CellType() for key in cells}
        self._kept += cells.values()
        closure = tuple(self._made[id(cell)] for cell in x.__closure__ or ())
        made = types.FunctionType(x.__code__, x.__globals__, x.__name__, closure=closure)
        self._register(x, made)
        made.__qualname__, made.__module__ = x.__qualname__, x.__module__
        made.__defaults__ = self(x.__defaults__)
        made.__kwdefaults__ = self(x.__kwdefaults__)
        made.__dict__.update({name: self(value) for name, value in x.__dict__.items()})
        for key, cell in cells.items():
            try:
                content = cell.cell_contents
            except ValueError:  # a variable that has no value yet
                continue
            self._made[key].cell_contents = self(content)
        return made

    def _fixed(self, x: tuple[Any, ...] | frozenset[Any]) -> Any:
        parts = [self(part) for part in x]
        if all(new is old for new, old in zip(parts, x, strict=True)):
            return x
        if type(x) in (tuple, frozenset):
            return type(x)(parts)
        make = getattr(type(x), "_make", None)  # a named tuple
        return make(parts) if make else x

    def _container(self, x: Any) -> Any:
        made = self._register(x, copy.copy(x))
        if isinstance(x, dict):
            items = [(self(key), self(value)) for key, value in x.items()]
            made.clear()
            for key, value in items:  # not update(): a Counter's adds, and counts
                made[key] = value
        elif isinstance(x, set):
            parts = [self(part) for part in x]
            made.clear()
            made.update(parts)
        else:
            for place, part in enumerate(x):
                made[place] = self(part)
        self._attributes(x, made)
        return made

    def _object(self, x: Any) -> Any:
        if hasattr(type(x), "__del__"):
            return x  # the end of a copy would close what the original still uses
        try:
            made = object.__new__(type(x))
        except TypeError:  # made of C
            return self._foreign(x)
        self._register(x, made)
        self._attributes(x, made)
        return made

    def _attributes(self, x: Any, made: Any) -> None:
        for name, value in getattr(x, "__dict__", {}).items():
            made.__dict__[name] = self(value)
        for kind in type(x).__mro__:
            slots = kind.__dict__.get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                if name.startswith("__") and not name.endswith("__"):
                    name = f"_{kind.__name__.lstrip('_')}{name}"
                if name not in ("__dict__", "__weakref__") and hasattr(x, name):
                    object.__setattr__(made, name, self(getattr(x, name)))

    def _foreign(self, x: Any) -> Any:
        try:
            return copy.deepcopy(x, self._made)
        except Exception:  # whatever a class raises that refuses to be copied
            is_iterator = hasattr(type(x), "__next__") and not isinstance(x, io.IOBase)
            return SingleUse(x) if is_iterator else x


def _own_groups(optimizer: torch.optim.Optimizer) -> list[Group]:
    return optimizer.__dict__.get("param_groups", [])


def _copied_numbers(x: torch.Tensor | np.ndarray) -> torch.Tensor | np.ndarray:
    if isinstance(x, torch.nn.Parameter):
        if type(x) is not torch.nn.Parameter:
            return x
        return torch.nn.Parameter(x.detach(), requires_grad=x.requires_grad)
    if isinstance(x, np.ndarray):
        return copy.deepcopy(x) if x.size <= LARGEST_COPIED else x
    if x.numel() > LARGEST_COPIED:
        return x
    made = x.detach().clone()
    return made.requires_grad_() if x.requires_grad and x.is_leaf else made
