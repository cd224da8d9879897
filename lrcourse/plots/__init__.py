"""Every figure of the course: runs, sweeps, descents and what is measured on nets.

Each function shows one figure, and in a headless run saves it as a PNG that says where it comes
from. `title` stands over the figure; `name` is that of its file, made of letters, digits, - and _.
A wrong argument is a TypeError or a ValueError that says what would be right.
"""

from lrcourse.plots.descents import curve, surface
from lrcourse.plots.diagnoses import diagnosis, gallery
from lrcourse.plots.effects import effect, effects
from lrcourse.plots.lines import against, by_parameter, over_looks, over_updates, scatter
from lrcourse.plots.logs import logs
from lrcourse.plots.loops import loop
from lrcourse.plots.nets import displacement, gradient_noise, sharpness
from lrcourse.plots.races import Ground, moving_race, race
from lrcourse.plots.ranges import choice, over_rates, ramps, readings
from lrcourse.plots.runs import compare, schedule, traces, training
from lrcourse.plots.sweeps import by_seed, rates, warmup_lengths
from lrcourse.plots.together import beside

__all__ = [
    "Ground",
    "against",
    "beside",
    "by_parameter",
    "by_seed",
    "choice",
    "compare",
    "curve",
    "diagnosis",
    "displacement",
    "effect",
    "effects",
    "gallery",
    "gradient_noise",
    "logs",
    "loop",
    "moving_race",
    "over_looks",
    "over_rates",
    "over_updates",
    "race",
    "ramps",
    "rates",
    "readings",
    "scatter",
    "schedule",
    "sharpness",
    "surface",
    "traces",
    "training",
    "warmup_lengths",
]
