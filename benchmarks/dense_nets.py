"""`training.fit`, and a stack of many nets, against a plain loop of torch, per net as ratios.

The course's dense net of two layers on the digits, batch 32, measured on the test images after each
epoch, one thread. The sides take turns, and what counts is the least processor time of each: that
of a machine with other work varies less than the clock.

    python benchmarks/dense_nets.py [--width 64] [--optimizer sgd] [--members 8 16] [--rounds 8]
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable

import torch
from torch.nn.functional import cross_entropy

from lrcourse.sweeps import Experiment
from lrcourse.sweeps.stacks import run_stack

EPOCHS = 3


def plain_loop(experiment: Experiment) -> None:
    net, optimizer, data = experiment.build("cpu")
    order = torch.Generator().manual_seed(experiment.seed)
    for _ in range(experiment.epochs):
        for batch in torch.randperm(len(data.train), generator=order).split(experiment.batch_size):
            loss = cross_entropy(net(data.train.X[batch]), data.train.y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            logits = net(data.test.X)
            cross_entropy(logits, data.test.y).item(), (logits.argmax(1) == data.test.y).sum()


def processor_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--optimizer", default="sgd")
    parser.add_argument("--members", type=int, nargs="+", default=[8, 16])
    parser.add_argument("--rounds", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    base = Experiment(
        model="mlp",
        model_options={"depth": 2, "width": options.width},
        optimizer=options.optimizer,
        lr=0.001 if options.optimizer.startswith("adam") else 0.1,
        epochs=EPOCHS,
    )
    sides: dict[str, tuple[int, Callable[[], object]]] = {
        "plain loop": (1, lambda: plain_loop(base)),
        "fit": (1, lambda: base.run("cpu")),
    }
    for size in options.members:
        group = [base.but(seed=seed) for seed in range(size)]
        sides[f"stack of {size}"] = size, lambda group=group: run_stack(group, "cpu")
    least = dict.fromkeys(sides, float("inf"))
    for _ in range(options.rounds):
        for name, (nets, work) in sides.items():
            least[name] = min(least[name], processor_seconds(work) / nets)
    updates = EPOCHS * -(-len(base.build("cpu")[2].train) // base.batch_size)
    print(f"two layers, {options.width} units, {options.optimizer}: processor time of one update")
    for name, seconds in least.items():
        ratio = seconds / least["plain loop"]
        print(f"  {name:12} {seconds / updates * 1e6:6.0f} us   {ratio:4.2f} x plain loop")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
