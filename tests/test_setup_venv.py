"""tools/setup_venv.py: when an environment is built, brought up to date, or left alone."""

import ast
import contextlib
import errno
import json
import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
from helpers.repository import ROOT, tool

setup_venv = tool("setup_venv")

PYPROJECT = '[project]\ndependencies = ["torch"]\n\n[tool.ruff]\nline-length = 100\n'


class Pretender(setup_venv.Environment):
    """Makes a virtual environment of a link, and writes down what pip would have been told."""

    def __init__(self, root, fail_at=None, output=""):
        super().__init__(root)
        self.done, self.fail_at, self.output = [], fail_at, output

    def call(self, command):
        """Like the true one, for the commands that `setup` gives."""
        if command[1:3] == ["-m", "venv"]:
            step = "venv"
            self.python.parent.mkdir()
            self.python.symlink_to(sys.executable)
        else:
            step = next((word for word in command if word.endswith(".lock")), command[-1])
        if step == self.fail_at:
            assert self.state() == {"busy": True}
            raise setup_venv.CommandFailed(self.output, self.log)
        self.done.append(step)


ALL = ["venv", "requirements.lock", ".", "import lrcourse, torch, torchvision"]
PROJECT = ALL[2:]


@pytest.fixture
def root(tmp_path):
    """A checkout with a space in its path."""
    folder = tmp_path / "my course"
    folder.mkdir()
    (folder / "requirements.lock").write_text("a==1\n")
    (folder / "requirements-peers.lock").write_text("b==1\n")
    (folder / "pyproject.toml").write_text(PYPROJECT)
    return folder


def done(root, **options):
    """What a setup does now."""
    environment = Pretender(root)
    changed = setup_venv.setup(environment, **options)
    assert changed == bool(environment.done)
    return environment.done


def test_a_second_setup_does_nothing(root, capsys):
    assert done(root) == ALL
    capsys.readouterr()
    assert done(root) == []
    assert capsys.readouterr().out == ""


def test_a_second_setup_waits_for_the_first_and_finds_everything_done(root, capsys):
    first = Pretender(root)

    class Second(Pretender):
        def pause(self):
            """The first one finishes while the second waits."""
            assert not (root / ".venv").exists()
            setup_venv.bring_up_to_date(first, peers=False, python_chosen=False)
            held.close()

    second = Second(root)
    with contextlib.ExitStack() as held:
        held.enter_context(first.alone())
        assert setup_venv.setup(second) is False
    assert (first.done, second.done) == (ALL, [])
    told = capsys.readouterr().out
    assert told.count("another setup of") == 1
    assert str(root / "build" / "setup.log") in told


def test_a_setup_that_waited_for_one_that_failed_begins_anew(root):
    class Second(Pretender):
        def pause(self):
            with pytest.raises(setup_venv.SetupError):
                first = Pretender(root, "requirements.lock", "Installing collected packages")
                setup_venv.bring_up_to_date(first, peers=False, python_chosen=False)
            held.close()

    second = Second(root)
    with contextlib.ExitStack() as held:
        held.enter_context(second.alone())
        assert setup_venv.setup(second) is True
    assert second.done == ALL


SLOW_SETUP = """
import sys, time
from pathlib import Path
from test_setup_venv import Pretender, setup_venv

class Slow(Pretender):
    def call(self, command):
        time.sleep(0.3)
        super().call(command)

slow = Slow(Path(sys.argv[1]))
setup_venv.setup(slow)
print("did", len(slow.done))
"""


def test_of_two_processes_one_does_the_work(root):
    tests = str(ROOT / "tests")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SLOW_SETUP, str(root)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([tests, str(ROOT)])},
        )
        for _ in range(2)
    ]
    told = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(text.splitlines()[-1] for text in told) == ["did 0", f"did {len(ALL)}"]
    assert sum("waiting" in text for text in told) == 1


