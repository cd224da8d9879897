"""The nets: right in shape and size, alike for the same seed, without side effects."""

import subprocess
import sys
from itertools import pairwise

import pytest
import torch
from torch import nn

from lrcourse import models
from lrcourse.data import Data, Split
from lrcourse.study import d2l_reference

EVERY = {"lenet": {}, "mlp": {"depth": 3, "width": 20}, "plain": {"depth": 7}, "resnet": {}}


def images(n: int, channels: int = 1, size: int = 28) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    return torch.rand(n, channels, size, size, generator=generator)


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def outputs_and_gradients(net: nn.Module, X: torch.Tensor) -> list[torch.Tensor]:
    net.zero_grad()
    logits = net(X)
    nn.functional.cross_entropy(logits, torch.arange(len(X)) % 10).backward()
    return [logits.detach(), *[p.grad.clone() for p in net.parameters()]]


def test_lenet_starts_like_the_usual_sequential_after_manual_seed():
    with torch.random.fork_rng():
        torch.manual_seed(5)
        usual = d2l_reference.net()
    assert same_weights(models.lenet(seed=5), usual)
    assert not same_weights(models.lenet(seed=6), usual)


def test_lenet_computes_to_the_bit_what_the_usual_sequential_computes_in_its_order():
    ours, usual, X = models.lenet(seed=3), d2l_reference.net(), images(32) - 0.5
    usual.load_state_dict(ours.state_dict())
    expected = outputs_and_gradients(usual.to(memory_format=torch.channels_last), X)
    for actual, wanted in zip(outputs_and_gradients(ours, X), expected, strict=True):
        assert torch.equal(actual, wanted)


def test_lenet_computes_what_the_usual_sequential_computes_in_torch_s_order():
    # In another order of memory, and on another processor, sums are taken in another order. They
    # have less than 1e5 terms, so in double precision they differ by less than 1e5 * 2.2e-16.
    ours, usual = models.lenet(seed=3).double(), d2l_reference.net().double()
    usual.load_state_dict(ours.state_dict())
    X = images(32).double() - 0.5
    actual, wanted = outputs_and_gradients(ours, X), outputs_and_gradients(usual, X)
    for one, other in zip(actual, wanted, strict=True):
        largest = float(other.abs().max())
        torch.testing.assert_close(one, other, rtol=0, atol=1e5 * 2.2e-16 * largest)


def test_lenet_with_norm_draws_the_same_weights_and_normalises_each_hidden_layer():
    net, bare = models.lenet(norm=True, seed=2), models.lenet(seed=2)

    def weights(of):
        return [m.weight for m in of if isinstance(m, nn.Conv2d | nn.Linear)]

    for ours, theirs in zip(weights(net), weights(bare), strict=True):
        assert torch.equal(ours, theirs)
    followers = {
        nn.Conv2d: nn.BatchNorm2d,
        nn.Linear: nn.BatchNorm1d,
    }
    for layer, after in pairwise(net):
        assert isinstance(after, followers.get(type(layer), nn.Module))
    assert isinstance(net[-1], nn.Linear)


def test_lenet_with_norm_equals_relu_before_pooling():
    net, X = models.lenet(norm=True, seed=1), images(16) - 0.5
    layers = list(net)
    for place, layer in enumerate(net):
        if isinstance(layer, nn.MaxPool2d):
            layers[place : place + 2] = [nn.ReLU(), layer]
    expected = outputs_and_gradients(nn.Sequential(*layers), X)
    for actual, wanted in zip(outputs_and_gradients(net, X), expected, strict=True):
        torch.testing.assert_close(actual, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("net", "count"),
    [
        (models.lenet(), 61_706),
        (models.lenet(size=32, channels=3), 83_126),
        (models.lenet(norm=True), 61_706 + 2 * (6 + 16 + 120 + 84)),
        (models.mlp(1, 1), 7_850),
        (models.mlp(3, 20, inputs=10, classes=2), 220 + 420 + 42),
        (models.plain(4, width=2), 20 + 2 * 4 * 9 + 4 + 4 * 8 * 9 + 8 + 90),
        # as published: 0.27 M weights with 20 layers, 0.46 M with 32, 0.85 M with 56
        (models.resnet(20), 269_722),
        (models.resnet(32), 464_154),
        (models.resnet(56), 853_018),
    ],
)
def test_counts_of_weights(net, count):
    assert models.parameters(net) == count


@pytest.mark.parametrize(
    ("net", "channels", "size", "classes"),
    [
        (models.lenet(), 1, 28, 10),
        (models.lenet(channels=3, size=32, classes=7), 3, 32, 7),
        (models.lenet(norm=True, size=12), 1, 12, 10),
        (models.mlp(2, 5, inputs=3 * 64), 3, 8, 10),
        (models.plain(20, 4), 1, 28, 10),
        (models.plain(9, 4, channels=3, classes=5), 3, 32, 5),
        (models.resnet(8, 4), 3, 32, 10),
        (models.resnet(8, 4, channels=1), 1, 28, 10),
        (models.resnet(14, 4, norm=False, channels=1, classes=3), 1, 28, 3),
    ],
)
def test_images_in_logits_out_and_every_weight_learns(net, channels, size, classes):
    X = images(4, channels, size)
    logits = net(X)
    assert logits.shape == (4, classes)
    logits.square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in net.parameters() if p.ndim > 1)


def test_plain_counts_its_layers_and_strides_at_one_third_and_two_thirds():
    convs = [layer for layer in models.plain(20) if isinstance(layer, nn.Conv2d)]
    assert len(convs) == 19
    assert [place for place, conv in enumerate(convs) if conv.stride == (2, 2)] == [7, 13]
    assert [convs[place].out_channels for place in (6, 7, 12, 13)] == [16, 32, 32, 64]


