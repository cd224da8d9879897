"""For the Trainer of transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lrcourse.frameworks.watching import Watch
from lrcourse.support.checks import shown

if TYPE_CHECKING:
    from transformers import (  # pyright: ignore[reportMissingImports]
        Trainer,
        TrainerCallback,
    )


def for_transformers(trainer: Trainer) -> TrainerCallback:
    """Add a callback to a Trainer: it lints the schedule, records the LR, and adds it to the logs.

    Before the first update each finding of lint is a ScheduleWarning. Wherever the Trainer logs
    (`state.log_history`, TensorBoard, the progress bar, each reporter of `report_to`), the log has
    `lr_applied` beside `learning_rate`: what the latest update used beside what the scheduler says
    of the next one. The callback goes before the others, as the reporters log in their order.

    Args:
        trainer: before its `train()`.

    Returns:
        The callback; its `log` is the record of the training, a `Watch`: `log.lr`,
        `log.against(shape)`.

    Raises:
        TypeError: for what is no Trainer.

    Example:
        >>> from lrcourse import frameworks
        >>> def train(trainer):
        ...     callback = frameworks.for_transformers(trainer)
        ...     trainer.train()
        ...     return callback.log.lr
    """
    if not hasattr(getattr(trainer, "callback_handler", None), "callbacks"):
        raise TypeError(
            f"for_transformers: trainer must be a Trainer of transformers; got {shown(trainer)}"
        )
    from transformers import TrainerCallback  # pyright: ignore[reportMissingImports]

    class LearningRate(TrainerCallback):
        log: Watch | None = None

        def on_train_begin(self, args: Any, state: Any, control: Any, **now: Any) -> None:
            self.log = Watch(now["optimizer"])
            self.log.examine(now["lr_scheduler"], state.max_steps - state.global_step)
            self.log.__enter__()

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **now: Any) -> None:
            if self.log is not None and logs is not None and "learning_rate" in logs:
                for kept in (logs, state.log_history[-1]):
                    kept.update(self.log.latest())

        def on_train_end(self, args: Any, state: Any, control: Any, **now: Any) -> None:
            if self.log is not None:
                self.log.__exit__(None, None, None)

    callback = LearningRate()
    trainer.callback_handler.callbacks.insert(0, callback)
    return callback
