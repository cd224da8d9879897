"""Pin the dependencies of pyproject.toml again: requirements.lock and requirements-peers.lock.

The first holds the core and the extras `course`, `book` and `test`, the second what `peers` and
`browser` need beyond that, at the same versions. Both carry hashes and no addresses. What is pinned
already stays unless `--upgrade` is given; other arguments of `uv pip compile` are passed on too.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAIN, PEERS = "requirements.lock", "requirements-peers.lock"
EXTRAS = {MAIN: ("course", "book", "test"), PEERS: ("peers", "browser")}
OPTIONS = [
    "--universal",
    "--generate-hashes",
    "--no-header",
    "--no-annotate",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--python-version=3.11",
    "--quiet",
]


def entries(lock: str) -> dict[str, list[str]]:
    """Package name -> its entries in a lock (several where versions depend on the system)."""
    found: dict[str, list[str]] = {}
    for entry in re.split(r"\n(?=\S)", lock.strip()):
        found.setdefault(entry.split("==")[0], []).append(entry)
    return found


def beyond(lock: str, known: str) -> str:
    """The entries of `lock` for packages that `known` lacks, as the text of a lock.

    Raises ValueError when a package of both has a version that `known` does not have.
    """
    ours, theirs = entries(lock), entries(known)
    for name in ours.keys() & theirs.keys():
        here, there = ({e.split()[0] for e in each[name]} for each in (ours, theirs))
        if not here <= there:
            raise ValueError(f"{name} differs: {sorted(here)} and {sorted(there)}")
    kept = [entry for name, each in ours.items() if name not in theirs for entry in each]
    return "\n".join(kept) + "\n"


def compile_lock(uv: str, output: Path, extras: tuple[str, ...], *arguments: str) -> str:
    """Run uv for some extras; returns the text of the lock that it wrote."""
    wanted = [*(f"--extra={extra}" for extra in extras), *arguments]
    command = [uv, "pip", "compile", *OPTIONS, *wanted, "pyproject.toml", "-o", str(output)]
    subprocess.run(command, cwd=ROOT, check=True)
    return output.read_text(encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit code."""
    uv = shutil.which("uv")
    if uv is None:
        print("lock: uv is not on the PATH; get it by: python -m pip install uv", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        drafts = {name: Path(folder) / name for name in (MAIN, PEERS)}
        for name, draft in drafts.items():
            if (ROOT / name).exists():
                shutil.copyfile(ROOT / name, draft)
        try:
            main_lock = compile_lock(uv, drafts[MAIN], EXTRAS[MAIN], *arguments)
            constraint = f"--constraint={drafts[MAIN]}"
            with_peers = compile_lock(uv, drafts[PEERS], EXTRAS[PEERS], constraint, *arguments)
        except subprocess.CalledProcessError as error:
            print("lock: uv failed; the locks are as they were", file=sys.stderr)
            return error.returncode
    for name, text in ((MAIN, main_lock), (PEERS, beyond(with_peers, main_lock))):
        (ROOT / name).write_text(text, encoding="utf-8")
        print(f"lock: {name} pins {len(entries(text))} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
