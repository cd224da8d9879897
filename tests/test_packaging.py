"""pyproject.toml, the locks, environment.yml and the Makefile agree with each other."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile

import pytest
import yaml
from helpers.repository import ROOT, tool

import lrcourse

LOCKS = ("requirements.lock", "requirements-peers.lock")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
CONDA_NAMES = {"torch": "pytorch"}
# Packages that pip brings along with others and conda does not.
ONLY_CONDA = {"pip", "mdbook", "requests"}
WITHOUT_CACHES = shutil.ignore_patterns("__pycache__")

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


lock = tool("lock")


def read_lock(name):
    """Package name -> its entries."""
    return lock.entries((ROOT / name).read_text(encoding="utf-8"))


def name_and_bound(requirement):
    """("torch", "2.6") of "torch>=2.6"; anything else than one lower bound is an error."""
    match = re.fullmatch(r"([A-Za-z0-9_.-]+)>=([0-9.]+)", requirement)
    assert match, f"{requirement!r} is not NAME>=VERSION"
    return match.groups()


def numbers(version):
    return [int(part) for part in re.findall(r"\d+", version)]


def test_the_core_is_three_packages():
    assert {name_and_bound(each)[0] for each in PROJECT["dependencies"]} == {
        "matplotlib",
        "numpy",
        "torch",
    }


def test_the_version_stands_in_one_place():
    assert PROJECT["dynamic"] == ["version"]
    assert "version" not in PROJECT


def test_a_wheel_holds_every_module_and_what_they_read(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "lrcourse", source / "lrcourse", ignore=WITHOUT_CACHES)
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    command = [sys.executable, "-c", build, str(tmp_path)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.startswith(f"lrcourse-{lrcourse.__version__}-py3-")
    with zipfile.ZipFile(wheel) as opened:
        packed = {name for name in opened.namelist() if ".dist-info/" not in name}
    there = {
        path.relative_to(source).as_posix()
        for path in (source / "lrcourse").rglob("*")
        if path.is_file()
    }
    assert packed == there
    assert {path for path in packed if not path.endswith(".py")} == {
        "lrcourse/playground/page.js",
        "lrcourse/published/numbers.toml",
        "lrcourse/py.typed",
    }


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_no_address(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"://|--index|--find-links|--extra-index|(?m:^-)| @ |\bwww\.", text)


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_everything_with_hashes(name):
    packages = read_lock(name)
    assert len(packages) > 10
    for entry in (entry for entries in packages.values() for entry in entries):
        first, *others = entry.replace("\\\n", "\n").splitlines()
        assert re.match(r"[a-z0-9][a-z0-9._-]*==[0-9][^ ]*( ;|\s*$)", first), first
        assert others, first
        assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}\s*", each) for each in others)


@pytest.mark.parametrize(
    "extra, name",
    [
        ("", LOCKS[0]),
        ("course", LOCKS[0]),
        ("book", LOCKS[0]),
        ("test", LOCKS[0]),
        ("peers", LOCKS[1]),
        ("browser", LOCKS[1]),
    ],
)
def test_direct_dependencies_are_pinned_within_their_bounds(extra, name):
    packages = read_lock(name)
    for requirement in EXTRAS[extra] if extra else PROJECT["dependencies"]:
        package, oldest = name_and_bound(requirement)
        assert package in packages, f"{package} is missing in {name}: make lock"
        for entry in packages[package]:
            version = re.match(r"[^=]+==([^ \n]+)", entry)[1]
            assert numbers(version) >= numbers(oldest), f"{package}: make lock"


def test_the_locks_share_no_package():
    assert not read_lock(LOCKS[0]).keys() & read_lock(LOCKS[1]).keys()


def test_the_difference_of_two_locks():
    known = "a==1 \\\n    --hash=sha256:0\nb==2 ; python_full_version < '3.12'\n"
    assert lock.beyond(known + "c==3 \\\n    --hash=sha256:1\n", known) == (
        "c==3 \\\n    --hash=sha256:1\n"
    )
    with pytest.raises(ValueError, match="b differs"):
        lock.beyond("b==3\n", known)


def test_lock_says_how_to_get_uv(monkeypatch, capsys):
    monkeypatch.setattr(lock.shutil, "which", lambda name: None)
    assert lock.main([]) == 1
    assert "pip install uv" in capsys.readouterr().err


def test_conda_s_environment_is_in_step_with_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["channels"][0] == "conda-forge"
    *conda, last = environment["dependencies"]
    listed = {name: bound for name, _, bound in (each.partition(">=") for each in conda)}
    pip = dict(name_and_bound(each) for each in last["pip"] if each != "-e .")
    assert "-e ." in last["pip"]
    wanted = dict(
        name_and_bound(each)
        for each in (
            *PROJECT["dependencies"],
            *(each for extra in ("course", "book", "test") for each in EXTRAS[extra]),
        )
    )
    assert pip == {name: wanted.pop(name) for name in ("d2l", "lion-pytorch", "schedulefree")}
    assert f">={listed.pop('python')}" == PROJECT["requires-python"]
    expected = {CONDA_NAMES.get(name, name): bound for name, bound in wanted.items()}
    assert {name: listed[name] for name in listed.keys() - ONLY_CONDA} == expected


@needs_make
def test_make_explains_every_target(tmp_path):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.search(r"\.PHONY: (.*)", makefile)[1].split()) - {"help", "lint"}
    folder = tmp_path / "with spaces"
    folder.mkdir()
    (folder / "Makefile").write_text(makefile)
    told = subprocess.check_output(["make", "-C", str(folder), "--silent"], text=True)
    assert set(re.findall(r"^make (\w+)", told, re.MULTILINE)) == targets


@needs_make
def test_make_clean_keeps_finished_runs(tmp_path):
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text(encoding="utf-8"))
    for name in ("records/a.json", "figures/02-schedulers/01-lr.png", "notebooks/02.ipynb"):
        path = tmp_path / "build" / name
        path.parent.mkdir(parents=True)
        path.write_text("x")
    subprocess.check_call(["make", "-C", str(tmp_path), "--silent", "clean"])
    assert [path.name for path in (tmp_path / "build").iterdir()] == ["records"]
    assert (tmp_path / "build" / "records" / "a.json").exists()


def test_what_the_readme_points_to_is_there():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = [link for link in re.findall(r"\]\(([^)#]+)\)", readme) if "://" not in link]
    assert len(targets) >= 3
    assert [target for target in targets if not (ROOT / target).exists()] == []
