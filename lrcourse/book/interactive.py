"""The interactive figures of the notebooks in the book: the same module, without a kernel.

An output that carries `MIME`, a dictionary of the widget's traits, together with a still figure
becomes a `<div class="lrcourse-playground">` with the state in `data-state` and the figure
inside. A script at the end of the page replaces the figure by the widget; where scripts are off,
or where the module fails, the figure stays.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

from lrcourse.book.text import BookError, as_html
from lrcourse.playground.page import MIME

_CLASS = "lrcourse-playground"

# Keys that move a slider must not turn the page, as they do elsewhere in an mdBook.
# What anywidget gives a module, as far as one can without a kernel.
_START = """
import(MODULE).then(({ default: widget }) => {
  for (const place of document.querySelectorAll(".lrcourse-playground")) {
    const state = JSON.parse(place.dataset.state), heard = {};
    const tell = (name, ...given) => (heard[name] || []).slice().forEach((call) => call(...given));
    const model = {
      get: (key) => state[key],
      set(key, value) {
        const given = typeof key === "object" ? key : { [key]: value };
        for (const name in given) {
          if (Object.is(state[name], given[name])) continue;
          state[name] = given[name];
          tell("change:" + name, model, given[name]);
          tell("change", model);
        }
      },
      on(name, call) { (heard[name] = heard[name] || []).push(call); },
      off(name, call) {
        for (const each of name ? [name] : Object.keys(heard)) {
          heard[each] = call ? (heard[each] || []).filter((known) => known !== call) : [];
        }
      },
      save_changes() {},
      send() {},
    };
    const el = document.createElement("div");
    el.addEventListener("keydown", (event) => event.stopPropagation());
    Promise.resolve(widget.render({ model, el })).then(
      () => { place.replaceChildren(el); place.classList.add("lrcourse-live"); },
      (error) => console.error("playground:", error),
    );
  }
}).catch((error) => console.error("playground:", error));
"""


def playground(state: object, still: str) -> str:
    """One place for the widget, as HTML on one line.

    Raises BookError for a state that is no dictionary or not JSON.
    """
    if not isinstance(state, dict):
        raise BookError(f"{MIME} must hold a dictionary of traits, not {type(state).__name__}")
    try:
        said = as_html(json.dumps(state, ensure_ascii=False, sort_keys=True, allow_nan=False))
    except ValueError:
        raise BookError(f"{MIME} holds NaN or infinity, which JSON has no word for") from None
    return f'<div class="{_CLASS}" data-state="{said}">{still}</div>'


def script(module: Path) -> str:
    """The script that brings the places of a page to life, the module inside.

    A data address, so that it works from a file as from a server. BookError without a module.
    """
    try:
        content = module.read_bytes()
    except OSError as error:
        raise BookError(
            f"this page has an interactive figure, and its module {module} cannot be read: "
            f"{error.strerror}"
        ) from None
    address = json.dumps(f"data:text/javascript;base64,{base64.b64encode(content).decode()}")
    lines = _START.replace("MODULE", address).strip().splitlines()
    return f'<script type="module">{" ".join(line.strip() for line in lines)}</script>'
