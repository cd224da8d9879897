"""A schedule in another library's own words: code to copy, or the reason why there is none.

    print(spell(warmup(5).then(cosine(25)), "torch"))

Where a library has the shape under a name, that name is used; elsewhere the formula is written
out, as a plain function or in the library's own arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeGuard

from lrcourse.schedules import formulas
from lrcourse.schedules.base import SCHEDULE, Schedule, Then, constant
from lrcourse.schedules.cycles import restarts
from lrcourse.schedules.decays import (
    cosine,
    exponential,
    linear,
    multistep,
    polynomial,
    power,
    step,
)
from lrcourse.schedules.formulas import NoSpelling, number
from lrcourse.schedules.warmups import warmup, wsd
from lrcourse.support.checks import arguments, one_of

FRAMEWORKS = ("torch", "lightning", "transformers", "timm", "optax", "keras")


class Spelling(str):
    """Code, which a notebook shows as it is.

    Attributes:
        until: the t up to which it makes the same rates; None: for ever.
    """

    until: float | None

    def __new__(cls, code: str, until: float | None = None) -> Spelling:
        made = super().__new__(cls, code)
        made.until = until
        return made

    def __repr__(self) -> str:
        return str(self)


@arguments(shape=SCHEDULE, framework=one_of(*FRAMEWORKS))
def spell(shape: Schedule, framework: str) -> Spelling:
    """The code that makes the same rates in another library; `print` it, and copy.

    It takes for given what stands in its first line: `optimizer`, or the peak rate `lr` where the
    optimizer is made after its schedule. It is stepped once for each t, as the shape is.

    Args:
        shape: what is to be spelt.
        framework: "torch", "lightning", "transformers", "timm", "optax" or "keras".

    Returns:
        A string of code, whose `until` says up to which t it holds where the library's own
        schedule goes another way after its end; a comment in it says so too.

    Raises:
        NoSpelling: there is none; the message says why, and what to do instead.

    Example:
        >>> from lrcourse import schedules as s
        >>> s.spell(s.step(10, 0.5), "torch")
        # given: optimizer
        from torch.optim import lr_scheduler
        <BLANKLINE>
        scheduler = lr_scheduler.StepLR(optimizer, step_size=10, gamma=0.5)
    """
    return _WRITERS[framework](shape)


# -- torch and lightning ----------------------------------------------------------------------


def _torch(shape: Schedule) -> Spelling:
    imported = "from torch.optim import lr_scheduler"
    if (found := _torch_name(shape)) is not None:
        call, until = found
        made = f"scheduler = lr_scheduler.{call}"
        return _code("optimizer", [imported], made, until=until)
    imports, function = formulas.python_function(shape)
    made = "scheduler = lr_scheduler.LambdaLR(optimizer, factor)"
    return _code("optimizer", [*imports, imported], function, made)


def _torch_name(shape: Schedule) -> tuple[str, float | None] | None:
    """torch's own class for a shape, and the t up to which it holds."""
    if isinstance(shape, step) and _is_whole(shape.every):
        return f"StepLR(optimizer, step_size={int(shape.every)}, gamma={number(shape.gamma)})", None
    if isinstance(shape, multistep) and all(map(_is_whole, shape.milestones)):
        places = [int(one) for one in shape.milestones]
        return f"MultiStepLR(optimizer, milestones={places}, gamma={number(shape.gamma)})", None
    if isinstance(shape, exponential) and shape.floor == 0:
        return f"ExponentialLR(optimizer, gamma={number(shape.gamma)})", None
    if isinstance(shape, linear) and _is_whole(shape.total):
        rest = f"end_factor={number(shape.floor)}, total_iters={int(shape.total)}"
        return f"LinearLR(optimizer, start_factor=1.0, {rest})", None
    if isinstance(shape, polynomial) and shape.floor == 0 and _is_whole(shape.total):
        rest = f"total_iters={int(shape.total)}, power={number(shape.exponent)}"
        return f"PolynomialLR(optimizer, {rest})", None
    if isinstance(shape, cosine) and shape.floor == 0 and _is_whole(shape.total):
        return f"CosineAnnealingLR(optimizer, T_max={int(shape.total)})", shape.total
    if isinstance(shape, restarts) and shape == restarts(shape.first, shape.multiply):
        if not (_is_whole(shape.first) and _is_whole(shape.multiply)):
            return None
        rest = f"T_0={int(shape.first)}, T_mult={int(shape.multiply)}"
        return f"CosineAnnealingWarmRestarts(optimizer, {rest})", None
    if isinstance(shape, warmup) and shape.start and shape.length and _is_whole(shape.length):
        rest = f"total_iters={int(shape.length)}"
        if shape.ramp == "linear":
            return f"LinearLR(optimizer, start_factor={number(shape.start)}, {rest})", None
        if shape.ramp == "constant":
            return f"ConstantLR(optimizer, factor={number(shape.start)}, {rest})", None
    return None


def _lightning(shape: Schedule) -> Spelling:
    made = _torch(shape)
    return Spelling(
        "# in configure_optimizers, after the optimizer is made; return it\n"
        f"{made}\n"
        "configured = {\n"
        '    "optimizer": optimizer,\n'
        '    "lr_scheduler": {"scheduler": scheduler, "interval": "step"},\n'
        "}",
        made.until,
    )


