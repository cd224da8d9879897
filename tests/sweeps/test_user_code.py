"""A key covers the code that really runs: functions, what they read, and where they run."""

import hashlib
import importlib
import inspect
import sys

import pytest

from lrcourse import schedules as s
from lrcourse import sweeps
from lrcourse.sweeps import Experiment, StaleCode

BASE = Experiment(
    images=96, model="mlp", model_options={"depth": 1, "width": 1}, epochs=1, evaluate=None
)


def key(name, function="f"):
    return BASE.but(schedule=s.from_function(f"{name}:{function}")).key


def key_of(written, text):
    """The key with this module, the same one each time."""
    written("other_code", text)
    return key("other_code")


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


# By what is read: a module whose function gives what stands for VALUE.
REACHED = {
    "class": "class C:\n    P = VALUE\ndef f(t):\n    return C.P",
    "metaclass": "class M(type):\n    P = VALUE\nclass C(metaclass=M):\n    pass\n"
    "def f(t):\n    return C.P",
    "base class": "class B:\n    def at(self, t):\n        return VALUE\nclass C(B):\n"
    "    def __call__(self, t):\n        return super().at(t)\nf = C()",
    "enum": "import enum\nclass C(enum.Enum):\n    P = VALUE\ndef f(t):\n    return C.P.value",
    "named tuple": "from collections import namedtuple\nC = namedtuple('C', 'p')(VALUE)\n"
    "def f(t):\n    return C.p",
    "namespace": "import types\nC = types.SimpleNamespace(p=VALUE)\ndef f(t):\n    return C.p",
    "slots": "class C:\n    __slots__ = 'p'\nC1 = C()\nC1.p = VALUE\ndef f(t):\n    return C1.p",
    "dictionary of functions": "D = {'a': lambda t: VALUE}\ndef f(t):\n    return D['a'](t)",
    "class behind a list": "class L(list):\n    def at(self):\n        return self[0] * VALUE\n"
    "A = L([1.0])\ndef f(t):\n    return A.at()",
    "class behind a number": "class R(float):\n    def at(self):\n        return self * VALUE\n"
    "A = R(1.0)\ndef f(t):\n    return A.at()",
    "attribute of the function": "def f(t):\n    return f.peak\nf.peak = VALUE",
    "attribute of a helper": "def g():\n    pass\ng.peak = VALUE\ndef f(t):\n    return g.peak",
    "own pickling": "class C:\n    def __init__(self, p):\n        self.p = p\n"
    "    def __getstate__(self):\n        return {}\n    def __call__(self, t):\n"
    "        return self.p\nf = C(VALUE)",
    "no pickling": "class C:\n    def __init__(self, p):\n        self.p = p\n"
    "    def __reduce_ex__(self, protocol):\n        raise TypeError\n    def __call__(self, t):\n"
    "        return self.p\nf = C(VALUE)",
    "a lock beside it": "import threading\nclass C:\n    def __init__(self, p):\n"
    "        self.p, self.lock = p, threading.Lock()\n    def __call__(self, t):\n"
    "        return self.p\nf = C(VALUE)",
    "cached property": "import functools\nclass C:\n    @functools.cached_property\n"
    "    def p(self):\n        return VALUE\n    def __call__(self, t):\n        return self.p\n"
    "f = C()",
    "dispatch": "import functools\n@functools.singledispatch\ndef f(t):\n    return 0.25\n"
    "@f.register\ndef _(t: float):\n    return VALUE",
    "decorating class": "import functools\nclass D:\n    def __init__(self, g):\n"
    "        functools.update_wrapper(self, g)\n        self.g = g\n    def __call__(self, t):\n"
    "        return VALUE * self.g(t)\n@D\ndef f(t):\n    return 1.0",
    "instructions of a lambda": "FS = (lambda t: 1.0, lambda t: 0.5)\nf = FS[int(1 / VALUE) - 1]",
    "globals()": "P = VALUE\ndef f(t):\n    return globals()['P']",
    "eval": "P = VALUE\ndef f(t):\n    return eval('P')",
    "net": "import torch\nL = torch.nn.Linear(1, 1)\ntorch.nn.init.constant_(L.weight, VALUE)\n"
    "torch.nn.init.zeros_(L.bias)\ndef f(t):\n    return L(torch.ones(1)).item()",
    "schedule": "from lrcourse import schedules as s\n"
    "S = s.warmup(9, start=VALUE / 2)\ndef f(t):\n    return S(t)",
}


