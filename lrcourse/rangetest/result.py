"""What a range test gives: curves over the learning rate, and what can be said of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lrcourse.rangetest.calibration import Calibration, calibrate
from lrcourse.rangetest.curves import Curves
from lrcourse.rangetest.suggestion import SIDE, Suggestion, suggest
from lrcourse.support.checks import PATH, TEXT, arguments, optional

if TYPE_CHECKING:
    from lrcourse.sweeps import BestRate


class RangeTest(Curves):
    """The result of a range test. `print` it for one line, `suggest()` for what it says.

    Example:
        >>> import numpy as np
        >>> from lrcourse.rangetest import RangeTest
        >>> from lrcourse.rangetest.curves import Curve
        >>> lr = np.geomspace(1e-4, 10, 100)
        >>> loss = 2 - np.exp(-np.log(lr / 0.3) ** 2)
        >>> columns = dict.fromkeys(["accuracy", "held_out_loss", "held_out_accuracy"])
        >>> ends = {"diverged_at": None, "why": None, "skipped": (), "seed": 0}
        >>> curve = Curve(lr=lr, group_lr=lr[:, None], loss=loss, **columns, **ends)
        >>> test = RangeTest((curve,), 1e-4, 10.0, 100, "log", smoothing=0.5, diverged=4.0)
        >>> print(test.suggest().sentence)
        Use 0.14 (steepest fall in log LR, the middle one of 3 rules within a factor 5; ...).
    """

    @arguments(on=SIDE)
    def suggest(self, on: str = "training") -> Suggestion:
        """Every rule side by side, and whether to trust them; `on` "training" or "held_out"."""
        return suggest(self, on)

    @arguments(on=SIDE)
    def calibrate(self, best: float | BestRate, on: str = "training") -> Calibration:
        """How far each rule is from the best rate of a real sweep; see `Calibration`."""
        return calibrate(self, best, on)

    @arguments(title=TEXT, name=TEXT, path=optional(PATH))
    def plot(
        self, title: str = "", name: str = "range-test", path: str | Path | None = None
    ) -> None:
        """Draw the curves and the suggestions; `path` keeps the figure as a PNG."""
        from lrcourse.rangetest.figure import plot  # matplotlib, only where it is needed

        plot(self, title=title, name=name, path=path)
