"""Every schedule of torch, D2L, CLR, timm, transformers and fastai: its spelling here, or why not.

fastai's are in fastai_spellings.py. test_schedules_peers.py compares them, and fails when a library
has a schedule that is missing here.
"""

from __future__ import annotations

import warnings

from torch.optim import lr_scheduler

from helpers import formulas
from helpers.fastai_spellings import FASTAI
from helpers.peers import (
    METRICS,
    Spelling,
    formula,
    peer,
    plateau_trace,
    sgd,
    timm_trace,
    torch_trace,
)


def _torch(build, ours, note="", updates=40):
    return Spelling(ours, lambda n: torch_trace(build, n), note, updates)


def _transformers(name, ours, note="", updates=40, warmup=4, total=40, **special):
    def theirs(n):
        get_scheduler = peer("transformers").get_scheduler
        return torch_trace(
            lambda o: get_scheduler(name, o, warmup, total, scheduler_specific_kwargs=special), n
        )

    return Spelling(ours, theirs, note, updates)


def _timm(name, ours, note="", updates=40, **options):
    def theirs(n):
        peer("timm")
        scheduler = getattr(peer("timm.scheduler"), name, None)
        if scheduler is None:
            peer(f"timm.scheduler.{name}")  # an older timm: skips, or fails where it may not
        return timm_trace(lambda o: scheduler(o, **options), n)

    return Spelling(ours, theirs, note, updates)


def _sequential(optimizer):
    first = lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=5)
    second = lr_scheduler.CosineAnnealingLR(optimizer, T_max=35)
    return lr_scheduler.SequentialLR(optimizer, [first, second], milestones=[5])


def _chained(optimizer):
    first = lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=5)
    return lr_scheduler.ChainedScheduler([first, lr_scheduler.ExponentialLR(optimizer, 0.9)])


def _torch_plateau(n):
    options = {"factor": 0.5, "patience": 2, "cooldown": 1, "eps": 0}
    return plateau_trace(lr_scheduler.ReduceLROnPlateau(sgd(), **options), METRICS[:n])


def _transformers_plateau(n):
    get_scheduler = peer("transformers").get_scheduler
    options = {"factor": 0.5, "patience": 2, "cooldown": 1}
    scheduler = get_scheduler("reduce_lr_on_plateau", sgd(), scheduler_specific_kwargs=options)
    return plateau_trace(scheduler, METRICS[:n])


def _timm_plateau(n):
    # timm starts to look at epoch 1, and may say that the class will go.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        scheduler = peer("timm.scheduler").PlateauLRScheduler(
            sgd(), decay_rate=0.5, patience_t=2, cooldown_t=1, mode="min"
        )
    rates = []
    for epoch, metric in enumerate(METRICS[:n], start=1):
        scheduler.step(epoch, metric)
        rates.append(scheduler.optimizer.param_groups[0]["lr"])
    return rates


_PLATEAU = "plateau(0.5, patience=2, cooldown=1)"