# The ways to a constant of the module that do not name it; VALUE is another each time.
ASKED = {
    "sys.modules": "import sys\nreturn sys.modules[__name__].K",
    "getattr of sys.modules": "import sys\nreturn getattr(sys.modules[__name__], 'K')",
    "sys.modules by its name": "import sys\nreturn sys.modules['reaches'].K",
    "sys behind an alias": "import sys as y\nreturn y.modules[__name__].K",
    "sys.modules in words": "import sys\nreturn getattr(getattr(sys, 'modules')[__name__], 'K')",
    "modules of sys": "from sys import modules\nreturn modules[__name__].K",
    "modules behind an alias": "return loaded[__name__].K",
    "__globals__": "return f.__globals__['K']",
    "__globals__ in words": "return getattr(f, '__globals__')['K']",
    "vars of a module": "import reaches\nreturn vars(reaches)['K']",
    "__dict__ of a module": "import reaches\nreturn reaches.__dict__['K']",
    "__dict__ of sys.modules": "import sys\nreturn sys.modules[__name__].__dict__['K']",
    "attrgetter": "import operator, reaches\nreturn operator.attrgetter('K')(reaches)",
    "import_module": "import importlib\nreturn importlib.import_module(__name__).K",
    "import_module behind an alias": "return load(__name__).K",
    "__import__": "return __import__(__name__).K",
    "frame": "import inspect\nreturn inspect.currentframe().f_globals['K']",
    "frame of sys": "import sys\nreturn sys._getframe().f_globals['K']",
    "getmodule": "import inspect\nreturn inspect.getmodule(f).K",
    "globals behind an alias": "return here()['K']",
    "globals in words": "import builtins\nreturn getattr(builtins, 'globals')()['K']",
    "__module__": "import sys\nreturn sys.modules[f.__module__].K",
}
HEAD = "from importlib import import_module as load\nfrom sys import modules as loaded\n"
for how, body in ASKED.items():
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    REACHED[how] = f"{HEAD}here = globals\nK = VALUE\ndef f(t):\n{lines}"

REACHED |= {
    how: f"{imports}A = {value}\ndef f(t):\n    return {read}"
    for how, imports, value, read in [
        ("memoryview", "", "memoryview(b'1' if VALUE == 1 else b'2')", "A[0] / 49"),
        ("view of keys", "", "{VALUE: 1}.keys()", "max(A)"),
        ("view of values", "", "{1: VALUE}.values()", "max(A)"),
        ("iterator", "", "iter([VALUE])", "A.__length_hint__() + 0.5"),
        ("pattern", "import re\n", "re.compile(str(VALUE))", "float(A.pattern)"),
        ("compiled code", "", "compile(str(VALUE), '', 'eval')", "eval(A)"),
        ("weak", "import weakref\nB = {VALUE}\n", "weakref.ref(B)", "max(A())"),
        ("local", "import threading\n", "threading.local()\nA.p = VALUE", "A.p"),
    ]
}


@pytest.mark.parametrize("how", REACHED)
def test_whatever_leads_to_it_is_in_the_key(written, tmp_path, how):
    keys = []
    for value in ("1.0", "0.5"):
        written("reaches", REACHED[how].replace("VALUE", value))
        spec = BASE.but(schedule=s.from_function("reaches:f"))
        keys.append(spec.key)
        sweeps.run(spec, records=tmp_path, jobs=1, device="cpu")
        assert spec.key == keys[-1], "a run changed the key"
    assert keys[0] != keys[1]


def test_only_what_a_module_holds_is_asked_for_where_it_may_be_read(written):
    """A net's modules() and an object's __dict__ lead to no module."""
    text = """
        import sys, torch
        K = {}
        NET = torch.nn.Linear(1, 1)
        torch.nn.init.zeros_(NET.weight), torch.nn.init.zeros_(NET.bias)
        def f(t):
            kind = f"{{type(NET).__module__}} {{getattr(NET, 'eval').__name__}}"
            return 1.0 + len(list(NET.modules())) + len(NET.__dict__) + len(kind)
        """
    keys = []
    for value in (1, 2):
        written("asks_not", text.format(value))
        keys.append(key("asks_not"))
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("(k for k in [1.0])", "generator"),
        ("[1, {'a': (k for k in [1.0])}]", "generator"),
        ("map(float, (k for k in '12'))", "generator"),
        ("open(__file__)", "TextIOWrapper"),
        ("csv.reader(['1'])", "reader"),
        ("hashlib.sha256(b'1')", "HASH"),
    ],
)
@pytest.mark.parametrize("read", ["VALUES", "globals()['VALUES']"])
def test_what_has_no_content_that_can_be_told_is_refused(written, tmp_path, value, kind, read):
    module = written(
        "untold", f"import csv, hashlib\nVALUES = {value}\ndef f(t):\n    return {read} and 1.0\n"
    )
    told = f"reads VALUES.* or holds a {kind}.* make it in the function"
    with pytest.raises(ValueError, match=told):
        sweeps.run(BASE.but(schedule=s.from_function("untold:f")), records=tmp_path, jobs=1)
    assert sweeps.Records(tmp_path).keys() == set()
    if hasattr(module.VALUES, "close"):
        module.VALUES.close()


