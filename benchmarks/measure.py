"""Processor time of the course beside what one would use instead: `make bench`.

    python benchmarks/measure.py [--rounds 7] [NAME ...]

The two sides of a comparison do the same work in turns, in one process with one thread, after a
round that warms up. What counts is processor time, that of worker processes included: other
programs disturb it less than the clock. Each comparison that is finished takes the place of its
older row in results/benchmarks.csv at once; then the figure results/benchmarks.png and the table
in README.md are made from that file. Those with D2L's loader need Fashion-MNIST in the data folder
(`lrcourse doctor` says where), and keep their older rows without it.
"""

from __future__ import annotations

import argparse
import csv
import gc
import os
import platform
import resource
import statistics
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from dense_nets import plain_loop
from fit_against_d2l import BATCH, folder_as_d2l_expects
from torch import nn
from torch.utils.data import DataLoader, Subset

from lrcourse import data, look, models, training
from lrcourse.study import d2l_reference
from lrcourse.support.outputs import between, write_csv
from lrcourse.support.paths import data_folder, write_atomically
from lrcourse.support.provenance import run_provenance
from lrcourse.sweeps import Experiment
from lrcourse.sweeps.stacks import run_stack

ROOT = Path(__file__).resolve().parent.parent
TABLE, FIGURE, PAGE = (
    ROOT / "results" / "benchmarks.csv",
    ROOT / "results" / "benchmarks.png",
    ROOT / "README.md",
)
MARKS = "<!-- speed: begin -->", "<!-- speed: end -->"
DENSE = Experiment(model="mlp", model_options={"depth": 2, "width": 64}, lr=0.1, epochs=3)
LENET = Experiment(model="lenet", lr=0.1, epochs=1)
MEMBERS, IMAGES = 16, 6000
Work = Callable[[], object]


class Comparison(NamedTuple):
    """What is measured beside what; `ours` does as much as `times` calls of `instead`."""

    ours: str
    instead: str
    sides: Callable[[], tuple[Work, Work]]
    times: int = 1


def _one_run(experiment: Experiment) -> tuple[Work, Work]:
    return lambda: experiment.run("cpu"), lambda: plain_loop(experiment)


def _stack() -> tuple[Work, Work]:
    group = [DENSE.but(seed=seed) for seed in range(MEMBERS)]
    return lambda: run_stack(group, "cpu"), lambda: plain_loop(DENSE)


def _d2l() -> tuple[Work, Work]:
    images = data.load("fashion-mnist", device="cpu", progress=False).subset(IMAGES)
    with folder_as_d2l_expects():
        whole, test = d2l_reference.d2l().load_data_fashion_mnist(BATCH)
    train = DataLoader(Subset(whole.dataset, range(IMAGES)), BATCH, shuffle=True, num_workers=0)
    test = DataLoader(test.dataset, BATCH, num_workers=0)

    def ours() -> None:
        net = models.lenet()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        training.fit(net, images, optimizer, epochs=1, batch_size=BATCH, progress=False)

    def instead() -> None:
        net = d2l_reference.net()
        trainer = torch.optim.SGD(net.parameters(), lr=0.1)
        loss, place = nn.CrossEntropyLoss(), torch.device("cpu")
        d2l_reference.loop(net, train, test, 1, loss, trainer, place)

    return ours, instead


COMPARISONS = {
    "fit-dense": Comparison(
        "`fit`, a dense net of two layers on the digits",
        "a plain loop of torch",
        lambda: _one_run(DENSE),
    ),
    "stack-dense": Comparison(
        f"a sweep's stack of {MEMBERS} such nets, each",
        "a plain loop of torch",
        _stack,
        MEMBERS,
    ),
    "fit-lenet": Comparison(
        "`fit`, LeNet on the digits", "a plain loop of torch", lambda: _one_run(LENET)
    ),
    "fit-d2l": Comparison(
        f"`fit`, LeNet on {IMAGES:,} images of Fashion-MNIST",
        "D2L's loop and loader",
        _d2l,
    ),
}


def processor_seconds(work: Work) -> float:
    """Processor time of a piece of work, with that of processes which it waited for."""
    gc.collect()
    before = _used()
    work()
    return _used() - before