def test_a_folder_that_knows_no_locks_is_set_up_without(root, monkeypatch):
    def refuse(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    module = "msvcrt.locking" if os.name == "nt" else "fcntl.flock"
    monkeypatch.setattr(module, refuse)
    assert done(root) == ALL


def test_what_has_changed_is_installed_again(root):
    done(root)
    (root / "pyproject.toml").write_text(PYPROJECT.replace("100", "80"))
    assert done(root) == []
    (root / "pyproject.toml").write_text(PYPROJECT.replace('"torch"', '"torch", "numpy"'))
    assert done(root) == PROJECT
    (root / "requirements.lock").write_text("a==2\n")
    assert done(root) == ["requirements.lock", *PROJECT]
    assert done(root) == []


def test_peers_are_added_and_stay(root):
    done(root)
    assert done(root, peers=True) == ["requirements-peers.lock", *PROJECT]
    assert done(root, peers=True) == []
    assert done(root) == []
    (root / "requirements-peers.lock").write_text("b==2\n")
    assert done(root) == []
    assert done(root, peers=True) == ["requirements-peers.lock", *PROJECT]


@pytest.mark.parametrize("fail_at", ["venv", "requirements.lock", "."])
def test_a_failed_build_is_not_taken_for_a_finished_one(root, fail_at):
    output = "Installing collected packages: a\nKilled"
    with pytest.raises(setup_venv.SetupError, match="Killed"):
        setup_venv.setup(Pretender(root, fail_at, output))
    assert done(root) == ALL
    assert done(root) == []


def test_an_interrupted_build_is_done_again(root):
    class Interrupted(Pretender):
        def call(self, command):
            super().call(command)
            if self.done[-1] == "requirements.lock":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        setup_venv.setup(Interrupted(root))
    assert done(root) == ALL


def test_an_update_that_fails_before_it_changes_anything_leaves_what_worked(root):
    done(root)
    before = Pretender(root).state()
    (root / "requirements.lock").write_text("a==2\n")
    with pytest.raises(setup_venv.SetupError, match="cannot be reached"):
        setup_venv.setup(Pretender(root, "requirements.lock", "NewConnectionError"))
    assert Pretender(root).state() == before
    assert done(root) == ["requirements.lock", *PROJECT]


def test_an_environment_without_a_stamp_is_kept_and_filled(root):
    python = Pretender(root).python
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (root / ".venv" / "mine").write_text("")
    assert done(root) == ALL[1:]
    assert (root / ".venv" / "mine").exists()
    assert done(root) == []


@pytest.mark.parametrize("damage", ["moved", "copied stamp", "no python", "other python", "stamp"])
def test_an_environment_that_cannot_work_is_built_anew(root, damage, capsys):
    done(root)
    environment = Pretender(root)
    if damage == "moved":
        root = root.rename(root.with_name("elsewhere"))
    elif damage == "copied stamp":
        environment.write_state(environment.state() | {"location": "/somewhere/.venv"})
    elif damage == "no python":
        environment.python.unlink()
    elif damage == "other python":
        environment.write_state(environment.state() | {"python": [3, 99]})
    else:
        environment.stamp.write_text("{")
    assert done(root) == ALL
    assert done(root) == []


def test_another_python_replaces_the_one_there_only_when_asked_for(root, monkeypatch, capsys):
    done(root)
    monkeypatch.setattr(setup_venv, "running_python", lambda: (3, 99))
    assert done(root) == []
    assert done(root, python_chosen=True)[0] == "venv"
    assert "it has Python" in capsys.readouterr().out


Version = namedtuple("Version", "major minor micro releaselevel serial")


def test_an_old_python_gets_one_line_that_helps(root, monkeypatch, capsys):
    monkeypatch.setattr(setup_venv.sys, "version_info", Version(3, 8, 18, "final", 0))
    monkeypatch.setattr(setup_venv, "ROOT", root)
    assert setup_venv.main([]) == 1
    told = capsys.readouterr().err
    assert "Python 3.11 or newer is needed" in told
    assert "is 3.8: give another, for instance make PYTHON=python3.12 setup" in told
    assert len(told.splitlines()) == 1
    assert not (root / ".venv").exists()


def test_old_pythons_can_at_least_read_the_script():
    source = (ROOT / "tools" / "setup_venv.py").read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 7))
    imported = {
        alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in ([ast.alias(node.module)] if isinstance(node, ast.ImportFrom) else node.names)
    }
    assert imported <= sys.stdlib_module_names - {"tomllib"}


def test_debian_without_venv_is_told_which_package(monkeypatch):
    monkeypatch.setattr(setup_venv.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(setup_venv.SetupError, match="apt install python3-venv"):
        setup_venv.require_python()


def test_a_disk_that_is_too_small_is_told_before_anything_is_downloaded(root, monkeypatch):
    usage = namedtuple("Usage", "free")(int(1.5e9))
    monkeypatch.setattr(setup_venv.shutil, "disk_usage", lambda folder: usage)
    environment = Pretender(root)
    with pytest.raises(setup_venv.SetupError, match=r"1\.5 GB are free in .*my course"):
        setup_venv.setup(environment)
    assert environment.done == []


@pytest.mark.parametrize(
    "output, told",
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM", "does not match its hash"),
        ("[Errno -3] Temporary failure in name resolution", "cannot be reached"),
        ("ERROR: No matching distribution found for torch==2.15.0", "no package torch==2.15.0"),
        ("1\n2\n3\n4\n5\n6", "failed:\n  2\n"),
    ],
)
def test_a_failure_of_pip_is_explained(output, told):
    assert told in setup_venv.explain(output)


def test_the_log_of_a_failure_survives_the_environment(root):
    environment = setup_venv.Environment(root)
    environment.log.parent.mkdir()
    with pytest.raises(setup_venv.CommandFailed, match=r"went wrong\n  all of it is in build"):
        environment.call([sys.executable, "-c", "import sys; sys.exit('what went wrong')"])
    assert "what went wrong" in environment.log.read_text()
    assert not environment.log.is_relative_to(environment.folder)


def test_the_stamp_is_plain_json(root):
    done(root)
    state = json.loads((root / ".venv" / ".lrcourse-setup.json").read_text())
    assert state["location"] == os.path.realpath(root / ".venv") == str(Path(state["location"]))
    assert state["python"] == list(sys.version_info[:2])
