"""The nets of the course: `lenet`, `mlp`, `plain` and `resnet`, each from a seed.

Every net is a module that takes images of shape (n, channels, height, width) and gives logits of
shape (n, classes). Its weights are drawn on the CPU from `seed`, a whole number >= 0, so they are
alike on every device, and drawing them leaves torch's own random numbers as they were. Sizes are
whole numbers from 1 on; another one, or one too large to hold, is a ValueError. Move the net with
`net.to(device)` before the optimizer is built. Nets without BatchNorm are kept in channels_last
order, which gives the same numbers and is quicker on a CPU.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lrcourse.data.sets import DATA, Data
from lrcourse.support.checks import COUNT, FLAG, Shared, arguments, one_of, optional, whole
from lrcourse.support.kinds import NET, TENSOR

MOST_LAYERS, MOST_UNITS = 10_000, 2**16  # what goes beyond was not meant
UNITS = whole(1, MOST_UNITS)

# Decorates a net: what an argument of this name takes in each.
of_a_net = Shared(
    dict.fromkeys(("channels", "classes", "width"), UNITS) | {"norm": FLAG, "seed": COUNT}
)


@of_a_net(size=whole(12, MOST_UNITS))
def lenet(
    norm: bool = False, *, channels: int = 1, classes: int = 10, size: int = 28, seed: int = 0
) -> nn.Sequential:
    """LeNet as the course's source has it: ReLU and max pooling; 61,706 weights for 28x28 images.

    Two 5x5 convolutions of 6 (padded by 2) and 16 channels, each pooled by two, then linear layers
    of 120, 84 and `classes`; PyTorch's default initialisation. `norm` adds BatchNorm after each
    convolution and each hidden linear layer, and draws the same weights otherwise.

    ReLU stands after the pooling: it commutes with the maximum, so outputs and gradients are those
    of ReLU before the pooling, on a quarter of the numbers. The linear and convolutional layers
    have the places 0, 3, 7, 9, 11 of the usual nn.Sequential, so state dicts fit without `norm`.

    Args:
        norm: whether there is BatchNorm.
        channels: of the images.
        classes: units of the last layer.
        size: height and width of the images, at least 12.
        seed: of the weights.

    Source: LeCun et al. 1998 (doi 10.1109/5.726791); Dive into Deep Learning, "Learning Rate
    Scheduling" (d2l.ai).

    Example:
        >>> from lrcourse import models
        >>> models.parameters(models.lenet())
        61706
    """
    pixels = (size // 2 - 4) // 2

    def spatial(before: int, after: int, padding: int) -> list[nn.Module]:
        conv = nn.Conv2d(before, after, kernel_size=5, padding=padding)
        between = [nn.BatchNorm2d(after)] if norm else []
        return [conv, *between, nn.MaxPool2d(2), nn.ReLU()]

    def hidden(before: int, after: int) -> list[nn.Module]:
        between = [nn.BatchNorm1d(after)] if norm else []
        return [nn.Linear(before, after), *between, nn.ReLU()]

    with _drawn_from(seed):
        net = nn.Sequential(
            *spatial(channels, 6, padding=2),
            *spatial(6, 16, padding=0),
            nn.Flatten(),
            *hidden(16 * pixels**2, 120),
            *hidden(120, 84),
            nn.Linear(84, classes),
        )
    return _ordered(net)


@of_a_net(depth=whole(1, MOST_LAYERS), inputs=whole(1, 2**24))
def mlp(
    depth: int, width: int, *, inputs: int = 784, classes: int = 10, seed: int = 0
) -> nn.Sequential:
    """`depth` linear layers with ReLU between them, on the flattened images.

    Hidden layers have `width` units; depth 1 is softmax regression. PyTorch's default
    initialisation.

    Args:
        depth: linear layers, from 1 on.
        width: units of each hidden layer.
        inputs: numbers per image: channels x height x width.
        classes: units of the last layer.
        seed: of the weights.

    Example:
        >>> from lrcourse import models
        >>> models.parameters(models.mlp(depth=2, width=8))
        6370
    """
    sides = [inputs, *[width] * (depth - 1), classes]
    layers: list[nn.Module] = [nn.Flatten()]
    with _drawn_from(seed):
        for before, after in pairwise(sides):
            layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@of_a_net(depth=whole(4, MOST_LAYERS))
def plain(
    depth: int, width: int = 16, *, channels: int = 1, classes: int = 10, seed: int = 0
) -> nn.Sequential:
    """A deep convolutional net with neither normalisation nor shortcuts.

    `depth`, from 4 on, counts layers with weights: depth - 1 convolutions of 3x3, each with ReLU,
    and one linear layer to `classes` after global average pooling. One third and two thirds of the
    way the convolutions take strides of 2 and double their channels, which begin at `width`. He
    initialisation (Kaiming normal, biases 0), drawn from `seed`, without which a deep net of
    this kind does not start to learn.

    Source: the plain nets of He et al. 2015, "Deep Residual Learning for Image Recognition"
    (arXiv 1512.03385), section 4.2, less their BatchNorm; initialisation arXiv 1502.01852.

    Example:
        >>> from lrcourse import models
        >>> models.parameters(models.plain(depth=8, width=4))
        4874
    """
    convolutions = depth - 1
    stages = [3 * place // convolutions for place in range(convolutions)]
    before, layers = channels, []
    with _drawn_from(seed):
        for stage, last in zip(stages, [0, *stages], strict=False):
            after = width * 2**stage
            layers += [nn.Conv2d(before, after, 3, stride=1 + stage - last, padding=1), nn.ReLU()]
            before = after
        return _he(nn.Sequential(*layers, *_pooled(before, classes)))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around which the input passes unchanged.

    Where the block halves the image and adds channels, the shortcut takes every other pixel and
    fills up with zeros ("option A"), so it has no weights.

    Args:
        before: channels of the input.
        after: channels of the output; where there are more of them, the block halves the image.
        norm: whether BatchNorm follows each convolution.

    Raises:
        ValueError: `after` is below `before`.

    Example:
        >>> import torch
        >>> from lrcourse.models import ResidualBlock
        >>> ResidualBlock(2, 4, norm=True)(torch.zeros(1, 2, 8, 8)).shape
        torch.Size([1, 4, 4, 4])
    """

    @of_a_net(before=UNITS, after=UNITS)
    def __init__(self, before: int, after: int, norm: bool) -> None:
        if after < before:
            raise ValueError(f"ResidualBlock: after must be at least before, {before}; got {after}")
        super().__init__()
        self.stride, self.added = (2 if after > before else 1), after - before
        self.conv1 = nn.Conv2d(before, after, 3, self.stride, padding=1, bias=not norm)
        self.norm1 = nn.BatchNorm2d(after) if norm else nn.Identity()
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=not norm)
        self.norm2 = nn.BatchNorm2d(after) if norm else nn.Identity()

    def forward(self, X: Tensor) -> Tensor:
        """Images `X` of shape (n, before, height, width) to (n, after, ...)."""
        TENSOR("ResidualBlock", "X", X)
        Y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(X)))))
        if self.added:
            X = F.pad(X[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.added))
        return F.relu(X + Y)


