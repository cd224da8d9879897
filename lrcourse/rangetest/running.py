"""The LR range test: train for a short while as the rate rises, and see where the loss moves.

It works on any net, optimizer and batches, leaves them bit for bit as they were, and says how far
its suggestion can be trusted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from lrcourse import models
from lrcourse.rangetest import arguments as given
from lrcourse.rangetest.curves import Curve
from lrcourse.rangetest.feeding import Feed, held_out_batches
from lrcourse.rangetest.measuring import dtype_of, home_of
from lrcourse.rangetest.randomness import seed_everything
from lrcourse.rangetest.result import RangeTest
from lrcourse.rangetest.snapshot import Snapshot
from lrcourse.rangetest.steps import LossFunction, Step, counts_targets, default_step
from lrcourse.rangetest.sweep import NeedsClosure, Plan, sweep
from lrcourse.support import provenance
from lrcourse.support.checks import arguments, kind, optional
from lrcourse.sweeps.experiment import Experiment
from lrcourse.training.measuring import EVALUATION_BATCH


@arguments(**given.RULES)
def range_test(
    net: nn.Module | Callable[[int], nn.Module],
    optimizer: torch.optim.Optimizer | Callable[[nn.Module], torch.optim.Optimizer],
    batches: Iterable[Any],
    loss_fn: LossFunction | None = None,
    *,
    start: float = 1e-5,
    end: float = 10.0,
    updates: int = 100,
    scale: str = "log",
    held_out: Iterable[Any] | None = None,
    held_out_every: int = 1,
    repeats: int = 1,
    accumulate: int = 1,
    autocast: torch.dtype | bool | None = None,
    clip_norm: float | None = None,
    create_graph: bool = False,
    step: Step | None = None,
    batch_size: int | None = None,
    diverged: float = 4.0,
    look_every: int | None = None,
    smoothing: float | None = None,
    seed: int = 0,
    progress: bool | None = None,
) -> RangeTest:
    """Train while the rate rises from `start` to `end`, and put everything back.

    Afterwards parameters, gradients, buffers, optimizer state and settings, the modes and
    attributes of every submodule, the objects that all these hold, the random state of Python,
    numpy, torch and each GPU in use, and a loader with its samplers and generators are bit for bit
    what they were, the same objects, also after an error or Ctrl-C. So are the objects and tensors
    that a step, a loss or a hook uses: another net, its optimizer, a scheduler, a scaler, an
    average of the weights; of their tensors up to 256 MiB are kept, what is beyond counts as data.
    What stays: what a function collects in lists, dictionaries and variables of its own; attributes
    of classes; the items of a generator or another of Python's own iterators, also where a loader
    draws on one (`RangeTest.consumed` counts batches); and random numbers that a data set draws in
    workers which outlive an epoch.

    Args:
        net: any module; or a factory `lambda seed: net`, and then each repeat starts from a net
            of its own. It trains in train mode; a submodule that is in eval mode inside a net in
            train mode stays so.
        optimizer: any torch optimizer over `net`, with whatever state and settings it has; they
            stay as they are during the sweep but for the rate. With several parameter groups the
            swept rate is that of the group with the largest one, and the others keep their ratio
            to it; where a scheduler is attached, it is the ratio of the rates that the scheduler
            begins from. Or a factory `lambda net: optimizer`. One that needs a closure (SAM, LBFGS)
            gets one that computes the step again, on the same batches; the loss of an update is the
            first one.
        batches: a DataLoader, a list or any iterable of batches, begun again when it ends; an
            iterator or a generator, which is used up; or a tuple (X, y) of tensors, cut into
            shuffled batches of `batch_size`. Batches are moved to the device of the net, with
            tensors of their own; a batch of a class of its own keeps it.
        loss_fn: from (outputs, targets) to a mean; default cross-entropy. A batch (X, y) gives
            `loss_fn(net(X), y)`, (X1, X2, y) gives `loss_fn(net(X1, X2), y)`; a mapping, as
            in transformers, gives `net(**batch).loss`.
        start, end: the first and the last rate, both used.
        updates: how many rates from start to end, each for one update.
        scale: "log" (equal ratios) or "linear" (equal differences, as Smith has it).
        held_out: batches as above, kept in memory and measured in eval mode after every
            `held_out_every`-th update, counted from the first. This neither draws on the random
            state of the training nor is trained on. A few hundred samples will do.
        repeats: how many sweeps. Repeat r runs with every random generator seeded by `seed + r`:
            the global ones and those that the loader holds. A list keeps its order in the first
            repeat and is shuffled in the others.
        accumulate: batches to one update; the loss is their mean.
        autocast: a dtype for torch.autocast, or True for the device's default. With float16 the
            gradients are scaled by a GradScaler of the test's own; `Curve.skipped` lists the
            updates that it left out.
        clip_norm: where the gradient of all parameters together is longer than this, it is
            shortened to it before the update, as in `training.fit`; None never.
        create_graph: backward() keeps the graph of the gradients, for optimizers of second order.
        step: for other batches: `step(net, batch)` gives the loss, or (loss, outputs, targets)
            for the accuracy too; None passes the batch over, and the next one takes its place. One
            that makes updates of this net's parameters itself is refused.
        batch_size: for tensors only.
        diverged: the sweep stops where the smoothed loss is above this many times its lowest
            value, at NaN and at infinity; see `rangetest.rules.DivergenceWatch`, also for losses
            below 0.
        look_every: updates from one look at the losses to the next; default 1 on a CPU, and 10 on
            a GPU, which each look would stall. The curve is the same: it is cut where it diverged.
        smoothing: b in [0, 1) of the exponential means; default 1 - 20 / updates, so that they
            reach over a twentieth of the sweep, whatever its length; but 0.5 at least.
        seed: of the first repeat.
        progress: a bar for people; None decides by itself (see `lrcourse.support.progress`).

    Returns:
        A `RangeTest`: the curves, `suggest()`, `plot()`, `calibrate()`.

    Raises:
        ValueError, TypeError: for what cannot be meant, saying what would be right; nothing is
            changed then either.
        UnfitBatch: a TypeError with the two lines of `step` to write, for a batch that the default
            cannot use.

    Example:
        >>> import torch
        >>> from lrcourse.rangetest import range_test
        >>> _ = torch.manual_seed(0)
        >>> X = torch.randn(256, 8)
        >>> y = (X[:, 0] > 0).long()
        >>> net = torch.nn.Linear(8, 2)
        >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        >>> test = range_test(net, optimizer, (X, y), batch_size=32, end=1e4)
        >>> test
        RangeTest(1e-05 to 10000 in 100 updates, log scale, repeats: 1 x rose)
        >>> 0.01 < test.suggest().lr < 10
        True
        >>> optimizer.param_groups[0]["lr"]  # as it was, and so is everything else
        0.1
    """
    rates = given.rates_of(start, end, updates, scale)
    given.check_functions(loss_fn=loss_fn, step=step)
    feed = Feed(batches, batch_size)
    given.check_repeats(net, optimizer, feed, repeats)
    curves: list[Curve] = []
    state_before, about = False, {}
    with Snapshot() as outside, contextlib.closing(feed):
        outside.keep_random_state()
        outside.keep_feed(batches)
        is_used_up = outside.live
        outside.keep_feed(held_out)
        seed_everything(seed)
        plan = Plan(
            rates=rates,
            step=step or default_step(loss_fn),
            is_own_step=step is not None,
            counts_targets=step is None and counts_targets(loss_fn),
            held_out=held_out_batches(held_out, batch_size or EVALUATION_BATCH),
            held_out_every=held_out_every,
            accumulate=accumulate,
            autocast=autocast,
            clip_norm=clip_norm,
            create_graph=create_graph,
            diverged=diverged,
            look_every=look_every,
            smoothing=max(0.5, 1 - 20 / updates) if smoothing is None else smoothing,
            progress=progress,
        )
        for r in range(repeats):
            seed_everything(seed + r, *outside.generators)
            one_net = given.made_net(net, seed + r)
            one_optimizer = given.made_optimizer(optimizer, one_net)
            state_before = state_before or len(one_optimizer.state) > 0
            about = about or _provenance(one_net, one_optimizer, plan, seed, repeats)
            seed_everything(seed + r, *outside.generators)
            feed.begin(seed + r, shuffle=r > 0)
            curves.append(_one(one_net, one_optimizer, feed, plan, seed + r, (step, loss_fn)))
    return RangeTest(
        curves=tuple(curves),
        start=float(start),
        end=float(end),
        updates=updates,
        scale=scale,
        smoothing=plan.smoothing,
        diverged=diverged,
        consumed=feed.taken if is_used_up else None,
        state_before=state_before,
        provenance=about,
    )


@arguments(
    experiment=kind("a sweeps.Experiment", Experiment),
    device=optional(kind('a device, such as "cpu"', str, torch.device)),
)
def range_test_of(experiment: Experiment, device: str | None = None, **options: Any) -> RangeTest:
    """The range test of an `Experiment`: its data, model, optimizer and batch size.

    Repeat r has the initial weights and the data order of `experiment.but(seed=seed + r)`, as
    `training.fit` draws them; the experiment's own rate, schedule and epochs play no part. Its
    validation images are held out, if it has any, unless `held_out` says otherwise.

    Args:
        experiment: what is to be trained later.
        device: as in `Experiment.run`.
        options: of `range_test`: start, end, updates, repeats, ...

    Example:
        >>> from lrcourse import sweeps
        >>> from lrcourse.rangetest import range_test_of
        >>> small = {"depth": 2, "width": 8}
        >>> experiment = sweeps.Experiment(model="mlp", model_options=small, images=200)
        >>> range_test_of(experiment, start=1e-3, updates=20, repeats=2).cost
        40
    """
    from lrcourse import optimizers

    data = experiment.load_data(device)

    def net(seed: int) -> nn.Module:
        built = models.build(experiment.model, seed=seed, data=data, **experiment.model_options)
        return built.to(data.device)

    def optimizer(net: nn.Module) -> torch.optim.Optimizer:
        name, rest = experiment.optimizer, experiment.optimizer_options
        return optimizers.torch_optimizer(name, net.parameters(), lr=experiment.lr, **rest)

    options = {"held_out": data.valid, "seed": experiment.seed} | options
    return range_test(net, optimizer, data.train, batch_size=experiment.batch_size, **options)


def _one(
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    feed: Feed,
    plan: Plan,
    seed: int,
    functions: tuple[object, ...],
) -> Curve:
    """One sweep, after which all is as before; `functions` are the user's step and loss."""
    with Snapshot() as before:
        before.keep(net, optimizer, *(one for one in functions if isinstance(one, nn.Module)))
        before.keep_functions(*functions)
        try:
            return sweep(net, optimizer, feed, plan, seed)
        except NeedsClosure:
            before.restore()
            return sweep(net, optimizer, feed, plan, seed, with_closure=True)


def _provenance(
    net: nn.Module, optimizer: torch.optim.Optimizer, plan: Plan, seed: int, repeats: int
) -> dict[str, Any]:
    dtype = dtype_of(plan.autocast, home_of(net))
    return provenance.run_provenance(
        home_of(net) or next(net.parameters()).device,
        net=type(net).__name__,
        parameters=models.parameters(net),
        optimizer=type(optimizer).__name__,
        group_lr=given.base_rates(optimizer).tolist(),
        start=float(plan.rates[0]),
        end=float(plan.rates[-1]),
        updates=len(plan.rates),
        accumulate=plan.accumulate,
        autocast=None if dtype is None else str(dtype),
        seed=seed,
        repeats=repeats,
    )
