"""A key covers the code that really runs: functions, what they read, and where they run."""

import hashlib
import importlib
import inspect
import sys
import textwrap

import pytest

from lrcourse import schedules as s
from lrcourse import sweeps
from lrcourse.sweeps import Experiment, StaleCode

BASE = Experiment(
    images=96, model="mlp", model_options={"depth": 1, "width": 1}, epochs=1, evaluate=None
)


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write a module and load it (anew), without bytecode, whose times are too coarse."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path)
    names = set()

    def write(name, text, load=True):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        names.add(name)
        importlib.invalidate_caches()
        if load:
            for one in sorted(names & sys.modules.keys()):
                importlib.reload(sys.modules[one])
            return importlib.import_module(name)

    yield write
    for name in names:
        sys.modules.pop(name, None)


def key(name, function="f"):
    return BASE.but(schedule=s.from_function(f"{name}:{function}")).key


PLAIN = """
    import math
    import numpy as np

    def f(t, base=2):
        return base * math.exp(-t) + float(np.sqrt(t)) + (f(0) if t < 0 else max(0, t))
    """


def test_a_plain_function_has_the_key_of_its_source(written):
    module = written("plain_shape", PLAIN)
    spec = BASE.but(schedule=s.from_function("plain_shape:f")).to_dict()
    digest = hashlib.sha256(inspect.getsource(module.f).encode()).hexdigest()[:16]
    assert spec["functions"] == {"plain_shape:f": digest}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("PEAK = 1.0\ndef f(t):\n    return PEAK", "PEAK = 0.5\ndef f(t):\n    return PEAK"),
        (
            "def g(t):\n    return 1.0\ndef f(t):\n    return g(t)",
            "def g(t):\n    return 0.5\ndef f(t):\n    return g(t)",
        ),
        (
            "A = [1, 2]\ndef g(t):\n    return A[t % 2]\ndef f(t):\n    return g(t)",
            "A = [1, 3]\ndef g(t):\n    return A[t % 2]\ndef f(t):\n    return g(t)",
        ),
        (
            "import numpy as np\nA = np.ones(3)\ndef f(t):\n    return float(A[t % 3])",
            "import numpy as np\nA = np.zeros(3)\ndef f(t):\n    return float(A[t % 3])",
        ),
        (
            "import torch\nA = torch.ones(3)\ndef f(t):\n    return float(A[t % 3])",
            "import torch\nA = torch.zeros(3)\ndef f(t):\n    return float(A[t % 3])",
        ),
        (
            "PEAK = 1.0\ndef f(t, peak=PEAK):\n    return peak",
            "PEAK = 0.5\ndef f(t, peak=PEAK):\n    return peak",
        ),
        (
            "PEAK = 1.0\ndef f(t, *, peak=PEAK):\n    return peak",
            "PEAK = 0.5\ndef f(t, *, peak=PEAK):\n    return peak",
        ),
        (
            "def make(a):\n    def inner(t):\n        return a\n    return inner\nf = make(1.0)",
            "def make(a):\n    def inner(t):\n        return a\n    return inner\nf = make(0.5)",
        ),
        (
            "class Shape:\n    def __init__(self, a):\n        self.a = a\n"
            "    def __call__(self, t):\n        return self.a\nf = Shape(1.0)",
            "class Shape:\n    def __init__(self, a):\n        self.a = a\n"
            "    def __call__(self, t):\n        return self.a\nf = Shape(0.5)",
        ),
        (
            "class Shape:\n    def __call__(self, t):\n        return 1.0\nf = Shape()",
            "class Shape:\n    def __call__(self, t):\n        return 0.5\nf = Shape()",
        ),
        (
            "class Shape:\n    a = 1.0\n    def at(self, t):\n        return self.a\nf=Shape().at",
            "class Shape:\n    a = 0.5\n    def at(self, t):\n        return self.a\nf=Shape().at",
        ),
        (
            "import functools\ndef g(a, t):\n    return a\nf = functools.partial(g, 1.0)",
            "import functools\ndef g(a, t):\n    return a\nf = functools.partial(g, 0.5)",
        ),
        (
            "import functools\nA = 1.0\n@functools.lru_cache\ndef f(t):\n    return A",
            "import functools\nA = 0.5\n@functools.lru_cache\ndef f(t):\n    return A",
        ),
        (
            "import functools\ndef halved(g):\n    @functools.wraps(g)\n    def h(t):\n"
            "        return g(t) / 2\n    return h\n@halved\ndef f(t):\n    return 1.0",
            "import functools\ndef halved(g):\n    @functools.wraps(g)\n    def h(t):\n"
            "        return g(t) / 3\n    return h\n@halved\ndef f(t):\n    return 1.0",
        ),
        (
            "from math import cos as shape\ndef f(t):\n    return abs(shape(t))",
            "from math import sin as shape\ndef f(t):\n    return abs(shape(t))",
        ),
    ],
    ids=[
        "constant",
        "helper",
        "constant of a helper",
        "array",
        "tensor",
        "default",
        "default by name",
        "closure",
        "state of an object",
        "class of an object",
        "attribute of a class",
        "partial",
        "behind a cache",
        "decorator",
        "function of a library",
    ],
)
def test_what_a_function_reads_is_in_its_key(written, before, after):
    written("read_by", before)
    first = key("read_by")
    assert key("read_by") == first
    written("read_by", after)
    second = key("read_by")
    assert second != first
    written("read_by", before)
    assert key("read_by") == first


