"""Many runs: a frozen spec for each, a record for each, and what can be read off them."""

from lrcourse.sweeps.arms import OnTheEdge
from lrcourse.sweeps.by_seed import (
    best_by_seed,
    breaks_by_seed,
    largest_by_seed,
    trains,
    width_by_seed,
)
from lrcourse.sweeps.committed import evidence
from lrcourse.sweeps.experiment import Experiment
from lrcourse.sweeps.fairness import Comparison, fair
from lrcourse.sweeps.grids import grid, log_space
from lrcourse.sweeps.reaching import race, updates_by_seed, updates_until
from lrcourse.sweeps.reading import BestRate, best_rate
from lrcourse.sweeps.records import Records, RecordWarning
from lrcourse.sweeps.resuming import RunFailed
from lrcourse.sweeps.running import downward, run, run_arms
from lrcourse.sweeps.runs import Run, Runs, load
from lrcourse.sweeps.source_code import StaleCode
from lrcourse.sweeps.splits import SplitComparison, fair_over_splits
from lrcourse.sweeps.tuned import Tuned
from lrcourse.sweeps.tuning import tune
from lrcourse.sweeps.workers import over_seeds

__all__ = [
    "BestRate",
    "Comparison",
    "Experiment",
    "OnTheEdge",
    "RecordWarning",
    "Records",
    "Run",
    "RunFailed",
    "Runs",
    "SplitComparison",
    "StaleCode",
    "Tuned",
    "best_by_seed",
    "best_rate",
    "breaks_by_seed",
    "downward",
    "evidence",
    "fair",
    "fair_over_splits",
    "grid",
    "largest_by_seed",
    "load",
    "log_space",
    "over_seeds",
    "race",
    "run",
    "run_arms",
    "trains",
    "tune",
    "updates_by_seed",
    "updates_until",
    "width_by_seed",
]
