"""Build or refresh .venv from requirements.lock; does nothing, quickly, when it is up to date.

Only the standard library is used, and no syntax newer than Python 3.7: an old interpreter shall
get a sentence that helps, not a SyntaxError.

A stamp inside .venv tells what was installed, where and for which Python. It says "busy" while
anything is being changed, so that an interrupted install is built anew and never taken for a
finished one. An environment without a stamp is somebody's own: it is brought up to date in place.

One setup changes an environment at a time: a second one waits until the first has ended.
"""

import argparse
import contextlib
import errno
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)
GIGABYTES_NEEDED = 7.5 if sys.platform.startswith("linux") else 2.5

NO_NETWORK = (
    r"name resolution|NameResolutionError|getaddrinfo|NewConnectionError|ConnectionError|"
    r"Network is unreachable|ConnectTimeout|Connection refused|ProxyError|SSLError"
)
# What pip prints -> what to do about it.
EXPLANATIONS = {
    r"No space left on device|Errno 28": (
        "the disk is full: .venv needs about 8 GB with the Linux wheels, and pip up to 4 GB more "
        "in the temporary folder while it installs (TMPDIR=/larger/folder make setup)"
    ),
    r"DO NOT MATCH THE HASHES": (
        "a downloaded package does not match its hash in the lock: a proxy or mirror may have "
        "changed it; `python -m pip cache purge` removes damaged downloads"
    ),
    NO_NETWORK: (
        "the package index cannot be reached: check the network or proxy and call `make setup` "
        "again (finished downloads stay in pip's cache)"
    ),
    r"No matching distribution found for (?P<name>\S+)": (
        "no package {name} for this Python and system: try another Python "
        "(make PYTHON=python3.12 setup), or conda (environment.yml)"
    ),
}


class SetupError(Exception):
    """Something that the user can act on; the message says how."""


class Environment:
    """The virtual environment of one checkout: what it holds, and how it is changed."""

    def __init__(self, root):
        self.root = root
        self.folder = root / ".venv"
        self.stamp = self.folder / ".lrcourse-setup.json"
        self.log = root / "build" / "setup.log"
        self.lock = root / "build" / "setup.lock"
        self.python = self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def state(self):
        """What the stamp says: {} when there is none, {"busy": True} when it makes no sense."""
        try:
            state = json.loads(self.stamp.read_text(encoding="utf-8"))
            return state if "busy" in state else {"busy": True}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError):
            return {"busy": True}

    def write_state(self, state):
        """Replace the stamp as a whole; an empty state removes it."""
        if not state:
            self.stamp.unlink()
            return
        draft = self.stamp.with_name(self.stamp.name + ".part")
        draft.write_text(json.dumps(state, indent=1), encoding="utf-8")
        os.replace(draft, self.stamp)

    def version(self):
        """(major, minor) of the interpreter in .venv; None when there is none or it fails."""
        question = "import sys; print(*sys.version_info[:2])"
        try:
            command = [str(self.python), "-c", question]
            answer = subprocess.check_output(command, stderr=subprocess.DEVNULL)
            return tuple(int(part) for part in answer.split())
        except (OSError, ValueError, subprocess.CalledProcessError):
            return None

    def reason_to_rebuild(self, python_chosen):
        """Why .venv has to be made from nothing, as words to print; None when it need not."""
        state, version = self.state(), self.version()
        if not self.folder.exists():
            return "none yet"
        if state.get("busy"):
            return "the last setup did not finish"
        if state and state.get("location") != str(self.folder):
            return "it was moved or copied here"
        if version is None or (state and state.get("python") != list(version)):
            return "its Python has gone or changed"
        if version < OLDEST_PYTHON or (python_chosen and version != running_python()):
            return "it has Python {}.{}".format(*version)
        return None

    def build(self, reason):
        """Make an empty environment with the running Python."""
        require_python()
        with Step("a virtual environment with Python {}.{} ({})".format(*running_python(), reason)):
            if self.folder.is_symlink():
                self.folder.unlink()
            elif self.folder.exists():
                self.write_state({"busy": True})
                shutil.rmtree(self.folder)
            require_space(self.root)
            self.folder.mkdir()
            self.write_state({"busy": True})
            self.call([sys.executable, "-m", "venv", str(self.folder)])
        self.write_state(self.empty_state())

    def empty_state(self):
        """The state of an environment in which nothing of the course is installed."""
        return {"busy": False, "location": str(self.folder), "python": list(self.version())}

    def install(self, part, wanted, title, commands):
        """Run the commands that bring one part to its wanted digest."""
        before = self.state()
        base = before or self.empty_state()
        self.write_state({"busy": True})
        try:
            with Step(title):
                for command in commands:
                    self.call(command)
        except CommandFailed as failure:
            # pip resolves and downloads first: what worked before is still whole, offline too.
            if "Installing collected packages" not in failure.output:
                self.write_state(before)
            raise
        self.write_state(dict(base, **{part: wanted}))

    def pip(self, *arguments):
        """The command that installs something, whatever PYTHONPATH says."""
        options = ["--disable-pip-version-check", "--no-input", "--progress-bar=off"]
        return [str(self.python), "-I", "-m", "pip", "install", *options, *arguments]

    @contextlib.contextmanager
    def alone(self):
        """Around a change: waits, with a sentence, while another setup of this checkout works."""
        self.lock.parent.mkdir(exist_ok=True)
        with self.lock.open("a") as file:
            if not try_to_lock(file):
                print(
                    f"setup: another setup of {self.root} is at work (see {self.log}); waiting ...",
                    flush=True,
                )
                while not try_to_lock(file):
                    self.pause()
            yield

    def pause(self):
        """Between two looks at the lock."""
        time.sleep(1)

    def call(self, command):
        """Run a command in the checkout with its output in the log; SetupError when it fails."""
        with self.log.open("a", encoding="utf-8", errors="replace") as log:
            print("$", *command, file=log, flush=True)
            start = log.tell()
            code = subprocess.call(
                command,
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(os.environ, PIP_USER="0", PYTHONUTF8="1"),
            )
        if code:
            with self.log.open(encoding="utf-8", errors="replace") as log:
                log.seek(start)
                output = log.read()
            raise CommandFailed(output, self.log.relative_to(self.root))


