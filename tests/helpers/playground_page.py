"""Chromium for the tests of the playground, and a plain page with a model that needs no kernel."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import shutil
import threading

import pytest

from lrcourse.playground.page import SCRIPT

AXE = "build/axe/node_modules/axe-core/axe.min.js"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Playground</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
  html { --bg: #ffffff; --fg: #111111; } html.navy { --bg: #161923; --fg: #bcbdd0; }
  body { margin: 8px; background: var(--bg); color: var(--fg); } main { max-width: 900px; }
</style></head><body><main><h1>A page</h1><div id="here"></div></main>
<script type="module">
  import playground from "./page.js";
  const state = STATE, heard = {};
  const model = {
    get: (name) => state[name],
    set(name, value) { state[name] = value; for (const f of heard["change:" + name] ?? []) f(); },
    on(name, f) { (heard[name] ??= []).push(f); },
    off(name, f) { heard[name] = heard[name].filter((known) => known !== f); },
    save_changes() { window.saved = { ...state }; },
  };
  const leave = playground.render({ model, el: document.getElementById("here") });
  Object.assign(window, { model, state, heard, leave });
</script></body></html>"""


def executable() -> str:
    """The path of a Chromium, or a skip with the reason."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("no Chromium is installed")
    return found


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = executable()
    with playwright.sync_playwright() as runner:
        opened = runner.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    extensions_map = {".js": "text/javascript", ".html": "text/html"}  # noqa: RUF012

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder that is served locally, and its address."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(SCRIPT, folder / "page.js")
    handler = functools.partial(_Quiet, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def show(browser, site):
    """Opens the plain page: show(settings, **options of the browser's context)."""
    folder, address = site
    with contextlib.ExitStack() as stack:

        def opened(settings=None, **options):
            text = _PAGE.replace("STATE", json.dumps(settings or {}))
            (folder / "index.html").write_text(text, encoding="utf-8")
            context = stack.enter_context(browser.new_context(**options))
            page = context.new_page()
            page.complaints = []
            page.on("pageerror", lambda error: page.complaints.append(str(error)))
            page.goto(address)
            page.wait_for_function("typeof window.leave === 'function'")
            settle(page)
            return page

        yield opened


def settle(page) -> None:
    """Wait until what was asked for is drawn and said."""
    # Timers of one page run in their order, however slow the machine is.
    page.evaluate("""new Promise((done) =>
      requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 150))))""")


def keep(page, name) -> None:
    """A screenshot in build/screenshots, to be looked at; nothing is compared with it."""
    os.makedirs("build/screenshots", exist_ok=True)
    page.screenshot(path=f"build/screenshots/playground-{name}.png", full_page=True)