@pytest.mark.parametrize("how", ["helpers_of.g(t)", "__import__('x') and 0", "inner(t)"])
def test_helpers_in_another_module_are_in_the_key(written, how):
    imports = {"inner(t)": "from helpers_of import g as inner"}.get(how, "import helpers_of")
    if "__import__" in how:
        body = "def f(t):\n    import helpers_of\n    return helpers_of.g(t)"
    else:
        body = f"{imports}\ndef f(t):\n    return {how}"
    written("helpers_of", "def g(t):\n    return 1.0\ndef unused(t):\n    return 3\n")
    written("uses_help", body)
    first = key("uses_help")
    written("helpers_of", "def g(t):\n    return 1.0\ndef unused(t):\n    return 4\n")
    assert key("uses_help") == first
    written("helpers_of", "def g(t):\n    return 0.5\ndef unused(t):\n    return 3\n")
    importlib.reload(sys.modules["uses_help"])
    assert key("uses_help") != first


def test_a_shape_of_the_users_own_is_in_the_key(written):
    text = """
        from dataclasses import dataclass
        from lrcourse.schedules import Schedule

        @dataclass(frozen=True, repr=False)
        class flat(Schedule):
            level: float = 1.0
            length = 0

            def _at(self, t):
                return self.level * {}
        """
    keys = []
    for factor in (1, 2):
        module = written("own_shape", text.format(factor))
        spec = BASE.but(schedule=s.warmup(3).then(module.flat(0.5)))
        assert list(spec.to_dict()["functions"]) == ["own_shape:flat"]
        keys.append(spec.key)
    assert keys[0] != keys[1]


def test_code_that_was_edited_and_not_loaded_again_is_refused(written, tmp_path):
    written("edited", "def f(t):\n    return 1.0\n")
    first = key("edited")
    written("edited", "# moved, and the same\n\ndef f(t):\n    return 1.0\n", load=False)
    assert key("edited") == first
    written("edited", "def f(t):\n    return 0.5\n", load=False)
    with pytest.raises(StaleCode, match=r"edited:f in memory is not what .*edited\.py says"):
        sweeps.run(BASE.but(schedule=s.from_function("edited:f")), records=tmp_path, jobs=1)
    importlib.reload(sys.modules["edited"])
    assert key("edited") != first


def test_a_function_that_changes_what_it_reads_leaves_no_record(written, tmp_path):
    written("impure", "SEEN = []\ndef f(t):\n    SEEN.append(t)\n    return 1.0 + len(SEEN)\n")
    with pytest.raises(RuntimeError, match="changed what it reads while it ran"):
        sweeps.run(
            BASE.but(schedule=s.from_function("impure:f")), records=tmp_path, jobs=1, device="cpu"
        )
    assert sweeps.Records(tmp_path).keys() == set()


def test_processes_that_live_on_with_older_code_are_replaced(written, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    for factor in (1.0, 0.25):
        written("lives_on", f"A = {factor}\ndef f(t):\n    return A\ndef g(k):\n    return A + k\n")
        named = s.from_function("lives_on:f")
        points = sweeps.grid(BASE.but(schedule=named, lr=0.1), seed=range(2))
        runs = sweeps.run(points, records=tmp_path / "r", jobs=2, device="cpu")
        assert {float(run.history.lr[0]) for run in runs} == {0.1 * factor}
    written("lives_on", "def f(t):\n    return 2.0\ndef g(k):\n    return k\n")
    assert sweeps.over_seeds(sys.modules["lives_on"].g, range(3), jobs=2) == {0: 0, 1: 1, 2: 2}
    written("lives_on", "def f(t):\n    return 2.0\ndef g(k):\n    return 2 * k\n")
    assert sweeps.over_seeds(sys.modules["lives_on"].g, range(3), jobs=2) == {0: 0, 1: 2, 2: 4}
