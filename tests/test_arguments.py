"""Every public function, class and method refuses nonsense in words that help.

Every argument of every exported name is given every kind of nonsense in turn, the others being
right. The call must come back within a second, and either refuse it with a ValueError or a
TypeError that names the argument and shows what was given, or be one that is meant to be taken
(see MEANT). With `-s` the counts are printed.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import math
import pkgutil
import re
import signal
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from helpers.calls import CALLS

import lrcourse
from lrcourse import claims

WITHIN = {"__main__", "commands", "look", "support"}  # for the package's own use
PACKAGES = sorted({room.name for room in pkgutil.iter_modules(lrcourse.__path__)} - WITHIN)


# Modules of packages that export other names: the chapters import them as they are.
ALSO = {"landscapes": ("effective_rates", "heavy_ball"), "optimizers": ("recent",)}


class Something:
    """A class, and by its instances an object, that nothing takes."""


NONSENSE: dict[str, Any] = {
    "None": None,
    "a string": "nonsense",
    "a number as a string": "0.1",
    "bytes": b"x",
    "an empty list": [],
    "a list of strings": ["a"],
    "an empty dictionary": {},
    "an array of no dimension": np.array(3.0),
    "a class": Something,
    "an object": Something(),
    "True": True,
    "nan": math.nan,
    "inf": math.inf,
    "-inf": -math.inf,
    "10**400": 10**400,
    "1e308": 1e308,
    "2**63": 2**63,
    "0": 0,
    "-1": -1,
    "-0.5": -0.5,
}
ANY_FINITE = {"0", "-1", "-0.5"}

# What is right where it looks like nonsense: an argument's name, alone or after its owner's, and
# the labels of what is taken there; "any" is whatever is given.
MEANT: dict[str, set[str] | str] = {
    "seed": {"0"},
    "floor": {"0"},
    "weight_decay": {"0"},
    "eps": {"0"},
    "level": ANY_FINITE,
    "model_options": {"an empty dictionary"},
    "optimizer_options": {"an empty dictionary"},
    "book.main.arguments": {"an empty list", "a list of strings"},
    "book.preprocess.context": {"an empty dictionary"},
    "dead_above": ANY_FINITE,
    "dead_below": ANY_FINITE,
    "claims.Evidence.points": {"an empty dictionary"},
    "claims.check.expected": "any",
    "claims.check.found": "any",
    "claims.claim.margin": ANY_FINITE,
    "claims.exact.expected": "any",
    "claims.exact.found": "any",
    "claims.judge.margin": ANY_FINITE,
    "claims.most_that_differ.claims": {"0"},
    "claims.summarise.rows": {"an empty list"},
    "data.Data.classes": {"a list of strings"},
    "data.load.valid": {"0"},
    "landscapes.heavy_ball.factor.momentum": {"0"},
    "landscapes.heavy_ball.factor.rate_times_curvature": ANY_FINITE,
    "landscapes.Ravine.at.across": ANY_FINITE,
    "landscapes.Ravine.at.along": ANY_FINITE,
    "landscapes.Ravine.turn": ANY_FINITE,
    "optimizers.adadelta.rho": {"0"},
    "optimizers.adagrad.initial_accumulator_value": {"0"},
    "optimizers.adagrad.lr_decay": {"0"},
    "optimizers.adam.beta1": {"0"},
    "optimizers.adam.beta2": {"0"},
    "optimizers.adamw.beta1": {"0"},
    "optimizers.adamw.beta2": {"0"},
    "optimizers.momentum.momentum": {"0"},
    "optimizers.rmsprop.alpha": {"0"},
    "optimizers.recent.build.lr": {"0"},
    "optimizers.torch_optimizer.lr": {"0"},
    "playground.Setting.momentum": {"0"},
    "playground.Setting.noise": {"0"},
    "playground.Setting.warmup": {"0"},
    "plots.by_seed.colours": {"an empty dictionary"},
    "plots.by_seed.hollow": {"an empty list", "a list of strings"},
    "plots.displacement.layers": {"a list of strings"},
    "plots.loop.chance": {"0"},
    "plots.over_updates.levels": {"an empty dictionary"},
    "plots.rates.marks": {"an empty dictionary"},
    "rangetest.range_test.smoothing": {"0"},
    "schedules.PlateauState.observe.metric": ANY_FINITE | {"nan", "inf", "-inf", "10**400"},
    "schedules.Schedule.then.after": {"0"},
    "schedules.Then.after": {"0"},
    "schedules.cyclical.base": {"0"},
    "schedules.one_cycle.end": {"0"},
    "schedules.one_cycle.start": {"0"},
    "schedules.one_cycle.warmup": {"0"},
    "schedules.plateau.cooldown": {"0"},
    "schedules.plateau.patience": {"0"},
    "schedules.plateau.threshold": {"0"},
    "schedules.power.exponent": ANY_FINITE,
    "schedules.triangular2.t": {"0"},
    "schedules.warmup.length": {"0"},
    "schedules.warmup.start": {"0"},
    "schedules.wsd.decay": {"0"},
    "schedules.wsd.warmup": {"0"},
    "study.edge.beta1": {"0"},
    "study.share_down.least": {"0"},
    "sweeps.Comparison.values_of.diverged": ANY_FINITE | {"nan", "inf", "-inf"},
    "jobs": {"-1"},
    "sweeps.Experiment.valid": {"0"},
    # Looked at by `check`, for all experiments of a sweep before the first training.
    "sweeps.Experiment.batch_size": {"0", "-1"},
    "sweeps.Experiment.check_still.spec": {"an empty dictionary"},
    "sweeps.Experiment.epochs": {"0", "-1"},
    "sweeps.Experiment.evaluate": {"0", "-1"},
    "sweeps.Experiment.images": {"0", "-1"},
    "sweeps.Records.write.history": {"an empty dictionary"},
    "sweeps.Records.write.spec": {"an empty dictionary"},
    "sweeps.fair.tuning_seeds": {"an empty list"},
    "sweeps.fair_over_splits.tuning_seeds": {"an empty list"},
    "sweeps.SplitComparison.values_of.diverged": ANY_FINITE | {"nan", "inf", "-inf"},
    "split": {"0"},
    "sweeps.Runs.runs": {"an empty list"},
    "sweeps.breaks_by_seed.least": {"0"},
    "sweeps.downward.experiments": {"an empty list"},
    "sweeps.largest_by_seed.least": {"0"},
    "sweeps.over_seeds.seeds": {"an empty list"},
    "sweeps.run.experiments": {"an empty list"},
    "sweeps.trains.least": ANY_FINITE,
    "teach.check.answer": "any",
    "teach.check.hints": {"an empty list", "a list of strings"},
    "teach.check.near": ANY_FINITE,
    "teach.check.on": {"an empty list"},
    "teach.check.within": {"0"},
    "sweeps.updates_by_seed.missing": ANY_FINITE | {"nan", "inf", "-inf"},
    "sweeps.updates_by_seed.runs": {"an empty list"},
    "sweeps.width_by_seed.slack": {"0"},
    "tracing.Findings.findings": {"an empty list"},
}

# What the package hands out and nobody makes by hand: it holds what it is given.
RESULTS = {
    "claims.Evidence",
    "claims.Margin",
    "claims.Verdict",
    "landscapes.Descent",
    "optimizers.Optimizer",
    "published.Entry",
    "rangetest.RangeTest",
    "scales.Scale",
    "schedules.PlateauState",
    "study.Found",
    "study.Noise",
    "study.Taken",
    "study.Watch",
    "sweeps.BestRate",
    "sweeps.Comparison",
    "sweeps.Tuned",
    "training.History",
}


class TooLong(BaseException):
    """No `except Exception` is to hold it back."""


@dataclass(frozen=True)
class Target:
    """Something to call, by its name in CALLS."""

    name: str
    call: Any
    method: bool = False

    @property
    def parameters(self) -> list[inspect.Parameter]:
        found = list(inspect.signature(self.call).parameters.values())
        return [one for one in found if one.name not in ("self", "_cls")]

    def arguments(self) -> dict[str, Any]:
        """Valid ones, made anew."""
        if self.name in CALLS:
            return CALLS[self.name]()
        empty = inspect.Parameter.empty
        variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        needed = [p.name for p in self.parameters if p.default is empty and p.kind not in variadic]
        if needed:
            pytest.fail(
                f"{self.name} is public and has no valid call to be tried with: add "
                f'"{self.name}": lambda: {{{", ".join(f"{n!r}: ..." for n in needed)}}} '
                "to CALLS in tests/helpers/calls.py"
            )
        return {}

    def __call__(self, arguments: dict[str, Any], of: Any = None) -> Any:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            given = dict(arguments)
            first = [of] if of is not None else [given.pop("self")] if "self" in given else []
            with contextlib.redirect_stderr(io.StringIO()):
                return self.call(*first, *given.pop("*", ()), **given)


def targets(package: str) -> Iterator[Target]:
    """What a package exports, and the methods of its classes."""
    for name, value in exported(package):
        if not callable(value):
            continue
        if not isinstance(value, type):
            yield Target(f"{package}.{name}", value)
        elif not issubclass(value, Exception):
            if not (inspect.isabstract(value) or getattr(value, "_is_protocol", False)):
                yield Target(f"{package}.{name}", value)
            for own, kind in vars(value).items():
                if own.startswith("_"):
                    continue
                if inspect.isfunction(kind):
                    yield Target(f"{package}.{name}.{own}", kind, method=True)
                elif isinstance(kind, classmethod | staticmethod):
                    yield Target(f"{package}.{name}.{own}", getattr(value, own))


def exported(package: str) -> list[tuple[str, Any]]:
    """By `__all__`; a module without one, or a package that exports nothing, shows all its own.

    What a module of `ALSO` defines bears its name: `landscapes.heavy_ball.best`.
    """
    module = importlib.import_module(f"lrcourse.{package}")
    names = getattr(module, "__all__", None)
    if names is not None:
        also = [
            (f"{one}.{name}", value)
            for one in ALSO.get(package, ())
            for name, value in own(importlib.import_module(f"{module.__name__}.{one}"))
        ]
        return [(name, getattr(module, name)) for name in names] + also
    modules = [module]
    if hasattr(module, "__path__"):
        modules = [
            importlib.import_module(f"{module.__name__}.{found.name}")
            for found in pkgutil.iter_modules(module.__path__)
        ]
    return [pair for one in modules for pair in own(one)]


def own(module: Any) -> list[tuple[str, Any]]:
    """What a module defines under names without an underscore."""
    return [
        (name, value)
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def instance(package: str, target: Target) -> Any:
    """The object whose method is tried."""
    owner = target.name.rsplit(".", 1)[0]
    cls = next(one for one in targets(package) if one.name == owner)
    return cls(cls.arguments())


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise TooLong after so much processor time; where there are no such timers, do without."""
    if not hasattr(signal, "ITIMER_PROF"):
        yield
        return

    def stop(*_: Any) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def kinds(parameter: inspect.Parameter) -> set[str]:
    """The words of the annotation that say what the argument takes."""
    annotation = parameter.annotation
    if annotation is inspect.Parameter.empty:
        return {"Any"}
    text = annotation if isinstance(annotation, str) else str(annotation)
    if isinstance(annotation, type):
        text = annotation.__name__
    return set(re.findall(r"\w+", text)) | ({"None"} if parameter.default is None else set())


