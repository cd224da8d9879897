"""`lrcourse find-lr module:function`: a range test from a shell."""

from __future__ import annotations

import argparse
import inspect
from typing import Any

from lrcourse.commands import options, own_function
from lrcourse.commands.terminal import say

OPTIONS = ("start", "end", "updates", "scale", "repeats", "seed")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Describe the subcommand."""
    command.description = "LR range test: the curves, all rules, and whether to trust them."
    own_function.add_function(
        command,
        purpose="range test",
        pair="net, optimizer, batches",
        further=(
            "any further argument of lrcourse.rangetest.range_test\n"
            "(loss_fn, step, held_out, accumulate, autocast, clip_norm, batch_size, ...)"
        ),
        keys='{"net": net, "optimizer": optimizer, "batches": loader, "held_out": few_batches}',
        rest=(
            "\nor an lrcourse.sweeps.Experiment. Options given here go before those of the "
            "function.\nNet, optimizer and loader are left as they were.\n"
        ),
        one="the net or the data failed during the test",
    )
    command.add_argument("--start", type=float, metavar="LR", help="first rate (default: 1e-5)")
    command.add_argument("--end", type=float, metavar="LR", help="last rate (default: 10)")
    options.add_count(command, "--updates", "updates of one sweep (default: 100)")
    command.add_argument("--scale", choices=("log", "linear"), help="of the rates (default: log)")
    options.add_count(command, "--repeats", "sweeps (default: 1)")
    command.add_argument("--seed", type=int, metavar="N", help="of the first repeat (default: 0)")
    own_function.add_figure(command, "range-test.png")


def find_lr(given: argparse.Namespace) -> int:
    """Run the range test, print what it says, write the figure.

    Returns 0. Raises CommandError where there is nothing to test.
    """
    own_function.check_files(given.out)
    returned = own_function.call(given.function)
    options = {name: getattr(given, name) for name in OPTIONS}
    options = {name: value for name, value in options.items() if value is not None}
    test = _test(given.function, returned, options)
    suggestion = test.suggest()
    say(test, suggestion.table(), "", suggestion.sentence)
    if test.held_out_loss is not None:
        print(f"On the held-out data: {test.suggest('held_out').sentence}")
    own_function.write("figure", given.out, lambda file: test.plot(given.function, path=file))
    return 0


def _test(name: str, returned: Any, options: dict[str, Any]) -> Any:
    from lrcourse.rangetest import UnfitBatch, range_test, range_test_of
    from lrcourse.sweeps import Experiment

    what = f"cannot test {name}"
    if isinstance(returned, Experiment):
        with own_function.working(what):
            return range_test_of(returned, **options)
    made = own_function.keywords(
        name,
        returned,
        ("net", "optimizer", "batches"),
        inspect.signature(range_test).parameters,
        ", or an Experiment",
    )
    with own_function.working(what):
        try:
            return range_test(**(made | options))
        except UnfitBatch as problem:
            if problem.__cause__ is None:
                raise
            problem.__cause__.add_note(str(problem))  # the failure shows where in their own code
            raise problem.__cause__ from None
