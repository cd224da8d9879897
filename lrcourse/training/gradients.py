"""The gradient of one batch: by autograd, or written out for dense nets, which gives the same bits.

Half of an update of a small dense net is spent on autograd's graph, not on arithmetic. For linear
layers with ReLU between them and cross-entropy the kernels that autograd calls are few and known,
so they are called here in its order, without a graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules import module as all_modules

Loss = Callable[[Tensor, Tensor], Tensor]
Gradients = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

_ops = torch.ops.aten
MEAN, NO_LABEL = 1, -100  # torch's numbers for its defaults: the mean, and labels left out
_FORWARDS = (nn.Linear.forward, nn.ReLU.forward, nn.Flatten.forward)
_autograd = vars(torch._C)["_autograd"]
_saved_tensors_hooks = getattr(_autograd, "_top_saved_tensors_default_hooks", lambda _: None)
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def gradients_of(net: nn.Module, loss_fn: Loss, optimizer: torch.optim.Optimizer) -> Gradients:
    """What takes a batch (X, y) to its logits and mean loss, and leaves gradients in the net.

    Afterwards each parameter's `grad` is the gradient of this batch alone.
    """
    layers = dense_layers(net) if loss_fn is functional.cross_entropy else None
    cleared = {id(p) for group in optimizer.param_groups for p in group["params"]}
    clears_all = type(optimizer).zero_grad is torch.optim.Optimizer.zero_grad and all(
        id(p) in cleared for p in net.parameters()
    )
    has_others = layers is not None and len(cleared) > 2 * len(layers)

    def gradients(X: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        if layers is not None and clears_all and not _is_watched(layers):
            if has_others:
                optimizer.zero_grad(set_to_none=True)
            return _written_out(layers, X, y)
        logits = net(X)
        loss = loss_fn(logits, y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        return logits.detach(), loss.detach()

    return gradients


@torch.no_grad()
def _written_out(layers: Sequence[tuple[Tensor, Tensor]], X: Tensor, y: Tensor):
    """Forward and backward of a dense net, each line what autograd does for one operation."""
    inputs = [X.flatten(1)]
    *hidden, (weight, bias) = layers
    for w, b in hidden:
        inputs.append(torch.relu(functional.linear(inputs[-1], w, b)))
    logits = functional.linear(inputs[-1], weight, bias)
    logs = torch.log_softmax(logits, 1)
    loss, counted = _ops.nll_loss_forward.default(logs, y, None, MEAN, NO_LABEL)

    one = torch.ones_like(loss)
    slope = _ops.nll_loss_backward.default(one, logs, y, None, MEAN, NO_LABEL, counted)
    slope = _ops._log_softmax_backward_data.default(slope, logs, 1, logits.dtype)
    for k in range(len(layers) - 1, -1, -1):
        weight, bias = layers[k]
        weight.grad, bias.grad = slope.t().mm(inputs[k]), slope.sum(0)
        if k > 0:
            slope = _ops.threshold_backward.default(slope.mm(weight), inputs[k], 0)
    return logits, loss


def dense_layers(net: nn.Module) -> list[tuple[Tensor, Tensor]] | None:
    """Weight and bias of each linear layer of a plain dense net on the CPU; None for any other.

    Whatever could look on at autograd or change what it does makes a net another: hooks, frozen or
    shared parameters, a forward of one's own, autocast, a search for anomalies.
    """
    if type(net) is not nn.Sequential or len(net) % 2 or all_modules._has_any_global_hook():
        return None
    flatten, *chain = net
    kinds = [nn.Linear, nn.ReLU] * (len(chain) // 2) + [nn.Linear]
    is_dense = type(flatten) is nn.Flatten and (flatten.start_dim, flatten.end_dim) == (1, -1)
    is_dense = is_dense and [type(layer) for layer in chain] == kinds
    if not is_dense or any(map(_is_altered, net.modules())):
        return None
    if torch.is_autocast_enabled("cpu") or torch.is_anomaly_enabled():
        return None
    if (nn.Linear.forward, nn.ReLU.forward, nn.Flatten.forward) != _FORWARDS:
        return None
    layers: list[tuple[Tensor, Tensor]] = [
        (layer.weight, layer.bias) for layer in chain if isinstance(layer, nn.Linear)
    ]
    together = [p for layer in layers for p in layer]
    is_plain = all(map(_is_plain, together))
    return layers if is_plain and len(set(map(id, together))) == len(together) else None


def _is_watched(layers: Sequence[tuple[Tensor, Tensor]]) -> bool:
    """What may change in the middle of a run, such as a layer that is frozen then."""
    if not torch.is_grad_enabled() or _saved_tensors_hooks(True) is not None:
        return True
    return any(
        not p.requires_grad or p._backward_hooks or p._post_accumulate_grad_hooks  # type: ignore[attr-defined]
        for layer in layers
        for p in layer
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
        and parameter.is_contiguous()
        and not parameter._backward_hooks
        and not parameter._post_accumulate_grad_hooks
        and not _has_hooks_where_it_adds_up(parameter)
    )


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