TORCH = {
    "LRScheduler": Spelling(note="The base class of the others; here that is Schedule."),
    "LambdaLR": _torch(
        lambda o: lr_scheduler.LambdaLR(o, formulas.halving),
        "from_function('helpers.formulas:halving')",
    ),
    "MultiplicativeLR": _torch(
        lambda o: lr_scheduler.MultiplicativeLR(o, lambda t: 0.9),
        "exponential(0.9)",
        "Only with a constant function: its factor is the product of the function's values so "
        "far, no function of t; give the product itself to from_function.",
    ),
    "StepLR": _torch(lambda o: lr_scheduler.StepLR(o, 7, 0.3), "step(7, 0.3)"),
    "MultiStepLR": _torch(
        lambda o: lr_scheduler.MultiStepLR(o, [5, 20], 0.2), "multistep((5, 20), 0.2)"
    ),
    "ConstantLR": _torch(
        lambda o: lr_scheduler.ConstantLR(o, 0.25, 6), "warmup(6, start=0.25, ramp='constant')"
    ),
    "LinearLR": _torch(
        lambda o: lr_scheduler.LinearLR(o, 0.25, total_iters=6),
        "warmup(6, start=0.25)",
        "linear(n, floor=end_factor) where it falls from 1; times a number where neither end is 1.",
    ),
    "ExponentialLR": _torch(lambda o: lr_scheduler.ExponentialLR(o, 0.9), "exponential(0.9)"),
    "SequentialLR": _torch(_sequential, "warmup(5, start=0.1).then(cosine(35))"),
    "ChainedScheduler": _torch(_chained, "warmup(5, start=0.1) * exponential(0.9)"),
    "CosineAnnealingLR": _torch(
        lambda o: lr_scheduler.CosineAnnealingLR(o, 39, eta_min=0.1),
        "cosine(39, floor=0.1)",
        "Up to T_max: torch's rises again after it.",
    ),
    "CyclicLR": _torch(
        lambda o: lr_scheduler.CyclicLR(
            o, 0.1, 1.0, step_size_up=4, mode="triangular2", cycle_momentum=False
        ),
        "cyclical(4, 0.1, scale=triangular2)",
        "With equal halves only (step_size_down), and without its cycling of the momentum.",
    ),
    "CosineAnnealingWarmRestarts": _torch(
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 5, 2, eta_min=0.1),
        "restarts(5, multiply=2, floor=0.1)",
    ),
    "OneCycleLR": _torch(
        lambda o: lr_scheduler.OneCycleLR(o, 1.0, total_steps=40, cycle_momentum=False),
        "one_cycle(40)",
        "Where pct_start * total_steps is whole; not three_phase: write it with from_function.",
    ),
    "PolynomialLR": _torch(
        lambda o: lr_scheduler.PolynomialLR(o, 30, power=2), "polynomial(30, exponent=2)"
    ),
    "ReduceLROnPlateau": Spelling(
        _PLATEAU, _torch_plateau, "With its relative threshold; eps is not offered."
    ),
}

TRANSFORMERS = {
    "constant": _transformers("constant", "constant()"),
    "constant_with_warmup": _transformers("constant_with_warmup", "warmup(4, start=0)"),
    "linear": _transformers("linear", "warmup(4, start=0).then(linear(36))", updates=60),
    "cosine": _transformers(
        "cosine",
        "warmup(4, start=0).then(cosine(36))",
        "Up to its end: theirs rises again after it. With num_cycles=0.5; other numbers of waves "
        "go up and down as often, and have no spelling but from_function.",
        updates=41,
    ),
    "cosine_with_restarts": _transformers(
        "cosine_with_restarts",
        "warmup(4, start=0).then(restarts(12))",
        "Before its end, where theirs drops to 0 and this one would start again.",
        num_cycles=3,
    ),
    "polynomial": _transformers(
        "polynomial",
        "warmup(4, start=0).then(polynomial(36, exponent=2, floor=0.1))",
        updates=60,
        power=2.0,
        lr_end=0.1,
    ),
    "inverse_sqrt": Spelling(
        "warmup(4, start=0).then(power(timescale=4))",
        lambda n: torch_trace(
            lambda o: peer("transformers").get_scheduler("inverse_sqrt", o, 4), n
        ),
    ),
    "reduce_lr_on_plateau": Spelling(_PLATEAU, _transformers_plateau),
    "cosine_with_min_lr": _transformers(
        "cosine_with_min_lr",
        "warmup(4, start=0).then(cosine(36, floor=0.1))",
        "Up to its end: theirs rises again after it.",
        updates=41,
        min_lr_rate=0.1,
    ),
    "cosine_warmup_with_min_lr": _transformers(
        "cosine_warmup_with_min_lr",
        "warmup(4).then(cosine(36, floor=0.1), after=3)",
        "Up to its end, total - 1. With warmup_lr_rate=a the ramp is warmup(3, start=a).",
        min_lr_rate=0.1,
    ),
    "warmup_stable_decay": _transformers(
        "warmup_stable_decay",
        "warmup(4, start=0.1).then(wsd(36, 0, 10, floor=0.1, tail='sqrt'))",
        "Its warmup starts at the floor. The warmups 'cosine' and '1-sqrt' have no spelling but "
        "from_function.",
        updates=60,
        num_decay_steps=10,
        decay_type="1-sqrt",
        min_lr_ratio=0.1,
    ),
    "greedy": Spelling(
        note="Raises the rate too when a metric improves, within absolute bounds: neither a "
        "function of t nor a plateau rule, which only ever lowers it."
    ),
}

