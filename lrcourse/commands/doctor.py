"""`lrcourse doctor`: what is here, what is missing, and how to get it."""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import sys
import tomllib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module, metadata

from lrcourse.commands.options import CHECKOUT
from lrcourse.commands.terminal import say
from lrcourse.support.paths import cache_folder, data_folder, records_folder

OLDEST_PYTHON = (3, 11)
# Extra -> heading; the small course needs the first two.
HEADINGS = {
    "": "Core",
    "course": "Notebooks",
    "test": "Tests (optional)",
    "peers": "Comparisons with other libraries (optional)",
}
ESSENTIAL = ("", "course")
# Data set -> a file that is there once torchvision has unpacked it.
DATA_FILES = {
    "fashion-mnist": "FashionMNIST/raw/train-images-idx3-ubyte",
    "mnist": "MNIST/raw/train-images-idx3-ubyte",
    "cifar10": "cifar-10-batches-py/data_batch_1",
}
BOOK_TOOLS = {
    "mdbook": ("mdbook",),
    "chromium": ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
}

_PYTHON = shlex.quote(sys.executable)


@dataclass(frozen=True)
class Dependency:
    """A direct dependency with its lower bound, and the extra that asks for it ("" for none)."""

    name: str
    oldest: str
    extra: str

    def problem(self) -> str | None:
        """What is wrong with the installed version; None when nothing is."""
        try:
            version = metadata.version(self.name)
        except metadata.PackageNotFoundError:
            return "missing"
        if version_numbers(version) < version_numbers(self.oldest):
            return f"{version} is too old, {self.oldest} is needed"
        return None

    def command(self) -> str:
        """The pip command that installs it."""
        # d2l asks for versions from 2023 and works with the current ones.
        option = "--no-deps " if self.name == "d2l" else ""
        return f'{_PYTHON} -m pip install {option}"{self.name}>={self.oldest}"'


def examine() -> int:
    """Print the findings; 0 when the small course can run here, else 1."""
    sound = [_tell_python(), *[_tell_packages(extra) for extra in HEADINGS], _tell_device()]
    _tell_data()
    _tell_book_tools()
    ready = all(sound)
    if ready:
        print(f"\nThe course can run here: {_PYTHON} -m lrcourse run")
    else:
        print(
            "\nThe course cannot run here yet: see ! above; in the repository, make setup does it"
        )
    return 0 if ready else 1


def dependencies() -> list[Dependency]:
    """The direct dependencies, from the installed package or else from the checkout."""
    return [_parse(text) for text in _requirements()]


def _requirements() -> Iterator[str]:
    try:
        yield from metadata.requires("lrcourse") or []
        return
    except metadata.PackageNotFoundError:
        pass
    text = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    yield from project["dependencies"]
    for extra, texts in project["optional-dependencies"].items():
        yield from (f"{text}; extra == '{extra}'" for text in texts)


def _parse(requirement: str) -> Dependency:
    # Lower bounds only, by this project's rule: no need of the package `packaging`.
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    oldest = re.search(r">=\s*([\w.]+)", requirement)
    extra = re.search(r"extra\s*==\s*['\"]([\w-]+)", requirement)
    return Dependency(name, oldest[1] if oldest else "0", extra[1] if extra else "")


def _tell_python() -> bool:
    ok = sys.version_info >= OLDEST_PYTHON
    print(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    print(f"  {sys.executable}")
    if not ok:
        print("! Python {}.{} or newer is needed".format(*OLDEST_PYTHON))
    return ok


def _tell_packages(extra: str) -> bool:
    print(f"\n{HEADINGS[extra]}")
    essential = extra in ESSENTIAL
    sound = True
    for each in (d for d in dependencies() if d.extra == extra):
        problem = each.problem()
        if problem is None:
            print(f"  {each.name} {metadata.version(each.name)}")
            continue
        sound = False
        print(f"{'!' if essential else '-'} {each.name}: {problem}\n    {each.command()}")
    return sound or not essential


def _tell_device() -> bool:
    print("\nDevice")
    try:
        torch = import_module("torch")
    except Exception as error:
        say(f"! torch cannot be imported: {_first_line(error)}")
        return False
    print(f"  CPU, {torch.get_num_threads()} threads")
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            card = torch.cuda.get_device_properties(index)
            print(f"  cuda:{index} {card.name}, {card.total_memory / 2**30:.0f} GiB")
    else:
        print("  no CUDA device: everything runs on the CPU")
    try:
        import_module("torchvision")
    except Exception as error:
        say(f"! torchvision cannot be imported: {_first_line(error)}")
        print("    it has to come from the same index and release as torch")
        return False
    return True


def _tell_data() -> None:
    folder = data_folder()
    print(f"\nData in {folder}")
    print("  digits: always there, comes with scikit-learn")
    absent = [name for name, file in DATA_FILES.items() if not (folder / file).is_file()]
    for name in DATA_FILES:
        if name not in absent:
            print(f"  {name}: found")
    for name in absent:
        print(f"- {name}: downloaded when it is first used, or now by\n    {_download(name)}")
    if absent:
        print("  If you have them already: set LRCOURSE_DATA to the folder that torchvision uses")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        say(f"Caches in {cache_folder()}", f"Records of finished runs in {records_folder()}")
    say(*(f"- {each.message}" for each in caught))


def _download(name: str) -> str:
    return f"{_PYTHON} -c \"from lrcourse import data; data.load('{name}')\""


def _tell_book_tools() -> None:
    print("\nTools for the book (optional)")
    for tool, names in BOOK_TOOLS.items():
        found = next(filter(None, map(shutil.which, names)), None)
        print(f"  {tool}: {os.path.realpath(found)}" if found else f"- {tool}: not on the PATH")


def version_numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, enough for lower bounds: "2.6.0+cpu" -> (2, 6, 0)."""
    leading = re.split(r"[^\d.]", version, maxsplit=1)[0]
    return tuple(int(part) for part in leading.split(".") if part)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"
