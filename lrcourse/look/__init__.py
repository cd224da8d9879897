"""The look of the course's figures: colours, bands over seeds, names on lines, LR axes.

Everything here takes arrays; what knows the record of a run is in `lrcourse.plots.bands`.

    with look.sheet(name, {"lines": list(lines)}, (6.8, 3.4)) as (figure, (axes,)):
        look.band(axes, rates, losses, look.colour(0), label="SGD")
        look.log_axis(axes, "x")
        look.name_lines(axes)
"""

from lrcourse.look.axes import log_axis, lr_axis, mark_zero, plain_log_ticks, scales
from lrcourse.look.lines import band, contours, note, steps
from lrcourse.look.names import apart, name_lines
from lrcourse.look.sheets import beside, origin_of, png_info, sheet, title_over
from lrcourse.look.style import COLOURS, GREY, LOOK, QUARTILES, SHAPES, colour, dash

__all__ = [
    "COLOURS",
    "GREY",
    "LOOK",
    "QUARTILES",
    "SHAPES",
    "apart",
    "band",
    "beside",
    "colour",
    "contours",
    "dash",
    "log_axis",
    "lr_axis",
    "mark_zero",
    "name_lines",
    "note",
    "origin_of",
    "plain_log_ticks",
    "png_info",
    "scales",
    "sheet",
    "steps",
    "title_over",
]
