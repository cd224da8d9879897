"""One epoch of `training.fit` against one epoch of D2L's own loop and loader, as ratios.

Same LeNet, Fashion-MNIST, batch 256, both measuring the test set at the end of the epoch. The
candidates take turns in one process, and the median of each is compared: absolute times on a
shared machine mean little. Needs Fashion-MNIST in the data folder (`lrcourse doctor` says where).

    python benchmarks/fit_against_d2l.py [--rounds 3] [--threads 2]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader

from lrcourse import data, models, training
from lrcourse.study import d2l_reference
from lrcourse.support.paths import data_folder

BATCH = 256


@contextlib.contextmanager
def folder_as_d2l_expects() -> Iterator[None]:
    """d2l reads ../data from the working folder; give it one that leads to our data folder."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as top:
        (Path(top) / "work").mkdir()
        (Path(top) / "data").symlink_to(data_folder(), target_is_directory=True)
        os.chdir(Path(top) / "work")
        try:
            yield
        finally:
            os.chdir(before)


def d2l_epoch(train_iter: DataLoader, test_iter: DataLoader) -> None:
    net = d2l_reference.net()
    trainer = torch.optim.SGD(net.parameters(), lr=0.1)
    d2l_reference.loop(
        net, train_iter, test_iter, 1, nn.CrossEntropyLoss(), trainer, torch.device("cpu")
    )


def fit_epoch(images: data.Data) -> None:
    net = models.lenet()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    training.fit(net, images, optimizer, epochs=1, batch_size=BATCH, progress=False)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def arithmetic_floor() -> float:
    """Seconds for the multiply-adds of one epoch if they ran as fast as a large matrix product.

    1.13 million multiply-adds per image forward and backward, 60,000 images.
    """
    a = torch.randn(1500, 1500)
    for _ in range(3):
        a @ a
    best = min(seconds(lambda: a @ a) for _ in range(10))
    return 60_000 * 1.13e6 / (1500**3 / best)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    images = data.load("fashion-mnist", device="cpu")
    with folder_as_d2l_expects():
        own_loader = d2l_reference.d2l().load_data_fashion_mnist(BATCH)
        in_memory = d2l_reference.iterators(images, BATCH, seed=0)
        candidates = {
            "D2L's loop, D2L's loader": lambda: d2l_epoch(*own_loader),
            "D2L's loop, tensors in memory": lambda: d2l_epoch(*in_memory),
            "lrcourse fit": lambda: fit_epoch(images),
        }
        times: dict[str, list[float]] = {name: [] for name in candidates}
        for turn in range(options.rounds + 1):
            for name, work in candidates.items():
                took = seconds(work)
                if turn:  # the first turn warms caches and imports
                    times[name].append(took)
    ours = statistics.median(times["lrcourse fit"])
    print(f"One epoch with evaluation, {options.threads} threads, median of {options.rounds}:")
    for name, taken in times.items():
        typical = statistics.median(taken)
        print(f"  {name:32} {typical:6.2f} s   {typical / ours:5.2f} x fit")
    floor = arithmetic_floor()
    print(f"  {'arithmetic floor (matrix product)':32} {floor:6.2f} s   {floor / ours:5.2f} x fit")


if __name__ == "__main__":
    main()
