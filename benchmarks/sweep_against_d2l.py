"""A sweep through `sweeps.run` against D2L's loop run after run, and what resuming costs.

13 rates x 5 seeds of LeNet on 6,000 images of Fashion-MNIST, 1 epoch, batch 256, each run measured
on the whole test set. `sweeps.run` starts from nothing: its processes, imports and reading of the
data are in its time; a second sweep with other seeds, in the processes that are there then, shows
what the runs alone cost. D2L's loop, with d2l's loader over as many images, is timed for a few
runs, of which the median is scaled up to all 65. Needs Fashion-MNIST in the data folder
(`lrcourse doctor` says where).

    python benchmarks/sweep_against_d2l.py [--rates 13] [--seeds 5] [--images 6000] [--d2l-runs 5]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import warnings

import torch
from fit_against_d2l import folder_as_d2l_expects, seconds
from torch import nn
from torch.utils.data import DataLoader, Subset

from lrcourse import sweeps
from lrcourse.study import d2l_reference
from lrcourse.sweeps import Records

BATCH = 256
RESUMED = sweeps.Experiment(model="mlp", model_options={"depth": 2, "width": 8}, epochs=10)


def d2l_seconds(images: int, runs: int, device: str) -> float:
    """The median time of one run of D2L's loop with its own loader; one more run warms up."""
    with folder_as_d2l_expects():
        helpers = d2l_reference.d2l()
        whole, test_iter = helpers.load_data_fashion_mnist(BATCH)
        train_iter = DataLoader(
            Subset(whole.dataset, range(images)),
            BATCH,
            shuffle=True,
            num_workers=helpers.get_dataloader_workers(),
        )

        def run() -> None:
            net = d2l_reference.net()
            trainer = torch.optim.SGD(net.parameters(), lr=0.1)
            loss, place = nn.CrossEntropyLoss(), torch.device(device)
            d2l_reference.loop(net, train_iter, test_iter, 1, loss, trainer, place)

        return statistics.median([seconds(run) for _ in range(runs + 1)][1:])


def resuming(records: int) -> None:
    """What it takes to run a finished sweep of so many records again, and to load them."""
    points = sweeps.grid(RESUMED, seed=range(records))
    history = RESUMED.run("cpu")
    with tempfile.TemporaryDirectory() as folder:
        for point in points:
            Records(folder).write(point.key, point.to_dict(), history.to_dict())
        again = seconds(lambda: sweeps.run(points, records=folder, progress=False))
        loaded = seconds(lambda: sweeps.load(folder))
    print(f"A finished sweep of {records} records of {history.updates} updates each:")
    print(f"  sweeps.run                 {again:8.2f} s")
    print(f"  sweeps.load                {loaded:8.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", type=int, default=13)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--d2l-runs", type=int, default=5)
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--jobs", type=int, help="default: one process per core")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    base = sweeps.Experiment(
        data="fashion-mnist", images=options.images, epochs=1, batch_size=BATCH, evaluate="end"
    )
    rates = sweeps.log_space(1e-3, 1, options.rates)
    points = sweeps.grid(base, lr=rates, seed=range(options.seeds))
    count = len(points)

    with warnings.catch_warnings():  # its loader has more processes than a small machine has cores
        warnings.simplefilter("ignore")
        theirs = d2l_seconds(options.images, options.d2l_runs, options.device)
    with tempfile.TemporaryDirectory() as folder:
        ours = seconds(
            lambda: sweeps.run(
                points, records=folder, jobs=options.jobs, device=options.device, progress=False
            )
        )
        again = seconds(lambda: sweeps.run(points, records=folder, progress=False))
        others = [point.but(seed=point.seed + options.seeds) for point in points]
        warm = seconds(
            lambda: sweeps.run(
                others, records=folder, jobs=options.jobs, device=options.device, progress=False
            )
        )
    print(f"{options.rates} rates x {options.seeds} seeds, {options.images} images, 1 epoch, test")
    print(f"set measured, on {options.device}:")
    print(f"  D2L's loop, run after run  {theirs * count:8.1f} s  {theirs:7.3f} s a run", end="")
    print(f"  (scaled up from {options.d2l_runs} runs)")
    print(f"  sweeps.run                 {ours:8.1f} s  {ours / count:7.3f} s a run", end="")
    print(f"  {ours / (theirs * count):.3f} of D2L's time")
    print(f"  sweeps.run, other seeds    {warm:8.1f} s  {warm / count:7.3f} s a run", end="")
    print(f"  {warm / (theirs * count):.3f} of D2L's time (processes at hand)")
    print(f"  sweeps.run, once more      {again:8.2f} s (all records there)")
    resuming(options.records)


if __name__ == "__main__":
    main()
