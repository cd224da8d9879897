"""A shape's formula as code: in plain Python, or in the arrays of JAX or Keras."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field

from lrcourse.schedules.base import Product, Schedule, Then, constant
from lrcourse.schedules.cycles import cyclical, exp_range, one_cycle, restarts, triangular2
from lrcourse.schedules.decays import (
    cosine,
    exponential,
    linear,
    multistep,
    polynomial,
    power,
    step,
)
from lrcourse.schedules.functions import from_function
from lrcourse.schedules.warmups import DEFAULT_EXPONENT, TINY, warmup, wsd


class NoSpelling(ValueError):
    """A schedule has no spelling in a library; the message says why, and what helps."""


@dataclass
class Dialect:
    """How arithmetic is written: in Python's `math`, or with the functions of a module.

    Attributes:
        module: "math", or "jnp", or "ops".
        imports: lines that the code needs.
    """

    module: str = "math"
    imports: list[str] = field(default_factory=list)

    @property
    def is_plain(self) -> bool:
        """Whether it is Python's own numbers."""
        return self.module == "math"

    def least(self, a: str, b: str) -> str:
        """The smaller one."""
        return f"min({a}, {b})" if self.is_plain else f"{self.module}.minimum({a}, {b})"

    def most(self, a: str, b: str) -> str:
        """The larger one."""
        return f"max({a}, {b})" if self.is_plain else f"{self.module}.maximum({a}, {b})"

    def where(self, condition: str, yes: str, no: str) -> str:
        """One of two."""
        if self.is_plain:
            return f"({yes} if {condition} else {no})"
        return f"{self.module}.where({condition}, {yes}, {no})"

    def call(self, name: str, value: str) -> str:
        """A function of one number."""
        if self.is_plain and name == "abs":
            return f"abs({value})"
        if self.is_plain:
            self.needs("import math")
        return f"{self.module}.{name}({value})"

    def needs(self, line: str) -> None:
        """Note an import, once."""
        if line not in self.imports:
            self.imports.append(line)


def python_function(shape: Schedule) -> tuple[list[str], str]:
    """`def factor(t)` in plain Python, and the imports that it needs."""
    dialect = Dialect()
    body = "\n".join(_statements(shape, "t", dialect))
    return dialect.imports, f"def factor(t):\n{textwrap.indent(body, '    ')}"


def array_function(shape: Schedule, module: str, cast: str) -> tuple[list[str], str]:
    """`def factor(t)` in the arrays of a module; `cast` makes one of t."""
    dialect = Dialect(module)
    formula = expression(shape, "t", dialect)
    return dialect.imports, f"def factor(t):\n    {cast}\n    return {formula}"


def _statements(shape: Schedule, t: str, to: Dialect) -> list[str]:
    """The body of a function; one shape after another by `if`."""
    if not isinstance(shape, Then):
        return [f"return {expression(shape, t, to)}"]
    start, first = _joint(shape, t, to)
    inner = [f"return {first}"] if first else _statements(shape.first, t, to)
    rest = _statements(shape.second, f"({t} - {start})" if start != "0" else t, to)
    return [f"if {t.strip('()')} < {start}:", *(f"    {line}" for line in inner), *rest]


def number(value: float) -> str:
    """A number as it is written, a whole one without its point."""
    return repr(int(value) if float(value).is_integer() and abs(value) < 1e15 else float(value))


def expression(shape: Schedule, t: str, to: Dialect) -> str:
    """The factor at `t`; NoSpelling for a shape whose formula is not known."""
    writer = _WRITERS.get(type(shape))
    if writer is None:
        raise NoSpelling(
            f"{shape!r} has no formula that could be written out: it is a class of your own. In "
            "a loop of torch, use schedules.to_torch(shape, optimizer)"
        )
    return writer(shape, t, to)


def _joint(shape: Then, t: str, to: Dialect) -> tuple[str, str]:
    """Where the second begins; and the first before that, if it is simpler than its whole."""
    after = shape.first.length or 0 if shape.after is None else shape.after
    simple = isinstance(shape.first, warmup) and shape.first.length and shape.after is None
    return number(after), _rise(shape.first, t, to) if simple else ""  # pyright: ignore


