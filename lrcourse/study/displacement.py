"""How far each layer's weights have moved: from their start, and in each update.

    with Displacement(net, optimizer) as moved:
        training.fit(net, images, optimizer, epochs=1)      # or a loop of your own
    moved.names             # of the weights, from the input to the output
    moved.from_start        # (updates, layers): |w - w at the start| / |w at the start|
    moved.steps             # (updates, layers): |w - w before the update| / |w before the update|
    displacement_of(experiment)                             # the same for a whole `Experiment`

Gotmare et al. 2018 (arXiv 1810.13243) say that warmup mainly keeps the deepest layers from moving
far; this measures it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from lrcourse.recorder import Hooked
from lrcourse.support.checks import TEXT, arguments, kind, optional
from lrcourse.support.kinds import NET, OPTIMIZER
from lrcourse.sweeps import Experiment


class Displacement(Hooked):
    """Watch a net's weights inside every update of `optimizer`, whatever loop makes it.

    Weights are the parameters with two dimensions or more: matrices and kernels, not biases, nor
    the scales and shifts of BatchNorm. The optimizer is not changed: two hooks that torch offers
    read the weights, and they are taken off again at the end, also after an error.

    Attributes:
        names: of the weights, in the order of `net.named_parameters()`.

    Raises:
        TypeError: for what is no net or no optimizer.
        ValueError: for a net without such weights, or with weights that are 0.

    >>> import torch
    >>> from lrcourse.study.displacement import Displacement
    >>> net = torch.nn.Linear(2, 1, bias=False)
    >>> _ = torch.nn.init.ones_(net.weight)
    >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> with Displacement(net, optimizer) as moved:
    ...     net(torch.ones(2)).sum().backward()
    ...     optimizer.step()
    >>> moved.steps.round(3)  # each weight from 1 to 0.9
    array([[0.1]])
    """

    @arguments(net=NET, optimizer=OPTIMIZER)
    def __init__(self, net: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        super().__init__()
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
        self._start = self._last = self._copies()
        self._from_start: list[list[float]] = []
        self._steps: list[list[float]] = []

    def _hooks(self) -> Iterator[RemovableHandle]:
        yield self._optimizer.register_step_pre_hook(self._before)
        yield self._optimizer.register_step_post_hook(self._after)

    def _copies(self) -> list[torch.Tensor]:
        return [w.detach().clone() for w in self._weights]

    def _before(self, *_: object) -> None:
        self._last = self._copies()

    def _after(self, *_: object) -> None:
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


@arguments(experiment=kind("an Experiment", Experiment), device=optional(TEXT))
def displacement_of(experiment: Experiment, device: str | None = None) -> Displacement:
    """Train an `Experiment` from fresh weights and say how far its layers moved.

    It makes the updates of `experiment.run(device)`, evaluations included; with
    `experiment.but(evaluate=None)` it is quicker.

    >>> from lrcourse.study.displacement import displacement_of
    >>> from lrcourse.sweeps import Experiment
    >>> moved = displacement_of(Experiment(images=64, epochs=1, evaluate=None), "cpu")
    >>> moved.steps.shape  # of two updates, for each layer
    (2, 5)
    """
    net, optimizer, data = experiment.build(device)
    with Displacement(net, optimizer) as moved:
        experiment.train(net, optimizer, data)
    return moved
