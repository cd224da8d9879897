"""D2L's scheduler notebook as a reference: its loop on d2l's own helpers, and its schedules.

The one module that knows d2l. The loop is written anew after the text of "Dive into Deep Learning",
section "Learning Rate Scheduling" (PyTorch edition, 2023), and keeps its order of events: the
scheduler is asked *after* the epoch, with that epoch's number. `training.fit` is shown to equal
it update for update when both are given the same LR.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from types import ModuleType

import torch
from torch import nn
from torch.utils.data import DataLoader, Sampler, TensorDataset

from lrcourse import models, training
from lrcourse import schedules as s
from lrcourse.data import Data
from lrcourse.recorder import Recorder
from lrcourse.study.arguments import measuring
from lrcourse.support.checks import COUNT_FROM_1, arguments, function, kind, optional
from lrcourse.support.names import advised

Batches = DataLoader[tuple[torch.Tensor, ...]]
_LOADER = kind("a DataLoader", DataLoader)
_SCHEDULER = kind("a torch scheduler", torch.optim.lr_scheduler.LRScheduler)


def _scheduler(owner: str, name: str, value: object) -> object:
    """Rule: a torch scheduler, or a function of the epoch."""
    scheduler = isinstance(value, torch.optim.lr_scheduler.LRScheduler)
    return value if scheduler else function(owner, name, value)


@measuring(
    train_iter=_LOADER,
    test_iter=_LOADER,
    num_epochs=COUNT_FROM_1,
    loss=function,
    device=kind("a torch.device", torch.device),
    scheduler=optional(_scheduler),
)
def loop(
    net: nn.Module,
    train_iter: Batches,
    test_iter: Batches,
    num_epochs: int,
    loss: nn.Module,
    trainer: torch.optim.Optimizer,
    device: torch.device,
    scheduler: Callable[[int], float] | torch.optim.lr_scheduler.LRScheduler | None = None,
) -> list[tuple[float, float, float]]:
    """Train as the notebook does; (train loss, train accuracy, test accuracy) of each epoch.

    Args:
        net: trained in place, on `device`.
        train_iter, test_iter: loaders of (images, labels).
        num_epochs: passes over the training images, from 1 on.
        loss: takes (outputs, labels) to a mean.
        trainer: the optimizer.
        device: where to train.
        scheduler: a torch scheduler, stepped after each epoch, or a function from the number of the
            epoch that has ended to the LR of the next.

    >>> import torch
    >>> from lrcourse import data, models
    >>> from lrcourse.study import d2l_reference
    >>> batches = d2l_reference.iterators(data.load("digits", device="cpu").subset(64), 32, seed=0)
    >>> net, loss = models.mlp(1, 8), torch.nn.CrossEntropyLoss()
    >>> trainer = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> len(d2l_reference.loop(net, *batches, 2, loss, trainer, torch.device("cpu")))
    2
    """
    helpers = d2l()
    net.to(device)
    rows = []
    for epoch in range(num_epochs):
        sums = helpers.Accumulator(3)  # loss, correct, images
        for X, y in train_iter:
            net.train()
            trainer.zero_grad()
            X, y = X.to(device), y.to(device)
            y_hat = net(X)
            batch_loss = loss(y_hat, y)
            batch_loss.backward()
            trainer.step()
            with torch.no_grad():
                sums.add(batch_loss * X.shape[0], helpers.accuracy(y_hat, y), X.shape[0])
        test_acc = helpers.evaluate_accuracy_gpu(net, test_iter)
        rows.append((sums[0] / sums[2], sums[1] / sums[2], test_acc))
        if isinstance(scheduler, torch.optim.lr_scheduler.LRScheduler):
            scheduler.step()
        elif scheduler is not None:
            for group in trainer.param_groups:
                group["lr"] = scheduler(epoch)  # this epoch's number, used in the next epoch
    return rows


def net() -> nn.Sequential:
    """The notebook's LeNet, as its `net_fn` builds it: weights from the global random state.

    >>> from lrcourse.study import d2l_reference
    >>> sum(w.numel() for w in d2l_reference.net().parameters())
    61706
    """
    return nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=2, stride=2),
        nn.Conv2d(6, 16, kernel_size=5),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=2, stride=2),
        nn.Flatten(),
        nn.Linear(16 * 5 * 5, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )


@measuring()
def iterators(data: Data, batch_size: int, seed: int) -> tuple[Batches, Batches]:
    """DataLoaders over `data` that give the batches of `training.fit` with this size and seed.

    The one of the training images has a new order in each pass; that of the test images has none.

    >>> from lrcourse import data
    >>> from lrcourse.study import d2l_reference
    >>> digits = data.load("digits", device="cpu").subset(64)
    >>> train, test = d2l_reference.iterators(digits, 32, seed=0)
    >>> len(train)
    2
    """
    train = TensorDataset(data.train.X, data.train.y)
    order = _SeededOrder(len(train), seed)
    return (
        DataLoader(train, batch_size, sampler=order),
        DataLoader(TensorDataset(data.test.X, data.test.y), batch_size),
    )


@measuring(scheduler=_SCHEDULER)
def plot_by_stepping(
    trainer: torch.optim.Optimizer, scheduler: torch.optim.lr_scheduler.LRScheduler, epochs: int
) -> list[float]:
    """The LRs of a torch scheduler as the notebook collects them for its plot.

    One LR for each of `epochs`, of the first group. It steps the very scheduler that the training
    uses afterwards, and its `trainer`, and so consumes it.

    >>> import torch
    >>> from lrcourse.study import d2l_reference
    >>> trainer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.StepLR(trainer, 2, gamma=0.5)
    >>> d2l_reference.plot_by_stepping(trainer, scheduler, 3), scheduler.last_epoch
    ([1.0, 1.0, 0.5], 3)
    """
    lrs = []
    for _ in range(epochs):
        lrs.append(scheduler.get_last_lr()[0])
        trainer.step()
        scheduler.step()
    return lrs


# What the notebook's text describes, and what its loop made of it. Each: the peak LR, the schedule
# of the text, and the schedule that was really applied; t counts epochs, 30 of them.
INTENDED = {
    "constant": (0.3, s.constant()),
    "square root": (0.1, s.power(-0.5)),
    "multistep": (0.5, s.multistep((15, 30), 0.5)),
    "cosine": (0.3, s.cosine(20, floor=1 / 30)),
    "warmup + cosine": (0.3, s.warmup(5, start=0.0).then(s.cosine(15, floor=1 / 30))),
}


# The published bands of each run in lrcourse/published/numbers.toml.
PUBLISHED = {
    "constant": "d2l.scheduler.constant",
    "square root": "d2l.scheduler.sqrt",
    "multistep": "d2l.scheduler.multistep",
    "cosine": "d2l.scheduler.cosine",
    "warmup + cosine": "d2l.scheduler.warmup_cosine",
}


@arguments(shape=kind("a schedule", s.Schedule))
def lagged(shape: s.Schedule) -> s.Schedule:
    """`shape` one epoch late: the first epoch at the optimizer's own LR, then shape(0), ...

    >>> from lrcourse import schedules as s
    >>> from lrcourse.study import d2l_reference
    >>> d2l_reference.lagged(s.step(1, 0.5))([0, 1, 2])
    array([1. , 1. , 0.5])
    """
    return s.constant().then(shape, after=1)


APPLIED = {
    "constant": (0.3, s.constant()),
    "square root": (0.1, lagged(s.power(-0.5))),
    "multistep": (0.5, s.constant(0.25)),  # both milestones were passed while plotting
    "cosine": (0.3, lagged(s.cosine(20, floor=1 / 30))),
    "warmup + cosine": (0.3, lagged(s.warmup(5, start=0.0).then(s.cosine(15, floor=1 / 30)))),
}


@measuring()
def side_by_side(data: Data, *, epochs: int, batch_size: int, seed: int = 0) -> tuple[float, float]:
    """Train one LeNet by `loop` and one by `fit` at the notebook's warmup-and-cosine rates.

    Same initial weights (of `seed`) and batches (of `batch_size` of the training images of `data`),
    for `epochs` epochs. Returns the largest difference between the two in the LR of any update, and
    in any weight at the end.

    >>> from lrcourse import data
    >>> from lrcourse.study import d2l_reference
    >>> digits = data.load("digits", device="cpu").subset(64)
    >>> rates, weights = d2l_reference.side_by_side(digits, epochs=12, batch_size=32)
    >>> rates
    0.0
    """
    peak, shape = APPLIED["warmup + cosine"]
    theirs, ours = models.lenet(seed=seed), models.lenet(seed=seed)
    trainer = torch.optim.SGD(theirs.parameters(), lr=peak)
    late = INTENDED["warmup + cosine"][1]
    with Recorder(trainer) as log:
        loop(
            theirs,
            *iterators(data, batch_size, seed),
            epochs,
            nn.CrossEntropyLoss(),
            trainer,
            data.train.X.device,
            scheduler=lambda epoch: peak * late(epoch),
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", training.ScheduleWarning)  # both may be cut short alike
        history = training.fit(
            ours.to(data.device),
            data,
            torch.optim.SGD(ours.parameters(), lr=peak),
            shape,
            epochs=epochs,
            batch_size=batch_size,
            seed=seed,
            when="epoch",
            progress=False,
        )
    weights = zip(theirs.parameters(), ours.parameters(), strict=True)
    return (
        float(abs(log.lr[:, 0] - history.lr).max()),
        max(float((one - other).detach().abs().max()) for one, other in weights),
    )


class _SeededOrder(Sampler[int]):
    """A new permutation for each pass, drawn as `training.fit` draws it."""

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self.random = torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[int]:
        return iter(torch.randperm(self.size, generator=self.random).tolist())

    def __len__(self) -> int:
        return self.size


def d2l() -> ModuleType:
    """d2l's PyTorch module, imported when it is needed: it takes seconds.

    >>> from lrcourse.study import d2l_reference
    >>> d2l_reference.d2l().__name__
    'd2l.torch'
    """
    advice = "the D2L reference needs d2l, whose own pins are old: pip install --no-deps d2l"
    with advised(advice), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its imports warn of things long settled
        from d2l import torch as module
    return module
