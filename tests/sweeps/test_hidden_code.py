"""A key covers the code and values that a function reaches by roundabout ways."""

import sys

import pytest

from lrcourse import schedules as s
from lrcourse.sweeps import Experiment

BASE = Experiment(
    images=96, model="mlp", model_options={"depth": 1, "width": 1}, epochs=1, evaluate=None
)
FIELDS = "from dataclasses import InitVar, dataclass, field, fields, make_dataclass\n"
NUMPY = "import numpy as np\n"
TORCH = "import torch\n"

# By what holds it: imports, statements of a module in which VALUE is another each time, and what
# f(t) returns.
HIDDEN = {
    "default of a slot": (
        FIELDS,
        "@dataclass(slots=True)\nclass C:\n    p: float = VALUE",
        "C().p",
    ),
    "factory": (
        FIELDS,
        "@dataclass\nclass C:\n    p: list = field(default_factory=lambda: [VALUE])",
        "C().p[0]",
    ),
    "factory of a base class": (
        FIELDS,
        "@dataclass\nclass B:\n    p: list = field(default_factory=lambda: [VALUE])\n"
        "@dataclass\nclass C(B):\n    q: int = 1",
        "C().p[0]",
    ),
    "metadata of a field": (
        FIELDS,
        "@dataclass\nclass C:\n    p: float = field(default=1.0, metadata={'v': VALUE})",
        "fields(C)[0].metadata['v']",
    ),
    "what is compared": (
        FIELDS,
        "@dataclass\nclass C:\n    p: float = field(compare=VALUE > 0.7)",
        "float(C(1.0) == C(2.0))",
    ),
    "a dataclass made in a call": (
        FIELDS,
        "C = make_dataclass('C', [('p', float, VALUE)])",
        "C().p",
    ),
    "a class made in a call": (
        "import types\n",
        "C = types.new_class('C', (), {}, lambda names: names.update(p=VALUE))",
        "C.p",
    ),
    "function put under a library's name": (
        "import math\n",
        "def own(t):\n    return VALUE\nmath.rounded_by_the_user = own",
        "math.rounded_by_the_user(t)",
    ),
    "function put under a name in a library's module": (
        NUMPY,
        "def own(t):\n    return VALUE\nnp.linalg.norm_of_the_user = own",
        "np.linalg.norm_of_the_user(t)",
    ),
    "method of a dictionary": ("", "get = {0: VALUE}.get", "get(0)"),
    "method of a list": ("", "get = [VALUE].__getitem__", "get(0)"),
    "method of a string": ("", "get = 'VALUE'.strip", "float(get())"),
    "method of an array": (NUMPY, "get = np.array([VALUE]).item", "get(0)"),
    "method of a tensor": (TORCH, "get = torch.tensor(VALUE).item", "get()"),
    "private slot": (
        "",
        "class C:\n    __slots__ = ('__x',)\n    def __init__(self, x):\n        self.__x = x\n"
        "    def at(self):\n        return self.__x\nA = C(VALUE)",
        "A.at()",
    ),
    "slot behind another": (
        "",
        "class B:\n    __slots__ = 'x'\nclass C(B):\n    __slots__ = 'x'\nA = C()\nA.x = 1.0\n"
        "B.x.__set__(A, VALUE)",
        "B.x.__get__(A)",
    ),
    "elements of an own array": (
        NUMPY,
        "class C(np.ndarray):\n    pass\nA = np.full(2, VALUE).view(C)",
        "float(A[0])",
    ),
    "attribute of an own array": (
        NUMPY,
        "class C(np.ndarray):\n    pass\nA = np.ones(2).view(C)\nA.p = VALUE",
        "A.p",
    ),
    "code of an own array": (
        NUMPY,
        "class C(np.ndarray):\n    def at(self):\n        return VALUE\nA = np.ones(2).view(C)",
        "A.at()",
    ),
    "elements of an own tensor": (
        TORCH,
        "class C(torch.Tensor):\n    pass\nA = torch.full((2,), VALUE).as_subclass(C)",
        "float(A[0])",
    ),
    "code of an own tensor": (
        TORCH,
        "class C(torch.Tensor):\n    def at(self):\n        return VALUE\n"
        "A = torch.ones(2).as_subclass(C)",
        "A.at()",
    ),
    "attribute of a tensor": (TORCH, "A = torch.ones(1)\nA.p = VALUE", "A.p"),
    "gradient": (TORCH, "A = torch.ones(())\nA.grad = torch.tensor(VALUE)", "float(A.grad)"),
    "names of columns": (
        NUMPY,
        "A = np.array([(1.0, 0.5)], [(k, 'f8') for k in ('pq' if VALUE > 0.7 else 'qp')])",
        "float(A['p'][0])",
    ),
    "mask": (
        NUMPY,
        "A = np.ma.array([1.0, 1e20], mask=[False, VALUE > 0.7])",
        "float(A.mean() > 2)",
    ),
    "frompyfunc": (NUMPY, "u = np.frompyfunc(lambda t: VALUE, 1, 1)", "u(t)"),
    "method of frompyfunc": (
        NUMPY,
        "u = np.frompyfunc(lambda a, b: a * b * VALUE, 2, 1).reduce",
        "u([1.0, 1.0])",
    ),
    "vectorize": (NUMPY, "u = np.vectorize(lambda t: VALUE)", "float(u(t))"),
    "document of a class": ("", "class C:\n    'VALUE'", "float(C.__doc__)"),
    "document of a dataclass": (FIELDS, "@dataclass\nclass C:\n    'VALUE'", "float(C.__doc__)"),
    "name of a function": (
        "",
        "def far(): ...\nfar.__name__ = 'VALUE'",
        "float(far.__name__)",
    ),
    "name of the function itself": (
        "",
        "NAME = f'f{VALUE}'",
        "float(f.__name__[1:])\nf.__name__ = NAME\ndel NAME",
    ),
    "annotation of a class": ("", "class C:\n    p: VALUE", "C.__annotations__['p']"),
    "annotation of a function": (
        "",
        "K = VALUE\ndef g(x: K):\n    pass",
        "g.__annotations__['x']",
    ),
    "name between underscores": ("", "class C:\n    __peak__ = VALUE", "C.__peak__"),
    "names for match": (
        "",
        "class C:\n    __match_args__ = ('p',) if VALUE > 0.7 else ('q',)\n    p, q = 1.0, 0.5\n"
        "def g(c):\n    match c:\n        case C(x):\n            return x",
        "g(C())",
    ),
    "object in place of a method": (
        "",
        "class G:\n    def __init__(self, p):\n        self.p = p\n    def __call__(self):\n"
        "        return self.p\nclass C:\n    __call__ = G(VALUE)",
        "C()()",
    ),
    "method from a text": (
        "",
        "class C:\n    pass\nexec('def at(self): return VALUE', made := {})\nC.at = made['at']",
        "C().at()",
    ),
    "another's name": (
        "import functools, math\n",
        "@functools.wraps(math.cos)\ndef g(t):\n    return VALUE",
        "g(t)",
    ),
    "code of an own partial": (
        "import functools\n",
        "class P(functools.partial):\n    def at(self):\n        return VALUE\nA = P(abs)",
        "A.at()",
    ),
    "code of an own property": (
        "",
        "class P(property):\n    def __get__(self, *_):\n        return VALUE\n"
        "class C:\n    @P\n    def p(self):\n        pass",
        "C.p",
    ),
    "own static method": (
        "",
        "class S(staticmethod):\n    pass\nclass C:\n    @S\n    def p():\n        return VALUE",
        "C.p()",
    ),
    "factory of a dictionary": (
        "import collections\n",
        "D = collections.defaultdict(lambda: VALUE)",
        "D.default_factory()",
    ),
}


