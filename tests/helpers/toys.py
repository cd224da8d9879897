"""Small nets, batches and fingerprints that the tests of the range test share."""

import random

import numpy as np
import torch
from torch import nn

torch.manual_seed(0)
X = torch.randn(64, 6)
Y = (X @ torch.randn(6, 3)).argmax(1)
BATCHES = list(zip(X.split(8), Y.split(8), strict=True))


def net_of(seed=0, dropout=0.0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(dropout), nn.Linear(12, 3)
        )


def sgd(net, lr=0.1, **options):
    return torch.optim.SGD(net.parameters(), lr=lr, **options)


def fingerprint(net, optimizer):
    """Everything of a net and its optimizer, by other means than the package's."""
    tensors = [*net.parameters(), *net.buffers()]
    state = optimizer.state_dict()
    return (
        [(id(t), t.detach().numpy().tobytes(), t.stride(), t.requires_grad) for t in tensors],
        [(id(t.grad), None if t.grad is None else t.grad.numpy().tobytes()) for t in tensors],
        [m.training for m in net.modules()],
        repr(state["param_groups"]),
        [
            (k, n, v.numpy().tobytes() if torch.is_tensor(v) else v)
            for k, entry in state["state"].items()
            for n, v in entry.items()
        ],
        [[id(p) for p in group["params"]] for group in optimizer.param_groups],
    )


def random_states():
    return (
        random.getstate(),
        np.random.get_state()[1].tobytes(),
        torch.get_rng_state().numpy().tobytes(),
    )
