"""The scanned digits inside scikit-learn: 1,797 images of 8x8 pixels with values from 0 to 16.

They are read from scikit-learn's own file. Importing its package for them would take each process
a second and more, which is as long as many a run here.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import cast

import numpy as np

from lrcourse.support.names import advised

FILE = Path("datasets", "data", "digits.csv.gz")


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Pixels, int64, shape (1797, 8, 8), and labels, shape (1797,), in scikit-learn's order.

    ImportError where scikit-learn is missing.
    """
    file = _file()
    if file is None:  # a scikit-learn that keeps its images elsewhere
        with advised("this set needs scikit-learn: python -m pip install scikit-learn"):
            from sklearn import datasets
        rows, labels = cast(tuple[np.ndarray, np.ndarray], datasets.load_digits(return_X_y=True))
    else:
        table = np.loadtxt(file, delimiter=",", dtype=np.int64)
        rows, labels = table[:, :-1], table[:, -1]
    return rows.astype(np.int64).reshape(-1, 8, 8), labels


def _file() -> Path | None:
    spec = importlib.util.find_spec("sklearn")
    folders = (spec.submodule_search_locations or []) if spec else []
    return next((Path(f) / FILE for f in folders if (Path(f) / FILE).is_file()), None)