@pytest.mark.parametrize(
    ("made", "before", "after"),
    [
        ("np.random.default_rng({}).random()", "0", "1"),
        ("np.random.Generator(np.random.MT19937({})).random()", "0", "1"),
        ("Odd().cut", "3", "4"),
    ],
)
def test_an_object_whose_class_names_its_module_otherwise(written, made, before, after):
    text = """
        import numpy as np

        class Odd:
            __module__ = property(lambda self: "somewhere")
            cut = CUT

        VALUE = MADE

        def f(t):
            return 1.0 if VALUE else t
        """
    value, _, rest = made.rpartition(".")
    texts = [
        text.replace("MADE", value.format(one)).replace("if VALUE", f"if VALUE.{rest}")
        for one in (before, before, after)
    ]
    cuts = ("3", "3", "4") if value == "Odd()" else ("3", "3", "3")
    first, again, other = (
        key_of(written, one.replace("CUT", cut)) for one, cut in zip(texts, cuts, strict=True)
    )
    assert first == again != other


@pytest.mark.parametrize("value", ["threading.Lock()", "sys.stderr", "socket.socket()"])
def test_what_holds_nothing_to_read_is_no_obstacle(written, value):
    module = written(
        "handles",
        f"import socket, sys, threading\nA = {value}\ndef f(t):\n    return bool(A) + 0.5\n",
    )
    assert key("handles") == key("handles")
    if "socket" in value:
        module.A.close()


@pytest.mark.parametrize(
    "body",
    [
        "import far\n    return far.P",
        "from far import P\n    return P",
        "import importlib\n    return importlib.import_module('far').P",
        "import far\n    return getattr(far, 'P')",
        "import kit.far\n    return kit.far.P",
        "from kit import far\n    return far.P",
        "from .kit import far\n    return far.P",
        "from . import far\n    return far.P",
        "from .far import P\n    return P",
    ],
)
def test_what_is_imported_when_it_runs_is_in_the_key(tmp_path, monkeypatch, body):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path)
    name = "reader.near" if "from ." in body else "near"
    folder = tmp_path / "reader" if "from ." in body else tmp_path
    (folder / "kit").mkdir(parents=True)
    keys = []
    for value in (1.0, 0.5):
        for one in [one for one in sys.modules if one.split(".")[0] in ("reader", "kit", "far")]:
            del sys.modules[one]
        sys.modules.pop("near", None)
        importlib.invalidate_caches()
        for file in (folder / "far.py", folder / "kit" / "far.py"):
            file.write_text(f"P = {value}\n")
        (folder / "near.py").write_text(f"def f(t):\n    {body}\n")
        spec = BASE.but(schedule=s.from_function(f"{name}:f"))
        keys.append(spec.key)
        sweeps.run(spec, records=tmp_path, jobs=1, device="cpu")
        assert spec.key == keys[-1], "a run changed the key"
    assert keys[0] != keys[1]


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
    with pytest.raises(
        StaleCode, match=r"edited:f in memory is not what .*edited\.py says"
    ) as told:
        sweeps.run(BASE.but(schedule=s.from_function("edited:f")), records=tmp_path, jobs=1)
    assert f"Finished runs are kept in {tmp_path}; the same call goes on" in str(told.value)
    importlib.reload(sys.modules["edited"])
    assert key("edited") != first


@pytest.mark.parametrize("first", [0, 5])
def test_a_function_that_changes_what_it_reads_leaves_no_record(written, tmp_path, first):
    written(
        "impure",
        f"SEEN = []\ndef f(t):\n    if t >= {first}:\n        SEEN.append(t)\n"
        "    return 1.0 + len(SEEN)\n",
    )
    # Where the first factors show it, before any training.
    error = RuntimeError if first else ValueError
    with pytest.raises(error, match="changed what it reads while it ran"):
        sweeps.run(
            BASE.but(schedule=s.from_function("impure:f"), batch_size=8),
            records=tmp_path,
            jobs=1,
            device="cpu",
        )
    assert sweeps.Records(tmp_path).keys() == set()


@pytest.mark.slow
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
