"""One notebook executed headless, in a fresh kernel of the running interpreter."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from traitlets import default

from lrcourse.commands.terminal import plain

_LONGEST_ERROR = 300
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True)
class Failure:
    """Why a notebook stopped: the cell ("code cell 3", counted from 1), its line, the error."""

    cell: str
    line: str
    error: str


def parse(content: bytes) -> NotebookNode:
    """The notebook that a file holds; ValueError, in one line, where it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is mended here, such as an id twice
            notebook = nbformat.reads(content.decode(), as_version=4)
            nbformat.validate(notebook)
    except Exception as error:  # what is no notebook makes nbformat fail in many ways
        told = str(error).strip().split("\n")[0] or type(error).__name__
        raise ValueError(f"not a notebook: {told}") from None
    return notebook


def execute(
    notebook: NotebookNode,
    folder: Path,
    environment: Mapping[str, str],
    *,
    timeout: int | None = None,
    on_cell: Callable[[int, int], None] = lambda number, count: None,
) -> Failure | None:
    """Execute a notebook in place with `folder` as working folder; None when all went well.

    `environment` is the kernel's whole environment, `timeout` the limit in seconds for one
    cell, and `on_cell(number, count)` is told before each code cell which of how many it is.
    Ctrl-C (and SIGTERM) end the kernel at once and raise KeyboardInterrupt.
    """
    client = _Client(notebook, on_cell, timeout, folder)
    try:
        client.execute(env=dict(environment))
    except (Exception, asyncio.CancelledError) as error:
        if client.interrupted:
            raise KeyboardInterrupt from None
        return _failure(notebook, client.position, error)
    return None


def tidy(notebook: NotebookNode) -> None:
    """Remove what changes with every run: the language version, times, addresses of widgets.

    A widget's address without the kernel that made it is shown as an error by Jupyter. Where the
    output has nothing else to show, it stays.
    """
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            if output.get("data", {}).keys() - {WIDGET_VIEW, "text/plain"}:
                output["data"].pop(WIDGET_VIEW, None)


class _ThisPython(KernelSpecManager):
    """Knows one kernel: the running interpreter, whatever kernels the user has registered."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(**get_kernel_dict())


class _KernelManager(AsyncKernelManager):
    @default("kernel_spec_manager")
    def _default_kernel_spec_manager(self) -> KernelSpecManager:
        return _ThisPython(parent=self)


class _Client(NotebookClient):
    """nbclient, but an interruption ends the run instead of looking like a kernel that died."""

    def __init__(
        self,
        notebook: NotebookNode,
        on_cell: Callable[[int, int], None],
        timeout: int | None,
        folder: Path,
    ) -> None:
        super().__init__(
            notebook,
            kernel_name="python3",
            kernel_manager_class=_KernelManager,
            timeout=timeout,
            # The kernel's own warnings (its transport, the debugger) mean nothing to a reader.
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
            resources={"metadata": {"path": str(folder)}},
            record_timing=False,
            store_widget_state=False,
            on_cell_execute=self._before_cell,
        )
        self.interrupted = False
        self.position: int | None = None
        self._tell = on_cell
        self._code = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]

    def _before_cell(self, cell: NotebookNode, cell_index: int) -> None:
        self.position = cell_index
        self._tell(self._code.index(cell_index) + 1, len(self._code))

    async def async_start_new_kernel(self, **kwargs: object) -> None:
        task = asyncio.current_task()

        def stop() -> None:
            self.interrupted = True
            self.shutdown_kernel = "immediate"
            if task:
                task.cancel()

        # nbclient has just set handlers that make an interruption look like a failed cell. They
        # cannot be set outside the main thread, nor on Windows (NotImplementedError).
        with contextlib.suppress(RuntimeError):
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, stop)
        await super().async_start_new_kernel(**kwargs)


def _failure(notebook: NotebookNode, position: int | None, error: BaseException) -> Failure:
    if position is None:
        return Failure("before the first cell", "", _shorten(f"{type(error).__name__}: {error}"))
    cell = notebook.cells[position]
    code = [each for each in notebook.cells[: position + 1] if each.cell_type == "code"]
    where = f"code cell {len(code)}"
    if not isinstance(error, CellExecutionError):
        what = "the kernel died (out of memory?)" if "died" in str(error) else str(error)
        return Failure(where, _first_line(cell.source), _shorten(what))
    stored = [output for output in cell.outputs if output.output_type == "error"]
    traceback = plain("\n".join(stored[-1].traceback)) if stored else ""
    found = re.search(r"Cell In\s?\[\d+\], line (\d+)", traceback)
    lines, number = cell.source.splitlines(), int(found[1]) if found else 0
    line = lines[number - 1].strip() if 0 < number <= len(lines) else _first_line(cell.source)
    return Failure(where, line, _shorten(plain(f"{error.ename}: {error.evalue}")))


def _first_line(source: str) -> str:
    return source.strip().split("\n")[0]


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_ERROR else f"{text[:_LONGEST_ERROR]} ..."
