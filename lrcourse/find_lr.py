"""``lrcourse find-lr module:function``: a range test from a shell."""

from __future__ import annotations

import argparse
import inspect
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CONTRACT = """\
The function takes no argument and returns what the range test needs, either as a tuple

    return net, optimizer, batches

or as a dictionary with these keys and any further argument of lrcourse.rangetest.range_test
(loss_fn, held_out, repeats, accumulate, autocast, step, batch_size, ...):

    return {"net": net, "optimizer": optimizer, "batches": loader, "held_out": few_batches}

or an lrcourse.experiments.Experiment. The module is looked for in the working folder, too. Options
given here go before those of the function. Net, optimizer and loader are left as they were.
"""
OPTIONS = ("start", "end", "updates", "scale", "repeats", "seed")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Describe the subcommand."""
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.description = "LR range test: the curves, all rules, and whether to trust them."
    command.epilog = CONTRACT
    command.add_argument(
        "function", metavar="MODULE:FUNCTION", help="gives net, optimizer, batches"
    )
    command.add_argument("--start", type=float, metavar="LR", help="first rate (default: 1e-5)")
    command.add_argument("--end", type=float, metavar="LR", help="last rate (default: 10)")
    command.add_argument("--updates", type=int, metavar="N", help="of a sweep (default: 100)")
    command.add_argument("--scale", choices=("log", "linear"), help="of the rates (default: log)")
    command.add_argument("--repeats", type=int, metavar="N", help="sweeps (default: 1)")
    command.add_argument("--seed", type=int, metavar="N", help="of the first repeat (default: 0)")
    command.add_argument(
        "--png",
        type=Path,
        default=Path("range-test.png"),
        metavar="FILE",
        help="the figure (default: range-test.png)",
    )
    command.add_argument("--no-png", action="store_true", help="the table alone")


def find_lr(given: argparse.Namespace) -> int:
    """Run the range test and print what it says. Raises ``cli.UsageError``."""
    from lrcourse.cli import UsageError
    from lrcourse.functions import find_function

    os.environ.setdefault("MPLBACKEND", "Agg")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        function = find_function(given.function)
    except ValueError as error:
        raise UsageError(str(error)) from None
    png = None if given.no_png else given.png
    if png is not None and not os.access(png.absolute().parent, os.W_OK):
        raise UsageError(f"cannot write {png}: choose another file by --png FILE, or --no-png")
    options = {name: getattr(given, name) for name in OPTIONS}
    options = {name: value for name, value in options.items() if value is not None}
    made = function()
    try:
        test = _test(given.function, made, options)
    except (ValueError, TypeError) as error:
        raise UsageError(str(error)) from error
    suggestion = test.suggest()
    print(test, suggestion.table(), "", suggestion.sentence, sep="\n")
    if test.held_out_loss is not None:
        print(f"On the held-out data: {test.suggest('held_out').sentence}")
    if png is not None:
        test.plot(title=given.function, path=png)
        print(f"figure: {png}")
    return 0


def _test(name: str, made: Any, options: dict[str, Any]) -> Any:
    from lrcourse.experiments import Experiment
    from lrcourse.rangetest import range_test, range_test_of

    if isinstance(made, Experiment):
        return range_test_of(made, **options)
    if isinstance(made, tuple) and len(made) == 3:
        made = dict(zip(("net", "optimizer", "batches"), made, strict=True))
    if not isinstance(made, Mapping):
        raise ValueError(
            f"{name} returned a {type(made).__name__}; it returns (net, optimizer, batches), a "
            f"dictionary with these keys, or an Experiment (see lrcourse find-lr --help)"
        )
    known = list(inspect.signature(range_test).parameters)
    missing = [key for key in ("net", "optimizer", "batches") if key not in made]
    unknown = [str(key) for key in made if key not in known]
    if missing or unknown:
        what = f"lacks {', '.join(missing)}" if missing else f"has {', '.join(unknown)} in it"
        raise ValueError(f"what {name} returned {what}; its keys are among {', '.join(known)}")
    return range_test(**(dict(made) | options))
