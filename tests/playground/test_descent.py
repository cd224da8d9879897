"""The playground in Python: surfaces, runs, edges, words, the widget and its still figure."""

import io
import json
import subprocess
import sys
import tomllib
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
import torch
import traitlets
from helpers.repository import ROOT
from IPython.core.formatters import DisplayFormatter
from PIL import Image

from lrcourse import optimizers
from lrcourse.playground import Playground, Setting, edge, simulate, verdict
from lrcourse.playground.descent import OPTIMIZERS, RULES, SCHEDULES, normals
from lrcourse.playground.page import MIME, SCRIPT
from lrcourse.playground.places import PLACES, largest_curvature
from lrcourse.playground.sentences import figure

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def test_where_the_playground_begins():
    assert largest_curvature(PLACES["bowl"].surface, (1, 2)) == pytest.approx(2)
    ravine = PLACES["ravine"].surface
    assert largest_curvature(ravine, (1, 2)) == pytest.approx(20)
    assert float(ravine(torch.tensor([0.8, 0.6]))) == pytest.approx(0.5)  # along its floor
    assert float(ravine(torch.tensor([-0.6, 0.8]))) == pytest.approx(10)
    for each in PLACES.values():
        left, right, bottom, top = each.limits
        assert left < each.start[0] < right and bottom < each.start[1] < top
        assert (right - left) / (top - bottom) == pytest.approx(1.5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_run_is_torch_s_optimizer_under_the_schedule(name):
    """Step by step with torch's own optimizer, its rate set from the schedule's formula."""
    updates, warmup = 60, 10
    setting = Setting("saddle", (0.5, -1.1), name, "cosine", 0.05, 0.8, warmup, updates)
    w = torch.tensor([0.5, -1.1], dtype=torch.float64, requires_grad=True)
    options = {"momentum": 0.8} if name in ("momentum", "nesterov") else {}
    options = {"betas": (0.8, 0.999)} if name == "adam" else options
    optimizer = optimizers.torch_optimizer(name, [w], lr=1.0, **options)
    lr, path = [], [w.tolist()]
    for t in range(updates):
        fall = (1 + np.cos(np.pi * (t - warmup) / (updates - warmup))) / 2
        lr.append(0.05 * ((t + 1) / warmup if t < warmup else fall))
        optimizer.param_groups[0]["lr"] = lr[-1]
        w.grad = setting.place.surface.gradient(w.detach())
        optimizer.step()
        path.append(w.tolist())
    run = simulate(setting)
    np.testing.assert_allclose(run.path, path, atol=1e-9)
    np.testing.assert_allclose(run.lr, lr, rtol=1e-12)
    np.testing.assert_array_equal(run.planned, run.lr)
    x, y = np.array(path).T
    np.testing.assert_allclose(run.losses, (x**2 - 1) ** 2 / 4 + y**2 / 2, atol=1e-8)


def test_the_schedules_by_their_values():
    def rates(schedule, **options):
        return simulate(Setting("bowl", None, "sgd", schedule, 0.1, **options)).planned / 0.1

    assert rates("constant", warmup=4, updates=10)[:6] == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1])
    steps = rates("step", updates=30)
    assert steps[[0, 9, 10, 19, 20, 29]] == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    assert rates("linear", warmup=2, updates=12)[[1, 2, 7, 11]] == pytest.approx([1, 1, 0.5, 0.1])
    assert rates("cosine", updates=100)[[0, 50]] == pytest.approx([1, 0.5])
    restarts = rates("restarts", updates=30)
    assert restarts[[0, 5, 10, 20]] == pytest.approx([1, 0.5, 1, 1])
    cycles = rates("triangular", updates=60)
    assert cycles[[0, 5, 10, 20, 30]] == pytest.approx([0.1, 0.55, 1, 0.1, 1])
    cycle = rates("one-cycle", warmup=30, updates=100)
    assert cycle[[0, 29, 99]] == pytest.approx([0.04, 1, 4e-6])
    assert rates("constant", warmup=40, updates=10) == pytest.approx(np.arange(1, 11) / 40)
    assert rates("one-cycle", warmup=40, updates=10).max() == 1


