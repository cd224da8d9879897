"""An update of a whole stack against an update of one run alone, as ratios.

Stacks of LeNets, batch 256, against eager `training.fit`, on CUDA where there is one; on the CPU,
where stacks do not pay, small sizes only. Time is what more epochs cost, without starting up.
Fashion-MNIST where it lies in the data folder, else the digits.

    python benchmarks/stacked.py [--device cuda] [--sizes 1 4 16 64 256] [--optimizer sgd]
"""

from __future__ import annotations

import argparse
import math
import resource
import statistics
import sys
import time
from collections.abc import Callable

import torch

from lrcourse.support.paths import data_folder
from lrcourse.sweeps import Experiment
from lrcourse.sweeps.stacks import run_stack

BATCH = 256
LABELS = ("members", "ms per update", "x one eager run", "members per eager run", "MB per member")


def seconds(work: Callable[[], object], device: str) -> float:
    started = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def per_update(run: Callable[[int], object], updates: int, rounds: int, device: str) -> float:
    """Seconds for one update: what twice more epochs cost, divided by their updates."""
    run(1)  # warms caches and imports
    differences = [
        seconds(lambda: run(3), device) - seconds(lambda: run(1), device) for _ in range(rounds)
    ]
    return statistics.median(differences) / (2 * updates)


def peak_memory(device: str) -> float:
    """MB that were in use at most: on the device since the last reset, on the CPU ever."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / 2**10 / (2**10 if sys.platform == "darwin" else 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--sizes", type=int, nargs="+")
    parser.add_argument("--images", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--optimizer", default="sgd")
    options = parser.parse_args()
    on_gpu = options.device == "cuda"
    sizes = options.sizes or ([1, 4, 16, 64, 256] if on_gpu else [1, 4, 16])
    fashion = (data_folder() / "FashionMNIST" / "raw").is_dir()
    images = options.images or ((60_000 if on_gpu else 1_280) if fashion else 1_280)
    base = Experiment(
        data="fashion-mnist" if fashion else "digits",
        images=images,
        optimizer=options.optimizer,
        lr=0.001 if options.optimizer.startswith("adam") else 0.1,
        batch_size=BATCH,
        evaluate=None,
    )
    updates = math.ceil(images / BATCH)

    def alone(epochs: int) -> None:
        base.but(epochs=epochs).run(options.device)

    eager = per_update(alone, updates, options.rounds, options.device)
    print(f"LeNet, {images} images of {base.data}, {options.optimizer}, on {_name(options.device)}")
    print(f"one eager run: {eager * 1e3:.2f} ms per update")
    print("  ".join(LABELS))
    for size in sizes:
        if on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated() / 2**20 if on_gpu else peak_memory("cpu")

        def stacked(epochs: int, size: int = size) -> None:
            group = [base.but(epochs=epochs, seed=seed) for seed in range(size)]
            run_stack(group, options.device, largest=size)

        taken = per_update(stacked, updates, options.rounds, options.device)
        megabytes = (peak_memory(options.device) - before) / size
        cells = (
            f"{size}",
            f"{taken * 1e3:.2f}",
            f"{taken / eager:.2f}",
            f"{size * eager / taken:.1f}",
            f"{megabytes:.1f}",
        )
        print("  ".join(f"{cell:>{len(name)}}" for cell, name in zip(cells, LABELS, strict=True)))


def _name(device: str) -> str:
    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"the CPU, {torch.get_num_threads()} threads"


if __name__ == "__main__":
    main()
