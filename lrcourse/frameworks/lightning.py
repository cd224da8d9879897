"""For Lightning's Trainer."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from lrcourse.frameworks.watching import Watch

if TYPE_CHECKING:
    from lightning.pytorch import Callback  # pyright: ignore[reportMissingImports]


def for_lightning() -> Callback:
    """A callback for Lightning that lints the schedules, records the LR, and logs what is applied.

    Before the first update each finding of lint is a ScheduleWarning. Every `log_every_n_steps`
    updates the loggers of the Trainer get `lr_applied`. Several optimizers, as of a GAN, are
    watched each by itself, and logged as `optimizer 0/lr_applied` and so on.

    Returns:
        The callback; its `logs` are the records of the training, a `Watch` for each optimizer.

    Example:
        >>> from lrcourse import frameworks
        >>> def train(Trainer, module):
        ...     callback = frameworks.for_lightning()
        ...     Trainer(callbacks=[callback], max_epochs=3).fit(module)
        ...     return callback.logs[0].lr
    """
    from lightning.pytorch import Callback  # pyright: ignore[reportMissingImports]

    class LearningRate(Callback):
        def __init__(self) -> None:
            self.logs: list[Watch] = []
            self._open = ExitStack()

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            self.logs = [Watch(optimizer) for optimizer in trainer.optimizers]
            pairs = zip(trainer.optimizers, self.logs, strict=True)
            of_optimizer = {id(optimizer): log for optimizer, log in pairs}
            left = trainer.estimated_stepping_batches - trainer.global_step
            an_epoch = trainer.num_training_batches // trainer.accumulate_grad_batches
            for each in trainer.lr_scheduler_configs:
                log = of_optimizer[id(each.scheduler.optimizer)]
                epochs = each.interval == "epoch"
                every = an_epoch * each.frequency if epochs else each.frequency
                told = {"when": "epoch", "updates_per_epoch": int(every)} if every > 1 else {}
                log.examine(each.scheduler, int(left), **told)
            for log in self.logs:
                self._open.enter_context(log)

        def on_train_batch_end(
            self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
        ) -> None:
            made = trainer.global_step
            if made % trainer.log_every_n_steps or not any(map(len, self.logs)):
                return
            several = len(self.logs) > 1
            rates = {
                f"optimizer {k}/{name}" if several else name: lr
                for k, log in enumerate(self.logs)
                for name, lr in log.latest().items()
            }
            for logger in trainer.loggers:
                logger.log_metrics(rates, step=made)

        def on_train_end(self, trainer: Any, pl_module: Any) -> None:
            self._open.close()

        def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
            self._open.close()

    return LearningRate()
