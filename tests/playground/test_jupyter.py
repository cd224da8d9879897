"""The playground in JupyterLab itself: the page of the notebook, a real kernel, a slider moved."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
from helpers.playground_page import browser, keep
from helpers.repository import ROOT

pytestmark = pytest.mark.slow
# What JupyterLab would ask a person.
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"autoStartDefaultKernel": True},
}
# Writes every change that Python sees, and one of Python's own when it is asked for.
WATCH = """
import json, pathlib
def seen(change):
    told = {name: getattr(page, name) for name in ("peak_lr", "start", "optimizer")}
    pathlib.Path("seen.json").write_text(json.dumps(told))
page.observe(seen, ["peak_lr", "start", "optimizer"])
pathlib.Path("ready").touch()
"""

DONE = "import pathlib; pathlib.Path('chapter-done').touch()"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab on a copy of the notebook with a watching cell at its end: folder and address."""
    pytest.importorskip("jupyterlab", reason="jupyterlab is not installed")
    folder = tmp_path_factory.mktemp("lab")
    notebook = nbformat.read(ROOT / "notebooks" / "playground.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.cells.append(nbformat.v4.new_code_cell(WATCH))
    nbformat.write(notebook, folder / "playground.ipynb")
    chapter = nbformat.read(ROOT / "notebooks" / "evidence" / "01-size.ipynb", as_version=4)
    for cell in chapter.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    chapter.cells.append(nbformat.v4.new_code_cell(DONE))
    nbformat.write(chapter, folder / "01-size.ipynb")
    for name, chosen in SETTINGS.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(chosen))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += ["--ServerApp.ip=127.0.0.1", "--IdentityProvider.token=", "--ServerApp.password="]
    log = (folder / "lab.log").open("w")
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        wait(lambda: answers(f"{address}/api"), 60, lambda: (folder / "lab.log").read_text())
        yield folder, address
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def answers(address):
    try:
        return urllib.request.urlopen(address, timeout=5).status == 200
    except OSError:
        return False


def wait(condition, seconds, otherwise=lambda: ""):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.1)


def run_all(browser, address, name):
    """A page with JupyterLab on one notebook, all of whose cells it has been told to run.

    In a workspace of its own: else the notebook of another test comes back, and its kernel may be
    the one that is seen to be idle.
    """
    page = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
    page.goto(f"{address}/lab/workspaces/{name}/tree/{name}.ipynb")
    page.locator(".jp-NotebookPanel").wait_for(timeout=60_000)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    return page


def test_a_slider_in_jupyterlab_is_seen_by_python_and_the_other_way_round(lab, browser):
    folder, address = lab
    page = run_all(browser, address, "playground")
    wait((folder / "ready").is_file, 180, lambda: page.locator("body").inner_text())
    widget = page.locator(".lrp").first
    widget.scroll_into_view_if_needed()
    widget.wait_for(timeout=20_000)
    before = widget.locator(".lrp-said").inner_text()

    def seen():
        path = folder / "seen.json"
        return json.loads(path.read_text() or "{}") if path.is_file() else {}

    slider = widget.locator("[data-setting='peak_lr']")
    slider.focus()
    page.keyboard.press("ArrowRight")
    wait(lambda: seen().get("peak_lr") == 0.0912, 20, seen)
    widget.locator("[data-setting='optimizer']").select_option("adam")
    wait(lambda: seen().get("optimizer") == "adam", 20)
    widget.locator(".lrp-handle").focus()
    start = seen()["start"]
    page.keyboard.press("ArrowUp")
    wait(lambda: seen()["start"][1] > start[1], 20)
    page.wait_for_timeout(400)
    assert widget.locator(".lrp-said").inner_text() != before
    keep(page, "jupyterlab")

    # Python changes a trait: the page follows.
    cell = page.locator(".jp-CodeCell .cm-content").last
    cell.click()
    page.keyboard.press("Control+a")
    page.keyboard.type("page.peak_lr = 0.5")
    page.keyboard.press("Shift+Enter")
    wait(lambda: slider.get_attribute("aria-valuetext") == "0.5", 30)

    # JupyterLab's dark theme.
    page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    page.wait_for_timeout(300)
    assert widget.get_attribute("data-theme") == "dark"
    page.context.close()


def test_the_evidence_of_chapter_1_runs_whole_in_jupyterlab_and_its_widget_answers(lab, browser):
    folder, address = lab
    page = run_all(browser, address, "01-size")
    # "Run All" stops at the first cell that fails, and the last one says that it was reached.
    wait((folder / "chapter-done").is_file, 400, lambda: page.locator("body").inner_text())
    widget = page.locator(".lrp").first
    for k in range(80):  # JupyterLab draws only what is in view
        if widget.count():
            break
        page.locator(".jp-WindowedPanel-outer").evaluate(f"panel => panel.scrollTop = {k} * 700")
        page.wait_for_timeout(200)
    widget.scroll_into_view_if_needed()
    said = widget.locator(".lrp-said")
    wait(lambda: said.inner_text() != "", 20)
    before = said.inner_text()
    widget.locator("[data-setting='peak_lr']").focus()
    page.keyboard.press("ArrowRight")
    wait(lambda: said.inner_text() != before, 20)
    page.context.close()
