"""How much of a batch's gradient is chance: its variance beside the gradient of all images.

    noise = gradient_noise(net, images.train)
    noise.share(32)         # of a batch of 32: |noise|^2 expected, over |gradient|^2
    noise.critical_batch    # where noise and gradient are equally long

A batch of B images drawn with replacement has the gradient g on average, and

    E |g_B - g|^2 = trace / B,    trace = mean over images of |g_i - g|^2,

where g_i is the gradient of image i alone. The ratio trace / |g|^2 is a number of images, the
"simple noise scale" of McCandlish et al. 2018 (arXiv 1812.06162).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

from lrcourse.data import Split
from lrcourse.study.arguments import Loss, flat, learning, measuring
from lrcourse.support.checks import COUNT_FROM_1, each, such, whole
from lrcourse.support.kinds import NET

AT_ONCE = 64  # images whose gradients are held together

_WITHOUT_BATCHNORM = such(
    NET,
    lambda net: not any(isinstance(one, nn.modules.batchnorm._BatchNorm) for one in net.modules()),
    "a net without BatchNorm, in which the images of a batch depend on one another and none has a "
    "gradient of its own",
)


@dataclass(frozen=True)
class Noise:
    """The gradient of a net at its weights, and how single images scatter about it.

    Attributes:
        signal: squared length of the gradient over all images.
        trace: mean squared distance of one image's gradient from it.
        images: how many there are.

    >>> from lrcourse.study.gradient_noise import Noise
    >>> noise = Noise(signal=4.0, trace=64.0, images=100)
    >>> noise.share(32), noise.critical_batch
    (0.5, 16.0)
    """

    signal: float
    trace: float
    images: int

    @measuring()
    def variance(self, batch_size: int) -> float:
        """Expected squared distance of a gradient of `batch_size` images from that of all."""
        return self.trace / batch_size

    @measuring()
    def share(self, batch_size: int) -> float:
        """`variance(batch_size)` over the squared length of the gradient: noise to signal."""
        return self.variance(batch_size) / self.signal

    @property
    def critical_batch(self) -> float:
        """The batch size at which noise and gradient are equally long."""
        return self.trace / self.signal


@measuring(net=_WITHOUT_BATCHNORM)
def gradient_noise(net: nn.Module, split: Split, loss_fn: Loss = F.cross_entropy) -> Noise:
    """Measure gradient and scatter exactly, from the gradient of every single image.

    The net and its gradients stay as they are; it is measured in eval mode. `loss_fn` takes
    (outputs, labels) to a mean.

    Raises:
        TypeError: for what is no net, no split or no function.
        ValueError: for a net with BatchNorm: there an image has no gradient of its own.

    >>> from lrcourse import data, models
    >>> from lrcourse.study.gradient_noise import gradient_noise
    >>> digits = data.load("digits", device="cpu").subset(64)
    >>> gradient_noise(models.mlp(1, 8), digits.train).critical_batch > 1
    True
    """
    params = {name: w.detach() for name, w in net.named_parameters() if w.requires_grad}
    was_training = net.training
    net.eval()

    def loss_of_one(weights: dict[str, Tensor], x: Tensor, label: Tensor) -> Tensor:
        return loss_fn(functional_call(net, weights, (x[None],)), label[None])

    of_each = vmap(grad(loss_of_one), in_dims=(None, 0, 0))
    mean = {name: torch.zeros_like(w, dtype=torch.float64) for name, w in params.items()}
    squares = 0.0
    for X, y in zip(split.X.split(AT_ONCE), split.y.split(AT_ONCE), strict=True):
        for name, rows in of_each(params, X, y).items():
            mean[name] += rows.sum(0)
            squares += float((rows**2).sum())
    net.train(was_training)
    count = len(split.y)
    signal = sum(float(((total / count) ** 2).sum()) for total in mean.values())
    return Noise(signal, squares / count - signal, count)


@measuring(net=_WITHOUT_BATCHNORM, batch_sizes=each(COUNT_FROM_1), draws=whole(2))
def scatter(
    net: nn.Module,
    split: Split,
    batch_sizes: Sequence[int],
    *,
    draws: int = 100,
    loss_fn: Loss = F.cross_entropy,
    seed: int = 0,
) -> list[float]:
    """Mean squared distance of `draws` batches' gradients from that of all images, by size.

    What `Noise.variance` computes, measured.

    Args:
        net: without BatchNorm; it stays as it is.
        split: the images.
        batch_sizes: of the batches, which are drawn with replacement.
        draws: batches of each size, from 2 on.
        loss_fn: takes (outputs, labels) to a mean.
        seed: of the batches.

    Raises:
        ValueError: a net with BatchNorm.

    >>> from lrcourse import data, models
    >>> from lrcourse.study.gradient_noise import scatter
    >>> digits = data.load("digits", device="cpu").subset(64)
    >>> small, large = scatter(models.mlp(1, 8), digits.train, [1, 64], draws=20)
    >>> small > large
    True
    """
    weights = learning(net)
    random = torch.Generator().manual_seed(seed)

    def gradient(X: Tensor, y: Tensor) -> Tensor:
        return flat(torch.autograd.grad(loss_fn(net(X), y), weights))

    centre, found = gradient(split.X, split.y), []
    for size in batch_sizes:
        total = 0.0
        for _ in range(draws):
            chosen = torch.randint(len(split.y), (size,), generator=random).to(split.y.device)
            total += float(((gradient(split.X[chosen], split.y[chosen]) - centre) ** 2).sum())
        found.append(total / draws)
    return found
