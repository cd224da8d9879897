"""A schedule as a scheduler of torch, for a training loop of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrcourse.schedules.base import SCHEDULE
from lrcourse.support.checks import arguments

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LambdaLR

    from lrcourse.schedules.base import Schedule


@arguments(shape=SCHEDULE)
def to_torch(shape: Schedule, optimizer: Optimizer) -> LambdaLR:
    """The schedule `shape` as a torch LambdaLR on `optimizer`, for a training loop of one's own.

    Each parameter group's own learning rate is multiplied, so rates per group survive. As every
    torch scheduler it sets the rate for t = 0 when it is built; call its `step()` once after each
    update (or epoch: then t counts epochs). It pickles; its state_dict holds plain data, and
    loading one restores t. The shape is not part of it: build the same one before loading. Load
    the optimizer's state too: torch leaves its learning rate as it is.

    Example:
        >>> import torch
        >>> from lrcourse import schedules as s
        >>> net = torch.nn.Linear(2, 1)
        >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        >>> scheduler = s.to_torch(s.warmup(2), optimizer)
        >>> scheduler.get_last_lr()
        [0.05]
        >>> optimizer.step()
        >>> scheduler.step()
        >>> scheduler.get_last_lr()
        [0.1]
    """
    from torch.optim.lr_scheduler import LambdaLR  # torch takes a second to import

    from lrcourse.support.kinds import OPTIMIZER

    OPTIMIZER("to_torch", "optimizer", optimizer)

    # The bound method, not the shape: LambdaLR's load_state_dict would write into the shape.
    return LambdaLR(optimizer, lr_lambda=shape.__call__)