@pytest.mark.parametrize("surface", ["bowl", "ravine"])
@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov"])
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_the_edge_divides_falling_from_climbing(surface, name, momentum):
    at = edge(Setting(surface, optimizer=name, momentum=momentum))
    for share, falls in ((0.99, True), (1.01, False)):
        run = simulate(Setting(surface, None, name, "constant", share * at, momentum, updates=2000))
        assert (run.losses[-1] < run.losses[0]) == falls
        assert (run.diverged_at is None) == falls


def test_the_edges_where_they_are_known():
    assert edge(Setting("ravine")) == pytest.approx(0.1)
    assert edge(Setting("ravine", optimizer="momentum", momentum=0.5)) == pytest.approx(0.15)
    assert edge(Setting("ravine", optimizer="nesterov", momentum=0.5)) == pytest.approx(0.075)
    assert edge(Setting("ravine", optimizer="adam", momentum=0.5)) == pytest.approx(0.1)
    assert edge(Setting("saddle", (1.0, 0.3))) == pytest.approx(2 / 2)
    steep = np.linalg.eigvalsh([[802, -400], [-400, 200]])[-1]
    assert edge(Setting("rosenbrock", (1.0, 1.0))) == pytest.approx(2 / steep)


def test_noise_is_added_to_the_gradient():
    quiet, noisy = (simulate(Setting("bowl", updates=50, noise=n, seed=3)) for n in (0.0, 0.5))
    lr, curvature = 0.1, np.array([1.0, 2.0])
    told = -np.diff(noisy.path, axis=0) / lr - curvature * noisy.path[:-1]
    np.testing.assert_allclose(told, 0.5 * normals(3, 50), atol=1e-12)
    told = -np.diff(quiet.path, axis=0) / lr - curvature * quiet.path[:-1]
    np.testing.assert_allclose(told, 0, atol=1e-12)
    own = simulate(Setting("noisy-bowl", updates=50, noise=0.5, seed=3))
    told = -np.diff(own.path, axis=0) / lr - own.path[:-1]
    np.testing.assert_allclose(told, 1.5 * normals(3, 50), atol=1e-12)


def test_the_noise_looks_normal_and_independent():
    drawn = np.stack([normals(seed, 2000) for seed in range(50)])  # seeds, updates, coordinates
    assert abs(drawn.mean()) < 0.01
    assert drawn.var() == pytest.approx(1, abs=0.02)
    kurtosis = (drawn**4).mean() / drawn.var() ** 2
    assert kurtosis == pytest.approx(3 - 6 / 5 / 12, abs=0.05)
    flat = drawn.reshape(50, -1)
    for lag in (1, 2, 12, 24):
        assert abs(np.corrcoef(flat[:, lag:].ravel(), flat[:, :-lag].ravel())[0, 1]) < 0.01
    between = np.corrcoef(flat)[~np.eye(50, dtype=bool)]
    assert np.abs(between).max() < 0.08
    assert np.array_equal(normals(7, 10), normals(7, 500)[:10])


def test_a_diverged_run_ends_where_it_diverges():
    run = simulate(Setting("ravine", peak_lr=0.11, updates=500))
    assert run.diverged_at == len(run.lr) == len(run.path) - 1 < 500 == len(run.planned)
    assert run.losses[-1] > 1e9 >= run.losses[:-1].max()
    wild = simulate(Setting("rosenbrock", peak_lr=10, updates=100))
    assert wild.diverged_at is not None and len(wild.path) < 10


