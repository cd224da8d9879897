"""Dense nets side by side on a CPU: a stack whose members have the bits of runs alone.

Each layer's weights of all members lie in one tensor, of which the weights of each net are a part.
The kernels are those of `lrcourse.training.gradients`, each once for all members, and one optimizer
of torch's holds each member as a parameter group. So what a small net spends on calls is shared.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from lrcourse import optimizers
from lrcourse.data.sets import Split
from lrcourse.sweeps.experiment import Experiment
from lrcourse.training import measuring
from lrcourse.training.gradients import dense_layers
from lrcourse.training.layers import MEAN, NO_LABEL

Layer = tuple[Tensor, Tensor, Tensor, Tensor]  # weights, biases and the gradient of each


class SideBySide:
    """The nets of a stack and the optimizer of them all.

    Attributes:
        layers: of each linear layer the weights, shape (members, outputs, inputs), with their
            gradients, and the biases, shape (members, outputs), with theirs; the nets' parameters
            are parts of these.
    """

    def __init__(self, nets: Sequence[nn.Module], experiments: Sequence[Experiment]) -> None:
        self.nets, base = nets, experiments[0]
        groups = [
            {"params": list(net.parameters()), "lr": one.lr}
            for net, one in zip(nets, experiments, strict=True)
        ]
        pairs = [dense_layers(net) or [] for net in nets]
        self.layers: list[Layer] = [
            (*_together([w for w, _ in layer]), *_together([b for _, b in layer]))
            for layer in zip(*pairs, strict=True)
        ]
        self.optimizer = optimizers.torch_optimizer(
            base.optimizer, groups, base.lr, **base.optimizer_options
        )

    @torch.no_grad()
    def update(self, rates: Tensor, X: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One update of each member on its own batch.

        Args:
            rates: the LR of each.
            X, y: images, shape (members, batch, ...), and labels, shape (members, batch).

        Returns:
            The LR that each used, its loss, and how many of its images were classified correctly.
        """
        inputs = [X.flatten(2)]
        *hidden, (weights, _, biases, _) = self.layers
        for w, _, b, _ in hidden:
            inputs.append(torch.baddbmm(b[:, None], inputs[-1], w.mT).relu_())
        logits = torch.baddbmm(biases[:, None], inputs[-1], weights.mT)
        logs = torch.log_softmax(logits.flatten(0, 1), 1)
        losses = torch.stack(list(map(functional.nll_loss, logs.view_as(logits), y)))
        slope = _slope(logs, y.flatten(), batch=y.shape[1]).view_as(logits)
        for k in range(len(self.layers) - 1, -1, -1):
            weights, of_weights, _, of_biases = self.layers[k]
            torch.bmm(slope.mT, inputs[k], out=of_weights)
            torch.sum(slope, 1, out=of_biases)
            if k > 0:
                slope = torch.ops.aten.threshold_backward(torch.bmm(slope, weights), inputs[k], 0)
        for group, lr in zip(self.optimizer.param_groups, rates.tolist(), strict=True):
            group["lr"] = lr
        self.optimizer.step()
        used = [group["lr"] for group in self.optimizer.param_groups]
        right = (logits.argmax(2) == y).sum(1)
        return torch.tensor(used, dtype=torch.float64), losses, right

    def measure(self, chosen: Sequence[int], split: Split) -> tuple[list[float], list[float]]:
        """Mean loss and accuracy on a split, in eval mode, of each chosen member."""
        measured = [measuring.evaluate_on(self.nets[member], split) for member in chosen]
        return [loss for loss, _ in measured], [accuracy for _, accuracy in measured]

    def norms(self, chosen: Sequence[int]) -> list[float]:
        """The Euclidean norm of all parameters of each chosen member."""
        return [measuring.norm_of(self.nets[member]) for member in chosen]


def _slope(logs: Tensor, y: Tensor, batch: int) -> Tensor:
    """The gradient of each member's mean loss with respect to its logits, one below the other."""
    ops, one, counted = torch.ops.aten, torch.ones(()), torch.tensor(float(batch))
    slope = ops.nll_loss_backward(one, logs, y, None, MEAN, NO_LABEL, counted)
    return ops._log_softmax_backward_data(slope, logs, 1, logs.dtype)


def _together(parameters: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """One tensor of all of them, of which each becomes a part, and one of their gradients."""
    home = torch.stack([parameter.detach() for parameter in parameters])
    gradients = torch.zeros_like(home)
    for parameter, own, gradient in zip(parameters, home, gradients, strict=True):
        parameter.data, parameter.grad = own, gradient
    return home, gradients


def fits(net: nn.Module, batch_size: int, samples: int, members: int) -> bool:
    """Whether members of this net, side by side, have the bits of runs alone on this processor."""
    layers = dense_layers(net)
    if layers is None:
        return False
    sides = tuple(tuple(weight.shape) for weight, _ in layers)
    last = samples % batch_size or batch_size
    return all(_same_bits(side, rows, members) for side in sides for rows in (batch_size, last))


@functools.lru_cache(maxsize=1024)
def _same_bits(side: tuple[int, int], rows: int, members: int) -> bool:
    """Whether products of matrices of these shapes have the same bits one by one and together."""
    outputs, inputs = side
    drawn = torch.Generator().manual_seed(0)
    X = torch.randn(members, rows, inputs, generator=drawn)
    weights = torch.randn(members, outputs, inputs, generator=drawn)
    biases = torch.randn(members, outputs, generator=drawn)
    slope = torch.randn(members, rows, outputs, generator=drawn)
    together = (
        torch.baddbmm(biases[:, None], X, weights.mT),
        torch.bmm(slope.mT, X),
        torch.bmm(slope, weights),
        slope.sum(1),
        torch.log_softmax(slope.flatten(0, 1), 1).view_as(slope),
    )
    for k in range(members):
        alone = (
            torch.addmm(biases[k], X[k].clone(), weights[k].clone().t()),
            slope[k].clone().t().mm(X[k].clone()),
            slope[k].clone().mm(weights[k].clone()),
            slope[k].clone().sum(0),
            torch.log_softmax(slope[k].clone(), 1),
        )
        if not all(map(torch.equal, alone, (each[k] for each in together))):
            return False
    return True
