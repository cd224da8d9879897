"""Image sets as tensors, in memory, on the device: `load("digits")` and three larger sets.

"digits" comes with scikit-learn and needs no download. The others lie in `paths.data_folder()` as
torchvision lays them out, and are downloaded through torchvision when they are not there. A file is
compared with its published sum each time that it is read (0.03 s for the largest).
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import sys
from collections.abc import Iterator
from contextlib import nullcontext, redirect_stderr
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from lrcourse.data import digits as scans
from lrcourse.data.download import fetch, read_checked
from lrcourse.data.drawing import balanced_order, check_classes
from lrcourse.support import kinds, paths
from lrcourse.support.checks import (
    FLAG,
    PATH,
    TEXT,
    Number,
    arguments,
    check,
    each,
    kind,
    one_of,
    optional,
    shown,
    whole,
)
from lrcourse.support.names import advised

NAMES = ("digits", "fashion-mnist", "mnist", "cifar10")
"""The data sets that `load` knows."""

IDX_SIZES = {  # in bytes, unpacked; the sums below are sha256 in the same order
    "train-images-idx3-ubyte": 47_040_016,
    "train-labels-idx1-ubyte": 60_008,
    "t10k-images-idx3-ubyte": 7_840_016,
    "t10k-labels-idx1-ubyte": 10_008,
}
IDX_SUMS = {
    "FashionMNIST": (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    "MNIST": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}
# What torchvision calls each set, where it keeps it, and the MB of disk that a download takes.
_TORCHVISION = {
    "fashion-mnist": ("FashionMNIST", "FashionMNIST/raw", 90),
    "mnist": ("MNIST", "MNIST/raw", 70),
    "cifar10": ("CIFAR10", "cifar-10-batches-py", 360),
}
_FASHION = "T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker, Bag, Ankle boot"


def _indices(owner: str, name: str, value: object) -> np.ndarray:
    chosen = np.asarray(value) if isinstance(value, list | np.ndarray) else np.array(None)
    if chosen.ndim != 1 or chosen.dtype.kind not in "iu":
        raise TypeError(f"{owner}: {name} must be an array of whole numbers; got {shown(value)}")
    return chosen


@dataclass(frozen=True, eq=False)
class Split:
    """n images and their labels: `X, y = split`; `len(split)` is n.

    Attributes:
        X: float32 of shape (n, channels, height, width), in [0, 1].
        y: int64 of shape (n,).

    Raises:
        TypeError: for what is no tensor.
        ValueError: not as many labels as images, or labels that are not int64.

    Example:
        >>> import torch
        >>> from lrcourse.data import Split
        >>> Split(torch.zeros(2, 1, 28, 28), torch.tensor([3, 8]))
        2 images of 1x28x28
    """

    X: Tensor
    y: Tensor

    def __post_init__(self) -> None:
        check(self, X=kinds.TENSOR, y=kinds.TENSOR)
        if self.y.ndim != 1 or len(self.X) != len(self.y) or self.y.dtype != torch.int64:
            given = f"X {tuple(self.X.shape)} with y {tuple(self.y.shape)} of {self.y.dtype}"
            raise ValueError(f"a split is n images and n labels of type int64, not {given}")

    def __len__(self) -> int:
        return len(self.y)

    def __iter__(self) -> Iterator[Tensor]:
        return iter((self.X, self.y))

    def __repr__(self) -> str:
        return f"{len(self)} images of {'x'.join(str(side) for side in self.X.shape[1:])}"

    @arguments(device=kinds.device)
    def to(self, device: torch.device | str) -> Split:
        """The same images on another `device`."""
        return Split(self.X.to(device), self.y.to(device))

    @arguments(chosen=_indices)
    def take(self, chosen: np.ndarray) -> Split:
        """The images with the `chosen` indices, in that order; whole numbers from 0 to n - 1."""
        indices = torch.from_numpy(chosen).to(self.y.device)
        return Split(self.X[indices], self.y[indices])


SPLIT = kind("a lrcourse.data.Split", Split)
SPLIT_NUMBER = whole(0, 2**32 - 1)  # what NumPy's generator takes as its seed


@dataclass(frozen=True, eq=False)
class Data:
    """A set of images, split for training, validation (or None) and test, all on one device.

    From tensors of your own: `Data("name", Split(X, y), None, Split(X_test, y_test), classes)`.

    Attributes:
        name: of the set.
        train, valid, test: its splits; `valid` may be None.
        classes: names of the labels 0, 1, 2, ...
        fingerprint: a short sha256 of the tensors' bytes before validation images are set aside;
            computed where it is not given.
        split: the number of the draw that made the splits, which `subset` draws by, too.

    Example:
        >>> import torch
        >>> from lrcourse.data import Data, Split
        >>> split = Split(torch.zeros(2, 1, 4, 4), torch.tensor([0, 1]))
        >>> Data("mine", split, None, split, ("cat", "dog"))
        mine on cpu: 2 classes, ...
          train 2 images of 1x4x4
          test  2 images of 1x4x4
    """

    name: str
    train: Split
    valid: Split | None
    test: Split
    classes: tuple[str, ...]
    fingerprint: str = ""
    split: int = 0

    def __post_init__(self) -> None:
        check(self, name=TEXT, train=SPLIT, valid=optional(SPLIT), test=SPLIT)
        check(self, classes=each(TEXT, into=tuple), fingerprint=TEXT, split=SPLIT_NUMBER)
        if not self.fingerprint:
            every = (tensor for split in self._splits().values() for tensor in split)
            object.__setattr__(self, "fingerprint", _fingerprint(*every))

    @property
    def device(self) -> torch.device:
        return self.train.X.device

    @arguments(device=kinds.device)
    def to(self, device: torch.device | str) -> Data:
        """The same data on another `device`."""
        return replace(self, **{name: split.to(device) for name, split in self._splits().items()})

    def subset(self, n: int) -> Data:
        """The first n training images in a fixed shuffled order; validation and test stay whole.

        Any n holds the classes in nearly the proportions of the whole, the same n (of the same
        split) is the same images on every machine, and a smaller n is the beginning of a larger
        one. ValueError for an n that is not from 1 to the number of training images, or that
        leaves a class out of a split that was drawn.
        """
        n = whole(1, len(self.train))("subset", "n", n)
        first = self.train.take(balanced_order(self.train.y, self.split)[:n])
        told = f"{self.fingerprint} {n}"
        if self.split:
            told += f" of split {self.split}"
            check_classes(self.split, {"training": first.y}, self.classes)
        mark = hashlib.sha256(told.encode()).hexdigest()[:12]
        return replace(self, train=first, fingerprint=mark)

    def _splits(self) -> dict[str, Split]:
        found = {"train": self.train, "valid": self.valid, "test": self.test}
        return {name: split for name, split in found.items() if split is not None}

    def __repr__(self) -> str:
        lines = [f"{self.name} on {self.device}: {len(self.classes)} classes, {self.fingerprint}"]
        return "\n".join(lines + [f"  {part:5} {split}" for part, split in self._splits().items()])


DATA = kind("lrcourse.data.Data", Data)
_VALID = Number("a count of images, or a fraction of them from 0 to below 1", lambda v: v >= 0)


@arguments(
    name=one_of(*NAMES),
    device=optional(kinds.device),
    valid=_VALID,
    folder=optional(PATH),
    progress=FLAG,
    split=SPLIT_NUMBER,
)
def load(
    name: str,
    device: torch.device | str | None = None,
    valid: float = 0,
    folder: str | os.PathLike[str] | None = None,
    progress: bool = True,
    split: int = 0,
) -> Data:
    """Load a set of images into memory, on the device.

    Another `split` is another draw of which image serves for what, each class in proportion. Of the
    digits it draws training, validation and test images (1344 less those for validation, and 453);
    the other sets keep the test images that they were published with, and it draws the validation
    images, and those of a `subset`, from the training ones. Split 0 is that of the course.

    Args:
        name: "digits", "fashion-mnist", "mnist" or "cifar10".
        device: where the tensors go; None is "cuda" where there is one, else "cpu".
        valid: how many training images to set aside for validation, as a count or as a fraction of
            them; always the same ones, each class in proportion. 0: none, and `valid` is None.
        folder: where the sets are or shall be; None is `$LRCOURSE_DATA`, else the cache.
        progress: show a bar during a download.
        split: the number of the draw, from 0 on.

    Raises:
        ValueError: a name, a device or a number of validation images that cannot be; a split other
            than 0 that would leave a class out of one of its parts.
        DataError: no network, a damaged file, a full disk, a folder that cannot be written.
        ImportError: scikit-learn (digits) or torchvision (downloads, cifar10) is missing.

    Example:
        >>> from lrcourse import data
        >>> digits = data.load("digits", device="cpu", valid=100)
        >>> len(digits.train), len(digits.valid), len(digits.test)
        (1244, 100, 453)
    """
    if isinstance(valid, float) and valid >= 1:
        raise ValueError(f"load: valid must be {_VALID.wanted}; got {valid!r}")
    if name == "digits":
        train, test, classes = _digits(split)
    else:
        train, test, classes = _read(name, paths.data_folder(folder), progress)
    fingerprint = _fingerprint(*train, *test)

    count = round(valid * len(train)) if isinstance(valid, float) else valid
    if count >= len(train) or (valid and not count):
        taken = f"valid={valid!r} takes {count} of the {len(train)} training images of {name}"
        raise ValueError(f"{taken}; it must take at least one and leave at least one")
    train, validation = _set_aside(train, count, split) if count else (train, None)
    if split:
        parts = {"training": train, "validation": validation, "test": test}
        check_classes(split, {part: one.y for part, one in parts.items() if one}, classes)
    return Data(name, train, validation, test, classes, fingerprint, split).to(
        device or kinds.best_device()
    )


def _digits(split: int) -> tuple[Split, Split, tuple[str, ...]]:
    """1797 scanned digits, 8x8 with values 0 to 16, enlarged three times inside a border of 2.

    So they look like MNIST's, which leave a border too. Bilinear interpolation by three has weights
    in thirds: in whole ninths it is exact, and the tensors have the same bits on every machine.
    """
    pixels, labels = scans.digits()
    thirds = np.clip(np.arange(24) - 1, 0, 21)
    weights = np.maximum(0, 3 - np.abs(thirds[:, None] - 3 * np.arange(8)))
    pixels = weights @ pixels @ weights.T
    pixels = np.pad(pixels, ((0, 0), (2, 2), (2, 2)))[:, None]
    # 1344 images remain for training: whole batches of 32 and 64. A last batch of three images
    # would make the final update of every epoch a wild one.
    return *_set_aside(_as_split(pixels, labels, 16 * 9), 453, split), tuple("0123456789")


def _read(name: str, root: Path, progress: bool) -> tuple[Split, Split, tuple[str, ...]]:
    """Both splits and the class names from the files under root, downloaded if need be."""
    kind, folder, _ = _TORCHVISION[name]
    sums = _sums(kind)
    if not all((root / folder / file).is_file() for file in sums):
        download_set(name, root, progress)
    content = {file: read_checked(root / folder / file, *sums[file]) for file in sums}
    if kind == "CIFAR10":  # pickles, but their sums say that they are the published ones
        *batches, meta = (pickle.loads(raw, encoding="latin1") for raw in content.values())
        pixels = [batch["data"].reshape(-1, 3, 32, 32) for batch in batches]
        labels = [np.array(batch["labels"]) for batch in batches]
        train = _as_split(np.concatenate(pixels[:-1]), np.concatenate(labels[:-1]))
        return train, _as_split(pixels[-1], labels[-1]), tuple(meta["label_names"])
    X_train, y_train, X_test, y_test = (_from_idx(raw) for raw in content.values())
    classes = tuple(_FASHION.split(", ") if kind == "FashionMNIST" else "0123456789")
    return _as_split(X_train[:, None], y_train), _as_split(X_test[:, None], y_test), classes


def _sums(kind: str) -> dict[str, tuple[int | None, str, str]]:
    """File name -> size in bytes where known, kind of sum, sum; training files first."""
    if kind in IDX_SUMS:
        known = zip(IDX_SIZES.items(), IDX_SUMS[kind], strict=True)
        return {file: (size, "sha256", expected) for (file, size), expected in known}
    cifar = torchvision_datasets().CIFAR10
    meta = (cifar.meta["filename"], cifar.meta["md5"])
    return {file: (None, "md5", sum) for file, sum in [*cifar.train_list, *cifar.test_list, meta]}


def download_set(name: str, root: Path, progress: bool) -> None:
    """Get the files of a set, of which some are missing under root."""
    kind, subfolder, megabytes = _TORCHVISION[name]
    folder, datasets = root / subfolder, torchvision_datasets()

    def download(hidden: Path) -> Path:
        with nullcontext() if progress else redirect_stderr(io.StringIO()):
            print(f"downloading {name} to {folder} ({megabytes} MB)", file=sys.stderr)
            getattr(datasets, kind)(root=hidden, download=True)
        return hidden / subfolder

    copy = f"copy {', '.join(_sums(kind))} into {folder}"
    otherwise = f"or {copy}, or use load('digits'), which needs no download"
    fetch(folder, _sums(kind), megabytes, download, otherwise)


def torchvision_datasets() -> ModuleType:
    """torchvision's data sets, imported only now that they are needed."""
    with advised("this set needs torchvision: python -m pip install torchvision"):
        import torchvision.datasets as datasets
    return datasets


def _from_idx(raw: bytes) -> np.ndarray:
    """An idx file: the fourth byte counts the dimensions, which follow as big-endian integers."""
    shape = np.frombuffer(raw, ">i4", count=raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)


def _as_split(pixels: np.ndarray, labels: np.ndarray, white: int = 255) -> Split:
    X = np.divide(pixels, np.float32(white), dtype=np.float32)
    return Split(torch.from_numpy(X), torch.from_numpy(labels.astype(np.int64)))


def _set_aside(images: Split, n: int, split: int) -> tuple[Split, Split]:
    """The others and n images, classes in proportion, both in the order that they had."""
    order = balanced_order(images.y, split)
    return images.take(np.sort(order[n:])), images.take(np.sort(order[:n]))


def _fingerprint(*tensors: Tensor) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(tensor.cpu().contiguous().numpy().data)
    return digest.hexdigest()[:12]
