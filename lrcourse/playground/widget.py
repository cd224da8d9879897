"""Interactive figures for Jupyter: the playground.

    from lrcourse.playground import Playground

    page = Playground(surface="ravine", optimizer="momentum", peak_lr=0.1)
    page                                                # in the last line of a cell: the page
    page.peak_lr, page.run().losses[-1]                 # what the sliders say now, and its numbers

The page itself is `page.js`, which runs without Python, too. An output carries a still
figure and the settings beside the widget, for readers without a kernel.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

try:
    import anywidget
    import traitlets
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"the playground needs {error.name}: pip install 'lrcourse[course]', or pip install "
        f"anywidget",
        name=error.name,
    ) from error

from lrcourse.playground.descent import RULES, Run, Setting, simulate
from lrcourse.playground.page import MIME, SCRIPT
from lrcourse.playground.sentences import verdict


class Playground(anywidget.AnyWidget):
    """A descent over the plane whose settings one changes by hand, or from Python.

    The settings, with their meanings and ranges, are those of `lrcourse.playground.Setting`;
    start and peak LR are the surface's own where not given. Each is a trait: set it and the page
    follows, move a slider and the trait follows; `observe` tells of changes.

    Raises:
        TypeError: for an unknown setting, or one of another kind.
        ValueError: for a setting that is out of its range.
        traitlets.TraitError: for an assignment that is either.

    >>> from lrcourse.playground import Playground
    >>> page = Playground(surface="bowl", updates=20)
    >>> page.peak_lr = 0.2
    >>> float(page.run().lr[0])
    0.2
    """

    _esm = SCRIPT

    surface = traitlets.Any().tag(sync=True)
    start = traitlets.Any().tag(sync=True)
    optimizer = traitlets.Any().tag(sync=True)
    schedule = traitlets.Any().tag(sync=True)
    peak_lr = traitlets.Any().tag(sync=True)
    momentum = traitlets.Any().tag(sync=True)
    warmup = traitlets.Any().tag(sync=True)
    updates = traitlets.Any().tag(sync=True)
    noise = traitlets.Any().tag(sync=True)
    seed = traitlets.Any().tag(sync=True)

    def __init__(self, **settings: Any) -> None:
        unknown = sorted(settings.keys() - RULES.keys())
        if unknown:
            raise TypeError(f"a playground has no {', '.join(unknown)}; it has {', '.join(RULES)}")
        super().__init__(**Setting(**settings).to_dict())

    @traitlets.validate(*RULES)
    def _valid(self, proposal: Any) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        try:
            taken = RULES[name]("Playground", name, value)
        except (TypeError, ValueError) as error:
            raise traitlets.TraitError(str(error)) from None
        return list(taken) if name == "start" else taken

    @property
    def setting(self) -> Setting:
        """What the page is set to now, as a value."""
        return Setting(**{name: getattr(self, name) for name in RULES})

    def run(self) -> Run:
        """The descent that the page shows, computed in Python."""
        return simulate(self.setting)

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={value!r}" for name, value in self.setting.to_dict().items())
        return f"Playground({told})"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        from lrcourse.playground.figure import still

        run = self.run()
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        png = b64encode(still(run)).decode()
        told = f"{self!r}\n{verdict(run)}"
        return {**data, "text/plain": told, MIME: run.setting.to_dict(), "image/png": png}, metadata