@pytest.mark.parametrize("net", [models.plain(20, 32), models.resnet(20, 32)])
def test_deep_nets_begin_with_he_initialisation(net):
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and module.in_channels >= 16:
            inputs = module.weight[0].numel()
            assert module.weight.std().item() == pytest.approx((2 / inputs) ** 0.5, rel=0.05)
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            assert not module.bias.any()


def test_a_residual_block_with_silent_convolutions_passes_its_input_on():
    block = models.ResidualBlock(2, 4, norm=True)
    nn.init.zeros_(block.conv2.weight)
    X = images(2, 2, 6)
    Y = block(X)
    torch.testing.assert_close(Y[:, :2], X[:, :, ::2, ::2])
    assert not Y[:, 2:].any()


def test_resnet_has_no_norm_unless_asked():
    kinds = {type(module) for module in models.resnet(8, norm=False).modules()}
    assert nn.BatchNorm2d not in kinds
    assert nn.BatchNorm2d in {type(module) for module in models.resnet(8).modules()}


@pytest.mark.parametrize("name", EVERY)
def test_a_seed_decides_the_weights_and_nothing_else_is_touched(name):
    before = torch.random.get_rng_state()
    one, same, other = (models.build(name, seed, **EVERY[name]) for seed in (4, 4, 5))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert same_weights(one, same)
    assert not same_weights(one, other)
    torch.rand(3)  # the state of torch's own generator has no say
    assert same_weights(one, models.build(name, 4, **EVERY[name]))


@pytest.mark.parametrize("name", EVERY)
def test_nets_are_drawn_on_the_cpu_whatever_the_default_device_is(name):
    with torch.device("meta"):
        net = models.build(name, 4, **EVERY[name])
    assert {p.device.type for p in net.parameters()} == {"cpu"}
    assert same_weights(net, models.build(name, 4, **EVERY[name]))


@pytest.mark.parametrize(
    ("name", "norm"),
    [("lenet", False), ("plain", None), ("resnet", False), ("lenet", True), ("resnet", True)],
)
def test_convolutions_are_kept_in_channels_last_order_without_batch_norm(name, norm):
    net = models.build(name, **EVERY[name] | ({} if norm is None else {"norm": norm}))
    order = torch.contiguous_format if norm else torch.channels_last
    weights = [p for p in net.parameters() if p.ndim == 4]
    assert weights and all(w.is_contiguous(memory_format=order) for w in weights)


def test_building_seeds_no_other_generator(monkeypatch):
    def forbidden(*_):
        raise AssertionError("the GPUs' generators were reseeded")

    monkeypatch.setattr(torch.cuda, "manual_seed_all", forbidden)
    models.lenet()


def data_of(X, classes):
    split = Split(X, torch.zeros(len(X), dtype=torch.int64))
    return Data("mine", split, None, split, classes)


@pytest.mark.parametrize("name", EVERY)
def test_build_fits_the_data(name):
    X = images(5, 3, 32)
    data = data_of(X, classes=("a", "b", "c"))
    assert models.build(name, data=data, **EVERY[name])(X).shape == (5, 3)
    assert models.build(name, data=data, classes=4, **EVERY[name])(X).shape == (5, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"name": "alexnet"},
            "name must be one of 'lenet', 'mlp', 'plain', 'resnet'; got 'alexnet'",
        ),
        ({"name": "mlp", "depth": 2, "widht": 3}, "no option widht; it has depth, width, inputs"),
        ({"name": "mlp"}, "mlp needs depth, width"),
        ({"name": "lenet", "size": 11}, "size must be a whole number from 12 to .*; got 11"),
        ({"name": "lenet", "seed": -1}, "seed must be"),
        ({"name": "mlp", "depth": 0, "width": 3}, "depth must be"),
        ({"name": "mlp", "depth": 2.5, "width": 3}, "depth must be"),
        ({"name": "plain", "depth": 3}, "depth must be a whole number from 4 to"),
        ({"name": "resnet", "depth": 21}, "depth must be 6n \\+ 2"),
        ({"name": "resnet", "depth": 2}, "depth must be"),
        ({"name": "resnet", "classes": 0}, "classes must be"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        models.build(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "lenet", "norm": "no"}, "norm must be True or False; got 'no'"),
        ({"name": "lenet", "seed": None}, "seed must be"),
        ({"name": "mlp", "depth": True, "width": 3}, "depth must be"),
    ],
)
def test_arguments_of_a_wrong_kind_are_named(arguments, message):
    with pytest.raises(TypeError, match=message):
        models.build(**arguments)


@pytest.mark.parametrize("depth", [2**63, 1e308, 6 * 10**9 + 2])
def test_a_net_that_nobody_meant_is_refused_at_once(depth):
    for make in (models.plain, models.resnet):
        with pytest.raises(ValueError, match="depth must be a whole number from"):
            make(depth=depth)


def test_a_block_keeps_the_channels_that_it_is_given():
    with pytest.raises(ValueError, match="after must be at least before, 4; got 2"):
        models.ResidualBlock(4, 2, norm=True)


def test_lenet_refuses_images_that_are_not_square():
    data = data_of(torch.zeros(2, 1, 28, 20), classes=("a", "b"))
    with pytest.raises(ValueError, match="square images, not 28x20"):
        models.build("lenet", data=data)


def test_importing_the_package_imports_neither_torch_nor_matplotlib():
    code = (
        "import sys, lrcourse\n"
        "assert 'models' in dir(lrcourse) and lrcourse.__version__\n"
        "assert not hasattr(lrcourse, 'no_such_room')\n"
        "assert lrcourse.support\n"
        "heavy = {'torch', 'matplotlib', 'numpy', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