def key(name):
    return BASE.but(schedule=s.from_function(f"{name}:f")).key


@pytest.mark.parametrize("how", HIDDEN)
def test_it_is_in_the_key(written, how):
    imports, statements, read = HIDDEN[how]
    text = f"{imports}{statements}\ndef f(t):\n    return {read}\n"
    keys, factors = [], []
    for value in ("1.0", "0.5", "1.0"):
        sys.modules.pop("hides", None)
        module = written("hides", text.replace("VALUE", value))
        spec = BASE.but(schedule=s.from_function("hides:f"))
        keys.append(spec.key)
        factors.append(module.f(0))
        assert spec.key == keys[-1], "a call changed the key"
    assert factors[0] != factors[1], "the case shows nothing"
    assert keys[0] == keys[2] != keys[1]


# Ways to a constant of another module, kit.far, by what near says; the rest is what f(t) returns.
FAR = {
    "module given to a function": ("from kit import far\ndef g(m):\n    return m.K", "g(far)"),
    "module of a package, given": ("import kit.far\ndef g(m):\n    return m.K", "g(kit.far)"),
    **{
        f"{line}, given": (
            f"def g(m):\n    return m.K\ndef h():\n    {line}\n    return g({name})",
            "h()",
        )
        for line, name in [
            ("import kit.far", "kit.far"),
            ("import kit.far as x", "x"),
            ("from kit import far", "far"),
            ("from kit import __name__ as n, far as x", "x"),
        ]
    },
    "sum of names": ("import importlib\nN = 'far'", "importlib.import_module('kit.' + N).K"),
    "names in a text": (
        "import importlib\nN, P = 'far', 'kit'",
        "importlib.import_module(f'{P}.{N}').K",
    ),
    "one name of a list": (
        "from importlib import import_module as take\nN = ['far', 'near']",
        "take('kit.' + N[t % 2 * 0]).K",
    ),
    "one name of a table": ("N = {0: 'kit.far'}", "__import__(N[t % 1], fromlist=['K']).K"),
    "a loop over names": (
        "import importlib",
        "[importlib.import_module(n).K for n in ('kit.far',)][0]",
    ),
    "a choice": ("import importlib", "importlib.import_module('kit.far' if t < 9 else 'kit').K"),
    "within a package": ("import importlib", "importlib.import_module('.far', 'kit').K"),
    "sys.modules": ("import sys, kit.far\nN = ['far']", "sys.modules['kit.' + N[0]].K"),
    "get of sys.modules": ("import sys, kit.far\nN = 'far'", "sys.modules.get('kit.' + N).K"),
    "resolve_name": ("import pkgutil", "pkgutil.resolve_name('kit.far:K')"),
    "resolve_name with dots": ("import pkgutil", "pkgutil.resolve_name('kit.far.K')"),
    "schedule": ("from lrcourse import schedules as s", "s.from_function('kit.far:g')(t)"),
    "schedule of the module": (
        "from lrcourse import schedules as s\nS = s.from_function('kit.far:g')",
        "S(t)",
    ),
    "__getattr__": ("from kit import far", "far.nothing"),
    "__getattr__ behind an import": ("", "__import__('kit.far', fromlist=['nothing']).nothing"),
    "document of the module": ("from kit import far", "float(far.__doc__)"),
    "__all__": ("from kit import far", "float(far.__all__[0])"),
}


