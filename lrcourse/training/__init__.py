"""The training loop that applies a schedule, and the record that it leaves."""

from lrcourse.training.history import History
from lrcourse.training.loop import fit
from lrcourse.training.measuring import evaluate_on
from lrcourse.training.pacing import ScheduleWarning

__all__ = ["History", "ScheduleWarning", "evaluate_on", "fit"]
