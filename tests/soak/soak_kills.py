"""Kill a sweep at random moments, twenty times, and compare its records with an unbroken sweep's.

After each kill every record that was there is still there, byte for byte, and all that are there
are whole. In the end there is exactly one record for each run, and all numbers are those of the
unbroken sweep; only times may differ. A sweep that outlives its kills is compared, and the next
begins in an empty folder. One line a kill; the exit status is 1 where anything differs.

    python tests/soak/soak_kills.py [--kills 20] [--seed 0]
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

from lrcourse import sweeps
from lrcourse.sweeps import Records, RecordWarning

BASE = sweeps.Experiment(
    images=640, model="mlp", model_options={"depth": 2, "width": 32}, epochs=8, evaluate="end"
)
POINTS = sweeps.grid(BASE, lr=[0.01, 0.1, 1e30], seed=range(8))
PATIENCE = 120  # seconds to wait for a sweep to get on


def numbers(store: Records) -> dict[str, dict]:
    """All records by key, without the times in them; a damaged one is an error."""
    found = {}
    for key in sorted(store.keys()):
        record = store.read(key)
        del record["history"]["seconds"], record["history"]["provenance"]["finished"]
        found[key] = record
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.json")}


def kill_once(folder: Path, jobs: int, wanted: int, delay: float) -> bool:
    """Start the sweep and kill it some time after ``wanted`` records; False if it was quicker."""
    command = [sys.executable, __file__, "--sweep", str(folder), "--jobs", str(jobs)]
    child = subprocess.Popen(command, start_new_session=True)
    deadline = time.monotonic() + PATIENCE
    while child.poll() is None and len(Records(folder).keys()) < wanted:
        if time.monotonic() > deadline:
            os.killpg(child.pid, signal.SIGKILL)
            raise SystemExit(f"no {wanted} records after {PATIENCE} s")
        time.sleep(0.002)
    time.sleep(delay)
    was_running = child.poll() is None
    if was_running:
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    return was_running


def soak(kills: int, seed: int, top: Path) -> bool:
    chance, done, sweep, problems = random.Random(seed), 0, 0, 0
    unbroken = Records(top / "unbroken")
    sweeps.run(POINTS, records=unbroken.folder, jobs=1, device="cpu", progress=False)
    expected = numbers(unbroken)
    while done < kills:
        folder, sweep = top / f"killed-{sweep}", sweep + 1
        was_running = True
        while was_running and done < kills:
            before = contents(folder)
            jobs = chance.choice([1, 1, 2])
            wanted = min(len(before) + chance.randint(0, 4), len(POINTS))
            was_running = kill_once(folder, jobs, wanted, chance.uniform(0, 0.1))
            done += was_running
            after = contents(folder)
            lost = [name for name in before if after.get(name) != before[name]]
            problems += len(lost)
            print(
                f"kill {done:2} of sweep {sweep}, {jobs} at once: {len(before):2} records before, "
                f"{len(after):2} after, {len(lost)} lost or changed"
                + ("" if was_running else " (it had finished)"),
                flush=True,
            )
            same = {
                key: record == expected[key] for key, record in numbers(Records(folder)).items()
            }
            problems += list(same.values()).count(False)
        sweeps.run(POINTS, records=folder, jobs=1, device="cpu", progress=False)
        equal = numbers(Records(folder)) == expected
        left = [path.name for path in folder.iterdir() if ".damaged-" in path.name]
        problems += (not equal) + len(left)
        print(f"sweep {sweep}: {'equal to' if equal else 'DIFFERENT FROM'} the unbroken one")
    print(f"{done} kills, {sweep} sweeps of {len(POINTS)} runs, {problems} problems (seed {seed})")
    return problems == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--sweep", help=argparse.SUPPRESS)  # what is killed
    parser.add_argument("--jobs", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sweep:
        sweeps.run(POINTS, records=options.sweep, jobs=options.jobs, device="cpu", progress=False)
        return
    warnings.simplefilter("error", RecordWarning)  # a damaged record stops everything
    with tempfile.TemporaryDirectory() as top:
        sys.exit(0 if soak(options.kills, options.seed, Path(top)) else 1)


if __name__ == "__main__":
    main()
