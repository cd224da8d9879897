"""The formulas of libraries that are not installed for the tests, written anew from their text."""

from __future__ import annotations

import math


def halving(t: float) -> float:
    """Any function of t that a user might hand to LambdaLR."""
    return 0.5 ** (t // 4)


def one_over_cycle(cycle: int, t: float) -> float:
    """Any scale that a user might hand to a cyclical rate."""
    return 1 / cycle


def clr(t, half_cycle, base_lr=0.001, max_lr=0.006, mode="triangular", gamma=0.99994, scale=None):
    """bckenstler/CLR; `scale` is its scale_fn, of the cycle."""
    cycle = math.floor(1 + t / (2 * half_cycle))
    x = abs(t / half_cycle - 2 * cycle + 1)
    heights = {"triangular": 1, "triangular2": 1 / 2 ** (cycle - 1), "exp_range": gamma**t}
    height = heights[mode] if scale is None else scale(cycle)
    return base_lr + (max_lr - base_lr) * max(0, 1 - x) * height


# D2L, "Learning Rate Scheduling".


def d2l_square_root(t, lr=0.1):
    return lr * (t + 1) ** -0.5


class D2LFactor:
    """Has a state: each call multiplies, so that asking twice gives two answers."""

    def __init__(self, factor=1.0, stop=1e-7, base=0.1):
        self.factor, self.stop, self.base = factor, stop, base

    def __call__(self, t):
        self.base = max(self.stop, self.base * self.factor)
        return self.base


def d2l_factors(updates, factor, stop):
    """The peak, and then each answer: the first of them is already multiplied once."""
    scheduler = D2LFactor(factor, stop, 1.0)
    return [1.0] + [scheduler(t) for t in range(updates - 1)]


def d2l_cosine(t, max_update, base=0.01, final=0.0, warmup_steps=0, warmup_begin=0.0):
    if t < warmup_steps:
        return warmup_begin + (base - warmup_begin) * t / warmup_steps
    along = (min(t, max_update) - warmup_steps) / (max_update - warmup_steps)
    return final + (base - final) * (1 + math.cos(math.pi * along)) / 2


# pytorch_warmup: the factor by which it dampens whatever schedule is underneath.


def damp_linear(t, period):
    return min(1.0, (t + 1) / period)


def damp_exponential(t, tau):
    return 1 - math.exp(-(t + 1) / tau)


def untuned_linear_period(beta2):
    return int(2 / (1 - beta2))


def untuned_exponential_tau(beta2):
    return int(1 / (1 - beta2))


def nano_gpt(t, lr, warmup_iters, lr_decay_iters, min_lr):
    if t < warmup_iters:
        return lr * (t + 1) / (warmup_iters + 1)
    if t > lr_decay_iters:
        return min_lr
    along = (t - warmup_iters) / (lr_decay_iters - warmup_iters)
    return min_lr + 0.5 * (1 + math.cos(math.pi * along)) * (lr - min_lr)


def article_warmup_cosine(t, warmup, total, lr_init, lr_end):
    """The two-stage form of the warmup article, whose counter starts at 1."""
    n = t + 1
    if n < warmup:
        return n / warmup * lr_init
    along = (n - warmup) / (total - warmup)
    return lr_end + 0.5 * (lr_init - lr_end) * (1 + math.cos(math.pi * along))


# fastai: schedules of the position in [0, 1], put together by its fit_... methods.


def fastai_lin(start, end, position):
    return start + position * (end - start)


def fastai_cos(start, end, position):
    return start + (1 + math.cos(math.pi * (1 - position))) * (end - start) / 2


def fastai_exp(start, end, position):
    return start * (end / start) ** position


def fastai_poly(start, end, position, power):
    return start + (end - start) * position**power


def fastai_up_and_down(t, up, total):
    """combine_scheds of a line up from 0.1 and a cosine down."""
    if t < up:
        return fastai_lin(0.1, 1, t / up)
    return fastai_cos(1, 0, (t - up) / (total - up))


def fastai_combined_cos(position, pct, start, middle, end):
    if position < pct:
        return fastai_cos(start, middle, position / pct)
    return fastai_cos(middle, end, (position - pct) / (1 - pct))


def fastai_sgdr(t, cycle_len, cycle_mult):
    while t >= cycle_len:
        t -= cycle_len
        cycle_len *= cycle_mult
    return fastai_cos(1, 0, t / cycle_len)
