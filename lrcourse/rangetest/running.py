"""The LR range test: train for a short while as the rate rises, and see where the loss moves.

It works on any net, optimizer and batches, leaves them bit for bit as they were, and says how far
its suggestion can be trusted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from lrcourse.rangetest.arguments import (
    check_numbers,
    check_optimizer,
    check_repeats,
    check_step,
    made_net,
    made_optimizer,
    precision_of,
)
from lrcourse.rangetest.curves import Curve
from lrcourse.rangetest.feeding import Feed, Step, default_step, held_out_batches
from lrcourse.rangetest.result import RangeTest
from lrcourse.rangetest.snapshot import Snapshot, seed_everything
from lrcourse.rangetest.sweep import Plan, home_of, sweep
from lrcourse.support import provenance

if TYPE_CHECKING:
    from lrcourse.sweeps.experiment import Experiment

__all__ = ["RangeTest", "range_test", "range_test_of"]

EVALUATION_BATCH = 2000


def range_test(
    net: nn.Module | Callable[[int], nn.Module],
    optimizer: torch.optim.Optimizer | Callable[[nn.Module], torch.optim.Optimizer],
    batches: Iterable[Any],
    loss_fn: Callable[..., torch.Tensor] | None = None,
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
    step: Step | None = None,
    batch_size: int | None = None,
    diverged: float = 4.0,
    smoothing: float | None = None,
    seed: int = 0,
    progress: bool | None = None,
) -> RangeTest:
    """Train while the rate rises from `start` to `end`, and put everything back.

    Afterwards parameters, gradients, buffers, optimizer state and settings, the modes and plain
    attributes of every submodule, the random state of Python, numpy, torch and each GPU in use,
    and a loader with its samplers and generators are bit for bit what they were, the same objects,
    also after an error or Ctrl-C. What cannot be put back: the items of an iterator or a generator
    (`RangeTest.consumed` counts them), also where a data set draws on one; what a closure, a step
    hook or an object of another kind that the net holds changes in itself; and random numbers that
    a data set draws in workers which outlive an epoch.

    Args:
        net: any module; or a factory `lambda seed: net`, and then each repeat starts from a net
            of its own. It trains in train mode; a submodule that is in eval mode inside a net in
            train mode stays so.
        optimizer: any torch optimizer over `net`, with whatever state and settings it has; they
            stay as they are during the sweep but for the rate. With several parameter groups the
            swept rate is that of the group with the largest one, and the others keep their ratio
            to it. Or a factory `lambda net: optimizer`. One that needs a closure (LBFGS) is
            refused.
        batches: a DataLoader, a list or any iterable of batches, begun again when it ends; an
            iterator or a generator, which is used up; or a tuple (X, y) of tensors, cut into
            shuffled batches of `batch_size`. Batches are moved to the device of the net.
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
        step: for other batches: `step(net, batch)` gives the loss, or (loss, outputs, targets)
            for the accuracy too.
        batch_size: for tensors only.
        diverged: the sweep stops where the smoothed loss is above this many times its lowest
            value, at NaN and at infinity; see `rangetest.rules.DivergenceWatch`, also for losses
            below 0. On a GPU the losses are read every 10 updates, and the curve is cut where it
            diverged.
        smoothing: b in [0, 1) of the exponential means; default 1 - 20 / updates, so that they
            reach over a twentieth of the sweep, whatever its length; but 0.5 at least.
        seed: of the first repeat.
        progress: a bar for people; None decides by itself (see `lrcourse.support.progress`).

    Returns:
        A `RangeTest`: the curves, `suggest()`, `plot()`, `calibrate()`.

    Raises:
        ValueError, TypeError: for what cannot be meant, saying what would be right; nothing is
            changed then either.
    """
    if smoothing is None and isinstance(updates, int):
        smoothing = max(0.5, 1 - 20 / max(updates, 1))
    rates = check_numbers(
        start, end, updates, scale, held_out_every, repeats, accumulate, diverged, smoothing, seed
    )
    check_step(loss_fn, step)
    feed = Feed(batches, batch_size)
    check_repeats(net, optimizer, feed, repeats)
    outside = Snapshot()
    outside.keep_random_state()
    try:
        outside.keep(*(thing for thing in (loss_fn, step) if isinstance(thing, nn.Module)))
        outside.keep_feed([batches, held_out])
        kept = None
        if held_out is not None:
            seed_everything(seed)
            kept = held_out_batches(held_out, batch_size or EVALUATION_BATCH)
        curves, state_before, about = [], False, {}
        for r in range(repeats):
            seed_everything(seed + r, *outside.generators)
            one_net = made_net(net, seed + r)
            one_optimizer = made_optimizer(optimizer, one_net)
            check_optimizer(one_net, one_optimizer)
            plan = Plan(
                rates=rates,
                step=step or default_step(loss_fn or functional.cross_entropy),
                held_out=kept,
                held_out_every=held_out_every,
                accumulate=accumulate,
                autocast=precision_of(autocast, home_of(one_net)),
                diverged=diverged,
                smoothing=smoothing,
                progress=progress,
            )
            state_before = state_before or len(one_optimizer.state) > 0
            about = about or _provenance(one_net, one_optimizer, plan, seed, repeats)
            seed_everything(seed + r, *outside.generators)
            curves.append(_one(one_net, one_optimizer, feed, plan, seed + r, shuffle=r > 0))
    finally:
        try:
            feed.end()
        finally:
            outside.restore()
    return RangeTest(
        curves=tuple(curves),
        start=float(start),
        end=float(end),
        updates=updates,
        scale=scale,
        smoothing=smoothing,
        diverged=diverged,
        consumed=feed.taken if feed.one_shot else None,
        state_before=state_before,
        provenance=about,
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
    """
    from lrcourse import models, optimizers
    from lrcourse.sweeps.experiment import load_data

    data = load_data(experiment.data, experiment.valid, experiment.images, device)

    def net(seed: int) -> nn.Module:
        built = models.build(experiment.model, seed=seed, data=data, **experiment.model_options)
        return built.to(data.device)

    def optimizer(net: nn.Module) -> torch.optim.Optimizer:
        name, rest = experiment.optimizer, experiment.optimizer_options
        return optimizers.torch_optimizer(name, net.parameters(), lr=experiment.lr, **rest)

    given = {"held_out": data.valid, "seed": experiment.seed} | options
    return range_test(net, optimizer, data.train, batch_size=experiment.batch_size, **given)


def _one(
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    feed: Feed,
    plan: Plan,
    seed: int,
    shuffle: bool,
) -> Curve:
    before = Snapshot()
    before.keep(net, optimizer)
    try:
        feed.begin(seed, shuffle)
        return sweep(net, optimizer, feed, plan, seed)
    finally:
        before.restore()


def _provenance(
    net: nn.Module, optimizer: torch.optim.Optimizer, plan: Plan, seed: int, repeats: int
) -> dict[str, Any]:
    return {
        "net": type(net).__name__,
        "parameters": sum(p.numel() for p in net.parameters()),
        "optimizer": type(optimizer).__name__,
        "group_lr": [float(group["lr"]) for group in optimizer.param_groups],
        "start": float(plan.rates[0]),
        "end": float(plan.rates[-1]),
        "updates": len(plan.rates),
        "accumulate": plan.accumulate,
        "autocast": None if plan.autocast is None else str(plan.autocast),
        "seed": seed,
        "repeats": repeats,
        "finished": provenance.now(),
        **provenance.machine(home_of(net) or next(net.parameters()).device),
    }