def _then(shape: Then, t: str, to: Dialect) -> str:
    start, first = _joint(shape, t, to)
    later = f"({t} - {start})"
    if not to.is_plain:  # both sides of a where are computed: none may leave its own range
        later = to.most(f"{t} - {start}", "0")
    second = expression(shape.second, later, to)
    return to.where(f"{t} < {start}", first or expression(shape.first, t, to), second)


def _product(shape: Product, t: str, to: Dialect) -> str:
    return f"({expression(shape.left, t, to)}) * ({expression(shape.right, t, to)})"


def _constant(shape: constant, t: str, to: Dialect) -> str:
    return number(shape.factor) if to.is_plain else f"{number(shape.factor)} + 0 * {t}"


def _step(shape: step, t: str, to: Dialect) -> str:
    return f"{number(shape.gamma)} ** ({t} // {number(shape.every)})"


def _multistep(shape: multistep, t: str, to: Dialect) -> str:
    if to.is_plain:
        places = ", ".join(map(number, shape.milestones))
        return f"{number(shape.gamma)} ** sum({t} >= place for place in ({places},))"
    found = "1.0"
    for k, place in enumerate(shape.milestones, start=1):
        found = to.where(f"{t} >= {number(place)}", number(shape.gamma**k), found)
    return found


def _exponential(shape: exponential, t: str, to: Dialect) -> str:
    falls = f"{number(shape.gamma)} ** {t}"
    return to.most(number(shape.floor), falls) if shape.floor else falls


def _power(shape: power, t: str, to: Dialect) -> str:
    scale = number(shape.timescale)
    return f"(({t} + {scale}) / {scale}) ** ({number(shape.exponent)})"


def _progress(t: str, total: float, to: Dialect) -> str:
    return to.least("1.0", f"{t} / {number(total)}")


def _left(way: str, progress: str, to: Dialect) -> str:
    """What is left of a fall from 1 to 0."""
    if way == "linear":
        return f"(1 - {progress})"
    if way == "cosine":
        to.needs("import math")
        return f"(1 + {to.call('cos', f'math.pi * {progress}')}) / 2"
    return f"(1 - {progress} ** 0.5)"


def _blend(low: float, share: str) -> str:
    if low == 0:
        return share
    return f"{number(low)} + {number(1 - low)} * {share}"


def _polynomial(shape: polynomial, t: str, to: Dialect) -> str:
    left = _left("linear", _progress(t, shape.total, to), to)
    return _blend(shape.floor, f"{left} ** {number(shape.exponent)}")


def _linear(shape: linear, t: str, to: Dialect) -> str:
    return _blend(shape.floor, _left("linear", _progress(t, shape.total, to), to))


def _cosine(shape: cosine, t: str, to: Dialect) -> str:
    return _blend(shape.floor, _left("cosine", _progress(t, shape.total, to), to))


def _restarts(shape: restarts, t: str, to: Dialect) -> str:
    if shape.multiply != 1:
        raise NoSpelling(
            f"{shape!r}: cycles that grow have no formula without a search for the cycle; "
            "torch's CosineAnnealingWarmRestarts has whole ones (spell them alone, without a floor "
            "or decay), elsewhere write the falls one after the other: cosine(a).then(cosine(b))"
        )
    first = number(shape.first)
    left = _left("cosine", f"({t} % {first}) / {first}", to)
    if shape.decay == 1:
        return _blend(shape.floor, left)
    peak = to.most(number(shape.floor), f"{number(shape.decay)} ** ({t} // {first})")
    return f"{number(shape.floor)} + ({peak} - {number(shape.floor)}) * {left}"


def _cyclical(shape: cyclical, t: str, to: Dialect) -> str:
    half = number(shape.half_cycle)
    x = to.call("abs", f"({t} / {half}) % 2 - 1")
    height = {
        "triangle": f"(1 - {x})",
        "welch": f"(1 - {x} ** 2)",
        "hann": _left("cosine", x, to),
    }[shape.window]
    if shape.scale is triangular2:
        height = f"{height} * 0.5 ** ({t} // {number(2 * shape.half_cycle)})"
    elif isinstance(shape.scale, exp_range):
        height = f"{height} * {number(shape.scale.gamma)} ** {t}"
    elif shape.scale is not None:
        raise NoSpelling(f"{shape!r}: a scale of your own has no formula that could be written out")
    return _blend(shape.base, height)


