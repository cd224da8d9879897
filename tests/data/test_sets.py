"""Data sets: the same images everywhere, whole files or a clear error; no network is needed."""

import errno
import gzip
import hashlib
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lrcourse.data import Data, DataError, Split, download, load
from lrcourse.data import digits as scans
from lrcourse.data import sets as data

pytest.importorskip("sklearn")

IDX_FILES = list(data.IDX_SIZES)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def idx(values: np.ndarray) -> bytes:
    sides = b"".join(side.to_bytes(4, "big") for side in values.shape)
    return bytes([0, 0, 8, values.ndim]) + sides + values.astype(np.uint8).tobytes()


@pytest.fixture
def published(monkeypatch) -> dict[str, bytes]:
    """A small Fashion-MNIST of 60 + 20 images, which the module takes for the published one."""
    random = np.random.RandomState(1)
    content = {}
    for part, n in (("train", 60), ("t10k", 20)):
        content[f"{part}-images-idx3-ubyte"] = idx(random.randint(0, 256, (n, 28, 28)))
        content[f"{part}-labels-idx1-ubyte"] = idx(np.arange(n) % 10)
    monkeypatch.setattr(data, "IDX_SIZES", {file: len(content[file]) for file in IDX_FILES})
    sums = tuple(sha256(content[file]) for file in IDX_FILES)
    monkeypatch.setitem(data.IDX_SUMS, "FashionMNIST", sums)
    return content


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data folder with a space and an umlaut in its name, and no way to the network."""
    import torchvision

    nowhere = "http://127.0.0.1:9/"
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [nowhere])
    monkeypatch.setattr(torchvision.datasets.FashionMNIST, "mirrors", [nowhere])
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", f"{nowhere}cifar.tar.gz")
    return tmp_path / "my dätä"


@pytest.fixture
def whole(folder, published):
    """The folder of the published files, already there."""
    raw = folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for file, content in published.items():
        (raw / file).write_bytes(content)
    return raw


def downloading(monkeypatch, action):
    """Replace torchvision's download by action(folder in which the files are wanted)."""

    def download(root, download):
        raw = root / "FashionMNIST" / "raw"
        raw.mkdir(parents=True)
        action(raw)

    datasets = SimpleNamespace(FashionMNIST=download)
    monkeypatch.setattr(data, "torchvision_datasets", lambda *_: datasets)


def copying(published):
    def copy(raw):
        for file, content in published.items():
            (raw / file).write_bytes(content)

    return copy


def files_under(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# --- digits


def test_digits_are_the_same_for_ever():
    digits = load("digits", device="cpu")
    assert digits.fingerprint == "efded92f563a"
    counts = [torch.bincount(split.y).tolist() for split in (digits.train, digits.test)]
    assert counts[0] == [133, 136, 132, 137, 135, 136, 136, 134, 130, 135]
    assert counts[1] == [45, 46, 45, 46, 46, 46, 45, 45, 44, 45]
    assert digits.valid is None and digits.classes == tuple("0123456789")


def test_digits_are_the_scanned_ones_enlarged():
    from sklearn.datasets import load_digits

    scans = torch.from_numpy(load_digits().images).float()[:, None] / 16
    wanted = torch.nn.functional.interpolate(scans, size=24, mode="bilinear")
    wanted = torch.nn.functional.pad(wanted, (2, 2, 2, 2))
    split = load("digits", device="cpu")
    X = torch.cat([split.train.X, split.test.X])
    assert X.dtype == torch.float32 and X.shape == (1797, 1, 28, 28)
    assert X.min() == 0 and X.max() == 1

    def in_one_order(images):
        return images.flatten(1)[np.lexsort(images.mul(144).round().flatten(1).T.numpy())]

    torch.testing.assert_close(in_one_order(X), in_one_order(wanted), rtol=0, atol=1e-6)


def test_digits_without_scikit_learn_say_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match="python -m pip install scikit-learn"):
        load("digits")


@pytest.mark.parametrize("kept_elsewhere", [False, True])
def test_scans_are_those_that_scikit_learn_loads(monkeypatch, kept_elsewhere):
    from sklearn.datasets import load_digits

    if kept_elsewhere:
        monkeypatch.setattr(scans, "FILE", Path("elsewhere.csv.gz"))
    pixels, labels = scans.digits()
    theirs = load_digits()
    assert pixels.dtype == labels.dtype == np.int64
    np.testing.assert_array_equal(pixels, theirs.images)
    np.testing.assert_array_equal(labels, theirs.target)


def test_digits_do_not_import_scikit_learn():
    load_them = "import sys; from lrcourse import data; data.load('digits')"
    script = f"{load_them}; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


