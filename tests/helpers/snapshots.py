"""Everything that can be seen of an optimizer, a scheduler and the process, for comparison."""

from __future__ import annotations

import random
import sys
import types
import warnings
import weakref
from typing import Any

import numpy as np
import torch


def snapshot(*things: Any) -> list:
    """Plain values, with the identity of every object met; equal only if nothing has changed."""
    return [*(_frozen(thing, {}) for thing in things), _process()]


def _process() -> list:
    registries = {
        name: dict(vars(module).get("__warningregistry__", {}))
        for name, module in sys.modules.items()
        if isinstance(module, types.ModuleType)
    }
    return [
        random.getstate(),
        repr(np.random.get_state()),
        torch.random.get_rng_state().tolist(),
        list(map(repr, warnings.filters)),
        getattr(warnings, "_filters_version", None),
        id(warnings.warn),
        id(warnings.showwarning),
        {name: registry for name, registry in registries.items() if registry},
        list(sys.modules["torch.optim.optimizer"]._global_optimizer_pre_hooks),
    ]


def _frozen(x: Any, seen: dict[int, Any]) -> Any:
    if x is None or isinstance(x, bool | int | float | str | bytes | type | types.ModuleType):
        return repr(x)
    if id(x) in seen:
        return ("again", id(x))
    seen[id(x)] = x
    if isinstance(x, torch.Tensor):
        grad = None if not x.is_leaf else _frozen(x.grad, seen)
        return (id(x), x.data_ptr(), x.detach().numpy().tobytes(), x.requires_grad, grad)
    if isinstance(x, np.ndarray):
        return (id(x), x.tobytes())
    if isinstance(x, random.Random):
        return (id(x), x.getstate())
    if isinstance(x, np.random.Generator):
        return (id(x), repr(x.bit_generator.state))
    if isinstance(x, torch.Generator):
        return (id(x), x.get_state().tolist())
    if isinstance(x, weakref.ref):
        return (id(x), id(x()))
    if isinstance(x, types.MethodType):  # made anew each time that it is asked for
        return (id(x.__func__), _frozen(x.__self__, seen))
    parts: list = [type(x), id(x)]
    if isinstance(x, dict):
        parts += [(_frozen(key, seen), _frozen(value, seen)) for key, value in x.items()]
    elif isinstance(x, list | tuple):
        parts += [_frozen(value, seen) for value in x]
    for cell in getattr(x, "__closure__", None) or ():
        parts.append(_frozen(cell.cell_contents, seen))
    parts.append(_frozen(getattr(x, "__defaults__", None), seen))
    if not isinstance(x, type):
        parts += [(name, _frozen(v, seen)) for name, v in getattr(x, "__dict__", {}).items()]
    return tuple(parts)