# -- transformers -----------------------------------------------------------------------------


def _transformers(shape: Schedule) -> Spelling:
    given = "optimizer; to be handed over: Trainer(..., optimizers=(optimizer, scheduler))"
    if (found := _transformers_name(shape)) is None:
        made = _torch(shape)
        return Spelling(made.replace("# given: optimizer", f"# given: {given}", 1), made.until)
    name, rest, until = found
    call = f'scheduler = get_scheduler("{name}", optimizer{rest})'
    return _code(given, ["from transformers import get_scheduler"], call, until=until)


def _transformers_name(shape: Schedule) -> tuple[str, str, float | None] | None:
    if shape == constant():
        return "constant", "", None
    rise, fall = _risen(shape)
    if rise is None or not _is_whole(rise):
        return None
    warm = f", num_warmup_steps={int(rise)}"
    if fall is None:
        return "constant_with_warmup", warm, None
    if isinstance(fall, power) and rise and fall == power(timescale=rise):
        return "inverse_sqrt", warm, None
    if not isinstance(fall, linear | cosine) or fall.floor or not _is_whole(fall.total):
        return None
    rest = f"{warm}, num_training_steps={int(rise + fall.total)}"
    is_linear = isinstance(fall, linear)
    return ("linear", rest, None) if is_linear else ("cosine", rest, rise + fall.total)


# -- timm -------------------------------------------------------------------------------------


def _timm(shape: Schedule) -> Spelling:
    rise, fall = _risen(shape)
    name, rest = _timm_name(fall) if rise is not None and _is_whole(rise) else ("", "")
    if not name:
        raise NoSpelling(
            f"timm has no schedule for {shape!r}, and takes no function: its names are those of a "
            "cosine, a polynomial and steps after a linear warmup from 0. Use torch's: "
            'spell(shape, "torch")'
        )
    warm = f", warmup_t={int(rise)}, warmup_prefix=True" if rise else ""
    return _code(
        "optimizer; after epoch t call scheduler.step(t + 1)",
        [f"from timm.scheduler import {name}"],
        f"scheduler = {name}(optimizer, {rest}{warm})",
    )


def _timm_name(fall: Schedule | None) -> tuple[str, str]:
    if isinstance(fall, cosine) and fall.floor == 0 and _is_whole(fall.total):
        return "CosineLRScheduler", f"t_initial={int(fall.total)}"
    if isinstance(fall, linear | polynomial) and fall.floor == 0 and _is_whole(fall.total):
        exponent = fall.exponent if isinstance(fall, polynomial) else 1.0
        return "PolyLRScheduler", f"t_initial={int(fall.total)}, power={number(exponent)}"
    if isinstance(fall, step) and _is_whole(fall.every):
        return "StepLRScheduler", f"decay_t={int(fall.every)}, decay_rate={number(fall.gamma)}"
    return "", ""


# -- optax and keras --------------------------------------------------------------------------


def _optax(shape: Schedule) -> Spelling:
    imports, function = formulas.array_function(shape, "jnp", "t = jnp.asarray(t, float)")
    return _code(
        "lr, the peak rate; to be handed over: optax.sgd(schedule), say",
        [*imports, "import jax.numpy as jnp"],
        function,
        "def schedule(count):\n    return lr * factor(count)",
    )


def _keras(shape: Schedule) -> Spelling:
    imports, function = formulas.array_function(shape, "ops", 't = ops.cast(t, "float32")')
    return _code(
        "lr, the peak rate; to be handed over: keras.optimizers.SGD(schedule), say",
        [*imports, "import keras", "from keras import ops"],
        function,
        "class Schedule(keras.optimizers.schedules.LearningRateSchedule):\n"
        "    def __call__(self, step):\n"
        "        return lr * factor(step)",
        "schedule = Schedule()",
    )


_WRITERS: dict[str, Callable[[Schedule], Spelling]] = {
    "torch": _torch,
    "lightning": _lightning,
    "transformers": _transformers,
    "timm": _timm,
    "optax": _optax,
    "keras": _keras,
}


# -- what they share --------------------------------------------------------------------------


def _risen(shape: Schedule) -> tuple[float | None, Schedule | None]:
    """(length of a linear warmup from 0, what follows it or None); (None, shape) for another."""
    if isinstance(shape, warmup):
        return (shape.length, None) if _is_from_0(shape) else (None, shape)
    if isinstance(shape, Then) and shape.after is None and _is_from_0(shape.first):
        return shape.first.length, shape.second
    return (None, shape) if isinstance(shape, Then | wsd) else (0, shape)


def _is_from_0(shape: Schedule) -> TypeGuard[warmup]:
    return isinstance(shape, warmup) and shape.ramp == "linear" and shape.start == 0


def _is_whole(value: float | None) -> bool:
    return value is not None and float(value).is_integer()


def _code(given: str, imports: list[str], *parts: str, until: float | None = None) -> Spelling:
    head = [f"# given: {given}"]
    if until is not None:
        head.append(f"# the same rates up to t = {number(until)}; this one rises again after it")
    own = "\n\n\n" if len(parts) > 1 else "\n\n"
    return Spelling(own.join(["\n".join([*head, *imports]), *parts]), until)
