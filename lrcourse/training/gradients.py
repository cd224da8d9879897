"""The gradient of one batch: by autograd, or written out for the common layers, bit for bit.

Much of an update of a small net is spent on autograd's graph, not on arithmetic. For linear and
convolutional layers, max pooling and ReLU under cross-entropy the kernels that autograd calls are
few and known, so `layers` calls them in its order, without a graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules import module as all_modules

from lrcourse.training import layers as written_out
from lrcourse.training.layers import Layer, cross_entropy_gradients

Loss = Callable[[Tensor, Tensor], Tensor]
Gradients = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

OF_IMAGES: dict[type, Callable[..., Layer]] = {
    nn.Conv2d: written_out.Convolution,
    nn.MaxPool2d: written_out.MaxPool,
    nn.ReLU: written_out.Relu,
}
OF_ROWS: dict[type, Callable[..., Layer]] = {
    nn.Linear: written_out.Linear,
    nn.ReLU: written_out.Relu,
}
WRITTEN_OUT: dict[type, Callable[..., Layer]] = (
    OF_IMAGES | OF_ROWS | {nn.Flatten: written_out.Flatten}
)
_FORWARDS = {kind: kind.forward for kind in WRITTEN_OUT}
_CONVOLVE = nn.Conv2d._conv_forward
_autograd = vars(torch._C)["_autograd"]
_saved_tensors_hooks = getattr(_autograd, "_top_saved_tensors_default_hooks", lambda _: None)
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def gradients_of(net: nn.Module, loss_fn: Loss, optimizer: torch.optim.Optimizer) -> Gradients:
    """What takes a batch (X, y) to its logits and mean loss, and leaves gradients in the net.

    Afterwards each parameter's `grad` is the gradient of this batch alone.
    """
    layers = layers_of(net) if loss_fn is functional.cross_entropy else None
    own = list(net.parameters())
    cleared = {id(p) for group in optimizer.param_groups for p in group["params"]}
    clears_all = type(optimizer).zero_grad is torch.optim.Optimizer.zero_grad and all(
        id(p) in cleared for p in own
    )
    has_others = len(cleared) > len(own)

    def gradients(X: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if layers is not None and clears_all and not _is_watched(own):
            if has_others:
                optimizer.zero_grad(set_to_none=True)
            return cross_entropy_gradients(layers, X, y)
        logits = net(X)
        loss = loss_fn(logits, y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        return logits.detach(), loss.detach()

    return gradients


def layers_of(net: nn.Module) -> list[Layer] | None:
    """The layers of a plain net on the CPU, to be gone through without a graph; None for others.

    Plain are layers of images (`OF_IMAGES`), then Flatten, then layers of rows (`OF_ROWS`) up to
    the logits. Whatever could look on at autograd or change what it does makes a net another:
    hooks, frozen or shared parameters, a forward of one's own, autocast, a search for anomalies.
    """
    if type(net) is not nn.Sequential or all_modules._has_any_global_hook():
        return None
    kinds = [type(layer) for layer in net]
    if kinds.count(nn.Flatten) != 1 or kinds[-1] is not nn.Linear:
        return None
    middle = kinds.index(nn.Flatten)
    images, rows = kinds[:middle], kinds[middle + 1 :]
    is_plain = OF_IMAGES.keys() >= set(images) and OF_ROWS.keys() >= set(rows)
    if not is_plain or not all(map(_is_usual, net)) or any(map(_is_altered, net.modules())):
        return None
    if torch.is_autocast_enabled("cpu") or torch.is_anomaly_enabled():
        return None
    if {kind: kind.forward for kind in WRITTEN_OUT} != _FORWARDS:
        return None
    if nn.Conv2d._conv_forward is not _CONVOLVE:
        return None
    learned = [p for layer in net for p in layer._parameters.values()]
    if not all(map(_is_plain, learned)) or len(set(map(id, learned))) < len(learned):
        return None
    return [WRITTEN_OUT[type(layer)](layer) for layer in net]


def dense_layers(net: nn.Module) -> list[tuple[Tensor, Tensor]] | None:
    """Weight and bias of each linear layer, where they and ReLU take turns; None for other nets."""
    layers = layers_of(net)
    if layers is None:
        return None
    linear = [layer for layer in layers if isinstance(layer, written_out.Linear)]
    taking_turns = [written_out.Flatten]
    taking_turns += [written_out.Linear, written_out.Relu] * (len(linear) - 1) + [
        written_out.Linear
    ]
    if [type(layer) for layer in layers] != taking_turns:
        return None
    return [layer.parameters for layer in linear]


def _is_usual(layer: nn.Module) -> bool:
    """Whether the layer's own options are those that are written out."""
    match layer:
        case nn.Flatten():
            return (layer.start_dim, layer.end_dim) == (1, -1)
        case nn.Conv2d():
            return layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
        case nn.MaxPool2d():
            return not layer.return_indices
    return True


def _is_watched(parameters: Sequence[Tensor]) -> bool:
    """What may change in the middle of a run, such as a layer that is frozen then."""
    if not torch.is_grad_enabled() or _saved_tensors_hooks(True) is not None:
        return True
    return any(
        not p.requires_grad or p._backward_hooks or p._post_accumulate_grad_hooks  # type: ignore[attr-defined]
        for p in parameters
    )


def _is_altered(layer: nn.Module) -> bool:
    return (
        "forward" in vars(layer)
        or layer._compiled_call_impl is not None
        or any(getattr(layer, hooks) for hooks in _HOOKS)
    )


def _is_plain(parameter: Tensor | None) -> bool:
    return (
        type(parameter) is nn.Parameter
        and parameter.requires_grad
        and parameter.dtype == torch.float32
        and parameter.device.type == "cpu"
        and _is_dense(parameter)
        and not parameter._backward_hooks
        and not parameter._post_accumulate_grad_hooks
        and not _has_hooks_where_it_adds_up(parameter)
    )


def _is_dense(parameter: Tensor) -> bool:
    images_last = parameter.dim() == 4 and parameter.is_contiguous(
        memory_format=torch.channels_last
    )
    return images_last or parameter.is_contiguous()


def _has_hooks_where_it_adds_up(parameter: Tensor) -> bool:
    """Whether hooks hang on the node of autograd's that adds to the parameter's gradient."""
    with torch.enable_grad():
        node: Any = parameter.view_as(parameter).grad_fn
    node = node.next_functions[0][0]
    for register in (node.register_hook, node.register_prehook):
        handle = register(lambda *_: None)  # torch tells of the others through a handle alone
        there = len(handle.hooks_dict_ref())
        handle.remove()
        if there > 1:
            return True
    return False