def _used() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measure(name: str, comparison: Comparison, rounds: int) -> dict[str, object]:
    """The row of one comparison; the spread of the ratio is that of the middle half of rounds."""
    sides = comparison.sides()
    taken = [tuple(map(processor_seconds, sides)) for _ in range(rounds + 1)][1:]
    ours = [first / comparison.times for first, _ in taken]
    instead = [second for _, second in taken]
    ratios = [a / b for a, b in zip(ours, instead, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    where = run_provenance("cpu")
    return {
        "name": name,
        "ours": comparison.ours,
        "instead": comparison.instead,
        "ratio": f"{middle:.2f}",
        "ratio_low": f"{low:.2f}",
        "ratio_high": f"{high:.2f}",
        "seconds_ours": f"{statistics.median(ours):.4f}",
        "seconds_instead": f"{statistics.median(instead):.4f}",
        "rounds": rounds,
        "threads": where["threads"],
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, "
        f"{torch.backends.cpu.get_cpu_capability()}",
        "python": where["python"],
        "torch": where["torch"],
        "date": where["finished"][:10],
        "commit": _commit(),
    }


def _commit() -> str:
    asked = ["git", "-C", str(ROOT), "rev-parse", "--short=10", "HEAD"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""  # a copy without its history


def read(path: Path = TABLE) -> list[dict[str, str]]:
    """The rows that are kept, as text."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def renewed(rows: list[dict], row: dict) -> list[dict]:
    """The rows with `row` in place of the older one of its name, in the order of COMPARISONS."""
    by_name = {each["name"]: each for each in [*rows, row]}
    return [by_name[name] for name in COMPARISONS if name in by_name]


def table(rows: list[dict[str, str]]) -> str:
    """The comparisons as a Markdown table."""
    lines = ["| the course | instead | processor time, ours / theirs |", "|---|---|--:|"]
    for row in rows:
        spread = f"{row['ratio_low']} to {row['ratio_high']}"
        lines.append(f"| {row['ours']} | {row['instead']} | {row['ratio']} ({spread}) |")
    return "\n".join(lines)


def draw(rows: list[dict[str, str]], path: Path = FIGURE) -> None:
    """Each ratio with its spread, beside the line where both sides cost the same."""
    size = (6.8, 0.8 + 0.5 * len(rows))
    title = "Processor time of the course, as a part of what it stands beside"
    with look.sheet("benchmarks", {"rows": rows}, size, title=title, path=path) as (_, (axes,)):
        for k, row in enumerate(rows):
            low, ratio, high = (float(row[c]) for c in ("ratio_low", "ratio", "ratio_high"))
            axes.plot([low, high], [k, k], color=look.colour(0), alpha=0.4, linewidth=5)
            axes.plot(ratio, k, "o", color=look.colour(0))
            look.note(axes, f"{ratio:.2f}", (ratio, k), (0, 7), ha="center")
        axes.axvline(1, color=look.GREY, linewidth=1)
        names = [f"{row['ours']}\nbeside {row['instead']}".replace("`", "") for row in rows]
        axes.set_yticks(range(len(rows)), names, fontsize=8)
        axes.set(xlim=(0, 1.1), ylim=(len(rows) - 0.4, -0.6), xlabel="ours / theirs")


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(COMPARISONS)}")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - set(COMPARISONS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(COMPARISONS)}")
    if given.rounds < 2:
        parser.error(f"--rounds must be at least 2; got {given.rounds}")
    torch.set_num_threads(1)
    for name in given.names or COMPARISONS:
        if name == "fit-d2l" and not (data_folder() / "FashionMNIST" / "raw").is_dir():
            print(f"{name}: Fashion-MNIST is not in {data_folder()}; the older row is kept")
            continue
        row = measure(name, COMPARISONS[name], given.rounds)
        write_csv(TABLE, renewed(read(), row))
        print(f"{name}: {row['ratio']} ({row['ratio_low']} to {row['ratio_high']})", flush=True)
    if rows := read():
        draw(rows)
        write_atomically(PAGE, between(PAGE.read_text(encoding="utf-8"), MARKS, table(rows)))
    return 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main(sys.argv[1:]))