_TIMM_STEPS = {"decay_rate": 0.5, "warmup_t": 4, "warmup_prefix": True}
_TIMM_FALL = {"t_initial": 30, "lr_min": 0.1, "warmup_t": 4, "warmup_prefix": True, "updates": 60}

TIMM = {
    "CosineLRScheduler": _timm(
        "CosineLRScheduler",
        "warmup(4, start=0).then(cosine(30, floor=0.1))",
        "With warmup_prefix=True (otherwise it jumps at the end of the warmup). cycle_limit > 1: "
        "restarts(T, multiply, floor, decay). k_decay and noise have no spelling.",
        **_TIMM_FALL,
    ),
    "PolyLRScheduler": _timm(
        "PolyLRScheduler",
        "warmup(4, start=0).then(polynomial(30, exponent=0.5, floor=0.1))",
        "With warmup_prefix=True, one cycle, no k_decay, no noise.",
        **_TIMM_FALL,
    ),
    "StepLRScheduler": _timm(
        "StepLRScheduler",
        "warmup(4, start=0).then(step(6, 0.5))",
        decay_t=6,
        **_TIMM_STEPS,
    ),
    "MultiStepLRScheduler": _timm(
        "MultiStepLRScheduler",
        "warmup(4, start=0).then(multistep((9, 19), 0.5))",
        "timm acts one t before its milestone, here 10 and 20.",
        decay_t=[10, 20],
        **_TIMM_STEPS,
    ),
    "TanhLRScheduler": Spelling(
        note="A tanh that neither starts at the peak nor reaches its end: use from_function."
    ),
    "WSDLRScheduler": _timm(
        "WSDLRScheduler",
        "warmup(4, start=0).then(wsd(30, 0, 10, floor=0.1, tail='sqrt'))",
        "stable_fn='constant' and decay_fn '1-sqrt', 'linear' or 'cosine'; at lr_min=0 its "
        "'rsqrt' and 'power' are power(-p, timescale) * wsd(...). decay_fn 'power', 'exp': "
        "from_function.",
        updates=60,
        t_initial=30,
        decay_t=10,
        lr_min=0.1,
        warmup_t=4,
    ),
    "PlateauLRScheduler": Spelling(
        _PLATEAU, _timm_plateau, "Without its warmup and noise; it starts to look at epoch 1."
    ),
}


D2L = {
    "constant": formula(lambda t: 1.0, "constant()"),
    "SquareRootScheduler": formula(lambda t: formulas.d2l_square_root(t, 1.0), "power()"),
    "FactorScheduler": Spelling(
        "exponential(0.9, floor=0.05)",
        lambda n: formulas.d2l_factors(n, 0.9, 0.05),
        "Its first answer is already multiplied once: this one's value at t + 1.",
    ),
    "MultiStepLR": _torch(
        lambda o: lr_scheduler.MultiStepLR(o, [15, 30], 0.5), "multistep((15, 30), 0.5)"
    ),
    "CosineScheduler": formula(
        lambda t: formulas.d2l_cosine(t, 20, 1.0, 0.1), "cosine(20, floor=0.1)"
    ),
    "CosineScheduler with warmup": formula(
        lambda t: formulas.d2l_cosine(t, 20, 0.3, 0.01, warmup_steps=5) / 0.3,
        "warmup(5, start=0).then(cosine(15, floor=1 / 30))",
    ),
    "PolyScheduler": Spelling(note="Named in an exercise, defined nowhere; here it is polynomial."),
}


def _clr(mode, ours, **options):
    return formula(lambda t: formulas.clr(t, 7, 0.1, 1.0, mode, **options), ours)


CLR = {
    "triangular": _clr("triangular", "cyclical(7, 0.1)"),
    "triangular2": _clr("triangular2", "cyclical(7, 0.1, scale=triangular2)"),
    "exp_range": _clr("exp_range", "cyclical(7, 0.1, scale=exp_range(0.97))", gamma=0.97),
    "scale_fn": _clr(
        "triangular",
        "cyclical(7, 0.1, scale='helpers.formulas:one_over_cycle')",
        scale=lambda cycle: 1 / cycle,
    ),
}

SPELLINGS = {
    "torch": TORCH,
    "transformers": TRANSFORMERS,
    "timm": TIMM,
    "d2l": D2L,
    "clr": CLR,
    "fastai": FASTAI,
}
