"""How far each layer's weights have moved: from their start, and in each update.

    with Displacement(net, optimizer) as moved:
        training.fit(net, images, optimizer, epochs=1)      # or a loop of your own
    moved.names             # of the weights, from the input to the output
    moved.from_start        # (updates, layers): |w - w at the start| / |w at the start|
    moved.steps             # (updates, layers): |w - w before the update| / |w before the update|
    displacement_of(experiment)                             # the same for a whole ``Experiment``

Gotmare et al. 2018 (arXiv 1810.13243) say that warmup mainly keeps the deepest layers from moving
far; this measures it.
"""

from __future__ import annotations

from types import TracebackType

import numpy as np
import torch
from torch import nn

from lrcourse.sweeps.experiment import Experiment


class Displacement:
    """Watch a net's weights inside every update of ``optimizer``, whatever loop makes it.

    Weights are the parameters with two dimensions or more: matrices and kernels, not biases, nor
    the scales and shifts of BatchNorm. The optimizer is not changed: two hooks that torch offers
    read the weights, and they are taken off again at the end, also after an error.

    Attributes:
        names: of the weights, in the order of ``net.named_parameters()``.
    """

    def __init__(self, net: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        weights = {name: w for name, w in net.named_parameters() if w.dim() >= 2}
        if not weights:
            raise ValueError("this net has no weights of two dimensions or more to watch")
        if zero := [name for name, w in weights.items() if not float(w.detach().norm()) > 0]:
            raise ValueError(
                f"{', '.join(zero)} is 0 (or NaN) at the start: a relative displacement needs "
                f"weights that are not"
            )
        self.names = tuple(weights)
        self._weights = list(weights.values())
        self._optimizer = optimizer
        self._start = [w.detach().clone() for w in self._weights]
        self._from_start: list[list[float]] = []
        self._steps: list[list[float]] = []

    def __enter__(self) -> Displacement:
        self._handles = (
            self._optimizer.register_step_pre_hook(self._before),
            self._optimizer.register_step_post_hook(self._after),
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for handle in self._handles:
            handle.remove()

    def _before(self, optimizer: torch.optim.Optimizer, args: tuple, kwargs: dict) -> None:
        self._last = [w.detach().clone() for w in self._weights]

    def _after(self, optimizer: torch.optim.Optimizer, args: tuple, kwargs: dict) -> None:
        self._from_start.append(self._away(self._start))
        self._steps.append(self._away(self._last))

    def _away(self, places: list[torch.Tensor]) -> list[float]:
        pairs = zip(self._weights, places, strict=True)
        return [float((w.detach() - w0).norm() / w0.norm()) for w, w0 in pairs]

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def from_start(self) -> np.ndarray:
        """Distance from the start over the length at the start, shape (updates, layers)."""
        return np.array(self._from_start).reshape(-1, len(self.names))

    @property
    def steps(self) -> np.ndarray:
        """Length of each update over that of the weights before it, shape (updates, layers)."""
        return np.array(self._steps).reshape(-1, len(self.names))


def displacement_of(experiment: Experiment, device: str | None = None) -> Displacement:
    """Train an ``Experiment`` from fresh weights and say how far its layers moved.

    It makes the updates of ``experiment.run(device)``, evaluations included; with
    ``experiment.but(evaluate=None)`` it is quicker.
    """
    net, optimizer, data = experiment.build(device)
    with Displacement(net, optimizer) as moved:
        experiment.train(net, optimizer, data)
    return moved
