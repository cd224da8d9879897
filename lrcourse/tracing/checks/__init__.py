"""What looks wrong in a trace of a schedule.

Each check is a function from a `Trace`, or from the `Condition` before it, to findings. The codes,
and from which size on (the numbers in capitals stand in the modules here and in
`lrcourse.schedules.lengths`):

    no-updates        a record holds no update
    error             the scheduler raises an error
    bad-lr            an LR below 0, NaN or infinite
    all-zero          every LR is 0
    zero-start        the first LR of a group is 0 and a later one is not
    jump              in one step a group's LR rises by more than JUMP of its peak, and more than
                      JUMP_TO_NEIGHBOURS times as much as in the steps before and after
    two-writers       the LR has been changed beside the scheduler, or is another one for single
                      updates at regular distances
    peak-missed       the LR stays more than PEAK_TOLERANCE below the peak that a warmup leads to,
                      or a function of one's own raises it to the end, STUCK of the whole at most
    rise-after-end    the LR rises, by more than RISE of the peak, after its schedule has ended
    ends-early        the schedule is over, or its LR has VANISHED, before LONG of the training
                      (milestones: before LONG_MILESTONES of it), or the LR is exactly 0 for
                      more than ZERO of it
    ends-late         the schedule, or its first change, takes more than LATE times the training,
                      or a part that takes all of it is left less by milestones
    ends-high         the training ends just after a restart, or its decay has hardly begun
    above-peak        the LR rises above the rate that its schedule starts from or leads to
    never-changes     a schedule that is to move the LR does not
    milestones        milestones that are no whole numbers, which no step is equal to
    small-factor      the function of a LambdaLR seems to return an LR and no factor
    groups-added      the scheduler knows another number of groups than the optimizer has
    groups-parted     the scheduler writes into other groups than the updates use
    loaded-lr         a checkpoint has replaced the LR that the optimizer was built with
    no-effect         one of several schedulers stepped together is overwritten at each step
    momentum          a cyclic scheduler writes another momentum than the optimizer was given
    groups-flattened  groups that were to differ have one LR
    base-rewritten    one scheduler changed the rate from which another one starts
    stale-lr          the groups hold another LR than the scheduler says
    not-resumed       last_epoch goes on at a step whose LR the optimizer does not hold
    stepped-before    the scheduler has been stepped, and the optimizer has not

and from comparing a record (`lrcourse.tracing.log`): lag, scale, pace, skipped, differs,
length.

What a known scheduler does by design is no finding: restarts, cycles, milestones, a warmup of any
length, a 1cycle that moves the momentum around the one given. Jumps are looked for where one
scheduler hands over to another and in functions whose design is not known.
"""

from __future__ import annotations

from lrcourse.tracing.checks import cosines, groups, lengths, meanings, rates, writers
from lrcourse.tracing.condition import Condition
from lrcourse.tracing.findings import Finding, Findings
from lrcourse.tracing.result import Trace

BEFORE = (
    *(groups.groups_unknown, groups.parted, groups.loaded, writers.overwritten, writers.stale),
    *(writers.rewritten, groups.flattened, writers.off_formula, writers.stepped_before),
    *(writers.left_by_1cycle, writers.momentum),
)
CHECKS = (*rates.CHECKS, *meanings.CHECKS, *lengths.CHECKS, *cosines.CHECKS)


def examine(trace: Trace) -> Findings:
    """Every finding of every check, and what was wrong before the trace."""
    return Findings([*(finding for check in CHECKS for finding in check(trace)), *trace.before])


def examine_before(condition: Condition) -> tuple[Finding, ...]:
    """What was wrong with optimizer and scheduler already before the trace."""
    return tuple(finding for check in BEFORE for finding in check(condition))