@of_a_net(depth=whole(8, MOST_LAYERS))
def resnet(
    depth: int = 20,
    width: int = 16,
    norm: bool = True,
    *,
    channels: int = 3,
    classes: int = 10,
    seed: int = 0,
) -> nn.Sequential:
    """The residual net for CIFAR: 269,722 weights at depth 20, and good for 28x28 images too.

    `depth` is 6n + 2: a convolution, three stages of n residual blocks with `width`, 2 `width` and
    4 `width` channels, global average pooling and a linear layer to `classes`. He initialisation
    (Kaiming normal) from `seed`. Without `norm` there is no BatchNorm; the convolutions then have
    biases, and the activations grow with each block, so that large rates fail sooner.

    Raises:
        ValueError: a depth that is not 6n + 2.

    Source: He et al. 2015 (arXiv 1512.03385), section 4.2, with the shortcuts of option A.

    Example:
        >>> from lrcourse import models
        >>> models.parameters(models.resnet(depth=20))
        269722
    """
    blocks, rest = divmod(depth - 2, 6)
    if rest:
        raise ValueError(f"resnet: depth must be 6n + 2, such as 8, 14, 20, 32 or 56; got {depth}")
    with _drawn_from(seed):
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1, bias=not norm)]
        if norm:
            layers.append(nn.BatchNorm2d(width))
        layers.append(nn.ReLU())
        sides = [width, *[width * 2**stage for stage in range(3) for _ in range(blocks)]]
        for before, after in pairwise(sides):
            layers.append(ResidualBlock(before, after, norm))
        return _he(nn.Sequential(*layers, *_pooled(4 * width, classes)))


