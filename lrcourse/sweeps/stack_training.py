"""How a stack is trained: `training.fit` for many nets at once, member by member the same run.

Dense nets on a CPU lie side by side (`dense_stacks`); torch.func maps the update of all others.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, grad_and_value, vmap
from torch.nn.functional import cross_entropy

from lrcourse import models, optimizers
from lrcourse.data.sets import Data, Split
from lrcourse.optimizers.from_scratch import Optimizer
from lrcourse.sweeps import dense_stacks
from lrcourse.sweeps.experiment import Experiment
from lrcourse.training import loop, measuring
from lrcourse.training.arguments import check_together
from lrcourse.training.history import History
from lrcourse.training.pacing import Pace

EVALUATED_AT_ONCE = 64_000  # images times members
RANDOM_LAYERS = (nn.modules.dropout._DropoutNd, nn.RReLU)

Row = dict[str, float]
Buffers = dict[str, torch.Tensor]


def train(experiments: Sequence[Experiment], device: str | None) -> list[History]:
    """Train experiments of one shape as one stack; see `stacks.run_stack`."""
    return _Stack(experiments, device).train()


class _Members:
    """The nets of a stack, on the device.

    Attributes:
        weights: float32, shape (members, weights of one net): all parameters of a net as one
            vector, so that an optimizer has one tensor to update, however many layers there are.
        buffers: running statistics of BatchNorm, by name, each with the members in front.
    """

    def __init__(
        self, nets: Sequence[nn.Module], device: torch.device, optimizer: Optimizer
    ) -> None:
        self.net = nets[0].train()  # lends its code; the numbers are those of weights and buffers
        self.shapes = {name: p.shape for name, p in self.net.named_parameters()}
        vectors = [torch.cat([p.detach().reshape(-1) for p in net.parameters()]) for net in nets]
        self.weights = torch.stack(vectors).to(device)
        each = [dict(net.named_buffers()) for net in nets]
        self.buffers = {name: torch.stack([one[name] for one in each]) for name in each[0]}
        self.optimizer = optimizer
        self.state = vmap(optimizer.init)({"all": self.weights})
        self._update_each = vmap(self._update)

    def update(
        self, rates: torch.Tensor, X: torch.Tensor, y: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """One update of each; gives the LR that each used, its loss and its hits."""
        self.weights, self.state, lr, loss, right = self._update_each(
            self.weights, self.buffers, self.state, rates, X, y
        )
        return lr, loss, right

    def _update(self, weights, buffers, state, lr, X, y):
        """One update of one member; gives what changed, and the LR, the loss and the hits."""
        gradient_and_loss = grad_and_value(self.loss, has_aux=True)
        gradient, (loss, right) = gradient_and_loss(weights, buffers, X, y)
        moved, state = self.optimizer.update({"all": weights}, {"all": gradient}, state, lr)
        return moved["all"], state, lr, loss, right

    def norms(self, chosen: Sequence[int]) -> list[float]:
        """The Euclidean norm of all parameters of each chosen member."""
        return self.weights[chosen].norm(dim=1).tolist()

    def loss(
        self, weights: torch.Tensor, buffers: Buffers, X: torch.Tensor, y: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Of one net: its mean loss on images X, and how many it classifies correctly.

        In train mode the buffers are updated in place, as BatchNorm does it.
        """
        pieces = weights.split([math.prod(shape) for shape in self.shapes.values()])
        named = zip(self.shapes.items(), pieces, strict=True)
        params = {name: piece.view(shape) for (name, shape), piece in named}
        logits = functional_call(self.net, params | buffers, (X,))
        return cross_entropy(logits, y), (logits.argmax(1) == y).sum()

    def measure(self, chosen: Sequence[int], split: Split) -> tuple[list[float], list[float]]:
        """Mean loss and accuracy on a split, in eval mode, of each chosen member."""
        weights = self.weights[chosen]
        buffers = {name: buffer[chosen] for name, buffer in self.buffers.items()}
        totals = torch.zeros(2, len(chosen), dtype=torch.float64, device=split.X.device)
        images = max(1, min(measuring.measured_at_once(split), EVALUATED_AT_ONCE // len(chosen)))
        loss_of_each = vmap(self.loss, in_dims=(0, 0, None, None))
        self.net.eval()
        with torch.no_grad():
            for X, y in zip(split.X.split(images), split.y.split(images), strict=True):
                loss, right = loss_of_each(weights, buffers, X, y)
                totals[0] += loss * len(y)
                totals[1] += right
        self.net.train()
        loss, accuracy = (totals / len(split)).tolist()
        return loss, accuracy


class _Stack:
    """One training of several members, and the log of it.

    Attributes:
        rates: float64, shape (updates, members): the LR that each update is given.
        lr, losses, right: shape (updates, members), on the device: the LR that each update used,
            its batch's loss and how many images of the batch were classified correctly.
        rows: one list of epochs for each member.
        diverged: the members that diverged, each with the update whose loss was not finite.
    """

    def __init__(self, experiments: Sequence[Experiment], device: str | None) -> None:
        self.started = time.perf_counter()
        self.experiments = list(experiments)
        self.base = base = self.experiments[0]  # for all in which they are alike
        self.data = base.load_data(device)
        self.device, self.samples = self.data.device, len(self.data.train)
        self.per_epoch = math.ceil(self.samples / base.batch_size)
        nets = [_checked_net(experiment, self.data) for experiment in self.experiments]
        self.net = nets[0]
        side_by_side = dense_stacks.fits(nets[0], base.batch_size, self.samples, len(nets))
        self.members: _Members | dense_stacks.SideBySide
        if side_by_side:
            self.members = dense_stacks.SideBySide(nets, self.experiments)
        else:
            pure = optimizers.pure(base.optimizer, **base.optimizer_options)
            self.members = _Members(nets, self.device, pure)
        self.rates = _rates(self.experiments, self.data, self.per_epoch).to(self.device)
        self.lr = torch.zeros_like(self.rates)
        self.losses = torch.zeros_like(self.rates, dtype=torch.float32)
        self.right = torch.zeros_like(self.rates, dtype=torch.int64)
        self.rows: list[list[Row]] = [[] for _ in self.experiments]
        self.diverged: dict[int, int] = {}

    def train(self) -> list[History]:
        members, train_set, everyone = self.members, self.data.train, range(len(self.experiments))
        orders = [torch.Generator().manual_seed(one.seed) for one in self.experiments]
        check_every = loop.updates_between_checks(self.device)
        checked = 0
        for epoch in range(self.base.epochs):
            shuffled = [torch.randperm(self.samples, generator=order) for order in orders]
            batches = torch.stack(shuffled).to(self.device).split(self.base.batch_size, dim=1)
            for t, batch in enumerate(batches, start=epoch * self.per_epoch):
                X = train_set.X.index_select(0, batch.flatten()).unflatten(0, batch.shape)
                self.lr[t], self.losses[t], self.right[t] = members.update(
                    self.rates[t], X, train_set.y[batch]
                )
                made = t + 1
                if made % check_every == 0 or made == (epoch + 1) * self.per_epoch:
                    self._cut_the_diverged(epoch, checked, made)
                    checked = made
                    if len(self.diverged) == len(everyone):
                        return self._histories()
            # All are measured, also those that are cut: so that the others' numbers do not
            # depend, by rounding, on how many there are.
            due = measuring.is_due(self.base.evaluate, epoch, epoch + 1 == self.base.epochs)
            rows = self._measured(epoch, everyone, [checked] * len(everyone), due)
            for member, row in zip(everyone, rows, strict=True):
                if member not in self.diverged:
                    self.rows[member].append(row)
        return self._histories()

    def _cut_the_diverged(self, epoch: int, start: int, stop: int) -> None:
        """End the runs whose loss was not finite in the updates from start to before stop."""
        broken = ~torch.isfinite(self.losses[start:stop])
        if not bool(broken.any()):
            return
        new = [m for m in broken.any(0).nonzero()[:, 0].tolist() if m not in self.diverged]
        if not new:
            return
        first = broken.int().argmax(0).tolist()
        self.diverged |= {member: start + first[member] for member in new}
        due = self.base.evaluate is not None
        rows = self._measured(epoch, new, [self.diverged[member] + 1 for member in new], due)
        for member, row in zip(new, rows, strict=True):
            self.rows[member].append(row)

    def _measured(
        self, epoch: int, chosen: Sequence[int], made: Sequence[int], due: bool
    ) -> list[Row]:
        """The epoch's row of each chosen member, after as many updates as it has made."""
        columns: dict[str, Sequence[float]] = {}
        for name, split in (("valid", self.data.valid), ("test", self.data.test)):
            if split is not None:
                missing = [math.nan] * len(chosen)
                values = self.members.measure(chosen, split) if due else (missing, missing)
                columns[f"{name}_loss"], columns[f"{name}_acc"] = values
        columns["norm"] = self.members.norms(chosen)

        first, rows = epoch * self.per_epoch, []
        losses, right = (log[first : max(made)].cpu() for log in (self.losses, self.right))
        for k, (member, stop) in enumerate(zip(chosen, made, strict=True)):
            done = slice(0, stop - first)
            loss, accuracy = measuring.means_of_epoch(
                losses[done, member], right[done, member], self.base.batch_size, self.samples
            )
            row = {"epoch": epoch + 1, "update": stop, "train_loss": loss, "train_acc": accuracy}
            rows.append(row | {name: column[k] for name, column in columns.items()})
        return rows

    def _histories(self) -> list[History]:
        lr, losses = self.lr.cpu().numpy(), self.losses.cpu().numpy()
        histories, share = [], (time.perf_counter() - self.started) / len(self.experiments)
        for member, experiment in enumerate(self.experiments):
            rows, made = self.rows[member], int(self.rows[member][-1]["update"])
            told = loop.about_run(
                self.net,
                self.data,
                experiment.schedule,
                self.device,
                when=experiment.when,
                epochs=experiment.epochs,
                batch_size=experiment.batch_size,
                seed=experiment.seed,
                stacked=len(self.experiments),
            )
            told["optimizer"] = optimizers.TORCH[experiment.optimizer][0].__name__
            told |= {"peak_lr": [experiment.lr], "spec": experiment.to_dict()}
            history = History(
                lr=lr[:made, member].copy(),
                loss=losses[:made, member].copy(),
                epochs={name: np.array([row[name] for row in rows], float) for name in rows[0]},
                batches_per_epoch=self.per_epoch,
                diverged_at=self.diverged.get(member),
                seconds=share,
                provenance=told,
            )
            histories.append(history)
        return histories


class _OneRate:
    """What a schedule sees of an optimizer with one group."""

    def __init__(self, lr: float) -> None:
        self.param_groups: list[dict[str, Any]] = [{"lr": lr}]


def _rates(experiments: Sequence[Experiment], data: Data, per_epoch: int) -> torch.Tensor:
    """The LR of every update, float64, shape (updates, members), by the rule of `fit`."""
    epochs = experiments[0].epochs
    table = np.empty((epochs * per_epoch, len(experiments)))
    for member, one in enumerate(experiments):
        alone = _OneRate(one.lr)
        factors = Pace(one.schedule, alone, data, one.when, epochs, per_epoch).factors
        if factors is not None and one.when == "epoch":
            factors = np.repeat(factors, per_epoch)
        table[:, member] = one.lr * (1.0 if factors is None else factors)
    return torch.from_numpy(table)


def _checked_net(experiment: Experiment, data: Data) -> nn.Module:
    """The member's net with its initial weights; ValueError as `fit` gives it."""
    net = models.build(experiment.model, experiment.seed, data, **experiment.model_options)
    net.to(data.device)
    if random := [type(layer).__name__ for layer in net.modules() if _is_random(layer)]:
        raise ValueError(
            f"{experiment.model} draws random numbers in {', '.join(random)}: stacked, it would "
            f"draw others than alone; run such nets one by one"
        )
    optimizer = optimizers.torch_optimizer(
        experiment.optimizer, net.parameters(), experiment.lr, **experiment.optimizer_options
    )
    check_together(
        net,
        data,
        optimizer,
        experiment.schedule,
        experiment.batch_size,
        experiment.when,
        experiment.evaluate,
    )
    return net


def _is_random(layer: nn.Module) -> bool:
    return isinstance(layer, RANDOM_LAYERS)