def _one_cycle(shape: one_cycle, t: str, to: Dialect) -> str:
    peak_at, last = shape.peak_at, shape.total - 1
    after = to.least("1.0", f"({t} - {peak_at}) / {last - peak_at}")
    fall = _blend(shape.end, _left(shape.anneal, after if to.is_plain else f"({after})", to))
    if peak_at == 0:
        return fall
    rise = _blend(shape.start, f"(1 - {_left(shape.anneal, f'({t} / {peak_at})', to)})")
    return to.where(f"{t} < {peak_at}", rise, fall)


def _warmup(shape: warmup, t: str, to: Dialect) -> str:
    if shape.length is None:
        return _rise(shape, t, to)
    if not shape.length:
        return _constant(constant(), t, to)
    return to.where(f"{t} < {number(shape.length)}", _rise(shape, t, to), "1.0")


def _rise(shape: warmup, t: str, to: Dialect) -> str:
    """A warmup before its end."""
    if shape.ramp != "exponential":
        return _ramp(shape, t, to)
    tau = max((shape.length or 0) / 5, TINY) if shape.tau is None else shape.tau
    return f"1 - {to.call('exp', f'-({t} + 1) / {number(tau)}')}"


def _ramp(shape: warmup, t: str, to: Dialect) -> str:
    length = number(shape.length or 1)
    exponent = 1 if shape.ramp == "linear" else shape.exponent or DEFAULT_EXPONENT
    to_the = "" if exponent == 1 else f" ** {number(exponent)}"
    share = f"({t} / {length})" if to.is_plain else to.least("1.0", f"{t} / {length}")
    if shape.start is None:
        return f"{to.least('1.0', f'({t} + 1) / {length}')}{to_the}"
    if shape.ramp == "constant":
        return number(shape.start)
    if shape.ramp == "geometric":
        return f"{number(shape.start)} ** (1 - {share})"
    return _blend(shape.start, f"{share}{to_the}")


def _wsd(shape: wsd, t: str, to: Dialect) -> str:
    stable_until = shape.total - shape.decay
    if shape.decay:
        into = f"({t} - {number(stable_until)}) / {number(shape.decay)}"
        into = to.least("1.0", to.most("0.0", into))
        fall = _blend(shape.floor, _left(shape.tail, into, to))
    else:
        fall = to.where(f"{t} < {number(shape.total)}", "1.0", number(shape.floor))
    if not shape.warmup:
        return fall
    rise = to.least("1.0", f"({t} + 1) / {number(shape.warmup)}")
    return to.where(f"{t} < {number(shape.warmup)}", rise, fall)


def _from_function(shape: from_function, t: str, to: Dialect) -> str:
    module, _, name = str(shape.f).partition(":")
    if not isinstance(shape.f, str) or "." in name:
        raise NoSpelling(
            f"{shape!r}: a function that cannot be imported has no code to copy; put it into a "
            "module and give it as 'module:function'"
        )
    if not to.is_plain:
        raise NoSpelling(
            f"{shape!r}: a function of Python's numbers does not take the arrays that are traced "
            "there; write its formula with their functions"
        )
    to.needs(f"from {module} import {name}")
    return f"{name}({t})" if shape.length is None else f"{name}(min({t}, {number(shape.length)}))"


_WRITERS: dict[type, Callable[..., str]] = {
    Then: _then,
    Product: _product,
    constant: _constant,
    step: _step,
    multistep: _multistep,
    exponential: _exponential,
    power: _power,
    polynomial: _polynomial,
    linear: _linear,
    cosine: _cosine,
    restarts: _restarts,
    cyclical: _cyclical,
    one_cycle: _one_cycle,
    warmup: _warmup,
    wsd: _wsd,
    from_function: _from_function,
}
