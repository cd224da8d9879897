"""A range test against plain training and against torch-lr-finder, as ratios.

The same updates of the same net on the same batches, taking turns in one process: a loop that only
trains, plus one copy of its state; `range_test`; torch-lr-finder with its reset. The rates stay
so low that nobody stops early. The ratios are medians over the rounds: of processor time on the
CPU, which other programs disturb less, of wall time on a GPU.

    python benchmarks/rangetest_against_torch_lr_finder.py [--updates 100] [--rounds 12]
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import random
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec

import torch
from torch import nn
from torch.nn import functional
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from lrcourse import models
from lrcourse.rangetest import range_test

START, END = 1e-7, 1e-3
NETS = {
    "MLP": lambda: models.mlp(3, 256, inputs=784),
    "LeNet": lambda: models.lenet(),
    "ResNet": lambda: models.resnet(channels=1),
}


def batches_of(count: int, size: int, device: str) -> DataLoader:
    """Random images of Fashion-MNIST's shape in ready batches, behind a loader."""
    draw = torch.Generator().manual_seed(0)
    images = [torch.rand(size, 1, 28, 28, generator=draw).to(device) for _ in range(count)]
    labels = [torch.randint(10, (size,), generator=draw).to(device) for _ in range(count)]
    return DataLoader(list(zip(images, labels, strict=True)), batch_size=None)


def plain(net: nn.Module, optimizer: Optimizer, loader: DataLoader, updates: int) -> None:
    """Train, and keep one copy of the state as a careful person would by hand."""
    copies = [t.detach().clone() for t in (*net.parameters(), *net.buffers())]
    net.train()
    batches = iter(loader)
    for _ in range(updates):
        inputs, targets = next(batches)
        optimizer.zero_grad()
        loss = functional.cross_entropy(net(inputs), targets)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        for tensor, kept in zip((*net.parameters(), *net.buffers()), copies, strict=True):
            tensor.copy_(kept)


def ours(net: nn.Module, optimizer: Optimizer, loader: DataLoader, updates: int) -> None:
    range_test(net, optimizer, loader, start=START, end=END, updates=updates, progress=False)


def theirs(net: nn.Module, optimizer: Optimizer, loader: DataLoader, updates: int) -> None:
    from torch_lr_finder import LRFinder

    device = next(net.parameters()).device
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        finder = LRFinder(net, optimizer, torch.nn.CrossEntropyLoss(), device=device)
        finder.range_test(loader, start_lr=START, end_lr=END, num_iter=updates)
        finder.reset()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--nets", nargs="+", choices=list(NETS), default=["MLP", "LeNet"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    clock = time.perf_counter if options.device == "cuda" else time.process_time
    workers: dict[str, Callable] = {"plain training and a copy": plain, "range_test": ours}
    if find_spec("torch_lr_finder") is None:
        print("torch-lr-finder is not installed: it is left out (pip install torch-lr-finder)")
    else:
        workers["torch-lr-finder"] = theirs
    order = random.Random(0)
    loader = batches_of(options.updates, options.batch, options.device)
    for name in options.nets:
        net = NETS[name]().to(options.device)
        times: dict[str, list[float]] = {worker: [] for worker in workers}
        for turn in range(options.rounds + 1):
            # In random order, and without the garbage of the one before: who follows whom matters.
            for worker in order.sample(list(workers), len(workers)):
                optimizer = torch.optim.SGD(net.parameters(), lr=START, momentum=0.9)
                optimizer.zero_grad()
                gc.collect()
                started = clock()
                workers[worker](net, optimizer, loader, options.updates)
                if options.device == "cuda":
                    torch.cuda.synchronize()
                if turn:  # the first turn warms caches and imports
                    times[worker].append(clock() - started)
        own = times["range_test"]
        print(f"{name}, {options.updates} updates of {options.batch} images, {options.device}:")
        for worker, taken in times.items():
            typical = statistics.median(taken)
            ratio = statistics.median(a / b for a, b in zip(own, taken, strict=True))
            print(f"  {worker:26} {typical * 1e3:8.1f} ms; range_test is {ratio:.3f} x this")


if __name__ == "__main__":
    main()
