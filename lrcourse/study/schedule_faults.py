"""Four loops that apply another rate than the one that was meant. None of them raises an error.

    meant, applied = rates_of("late").values()

    drawn   the scheduler is stepped through for a plot, and then given to the loop
    late    after epoch k the loop sets `group["lr"] = peak * shape(k)`: everything is an epoch late
    unit    a schedule of so many updates is stepped once per epoch
    end     torch's CosineAnnealingLR, and training goes on past its T_max: the rate rises again

The first two are those of "Dive into Deep Learning" (see `d2l_reference`). Chapter 2 uses this
module.
"""

from __future__ import annotations

import numpy as np
import torch

from lrcourse import schedules as s
from lrcourse.study.arguments import measuring
from lrcourse.support.checks import POSITIVE, one_of, whole

FAULTS = ("drawn", "late", "unit", "end")


@measuring(fault=one_of(*FAULTS), peak=POSITIVE, epochs=whole(5, 10**4), per_epoch=whole(1, 10**4))
def rates_of(
    fault: str, peak: float = 0.3, epochs: int = 15, per_epoch: int = 34
) -> dict[str, np.ndarray]:
    """The rates "meant" and "applied" by a loop with this fault, both of shape (updates,).

    The loop steps torch's own schedulers, without a net. What is meant is a cosine to a thirtieth
    of the peak over the whole run; for "late" it follows a warmup over three epochs, counted in
    epochs, and for "end" it is over after two thirds of the run.

    Args:
        fault: one of `FAULTS`.
        peak: the rate that the optimizer is given.
        epochs: of the run, 5 or more.
        per_epoch: updates in each.

    >>> from lrcourse.study.schedule_faults import rates_of
    >>> print(*rates_of("late")["applied"][[0, 34, 68, 102]].round(3))
    0.3 0.0 0.1 0.2
    """
    updates = epochs * per_epoch
    length = 2 * updates // 3 if fault == "end" else updates
    meant, floor = s.cosine(length, floor=1 / 30), peak / 30
    by_epoch = s.warmup(3, start=0).then(s.cosine(epochs - 3, floor=1 / 30))
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=peak)
    scheduler = s.to_torch(meant, optimizer)
    if fault == "drawn":
        for _ in range(updates):
            optimizer.step()
            scheduler.step()
    if fault == "late":
        meant = s.from_function(lambda t: by_epoch(t // per_epoch))
        optimizer.param_groups[0]["lr"] = peak
    if fault == "end":
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, length, eta_min=floor)
    applied = []
    for t in range(updates):
        applied.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        epoch_ends = t % per_epoch == per_epoch - 1
        if fault in ("drawn", "end") or (fault == "unit" and epoch_ends):
            scheduler.step()
        if fault == "late" and epoch_ends:
            optimizer.param_groups[0]["lr"] = peak * by_epoch(t // per_epoch)
    return {"meant": peak * meant(np.arange(updates)), "applied": np.array(applied)}