# --- splits


@pytest.mark.parametrize(("valid", "count"), [(47, 47), (0.1, 134), (1, 1), (1343, 1343)])
def test_validation_images_come_from_the_training_images(valid, count):
    all_of_it, split = load("digits", device="cpu"), load("digits", device="cpu", valid=valid)
    assert (len(split.valid), len(split.train)) == (count, 1344 - count)
    assert torch.equal(split.test.X, all_of_it.test.X)
    assert split.fingerprint == all_of_it.fingerprint

    def images(*parts):
        return sorted(
            X.numpy().tobytes() + bytes([y]) for part in parts for X, y in zip(*part, strict=True)
        )

    assert images(split.train, split.valid) == images(all_of_it.train)


def test_any_beginning_of_the_fixed_order_is_balanced():
    labels = torch.arange(1000) % 10
    labels[:500] = 3  # 550 of class 3, 50 of each other
    order = data.balanced_order(labels)
    assert sorted(order) == list(range(1000))
    for n in (20, 100, 333, 900):
        expected = torch.bincount(labels) * n / 1000
        assert (torch.bincount(labels[order[:n]], minlength=10) - expected).abs().max() <= 1
    assert (order[:-1] > order[1:]).sum() > 300  # shuffled within the classes too


def test_the_fixed_order_is_pinned():
    order = data.balanced_order(torch.arange(12) % 3)
    assert order.tolist() == [6, 4, 11, 9, 10, 2, 3, 1, 8, 0, 7, 5]


def test_another_split_is_another_draw_of_all_parts():
    ours, theirs = (load("digits", device="cpu", valid=100, split=k) for k in (0, 7))
    for part in ("train", "valid", "test"):
        one, other = getattr(ours, part), getattr(theirs, part)
        assert len(one) == len(other) and not torch.equal(one.X, other.X)
        counts = torch.bincount(one.y) - torch.bincount(other.y)
        assert counts.abs().max() <= 1
    again = load("digits", device="cpu", valid=100, split=7)
    assert torch.equal(again.train.X, theirs.train.X) and again.fingerprint == theirs.fingerprint
    assert len({ours.fingerprint, theirs.fingerprint, theirs.subset(50).fingerprint}) == 3


def test_published_test_images_stay_and_the_others_are_drawn(whole, folder):
    ours, theirs = (
        load("fashion-mnist", device="cpu", valid=20, folder=folder, split=k) for k in (0, 7)
    )
    assert torch.equal(ours.test.X, theirs.test.X) and ours.fingerprint == theirs.fingerprint
    assert not torch.equal(ours.valid.X, theirs.valid.X)
    some, others = ours.subset(20), theirs.subset(20)
    assert not torch.equal(some.train.X, others.train.X)
    assert some.fingerprint != others.fingerprint


def test_a_drawn_split_holds_each_class_in_each_part():
    with pytest.raises(ValueError, match=r"split 3 would leave 1 of 10 classes .* 9 validation"):
        load("digits", device="cpu", valid=9, split=3)
    with pytest.raises(ValueError, match=r"split 3 would leave 1 of 10 classes .* 9 training"):
        load("digits", device="cpu", split=3).subset(9)
    assert len(load("digits", device="cpu", split=3).subset(10).train.y.unique()) == 10
    assert len(load("digits", device="cpu", valid=9).valid) == 9  # that of the course stays


def test_a_subset_is_a_fixed_balanced_beginning():
    digits = load("digits", device="cpu", valid=100)
    some, more = digits.subset(50), digits.subset(200)
    assert len(some.train) == 50 and len(some.valid) == 100 and len(some.test) == 453
    assert torch.equal(some.train.X, more.train.X[:50])
    assert torch.bincount(some.train.y).tolist() == [5] * 10
    assert len({digits.fingerprint, some.fingerprint, more.fingerprint}) == 3
    assert digits.subset(50).fingerprint == some.fingerprint
    for n in (0, 1245):
        with pytest.raises(ValueError, match="from 1 to 1244"):
            digits.subset(n)


def test_data_tell_what_they_hold():
    digits = load("digits", device="cpu", valid=0.1)
    assert repr(digits).splitlines() == [
        "digits on cpu: 10 classes, efded92f563a",
        "  train 1210 images of 1x28x28",
        "  valid 134 images of 1x28x28",
        "  test  453 images of 1x28x28",
    ]
    X, y = digits.train
    assert X is digits.train.X and y is digits.train.y and len(digits.train) == 1210