def is_nonsense(label: str, takes: set[str]) -> bool:
    """Whether it is nonsense for an argument that takes these kinds."""
    if label == "None":
        return "None" not in takes
    if label in ("a string", "a number as a string"):
        return "str" not in takes
    if label == "True":
        return "bool" not in takes
    return True


def is_meant(target: Target, name: str, label: str) -> bool:
    """Whether the call may take it."""
    if target.name in RESULTS or label in ("1e308", "2**63"):
        return True  # the latter are finite numbers like others, as long as they come to an end
    for key in (name, f"{target.name}.{name}"):
        labels = MEANT.get(key, set())
        if labels == "any" or label in labels:
            return True
    return False


def is_clear(told: str, name: str, value: Any) -> bool:
    """Whether a message names the argument and shows what was given."""
    named = rf"\b{re.escape(name)}\b"
    if name == "a":  # the argument, not the article
        named = r"(^|[ `'\"])a(\b[`'\"\[:=(]| and b| must| is)"
    if not re.search(named, told):
        return False
    shown = {type(value).__name__, repr(value)[:12], str(value)[:12]}
    if isinstance(value, type):
        shown.add(value.__name__)
    if isinstance(value, list | dict):
        shown |= {"empty", "it has 0", "no "} if not value else {repr(value[0])}
    if isinstance(value, int) and abs(value) > 2**60:
        shown |= {"inf", f"{value:.3g}" if value < 10**300 else "1000000"}
    if isinstance(value, float | np.ndarray):
        shown.add(f"{float(value):g}")
    return any(one in told for one in shown)


