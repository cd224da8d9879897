"""One experiment: a frozen spec of a run, named by its content."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lrcourse.schedules.base import Schedule
from lrcourse.schedules.rules import Rule
from lrcourse.support import provenance
from lrcourse.support.names import find_function
from lrcourse.sweeps.records import key_of
from lrcourse.training.history import History

if TYPE_CHECKING:
    import torch
    from torch import nn

    from lrcourse.data.sets import Data


class Options(dict):
    """A small dictionary that can stand in a frozen, hashable spec; it is never changed."""

    def __hash__(self) -> int:
        return hash(tuple(sorted(self.items())))

    def _refuse(self, *_: Any, **__: Any) -> None:
        raise TypeError("the options of an experiment do not change; use experiment.but(...)")

    __setitem__ = __delitem__ = update = pop = popitem = clear = setdefault = __ior__ = _refuse

    def __reduce__(self) -> tuple:
        return Options, (dict(self),)


@dataclass(frozen=True)
class Experiment:
    """What is to be run. Equal specs are one experiment and have one record.

    Attributes:
        data: a name that ``lrcourse.data.load`` knows; ``images`` takes that many of its training
            images (None: all), ``valid`` sets that many (or that fraction) aside for validation.
        model, model_options: a name and options for ``lrcourse.models.build``.
        optimizer, optimizer_options: a name and options for
            ``lrcourse.optimizers.torch_optimizer``.
        lr: the peak LR.
        schedule, when: as in ``lrcourse.training.fit``; a shape or a rule, or None.
        epochs, batch_size, evaluate, clip_norm: as in ``fit``.
        seed: of the initial weights and of the data order.
    """

    data: str = "digits"
    images: int | None = None
    valid: int | float = 0
    model: str = "lenet"
    model_options: Mapping[str, Any] = Options()
    optimizer: str = "sgd"
    optimizer_options: Mapping[str, Any] = Options()
    lr: float = 0.1
    schedule: Schedule | Rule | None = None
    when: str = "update"
    epochs: int = 10
    batch_size: int = 32
    evaluate: str | int | None = "epoch"
    seed: int = 0
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        for name in ("model_options", "optimizer_options"):
            options = {key: _plain(value) for key, value in getattr(self, name).items()}
            object.__setattr__(self, name, Options(options))
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, _plain(getattr(self, field.name)))
        if self.valid == 0:
            object.__setattr__(self, "valid", 0)
        if isinstance(self.lr, int) and not isinstance(self.lr, bool):
            object.__setattr__(self, "lr", float(self.lr))
        if not (isinstance(self.lr, float) and math.isfinite(self.lr) and self.lr > 0):
            raise ValueError(f"lr is a number above 0, not {self.lr!r}")
        if not isinstance(self.seed, int) or self.seed < 0:
            raise ValueError(f"seed is a whole number from 0 on, not {self.seed!r}")
        if self.schedule is not None and not isinstance(self.schedule, Schedule | Rule):
            raise TypeError(
                f"the schedule of an experiment is a value (a shape, a rule or None), "
                f"not {type(self.schedule).__name__}"
            )
        if isinstance(self.clip_norm, int) and not isinstance(self.clip_norm, bool):
            object.__setattr__(self, "clip_norm", float(self.clip_norm))
        if self.clip_norm is not None and not (
            isinstance(self.clip_norm, float) and 0 < self.clip_norm < math.inf
        ):
            raise ValueError(f"clip_norm is a number above 0 or None, not {self.clip_norm!r}")
        written = repr(self.schedule)
        if "<" in written or "__main__:" in written:
            raise ValueError(
                f"the schedule {written} uses a function that cannot be named by its content: "
                f"put it into a module of its own and give it as 'module:function'"
            )

    def but(self, **changes: Any) -> Experiment:
        """This experiment with some fields changed. TypeError for an unknown field."""
        known = [field.name for field in dataclasses.fields(self)]
        unknown = sorted(set(changes) - set(known))
        if unknown:
            raise TypeError(
                f"an Experiment has no {', '.join(unknown)}; its fields are {', '.join(known)}"
            )
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """The spec as plain data: the schedule by its repr."""
        spec = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        spec["model_options"] = dict(self.model_options)
        spec["optimizer_options"] = dict(self.optimizer_options)
        spec["schedule"] = None if self.schedule is None else repr(self.schedule)
        if functions := _sources(repr(self.schedule)):
            spec["functions"] = functions
        if spec["clip_norm"] is None:
            del spec["clip_norm"]  # as in the specs, and so the keys, of before there was clipping
        return spec | {"numerics": provenance.NUMERICS}

    @property
    def key(self) -> str:
        """The name of its record: a digest of the spec and of the package's numerics."""
        return key_of(self.to_dict())

    def build(self, device: str | None = None) -> tuple[nn.Module, torch.optim.Optimizer, Data]:
        """Fresh initial weights, their optimizer, and the data, all on the device."""
        from lrcourse import models, optimizers

        data = load_data(self.data, self.valid, self.images, device)
        net = models.build(self.model, seed=self.seed, data=data, **self.model_options)
        net.to(data.device)
        optimizer = optimizers.torch_optimizer(
            self.optimizer, net.parameters(), lr=self.lr, **self.optimizer_options
        )
        return net, optimizer, data

    def train(
        self,
        net: nn.Module,
        optimizer: torch.optim.Optimizer,
        data: Data,
        progress: bool | None = False,
    ) -> History:
        """Train what ``build`` gave, once, from the first update on, and return the record.

        Between the two calls there is room for something that watches: `Displacement`, a
        `Recorder`, ``averaging.collect``.
        """
        from lrcourse import training

        history = training.fit(
            net,
            data,
            optimizer,
            self.schedule,
            epochs=self.epochs,
            batch_size=self.batch_size,
            seed=self.seed,
            when=self.when,
            evaluate=self.evaluate,
            progress=progress,
            clip_norm=self.clip_norm,
        )
        history.provenance["spec"] = self.to_dict()
        return history

    def run(self, device: str | None = None, progress: bool | None = False) -> History:
        """Train once, from fresh weights, and return the record."""
        return self.train(*self.build(device), progress=progress)


def _plain(value: Any) -> Any:
    """A numpy number, as it comes out of grids, as Python's own."""
    is_number = hasattr(value, "item") and not hasattr(value, "__len__")
    return value.item() if is_number else value


def _sources(written: str) -> dict[str, str]:
    """Digests of the users' functions that a schedule names: another body, another experiment."""
    names = re.findall(r"'([\w.]+:[\w.]+)'", written)
    return {
        name: hashlib.sha256(inspect.getsource(find_function(name)).encode()).hexdigest()[:16]
        for name in names
    }


@functools.lru_cache(maxsize=4)
def load_data(name: str, valid: int | float, images: int | None, device: str | None) -> Data:
    """The tensors of a data set, read once in a process."""
    from lrcourse.data import sets as data

    loaded = data.load(name, device=device, valid=valid, progress=False)
    return loaded if images is None else loaded.subset(images)
