"""The schedule looked at before the first update, and the LR applied logged, where people train.

A callback for the Trainer of transformers, one for Lightning, a `with` block for loops on
accelerate, and the block behind them for any other loop. A framework is imported only by its own
function, when that is called.
"""

from lrcourse.frameworks.accelerate import for_accelerate
from lrcourse.frameworks.lightning import for_lightning
from lrcourse.frameworks.transformers import for_transformers
from lrcourse.frameworks.watching import Watch, to_tensorboard, watch

__all__ = [
    "Watch",
    "for_accelerate",
    "for_lightning",
    "for_transformers",
    "to_tensorboard",
    "watch",
]