def tried(target: Target, of: Any, name: str, label: str) -> tuple[str, str]:
    """How one call ended: clear, meant, silent, unclear or hang; and what was told."""
    arguments, value = target.arguments(), NONSENSE[label]
    arguments[name] = value
    try:
        with within(1.0):
            target(arguments, of)
    except (ValueError, TypeError) as error:
        told = str(error)
        return (
            "clear" if is_clear(told, name, value) else "unclear"
        ), f"{type(error).__name__}: {told}"
    except claims.ClaimError:
        return "meant", "a check that came out otherwise"
    except TooLong:
        return "hang", "no answer within a second"
    except BaseException as error:
        return "unclear", f"{type(error).__name__}: {error}"
    return ("meant" if is_meant(target, name, label) else "silent"), "taken without a word"


def walk(package: str) -> Iterator[tuple[str, str]]:
    """Every try: how it ended, and a line about it."""
    for target in targets(package):
        of = (
            instance(package, target)
            if target.method and "self" not in target.arguments()
            else None
        )
        target(target.arguments(), of)
        for parameter in target.parameters:
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            takes = kinds(parameter)
            for label in NONSENSE:
                if is_nonsense(label, takes):
                    end, told = tried(target, of, parameter.name, label)
                    told = " ".join(told.split())[:200]
                    yield end, f"{target.name}({parameter.name}={label}): {end}: {told}"


