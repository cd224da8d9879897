"""`lrcourse tune module:function`: the rate for a training function of one's own, from a shell."""

from __future__ import annotations

import argparse

from lrcourse.commands import options, own_function
from lrcourse.commands.terminal import CommandError, say

HELP = """\
The function is train(lr, seed), in any framework. It returns the validation loss, or a dictionary
of numbers (--column says which of them counts), or yields either as it goes, so that bad runs are
stopped early. Its module is looked for in the working folder first, then among the installed
packages. Finished runs are kept: the same command goes on where a killed one ended.

Exit codes:
    0  a rate was found that is better than those on both sides
    1  the function failed, or no rate is better than those on both sides
    2  nothing was done: the request, the module or the function does not allow it
"""
OPTIONS = ("start", "rates", "ratio", "seeds", "most_rates", "most_seeds", "column", "jobs")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Describe the subcommand."""
    command.description = (
        "Five rates at the ratio of sqrt(10), widened until it is worse on both sides, with more "
        "seeds where rates are equal."
    )
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.epilog = HELP
    command.add_argument(
        "function", metavar="MODULE:FUNCTION", help="a function train(lr, seed) of yours; see below"
    )
    told = "the rate in the middle (default: 0.1)"
    command.add_argument("--start", type=float, metavar="LR", help=told)
    told = "what to try first, instead of --start"
    command.add_argument("--rates", type=float, nargs="+", metavar="LR", help=told)
    told = "of a rate to the next (default: 3.16)"
    command.add_argument("--ratio", type=float, metavar="R", help=told)
    told = "that every rate gets (default: 0 1)"
    command.add_argument("--seeds", type=int, nargs="+", metavar="N", help=told)
    options.add_count(command, "--most-rates", "how many rates there may be (default: 12)")
    options.add_count(command, "--most-seeds", "how many seeds a rate may get (default: 5)")
    command.add_argument("--column", metavar="NAME", help="which number of a dictionary counts")
    better = command.add_mutually_exclusive_group()
    options.add_flag(better, "--higher", "higher is better (default: of an accuracy or a score)")
    options.add_flag(better, "--lower", "lower is better")
    options.add_path(command, "--records", "FOLDER", "of the finished runs (default: the cache)")
    told = "processes side by side; -1: one per core (default: 1)"
    command.add_argument("--jobs", type=int, metavar="N", help=told)
    own_function.add_figure(command, "tuned.png")


def tune(given: argparse.Namespace) -> int:
    """Find the rate, print what was found, write the figure.

    Returns 0, or 1 where no rate is better than those on both sides. Raises CommandError where the
    function cannot be tuned, or fails.
    """
    own_function.check_files(given.out)
    function = own_function.find(given.function)
    from lrcourse import sweeps

    options = {name: getattr(given, name) for name in OPTIONS}
    options |= {"higher": True if given.higher else False if given.lower else None}
    options |= {"records": given.records}
    options = {name: value for name, value in options.items() if value is not None}
    with own_function.working(f"cannot tune {given.function}"):
        try:
            found = sweeps.tune(function, **options)
        except sweeps.RunFailed as problem:
            cause = problem.__cause__  # of another process it has no traceback here
            where = ""
            if cause and cause.__traceback__ and not own_function.is_refusal(cause):
                where = f"\n{own_function.excerpt(cause)}"
            raise CommandError(f"{problem}{where}", code=1) from None
    say(found.table(), "", found)
    own_function.write("figure", given.out, lambda file: found.plot(given.function, path=file))
    return 1 if found.edge else 0