@pytest.mark.parametrize(
    "options, words",
    [
        (
            {"peak_lr": 0.12},
            ["Diverges: after 29 updates the loss is above a billion", "from the first update on"],
        ),
        ({"peak_lr": 0.12, "warmup": 50}, ["first passes it in update 42"]),
        ({"peak_lr": 0.102}, ["Climbs: the loss is 9", "after 100 updates, from 7.52."]),
        (
            {"peak_lr": 0.05},
            [
                "from 7.52",
                "a thousandth of that after 61 updates",
                "The edge 2/λ is 0.1; the rate stays below it.",
            ],
        ),
        ({"peak_lr": 0.001}, ["It never has a thousandth of that."]),
        ({"optimizer": "momentum"}, ["The edge 2(1+β)/λ is 0.19;"]),
        ({"optimizer": "adam"}, ["The edge 2/λ of SGD is 0.1; Adam scales its own steps."]),
        (
            {"surface": "saddle", "start": (-0.02, 1)},
            ["It ends on the left.", "At the start the edge"],
        ),
        ({"surface": "saddle", "start": (0, 1)}, ["It has not left the saddle."]),
        ({"start": (0, 0)}, ["Starts at a minimum; after 100 updates the loss is 0."]),
    ],
)
def test_what_a_run_is_said_to_have_done(options, words):
    said = verdict(simulate(Setting(**options)))
    for each in words:
        assert each in said


def test_a_start_where_nothing_curves_upward_has_no_edge(monkeypatch):
    monkeypatch.setattr("lrcourse.playground.sentences.largest_curvature", lambda *_: -0.1)
    assert edge(Setting()) is None
    assert "there is no edge" in verdict(simulate(Setting()))


def test_numbers_as_readers_like_them():
    given = [0, 0.0123456, 45.55, 12.25, 1234.5, 1.2e-5, 99999.0, 0.000123456, 0.99996]
    told = ["0", "0.0123", "45.5", "12.3", "1230", "1.2e-5", "1e5", "0.000123", "1"]
    assert [figure(number) for number in given] == told


BAD = [
    ({"surface": "hill"}, r"surface must be one of 'bowl', .*; got 'hill'"),
    ({"optimizer": "SGD"}, "optimizer must be one of 'sgd'"),
    ({"schedule": None}, "schedule must be one of 'constant'"),
    ({"start": (1, 9)}, r"start\[1\] must be .* a number from -5 to 5; got 9"),
    ({"start": (1, float("nan"))}, r"start\[1\] must be .* a number from -5 to 5; got nan"),
    ({"start": (1, 2, 3)}, r"start must be two numbers x, y; got \(1, 2, 3\)"),
    ({"start": "ab"}, "start must be two numbers x, y; got 'ab'"),
    (
        {"peak_lr": 0},
        "peak_lr must be the highest learning rate, a number from 0.0001 to 10; got 0",
    ),
    ({"momentum": 1.0}, "momentum.*from 0 to 0.99; got 1.0"),
    ({"updates": 2001}, "updates.*a whole number from 10 to 2000; got 2001"),
    ({"updates": 10.5}, "a whole number"),
    ({"warmup": True}, "warmup"),
    ({"noise": float("inf")}, "noise"),
    ({"seed": -1}, "seed"),
]