def test_data_move_and_pickle():
    digits = load("digits", device="cpu", valid=10).subset(20)
    moved = digits.to("meta")
    assert moved.device.type == moved.valid.y.device.type == moved.test.X.device.type == "meta"
    assert moved.fingerprint == digits.fingerprint
    again = pickle.loads(pickle.dumps(digits))
    assert repr(again) == repr(digits) and torch.equal(again.valid.X, digits.valid.X)


def test_data_can_be_made_from_tensors():
    def made(value):
        split = Split(torch.full((4, 1, 2, 2), value), torch.tensor([0, 1, 0, 1]))
        return Data("mine", split, None, split, ("a", "b"))

    assert made(0.5).fingerprint == made(0.5).fingerprint != made(0.25).fingerprint
    with pytest.raises(ValueError, match="n images and n labels"):
        Split(torch.zeros(3, 1, 2, 2), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(ValueError, match="type int64"):
        Split(torch.zeros(3, 1, 2, 2), torch.zeros(3))


# --- bad arguments


@pytest.mark.parametrize("name", ["FashionMNIST", "fashion_mnist", "Fashion-MNIST"])
def test_a_wrong_name_is_answered_with_the_right_ones(name):
    known = "'digits', 'fashion-mnist', 'mnist', 'cifar10'"
    with pytest.raises(ValueError, match=f"one of {known}; .*did you mean 'fashion-mnist'"):
        load(name)


def test_a_name_like_no_other_is_answered_without_a_guess():
    with pytest.raises(TypeError, match=r"'digits', .*; got None$"):
        load(None)
    with pytest.raises(ValueError, match=r"'digits', .*; got 'faces'$"):
        load("faces")


@pytest.mark.parametrize("valid", [-1, 1.0, 1.5, -0.1, float("nan"), 1344, 5000, 1e-9])
def test_validation_images_that_cannot_be_are_refused(valid):
    with pytest.raises(ValueError, match="valid"):
        load("digits", valid=valid)


def test_validation_images_are_counted_by_a_number():
    with pytest.raises(TypeError, match=r"valid must be .*; got True"):
        load("digits", valid=True)


@pytest.mark.parametrize("device", ["gpu", "cuda:63"])
def test_a_device_that_is_not_there_is_refused(device):
    with pytest.raises(ValueError, match=f"no device '{device}': this machine has cpu and"):
        load("digits", device=device)


def test_a_device_is_named():
    with pytest.raises(TypeError, match=r"device must be the name of a device.*; got 3.5"):
        load("digits", device=3.5)


# --- files that are there


def test_files_that_are_there_are_read_as_they_are(whole, published, folder):
    fashion = load("fashion-mnist", device="cpu", folder=folder)
    pixels = np.frombuffer(published["train-images-idx3-ubyte"], np.uint8, offset=16)
    expected = pixels.astype(np.float32) / np.float32(255)
    assert np.array_equal(fashion.train.X.numpy().ravel(), expected)
    assert fashion.test.y.tolist() == [n % 10 for n in range(20)]
    assert fashion.train.X.shape == (60, 1, 28, 28) and fashion.train.y.dtype == torch.int64
    assert fashion.classes[0] == "T-shirt/top" and len(fashion.classes) == 10


def test_reading_writes_nothing(whole, folder, monkeypatch):
    def read_only(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    for place, name in ((Path, "mkdir"), (download.tempfile, "TemporaryDirectory")):
        monkeypatch.setattr(place, name, read_only)
    monkeypatch.setattr(download.os, "replace", read_only)
    assert len(load("fashion-mnist", folder=folder).train) == 60


def test_the_folder_comes_from_the_environment(whole, folder, monkeypatch):
    monkeypatch.setenv("LRCOURSE_DATA", str(folder))
    assert len(load("fashion-mnist").train) == 60


@pytest.mark.parametrize("file", IDX_FILES)
def test_a_truncated_file_is_named_with_both_sizes(whole, folder, file):
    content = (whole / file).read_bytes()
    (whole / file).write_bytes(content[:-5])
    sizes = f"{len(content) - 5:,} bytes instead of {len(content):,}"
    with pytest.raises(DataError, match=f"{file} was cut short.*{sizes}. Delete it and call again"):
        load("fashion-mnist", folder=folder)


def test_a_corrupt_file_is_named(whole, folder):
    file = whole / "t10k-images-idx3-ubyte"
    content = bytearray(file.read_bytes())
    content[1000] ^= 1
    file.write_bytes(content)
    with pytest.raises(
        DataError, match=r"t10k-images-idx3-ubyte is corrupt: its sha256 is .*Delete"
    ):
        load("fashion-mnist", folder=folder)


@pytest.mark.skipif(os.name != "posix", reason="pipes and /proc")
@pytest.mark.parametrize("what", ["a pipe", "a link to what never ends", "a link to a device"])
def test_what_is_no_file_is_named_and_not_waited_for(whole, folder, what):
    file = whole / "t10k-images-idx3-ubyte"
    file.unlink()
    if what == "a pipe":
        os.mkfifo(file)
    else:
        file.symlink_to("/proc/kmsg" if what.endswith("ends") else "/dev/zero")
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte .*Delete it and call again"):
        load("fashion-mnist", folder=folder)


def test_a_file_that_cannot_be_read_is_named(whole, folder, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DataError, match="train-images-idx3-ubyte cannot be read: Permission"):
        load("fashion-mnist", folder=folder)


# --- downloads, by torchvision's own code


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A folder whose files this machine serves to itself, at the address `mirror.address`."""
    monkeypatch.setenv("no_proxy", "*")
    folder = tmp_path / "mirror"
    folder.mkdir()

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield SimpleNamespace(folder=folder, address=f"http://127.0.0.1:{server.server_port}/")
        server.shutdown()


@pytest.fixture
def served(published, folder, mirror, monkeypatch):
    """torchvision finds the packed files of `published` on a server."""
    from torchvision.datasets import FashionMNIST

    resources = []
    for file, content in published.items():
        packed = gzip.compress(content)
        (mirror.folder / f"{file}.gz").write_bytes(packed)
        resources.append((f"{file}.gz", md5(packed)))
    monkeypatch.setattr(FashionMNIST, "mirrors", [mirror.address])
    monkeypatch.setattr(FashionMNIST, "resources", resources)
    return mirror.folder


def test_torchvision_downloads_once(served, published, folder, capsys):
    first = load("fashion-mnist", device="cpu", folder=folder, progress=False)
    assert capsys.readouterr() == ("", "")
    assert files_under(folder) == sorted(f"FashionMNIST/raw/{file}" for file in published)
    shutil.rmtree(served)
    again = load("fashion-mnist", device="cpu", folder=folder)
    assert again.fingerprint == first.fingerprint
    assert capsys.readouterr() == ("", "")


def test_a_download_shows_where_it_goes_and_a_bar(served, folder, capsys):
    load("fashion-mnist", folder=folder)
    shown = capsys.readouterr().err
    assert f"downloading fashion-mnist to {folder}" in shown and "100%" in shown


def test_a_missing_file_is_fetched_and_the_others_stay(served, whole, folder):
    before = (whole / "train-images-idx3-ubyte").stat()
    (whole / "t10k-labels-idx1-ubyte").unlink()
    load("fashion-mnist", folder=folder, progress=False)
    after = (whole / "train-images-idx3-ubyte").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_connection_that_breaks_off_leaves_nothing(served, folder):
    packed = served / f"{IDX_FILES[2]}.gz"
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(DataError, match="could not be downloaded"):
        load("fashion-mnist", folder=folder, progress=False)
    assert files_under(folder) == []


def test_what_arrives_otherwise_than_published_is_not_kept(served, published, folder, monkeypatch):
    wrong = tuple(sha256(file.encode()) for file in published)
    monkeypatch.setitem(data.IDX_SUMS, "FashionMNIST", wrong)
    with pytest.raises(DataError, match=r"could not be downloaded.*is corrupt"):
        load("fashion-mnist", folder=folder, progress=False)
    assert files_under(folder) == []


@pytest.mark.parametrize("name", ["fashion-mnist", "cifar10"])
def test_without_a_network_the_ways_out_are_named(folder, name):
    ways = r"Check the network and call again, or copy .* into .*, or use load\('digits'\)"
    with pytest.raises(DataError, match=f"(refused|urlopen error).*{ways}"):
        load(name, folder=folder, progress=False)
    assert files_under(folder) == []


def test_without_torchvision_a_download_says_how_to_get_it(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(ImportError, match="python -m pip install torchvision"):
        load("fashion-mnist", folder=folder)


@pytest.mark.parametrize(
    ("error", "raised", "message"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt, None),
        (OSError(errno.ENOSPC, "No space left on device"), DataError, "disk of .* is full.*90 MB"),
        (OSError(errno.EDQUOT, "Quota exceeded"), DataError, "disk of .* is full.*LRCOURSE_DATA"),
        (TimeoutError("timed out"), DataError, "could not be downloaded into .*timed out"),
        (EOFError(), DataError, r"could not be downloaded into .*\(EOFError\)"),
    ],
)
def test_an_interrupted_download_leaves_nothing(
    published, folder, monkeypatch, error, raised, message
):
    def broken(raw):
        (raw / IDX_FILES[0]).write_bytes(published[IDX_FILES[0]])
        (raw / IDX_FILES[1]).write_bytes(published[IDX_FILES[1]][:7])
        raise error

    downloading(monkeypatch, broken)
    with pytest.raises(raised, match=message):
        load("fashion-mnist", folder=folder, progress=False)
    assert files_under(folder) == []
    downloading(monkeypatch, copying(published))
    assert len(load("fashion-mnist", folder=folder, progress=False).train) == 60


def test_a_disk_without_room_is_told_before_the_download(folder, published, monkeypatch):
    downloading(monkeypatch, lambda raw: pytest.fail("downloaded all the same"))
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: SimpleNamespace(free=12_000_000))
    with pytest.raises(DataError, match=r"is full \(12 MB are free\).*90 MB; make room"):
        load("fashion-mnist", folder=folder)


def test_a_folder_that_cannot_be_made_is_named(folder, published):
    folder.write_text("a file where the folder should be")
    with pytest.raises(
        DataError, match=r"raw lacks train-images-.* cannot be written.*LRCOURSE_DATA"
    ):
        load("fashion-mnist", folder=folder)


def test_the_slower_of_two_processes_discards_its_copy(published, folder, monkeypatch):
    raw = folder / "FashionMNIST" / "raw"

    def slow(hidden):
        copying(published)(hidden)
        for file in IDX_FILES[:2]:  # the other process is half way through its moves
            (raw / file).write_bytes(published[file])
            os.utime(raw / file, (5, 5))

    downloading(monkeypatch, slow)
    assert len(load("fashion-mnist", folder=folder, progress=False).train) == 60
    assert [(raw / file).stat().st_mtime == 5 for file in IDX_FILES] == [True, True, False, False]
    assert files_under(raw) == sorted(IDX_FILES)


def test_two_threads_download_once(published, folder, monkeypatch, capsys):
    calls, results, together = [], [], threading.Barrier(2, timeout=30)
    looked = data.download_set

    def both_found_it_missing(*arguments):
        together.wait()
        looked(*arguments)

    def count(raw):
        calls.append(raw)
        copying(published)(raw)

    monkeypatch.setattr(data, "download_set", both_found_it_missing)
    downloading(monkeypatch, count)

    def get():
        results.append(load("fashion-mnist", folder=folder, progress=False).fingerprint)

    threads = [threading.Thread(target=get) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1 and len(results) == 2 and results[0] == results[1]


def test_cifar10_is_downloaded_checked_and_read(folder, mirror, tmp_path, monkeypatch):
    from torchvision.datasets import CIFAR10

    source = tmp_path / "cifar-10-batches-py"
    source.mkdir()
    random, sums = np.random.RandomState(2), {}
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    pixels = {name: random.randint(0, 256, (4, 3072)).astype(np.uint8) for name in names}
    contents = {name: {"data": pixels[name], "labels": [1, 0, 2, 1]} for name in names}
    contents["batches.meta"] = {"label_names": ["plane", "cat", "dog"]}
    for name, content in contents.items():
        (source / name).write_bytes(pickle.dumps(content))
        sums[name] = md5((source / name).read_bytes())
    archive = mirror.folder / "cifar.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(source, source.name)
    monkeypatch.setattr(CIFAR10, "url", f"{mirror.address}cifar.tar.gz")
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(archive.read_bytes()))
    monkeypatch.setattr(CIFAR10, "train_list", [[name, sums[name]] for name in names[:5]])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    meta = {"filename": "batches.meta", "key": "label_names", "md5": sums["batches.meta"]}
    monkeypatch.setattr(CIFAR10, "meta", meta)

    cifar = load("cifar10", device="cpu", folder=folder, progress=False)
    assert cifar.train.X.shape == (20, 3, 32, 32) and cifar.test.X.shape == (4, 3, 32, 32)
    assert cifar.classes == ("plane", "cat", "dog") and cifar.test.y.tolist() == [1, 0, 2, 1]
    red = pixels["data_batch_2"][0, :1024].reshape(32, 32) / np.float32(255)
    assert np.array_equal(cifar.train.X[4, 0].numpy(), red)
    assert files_under(folder) == sorted(f"cifar-10-batches-py/{name}" for name in contents)

    batch = folder / "cifar-10-batches-py" / "data_batch_3"
    batch.write_bytes(batch.read_bytes()[:-1])
    with pytest.raises(DataError, match="data_batch_3 is corrupt: its md5 is"):
        load("cifar10", folder=folder)