class CommandFailed(SetupError):
    """A command of the installation failed; `output` is what it printed."""

    def __init__(self, output, log):
        self.output = output
        super().__init__(f"{explain(output)}\n  all of it is in {log}")


class Step:
    """One progress line: what is being done, and when it is done, how long it took."""

    def __init__(self, text):
        self.text = text

    def __enter__(self):
        self.start = time.monotonic()
        print(f"setup: {self.text} ...", end="", flush=True)

    def __exit__(self, kind, value, traceback):
        seconds = time.monotonic() - self.start
        print(" stopped" if kind else f" {seconds:.0f} s", flush=True)


def try_to_lock(file):
    """Whether an open file could be locked; the lock ends with the file or with the process."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Some network folders know no locks: there it goes on without.
        return error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
    return True


def explain(output):
    """The likely cause of a failed installation, or the last lines that it printed."""
    for pattern, explanation in EXPLANATIONS.items():
        match = re.search(pattern, output)
        if match:
            return explanation.format(**match.groupdict())
    return "\n  ".join(["the installation failed:", *output.strip().splitlines()[-5:]])


def running_python():
    """(major, minor) of the running Python."""
    return tuple(sys.version_info[:2])


def require_python():
    """Raise SetupError when the running Python is too old or cannot make environments."""
    if running_python() < OLDEST_PYTHON:
        raise SetupError(
            "Python {}.{} or newer is needed and {} is {}.{}: give another, for instance "
            "make PYTHON=python3.12 setup".format(*OLDEST_PYTHON, sys.executable, *running_python())
        )
    missing = [name for name in ("venv", "ensurepip") if not importlib.util.find_spec(name)]
    if missing:
        lacks = " and ".join(missing)
        raise SetupError(f"{sys.executable} lacks {lacks}: on Debian, apt install python3-venv")


def require_space(folder):
    """Raise SetupError when the disk has too little room for the packages."""
    free = shutil.disk_usage(folder).free / 1e9
    if free < GIGABYTES_NEEDED:
        raise SetupError(
            f"{free:.1f} GB are free in {folder} and .venv needs about {GIGABYTES_NEEDED:.0f} GB "
            "(on Linux torch brings its CUDA libraries)"
        )


def digest(*texts):
    """A short name for the content of some texts."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:32]


def install_part(pyproject):
    """The sections of a pyproject.toml on which an installation depends, as text."""
    heading = r"^\[(?:build-system|project|tool\.setuptools)"
    return "".join(re.findall(rf"(?ms){heading}.*?(?=^\[[a-z]|\Z)", pyproject))


def setup(environment, peers=False, python_chosen=False):
    """Bring the environment up to date; returns whether anything had to be done."""
    if is_ready(environment, peers, python_chosen):
        return False
    with environment.alone():
        # Looked at again: the setup that this one has waited for may have done it all.
        if is_ready(environment, peers, python_chosen):
            return False
        bring_up_to_date(environment, peers, python_chosen)
    return True


def read(environment, name):
    """The text of a file of the checkout."""
    return (environment.root / name).read_text(encoding="utf-8")


def locks(peers):
    """Part of the environment -> the lock that says what belongs into it."""
    wanted = {"lock": "requirements.lock"}
    return dict(wanted, peers="requirements-peers.lock") if peers else wanted


def wanted_parts(environment, peers):
    """Part -> the digest of what it has to hold."""
    wanted = {part: digest(read(environment, name)) for part, name in locks(peers).items()}
    return dict(wanted, project=digest(install_part(read(environment, "pyproject.toml"))))


def is_ready(environment, peers, python_chosen):
    """Whether everything that is wanted is there."""
    if environment.reason_to_rebuild(python_chosen):
        return False
    state = environment.state()
    return all(state.get(part) == what for part, what in wanted_parts(environment, peers).items())


def bring_up_to_date(environment, peers, python_chosen):
    """Make the environment anew where there is a reason to, and install what differs."""
    environment.log.write_text("")
    reason = environment.reason_to_rebuild(python_chosen)
    if reason:
        environment.build(reason)
    state, wanted = environment.state(), wanted_parts(environment, peers)
    for part, name in locks(peers).items():
        if state.get(part) != wanted[part]:
            count = len(set(re.findall(r"(?m)^([\w.-]+)==", read(environment, name))))
            command = environment.pip("--no-deps", "--require-hashes", "-r", name)
            title = f"up to {count} packages of {name}"
            environment.install(part, wanted[part], title, [command])
    project = environment.pip("--no-deps", "--no-build-isolation", "-e", ".")
    trial = [str(environment.python), "-c", "import lrcourse, torch, torchvision"]
    environment.install("project", wanted["project"], "lrcourse itself", [project, trial])


def main(arguments=None):
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description="Build or refresh .venv from requirements.lock.")
    parser.add_argument("--peers", action="store_true", help="also requirements-peers.lock")
    parser.add_argument(
        "--python-chosen",
        action="store_true",
        help="rebuild a .venv that has another Python than the one that runs this",
    )
    given = parser.parse_args(arguments)
    try:
        setup(Environment(ROOT), given.peers, given.python_chosen)
    except (SetupError, OSError) as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("setup: interrupted; the next call starts it again", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
