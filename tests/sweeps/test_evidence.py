"""Runs that lie in the repository: found in a block, named when damaged, else trained."""

import json
import lzma
import os
import sys
import warnings

import pytest

from lrcourse import sweeps
from lrcourse.sweeps import Experiment, RecordWarning, evidence_files
from lrcourse.sweeps.records import as_text

BASE = Experiment(
    images=64, epochs=1, model="mlp", model_options={"depth": 1, "width": 1}, lr=0.125
)
POINTS = sweeps.grid(BASE, seed=range(3))
ON_CPU = {"jobs": 1, "device": "cpu"}


@pytest.fixture(scope="session")
def texts(tmp_path_factory):
    """The texts of the records of `POINTS`, in their order."""
    folder = tmp_path_factory.mktemp("records")
    sweeps.run(POINTS, records=folder, **ON_CPU)
    return [sweeps.Records(folder).path(one.key).read_text() for one in POINTS]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder of evidence, which is the one that counts."""
    made = tmp_path / "evidence with space"
    made.mkdir()
    monkeypatch.setenv("LRCOURSE_EVIDENCE", str(made))
    monkeypatch.delenv("LRCOURSE_ANEW", raising=False)
    return made


@pytest.fixture
def path(folder, texts):
    """A file of evidence with the runs of `POINTS`."""
    made = folder / f"three{evidence_files.ENDING}"
    evidence_files.write(made, texts, {"page": "a-page"})
    return made


@pytest.fixture
def trained(tmp_path):
    """Run `POINTS` in a block and give the seeds that had to be trained."""

    def run(name="three", points=POINTS):
        records = tmp_path / "records"
        with sweeps.evidence(name):
            runs = sweeps.run(points, records=records, **ON_CPU)
        assert [one.experiment for one in runs] == list(points)
        keys = sweeps.Records(records).keys()
        return [one.seed for one in points if one.key in keys]

    return run


def lines_of(path):
    return lzma.decompress(path.read_bytes()).decode().splitlines()


def put(path, lines):
    path.write_bytes(lzma.compress("".join(f"{line}\n" for line in lines).encode()))
    os.utime(path, ns=(0, 0))  # written within one tick of the clock, it is another file still


def test_a_block_takes_its_runs_from_the_file(path, trained):
    assert trained() == []


def test_the_numbers_are_those_of_the_training(path, tmp_path):
    with sweeps.evidence("three"):
        found = sweeps.run(POINTS, records=tmp_path / "a", **ON_CPU)
    again = sweeps.run(POINTS, records=tmp_path / "b", **ON_CPU)
    for one, other in zip(found.histories, again.histories, strict=True):
        assert one.loss.tolist() == other.loss.tolist()
        assert one.lr.tolist() == other.lr.tolist()
        assert one.final("test_acc") == other.final("test_acc")


def test_outside_of_a_block_everything_is_trained(path, tmp_path):
    sweeps.run(POINTS, records=tmp_path / "records", **ON_CPU)
    assert len(sweeps.Records(tmp_path / "records").keys()) == 3


def test_a_record_of_ones_own_comes_first(path, tmp_path):
    store = sweeps.Records(tmp_path / "records")
    sweeps.run(POINTS[0], records=store.folder, **ON_CPU)
    content = store.read(POINTS[0].key)
    content["history"]["seconds"] = 12.5
    store.write(POINTS[0].key, **content)
    with sweeps.evidence("three"):
        (run,) = sweeps.run(POINTS[0], records=store.folder, **ON_CPU)
    assert run.history.seconds == 12.5


def test_where_there_is_no_file_everything_is_trained(folder, trained):
    assert trained() == [0, 1, 2]


def test_where_there_is_no_repository_everything_is_trained(monkeypatch, trained):
    monkeypatch.delenv("LRCOURSE_EVIDENCE", raising=False)
    assert trained("no-such-file") == [0, 1, 2]


def test_a_run_of_another_spec_is_trained(path, trained):
    assert trained(points=[POINTS[0], POINTS[1].but(lr=0.25)]) == [1]


@pytest.mark.parametrize(
    ("wanted", "seeds"), [("1", [0, 1, 2]), ("other,three", [0, 1, 2]), ("other", []), ("0", [])]
)
def test_a_variable_trains_anew(path, monkeypatch, trained, wanted, seeds):
    monkeypatch.setenv("LRCOURSE_ANEW", wanted)
    assert trained() == seeds


DAMAGES = {
    "another number": lambda line: line.replace('"diverged_at": null', '"diverged_at": 3'),
    "another spec": lambda line: line.replace('"lr": 0.125', '"lr": 0.5', 1),
    "cut off": lambda line: line[:-30],
    "no record": lambda line: '{"some": "thing"}',
    "no JSON": lambda line: "x",
    "not text": lambda line: "\ud800".encode("utf-8", "surrogatepass").decode("latin1"),
    "a list": lambda line: "[1]",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_line_is_named_and_its_run_trained(path, trained, damage):
    first, *lines = lines_of(path)
    keys = sorted(one.key for one in POINTS)
    hit = keys.index(POINTS[1].key)
    assert damage(lines[hit]) != lines[hit]
    lines[hit] = damage(lines[hit])
    put(path, [first, *lines])
    with pytest.warns(RecordWarning, match=rf"three\.jsonl\.xz is damaged: line {hit + 2} \("):
        assert trained() == [1]


def test_an_interrupted_run_is_none(path, trained):
    first, *lines = lines_of(path)
    contents = [json.loads(line) for line in lines]
    contents[0]["history"]["interrupted"] = True
    lines[0] = as_text(contents[0]["spec"], contents[0]["history"])
    put(path, [first, *lines])
    with pytest.warns(RecordWarning, match="its run was interrupted"):
        assert trained() == [contents[0]["spec"]["seed"]]


def test_a_run_that_stands_twice_is_trained(path, trained):
    first, *lines = lines_of(path)
    put(path, [first, *lines, lines[0]])
    with pytest.warns(RecordWarning, match=r"line 5 \(the run [0-9a-f]{32} stands in it twice"):
        assert trained() == [json.loads(lines[0])["spec"]["seed"]]


HEADS = {
    "of a newer kind": ({"format": 99}, "it has format 99"),
    "of another name": ({"evidence": "other"}, "names 'other' and not 'three'"),
    "of no file": ({"format": None}, "it has format None"),
}


@pytest.mark.parametrize(("change", "told"), HEADS.values(), ids=HEADS)
def test_a_foreign_first_line_is_named(path, trained, change, told):
    first, *lines = lines_of(path)
    put(path, [json.dumps(json.loads(first) | change), *lines])
    with pytest.warns(RecordWarning, match=told):
        assert trained() == [0, 1, 2]


FILES = {
    "empty": lambda path: path.write_bytes(b""),
    "no xz": lambda path: path.write_text("nothing of the kind"),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "no first line": lambda path: put(path, ["[]"]),
    "a first line too deep": lambda path: put(path, ["[" * 100_000]),
    "a line too long": lambda path: path.write_bytes(
        lzma.compress(lines_of(path)[0].encode() + b"\n")
        + lzma.compress(bytes(2**20)) * 2**8
        + lzma.compress(b"more")
    ),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "a link to itself": lambda path: (path.unlink(), path.symlink_to(path.name)),
    "a link to what never ends": lambda path: (path.unlink(), path.symlink_to("/proc/kmsg")),
}


@pytest.mark.parametrize("spoil", FILES.values(), ids=FILES)
def test_a_file_that_cannot_be_read_is_named(path, trained, spoil):
    spoil(path)
    with pytest.warns(RecordWarning, match=r"three\.jsonl\.xz is damaged"):
        assert trained() == [0, 1, 2]


def test_a_python_without_lzma_trains(path, trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "lzma", None)  # as if it had been built without
    with pytest.warns(RecordWarning, match="built without lzma"):
        assert trained() == [0, 1, 2]


def test_of_a_file_that_is_cut_off_the_rest_counts(path, trained):
    whole = lzma.decompress(path.read_bytes())
    packed = b"".join(lzma.compress(line) for line in whole.splitlines(keepends=True))
    path.write_bytes(packed[:-200])
    with pytest.warns(RecordWarning, match="what follows line 3"):
        assert len(trained()) == 1


@pytest.mark.parametrize("given", [True, False], ids=["by the variable", "of the repository"])
def test_a_folder_that_is_a_file_is_an_error(tmp_path, monkeypatch, trained, given):
    spoilt = tmp_path / "evidence"
    spoilt.write_text("")
    if given:
        monkeypatch.setenv("LRCOURSE_EVIDENCE", str(spoilt))
    else:
        monkeypatch.setattr("lrcourse.support.paths.REPOSITORY", tmp_path)
        monkeypatch.delenv("LRCOURSE_EVIDENCE", raising=False)
        (tmp_path / "results").mkdir()
        spoilt.rename(tmp_path / "results" / "evidence")
    with pytest.raises(NotADirectoryError, match="evidence is none: move it away"):
        trained()


def test_a_folder_that_is_not_there_is_an_error(tmp_path, monkeypatch, trained):
    monkeypatch.setenv("LRCOURSE_EVIDENCE", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="nowhere, and no such folder is there"):
        trained()


@pytest.mark.parametrize("name", ["", "Two Words", "../up", "a.b", "grös-se", "a/b"])
def test_a_name_is_small_letters_digits_and_hyphens(name):
    with pytest.raises(ValueError, match="small letters, digits and hyphens"):
        sweeps.evidence(name)


def test_a_block_inside_another_is_refused():
    with (
        sweeps.evidence("outer"),
        pytest.raises(RuntimeError, match=r"evidence\('inner'\) stands inside of .*'outer'"),
        sweeps.evidence("inner"),
    ):
        pass


def test_a_block_ends_with_an_error_in_it(path, tmp_path):
    with pytest.raises(ZeroDivisionError), sweeps.evidence("three"):
        raise ZeroDivisionError
    with sweeps.evidence("three"):
        pass


def test_an_undamaged_file_warns_of_nothing(path, trained):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained()


def test_the_same_records_give_the_same_bytes(path, texts):
    before = path.read_bytes()
    evidence_files.write(path, reversed(texts), {"page": "a-page"})
    assert path.read_bytes() == before


def test_a_damaged_record_is_not_written(path, texts):
    before = path.read_bytes()
    with pytest.raises(ValueError, match="checksum"):
        evidence_files.write(path, [texts[0].replace("0.125", "0.25")], {})
    assert path.read_bytes() == before


def test_the_table_tells_how_each_run_ended(path, tmp_path):
    runs = sweeps.run(POINTS, records=tmp_path, **ON_CPU)
    head, *rows = evidence_files.table_of(path).read_text().splitlines()
    assert head.startswith("label,lr,seed,update,train_loss,train_acc")
    assert len(rows) == 3
    for row, run in zip(rows, runs, strict=True):
        told = dict(zip(head.split(",")[1:], row.rsplit(",", head.count(","))[1:], strict=True))
        assert "images=64" in row and "seed=" not in row
        assert (float(told["lr"]), int(told["seed"])) == (0.125, run.experiment.seed)
        assert told["train_loss"] == f"{run.history.final('train_loss'):.6g}"
        assert told["diverged_at"] == ""


def test_a_key_in_two_files_is_found():
    files = {"a": ["1", "2"], "b": ["3"], "c": ["2"]}
    assert evidence_files.in_two_files(files) == {"2": ["a", "c"]}