@pytest.mark.parametrize("how", FAR)
def test_what_another_module_holds_is_in_the_key(written, tmp_path, how):
    statements, read = FAR[how]
    (tmp_path / "kit").mkdir()
    keys, factors = [], []
    for value in ("1.0", "0.5", "1.0"):
        for name in ("near", "kit", "kit.far"):
            sys.modules.pop(name, None)
        (tmp_path / "kit" / "far.py").write_text(
            f"'{value}'\n__all__ = ['{value}']\nK = {value}\ndef g(t):\n    return K\n"
            "def __getattr__(name):\n    if name == 'nothing':\n        return K\n"
            "    raise AttributeError(name)\n"
        )
        module = written("near", f"{statements}\ndef f(t):\n    return {read}\n")
        spec = BASE.but(schedule=s.from_function("near:f"))
        keys.append(spec.key)
        factors.append(module.f(0))
        assert spec.key == keys[-1], "a call changed the key"
    for name in ("kit", "kit.far"):
        sys.modules.pop(name, None)
    assert factors[0] != factors[1], "the case shows nothing"
    assert keys[0] == keys[2] != keys[1]


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("importlib.import_module('far'[t:])", r"'far'\[t:\]"),
        ("importlib.import_module(f'kit.{t}')", "t"),
        ("[importlib.import_module(n) for n in open('names')]", r"open\('names'\)"),
        ("sys.modules[str(t)]", r"str\(t\)"),
        ("load('math').pi", "name"),
        ("runpy.run_path('far.py')", "run_path"),
    ],
)
def test_a_module_that_shows_only_when_it_runs_is_refused(written, body, shown):
    written(
        "asks_late",
        "import importlib, runpy, sys\n"
        "def load(name):\n    return importlib.import_module(name)\n"
        f"def f(t):\n    return {body} and 1.0\n",
    )
    told = rf"asks_late:(f|load) takes a module that shows only when it runs \({shown}\)"
    with pytest.raises(ValueError, match=told):
        assert BASE.but(schedule=s.from_function("asks_late:f")).key


@pytest.mark.parametrize(
    "made",
    [
        "class P:\n    def __getattr__(self, name):\n        return self\nA = P()",
        "class P:\n    def __eq__(self, other):\n        raise RuntimeError\nA = P()",
        "class P:\n    def __bool__(self):\n        raise RuntimeError\n"
        "class Q:\n    __doc__ = P()\nA = Q",
        "def A():\n    pass\nA.__wrapped__ = A",
        "def A():\n    pass\nA.__module__ = None",
        "from unittest import mock\nA = mock.call",
        "import torch\nA = torch.ones(3).to(torch.complex64).conj().imag[::2]",
        "from typing import Protocol\nclass P(Protocol):\n    pass\nclass A(P):\n    pass",
    ],
)
def test_an_object_may_answer_what_it_likes(written, made):
    module = written("likes", f"{made}\ndef f(t):\n    return (A is not t) * 1.0\n")
    before = key("likes")
    if callable(module.A):
        module.A()
    assert module.f(0) == 1.0 and key("likes") == before


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ("A = []\nfor _ in range(5000):\n    A = [A]", "RecursionError"),
        ("import torch\nA = torch.ones(2, device='meta')", "NotImplementedError"),
        ("A = 10**5000", "4300 digits"),
        (
            "class P:\n    def __getattribute__(self, name):\n        raise OSError(name)\nA = P()",
            "OSError",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused_by_its_name(written, made, told):
    written("asked_in_vain", f"{made}\ndef g():\n    return A\ndef f(t):\n    return g() and 1.0\n")
    with pytest.raises(
        ValueError, match=f"a function reads .*: .*{told}.* make it in the function"
    ):
        key("asked_in_vain")


@pytest.mark.parametrize("draw", ["random.random", "random.uniform", "np.random.rand"])
def test_the_generators_of_libraries_count_by_their_names(written, draw):
    written(
        "draws",
        f"import random\nimport numpy as np\ndraw = {draw}\n"
        "def f(t):\n    random.seed(t), np.random.seed(t)\n    return draw and 1.0\n",
    )
    spec = BASE.but(schedule=s.from_function("draws:f"))
    before = spec.key
    sys.modules["draws"].f(3)
    assert spec.key == before