@pytest.mark.parametrize("package", PACKAGES)
def test_nonsense_is_refused_in_clear_words(package, tmp_path, monkeypatch):
    plt = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.setattr(plt, "show", lambda: None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRCOURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LRCOURSE_PROGRESS", "0")
    began, counts, wrong = time.process_time(), Counter(), []
    for end, line in walk(package):
        counts[end] += 1
        if end not in ("clear", "meant"):
            wrong.append(line)
        plt.close("all")
    seconds = time.process_time() - began
    print(f"\n{package}: {counts.total()} calls, {dict(counts)}, {seconds:.1f} s")
    assert not wrong, f"{len(wrong)} of {counts.total()}:\n" + "\n".join(wrong)


def test_no_entry_is_left_behind():
    names = {target.name for package in PACKAGES for target in targets(package)}
    assert set(CALLS) - names == set()
    assert RESULTS - names == set()
    every = [
        (t.name, p.name) for package in PACKAGES for t in targets(package) for p in t.parameters
    ]
    known = {name for _, name in every} | {f"{owner}.{name}" for owner, name in every}
    assert MEANT.keys() - known == set()


def test_a_new_name_asks_for_a_valid_call():
    with pytest.raises(pytest.fail.Exception, match=r'add "room\.new": lambda: {\'rate\': \.\.\.}'):
        Target("room.new", lambda rate, times=1: None).arguments()


@pytest.mark.parametrize(
    ("call", "end"),
    [
        (lambda rate: rate, "silent"),
        (lambda rate: rate.real.nothing, "unclear"),
        (lambda rate: [].index(rate), "unclear"),
        (lambda rate: _refuse("rate must be a number"), "unclear"),
        (lambda rate: _refuse(f"a number is wanted; got {rate!r}"), "unclear"),
        (lambda rate: _refuse(f"rate must be a number; got {rate!r}"), "clear"),
    ],
)
def test_an_answer_is_told_for_what_it_is(call, end, monkeypatch):
    monkeypatch.setitem(CALLS, "room.new", lambda: {"rate": 0.1})
    assert tried(Target("room.new", call), None, "rate", "nan")[0] == end


@pytest.mark.skipif(not hasattr(signal, "ITIMER_PROF"), reason="no such timer here")
def test_a_call_without_end_is_stopped(monkeypatch):
    def endless(rate):
        while rate:
            with contextlib.suppress(Exception):
                rate += 0

    monkeypatch.setitem(CALLS, "room.new", lambda: {"rate": 0})
    assert tried(Target("room.new", endless), None, "rate", "2**63")[0] == "hang"


def _refuse(told: str) -> None:
    raise ValueError(told)