@pytest.mark.parametrize("options, message", BAD)
def test_bad_settings(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Setting(**options)
    with pytest.raises((TypeError, ValueError), match=message):
        Playground(**options)
    (name, value), page = *options.items(), Playground()
    if value is not None:
        with pytest.raises(traitlets.TraitError, match=message):
            setattr(page, name, value)
        assert page.setting == Setting()


def test_the_widget_is_its_settings():
    page = Playground(surface="saddle", optimizer="adam", updates=np.int64(50), noise=1)
    assert page.start == [0.02, 1.2] and page.peak_lr == 0.2
    assert page.setting == Setting("saddle", optimizer="adam", updates=50, noise=1)
    assert type(page.updates) is int and type(page.noise) is float
    np.testing.assert_array_equal(page.run().path, simulate(page.setting).path)
    assert eval(repr(page), {"Playground": Playground}).setting == page.setting
    with pytest.raises(TypeError, match=r"no lr, rate; it has surface, start"):
        Playground(lr=1, rate=2)


def test_changes_flow_both_ways():
    page, seen = Playground(), []
    page.observe(lambda change: seen.append((change.name, change.new)), list(RULES))
    page.set_state({"peak_lr": 0.2, "start": [1, 2], "updates": 40})  # as the page sends them
    assert page.setting == Setting(start=(1, 2), peak_lr=0.2, updates=40)
    for each in (("peak_lr", 0.2), ("updates", 40), ("start", [1.0, 2.0])):
        assert each in seen
    page.momentum = 0.5
    assert page.get_state("momentum") == {"momentum": 0.5}
    assert set(RULES) <= set(page.get_state())


def shown(page):
    """What IPython makes of it in the last line of a cell."""
    data, _ = DisplayFormatter().format(page)
    return data


def test_an_output_carries_widget_settings_figure_and_words():
    page = Playground(optimizer="momentum", peak_lr=0.15)
    data = shown(page)
    assert set(data) == {WIDGET_VIEW, MIME, "image/png", "text/plain"}
    assert data[MIME] == json.loads(json.dumps(page.setting.to_dict()))
    assert set(data[MIME]) == set(RULES)
    assert data["text/plain"] == f"{page!r}\n{verdict(page.run())}"
    assert "0x" not in data["text/plain"]
    image = Image.open(io.BytesIO(b64decode(data["image/png"])))
    assert image.width > 800 and len(data["image/png"]) < 120_000
    assert json.loads(image.text["Description"]) == data[MIME]
    assert shown(page)["image/png"] == data["image/png"]


def test_the_still_figure_draws_the_run(monkeypatch):
    from matplotlib.figure import Figure

    from lrcourse.playground import figure as plot_playground

    kept, save = [], Figure.savefig

    def savefig(self, *given, **options):
        kept.append(self)
        save(self, *given, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)
    run = simulate(Setting("ravine", peak_lr=0.11, updates=80))
    plot_playground.still(run)
    surface, losses, rates = kept[0].axes
    path = surface.get_lines()[0].get_xydata()
    drawn = ~np.isnan(path[:, 0])
    np.testing.assert_array_equal(path[drawn], run.path[drawn])
    inside = (np.abs(run.path) <= [3, 2]).all(axis=1)
    assert drawn[inside].all() and not drawn[-5:].any()
    np.testing.assert_array_equal(losses.get_lines()[0].get_ydata()[:-1], run.losses[:-1])
    planned, made, at = rates.get_lines()
    np.testing.assert_array_equal(made.get_ydata()[:-1], run.lr)
    np.testing.assert_array_equal(planned.get_ydata()[:-1], run.planned)
    assert at.get_ydata()[0] == pytest.approx(0.1)
    plain = simulate(Setting("rosenbrock", optimizer="adam", peak_lr=0.1))
    plot_playground.still(plain)
    assert len(kept[1].axes[2].get_lines()) == 2  # Adam has no edge


def test_without_anywidget_the_message_says_what_to_install():
    code = "import sys; sys.modules['anywidget'] = None\nimport lrcourse.playground.widget"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    ).stderr
    assert "lrcourse[course]" in told


def test_the_module_ships_with_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "page.js" in project["tool"]["setuptools"]["package-data"]["lrcourse.playground"]
    text = SCRIPT.read_text(encoding="utf-8")
    assert "://" not in text and "import(" not in text
    assert not [line for line in text.splitlines() if line.startswith("import ")]
    assert max(map(len, text.splitlines())) <= 110
    assert Playground().get_state("_esm") == {"_esm": text}


def test_every_setting_has_a_range_or_names():
    assert set(Setting().to_dict()) == set(RULES)
    assert len(PLACES) == 5 and len(OPTIMIZERS) == 6 and len(SCHEDULES) == 7
