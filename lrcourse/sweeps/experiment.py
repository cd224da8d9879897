"""One experiment: a frozen spec of a run, named by its content."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from lrcourse import models, optimizers, training
from lrcourse.data import sets
from lrcourse.data.sets import DATA, NAMES, Data
from lrcourse.schedules.base import Schedule
from lrcourse.schedules.rules import Rule
from lrcourse.support import checks, provenance
from lrcourse.support.checks import (
    COUNT_FROM_1,
    FLAG,
    MAPPING,
    arguments,
    one_of,
    optional,
)
from lrcourse.support.kinds import NET, OPTIMIZER
from lrcourse.sweeps import user_code
from lrcourse.sweeps.records import key_of
from lrcourse.sweeps.rules import SPEC, Options, device_rule
from lrcourse.training.arguments import check_watch, evaluate_rule
from lrcourse.training.history import History


@dataclass(frozen=True)
class Experiment:
    """What is to be run. Equal specs are one experiment and have one record.

    Attributes:
        data: a name that `lrcourse.data.load` knows; `images` takes that many of its training
            images (None: all), `valid` sets that many (or that fraction) aside for validation.
        split: the number of the draw of training, validation and test images; see `data.load`.
        model, model_options: a name and options for `lrcourse.models.build`.
        optimizer, optimizer_options: a name and options for
            `lrcourse.optimizers.torch_optimizer`.
        lr: the peak LR.
        schedule, when: as in `lrcourse.training.fit`; a shape or a rule, or None.
        epochs, batch_size, evaluate, clip_norm: as in `fit`.
        seed: of the initial weights and of the data order.

    Example:
        >>> from lrcourse import sweeps
        >>> small = {"model": "mlp", "model_options": {"depth": 2, "width": 16}}
        >>> base = sweeps.Experiment(images=320, **small)
        >>> base.but(lr=0.3, epochs=1).run("cpu").updates
        10
        >>> base.key == base.but(seed=1).key
        False
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
    split: int = 0

    def __post_init__(self) -> None:
        checks.check(self, **SPEC)
        object.__setattr__(self, "lr", float(self.lr))
        if self.clip_norm is not None:
            object.__setattr__(self, "clip_norm", float(self.clip_norm))
        if self.valid == 0:
            object.__setattr__(self, "valid", 0)

    def check(self) -> None:
        """See whether this can be run, as far as that shows without the data and any training.

        ValueError or TypeError with the experiment and what would be right: an unknown name of a
        set, a model, an optimizer or of their options, a number that cannot be.
        """
        try:
            one_of(*NAMES)("Experiment", "data", self.data)
            optional(COUNT_FROM_1)("Experiment", "images", self.images)
            COUNT_FROM_1("Experiment", "epochs", self.epochs)
            COUNT_FROM_1("Experiment", "batch_size", self.batch_size)
            one_of("update", "epoch")("Experiment", "when", self.when)
            evaluate_rule("Experiment", "evaluate", self.evaluate)
            check_watch(self.schedule, bool(self.valid), self.evaluate)
            options = Options(self.model_options), Options(self.optimizer_options)
            _built(self.model, options[0], self.optimizer, options[1])
        except (TypeError, ValueError) as problem:
            raise type(problem)(f"{problem} (in {self.short()})") from None

    def short(self) -> str:
        """The spec in one line: what differs from the defaults, and the seed."""
        fields = dataclasses.fields(self)
        told = [f for f in fields if f.name == "seed" or getattr(self, f.name) != f.default]
        return f"Experiment({', '.join(f'{f.name}={getattr(self, f.name)!r}' for f in told)})"

    def but(self, **changes: Any) -> Experiment:
        """This experiment with some fields changed: `but(lr=0.3, seed=1)`.

        `changes` are new values by field. TypeError for an unknown field, TypeError or ValueError
        for a value that it cannot have.
        """
        check_fields("but", changes)
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """The spec as plain data: the schedule by its repr."""
        spec = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        spec["model_options"] = dict(self.model_options)
        spec["optimizer_options"] = dict(self.optimizer_options)
        spec["schedule"] = None if self.schedule is None else repr(self.schedule)
        if functions := user_code.of_schedule(self.schedule):
            spec["functions"] = functions
        for field, default in (("clip_norm", None), ("split", 0)):
            if spec[field] == default:
                del spec[field]  # as in the specs, and so the keys, of before there was the field
        return spec | {"numerics": provenance.NUMERICS}

    @property
    def key(self) -> str:
        """The name of its record: a digest of the spec and of the package's numerics."""
        return key_of(self.to_dict())

    @arguments(device=optional(device_rule))
    def build(
        self, device: str | torch.device | None = None
    ) -> tuple[nn.Module, torch.optim.Optimizer, Data]:
        """Fresh initial weights, their optimizer, and the data, all on `device`."""
        data = self.load_data(device)
        net = models.build(self.model, seed=self.seed, data=data, **self.model_options)
        net.to(data.device)
        optimizer = optimizers.torch_optimizer(
            self.optimizer, net.parameters(), lr=self.lr, **self.optimizer_options
        )
        return net, optimizer, data

    @arguments(device=optional(device_rule))
    def load_data(self, device: str | torch.device | None = None) -> Data:
        """The images of its split, as `data.load` and `subset` give them, on `device`."""
        where = None if device is None else str(device)
        return load_data(self.data, self.valid, self.images, where, self.split)

    @arguments(net=NET, optimizer=OPTIMIZER, data=DATA, progress=optional(FLAG))
    def train(
        self,
        net: nn.Module,
        optimizer: torch.optim.Optimizer,
        data: Data,
        progress: bool | None = False,
    ) -> History:
        """Train `net`, `optimizer` and `data`, as `build` gave them, once, and return the record.

        `progress` is as in `training.fit`.

        Between the two calls there is room for something that watches: `Displacement`, a
        `Recorder`, `averaging.collect`.
        """
        spec = self.to_dict()  # of what is about to run, whatever is edited meanwhile
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
        self.check_still(spec)
        history.provenance["spec"] = spec
        return history

    @arguments(spec=MAPPING)
    def check_still(self, spec: dict[str, Any]) -> None:
        """ValueError unless `spec` is still what `to_dict` gave, when a function has run."""
        if "functions" in spec and self.to_dict() != spec:
            raise ValueError(
                f"{', '.join(spec['functions'])} changed what it reads while it ran, and a run is "
                "named by that: leave globals and attributes alone; what is to be remembered can "
                "stand in functools.cache"
            )

    @arguments(device=optional(device_rule), progress=optional(FLAG))
    def run(
        self, device: str | torch.device | None = None, progress: bool | None = False
    ) -> History:
        """Train once, from fresh weights, and return the record.

        `device` is a torch device or its name (None: a GPU where there is one, else the CPU),
        `progress` whether there is a bar (None: for a person).
        """
        return self.train(*self.build(device), progress=progress)


def check_fields(owner: str, given: Mapping[str, object]) -> None:
    """TypeError unless each name is that of a field of an experiment; `owner` begins it."""
    known = [field.name for field in dataclasses.fields(Experiment)]
    if unknown := sorted(set(given) - set(known)):
        raise TypeError(
            f"{owner}: an Experiment has no {', '.join(unknown)}; its fields are {', '.join(known)}"
        )


@functools.lru_cache(maxsize=64)
def _built(model: str, options: Options, optimizer: str, optimizer_options: Options) -> None:
    """Build a net of the usual size and its optimizer once, for the errors that this raises."""
    net = models.build(model, **options)
    optimizers.torch_optimizer(optimizer, net.parameters(), lr=0.1, **optimizer_options)


@functools.lru_cache(maxsize=4)
def load_data(
    name: str, valid: int | float, images: int | None, device: str | None, split: int = 0
) -> Data:
    """The tensors of a data set, read once in a process."""
    loaded = sets.load(name, device=device, valid=valid, progress=False, split=split)
    return loaded if images is None else loaded.subset(images)
