"""`lrcourse doctor`."""

import importlib.metadata
import re
import tomllib

import pytest
from helpers.repository import ROOT

from lrcourse.commands import doctor
from lrcourse.commands import main as cli


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """A data folder of this test's own."""
    monkeypatch.setenv("LRCOURSE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def without(name, monkeypatch, version=None):
    """Let a package seem missing, or of another version."""
    true = importlib.metadata.version

    def pretend(asked):
        if asked == name and version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version if asked == name else true(asked)

    monkeypatch.setattr(doctor.metadata, "version", pretend)


def test_a_sound_installation_is_told_so(capsys):
    assert cli.main(["doctor"]) == 0
    told = capsys.readouterr().out
    version = importlib.metadata.version("torch")
    assert f"torch {version}" in told
    assert re.search(r"CPU, \d+ threads", told)
    assert "The course can run here" in told


def test_it_knows_every_direct_dependency():
    pyproject = ROOT / "pyproject.toml"
    project = tomllib.loads(pyproject.read_text())["project"]
    extras = {"": project["dependencies"], **project["optional-dependencies"]}
    expected = {(extra, text) for extra, texts in extras.items() for text in texts}
    assert {(d.extra, f"{d.name}>={d.oldest}") for d in doctor.dependencies()} == expected


@pytest.mark.parametrize("name, command", [("joblib", "install"), ("d2l", "install --no-deps")])
def test_a_missing_package_of_the_course_fails_with_the_command(name, command, monkeypatch, capsys):
    without(name, monkeypatch)
    assert cli.main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert f"! {name}: missing" in told
    assert f'-m pip {command} "{name}>=' in told
    assert "cannot run here yet" in told


def test_an_old_package_of_the_course_fails(monkeypatch, capsys):
    without("pandas", monkeypatch, version="2.1.4rc1")
    assert cli.main(["doctor"]) == 1
    assert "! pandas: 2.1.4rc1 is too old, 2.2 is needed" in capsys.readouterr().out


def test_a_missing_package_of_the_tests_is_no_failure(monkeypatch, capsys):
    without("hypothesis", monkeypatch)
    assert cli.main(["doctor"]) == 0
    assert "- hypothesis: missing" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["torch", "torchvision"])
def test_a_package_that_cannot_be_imported_fails(name, monkeypatch, capsys):
    true = doctor.import_module

    def fail(asked):
        if asked == name:
            raise RuntimeError("operator torchvision::nms does not exist\nmore")
        return true(asked)

    monkeypatch.setattr(doctor, "import_module", fail)
    assert cli.main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert f"! {name} cannot be imported: RuntimeError: operator torchvision::nms" in told


def test_data_sets_are_found_in_the_data_folder(data, capsys):
    image_file = data / "FashionMNIST" / "raw" / "train-images-idx3-ubyte"
    image_file.parent.mkdir(parents=True)
    image_file.write_bytes(b"x")
    assert cli.main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert f"Data in {data}" in told
    assert "  fashion-mnist: found" in told
    assert "- cifar10: downloaded when it is first used" in told
    assert "data.load('cifar10')" in told
    assert "data.load('fashion-mnist')" not in told


def test_tools_for_the_book_are_optional(monkeypatch, capsys):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    assert cli.main(["doctor"]) == 0
    assert "- mdbook: not on the PATH" in capsys.readouterr().out


@pytest.mark.parametrize("text, numbers", [("2.6.0+cpu", (2, 6, 0)), ("1.26", (1, 26)), ("x", ())])
def test_numbers_of_a_version(text, numbers):
    assert doctor.version_numbers(text) == numbers
