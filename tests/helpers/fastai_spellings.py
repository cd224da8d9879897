"""Every schedule of fastai: its spelling here, or why not; see spellings.py.

`theirs` is the formula, so that the table is checked without fastai, too; `real` asks fastai. Its
schedules are functions of the position in training, from 0 to 1, and t = 40 is the position 1.
"""

from __future__ import annotations

from types import SimpleNamespace

import torch

from helpers import formulas
from helpers.peers import METRICS, Spelling, fastai_learner, formula, peer

LENGTH = 40


def _at_positions(build):
    """The rates of a function of the position that `build` makes of fastai's module."""

    def real(n):
        function = build(peer("fastai.callback.schedule"))
        return [float(function(t / LENGTH)) for t in range(n)]

    return real


def fitted(fit, batches):
    """The rates that a training really uses, as fastai records them."""
    peer("fastai.callback.schedule")  # gives Learner its fit_... methods
    data = [[torch.zeros(1, 1), torch.zeros(1, 1)]] * batches
    learner = fastai_learner(torch.nn.Linear(1, 1), data, torch.nn.functional.mse_loss)
    fit(learner)
    return [float(rate) for rate in learner.recorder.hps["lr"]]


def _fitted(fit, batches):
    return lambda n: fitted(fit, batches)[:n]


def _plateau(n):
    rule = peer("fastai.callback.tracker").ReduceLROnPlateau(patience=3, factor=2)
    group = {"lr": 1.0}
    recorder = SimpleNamespace(metric_names=["epoch", "train_loss", "valid_loss"], values=[])
    rule.learn = SimpleNamespace(
        recorder=recorder, opt=SimpleNamespace(hypers=[group]), model=None, epoch=0
    )
    rule.before_fit()
    rates = []
    for metric in METRICS[:n]:
        recorder.values.append([0.0, metric])
        rule.after_epoch()
        rates.append(group["lr"])
    return rates


FASTAI = {
    "SchedNo": formula(
        lambda t: 1.0, "constant()", real=_at_positions(lambda fastai: fastai.SchedNo(1, 1))
    ),
    "SchedLin": formula(
        lambda t: formulas.fastai_lin(1, 0.1, t / LENGTH),
        "linear(40, floor=0.1)",
        updates=41,
        real=_at_positions(lambda fastai: fastai.SchedLin(1, 0.1)),
    ),
    "SchedCos": formula(
        lambda t: formulas.fastai_cos(1, 0.1, t / LENGTH),
        "cosine(40, floor=0.1)",
        updates=41,
        real=_at_positions(lambda fastai: fastai.SchedCos(1, 0.1)),
    ),
    "SchedExp": formula(
        lambda t: formulas.fastai_exp(1, 0.1, t / LENGTH),
        "exponential(0.1 ** (1 / 40), floor=0.1)",
        "Rising it is warmup(n, start, ramp='geometric').",
        updates=41,
        real=_at_positions(lambda fastai: fastai.SchedExp(1, 0.1)),
    ),
    "SchedPoly": formula(
        lambda t: formulas.fastai_poly(0.1, 1, t / LENGTH, 3),
        "warmup(40, start=0.1, ramp='power', exponent=3)",
        "Rising only: falling it is 1 - (t/T)**p, not polynomial's (1 - t/T)**p; from_function.",
        updates=41,
        real=_at_positions(lambda fastai: fastai.SchedPoly(0.1, 1, 3)),
    ),
    "combine_scheds": formula(
        lambda t: formulas.fastai_up_and_down(t, 10, LENGTH),
        "warmup(10, start=0.1).then(cosine(30))",
        updates=41,
        real=_at_positions(
            lambda fastai: fastai.combine_scheds(
                [0.25, 0.75], [fastai.SchedLin(0.1, 1), fastai.SchedCos(1, 0)]
            )
        ),
    ),
    "combined_cos": formula(
        lambda t: formulas.fastai_combined_cos(t / LENGTH, 0.25, 0.1, 1, 0.2),
        "one_cycle(41, warmup=11 / 41, start=0.1, end=0.2)",
        "Where its middle is the highest; else a sum of cosines by from_function.",
        updates=41,
        real=_at_positions(lambda fastai: fastai.combined_cos(0.25, 0.1, 1, 0.2)),
    ),
    "fit_one_cycle": formula(
        lambda t: formulas.fastai_combined_cos(t / LENGTH, 0.25, 1 / 25, 1, 1e-5),
        "one_cycle(41, warmup=11 / 41, end=1e-5)",
        "Of 41 updates the last, at the lowest rate, is never made. Without its momentum.",
        real=_fitted(lambda learner: learner.fit_one_cycle(4), 10),
    ),
    "fit_flat_cos": formula(
        lambda t: formulas.fastai_combined_cos(t / LENGTH, 0.75, 1, 1, 1e-5),
        "constant().then(cosine(10, floor=1e-5), after=30)",
        real=_fitted(lambda learner: learner.fit_flat_cos(4), 10),
    ),
    "fit_sgdr": formula(
        lambda t: formulas.fastai_sgdr(t, 5, 3),
        "restarts(5, multiply=3)",
        "Its limits are rounded to float32, so that a restart may come one update late.",
        updates=20,
        real=_fitted(lambda learner: learner.fit_sgdr(2, 1, cycle_mult=3), 5),
    ),
    "fine_tune": Spelling(
        note="Two trainings, each a fit_one_cycle: the first with the body frozen and "
        "pct_start=0.99, the second at half the rate with div=5 and pct_start=0.3."
    ),
    "ReduceLROnPlateau": Spelling(
        "plateau(0.5, patience=2, threshold=0)",
        _plateau,
        "Patience p there is p - 1 here, and factor 2 there is 0.5 here. Its min_delta, 0 if not "
        "given, is absolute, and the threshold relative.",
        updates=len(METRICS),
    ),
}
