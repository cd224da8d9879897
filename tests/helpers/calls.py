"""A valid call of every public function, class and method: small, quick, and made anew each time.

A name is `package.function`, `package.Class` or `package.Class.method`, without the module. What
has no argument without a default needs no entry. For a method, `self` is the object; where it is
not given, the object is made by the entry of its class. "*" holds what `*args` takes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

from helpers import toys
from helpers.repository import ROOT
from lrcourse import (
    claims,
    data,
    frameworks,
    landscapes,
    models,
    optimizers,
    playground,
    rangetest,
    recorder,
    scales,
    sweeps,
    tracing,
    training,
)
from lrcourse import schedules as s
from lrcourse.optimizers import recent
from lrcourse.published import get
from lrcourse.study import averaging, curvature, displacement, gradient_noise

once = functools.cache
START = torch.tensor([-1.0, 0.5])
RATES = [0.01, 0.03, 0.1, 0.3, 1.0]
NUMBERS = ROOT / "lrcourse" / "published" / "numbers.toml"
TRAINER = SimpleNamespace(callback_handler=SimpleNamespace(callbacks=[]))
LIMITS = ((-2.0, 2.0), (-2.0, 2.0))


@once
def digits() -> data.Data:
    whole = data.load("digits", valid=0.2)
    few = {name: getattr(whole, name).take(np.arange(40)) for name in ("train", "valid", "test")}
    return data.Data("digits", classes=whole.classes, **few)


def net() -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


def trainable() -> dict[str, Any]:
    """A net and its optimizer, as arguments."""
    trained = net()
    return {"net": trained, "optimizer": torch.optim.SGD(trained.parameters(), lr=0.1)}


def adam() -> tuple[nn.Module, torch.optim.Optimizer]:
    one = net()
    return one, torch.optim.Adam(one.parameters())


def sgd() -> torch.optim.Optimizer:
    return trainable()["optimizer"]


def scheduled() -> dict[str, Any]:
    optimizer = sgd()
    return {
        "optimizer": optimizer,
        "scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 5),
        "updates": 4,
    }


def recorded() -> tracing.Log:
    return _of_one_update(tracing.Log)


def watching() -> frameworks.Watch:
    return _of_one_update(frameworks.Watch)


def _of_one_update(kind: Callable[..., Any]) -> Any:
    optimizer = sgd()
    with kind(optimizer) as log:
        optimizer.step()
    return log


def linted() -> dict[str, Any]:
    given = scheduled()
    return {"subject": given.pop("optimizer")} | given


def small(**changes: Any) -> sweeps.Experiment:
    spec = {"images": 40, "model": "mlp", "model_options": {"depth": 1, "width": 4}, "epochs": 1}
    return sweeps.Experiment(**spec | changes)


def fitting() -> dict[str, Any]:
    options = {"data": digits(), "epochs": 1, "batch_size": 20, "progress": False}
    return trainable() | options


@once
def history() -> training.History:
    return training.fit(**fitting())


def outcome(lr: float, seed: int) -> training.History:
    """A made-up history: its loss is least at 0.1."""
    loss = 0.1 + abs(np.log10(lr) + 1) + 0.01 * seed
    columns = {"train_loss": loss, "valid_loss": loss, "test_loss": loss}
    columns |= {name.replace("loss", "acc"): 1 / (1 + loss) for name in columns}
    epochs = {"epoch": np.array([1.0])} | {k: np.array([v]) for k, v in columns.items()}
    losses = np.full(2, loss, np.float32)
    return training.History(lr=np.full(2, lr), loss=losses, epochs=epochs, batches_per_epoch=2)


@once
def runs() -> sweeps.Runs:
    return sweeps.Runs(
        sweeps.Run(sweeps.Experiment(lr=lr, seed=seed), outcome(lr, seed))
        for lr in (0.01, 0.1, 1.0)
        for seed in (0, 1)
    )


@once
def best_rate() -> sweeps.BestRate:
    return sweeps.best_rate(runs())


def loss_at(lr: float, seed: int) -> float:
    """A loss that is least at 0.1."""
    return np.log10(lr / 0.1) ** 2 + 0.01 * seed


@once
def tuned() -> sweeps.Tuned:
    return sweeps.tune(loss_at)


@once
def fair() -> sweeps.Comparison:
    arms = {"a": small(), "b": small(optimizer="adam")}
    options = {"tuning_seeds": [1], "seeds": [2], "jobs": 1, "progress": False}
    return sweeps.fair(arms, shared_rate=0.1, records="records", device="cpu", **options)


@once
def over_splits() -> sweeps.SplitComparison:
    return sweeps.SplitComparison({0: fair()})


@once
def tested() -> rangetest.RangeTest:
    return rangetest.range_test(**testing())


def testing() -> dict[str, Any]:
    tried = toys.net_of()
    options = {"updates": 12, "repeats": 2, "progress": False}
    return {"net": tried, "optimizer": toys.sgd(tried), "batches": toys.BATCHES} | options


@once
def traced() -> tracing.Trace:
    return tracing.trace(**scheduled())


@once
def descent() -> landscapes.Descent:
    return landscapes.descend(landscapes.Ravine().gradient, START, optimizers.sgd(), 0.01, 5)


@once
def on_a_line() -> landscapes.Descent:
    return landscapes.descend(lambda w: 2 * w, torch.tensor(1.0), optimizers.sgd(), 0.1, 3)


def ground() -> Any:
    from lrcourse import plots

    return plots.Ground(landscapes.Ravine(), {"SGD": descent()}, LIMITS)


def quadratic() -> landscapes.Quadratic:
    return landscapes.Quadratic(torch.tensor([[2.0, 0.0], [0.0, 1.0]]).double())


def samples() -> dict[str, Any]:
    return {
        "a": [1.0, 1.2, 1.45, 1.1, 1.3, 1.25],
        "b": [0.5, 0.8, 0.7, 0.4, 0.6, 0.5],
    }


def evidence() -> claims.Evidence:
    return claims.paired(**samples())


@once
def moved() -> displacement.Displacement:
    return displacement.displacement_of(small(), device="cpu")


@once
def watched() -> curvature.Watch:
    return curvature.train_watching(net(), digits().train, 0.01, 2, every=1)


def loop() -> dict[str, Any]:
    optimizer = sgd()
    recording = recorder.Recorder(optimizer)
    with recording:
        for _ in range(3):
            optimizer.step()
    return {"runs": {"a": ([0.3, 0.2, 0.1], recording)}}


def in_the_loop() -> dict[str, Any]:
    from lrcourse.study import d2l_reference

    trained = trainable()
    train, test = d2l_reference.iterators(digits(), 20, 0)
    return {
        "net": trained["net"],
        "train_iter": train,
        "test_iter": test,
        "num_epochs": 1,
        "loss": nn.CrossEntropyLoss(),
        "trainer": trained["optimizer"],
        "device": torch.device("cpu"),
    }


def setting() -> playground.Setting:
    return playground.Setting(updates=10)


def by_seed(name: str) -> dict[int, float]:
    return {0: 0.1, 1: 0.2} if name == "a" else {0: 0.3, 1: 0.2}


def bowl(w: torch.Tensor) -> torch.Tensor:
    return w**2


def valley(lr: float) -> float:
    return abs(np.log10(lr) + 1)


def four() -> data.Split:
    return data.Split(torch.rand(4, 1, 2, 2), torch.tensor([0, 1, 0, 1]))


def square(seed: int) -> int:
    return seed * seed


def _book() -> dict[str, Any]:
    return {
        "context": {"root": ".", "config": {"book": {"src": "."}}, "renderer": "html"},
        "book": {"items": []},
    }


CALLS: dict[str, Callable[[], dict[str, Any]]] = {
    "book.preprocess": _book,
    "claims.Evidence": lambda: dict(vars(evidence())),
    "claims.Margin": lambda: dict(
        vars(claims.Margin("a > b", "> 2", "So.", 9, "0-8", 0.9, 3.0, 1.0))
    ),
    "claims.Verdict": lambda: dict(vars(claims.judge("a > b", evidence(), margin=0.1))),
    "claims.check": lambda: {"sentence": "a = b", "found": 3, "expected": 3},
    "claims.claim": lambda: {
        "sentence": "a > b",
        "evidence": evidence(),
        "margin": 0.1,
        "expect": "undecided",  # of which no margin makes the opposite
    },
    "claims.equivalent": samples,
    "claims.flips": lambda: {
        "rows": [{"page": "claims", "claim": "a > b", "stored": "holds", "here": "holds"}]
    },
    "claims.exact": lambda: {"found": 3, "expected": 3},
    "claims.judge": lambda: {"sentence": "a > b", "evidence": evidence(), "margin": 0.1},
    "claims.most_that_differ": lambda: {"claims": 10},
    "claims.over_splits": lambda: {
        arm: {(k, seed): values[k] + seed / 100 * level for k in range(6) for seed in range(4)}
        for (arm, values), level in zip(samples().items(), (1, 2), strict=True)
    },
    "claims.paired": samples,
    "claims.read_margins": lambda: {"path": "no-such-file.toml"},
    "claims.quote": lambda: {
        "page": "00-recipe",
        "sentence": "On the test images the chosen rate's loss is less than a third of the "
        "default's",
    },
    "claims.read_lines": lambda: {"text": "HOLDS | a > b | 3 cases, exceptions 0 (exact)"},
    "claims.several": lambda: {"k": 2},
    "claims.share": lambda: {"a": [True, False, True]},
    "claims.slope": lambda: {"x": [1.0, 2.0, 3.0], "y": [1.1, 1.9, 3.2]},
    "claims.spread": samples,
    "claims.summarise": lambda: {"rows": [{"differs": "no", "sentence": "a > b"}]},
    "data.Data": lambda: {
        "name": "own",
        "train": digits().train,
        "valid": digits().valid,
        "test": digits().test,
        "classes": digits().classes,
    },
    "data.Data.subset": lambda: {"n": 20},
    "data.Data.to": lambda: {"device": "cpu"},
    "data.Split": lambda: {"X": digits().test.X, "y": digits().test.y},
    "data.Split.take": lambda: {"chosen": np.array([0, 2])},
    "data.Split.to": lambda: {"device": "cpu"},
    "data.load": lambda: {"name": "digits"},
    "frameworks.Watch": lambda: {"optimizer": sgd()},
    "frameworks.Watch.examine": lambda: {
        "self": watching(),
        "scheduler": torch.optim.lr_scheduler.StepLR(sgd(), 5),
        "updates": 4,
    },
    "frameworks.for_accelerate": lambda: {
        "accelerator": SimpleNamespace(log=print),
        "optimizer": sgd(),
    },
    "frameworks.for_transformers": lambda: {"trainer": TRAINER},
    "frameworks.to_tensorboard": lambda: {"writer": SimpleNamespace(add_scalar=print)},
    "frameworks.watch": lambda: {"optimizer": sgd()},
    "landscapes.Descent": lambda: dict(vars(descent())),
    "landscapes.DoubleWell.gradient": lambda: {"w": START},
    "landscapes.Quadratic": lambda: {"matrix": quadratic().matrix},
    "landscapes.Quadratic.gradient": lambda: {"w": START.double()},
    "landscapes.Quadratic.random": lambda: {"dimension": 3, "condition": 5.0},
    "landscapes.Ravine.along_and_across": lambda: {"w": START},
    "landscapes.Ravine.at": lambda: {"along": 1.0, "across": 0.5},
    "landscapes.Ravine.gradient": lambda: {"w": START},
    "landscapes.Rosenbrock.gradient": lambda: {"w": START},
    "landscapes.Wells.gradient": lambda: {"w": START},
    "landscapes.best_descent": lambda: {
        "f": landscapes.Ravine(),
        "start": START,
        "optimizer": optimizers.sgd(),
        "rates": [0.01, 0.02],
        "updates": 3,
    },
    "landscapes.curvatures": lambda: {"surface": landscapes.Ravine(), "point": START},
    "landscapes.descend": lambda: {
        "gradient": landscapes.Ravine().gradient,
        "start": START,
        "optimizer": optimizers.sgd(),
        "lr": 0.01,
        "updates": 3,
    },
    "landscapes.effective_rates.along": lambda: {"run": descent(), "name": "sgd"},
    "landscapes.heavy_ball.best": lambda: {"smallest": 1.0, "largest": 10.0},
    "landscapes.heavy_ball.factor": lambda: {"rate_times_curvature": 0.5},
    "landscapes.noisy": lambda: {"gradient": landscapes.Ravine().gradient, "sd": 0.1},
    "models.ResidualBlock": lambda: {"before": 2, "after": 4, "norm": True},
    "models.ResidualBlock.forward": lambda: {"X": torch.zeros(2, 2, 8, 8)},
    "models.build": lambda: {"name": "lenet"},
    "models.mlp": lambda: {"depth": 1, "width": 4},
    "models.parameters": lambda: {"net": net()},
    "models.plain": lambda: {"depth": 8, "width": 2},
    "models.resnet": lambda: {"depth": 8, "width": 2},
    "optimizers.Optimizer": lambda: dict(optimizers.sgd()._asdict()),
    "optimizers.pure": lambda: {"name": "sgd"},
    "optimizers.recent.Together.load_state_dict": lambda: {
        "state_dict": recent.Together(sgd()).state_dict(),
    },
    "optimizers.recent.Together": lambda: {"*": (sgd(),)},
    "optimizers.recent.build": lambda: {"name": "schedule-free", "net": net(), "lr": 0.1},
    "optimizers.torch_optimizer": lambda: {
        "name": "sgd",
        "parameters": list(net().parameters()),
        "lr": 0.1,
    },
    "optimizers.update_source": lambda: {"name": "sgd"},
    "playground.edge": lambda: {"setting": setting()},
    "playground.simulate": lambda: {"setting": setting()},
    "playground.verdict": lambda: {"run": playground.simulate(setting())},
    "plots.Ground": lambda: dict(vars(ground())),
    "plots.against": lambda: {
        "x": [1.0, 2.0],
        "lines": {"a": [0.1, 0.2]},
        "labels": ("what", "how much"),
    },
    "plots.beside": dict,
    "plots.by_parameter": lambda: {"panels": {"sgd": {"w": torch.tensor([0.1, 0.2])}}},
    "plots.by_seed": lambda: {"samples": {"a": by_seed("a"), "b": by_seed("b")}, "label": "loss"},
    "plots.compare": lambda: {"runs": {"a": history()}},
    "plots.choice": lambda: {
        "tested": tested(),
        "sweep": {0.1: 2.0, 1.0: 3.0},
        "applied": [0.1, 0.2],
    },
    "plots.effect": lambda: {"verdict": claims.judge("a > b", evidence(), margin=0.1)},
    "plots.effects": lambda: {"verdicts": [claims.judge("a > b", evidence(), margin=0.1)]},
    "plots.curve": lambda: {
        "f": bowl,
        "descents": {"a": landscapes.descend(lambda w: 2 * w, START[:1], optimizers.sgd(), 0.1, 3)},
        "limits": (-2.0, 2.0),
    },
    "plots.diagnosis": lambda: {"runs": [history()], "healthy": [history()]},
    "plots.displacement": lambda: {"watched": {"a": moved()}},
    "plots.gallery": lambda: {"panels": {"a": ([history()], [history()])}},
    "plots.gradient_noise": lambda: {
        "looks": {"net": {0: gradient_noise.Noise(4.0, 64.0, 10)}},
        "batch_size": 16,
    },
    "plots.logs": lambda: {"arms": {"one": [(2.0, 0.1), (1.0, 0.1)]}, "columns": {"loss": 0}},
    "plots.loop": loop,
    "plots.moving_race": lambda: {"grounds": {"ravine": ground()}, "frames": 2},
    "plots.over_looks": lambda: {"lines": {"a": ((0, 6), (2.0, 8.0))}, "label": "sharpness"},
    "plots.over_rates": lambda: {"lines": {"one": ((0.1, 0.2), (2.0, 8.0))}, "label": "loss"},
    "plots.over_updates": lambda: {"lines": {"a": [0.1, 0.2]}, "label": "loss"},
    "plots.race": lambda: {"grounds": {"ravine": ground()}},
    "plots.ramps": lambda: {"tests": {"a": ((0.1, 0.2), (2.0, 8.0))}},
    "plots.rates": lambda: {"arms": runs()},
    "plots.readings": lambda: {"cases": {"a": tested().calibrate(0.1)}},
    "plots.scatter": lambda: {"dots": {"a": ((0.1, 0.2), (2.0, 8.0))}, "labels": ("x", "y")},
    "plots.schedule": lambda: {"shapes": s.cosine(10), "total": 12},
    "plots.sharpness": lambda: {"watches": {"a": watched()}},
    "plots.surface": lambda: {
        "f": landscapes.Ravine(),
        "descents": {"a": descent()},
        "limits": LIMITS,
    },
    "plots.traces": lambda: {"panels": {"a": {"b": history()}}},
    "plots.training": lambda: {"history": history()},
    "plots.warmup_lengths": lambda: {"runs": {0.0: runs(), 5.0: runs()}},
    "published.Entry": lambda: dict(vars(get(_published()))),
    "published.compare": lambda: {"reproduced": {_published(): [1.0, 2.0]}},
    "published.get": lambda: {"id": _published()},
    "published.parse": lambda: {"text": NUMBERS.read_text(encoding="utf-8")},
    "rangetest.RangeTest": lambda: dict(vars(tested())),
    "rangetest.RangeTest.calibrate": lambda: {"self": tested(), "best": 0.1},
    "rangetest.range_test": testing,
    "rangetest.range_test_of": lambda: {
        "experiment": small(batch_size=8),
        "updates": 4,
        "progress": False,
    },
    "recorder.Recorder": lambda: {"optimizer": sgd()},
    "recorder.groups_of": lambda: {"optimizer": sgd()},
    "recorder.peak_of": lambda: {"group": sgd().param_groups[0]},
    "scales.Scale": lambda: dict(vars(scales.scale())),
    "schedules.PlateauState": lambda: {"rule": s.plateau(), "best": 1.0},
    "schedules.PlateauState.observe": lambda: {"self": s.plateau().start(), "metric": 0.5},
    "schedules.Product": lambda: {"left": s.warmup(2), "right": s.cosine(5)},
    "schedules.Schedule.then": lambda: {"self": s.warmup(2), "second": s.cosine(5)},
    "schedules.Then": lambda: {"first": s.warmup(2), "second": s.cosine(5)},
    "schedules.cosine": lambda: {"total": 10},
    "schedules.cyclical": lambda: {"half_cycle": 5, "base": 0.1},
    "schedules.exp_range": lambda: {"gamma": 0.9},
    "schedules.exponential": lambda: {"gamma": 0.9},
    "schedules.from_function": lambda: {"f": "math:cos"},
    "schedules.linear": lambda: {"total": 10},
    "schedules.multistep": lambda: {"milestones": [3, 6], "gamma": 0.1},
    "schedules.one_cycle": lambda: {"total": 10},
    "schedules.polynomial": lambda: {"total": 10},
    "schedules.restarts": lambda: {"first": 5},
    "schedules.from_torch": lambda: {"scheduler": scheduled()["scheduler"]},
    "schedules.spell": lambda: {"shape": s.step(5, 0.5), "framework": "torch"},
    "schedules.step": lambda: {"every": 3, "gamma": 0.5},
    "schedules.to_torch": lambda: {"shape": s.cosine(5), "optimizer": sgd()},
    "schedules.triangular2": lambda: {"cycle": 2, "t": 0.5},
    "schedules.warmup": lambda: {"length": 5},
    "schedules.wsd": lambda: {"total": 10, "warmup": 2, "decay": 3},
    "study.Taken": lambda: dict(vars(averaging.Taken([1], [net()]))),
    "study.average": lambda: {"taken": [net(), net()], "split": digits().train},
    "study.collect": lambda: trainable() | {"after": [1]},
    "study.ensemble": lambda: {"nets": [net()], "split": digits().test},
    "study.Watch": lambda: dict(vars(watched())),
    "study.Noise.share": lambda: {"batch_size": 5},
    "study.Noise.variance": lambda: {"batch_size": 5},
    "study.along_gradient": lambda: {"net": net(), "split": digits().train},
    "study.largest_eigenvalue": lambda: {"apply": lambda v: 2 * v, "start": START},
    "study.sharpness": lambda: {"net": net(), "split": digits().train},
    "study.squared_error": lambda: {
        "outputs": torch.zeros(2, 10),
        "y": torch.tensor([0, 1]),
    },
    "study.train_watching": lambda: {
        "net": net(),
        "split": digits().train,
        "lr": 0.01,
        "updates": 2,
        "every": 1,
    },
    "study.displacement_of": lambda: {"experiment": small(), "device": "cpu"},
    "study.Noise": lambda: {"signal": 1.0, "trace": 2.0, "images": 10},
    "study.flat": lambda: {"parts": [START]},
    "study.learning": lambda: {"net": net()},
    "study.gradient_noise": lambda: {"net": net(), "split": digits().train},
    "study.scatter": lambda: {
        "net": net(),
        "split": digits().train,
        "batch_sizes": [4],
        "draws": 3,
    },
    "study.Displacement": trainable,
    "study.edge": lambda: {"beta1": 0.9},
    "study.invariant_layers": lambda: {"net": models.lenet(norm=True)},
    "study.length": lambda: {"net": models.lenet(norm=True)},
    "study.preconditioned_sharpness": lambda: (
        dict(zip(("net", "optimizer"), adam(), strict=True)) | {"split": digits().train}
    ),
    "study.watch": lambda: dict(net=models.lenet(norm=True), optimizer=sgd()),
    "study.first_step": lambda: trainable() | {"split": digits().train},
    "study.rates_of": lambda: {"fault": "late"},
    "study.Found": lambda: {"trials": ((0.1, 1.0), (0.2, 0.5))},
    "study.at_random": lambda: {"value": valley, "rates": RATES, "trials": 2, "seed": 0},
    "study.lagged": lambda: {"shape": s.cosine(5)},
    "study.iterators": lambda: {"data": digits(), "batch_size": 20, "seed": 0},
    "study.loop": in_the_loop,
    "study.narrowing": lambda: {"value": valley, "rates": RATES, "first": 3},
    "study.on_grid": lambda: {"value": valley, "rates": RATES},
    "study.only_classes": lambda: {"data": digits(), "labels": [0, 1]},
    "study.plot_by_stepping": lambda: {
        "trainer": scheduled()["optimizer"],
        "scheduler": scheduled()["scheduler"],
        "epochs": 3,
    },
    "study.share_down": lambda: {"values": torch.tensor([-1.0, 0.5, 2.0])},
    "study.side_by_side": lambda: {"data": digits(), "epochs": 1, "batch_size": 20},
    "study.spectrum": lambda: {
        "net": nn.Sequential(nn.Flatten(), nn.Linear(4, 2)),
        "split": four(),
    },
    "study.three_ways": lambda: {
        "build": lambda: tuple(trainable().values()),
        "train": lambda net, optimizer, when: torch.zeros(2),
    },
    "study.train_and_test": lambda: (
        trainable() | {"data": digits(), "level": 2.0, "most_epochs": 1, "batch_size": 20}
    ),
    "study.with_new_head": lambda: {"net": net()},
    "sweeps.BestRate": lambda: dict(vars(best_rate())),
    "sweeps.Comparison": lambda: {
        "arms": fair().arms,
        "column": "test_acc",
    },
    "sweeps.Comparison.values_of": lambda: {"self": fair(), "name": "a"},
    "sweeps.Experiment.but": lambda: {"self": small(), "lr": 0.2},
    "sweeps.Experiment.check_still": lambda: {"self": small(), "spec": small().to_dict()},
    "sweeps.Experiment.load_data": lambda: {"self": small(), "device": "cpu"},
    "sweeps.Experiment.run": lambda: {"self": small(), "device": "cpu"},
    "sweeps.Experiment.train": lambda: trainable() | {"self": small(), "data": digits()},
    "sweeps.Records.path": lambda: {"key": small().key},
    "sweeps.Records.read_run": lambda: {"key": small().key},
    "sweeps.Records.read": lambda: {"key": small().key},
    "sweeps.Records.write": lambda: {
        "key": small().key,
        "spec": small().to_dict(),
        "history": history().to_dict(),
    },
    "sweeps.Run": lambda: {"experiment": small(), "history": history()},
    "sweeps.Runs": lambda: {"runs": list(runs())},
    "sweeps.Runs.by_seed": lambda: {
        "self": sweeps.Runs(run for run in runs() if run.experiment.lr == 0.1)
    },
    "sweeps.Runs.values": lambda: {
        "self": sweeps.Runs(run for run in runs() if run.experiment.lr == 0.1),
        "column": "valid_loss",
    },
    "sweeps.Runs.where": lambda: {"lr": 0.1},
    "sweeps.Tuned": lambda: dict(vars(tuned())),
    "sweeps.best_by_seed": lambda: {"runs": runs()},
    "sweeps.SplitComparison": lambda: {"splits": {0: fair()}},
    "sweeps.SplitComparison.values_of": lambda: {"self": over_splits(), "name": "a"},
    "sweeps.best_rate": lambda: {"runs": runs()},
    "sweeps.breaks_by_seed": lambda: {"runs": runs()},
    "sweeps.downward": lambda: {
        "experiments": [small()],
        "until": sweeps.trains,
        "records": "records",
        "jobs": 1,
        "progress": False,
    },
    "sweeps.fair_over_splits": lambda: {
        "arms": {"a": small(), "b": small(optimizer="adam")},
        "splits": [1],
        "shared_rate": 0.1,
        "tuning_seeds": [1],
        "seeds": [2],
        "records": "records",
        "jobs": 1,
        "device": "cpu",
        "progress": False,
    },
    "sweeps.evidence": lambda: {"name": "largest-rates"},
    "sweeps.fair": lambda: {
        "arms": {"a": small(), "b": small(optimizer="adam")},
        "shared_rate": 0.1,
        "tuning_seeds": [1],
        "seeds": [2],
        "records": "records",
        "jobs": 1,
        "progress": False,
    },
    "sweeps.grid": lambda: {"base": small(), "lr": [0.1, 0.2]},
    "sweeps.largest_by_seed": lambda: {"runs": runs()},
    "sweeps.load": lambda: {"folder": _record()},
    "sweeps.log_space": lambda: {"low": 0.1, "high": 1.0, "count": 3},
    "sweeps.over_seeds": lambda: {"function": square, "seeds": [3], "jobs": 1},
    "sweeps.race": lambda: {
        "arms": {name: small(valid=0.2, optimizer=name) for name in ("sgd", "adam")},
        "level": 0.01,
        "rates": [0.05, 0.1, 0.2],
        "tuning_seeds": [1],
        "seeds": [2],
        "allow_edge": True,
        "records": "records",
        "jobs": 1,
        "progress": False,
    },
    "sweeps.run": lambda: {"experiments": [small()], "records": "records", "jobs": 1},
    "sweeps.run_arms": lambda: {
        "arms": {"a": small()},
        "seeds": [1],
        "records": "records",
        "jobs": 1,
        "progress": False,
    },
    "sweeps.trains": lambda: {"run": next(iter(runs()))},
    "sweeps.tune": lambda: {
        "train": loss_at,
        "records": "records",
        "seeds": [0],
        "most_rates": 3,
        "most_seeds": 1,
    },
    "sweeps.updates_by_seed": lambda: {
        "runs": [sweeps.Run(small(), history())],
        "column": "test_acc",
        "level": 0.1,
    },
    "sweeps.updates_until": lambda: {
        "history": history(),
        "column": "test_acc",
        "level": 0.1,
    },
    "sweeps.width_by_seed": lambda: {"runs": runs()},
    "teach.check": lambda: {"answer": 0.3, "near": 0.3},
    "tracing.Log": lambda: {"optimizer": sgd()},
    "tracing.Log.against": lambda: {"self": recorded(), "intended": [0.1]},
    "tracing.lint": linted,
    "tracing.record": lambda: {"optimizer": sgd()},
    "tracing.trace": scheduled,
    "training.History": lambda: dict(vars(outcome(0.1, 0))),
    "training.History.final": lambda: {"self": history(), "column": "valid_loss"},
    "training.History.from_dict": lambda: {"record": history().to_dict()},
    "training.evaluate_on": lambda: {"net": net(), "split": digits().test},
    "training.fit": fitting,
}


@once
def _published() -> str:
    from lrcourse import published

    return published.find()[0].id


def _record() -> Path:
    folder = Path("loaded")
    sweeps.run([small()], records=folder, jobs=1, progress=False)
    return folder
