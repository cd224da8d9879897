"""The learning rate and the momentum that an optimizer really uses, read inside each update.

This is how the course keeps its first promise, that the LR drawn is the LR applied: nothing is
computed from the schedule again. The numbers are taken from the parameter groups at the moment in
which `optimizer.step` begins. Where a wrapper passes the step on (accelerate, SAM, Lookahead, two
optimizers in one), the optimizers inside are the ones that make the update, and theirs are read.
"""

from lrcourse.recorder.groups import peak_of
from lrcourse.recorder.protocols import OptimizerLike, SchedulerLike
from lrcourse.recorder.recording import Hooked, Recorder
from lrcourse.recorder.steppers import groups_of

__all__ = ["Hooked", "OptimizerLike", "Recorder", "SchedulerLike", "groups_of", "peak_of"]
