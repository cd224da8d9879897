"""Gradients of the common nets are written out, with the bits that autograd gives."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from lrcourse import data, models, optimizers, training
from lrcourse import schedules as s
from lrcourse.training import gradients


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", device="cpu").subset(200)


@pytest.fixture(scope="module")
def few(digits):
    return digits.subset(40)


def by_autograd(logits, y):
    """The same loss; that it is another function sends `fit` through autograd."""
    return functional.cross_entropy(logits, y)


def trained(digits, loss_fn, net=None, *, optimizer="sgd", lr=0.1, **options):
    net = models.mlp(3, 16) if net is None else net
    stepper = optimizers.torch_optimizer(optimizer, net.parameters(), lr)
    options = {"epochs": 2, "batch_size": 32} | options
    history = training.fit(net, digits, stepper, loss_fn=loss_fn, **options)
    kept = [bits(p) for p in net.parameters()] + [bits(p.grad) for p in net.parameters()]
    record = history.to_dict()
    return [record[name] for name in ("lr", "loss", "epochs", "diverged_at")], kept


def bits(tensor):
    return tensor.detach().numpy().view(np.int32).tolist()


def assert_same_bits(digits, make=lambda: models.mlp(3, 16), **options):
    written_out = trained(digits, functional.cross_entropy, make(), **options)
    assert written_out == trained(digits, by_autograd, make(), **options)
    return written_out[0][-1]


@pytest.fixture(params=[1, 2], ids="{} threads".format)
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("lr", [1e-3, 0.1, 3.0])
@pytest.mark.parametrize(("depth", "width"), [(1, 1), (2, 1), (2, 64), (3, 100), (9, 7)])
def test_depths_widths_and_rates_have_the_bits_of_autograd(digits, threads, depth, width, lr):
    assert_same_bits(digits, lambda: models.mlp(depth, width), lr=lr)


@pytest.mark.parametrize("batch_size", [1, 3, 64, 200])
def test_batches_of_all_sizes_have_the_bits_of_autograd(digits, batch_size):
    assert_same_bits(digits, batch_size=batch_size)


QUICKLY = {"epochs": 1, "evaluate": None}


def test_lenets_have_the_bits_of_autograd(few, threads):
    assert_same_bits(few, models.lenet, **QUICKLY)


@pytest.mark.parametrize("batch_size", [1, 2, 17])
def test_lenets_on_small_batches_have_the_bits_of_autograd(few, batch_size):
    assert_same_bits(few, models.lenet, batch_size=batch_size, **QUICKLY)


def strided_net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2, bias=True),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True),
        nn.Conv2d(4, 8, 3, padding=1, dilation=2, groups=2),
        nn.Flatten(),
        nn.ReLU(),
        nn.Linear(200, 10),
    )


def pooled_first():
    torch.manual_seed(0)
    return nn.Sequential(nn.MaxPool2d(2), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(196, 10))


@pytest.mark.parametrize(
    "make",
    [
        lambda: models.lenet().to(memory_format=torch.contiguous_format),
        strided_net,
        lambda: strided_net().to(memory_format=torch.channels_last),
        pooled_first,
    ],
    ids=["in the usual order", "strides and groups", "channels last", "no layer before pooling"],
)
@pytest.mark.parametrize("clip_norm", [None, 0.1])
def test_convolutional_nets_have_the_bits_of_autograd(few, make, clip_norm):
    assert gradients.layers_of(make()) is not None
    assert_same_bits(few, make, clip_norm=clip_norm, **QUICKLY)


@pytest.mark.parametrize("optimizer", optimizers.TORCH)
def test_optimizers_have_the_bits_of_autograd(digits, optimizer):
    assert_same_bits(digits, optimizer=optimizer, lr=0.01, schedule=s.cosine(14))


@pytest.mark.parametrize("clip_norm", [None, 0.1])
def test_a_run_that_diverges_has_the_bits_of_autograd(digits, clip_norm):
    diverged_at = assert_same_bits(digits, lr=1e6, clip_norm=clip_norm)
    assert (diverged_at is None) == (clip_norm is not None)


# -- whoever looks on at autograd, or changes it, sees what it does -----------------------------


def test_hooks_of_layers_and_of_gradients_are_called(digits):
    seen = []

    def own_forward(net):
        forward = net[1].forward
        net[1].forward = lambda X: seen.append("own forward") or forward(X)

    for hang in (
        own_forward,
        lambda net: net[1].register_forward_hook(lambda *_: seen.append("forward")),
        lambda net: net[3].register_full_backward_hook(lambda *_: seen.append("backward")),
        lambda net: net[1].weight.register_hook(lambda _: seen.append("gradient")),
        lambda net: net[1].bias.register_post_accumulate_grad_hook(lambda _: seen.append("sum")),
    ):
        net = models.mlp(2, 16)
        hang(net)
        trained(digits, functional.cross_entropy, net, evaluate=None)
    assert set(seen) == {"own forward", "forward", "backward", "gradient", "sum"}


@pytest.mark.parametrize("register", ["register_hook", "register_prehook"])
def test_hooks_where_a_gradient_is_added_up_are_called(digits, register):
    net, seen = models.mlp(2, 16), []
    place = net[1].weight.view_as(net[1].weight).grad_fn.next_functions[0][0]
    getattr(place, register)(lambda *_: seen.append("added"))
    trained(digits, functional.cross_entropy, net, evaluate=None)
    assert len(seen) == 14


@pytest.mark.parametrize("change", ["freeze", "hook"])
def test_what_changes_in_the_middle_of_a_run_is_seen(digits, change):
    def run(loss_fn):
        net = models.mlp(2, 16)
        optimizer, updates = torch.optim.SGD(net.parameters(), lr=0.1), []

        def after(*_):
            updates.append(len(updates))
            if len(updates) == 5 and change == "freeze":
                net[1].requires_grad_(False)
            elif len(updates) == 5:
                net[1].weight.register_hook(torch.zeros_like)

        optimizer.register_step_post_hook(after)
        training.fit(net, digits, optimizer, epochs=2, batch_size=32, loss_fn=loss_fn)
        return [bits(p) for p in net.parameters()]

    assert run(functional.cross_entropy) == run(by_autograd)


def test_what_an_optimizer_holds_beside_the_net_is_cleared(digits):
    def run(loss_fn):
        torch.manual_seed(0)
        net, other = models.mlp(2, 16), nn.Linear(3, 3)
        other(torch.ones(1, 3)).sum().backward()
        optimizer = torch.optim.SGD([*net.parameters(), *other.parameters()], lr=0.1)
        training.fit(net, digits, optimizer, epochs=1, batch_size=32, loss_fn=loss_fn)
        return bits(other.weight)

    assert run(functional.cross_entropy) == run(by_autograd)


def test_an_optimizer_may_clear_gradients_as_it_likes(digits):
    class EveryFourth(torch.optim.SGD):
        made = 0

        def zero_grad(self, set_to_none=True):
            if self.made % 4 == 0:
                super().zero_grad(set_to_none)

        def step(self, closure=None):
            self.made += 1
            return super().step(closure) if self.made % 4 == 0 else None

    def run(loss_fn):
        net = models.mlp(2, 16)
        optimizer = EveryFourth(net.parameters(), lr=0.1)
        training.fit(net, digits, optimizer, epochs=2, batch_size=32, loss_fn=loss_fn)
        return [bits(p) for p in net.parameters()]

    assert run(functional.cross_entropy) == run(by_autograd)


def test_tensors_that_somebody_packs_are_packed(digits):
    packed = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: packed.append(1) or x, lambda x: x):
        trained(digits, functional.cross_entropy, models.mlp(2, 16), evaluate=None)
    assert packed


def test_without_gradients_nothing_is_trained(digits):
    net = models.mlp(2, 16)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with torch.no_grad(), pytest.raises(RuntimeError, match="grad"):
        training.fit(net, digits, optimizer, epochs=1, batch_size=32)


def test_a_forward_that_is_replaced_for_all_layers_is_called(digits, monkeypatch):
    forward, calls = nn.Linear.forward, []
    monkeypatch.setattr(nn.Linear, "forward", lambda net, X: calls.append(1) or forward(net, X))
    trained(digits, functional.cross_entropy, models.mlp(2, 16), evaluate=None)
    assert calls


def test_a_frozen_layer_gets_no_gradient(digits):
    net = models.mlp(2, 16)
    net[1].requires_grad_(False)
    before = bits(net[1].weight)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    training.fit(net, digits, optimizer, epochs=1, batch_size=32)
    assert net[1].weight.grad is None
    assert bits(net[1].weight) == before


def test_a_layer_that_stands_twice_in_a_net_learns_from_both_places(digits):
    def tied():
        net = models.mlp(4, 16)
        net[5] = net[3]
        return net

    assert_same_bits(digits, tied)


@pytest.mark.parametrize(
    "middle",
    [
        nn.Tanh,
        lambda: nn.Dropout(0.5),
        lambda: nn.Linear(16, 16, bias=False),
        nn.Identity,
    ],
    ids=["tanh", "dropout", "without a bias", "nothing"],
)
def test_other_layers_go_through_autograd(digits, middle):
    def make():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Flatten(), nn.Linear(784, 16), nn.ReLU(), middle(), nn.ReLU(), nn.Linear(16, 10)
        )

    assert_same_bits(digits, make)


@pytest.mark.parametrize(
    "first",
    [
        lambda: nn.Conv2d(1, 4, 5, padding="same"),
        lambda: nn.Conv2d(1, 4, 5, padding=2, padding_mode="circular"),
        lambda: nn.Conv2d(1, 4, 5, padding=2, bias=False),
        lambda: nn.Sequential(nn.Conv2d(1, 4, 5, padding=2), nn.BatchNorm2d(4)),
    ],
    ids=["padding by name", "circular", "without a bias", "norm"],
)
def test_other_convolutions_go_through_autograd(few, first):
    def make():
        torch.manual_seed(0)
        return nn.Sequential(first(), nn.Flatten(), nn.Linear(4 * 784, 10))

    assert gradients.layers_of(make()) is None
    assert_same_bits(few, make, **QUICKLY)


def test_a_convolution_that_is_replaced_for_all_layers_is_called(few, monkeypatch):
    convolve, calls = nn.Conv2d._conv_forward, []
    monkeypatch.setattr(
        nn.Conv2d, "_conv_forward", lambda *given: calls.append(1) or convolve(*given)
    )
    trained(few, functional.cross_entropy, models.lenet(), **QUICKLY)
    assert calls


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_anomalies_are_looked_for_where_that_is_asked(digits):
    net = models.mlp(2, 16)
    with torch.no_grad():
        net[1].weight.fill_(torch.nan)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with torch.autograd.detect_anomaly(check_nan=True), pytest.raises(RuntimeError, match="nan"):
        training.fit(net, digits, optimizer, epochs=1, batch_size=32)