MODELS = {"lenet": lenet, "mlp": mlp, "plain": plain, "resnet": resnet}
"""The function that builds the net of each name."""


@arguments(name=one_of(*MODELS), seed=COUNT, data=optional(DATA))
def build(name: str, seed: int = 0, data: Data | None = None, **options: Any) -> nn.Module:
    """The net that a spec names: `build("mlp", seed=3, depth=4, width=64)`.

    Args:
        name: "lenet", "mlp", "plain" or "resnet".
        data: fit channels, size and classes of this data, where `options` do not give them.
        options: the arguments of the function of that name.

    Raises:
        ValueError: an unknown name or option, one that is missing, or a value that cannot be.

    Example:
        >>> from lrcourse import models
        >>> net = models.build("mlp", seed=3, depth=2, width=8)
        >>> [tuple(w.shape) for w in net.parameters()]
        [(8, 784), (8,), (10, 8), (10,)]
    """
    known = dict(inspect.signature(MODELS[name]).parameters)
    del known["seed"]
    if unknown := [option for option in options if option not in known]:
        raise ValueError(f"{name} has no option {', '.join(unknown)}; it has {', '.join(known)}")
    if data is not None:
        channels, height, width = data.train.X.shape[1:]
        if "size" in known and height != width and "size" not in options:
            raise ValueError(f"{name} takes square images, not {height}x{width}")
        shape = {"channels": channels, "size": height, "inputs": channels * height * width}
        fitting = {**shape, "classes": len(data.classes)}
        options = {option: fitting[option] for option in fitting if option in known} | options
    needed = [option for option in known if known[option].default is inspect.Parameter.empty]
    if missing := [option for option in needed if option not in options]:
        raise ValueError(f"{name} needs {', '.join(missing)}; it has {', '.join(known)}")
    return MODELS[name](seed=seed, **options)


@arguments(net=NET)
def parameters(net: nn.Module) -> int:
    """How many numbers `net` learns; running statistics of BatchNorm are not among them.

    Example:
        >>> from lrcourse import models
        >>> models.parameters(models.lenet())
        61706
    """
    return sum(parameter.numel() for parameter in net.parameters())


@contextmanager
def _drawn_from(seed: int) -> Iterator[None]:
    """Draw on the CPU as after torch.manual_seed(seed), and leave every generator as it was."""
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        # torch.manual_seed would reseed the GPUs too, which fork_rng is not asked to restore.
        torch.default_generator.manual_seed(seed)
        try:
            yield
        except RuntimeError as error:
            raise ValueError(f"a net of these depth and width cannot be made: {error}") from error


def _pooled(channels: int, classes: int) -> list[nn.Module]:
    """The end of a convolutional net: each channel's mean, and a linear layer."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]


def _he(net: nn.Sequential) -> nn.Sequential:
    """Draw all weights from N(0, 2 / inputs), set biases to 0, and order them."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return _ordered(net)


def _ordered(net: nn.Sequential) -> nn.Sequential:
    """Weights in channels_last order, but not with BatchNorm.

    In that order torch computes the gradients of BatchNorm on the CPU with errors of up to 7e-4
    in float32 (measured against float64 with torch 2.15), against 1e-6 in the usual order.
    """
    if any(isinstance(layer, nn.BatchNorm2d) for layer in net.modules()):
        return net
    return net.to(memory_format=torch.channels_last)
