"""`lrcourse trace module:function`: what a scheduler will do, from a shell."""

from __future__ import annotations

import argparse

from lrcourse.commands import options, own_function
from lrcourse.commands.terminal import CommandError, say


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Describe the subcommand."""
    command.description = "What the LR of a scheduler will be, and what looks wrong in it."
    own_function.add_function(
        command,
        purpose="trace",
        pair="optimizer, scheduler",
        further="metrics, for a scheduler that looks at them",
        keys='{"optimizer": optimizer, "scheduler": scheduler, "metrics": losses}',
        rest="\nOptimizer and scheduler are left as they were.\n",
        one="the scheduler failed or, with --strict, something looks wrong",
    )
    options.add_count(command, "--updates", "updates of the whole training", required=True)
    command.add_argument(
        "--when",
        choices=["update", "epoch"],
        default="update",
        help="the scheduler is stepped after each update (default) or each epoch",
    )
    options.add_count(command, "--updates-per-epoch", "needed by --when epoch")
    own_function.add_figure(command, "trace.png")
    options.add_path(command, "--csv", "FILE", "also write every LR here")
    options.add_flag(command, "--strict", "end with exit code 1 if anything looks wrong")


def trace(given: argparse.Namespace) -> int:
    """Print table and findings, write the figure.

    Returns 0, or 1 where the scheduler failed on its way or, with `--strict`, where something
    was found. Raises CommandError where there is nothing to trace.
    """
    if given.when == "epoch" and given.updates_per_epoch is None:
        raise CommandError("--when epoch needs --updates-per-epoch N, the batches of one epoch")
    own_function.check_files(given.out, given.csv)
    returned = own_function.call(given.function)
    needed = ("optimizer", "scheduler")
    made = own_function.keywords(given.function, returned, needed, ["metrics"])
    from lrcourse import tracing
    from lrcourse.support import outputs

    with own_function.working(f"cannot trace {given.function}"):
        traced = tracing.trace(
            **made,
            updates=given.updates,
            when=given.when,
            updates_per_epoch=given.updates_per_epoch,
        )
        findings = tracing.lint(traced)
    say(traced, "", findings, "")
    own_function.write("figure", given.out, traced.plot)
    own_function.write("table", given.csv, lambda file: outputs.write_csv(file, traced.rows()))
    return 1 if traced.error or (findings and given.strict) else 0
