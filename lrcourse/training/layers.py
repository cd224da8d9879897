"""Layers forward and backward without autograd's graph, with the bits that autograd gives.

Each method calls the kernels that autograd calls for its layer, on the same tensors in the same
order. A layer keeps what its backward pass needs until its next forward pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

_ops = torch.ops.aten
MEAN, NO_LABEL = 1, -100  # torch's numbers for its defaults: the mean, and labels left out


class Layer(Protocol):
    """What takes inputs X to outputs, and the slope of the loss at its outputs to that at X.

    Attributes:
        parameters: those that get a gradient; the slope at X is computed where it is `wanted`.
    """

    parameters: tuple[Tensor, ...]

    def forward(self, X: Tensor) -> Tensor: ...
    def backward(self, slope: Tensor, wanted: bool) -> Tensor | None: ...


class Linear:
    """A linear layer with its bias."""

    def __init__(self, layer: nn.Linear) -> None:
        self.parameters = self.weight, self.bias = layer.weight, layer.bias

    def forward(self, X: Tensor) -> Tensor:
        self.X = X
        return functional.linear(X, self.weight, self.bias)

    def backward(self, slope: Tensor, wanted: bool) -> Tensor | None:
        self.weight.grad, self.bias.grad = slope.t().mm(self.X), slope.sum(0)
        return slope.mm(self.weight) if wanted else None


class Convolution:
    """A convolution with its bias."""

    def __init__(self, layer: nn.Conv2d) -> None:
        self.parameters = self.weight, self.bias = layer.weight, _the(layer.bias)
        self.how: tuple[Any, ...] = (
            list(layer.stride),
            list(layer.padding),
            list(layer.dilation),
            False,  # not transposed, with no padding of the output
            [0, 0],
            layer.groups,
        )

    def forward(self, X: Tensor) -> Tensor:
        self.X = X
        return _ops.convolution.default(X, self.weight, self.bias, *self.how)

    def backward(self, slope: Tensor, wanted: bool) -> Tensor | None:
        before, weight, self.bias.grad = _ops.convolution_backward.default(
            slope, self.X, self.weight, [len(self.bias)], *self.how, [wanted, True, True]
        )
        self.weight.grad = _in_order_of(self.weight, weight)
        return before


class MaxPool:
    """Max pooling."""

    parameters = ()

    def __init__(self, layer: nn.MaxPool2d) -> None:
        sizes = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
        self.how = (*map(_both, sizes), layer.ceil_mode)

    def forward(self, X: Tensor) -> Tensor:
        self.X = X
        highest, self.places = _ops.max_pool2d_with_indices.default(X, *self.how)
        return highest

    def backward(self, slope: Tensor, wanted: bool) -> Tensor | None:
        return _ops.max_pool2d_with_indices_backward.default(slope, self.X, *self.how, self.places)


class Relu:
    """ReLU."""

    parameters = ()

    def __init__(self, layer: nn.ReLU) -> None: ...

    def forward(self, X: Tensor) -> Tensor:
        self.outputs = torch.relu(X)
        return self.outputs

    def backward(self, slope: Tensor, wanted: bool) -> Tensor | None:
        return _ops.threshold_backward.default(slope, self.outputs, 0)


class Flatten:
    """All numbers of an image in a row."""

    parameters = ()

    def __init__(self, layer: nn.Flatten) -> None: ...

    def forward(self, X: Tensor) -> Tensor:
        self.shape = X.shape
        return X.flatten(1)

    def backward(self, slope: Tensor, wanted: bool) -> Tensor | None:
        return slope.view(self.shape)


@torch.no_grad()
def cross_entropy_gradients(layers: Sequence[Layer], X: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Logits and mean loss of a batch; the parameters' gradients are left in them."""
    first = next(k for k, layer in enumerate(layers) if layer.parameters)
    logits = X
    for layer in layers:
        logits = layer.forward(logits)
    logs = torch.log_softmax(logits, 1)
    loss, counted = _ops.nll_loss_forward.default(logs, y, None, MEAN, NO_LABEL)

    one = torch.ones_like(loss)
    slope: Any = _ops.nll_loss_backward.default(one, logs, y, None, MEAN, NO_LABEL, counted)
    slope = _ops._log_softmax_backward_data.default(slope, logs, 1, logits.dtype)
    for k in range(len(layers) - 1, first - 1, -1):
        slope = layers[k].backward(slope, k > first)
    return logits, loss


def _in_order_of(parameter: Tensor, gradient: Tensor) -> Tensor:
    """The gradient in the parameter's order of memory, in which autograd keeps it."""
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)


def _both(size: int | tuple[int, ...]) -> list[int]:
    return [size, size] if isinstance(size, int) else list(size)


def _the(bias: Tensor | None) -> Tensor:
    assert bias is not None, "only layers with a bias come here"
    return bias
