"""A scheduler of torch that is at hand as a schedule: a value to print, plot, spell and compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from lrcourse.schedules.base import Schedule, Then, constant
from lrcourse.schedules.cycles import cyclical, exp_range, one_cycle, restarts, triangular2
from lrcourse.schedules.decays import cosine, exponential, linear, multistep, polynomial, step
from lrcourse.schedules.formulas import NoSpelling
from lrcourse.schedules.functions import from_function
from lrcourse.schedules.warmups import warmup


def from_torch(scheduler: Any) -> Schedule:
    """The shape of a scheduler of torch (or transformers): what it makes from its t = 0 on.

    The scheduler is only looked at. Its factor is that of the rate which the optimizer was given,
    of CyclicLR and OneCycleLR that of their max_lr. CosineAnnealingLR rises again after its T_max,
    where the shape holds. A LambdaLR becomes `from_function`, and one that `to_torch` made the
    shape that it was made from.

    Args:
        scheduler: of torch.optim.lr_scheduler, or one derived from LambdaLR.

    Raises:
        TypeError: it is no scheduler of torch.
        NoSpelling: no shape describes it; the message says why.

    Example:
        >>> import torch
        >>> from lrcourse import schedules as s
        >>> optimizer = torch.optim.SGD(torch.nn.Linear(2, 1).parameters(), lr=0.1)
        >>> s.from_torch(torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 30, eta_min=0.01))
        cosine(30, floor=0.1)
    """
    from torch.optim import lr_scheduler  # torch takes a second to import

    from lrcourse.support.checks import kind

    kinds = (lr_scheduler.LRScheduler, lr_scheduler.ReduceLROnPlateau)
    kind("a scheduler of torch.optim.lr_scheduler", *kinds)("from_torch", "scheduler", scheduler)
    for one in type(scheduler).__mro__:
        if reader := _READERS.get(one.__name__):
            return reader(scheduler)
    why = _WHY_NOT.get(type(scheduler).__name__, "it is a class of your own or of another library")
    raise _no_shape(scheduler, why)


def _no_shape(scheduler: Any, why: str) -> NoSpelling:
    return NoSpelling(f"from_torch: no shape describes this {type(scheduler).__name__}: {why}")


def _share(scheduler: Any, low: float, of: list[float]) -> float:
    """The factor of an absolute rate; NoSpelling where it differs from group to group."""
    shares = {_part(low, rate) for rate in of}
    if len(shares) > 1:
        raise _no_shape(
            scheduler,
            f"its lowest rate, {low:g}, is another factor of each group's rate; give "
            "each group a scheduler of its own",
        )
    return shares.pop()


def _part(low: float, of: float) -> float:
    """One rate as a part of another, without the rounding of its last digit: 0.01 of 0.1 is 0.1."""
    return float(f"{low / of:.15g}")


def _linear(scheduler: Any) -> Schedule:
    start, end, length = scheduler.start_factor, scheduler.end_factor, scheduler.total_iters
    if start == end:
        return constant(start)
    if start > end:
        fall = linear(length, floor=end / start)
        return fall if start == 1 else start * fall
    rise = warmup(length, start=start / end)
    return rise if end == 1 else end * rise


def _multistep(scheduler: Any) -> Schedule:
    milestones = Counter(scheduler.milestones)
    if any(count > 1 for count in milestones.values()) or not min(milestones, default=0) > 0:
        raise _no_shape(scheduler, "its milestones must be above 0 and differ from each other")
    return multistep(tuple(sorted(milestones)), scheduler.gamma)


def _restarts(scheduler: Any) -> Schedule:
    floor = _share(scheduler, scheduler.eta_min, scheduler.base_lrs)
    return restarts(scheduler.T_0, multiply=scheduler.T_mult, floor=floor)


def _cyclical(scheduler: Any) -> Schedule:
    if abs(scheduler.step_ratio - 0.5) > 1e-12:
        raise _no_shape(scheduler, "its halves are not equal (step_size_up, step_size_down)")
    scales = {"triangular": None, "triangular2": triangular2, "exp_range": None}
    if scheduler.mode not in scales or getattr(scheduler, "_scale_fn_custom", None) is not None:
        raise _no_shape(scheduler, "its scale_fn is a function; give it to cyclical(scale=...)")
    shares = {
        _part(low, high) for low, high in zip(scheduler.base_lrs, scheduler.max_lrs, strict=True)
    }
    if len(shares) > 1:
        raise _no_shape(scheduler, "base_lr is another part of max_lr in each group")
    scale = exp_range(scheduler.gamma) if scheduler.mode == "exp_range" else scales[scheduler.mode]
    return cyclical(scheduler.total_size / 2, base=shares.pop(), scale=scale)


def _one_cycle(scheduler: Any) -> Schedule:
    phases, total = scheduler._schedule_phases, scheduler.total_steps
    peak_at = phases[0]["end_step"]
    if len(phases) > 2:
        raise _no_shape(scheduler, "three_phase goes down twice; join its parts by `then`")
    if not float(peak_at).is_integer() or not 0 < peak_at < total - 1:
        raise _no_shape(
            scheduler,
            f"its peak lies at t = {peak_at:g}, between two updates, and is never reached",
        )
    groups = scheduler.optimizer.param_groups
    starts = {_part(group["initial_lr"], group["max_lr"]) for group in groups}
    ends = {_part(group["min_lr"], group["max_lr"]) for group in groups}
    if len(starts) > 1 or len(ends) > 1:
        raise _no_shape(scheduler, "its groups begin or end at other parts of their max_lr")
    return one_cycle(
        total,
        warmup=(peak_at + 1) / total,
        start=starts.pop(),
        end=ends.pop(),
        anneal="cosine" if scheduler._anneal_func_type == "cos" else "linear",
    )


def _sequential(scheduler: Any) -> Schedule:
    parts = [from_torch(one) for one in scheduler._schedulers]
    joined, begun = parts[0], 0
    for part, milestone in zip(parts[1:], scheduler._milestones, strict=True):
        joined, begun = Then(joined, part, milestone), milestone
    return joined if begun else parts[-1]


def _chained(scheduler: Any) -> Schedule:
    first, *rest = map(from_torch, scheduler._schedulers)
    for one in rest:
        first = first * one
    return first


def _function(scheduler: Any) -> Schedule:
    functions = scheduler.lr_lambdas
    if any(one is not functions[0] and one != functions[0] for one in functions):
        raise _no_shape(scheduler, "its groups have functions of their own, one for each")
    shape = getattr(functions[0], "__self__", None)
    return shape if isinstance(shape, Schedule) else from_function(functions[0])


_READERS: dict[str, Callable[[Any], Schedule]] = {
    "LambdaLR": _function,
    "StepLR": lambda one: step(one.step_size, one.gamma),
    "MultiStepLR": _multistep,
    "ConstantLR": lambda one: warmup(one.total_iters, start=one.factor, ramp="constant"),
    "LinearLR": _linear,
    "ExponentialLR": lambda one: exponential(one.gamma),
    "PolynomialLR": lambda one: polynomial(one.total_iters, exponent=one.power),
    "CosineAnnealingLR": lambda one: cosine(
        one.T_max, floor=_share(one, one.eta_min, one.base_lrs)
    ),
    "CosineAnnealingWarmRestarts": _restarts,
    "CyclicLR": _cyclical,
    "OneCycleLR": _one_cycle,
    "SequentialLR": _sequential,
    "ChainedScheduler": _chained,
}
_WHY_NOT = {
    "MultiplicativeLR": "its factor is the product of a function's values so far, no function of "
    "t; give the product itself to from_function",
    "ReduceLROnPlateau": "it follows the run's progress; that is the rule plateau(...)",
    "SWALR": "it leaves from the rate that is there when it begins",
}
